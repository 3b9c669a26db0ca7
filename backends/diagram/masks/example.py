"""Example data for drawn masks that depend on data, with a description."""

from __future__ import annotations

from dataclasses import dataclass

from ....compiler.formula import Atom, Formula, atoms
from ....compiler.rows import Given

PARTS = (0.4, 0.25, 0.35)
"""Lengths of three documents, as fractions."""

NEUTRAL = {
    "documents": "one document",
    "prefix": "no prefix",
    "global(given)": "no global tokens given",
}
"""The data assumed for densities at full length."""


@dataclass(frozen=True)
class Example:
    """An argument of the model, and its example value."""

    given: Given
    words: tuple[str, ...]


def example(formula: Formula, tokens: int) -> Example:
    """Example data for the predicates of a formula; neutral if it needs none."""
    asked = asks(formula)
    words = []
    lengths = _documents(tokens)
    prefix = max(1, round(0.3 * tokens))
    chosen = sorted({0, round(0.35 * tokens)} & set(range(tokens)))
    if "documents" in asked:
        words.append(f"document_ids: {_listed(lengths)} tokens of {len(lengths)} documents")
    if "prefix" in asked:
        words.append(f"prefix_length: {prefix}")
    if "global(given)" in asked:
        words.append(f"global_mask: 1 at token {_listed(chosen)}")
    ids = tuple(index for index, length in enumerate(lengths) for _ in range(length))
    given = Given(
        document_ids=ids if "documents" in asked else (),
        prefix_length=prefix if "prefix" in asked else 0,
        global_tokens=frozenset(chosen if "global(given)" in asked else ()),
    )
    return Example(given, tuple(words))


def asks(formula: Formula) -> list[str]:
    """The predicates that depend on data."""
    found = [str(atom) for atom in atoms(formula) if _depends(atom)]
    return list(dict.fromkeys(found))


def _depends(atom: Atom) -> bool:
    return str(atom) in NEUTRAL


def _documents(tokens: int) -> list[int]:
    first, second = (max(1, round(part * tokens)) for part in PARTS[:2])
    lengths = [first, second, tokens - first - second]
    return lengths if lengths[2] > 0 else [tokens]


def _listed(numbers: list[int]) -> str:
    *first, last = map(str, numbers)
    return f"{', '.join(first)} and {last}" if first else last
