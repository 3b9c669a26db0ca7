"""The difference of two specs as text and as data: changed values and costs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ..spec.errors import printable
from ..spec.model import ModelSpec
from .change import Change, Side
from .difference import by_cause, widest
from .graph import ModuleGraph
from .lower import lower_spec
from .op_costs import default_sequence
from .passes import run_passes
from .report import Report, report
from .report_text import in_bytes, in_flops, table

ACTIVATIONS = (  # key of the data, key of the report, label
    ("activation_bytes", "cpu", "activations saved for training, on the CPU"),
    ("activations.gpu", "gpu", "  with fused GPU kernels, estimated"),
    ("activations.checkpointed", "checkpointed", "  with gradient checkpointing"),
)
PLACES = 2
"""Maximum number of other paths of a change that are listed; the rest is counted."""


@dataclass(frozen=True)
class Difference:
    """Two models, the differences of their specs, and the costs of each.

    causes: all changed values, grouped by the line of a file that changed them
    """

    before: Report
    after: Report
    names: tuple[str, str]
    causes: tuple[tuple[Change, ...], ...]
    graphs: tuple[ModuleGraph, ModuleGraph]

    @cached_property
    def changes(self) -> tuple[Change, ...]:
        """Every difference; the places that one line of a file changed are one."""
        return tuple(map(widest, self.causes))

    @property
    def equal(self) -> bool:
        return not self.changes

    def render(self) -> str:
        """The text: changes and a table of costs, without a final newline."""
        if self.equal:
            return f"{self.names[0]} and {self.names[1]} are equal, including defaults."
        return "\n\n".join("\n".join(lines) for lines in (_words(self), _costs(self)))

    def to_json(self) -> dict[str, Any]:
        """The same as plain data."""
        return {
            "before": self.names[0],
            "after": self.names[1],
            "equal": self.equal,
            "changes": [_data(change) for change in self.changes],
            "cost": {
                "batch": self.after.batch,
                "sequence": {"before": self.before.sequence, "after": self.after.sequence},
                "dtype": self.after.dtype,
                **{
                    key: {"before": a, "after": b, "difference": b - a}
                    for key, _, a, b, _ in _numbers(self)
                },
            },
        }


def difference(
    before: ModelSpec,
    after: ModelSpec,
    names: tuple[str, str],
    *,
    batch: int = 1,
    sequence: int | None = None,
    dtype: str = "float32",
) -> Difference:
    """Compare two specs. `sequence` defaults to the longest that both models support.

    For a model that reads only images, it is the number of their tokens.
    """
    one, other = (run_passes(lower_spec(spec)) for spec in (before, after))
    length = sequence or min(map(default_sequence, (one, other)))

    def cost(graph: ModuleGraph) -> Report:
        tokens = None if graph.decided() else length
        return report(graph, batch=batch, sequence=tokens, dtype=dtype)

    causes = tuple(map(tuple, by_cause(before, after)))
    shown = printable(names[0]), printable(names[1])
    return Difference(cost(one), cost(other), shown, causes, (one, other))


# -- words


def _words(found: Difference) -> list[str]:
    rows = [("", *found.names)]
    rows += [(f"  {c.path}", _shown(c.before), _shown(c.after)) for c in found.changes]
    first, *lines = table(rows, "<<<", indent="")
    text = ["differences", first]
    for line, change in zip(lines, found.changes, strict=True):
        text += [line, *_also(change)]
    return text


def _shown(side: Side) -> str:
    return f"{side.text} ({side.where})" if side.where else side.text


def _also(change: Change) -> list[str]:
    """The other paths of a change, some by name."""
    named = [".".join(map(str, path)) for path in change.also[:PLACES]]
    rest = len(change.also) - len(named)
    lines = [f"      and {path}" for path in named]
    return [*lines, f"      and {rest} more"] if rest else lines


def _data(change: Change) -> dict[str, Any]:
    return {
        "kind": change.kind,
        "path": change.path,
        "before": _side(change.before),
        "after": _side(change.after),
        "also": [".".join(map(str, path)) for path in change.also],
    }


def _side(side: Side) -> dict[str, str] | None:
    if not side.there:
        return None
    return {"path": ".".join(map(str, side.path)), "value": side.text, "where": side.where}


# -- costs


def _numbers(found: Difference) -> Iterator[tuple[str, str, float, float, Any]]:
    """Key, label, both numbers, and their format."""
    a, b = found.before, found.after
    yield "weights", "parameters", a.weights_total, b.weights_total, _count
    for part in dict.fromkeys([*a.weights, *b.weights]):
        one, other = a.weights.get(part, 0), b.weights.get(part, 0)
        if one != other:
            yield f"weights.{part}", f"  {part.replace('_', '-')}", one, other, _count
    if (a.weights_active, b.weights_active) != (a.weights_total, b.weights_total):
        words = "parameters active for one token"
        yield "weights_active", words, a.weights_active, b.weights_active, _count
    yield "flops.forward", "FLOPs of a forward pass", round(a.forward), round(b.forward), in_flops
    flops = round(a.attention_flops), round(b.attention_flops)
    yield "flops.scores", "  of scores and weighted sums", *flops, in_flops
    for key, name, words in ACTIVATIONS:
        one, other = getattr(a.activations, name), getattr(b.activations, name)
        yield key, words, one, other, in_bytes
    yield "cache_bytes", "cache", a.cache_bytes, b.cache_bytes, in_bytes
    if a.decoding is not None and b.decoding is not None:
        one, other = round(a.decoding.flops), round(b.decoding.flops)
        yield "decoding.flops", "FLOPs of one decoding step", one, other, in_flops
        read = a.decoding.weight_bytes, b.decoding.weight_bytes
        yield "decoding.weight_bytes", "  weights read", *read, in_bytes


def _count(number: float) -> str:
    return f"{number:,.0f}"


def _costs(found: Difference) -> list[str]:
    a, b = found.before, found.after
    tokens = f"{a.sequence}" if a.sequence == b.sequence else f"{a.sequence} and {b.sequence}"
    rows = [("", *found.names, "difference", "")]
    for _, words, one, other, written in _numbers(found):
        rows.append((f"  {words}", written(one), written(other), *_step(one, other, written)))
    title = f"costs, batch {b.batch}, sequence {tokens}, {b.dtype}"
    return [title, *table(rows, "<>>>>", indent="")]


def _step(one: float, other: float, written: Any) -> tuple[str, str]:
    """The difference, absolute and in percent."""
    if one == other:
        return "same", ""
    sign = "+" if other > one else "-"
    share = f"{100 * (other - one) / one:+,.1f} %" if one else ""
    return f"{sign}{written(abs(other - one))}", share
