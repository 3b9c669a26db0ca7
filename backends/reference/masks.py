"""Mask formulas, evaluated for each pair of query and key.

Predicates are written as in the language reference, for query positions (T, 1) and key positions
(1, S), both counted from 0 over all tokens.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...compiler.formula import And, Atom, Formula, Not, Or, Range
from .call import Array, Call, as_mask


@dataclass(frozen=True)
class Pairs:
    """All pairs of a batch, and the data arguments of formulas.

    Absent data is neutral: one document, no prefix, no global tokens.
    """

    queries: Array  # (T, 1)
    keys: Array  # (1, S)
    end: int  # number of tokens, for ranges from the end
    document_ids: Array | None = None  # (B, S)
    prefix_length: Array | None = None  # (B,)
    global_mask: Array | None = None  # (B, S)
    first: Array | None = None  # (B,): first real token of each row, if there is a mask

    @classmethod
    def of(cls, tokens: int, **data: Array | None) -> Pairs:
        places = np.arange(tokens)
        return cls(places[:, None], places[None, :], tokens, **data)


def _nothing(pairs: Pairs) -> Array:
    return np.zeros((pairs.queries.size, pairs.keys.size), dtype=bool)


def _full(pairs: Pairs) -> Array:
    return ~_nothing(pairs)


def _causal(pairs: Pairs) -> Array:
    return np.asarray(pairs.keys <= pairs.queries)


def _window(pairs: Pairs, n: int) -> Array:
    return np.asarray((pairs.queries - n < pairs.keys) & (pairs.keys <= pairs.queries))


def _band(pairs: Pairs, left: int, right: int | None = None) -> Array:
    behind = pairs.queries - pairs.keys
    return np.asarray((behind >= -(left if right is None else right)) & (behind <= left))


def _strided(pairs: Pairs, n: int) -> Array:
    return np.asarray((pairs.queries - pairs.keys) % n == 0)


def _counted(pairs: Pairs) -> tuple[Array, Array]:
    """Query and key indices, counted from the first real token of each row."""
    if pairs.first is None:
        return pairs.queries, pairs.keys
    first = pairs.first[:, None, None]
    return pairs.queries - first, pairs.keys - first  # (B, T, 1) and (B, 1, S)


def _fixed(pairs: Pairs, n: int, c: int) -> Array:
    return _blocks(pairs, n) | (_counted(pairs)[1] % n >= n - c)


def _blocks(pairs: Pairs, n: int, m: int = 0) -> Array:
    queries, keys = _counted(pairs)
    return np.asarray(np.abs(queries // n - keys // n) <= m)


def random_key(block: int, key_block: int, seed: int) -> int:
    """The pseudo-random number of `random`; key blocks with the smallest ones are chosen."""
    x = (block * 92837111) ^ (key_block * 689287499) ^ (seed * 283923481)
    x &= 0x7FFFFFFF
    for _ in range(2):
        x = (x * 48271) % 2147483647
    return x


def drawn_blocks(block: int, blocks: int, m: int, seed: int) -> list[int]:
    """The `m` of `blocks` key blocks that the queries of `block` attend to."""
    return sorted(range(blocks), key=lambda key: (random_key(block, key, seed), key))[:m]


def _random(pairs: Pairs, n: int, m: int, seed: int = 0) -> Array:
    blocks = -(-pairs.end // n)
    table = np.zeros((blocks, blocks), dtype=bool)
    for block in range(blocks):
        table[block, drawn_blocks(block, blocks, m, seed)] = True
    drawn: Array = table[pairs.queries // n, pairs.keys // n]
    return drawn


def _prefix(pairs: Pairs) -> Array:
    if pairs.prefix_length is None:
        return _nothing(pairs)
    return np.broadcast_to(
        _counted(pairs)[1] < pairs.prefix_length[:, None, None],
        (len(pairs.prefix_length), pairs.queries.size, pairs.keys.size),
    )


def _documents(pairs: Pairs) -> Array:
    ids = pairs.document_ids
    return _full(pairs) if ids is None else ids[:, :, None] == ids[:, None, :]


def _inside(places: Array, chosen: Range, end: int) -> Array:
    """Whether each index is in a range; negative ends count from `end`."""
    start, stop = (
        None if side is None else side + end if side < 0 else side
        for side in (chosen.start, chosen.stop)
    )
    return (places >= (start or 0)) & (places < (end if stop is None else stop))


def _global(pairs: Pairs, which: Range | str) -> Array:
    if isinstance(which, Range):
        rows = _inside(pairs.queries, which, pairs.end)
        return rows | _inside(pairs.keys, which, pairs.end)
    if pairs.global_mask is None:
        return _nothing(pairs)
    chosen = as_mask(pairs.global_mask)
    return chosen[:, :, None] | chosen[:, None, :]


def pad_mask(call: Call) -> Array:
    """The mask of a sequence in which all vectors beside those of the given mask are real."""
    given, x = call.given("attention_mask"), call.optional("x")
    front, back = call.attrs["front"], call.attrs["back"]
    if front is None:
        assert x is not None
        front = x.shape[1] - given.shape[1] - int(back)
    if back is None:
        assert x is not None
        back = x.shape[1] - given.shape[1] - int(front)
    return np.array([[1] * int(front) + list(row) + [1] * int(back) for row in given])


def head_masks(call: Call) -> Array:
    """Masks for equal groups of heads, in order, (B or 1, H, T, S)."""
    heads = int(call.attrs["shape"][1].size)
    alone = np.zeros((1, 1, 1, 1), dtype=bool)
    masks = np.broadcast_arrays(alone, *call.several("masks"))[1:]
    of_heads = [masks[head * len(masks) // heads][:, 0] for head in range(heads)]
    return np.stack(of_heads, axis=1)


def global_rows(call: Call) -> Array:
    """True at the queries that are global, (B or 1, 1, T, 1)."""
    places = np.arange(call.tokens)
    chosen = np.zeros((1, call.tokens), dtype=bool)
    for limits in call.attrs["ranges"]:
        chosen = chosen | _inside(places, limits, call.tokens)
    given = call.optional("global_mask")
    chosen = chosen if given is None else chosen | as_mask(given)
    return chosen[:, None, :, None]


def global_places(call: Call) -> Array:
    """Indices of the queries that are global in one of the sequences."""
    return np.flatnonzero(call.given("rows").any(axis=(0, 1, 3)))


def take_places(call: Call) -> Array:
    """These tokens of each sequence."""
    return np.take(call.given("x"), call.given("places"), axis=1)


def put_places(call: Call) -> Array:
    """A copy, in which these tokens of each head are replaced."""
    x = call.given("x").copy()
    x[:, :, call.given("places")] = call.given("rows")
    return x


def _keys(pairs: Pairs, which: Range) -> Array:
    return _inside(pairs.keys, which, pairs.end) | _nothing(pairs)


def _queries(pairs: Pairs, which: Range) -> Array:
    return _inside(pairs.queries, which, pairs.end) | _nothing(pairs)


ATOMS: dict[str, Callable[..., Array]] = {
    "full": _full,
    "causal": _causal,
    "window": _window,
    "band": _band,
    "strided": _strided,
    "fixed": _fixed,
    "blocks": _blocks,
    "random": _random,
    "prefix": _prefix,
    "documents": _documents,
    "global": _global,
    "keys": _keys,
    "queries": _queries,
}


def admits(formula: Formula, pairs: Pairs) -> Array:
    """True where the formula allows a pair: (T, S), or (B, T, S) if it depends on data."""
    if isinstance(formula, Not):
        return ~admits(formula.part, pairs)
    if isinstance(formula, (And, Or)):
        join: Any = np.logical_and if isinstance(formula, And) else np.logical_or
        result = admits(formula.parts[0], pairs)
        for part in formula.parts[1:]:
            result = join(result, admits(part, pairs))
        return result
    assert isinstance(formula, Atom)
    numbers = (int(arg) if isinstance(arg, int) else arg for arg in formula.args)
    return ATOMS[formula.name](pairs, *numbers)


def mask(call: Call) -> Array:
    """True where a query may attend to a key, (B or 1, 1, T or 1, S), never to padding.

    Without data arguments the mask is (T, S).
    """
    attention_mask = call.optional("attention_mask")
    if call.attrs.get("memory"):
        real = np.ones((1, 1), dtype=bool) if attention_mask is None else as_mask(attention_mask)
        return real[:, None, None, :]
    pairs = Pairs.of(
        call.tokens,
        document_ids=call.optional("document_ids"),
        prefix_length=call.optional("prefix_length"),
        global_mask=call.optional("global_mask"),
        first=None if attention_mask is None else as_mask(attention_mask).argmax(axis=-1),
    )
    admitted = admits(call.attrs["formula"], pairs)
    if call.attrs.get("alike"):
        return admitted
    admitted = admitted if admitted.ndim == 3 else admitted[None]
    if attention_mask is not None:
        admitted = admitted & as_mask(attention_mask)[:, None, :]
    return admitted[:, None]
