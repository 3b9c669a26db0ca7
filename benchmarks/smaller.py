"""Smaller models: losses after distillation, pruning and quantization, and the speed of 8 bits.

    python -m benchmarks.smaller                  # losses of a million weights: some minutes
    python -m benchmarks.smaller --only decode    # GPT-2 124M in 8 bits and in bfloat16
    python -m benchmarks.smaller --only decode --clock cpu    # on a machine that is busy
    python -m benchmarks.smaller --write          # both, into docs/benchmarks.md

The teacher is examples/tiny_gpt.yaml, five layers, trained on the text of Python's documentation,
with a token per byte. Students have two of its layers and equal numbers of steps. The losses are
means of held-out bytes, in nats.
"""

from __future__ import annotations

import io
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from functools import partial
from pathlib import Path
from pydoc_data import topics
from typing import Any

import click
import torch
from torch import nn

import modelwright as mw
from modelwright.backends.huggingface import import_folder
from modelwright.backends.pytorch.quantized import quantize
from modelwright.training.emitted.log import read
from modelwright.training.encoding import read_tokenizer
from modelwright.training.pruning import prune
from modelwright.training.quantizing import quantize_spec
from modelwright.training.runs import train
from modelwright.training.token_files import Request, write_data

from .__main__ import CLOCKS, quiet_libraries
from .measure import Timed, alternate
from .models import LIBRARY
from .pages import conditions, write_rows
from .peers import CASES, saved

SPEC = Path(mw.__file__).parent / "examples" / "tiny_gpt.yaml"
TEACHER, STUDENT = 250, 120
SETTINGS: dict[str, Any] = {
    "batch": 8, "micro_batch": 8, "length": 128, "lr": 4e-3, "eval_every": 0, "eval_steps": 16,
    "save_every": 1000, "log_every": 50,
}  # fmt: skip
TAUGHT = {
    "labels": "",
    "labels and logits": "logits",
    "labels, logits and relations": "logits,relations",
}
KINDS = ("int8", "int8-dynamic", "int4", "float8")
TOKENS, PROMPT = 32, 64
Row = list[str]


def last_loss(run: Path) -> float:
    """The held-out loss at the end of a run."""
    return float([line for line in read(run / "log.jsonl") if "val_loss" in line][-1]["val_loss"])


def rows_of_losses(folder: Path) -> Iterator[Row]:
    """What was done, the loss, and the loss before it."""
    (folder / "text.txt").write_text("\n".join(topics.topics.values()), encoding="utf-8")
    data = folder / "tokens"
    write_data(Request([folder / "text.txt"], "text", read_tokenizer("bytes"), None), data)
    spec, teacher = mw.load(SPEC), folder / "teacher"
    train(spec, data, teacher, steps=TEACHER, warmup=TEACHER // 20, **SETTINGS)
    weights, before = teacher / "weights.safetensors", last_loss(teacher)
    yield [f"5 layers, {TEACHER} steps", f"{before:.4f}", ""]
    student = mw.load(SPEC, sets=["layers=2"])
    for name, parts in TAUGHT.items():
        given: dict[str, Any] = {"teacher": spec, "teacher_weights": weights, "distill": parts}
        run = folder / name.replace(" ", "-")
        more = given if parts else {}
        train(student, data, run, steps=STUDENT, warmup=STUDENT // 20, **SETTINGS, **more)
        yield [f"2 layers, {STUDENT} steps: {name}", f"{last_loss(run):.4f}", f"{before:.4f}"]
    for heads in ("25%", "50%"):
        made = prune(spec, weights, data, heads=heads)
        yield [f"without {heads} of the heads (training text)", *two(made.before, made.after)]
    for kind in KINDS:
        one = quantize_spec(spec, weights, kind, data)
        assert one.before is not None
        assert one.after is not None
        yield [f"linear layers in {kind}", *two(one.before, one.after)]


def two(before: float, after: float) -> Row:
    return [f"{after:.4f}", f"{before:.4f}"]


def decoding(clock: str) -> list[Timed]:
    """Greedy decoding of GPT-2 124M with a cache: seconds of ours and of transformers."""
    case = CASES["gpt2"]
    (ids,) = case.inputs(1, PROMPT)
    with tempfile.TemporaryDirectory() as folder, torch.no_grad():
        theirs = saved(case, folder).eval()
        theirs.generation_config.pad_token_id = 0

        def ours(
            kind: str = "", dtype: str = "float32", *, joined: bool = False
        ) -> Callable[[], object]:
            model: nn.Module = mw.from_pretrained(folder).to(getattr(torch, dtype)).eval()
            if joined:
                weights = model.state_dict()
                model = mw.compile(mw.loads(import_folder(folder)), join_projections=True).eval()
                model.load_state_dict(weights)
            if kind:
                quantize(model, kind)
            return partial(model.generate, ids, max_new_tokens=TOKENS, temperature=0)

        exactly = {"do_sample": False, "max_new_tokens": TOKENS, "min_new_tokens": TOKENS}
        library = partial(theirs.generate, ids, **exactly)
        eight = {kind: ours(kind) for kind in KINDS[:2]}
        eight |= {f"{kind}, joined projections": ours(kind, joined=True) for kind in KINDS[:2]}
        timed = partial(alternate, rounds=5, clock=CLOCKS[clock])
        found = [timed("float32", {LIBRARY: library, "float32": ours(), **eight})]
        del eight
        theirs.bfloat16()
        both = {LIBRARY: library, "bfloat16": ours(dtype="bfloat16")}
        return [*found, timed("bfloat16", both)]


def losses() -> list[Row]:
    table = [["model", "loss", "before"]]
    with tempfile.TemporaryDirectory() as folder, redirect_stdout(io.StringIO()):
        for row in rows_of_losses(Path(folder)):
            print("  ".join(row), file=sys.stderr, flush=True)
            table.append(row)
    return table


def speeds(clock: str) -> list[Row]:
    table = [["GPT-2 124M, 64 + 32 tokens", "time", "transformers / emitted"]]
    for timed in decoding(clock):
        for name in timed.rounds:
            theirs = name == LIBRARY
            ratio = "" if theirs else f"{timed.ratio(LIBRARY, name):.2f}"
            label = f"{LIBRARY}, {timed.task}" if theirs else f"emitted, {name}"
            table.append([label, f"{timed.median(name) * 1000:.0f} ms", ratio])
            print("  ".join(table[-1]), file=sys.stderr, flush=True)
    return table


TABLES = ("losses", "decode")


@click.command()
@click.option("--only", type=click.Choice(list(TABLES)), help="One of the two tables.")
@click.option("--clock", type=click.Choice(list(CLOCKS)), default="wall", show_default=True)
@click.option("--write", is_flag=True, help="Write the tables into docs/benchmarks.md.")
def main(*, only: str | None, clock: str, write: bool) -> None:
    """Measure distillation, pruning and quantization."""
    torch.set_num_threads(1)
    quiet_libraries()
    for name in [only] if only else TABLES:
        load = f"{os.getloadavg()[0]:.0f}"
        table = losses() if name == "losses" else speeds(clock)
        facts = {"clock": clock, "programs running": load} if name == "decode" else {}
        if write:
            write_rows(f"smaller, {name}", conditions() | facts, table)


if __name__ == "__main__":
    main()
