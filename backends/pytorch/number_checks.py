"""The checks of a Config's numbers that are not sizes: rates, epsilons, factors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ...compiler.sizes import Field
from .code.measure import LONG, width
from .code.nodes import Expr, Format, If, Raise, Statement
from .code.read import call, expression
from .code.walk import written_for
from .sizes import field_of
from .writer import SELF


@dataclass(frozen=True)
class Range:
    """The numbers that a field may have: as a test of x, and in words after "must be"."""

    test: str
    words: str


RATE = Range("0 <= x < 1", "in [0, 1)")
NOT_NEGATIVE = Range("x >= 0", ">= 0")
POSITIVE = Range("x > 0", "> 0")
ABOVE_ONE = Range("x > 1", "> 1")
FINITE = Range("abs(x) < torch.inf", "finite")

RANGES = {
    **dict.fromkeys(("dropout", "hidden_dropout", "drop_path", "label_dropout"), RATE),
    **dict.fromkeys(("balance_loss", "eps", "init_std", "latent_eps", "z_loss"), NOT_NEGATIVE),
    "rope_theta": ABOVE_ONE,
    **dict.fromkeys(
        ("beta", "capacity_factor", "clamp", "clip_qkv", "embedding_scale", "logit_softcap",
         "rope_beta_fast", "rope_beta_slow", "rope_factor", "rope_high_freq_factor",
         "rope_low_freq_factor", "softcap", "temperature_slope"),
        POSITIVE,
    ),
    "jitter": Range("0 < x <= 1", "in (0, 1]"),
}  # fmt: skip
"""Key of a number -> its range; other numbers must be finite."""


def number_checks(fields: list[Field]) -> list[Statement]:
    """The statements that raise ValueError for numbers outside of their range.

    Each checks as many fields as fit into a line.
    """
    numbers = [field for field in fields if isinstance(field.value, float)]
    found: list[list[Field]] = []
    for field in sorted(numbers, key=lambda field: [*map(_range, numbers)].index(_range(field))):
        room = next((fields for fields in found if _fits([*fields, field])), None)
        if room is not None:
            room.append(field)
        else:
            found.append([field])
    return [_check(fields) for fields in found]


def _range(field: Field) -> Range:
    return RANGES.get(field.key, FINITE)


def _fits(fields: list[Field]) -> bool:
    check = _check(fields)
    return max(width(If(check.test, ()), depth=2), width(check.then[0], depth=3)) <= LONG


def _check(fields: list[Field]) -> Any:
    tests = [_range(field).test.replace("x", f"x{i}", 1) for i, field in enumerate(fields)]
    values: dict[str, Expr] = {f"x{i}": field_of(SELF, field) for i, field in enumerate(fields)}
    test = expression(f"not ({' and '.join(tests)})", **values)
    error = Raise(call("ValueError", Format((f"{_words(fields)}: ", SELF))))
    return written_for(If(test, (error,)), *(field.origin for field in fields))


def _words(fields: list[Field]) -> str:
    """`dropout must be in [0, 1), eps and init_std >= 0`."""
    by_range: dict[Range, list[str]] = {}
    for field in fields:
        by_range.setdefault(_range(field), []).append(field.name)
    ranges = [(_listed(names), found.words) for found, names in by_range.items()]
    first, *others = ranges
    return ", ".join([f"{first[0]} must be {first[1]}", *map(" ".join, others)])


def _listed(names: list[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
