"""Emitted models against transformers and against code written by hand: forward, train, decode.

python -m benchmarks.compare --json build/compare.json
"""

from __future__ import annotations

import functools
import json
import platform
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import torch
import transformers
from torch import Tensor

from . import models
from .measure import Candidate, Timed, alternate, table
from .models import BY_HAND, LIBRARY, OURS, Rivals

Task = tuple[str, dict[str, Candidate]]
PROMPT, NEW = 64, 32
CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}


def forward(rivals: Rivals, *given: Tensor) -> dict[str, Candidate]:
    """The result, in inference mode."""
    rivals.train(False)

    def timed(run: Callable[..., Tensor]) -> Candidate:
        return torch.inference_mode()(lambda: run(*given))

    return {name: timed(run) for name, run in rivals.call.items()}


def training(
    rivals: Rivals, loss: Callable[[Tensor, Tensor], Tensor], ids: Tensor
) -> dict[str, Candidate]:
    """Forward with dropout, loss, backward and a step of SGD, which moves nothing visible."""
    rivals.train(True)

    def timed(name: str) -> Candidate:
        optimizer = torch.optim.SGD(rivals.models[name].parameters(), lr=1e-9)

        def step() -> None:
            optimizer.zero_grad()
            loss(rivals.call[name](ids), ids).backward()
            optimizer.step()
            optimizer.zero_grad()  # the next candidate finds the memory free

        return step

    return {name: timed(name) for name in rivals.models}


def decoding(rivals: Rivals, ids: Tensor) -> dict[str, Candidate]:
    """Greedy decoding with a cache; all must say the same."""
    rivals.train(False)
    ours, theirs, hand = (rivals.models[name] for name in (OURS, LIBRARY, BY_HAND))
    mask = torch.ones_like(ids)

    def library() -> Tensor:
        return theirs.generate(
            ids, attention_mask=mask, max_new_tokens=NEW, do_sample=False, use_cache=True
        )

    runs: dict[str, Callable[[], Tensor]] = {
        OURS: lambda: ours.generate(ids, NEW, temperature=0, eos_token_id=None),
        LIBRARY: library,
        BY_HAND: lambda: hand.generate(ids, NEW),
    }
    said = {name: run() for name, run in runs.items()}
    if any(not torch.equal(said[OURS], other) for other in said.values()):
        raise RuntimeError("the candidates do not say the same")
    return dict(runs)


def next_token_loss(logits: Tensor, ids: Tensor) -> Tensor:
    return torch.nn.functional.cross_entropy(logits[:, :-1].flatten(0, 1), ids[:, 1:].flatten())


def pooled_loss(pooled: Tensor, _ids: Tensor) -> Tensor:
    return pooled.square().mean()


def gpt2_tasks(scale: int, packed: bool) -> Iterator[Task]:
    rivals = models.gpt2(packed)
    ids = torch.randint(50257, (4 * scale, 256), generator=torch.Generator().manual_seed(0))
    batch = ids[:, :64]
    yield "GPT-2 forward, 1 x 256", forward(rivals, ids[:1])
    yield f"GPT-2 forward, {len(batch)} x 64", forward(rivals, batch)
    yield f"GPT-2 decode, 1 x {PROMPT} + {NEW}", decoding(rivals, ids[:1, :PROMPT])
    yield f"GPT-2 decode, {len(batch)} x {PROMPT} + {NEW}", decoding(rivals, ids[:, :PROMPT])
    yield (
        f"GPT-2 training step, {scale} x 128",
        training(rivals, next_token_loss, ids[:scale, :128]),
    )


def bert_tasks(scale: int, packed: bool) -> Iterator[Task]:
    rivals = models.bert(packed)
    ids = torch.randint(30522, (4 * scale, 256), generator=torch.Generator().manual_seed(0))
    batch = ids[:, :64]
    lengths = torch.linspace(8, 64, len(batch)).long()[:, None]
    padded = (torch.arange(64) < lengths).long()
    yield "BERT forward, 1 x 256", forward(rivals, ids[:1])
    yield f"BERT forward, {len(batch)} x 64", forward(rivals, batch)
    yield f"BERT forward, {len(batch)} x 64 padded", forward(rivals, batch, padded)
    yield f"BERT training step, {scale} x 128", training(rivals, pooled_loss, ids[:scale, :128])


TASKS = (gpt2_tasks, bert_tasks)


def measured(
    scale: int, packed: bool, rounds: int, only: str, clock: str, told: Callable[[str], None]
) -> Iterator[Timed]:
    """Every task whose name holds `only`."""
    for tasks in TASKS:
        for name, candidates in tasks(scale, packed):
            if only.lower() in name.lower():
                start = time.monotonic()
                yield alternate(name, candidates, rounds=rounds, clock=CLOCKS[clock])
                told(f"{name}: {rounds} rounds in {time.monotonic() - start:.0f} s")


def conditions() -> dict[str, object]:
    return {
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "python": platform.python_version(),
        "threads": torch.get_num_threads(),
        "dtype": "float32",
        "device": "cpu",
    }


@click.command()
@click.option("--rounds", default=11, show_default=True, type=click.IntRange(min=3))
@click.option("--scale", default=1, show_default=True, type=click.IntRange(min=1), help="Batches.")
@click.option("--packed", is_flag=True, help="Each model's weights in one block of memory.")
@click.option("--only", default="", help="Tasks whose name holds this.")
@click.option("--threads", type=int, help="[default: torch's]")
@click.option(
    "--clock",
    type=click.Choice(list(CLOCKS)),
    default="wall",
    show_default=True,
    help="`cpu` with --threads 1 holds on a machine that is busy with other things.",
)
@click.option("--json", "path", type=click.Path(path_type=Path), help="Write the numbers there.")
def main(
    rounds: int,
    scale: int,
    packed: bool,
    only: str,
    threads: int | None,
    clock: str,
    path: Path | None,
) -> None:
    """Time emitted models next to their rivals: one run, alternating, on the CPU in float32."""
    if threads:
        torch.set_num_threads(threads)
    transformers.utils.logging.set_verbosity_error()
    torch.manual_seed(0)
    told = functools.partial(click.echo, err=True)
    results = list(measured(scale, packed, rounds, only, clock, told))
    if not results:
        raise click.BadParameter(f"no task holds `{only}`")
    print(table(results, OURS))
    print("± is half the distance of the quartiles; ratios are medians over the rounds")
    if path:
        found = [result.to_json(OURS) for result in results]
        data = {
            **conditions(),
            "clock": clock,
            "packed": packed,
            "rounds": rounds,
            "results": found,
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(data, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
