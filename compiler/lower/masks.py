"""Masks: a formula becomes a `mask` op with data arguments as inputs."""

from __future__ import annotations

from typing import Any

from ...spec import masks as spec
from ...spec.canonical_masks import canonical
from ...spec.masks import Mask
from ...spec.simpler_masks import admits_future
from ..axes import ONE, B, Dim, M, S, T
from ..formula import And, Atom, Formula, HeadFormulas, Not, Or, Range, atoms, formula_of
from .builder import Builder
from .positions import argument
from .state import Memory, StackState

ORDINALS = ("first", "second", "third", "fourth")
SIZE_NAMES = {
    "window": ("window",),
    "band": ("band", "band_right"),
    "strided": ("stride",),
    "fixed": ("fixed_block", "fixed_last"),
    "blocks": ("block_size", "block_neighbours"),
    "random": ("random_size", "random_count", "random_seed"),
    "global": ("global_tokens",),
}
MAY_BE_ZERO = dict.fromkeys(("band", "band_right", "block_neighbours", "random_seed"), 0)


def lower_mask(
    b: Builder, state: StackState, formula: Mask | tuple[Mask, ...], heads: Dim | None = None
) -> str:
    """True where a query may attend to a key; includes `attention_mask`.

    (B, 1, T, S), or (B, H, T, S) for a list of masks. "" if every query attends to every key.
    Raises RefusedError for a list where no `heads` are given.
    """
    met: dict[str, list[tuple[Any, ...]]] = {}
    formula = canonical(formula)
    if str(formula) == "full" and not state.padded:
        return ""
    if isinstance(formula, Mask):
        return _mask(b, state, _named(b, formula_of(formula), met), "mask")
    if heads is None:
        b.refuse(
            "a list of masks is for an attention that shares them out among its heads, and this "
            "one has the same mask for all; write one formula",
            "mask",
        )
    parts = HeadFormulas(_named(b, formula_of(part), met) for part in formula)
    runs = [
        _mask(b, state, part, f"{ORDINALS[i] if i < len(ORDINALS) else f'number_{i + 1}'}_mask")
        for i, part in enumerate(parts)
    ]
    keys = S if state.cached else T
    shape = (B, heads, T, keys)
    return b.op("head_masks", *runs, out="mask", shape=shape, formula=parts, memory=False)


def _mask(b: Builder, state: StackState, formula: Formula, out: str) -> str:
    keys = S if state.cached else T
    names = {atom.name for atom in atoms(formula)}
    given = any(atom.name == "global" and atom.args == ("given",) for atom in atoms(formula))
    data = (
        argument(b, state, "attention_mask", (B, keys)),
        argument(b, state, "document_ids", (B, keys)) if "documents" in names else "",
        argument(b, state, "prefix_length", (B,)) if "prefix" in names else "",
        argument(b, state, "global_mask", (B, keys)) if given else "",
    )
    return b.op(
        "mask",
        *data,
        alike=not any(data),
        out=out,
        optional=True,
        formula=formula,
        keys=keys,
        stack=state.name,
        memory=False,
    )


def lower_global_rows(b: Builder, state: StackState, formula: Mask | tuple[Mask, ...]) -> str:
    """True at global queries of the formula, (B, 1, T, 1)."""
    formula = canonical(formula)
    assert isinstance(formula, Mask), "the laws refuse a list here"
    found = [atom.args[0] for atom in atoms(formula_of(formula)) if atom.name == "global"]
    given = argument(b, state, "global_mask", (B, T)) if "given" in found else ""
    return b.op(
        "global_rows",
        given,
        out="rows",
        shape=(B if given else ONE, ONE, T, ONE),
        ranges=tuple(dict.fromkeys(one for one in found if isinstance(one, Range))),
        stack=state.name,
    )


def lower_global_places(b: Builder, rows: str) -> str:
    """Positions of the queries that are global in any sequence, (Tg,)."""
    made = b.graph.producer(rows)
    assert made is not None
    ranges = made.attrs["ranges"]
    ops = [op for op in b.graph.ops() if op.kind == "global_places"]
    met = [*dict.fromkeys([*(op.attrs["ranges"] for op in ops), ranges])]
    number = met.index(ranges)
    dim = Dim(f"Tg{number + 1}" if number else "Tg")
    return b.op("global_places", rows, out="places", dim=dim, ranges=ranges)


def lower_memory_mask(b: Builder, memory: Memory) -> str:
    """True at real tokens of a memory; "" if it has no padding."""
    if not memory.attention_mask:
        return ""
    return b.op(
        "mask",
        memory.attention_mask,
        "",
        "",
        "",
        out="memory_mask",
        optional=True,
        formula=Atom("full", ()),
        keys=M,
        stack="",
        memory=True,
    )


def _named(b: Builder, formula: Formula, met: dict[str, list[tuple[Any, ...]]]) -> Formula:
    """The same formula with named sizes instead of numbers.

    Repeated predicates get different names: `window`, `second_window`.
    """
    if isinstance(formula, And):
        return And(tuple(_named(b, part, met) for part in formula.parts))
    if isinstance(formula, Or):
        return Or(tuple(_named(b, part, met) for part in formula.parts))
    if isinstance(formula, Not):
        return Not(_named(b, formula.part, met))
    assert isinstance(formula, Atom)
    keys = SIZE_NAMES.get(formula.name, ())
    same = met.setdefault(formula.name, [])
    if formula.args not in same:
        same.append(formula.args)
    prefix = _ordinal(same.index(formula.args))
    args: list[Any] = []
    for index, value in enumerate(formula.args):
        if isinstance(value, int) and index < len(keys):
            least = MAY_BE_ZERO.get(keys[index], 1)
            args.append(b.size(prefix + keys[index], value, least=least))
        else:
            args.append(value)
    return Atom(formula.name, tuple(args))


def _ordinal(index: int) -> str:
    if not index:
        return ""
    return f"{ORDINALS[index]}_" if index < len(ORDINALS) else f"number_{index + 1}_"


def cacheable(formula: Mask | tuple[Mask, ...]) -> bool:
    """Whether the visible keys of a query do not depend on later tokens.

    True if the formula is causal and does not count from the end of the sequence.
    """
    formula = canonical(formula)
    if not isinstance(formula, Mask):
        return all(cacheable(part) for part in formula)
    for atom in atoms(formula_of(formula)):
        if atom.name == "random":
            return False
        for arg in atom.args:
            if isinstance(arg, Range) and ((arg.start or 0) < 0 or (arg.stop or 0) < 0):
                return False
    return causal(formula)


def causal(formula: Mask | tuple[Mask, ...]) -> bool:
    """Whether the formula allows no later keys, except those of a `prefix`."""
    if not isinstance(formula, Mask):
        return all(causal(part) for part in formula)
    return not admits_future(_without_prefix(formula))


def _without_prefix(formula: Mask) -> Mask:
    if isinstance(formula, (spec.And, spec.Or)):
        return type(formula)(tuple(_without_prefix(part) for part in formula.parts))
    if isinstance(formula, spec.Atom) and formula.name == "prefix":
        return spec.Atom("causal", ())
    return formula
