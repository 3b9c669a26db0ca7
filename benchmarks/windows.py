"""Attention with a window against the package `local-attention`.

    pip install local-attention
    python -m benchmarks.windows                    # about three minutes on a quiet machine
    python -m benchmarks.windows --clock cpu --write   # also write the table of docs/benchmarks.md

12 heads of 64, one sequence, one thread, float32, without projections. The candidates give the same
results, which is checked first: `local-attention` with an exact window of n keys lets a query
attend to n keys before its own, as does `window(n + 1)`. It computes all scores of a block of n
queries and the 2n keys of two blocks. Dense attention is one call of causal SDPA without a window.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import click
import torch
from torch import Tensor

from .__main__ import CLOCKS
from .measure import Timed, alternate
from .models import OURS
from .pages import conditions, rows, text_table, version_of, write_rows
from .scaling import BOTH, DENSE, WAYS, dense, emitted, inputs, work

PEER = "local-attention"
KEY = "windows"
"""Of the place in docs/benchmarks.md."""
SIZES = (256, 512)
LENGTHS = (4096, 8192)


def attentions(size: int) -> dict[str, Callable[..., Tensor]]:
    """Attention of each query to itself and `size` keys before it, and dense attention."""
    from local_attention import LocalAttention

    theirs: Any = LocalAttention(window_size=size, causal=True, exact_windowsize=True)
    found = {OURS: emitted(f"causal & window({size + 1})").attend, PEER: theirs}
    q, k, v = inputs(8 * size, torch.float32, gradients=False)
    one, other = (attend(q, k, v) for attend in found.values())
    torch.testing.assert_close(one, other, rtol=0, atol=1e-5)
    return {**found, DENSE: dense}


@click.command()
@click.option("--length", "lengths", multiple=True, type=int, help="[default: 4096, 8192]")
@click.option("--rounds", default=5, show_default=True, type=click.IntRange(min=2))
@click.option("--clock", type=click.Choice(list(CLOCKS)), default="wall", show_default=True)
@click.option("--write", is_flag=True, help="Also write the table of docs/benchmarks.md.")
def main(lengths: tuple[int, ...], rounds: int, clock: str, write: bool) -> None:
    """Time attention with a window; ratios above 1: the emitted functions are faster."""
    torch.set_num_threads(1)
    found: list[Timed] = []
    for size, length, way in product(SIZES, lengths or LENGTHS, WAYS):
        task = f"{size} keys before each, {length:,} tokens, {way}"
        click.echo(task, err=True)
        candidates = {
            name: work(attend, length, torch.float32, backward=way == BOTH)
            for name, attend in attentions(size).items()
        }
        found.append(alternate(task, candidates, rounds=rounds, clock=CLOCKS[clock]))
    click.echo(text_table(found))
    if write:
        facts = {**conditions(), PEER: version_of(PEER), "rounds": rounds, "threads": 1}
        write_rows(KEY, {**facts, "clock": clock}, rows(found))


if __name__ == "__main__":
    main()
