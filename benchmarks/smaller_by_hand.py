"""Distillation, pruning and quantization beside short loops by hand: equal losses.

    python -m benchmarks.smaller_by_hand            # three minutes of CPU time
    python -m benchmarks.smaller_by_hand --write    # into docs/benchmarks.md

The teacher is examples/tiny_gpt.yaml, five layers, trained on Python's documentation with a token
per byte. Both sides have the same teacher, initial weights, samples and settings. The loops use
hooks and torch alone, and torchao's `quantize_`: what a person writes in an afternoon.
"""

from __future__ import annotations

import copy
import io
import sys
import tempfile
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path
from pydoc_data import topics
from typing import Any

import click
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import modelwright as mw
from modelwright.backends.pytorch.quantized import torchao_config
from modelwright.training.encoding import read_tokenizer
from modelwright.training.pruning import prune
from modelwright.training.quantizing import quantize_spec
from modelwright.training.runs import train
from modelwright.training.sampling import samples_of
from modelwright.training.tasks import task_of
from modelwright.training.token_files import Request, write_data

from .pages import conditions, write_rows
from .smaller import KINDS, SETTINGS, SPEC, STUDENT, TAUGHT, TEACHER, last_loss

KEY = "smaller by hand"
Batch = tuple[dict[str, Tensor], Tensor]
Row = list[str]
HEADS, SAMPLES = 4, 64
REMOVED = 5
TEMPERATURE, RELATIONS = 2.0, 0.1


def loss_of(model: nn.Module, batch: Batch) -> Tensor:
    logits = model(**batch[0])
    return F.cross_entropy(logits.flatten(0, 1), batch[1].flatten())


@torch.no_grad()
def mean_loss(model: nn.Module, batches: list[Batch]) -> float:
    return sum(float(loss_of(model, batch)) for batch in batches) / len(batches)


# -- distillation


def watch(model: Any, layer: int) -> dict[str, Tensor]:
    """The last queries, keys and values of a layer, kept by hooks."""
    seen: dict[str, Tensor] = {}
    for name in ("query", "key", "value"):
        model.layers[layer].attention.get_submodule(name).register_forward_hook(
            lambda _module, _inputs, output, name=name: seen.update({name: output})
        )
    return seen


def relation(x: Tensor) -> Tensor:
    """MiniLMv2's: log-probabilities of the scaled products of x (B, T, D) with itself."""
    x = x.unflatten(-1, (HEADS, -1)).transpose(1, 2)
    scores = x @ x.mT / x.size(-1) ** 0.5
    causal = torch.ones(scores.shape[-2:], dtype=torch.bool).tril()
    return scores.masked_fill(~causal, -1e9).log_softmax(-1)


def student_by_hand(teacher: Any, student: Any, batches: list[Batch], parts: str) -> nn.Module:
    """Train a student; each batch is a step."""
    theirs, ours = watch(teacher, -1), watch(student, -1)
    optimizer = torch.optim.AdamW(student.parameters(), 2e-3, (0.9, 0.95), weight_decay=0.0)
    for batch in batches:
        logits = student(**batch[0])
        loss = F.cross_entropy(logits.flatten(0, 1), batch[1].flatten())
        with torch.no_grad():
            taught = teacher(**batch[0])
        if "logits" in parts:
            p, q = ((x / TEMPERATURE).log_softmax(-1).flatten(0, 1) for x in (taught, logits))
            divergence = F.kl_div(q, p, log_target=True, reduction="batchmean")
            loss = 0.5 * loss + 0.5 * TEMPERATURE**2 * divergence
        if "relations" in parts:
            for name, x in theirs.items():
                p, q = relation(x), relation(ours[name])
                rows = F.kl_div(q, p, log_target=True, reduction="none").sum(-1)
                loss = loss + RELATIONS * rows.mean()
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(student.parameters(), 1.0)
        optimizer.step()
    return student


# -- pruning


def gated(model: Any, gates: Tensor) -> list[Any]:
    """Hooks that multiply the output of each head by its gate, (layers, B, heads)."""

    def multiply(gate: Tensor) -> Any:
        def hook(_module: nn.Module, inputs: tuple[Tensor]) -> Tensor:
            x = inputs[0].unflatten(-1, (HEADS, -1))  # (B, T, heads, E)
            return (x * gate[: len(x), None, :, None]).flatten(-2)

        return hook

    outputs = [layer.attention.output for layer in model.layers]
    return [m.register_forward_pre_hook(multiply(g)) for m, g in zip(outputs, gates, strict=True)]


def pruned_by_hand(model: Any, batches: list[Batch]) -> tuple[set[tuple[int, int]], float]:
    """The least important heads (Michel et al. 2019), and the loss without them."""
    layers = len(model.layers)
    scores = torch.zeros(layers, HEADS)
    for batch in batches:
        gates = torch.ones(layers, len(batch[1]), HEADS, requires_grad=True)
        hooks = gated(model, gates)
        (slope,) = torch.autograd.grad(loss_of(model, batch), gates)
        scores += slope.abs().sum(1)
        for hook in hooks:
            hook.remove()
    order = [divmod(n, HEADS) for n in scores.flatten().argsort().tolist()]
    removed = set(order[:REMOVED])
    kept = torch.ones(layers, 1, HEADS)
    for layer, head in removed:
        kept[layer, 0, head] = 0
    hooks = gated(model, kept.expand(-1, 8, -1))
    loss = mean_loss(model, batches)
    for hook in hooks:
        hook.remove()
    return removed, loss


# -- tables


def rows(folder: Path) -> Iterator[Row]:
    """What was done, our loss, and that of the loop by hand."""
    (folder / "text.txt").write_text("\n".join(topics.topics.values()), encoding="utf-8")
    data, spec = folder / "tokens", mw.load(SPEC)
    write_data(Request([folder / "text.txt"], "text", read_tokenizer("bytes"), None), data)
    train(spec, data, folder / "teacher", steps=TEACHER, warmup=TEACHER // 20, **SETTINGS)
    weights = folder / "teacher" / "weights.safetensors"

    def teacher() -> Any:
        return mw.load_weights(mw.compile(spec), weights).eval()

    task, length = task_of(mw.lower(spec), teacher()), SETTINGS["length"]
    learnt, held = (samples_of(task, data, split, length) for split in ("train", "val"))
    yield from distilled(folder, teacher, learnt, held)
    batches = [learnt.batch(first, 8) for first in range(0, SAMPLES, 8)]
    yield from pruned(spec, weights, data, teacher(), batches)
    yield from quantized(spec, weights, data, teacher, held)


def distilled(folder: Path, teacher: Any, learnt: Any, held: Any) -> Iterator[Row]:
    spec, small = mw.load(SPEC), mw.load(SPEC, sets=["layers=2"])
    start = folder / "start.safetensors"
    mw.save_weights(mw.compile(small, seed=1), start)
    alike = {**SETTINGS, "lr": 2e-3, "schedule": "constant", "warmup": 0, "weight_decay": 0.0}
    batches = [learnt.batch(8 * step, 8) for step in range(STUDENT)]
    tests = [held.batch(8 * n, 8) for n in range(SETTINGS["eval_steps"])]
    for name, parts in TAUGHT.items():
        given: dict[str, Any] = {
            "teacher": spec, "teacher_weights": folder / "teacher" / "weights.safetensors",
            "distill": parts,
        } if parts else {}  # fmt: skip
        run = train(
            small, folder / "tokens", folder / f"run-{parts}",
            steps=STUDENT, weights=start, **alike, **given,
        )  # fmt: skip
        student = mw.load_weights(mw.compile(small), start).train()
        hand = mean_loss(student_by_hand(teacher(), student, batches, parts).eval(), tests)
        yield [f"2 layers, {STUDENT} steps: {name}", f"{last_loss(run):.4f}", f"{hand:.4f}"]


def pruned(
    spec: mw.ModelSpec, weights: Path, data: Path, model: nn.Module, batches: list[Batch]
) -> Iterator[Row]:
    length, before = batches[0][1].size(1), mean_loss(model, batches)
    made = prune(spec, weights, data, heads=REMOVED, samples=SAMPLES, length=length)
    removed, loss = pruned_by_hand(model, batches)
    layers = [
        len({head for at, head in removed if at == n})
        for n in range(len(spec.stacks["decoder"].order))
    ]
    kept = [
        weight.size(0) * HEADS // weight.size(1)
        for name, weight in sorted(made.weights.items())
        if name.endswith("attention.query.weight")
    ]
    same = [HEADS - n for n in layers] == kept
    heads = f"without {REMOVED} of {HEADS * len(kept)} heads (training text)"
    yield ["all heads (training text)", f"{made.before:.4f}", f"{before:.4f}"]
    yield [f"{heads}, the same ones" if same else heads, f"{made.after:.4f}", f"{loss:.4f}"]


def quantized(
    spec: mw.ModelSpec, weights: Path, data: Path, teacher: Any, held: Any
) -> Iterator[Row]:
    from torchao.quantization import quantize_

    length = SETTINGS["length"]
    samples = [held.batch(n, 1) for n in range(SAMPLES)]
    for kind in KINDS:
        made = quantize_spec(spec, weights, kind, data, length=length)
        model = copy.deepcopy(teacher())
        quantize_(model, torchao_config(kind))
        hand = mean_loss(model, samples)
        yield [f"linear layers in {kind}", f"{made.after:.4f}", f"{hand:.4f}"]


@click.command()
@click.option("--write", is_flag=True, help="Write the table into docs/benchmarks.md.")
def main(*, write: bool) -> None:
    """Compare smaller models with those of loops by hand."""
    torch.set_num_threads(1)
    table = [["model", "loss, modelwright", "loss, by hand"]]
    with tempfile.TemporaryDirectory() as folder, redirect_stdout(io.StringIO()):
        for row in rows(Path(folder)):
            print("  ".join(row), file=sys.stderr, flush=True)
            table.append(row)
    if write:
        write_rows(KEY, conditions(), table)


if __name__ == "__main__":
    main()
