"""The keys that a run of queries may need, for each predicate: what tiles of a mask read.

`may_see` is an expression over the queries `first` to `last` of `end` tokens. It may name more keys
than the mask admits, never fewer: the mask of a tile hides the others.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...compiler.tile_ranges import ALIKE, IN_BLOCKS
from .code.nodes import Name, Sequence, Statement
from .code.read import call, constant, expression, statements
from .mask_functions import from_end, joined, number, numbers
from .ops.masks import atoms_of

EVERYTHING = expression("[(0, end)]")


def window(atom: Any) -> Any:
    return expression("[(first + 1 - size, last)]", **numbers(atom, size=0))


def band(atom: Any) -> Any:
    sizes = numbers(atom, left=0, right=len(atom.args) - 1)
    return expression("[(first - left, last + right)]", **sizes)


def strided(atom: Any) -> Any:
    return expression("strided_ranges(first, last, end, stride)", **numbers(atom, stride=0))


def fixed(atom: Any) -> Any:
    sizes = numbers(atom, size=0, kept=1)
    own = expression("block_ranges(first, last, size, 0, origins)", **numbers(atom, size=0))
    kept = expression("last_of_blocks(end, size, kept, origins)", **sizes)
    return expression("own + kept", own=own, kept=kept)


def blocks(atom: Any) -> Any:
    sizes = numbers(atom, size=0)
    near = number(atom.args[1]) if len(atom.args) > 1 else constant(0)
    return expression("block_ranges(first, last, size, near, origins)", near=near, **sizes)


def random(atom: Any) -> Any:
    size, count, seed = (number(arg) for arg in (*atom.args, 0)[:3])
    return call("random_ranges", *map(Name, ("first", "last", "end")), size, count, seed)


def limits(arg: Any) -> Any:
    """A range of tokens as (start, stop)."""
    if isinstance(arg, int):
        return Sequence((constant(0), number(arg)))
    start = constant(0) if arg.start is None else from_end(arg.start)
    stop = Name("end") if arg.stop is None else from_end(arg.stop)
    return Sequence((start, stop))


def opened(rows: Any) -> Any:
    return expression("opened_ranges(first, last, end, rows)", rows=rows)


def global_(atom: Any) -> Any:
    (arg,) = atom.args
    given = arg == "given"
    marked = Name("marked") if given else Sequence((limits(arg),), "[]")
    return expression("marked + rows", marked=marked, rows=opened(marked))


RANGES: dict[str, Callable[[Any], Any]] = {
    "full": lambda atom: EVERYTHING,
    "causal": lambda atom: expression("[(0, last)]"),
    "window": window,
    "band": band,
    "strided": strided,
    "fixed": fixed,
    "blocks": blocks,
    "random": random,
    "prefix": lambda atom: expression("[(0, prefix)]"),
    "documents": lambda atom: expression("document_ranges(first, last, end, document_ids, TILE)"),
    "global": global_,
    "keys": lambda atom: Sequence((limits(atom.args[0]),), "[]"),
    "queries": lambda atom: opened(Sequence((limits(atom.args[0]),), "[]")),
}


def may_see(formula: Any) -> Any:
    """The keys that the queries `first` to `last` may need, as a list of ranges."""
    if hasattr(formula, "part"):  # a negation may see any key
        return EVERYTHING
    if not hasattr(formula, "parts"):
        return RANGES[formula.name](formula)
    parts = [may_see(part) for part in formula.parts]
    found = parts[0]
    for part in parts[1:]:
        if type(formula).__name__ == "Or":
            found = joined("+", [found, part])
        elif EVERYTHING in (found, part):
            found = part if found == EVERYTHING else found
        else:
            found = call("intersect_ranges", found, part)
    return found


def edges(formula: Any) -> list[Any]:
    """Where rows that read all keys begin and end: tiles are cut there."""
    found: list[Any] = []
    for atom in atoms_of(formula):
        if atom.name in ("global", "queries") and atom.args != ("given",):
            ends = limits(atom.args[0]).items
            found += [end for end in ends if end not in (constant(0), Name("end"))]
    return list(dict.fromkeys(found))


def one_row(formula: Any) -> list[Any] | None:
    """Under which conditions the queries of a tile attend to the same keys; None for no such mask.

    Tiles are cut at `edges`, so that only blocks may tell their queries apart.
    """
    found: list[Any] = []
    for atom in atoms_of(formula):
        if atom.name not in ALIKE or atom.args == ("given",):
            return None
        if atom.name in IN_BLOCKS:
            test = "in_one_block(first, last, size, origins)"
            if atom.name == "random":  # its blocks begin with the first token, padding or not
                test = "in_one_block(first, last, size, [0])"
            found.append(expression(test, **numbers(atom, size=0)))
    return list(dict.fromkeys(found))


def data_of(formula: Any, padded: bool) -> list[Statement]:
    """What the ranges read of the arguments, as plain numbers."""
    names = {atom.name for atom in atoms_of(formula)}
    found: list[Statement] = []
    if names & {"blocks", "fixed"} or "prefix" in names:
        rows = expression("row_origins(attention_mask)") if padded else expression("[0]")
        found += statements("origins = rows", rows=rows)
    if "prefix" in names:
        longest = "0 if prefix_length is None else max(origins) + int(prefix_length.max())"
        found += statements(f"prefix = {longest}")
    if any(atom.args == ("given",) for atom in atoms_of(formula)):
        found += statements("marked = given_ranges(global_mask)")
    return found
