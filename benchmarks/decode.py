"""Decoding and linear attention: the forms that files emit now against those that they had.

    python -m benchmarks.decode                       # all of it: about ten minutes
    python -m benchmarks.decode --only linear --clock cpu
    python -m benchmarks.decode --only layers --shape "Gemma 3 1B" --dtype bfloat16
    python -m benchmarks.decode --only linear --form lightning --length 32768
    python -m benchmarks.decode --write               # measure, and write docs/benchmarks.md
    python -m benchmarks.decode --show [--write]      # all pieces measured so far

One step of one sequence behind a cache of 16,384 tokens: the call of attention, attention with its
projections, and a whole layer. Before, each query head read the keys and values of its group again,
and a window was a mask over all keys. `windows` are whole sequences of 8,192 tokens. Candidates
alternate in one process. Each line is appended to benchmarks/results/decode.jsonl, so that they can
be measured one by one on a quiet machine.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import modelwright as mw
from modelwright.backends.pytorch.compile import import_text
from modelwright.backends.pytorch.runtime.grouped import grouped_attention
from modelwright.backends.pytorch.runtime.linear import (
    causal_linear_attention,
    compiled_fading_attention,
    compiled_linear_attention,
    fading_linear_attention,
    lightning_rates,
)

from .__main__ import CLOCKS
from .measure import Candidate, Timed, alternate
from .results import FOLDER, Record, append, latest, measured
from .scaling_page import growth, write_decoding

DTYPES = ("float32", "bfloat16")
LENGTHS = (2048, 8192, 32768)
WINDOWS = 8192
"""Tokens of linear attention, and of whole sequences with a window."""
NOW, BEFORE = "now", "before"
FORMS = ("linear", "lightning")
TABLES = ("calls", "attentions", "layers", "windows", "linear")


@dataclass(frozen=True)
class Shape:
    """An attention: query heads, key/value heads, head width, and the window or 0."""

    name: str
    heads: int
    kv_heads: int
    width: int
    window: int = 0


SHAPES = (
    Shape("Llama 3 8B", 32, 8, 128),
    Shape("Llama 3 8B, window 512", 32, 8, 128, 512),
    Shape("Gemma 3 1B", 4, 1, 256),
    Shape("Gemma 3 1B, window 512", 4, 1, 256, 512),
)
SPEC = """
name: one-layer
family: decoder-only
vocab_size: 32
max_positions: {most}
d_model: {width}
layers: 1
positions: rotary
norm: rmsnorm
mask: {mask}
attention: {{heads: {heads}, kv_heads: {kv_heads}, head_dim: {head}}}
feed_forward: {feed_forward}
head: language_model
"""


@dataclass(frozen=True)
class Asked:
    """Which lines are measured, and how."""

    tokens: int
    shapes: tuple[str, ...]
    dtypes: tuple[str, ...]
    forms: tuple[str, ...]
    lengths: tuple[int, ...]
    rounds: int
    clock: str

    def pairs(self) -> Iterator[tuple[str, Shape]]:
        for dtype in self.dtypes or DTYPES:
            for shape in SHAPES:
                if not self.shapes or shape.name in self.shapes:
                    yield dtype, shape


@click.command()
@click.option("--only", type=click.Choice(TABLES), help="[default: all]")
@click.option("--shape", "shapes", multiple=True, type=click.Choice([s.name for s in SHAPES]))
@click.option("--dtype", "dtypes", multiple=True, type=click.Choice(DTYPES))
@click.option("--form", "forms", multiple=True, type=click.Choice(FORMS), help="Of linear ones.")
@click.option("--length", "lengths", multiple=True, type=int, help="Tokens of linear ones.")
@click.option("--tokens", default=16384, show_default=True, type=click.IntRange(min=600))
@click.option("--rounds", default=9, show_default=True, type=click.IntRange(min=3))
@click.option("--threads", default=1, show_default=True, type=click.IntRange(min=1))
@click.option("--clock", type=click.Choice(list(CLOCKS)), default="wall", show_default=True)
@click.option(
    "--results",
    "path",
    type=click.Path(path_type=Path),
    default=FOLDER / "decode.jsonl",
    help="File to which the numbers are appended. [default: benchmarks/results/decode.jsonl]",
)
@click.option("--show", is_flag=True, help="Print the lines of the file and measure nothing.")
@click.option("--write", is_flag=True, help="Also write all lines of it into docs/benchmarks.md.")
def main(
    only: str | None,
    shapes: tuple[str, ...],
    dtypes: tuple[str, ...],
    forms: tuple[str, ...],
    lengths: tuple[int, ...],
    tokens: int,
    rounds: int,
    threads: int,
    clock: str,
    path: Path,
    show: bool,
    write: bool,
) -> None:
    """Time decoding steps and linear attention; the last column is before / now."""
    torch.set_num_threads(threads)
    asked = Asked(tokens, shapes, dtypes, forms, lengths, rounds, clock)
    if show:
        print_lines(latest(path, "task", "tokens"))
    else:
        click.echo(f"threads: {threads}, clock: {clock}, rounds: {rounds}, tokens: {tokens}")
        measure(asked, [only] if only else TABLES, path)
    if write:
        write_decoding(latest(path, "task", "tokens"))


def measure(asked: Asked, names: Iterable[str], path: Path) -> None:
    """Measure tables, print their lines and append them to a file."""
    tables = (calls, attentions, layers, windows, linear)
    for name, table in zip(TABLES, tables, strict=True):
        if name in names:
            found = []
            for timed in table(asked):
                ratio = round(timed.ratio(BEFORE, NOW), 3)
                facts = {"task": timed.task, "tokens": asked.tokens, "ratio": ratio}
                found.append(measured(timed, asked.clock, **facts))
                append(path, found[-1])
            print_lines(found)


def print_lines(records: list[Record]) -> None:
    """Print each task, and the exponents of linear attention over the lengths."""
    for record in records:
        seconds = record["seconds"]
        found = "  ".join(f"{name} {seconds[name] * 1e3:9.3f} ms" for name in (NOW, BEFORE))
        ratio, load = record["ratio"], record["load"]
        click.echo(f"{record['task']:52} {found}  {ratio:6.2f} x  load {load:.1f}")
    for row in growth(records):
        click.echo("  ".join(row))


@torch.inference_mode()
def calls(asked: Asked) -> Iterator[Timed]:
    """The call of attention in one step."""
    tokens = asked.tokens
    for dtype, shape in asked.pairs():
        size = (1, shape.kv_heads, tokens, shape.width)
        k, v = (torch.randn(size, dtype=getattr(torch, dtype)) for _ in range(2))
        q = torch.randn(1, shape.heads, 1, shape.width, dtype=k.dtype)
        near = [x[:, :, -shape.window :] for x in (k, v)] if shape.window else [k, v]
        mask = torch.arange(tokens)[None] >= tokens - shape.window if shape.window else None

        def before(q: Tensor = q, k: Tensor = k, v: Tensor = v, mask: Any = mask) -> Tensor:
            return F.scaled_dot_product_attention(q, k, v, attn_mask=mask, enable_gqa=True)

        def now(q: Tensor = q, near: list[Tensor] = near) -> Tensor:
            return grouped_attention(q, *near)

        yield _timed(f"call, {shape.name}, {dtype}", {NOW: now, BEFORE: before}, asked)


def layers(asked: Asked) -> Iterator[Timed]:
    """One step of a model of one layer: the emitted file, and the same with the earlier forms."""
    yield from _steps("layer", "{{type: glu, activation: silu, d_ff: {d_ff}}}", asked)


def attentions(asked: Asked) -> Iterator[Timed]:
    """The same without the feed-forward: attention with its projections."""
    yield from _steps("attention", "none", asked)


@torch.inference_mode()
def _steps(name: str, feed_forward: str, asked: Asked) -> Iterator[Timed]:
    for dtype, shape in asked.pairs():
        d_ff = 7 * shape.heads * shape.width // 2
        emitted = mw.emit(mw.loads(_spec(shape, asked.tokens, feed_forward.format(d_ff=d_ff))))
        steps = {
            NOW: _step(emitted, asked.tokens, shape, dtype),
            BEFORE: _step(_as_before(emitted), asked.tokens, shape, dtype),
        }
        yield _timed(f"{name}, {shape.name}, {dtype}", steps, asked)


def _spec(shape: Shape, tokens: int, feed_forward: str) -> str:
    return SPEC.format(
        most=2 * tokens,
        width=shape.heads * shape.width,
        mask=f"causal & window({shape.window})" if shape.window else "causal",
        heads=shape.heads,
        kv_heads=shape.kv_heads,
        head=shape.width,
        feed_forward=feed_forward,
    )


def windows(asked: Asked) -> Iterator[Timed]:
    """Attention of a whole sequence, without projections; before, with one dense mask."""
    for dtype, shape in asked.pairs():
        if shape is not SHAPES[-1]:  # the others take many minutes
            continue
        text = mw.emit(mw.loads(_spec(shape, asked.tokens, "none")))
        for backward in (False, True):
            yield _window(
                import_text(text, f"window_{len(sys.modules)}"), shape, dtype, backward, asked
            )


def _window(file: Any, shape: Shape, dtype: str, backward: bool, asked: Asked) -> Timed:
    length, kind = WINDOWS, getattr(torch, dtype)
    heads = shape.heads, shape.kv_heads, shape.kv_heads, shape.heads
    made = [torch.randn(1, length, n, shape.width, dtype=kind).transpose(1, 2) for n in heads]
    q, k, v = (x.requires_grad_(backward) for x in made[:3])

    def now() -> Tensor:
        tiles = file.causal_window_tiles(0, length, shape.window, None, like=q)
        found: Tensor = file.causal_tiled_attention(q, k, v, tiles, file.grouped_attention)
        return found

    def before() -> Tensor:
        mask = file.causal_window_mask(0, length, shape.window, None, like=q)
        return F.scaled_dot_product_attention(q, k, v, attn_mask=mask, enable_gqa=True)

    def run(form: Callable[[], Tensor]) -> object:
        with torch.set_grad_enabled(backward):
            return torch.autograd.grad(form(), (q, k, v), made[3]) if backward else form()

    more = " and backward" if backward else ""
    name = f"{shape.name}, {dtype}, {length} tokens, forward{more}"
    candidates = {NOW: lambda: run(now), BEFORE: lambda: run(before)}
    return alternate(name, candidates, rounds=3, clock=CLOCKS[asked.clock])


def _as_before(text: str) -> str:
    """The file where one query is no case of its own and caches keep all tokens."""
    changed = text.replace("if q.size(2) != 1:", "if True:")
    changed = changed.replace("if q.size(2) == 1:", "if q.size(2) < 1:")
    changed = changed.replace("is_causal=is_causal", "is_causal=is_causal and q.size(2) > 1")
    if "self.kept" in changed:
        changed = changed.replace(", self.kept)", ", None)").replace(
            "seen = min(start, ", "seen = max(start, "
        )
    assert changed != text, "the emitted file has no form that this benchmark knows"
    return changed


def _step(text: str, tokens: int, shape: Shape, dtype: str) -> Candidate:
    """The next token of a model behind a cache of `tokens` random keys and values.

    Computing them takes minutes: the projections of 16,384 tokens are 7 TFLOPs in the largest.
    """
    module: Any = import_text(text, f"layer_{len(sys.modules)}")
    (kind,) = [
        each
        for each in vars(module).values()
        if isinstance(each, type) and issubclass(each, nn.Module) and hasattr(each, "init_weights")
    ]
    torch.manual_seed(0)
    model = kind().to(getattr(torch, dtype)).eval()
    cache, ids = module.Cache(tokens + 1), torch.zeros(1, tokens, dtype=torch.long)
    attention = model.layers[0].attention
    previous = [attention.kept if ", self.kept)" in text else None]
    previous = previous if hasattr(attention, "kept") else []
    pairs = torch.randn(2, 1, shape.kv_heads, tokens, shape.width, dtype=getattr(torch, dtype))
    for k, v in zip(*(x.split(512, dim=2) for x in pairs), strict=True):
        cache.append(0, k, v, *previous)
        cache.length += k.size(2)

    def step() -> Tensor:
        cache.length = tokens
        if hasattr(cache, "first"):  # the same room in each step
            cache.first = dict(first)
        found: Tensor = model(ids[:, :1], cache=cache)
        return found

    first = dict(getattr(cache, "first", {}))
    return step


def _timed(name: str, candidates: dict[str, Candidate], asked: Asked) -> Timed:
    start = time.perf_counter()
    candidates[NOW]()
    repeat = max(1, math.ceil(0.02 / max(time.perf_counter() - start, 1e-5)))
    clock, rounds = CLOCKS[asked.clock], asked.rounds
    return alternate(name, candidates, rounds=rounds, warm_up=2, repeat=repeat, clock=clock)


# -- linear attention

Form = Callable[..., tuple[Tensor, Tensor]]


def linear(asked: Asked) -> Iterator[Timed]:
    """Linear and lightning attention, 8 heads of 64, over the lengths.

    `before` computes all chunks at once, as compiled files still do.
    """
    rates = lightning_rates(8, 0, 12, torch.zeros(1))
    forms: dict[str, dict[str, Form]] = {
        "linear": {NOW: causal_linear_attention, BEFORE: compiled_linear_attention},
        "lightning": {
            NOW: lambda q, k, v, _: fading_linear_attention(q, k, v, rates, None),
            BEFORE: lambda q, k, v, _: compiled_fading_attention(q, k, v, rates, None),
        },
    }
    for name in asked.forms or FORMS:
        for backward in (False, True):
            for length in asked.lengths or LENGTHS:
                yield _at(name, forms[name], length, backward, asked)


def _at(
    name: str,
    both: dict[str, Form],
    length: int,
    backward: bool,
    asked: Asked,
) -> Timed:
    given = [torch.randn(1, length, 8, 64).abs() for _ in range(3)]  # heads of a token together
    q, k, v = (x.transpose(1, 2).requires_grad_(backward) for x in given)
    upstream = torch.randn(1, 8, length, 64)

    def run(form: Form) -> object:
        with torch.set_grad_enabled(backward):
            y = form(q, k, v, None)[0]
            return torch.autograd.grad(y, (q, k, v), upstream) if backward else y

    candidates: dict[str, Candidate] = {
        key: (lambda form=form: run(form))  # type: ignore[misc]
        for key, form in both.items()
    }
    more = " and backward" if backward else ""
    return alternate(
        f"{name}, {length} tokens, forward{more}",
        candidates,
        rounds=max(3, asked.rounds // 2),
        clock=CLOCKS[asked.clock],
    )


if __name__ == "__main__":
    main()
