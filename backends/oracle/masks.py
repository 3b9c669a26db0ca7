"""Masks, from the table of predicates in `docs/language.md`."""

from collections.abc import Callable
from typing import Any

import numpy as np

from ...spec.canonical_masks import canonical
from ...spec.masks import And, Atom, Mask, Not, Or, Range, atoms
from .context import Layer, Memory, Tokens
from .weights import Array, unknown


def within(limits: Range, index: Array, count: int) -> Array:
    """start <= index < stop; negative ends count from the number of tokens."""
    start, stop = limits.start or 0, count if limits.stop is None else limits.stop
    start, stop = (end + count if end < 0 else end for end in (start, stop))
    return (index >= start) & (index < stop)


def chosen(atom: Atom, tokens: Tokens, index: Array) -> Array:
    """Which tokens at `index` are in the range of a predicate such as `global(0:2)` or
    `keys(3)`.
    """
    if atom.args[0] == "given":
        given = tokens.global_mask
        return np.zeros(index.shape, bool) if given is None else given[index] != 0
    assert isinstance(atom.args[0], Range)
    return within(atom.args[0], index, len(tokens.index))


def same_document(tokens: Tokens, q: Array, k: Array) -> Array:
    ids = np.zeros(len(tokens.index)) if tokens.document_ids is None else tokens.document_ids
    return ids[q] == ids[k]


def random(atom: Atom, tokens: Tokens) -> Array:
    """Pseudo-random blocks (Zaheer et al., 2020, arXiv:2007.14062), given by the caller."""
    if tokens.draws is None:
        raise unknown(f"the blocks of `{atom}`: pass `draws`")
    return tokens.draws(atom, len(tokens.index))


RULES: dict[str, Callable[[Any, Tokens, Array, Array], Array]] = {
    "full": lambda a, t, q, k: np.ones(np.broadcast(q, k).shape, bool),
    "causal": lambda a, t, q, k: k <= q,
    "window": lambda a, t, q, k: (q - a.args[0] < k) & (k <= q),
    "band": lambda a, t, q, k: (q - k <= a.args[0]) & (k - q <= a.args[-1]),
    "strided": lambda a, t, q, k: (q - k) % a.args[0] == 0,
    # Child et al., 2019, arXiv:1904.10509, section 4.3
    "fixed": lambda a, t, q, k: (
        (q // a.args[0] == k // a.args[0]) | (k % a.args[0] >= a.args[0] - a.args[1])
    ),
    "blocks": lambda a, t, q, k: np.abs(q // a.args[0] - k // a.args[0]) <= (*a.args, 0)[1],
    "random": lambda a, t, q, k: random(a, t)[q, k],
    "prefix": lambda a, t, q, k: (k < (t.prefix_length or 0)) & (q == q),
    "documents": lambda a, t, q, k: same_document(t, q, k),
    "global": lambda a, t, q, k: chosen(a, t, q) | chosen(a, t, k),
    "keys": lambda a, t, q, k: chosen(a, t, k) & (q >= 0),
    "queries": lambda a, t, q, k: chosen(a, t, q) & (k >= 0),
}


def admits(mask: Mask, tokens: Tokens) -> Array:
    """(T, T) booleans: a formula for every query (row) and key (column)."""
    if isinstance(mask, Not):
        return ~admits(mask.part, tokens)
    if isinstance(mask, (And, Or)):
        parts = [admits(part, tokens) for part in mask.parts]
        return np.all(parts, axis=0) if isinstance(mask, And) else np.any(parts, axis=0)
    if not isinstance(mask, Atom) or mask.name not in RULES:
        raise unknown(f"the mask `{mask}`")
    index = tokens.index - np.argmax(tokens.admitted) * (mask.name in ("fixed", "blocks", "prefix"))
    return RULES[mask.name](mask, tokens, index[:, None], index[None, :])


def visible(layer: Layer, memory: Memory, heads: int) -> Array:
    """(H, T, S) booleans, or (H, 1, S) for a memory; False at padding.

    A list of masks applies to equal groups of heads.
    """
    admitted = np.broadcast_to(memory.tokens.admitted, (heads, 1, len(memory.x)))
    if not memory.own:
        return admitted
    formulas = layer.mask if isinstance(layer.mask, tuple) else (layer.mask,)
    run = heads // len(formulas)
    return admitted & [admits(formulas[head // run], layer.tokens) for head in range(heads)]


def global_rows(mask: Mask | tuple[Mask, ...], tokens: Tokens) -> Array:
    """(T,) booleans: tokens that are global in the simplified mask."""
    simple = canonical(mask)
    formulas = simple if isinstance(simple, tuple) else (simple,)
    rows = np.zeros(len(tokens.index), bool)
    for atom in [one for formula in formulas for one in atoms(formula) if one.name == "global"]:
        rows |= chosen(atom, tokens, tokens.index)
    return rows
