"""The panel of one mask: allowed pairs by predicate, and the text below."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from ....compiler.credit import Term, credit, literals
from ....compiler.density import EXACT, density
from ....compiler.formula import And, Formula
from ....compiler.graph import Origin
from .colours import preferred
from .example import NEUTRAL, asks, example
from .kernels import Computed
from .scale import Scale, scaled
from .seen import Seen

SUMS = "sums of keys and values, no scores"
"""The text for linear attention, which has no scores."""

MEMORY_SHARE = 0.75
"""A memory is drawn shorter than the stack that reads it, to show that the lengths differ."""


@dataclass(frozen=True)
class Cells:
    """The pairs that one term allows: a row of bits per query."""

    label: str
    paint: int  # preferred paint
    rows: list[int]


@dataclass(frozen=True)
class Panel:
    """The panel of a mask.

    formula   the drawn formula, with sizes scaled down
    cells     the allowed pairs, each in one of the cells
    masked    pairs that are not allowed and, as far as is known, not computed
    wasted    pairs that are computed and then masked
    padding   pairs that the formula allows, but which are padding
    """

    title: str
    lines: tuple[str, ...]
    formula: Formula
    queries: int
    keys: int
    cells: tuple[Cells, ...]
    masked: list[int]
    wasted: list[int]
    padding: list[int]
    whose_keys: str = "keys"
    notes: tuple[str, ...] = field(default=())
    origin: Origin = ()

    @property
    def admitted(self) -> int:
        return sum(row.bit_count() for cells in self.cells for row in cells.rows)


def panel(
    seen: Seen,
    scale: Scale,
    *,
    padding: int = 0,
    kernel: Computed | None = None,
    rows: int = EXACT,
) -> Panel:
    """The panel of a mask of a model, at a scale, with `padding` tokens at the end.

    At most `rows` rows are counted for the density at full length.
    """
    formula = scaled(seen.formula, scale.factor)
    queries = scale.tokens
    keys = max(1, round(queries * MEMORY_SHARE)) if seen.memory else queries
    data = example(formula, queries)
    seen_keys = (1 << max(0, keys - padding * seen.padded)) - 1
    every = (1 << keys) - 1
    terms = {
        term: [row & every for row in of_term]
        for term, of_term in credit(formula, queries, data.given).items()
    }
    unpadded = [sum(of_term[query] for of_term in terms.values()) for query in range(queries)]
    cells = tuple(_cells(seen.formula, terms, seen_keys))
    hidden = [row & ~seen_keys for row in unpadded]
    off = [every & ~row for row in unpadded]
    wasted = kernel is not None and kernel.every is True
    drawn = Panel(
        title=str(seen.formula),
        lines=(),
        formula=formula,
        queries=queries,
        keys=keys,
        cells=cells,
        masked=[0] * queries if wasted else off,
        wasted=off if wasted else [0] * queries,
        padding=hidden,
        whose_keys=f"keys of {seen.memory}" if seen.memory else "keys",
        notes=data.words,
        origin=seen.origin,
    )
    lines = [whose(seen), *_shares(seen, drawn, rows), *(kernel.words if kernel else ())]
    return replace(drawn, lines=tuple(line for line in lines if line))


def _cells(formula: Formula, terms: dict[Term, list[int]], keys: int) -> list[Cells]:
    """The terms by label, without the common part, which is in the title."""
    names = literals(formula)
    shared = set.intersection(*map(set, terms)) if len(terms) > 1 else set()
    found: dict[str, Cells] = {}
    for term, rows in terms.items():
        own = [names[index] for index in term if index not in shared]
        label = str(own[0] if len(own) == 1 else And(tuple(own)))
        old = found[label].rows if label in found else [0] * len(rows)
        merged = [(a | b) & keys for a, b in zip(old, rows, strict=True)]
        found[label] = Cells(label, preferred(own), merged)
    return [cells for cells in found.values() if any(cells.rows)]


def whose(seen: Seen) -> str:
    """Where the mask is used: `decoder, heads 0-7 of 16, 13 of 26 layers (local)`; "" for a mask
    that is drawn without a model.
    """
    if not seen.stack:
        return ""  # a mask of no model
    words = [f"{seen.stack}, reading {seen.memory}" if seen.memory else seen.stack]
    if seen.heads:
        first, last, total = seen.heads
        which = f"head {first}" if first == last else f"heads {first}-{last}"
        words.append(f"{which} of {total}")
    if seen.layers < seen.depth:
        words.append(f"{seen.layers:,} of {seen.depth:,} layers")
    else:
        words.append(f"{seen.depth:,} layers" if seen.depth > 1 else "1 layer")
    kinds = f" ({', '.join(seen.blocks)})" if seen.blocks else ""
    return ", ".join(words) + kinds


def _shares(seen: Seen, drawn: Panel, rows: int) -> list[str]:
    """The density at the model's length, and as drawn."""
    total = drawn.queries * drawn.keys
    here = _together(f"{drawn.admitted:,} of {total:,} · {percent(drawn.admitted / total)}")
    if seen.sums:
        return [SUMS, f"drawn: {here}"]
    if seen.memory:
        return [f"drawn: {here}"]
    assumed = [NEUTRAL[atom] for atom in asks(seen.formula)]
    share = percent(density(seen.formula, seen.length, rows))
    length = f"{share} of scores at {seen.length:,} tokens"
    there = " ".join([length, *(_together(f"({words})") for words in assumed)])
    if drawn.formula == seen.formula:
        return [there, f"drawn: {here}"]
    return [there, f"drawn as {drawn.formula}: {here}"]


def _together(words: str) -> str:
    """Replace spaces by non-breaking ones."""
    return words.replace(" ", "\N{NO-BREAK SPACE}")


def percent(share: float) -> str:
    """`52 %`, `0.8 %`."""
    number = 100 * share
    return f"{number:.0f} %" if number >= 9.95 or number == 0 else f"{number:.2g} %"
