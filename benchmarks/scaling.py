"""Attention of emitted files with sparse masks, by length, compared with causal SDPA.

    python -m benchmarks.scaling                 # 1k to 32k tokens: about half an hour
    python -m benchmarks.scaling --quick         # 1k to 8k, three rounds: about 3 minutes
    python -m benchmarks.scaling --mask longformer --length 16384 --dtype float32 --way forward
    python -m benchmarks.scaling --growth        # exponents alone, from 4k to 32k: about 15 minutes
    python -m benchmarks.scaling --write         # measure, and write docs/benchmarks.md
    python -m benchmarks.scaling --show [--write]     # the tables of all pieces measured so far

Each piece (a length, a dtype, forward or both) is appended to benchmarks/results/scaling.jsonl,
so that they can be measured one by one on a quiet machine. Exponents of `--growth` compare times of
the same round, with 4k and 32k tokens; without them, those of the table are of times that were
measured one after another.

12 heads of 64, one sequence, one thread. Each mask is built into a model of one layer. Functions
that make tiles and attend are timed, without the projections. Dense attention is one call of
`scaled_dot_product_attention(is_causal=True)`, alternately with the emitted code; it reads no mask
and computes half of the scores. Forward is timed without gradients. Peak memory is measured in a
separate process, minus its memory before the call.
"""

from __future__ import annotations

import math
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import click
import torch
from torch import Tensor
from torch.nn import functional as F

import modelwright as mw

from .__main__ import CLOCKS
from .measure import Timed, alternate
from .results import FOLDER, Record, append, latest, measured, place
from .scaling_page import exponent, write_memory, write_scaling

HEADS, WIDTH = 12, 64
LENGTHS = (1024, 2048, 4096, 8192, 16384, 32768)
QUICK = (1024, 2048, 4096, 8192)
ENDS = (4096, 32768)
"""Lengths between which time grows."""
MASKS = {
    "window(256)": "causal & window(256)",
    "window(4096)": "causal & window(4096)",
    "band(256)": "band(256)",
    "strided(128)": "causal & strided(128)",
    "dilated(4)": "causal & window(1024) & strided(4)",
    "longformer": "band(256) | global(0:1)",
    "bigbird": "blocks(64, 1) | global(0:64) | global(-64:) | random(64, 3)",
}
"""Name in the table -> mask formula of the spec."""
DENSE = "dense causal"
WAYS = FORWARD, BOTH = "forward", "both"
SPEC = """
name: scaling
family: {family}
vocab_size: 64
max_positions: 65536
d_model: {width}
layers: 1
positions: none
mask: "{mask}"
attention: {{heads: {heads}}}
head: none
"""


@dataclass(frozen=True)
class Emitted:
    """Attention with one mask, computed by the functions of an emitted file."""

    file: dict[str, Any]
    make: str  # the function that makes the tiles
    sizes: tuple[int, ...]

    def attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Make the tiles and attend: what a model does once, and in each layer."""
        length = q.size(2)
        data = [None] * ("attention_mask" in self.file[self.make].__annotations__)
        tiles = self.file[self.make](0, length, *self.sizes, *data, like=q)
        function = next(name for name in ATTENTIONS if name in self.file)
        found: Tensor = self.file[function](q, k, v, tiles, F.scaled_dot_product_attention)
        return found


def emitted(mask: str) -> Emitted:
    """Attention with a mask."""
    family = "decoder-only" if mask.startswith("causal") else "encoder-only"
    text = SPEC.format(family=family, mask=mask, width=HEADS * WIDTH, heads=HEADS)
    model: Any = mw.compile(mw.loads(text))
    file = type(model).forward.__globals__
    made = [name for name in file if name.endswith("_tiles") and "like" in _names(file[name])]
    made = [name for name in made if "start" in _names(file[name]) and name not in HELPERS]
    config, (name,) = model.config, made
    sizes = [n for n in _names(file[name]) if n in vars(config)]
    return Emitted(file, name, tuple(getattr(config, size) for size in sizes))


ATTENTIONS = tuple(
    f"{causal}{form}_attention"
    for form in ("strided", "gathered", "tiled")
    for causal in ("causal_", "")
)
"""Functions that attend in tiles, the most general one first; `causal_` may have no mask."""
HELPERS = ("sliding_tiles", "gathered_tiles")


def _names(function: Any) -> list[str]:
    return list(getattr(function, "__annotations__", {}))


# -- what is timed


def inputs(length: int, dtype: torch.dtype, *, gradients: bool) -> list[Tensor]:
    """Queries, keys and values in the memory layout of projections: (B, T, H, E) transposed."""
    torch.manual_seed(0)
    made = [torch.randn(1, length, HEADS, WIDTH, dtype=dtype).transpose(1, 2) for _ in range(3)]
    return [x.requires_grad_(gradients) for x in made]


def work(attend: Callable[..., Tensor], length: int, dtype: torch.dtype, *, backward: bool) -> Any:
    """A function that computes attention once, and with `backward` its gradients."""
    q, k, v = inputs(length, dtype, gradients=backward)
    if not backward:

        def forward() -> None:
            with torch.no_grad():
                attend(q, k, v)

        return forward
    along = torch.randn(1, length, HEADS, WIDTH, dtype=dtype).transpose(1, 2)
    return lambda: torch.autograd.grad(attend(q, k, v), (q, k, v), along)


def dense(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return F.scaled_dot_product_attention(q, k, v, is_causal=True)


def attention(name: str) -> Callable[..., Tensor]:
    return dense if name == DENSE else emitted(MASKS[name]).attend


# -- memory


def peak(name: str, length: int, dtype: str, way: str) -> float:
    """Additional MB that a process needs for one run, at the peak."""
    command = [sys.executable, "-m", "benchmarks.scaling", "--peak", name, "--length", str(length)]
    command += ["--dtype", dtype, "--way", way]
    here = Path(__file__).resolve().parent.parent
    done = subprocess.run(command, cwd=here, capture_output=True, text=True, check=True)
    return float(done.stdout)


def report_peak(name: str, length: int, dtype: torch.dtype, *, backward: bool) -> None:
    attend = attention(name)
    run = work(attend, length, dtype, backward=backward)
    work(attend, 64, dtype, backward=backward)()  # what torch loads at its first call
    reset_peak()
    before = most_kilobytes()
    run()
    click.echo((most_kilobytes() - before) / 1024)


def reset_peak() -> None:
    """Forget the peak of imports and of the first call, where Linux allows it."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def most_kilobytes() -> int:
    """The peak of this process's memory; `getrusage` counts that of its parent too."""
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    lines = status.read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


# -- the table


@click.command()
@click.option(
    "--mask", "masks", multiple=True, type=click.Choice(list(MASKS)), help="[default: all]"
)
@click.option("--length", "lengths", multiple=True, type=click.IntRange(min=64), help="Tokens.")
@click.option("--dtype", "dtypes", multiple=True, type=click.Choice(["float32", "bfloat16"]))
@click.option("--way", "ways", multiple=True, type=click.Choice(WAYS), help="[default: both]")
@click.option(
    "--rounds", type=click.IntRange(min=1), help="[default: 5; 3 from 16k tokens on, 2 from 32k]"
)
@click.option("--clock", type=click.Choice(list(CLOCKS)), default="cpu", show_default=True)
@click.option("--quick", is_flag=True, help="Up to 8k tokens, float32, three rounds.")
@click.option(
    "--results",
    "path",
    type=click.Path(path_type=Path),
    default=FOLDER / "scaling.jsonl",
    help="File to which the numbers are appended. [default: benchmarks/results/scaling.jsonl]",
)
@click.option("--growth", is_flag=True, help="Measure exponents, and append them to growth.jsonl.")
@click.option("--memory", is_flag=True, help="Measure peaks, and append them to memory.jsonl.")
@click.option("--show", is_flag=True, help="Print the table of the file and measure nothing.")
@click.option("--write", is_flag=True, help="Also write all tables of it into docs/benchmarks.md.")
@click.option("--peak", "of_peak", hidden=True)
def main(
    masks: tuple[str, ...],
    lengths: tuple[int, ...],
    dtypes: tuple[str, ...],
    ways: tuple[str, ...],
    rounds: int | None,
    clock: str,
    quick: bool,
    path: Path,
    growth: bool,
    memory: bool,
    show: bool,
    write: bool,
    of_peak: str | None,
) -> None:
    """Time the attention of emitted files by length, and dense causal SDPA."""
    torch.set_num_threads(1)
    dtypes = dtypes or (("float32",) if quick else ("float32", "bfloat16"))
    lengths = lengths or (QUICK if quick else LENGTHS)
    if of_peak is not None:
        report_peak(of_peak, lengths[0], getattr(torch, dtypes[0]), backward=BOTH in ways)
        return
    names, grown = masks or tuple(MASKS), path.with_name("growth.jsonl")
    peaks = path.with_name("memory.jsonl")
    rounds = rounds or (3 if quick or growth else None)
    for dtype, way in product(dtypes, ways or WAYS) if not show else ():
        if growth:
            measure_growth(grown, names, dtype, way, rounds or 3, clock)
            continue
        for length in lengths:
            if memory:
                measure_peaks(peaks, names, length, dtype, way)
            else:
                print_table(piece(path, names, length, dtype, way, rounds, clock))
    if (growth or memory) and not (show or write):
        return
    found = latest(path, "dtype", "way", "mask", "length")
    print_table(found)
    if write:
        write_scaling(found, latest(grown, "dtype", "way", "mask"))
        write_memory(latest(peaks, "dtype", "way", "mask", "length"))


def measure_growth(
    path: Path, masks: tuple[str, ...], dtype: str, way: str, rounds: int, clock: str
) -> None:
    """Time masks at the ends of a range of lengths, and append their exponents to a file."""
    for mask in masks:
        candidates = {
            str(length): work(attention(mask), length, getattr(torch, dtype), backward=way == BOTH)
            for length in ENDS
        }
        timed = alternate(mask, candidates, rounds=rounds, clock=CLOCKS[clock])
        least, most = ENDS
        exponent = math.log(timed.ratio(str(most), str(least))) / math.log(most / least)
        facts = {"mask": mask, "dtype": dtype, "way": way, "exponent": round(exponent, 3)}
        append(path, measured(timed, clock, **facts))
        click.echo(f"{dtype}, {way}: exponent of {mask} from 4k to 32k tokens: {exponent:.2f}")


def measure_peaks(path: Path, masks: tuple[str, ...], length: int, dtype: str, way: str) -> None:
    """Append the peak memory of dense attention and of masks to a file."""
    for mask in (DENSE, *masks):
        used = peak(mask, length, dtype, way)
        facts = {"mask": mask, "length": length, "dtype": dtype, "way": way, "MB": round(used, 1)}
        facts |= {"threads": torch.get_num_threads(), "load": round(os.getloadavg()[0], 1)}
        append(path, {**facts, **place()})
        click.echo(f"{dtype}, {way}, {length} tokens: {mask} {used:,.0f} MB")


def piece(
    path: Path,
    masks: tuple[str, ...],
    length: int,
    dtype: str,
    way: str,
    rounds: int | None,
    clock: str,
) -> list[Record]:
    """Time masks and dense attention alternately, and append the numbers to a file."""
    click.echo(f"{dtype}, {way}, {length} tokens: {', '.join(masks)}", err=True)
    kind, backward = getattr(torch, dtype), way == BOTH
    names = (DENSE, *masks)
    candidates = {name: work(attention(name), length, kind, backward=backward) for name in names}
    count = rounds or (5 if length < 16384 else 3 if length < 32768 else 2)
    timed = alternate(str(length), candidates, rounds=count, warm_up=1, clock=CLOCKS[clock])
    found = []
    for mask in masks:
        facts: dict[str, object] = {"mask": mask, "length": length, "dtype": dtype, "way": way}
        facts["ratio"] = round(timed.ratio(DENSE, mask), 3)
        pair = Timed(timed.task, {name: timed.rounds[name] for name in (DENSE, mask)})
        found.append(measured(pair, clock, **facts))
        append(path, found[-1])
    return found


def print_table(records: list[Record]) -> None:
    """Print ms, speedup over dense attention, and growth with the length."""
    groups: dict[tuple[str, str], list[Record]] = {}
    for record in records:
        groups.setdefault((record["dtype"], record["way"]), []).append(record)
    for (dtype, way), group in groups.items():
        click.echo(f"\n{dtype}, {way}")
        click.echo(f"{'tokens':>7} {'mask':14} {'ms':>10} {'x dense':>8} {'load':>6}")
        times: dict[str, dict[int, float]] = {}
        for record in sorted(group, key=lambda record: record["length"]):
            mask, length, seconds = record["mask"], record["length"], record["seconds"]
            for name in (DENSE, mask):
                times.setdefault(name, {})[length] = seconds[name]
            numbers = f"{seconds[mask] * 1e3:10.1f} {record['ratio']:8.2f}"
            click.echo(f"{length:7d} {mask:14} {numbers} {record['load']:6.1f}")
        for name, by_length in times.items():
            if growth := exponent(by_length):
                click.echo(f"exponent of {name} from 4k tokens on: {growth}")


if __name__ == "__main__":
    main()
