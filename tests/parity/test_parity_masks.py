"""The mask of a compiled model, compared pair by pair with a loop over the definitions."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from odd_specs import ENCODER, changed
from torch import Tensor

import modelwright as mw

LENGTH = 14
DOCUMENTS = torch.tensor([[0] * 5 + [1] * 4 + [2] * 5, [0] * 9 + [1] * 5])
PREFIX = torch.tensor([3, 8])
GLOBAL = torch.tensor([[1, 0, 0, 1] + [0] * 10, [0] * 13 + [1]])
PADDING = torch.tensor([[1] * LENGTH, [0] * 3 + [1] * 9 + [0] * 2])
DATA = {
    "document_ids": DOCUMENTS,
    "prefix_length": PREFIX,
    "global_mask": GLOBAL,
    "attention_mask": PADDING,
}


@dataclass(frozen=True)
class Pair:
    """A query and a key of one sequence, how many tokens that has, and its first real one."""

    q: int
    k: int
    end: int
    row: int
    first: int

    def blocks(self, size: int) -> tuple[int, int]:
        """The blocks of query and key, counted from the first real token."""
        return (self.q - self.first) // size, (self.k - self.first) // size

    @property
    def in_prefix(self) -> bool:
        return self.k - self.first < int(PREFIX[self.row])

    def given(self, data: Tensor, place: int) -> int:
        return int(data[self.row, place])


def hashed(row: int, column: int, seed: int) -> int:
    """The number by which `random` sorts the blocks of keys for a block of queries."""
    x = ((row * 92837111) ^ (column * 689287499) ^ (seed * 283923481)) & 0x7FFFFFFF
    for _ in range(2):
        x = x * 48271 % 2147483647
    return x


def random_blocks(pair: Pair, size: int, count: int, seed: int) -> bool:
    columns = range((pair.end - 1) // size + 1)
    ranked = sorted(columns, key=lambda column: (hashed(pair.q // size, column, seed), column))
    return pair.k // size in ranked[:count]


FORMULAS: dict[str, Callable[[Pair], bool]] = {
    "causal": lambda p: p.k <= p.q,
    "window(4)": lambda p: p.k in range(p.q - 3, p.q + 1),
    "window(1)": lambda p: p.k == p.q,
    "band(3)": lambda p: abs(p.q - p.k) <= 3,
    "band(4, 1)": lambda p: p.k in range(p.q - 4, p.q + 2),
    "band(0, 2)": lambda p: p.k in (p.q, p.q + 1, p.q + 2),
    "strided(3)": lambda p: p.k in range(p.q % 3, p.end, 3),
    "fixed(4, 1)": lambda p: len({*p.blocks(4)}) == 1 or (p.k - p.first) % 4 == 3,
    "fixed(5, 2)": lambda p: len({*p.blocks(5)}) == 1 or (p.k - p.first) % 5 in (3, 4),
    "blocks(4)": lambda p: len({*p.blocks(4)}) == 1,
    "blocks(3, 1)": lambda p: abs(p.blocks(3)[0] - p.blocks(3)[1]) <= 1,
    "random(4, 2)": lambda p: random_blocks(p, 4, 2, 0),
    "random(3, 2, 9)": lambda p: random_blocks(p, 3, 2, 9),
    "global(2)": lambda p: p.q < 2 or p.k < 2,
    "global(1:3)": lambda p: p.q in (1, 2) or p.k in (1, 2),
    "global(-2:)": lambda p: p.q >= p.end - 2 or p.k >= p.end - 2,
    "global(-4:-1)": lambda p: any(x in range(p.end - 4, p.end - 1) for x in (p.q, p.k)),
    "keys(2:5)": lambda p: p.k in (2, 3, 4),
    "keys(-3:)": lambda p: p.k >= p.end - 3,
    "keys(:4)": lambda p: p.k < 4,
    "queries(3:)": lambda p: p.q >= 3,
    "queries(1:-2)": lambda p: p.q in range(1, p.end - 2),
    "documents": lambda p: p.given(DOCUMENTS, p.q) == p.given(DOCUMENTS, p.k),
    "prefix": lambda p: p.in_prefix,
    "global(given)": lambda p: bool(p.given(GLOBAL, p.q) or p.given(GLOBAL, p.k)),
    "~causal": lambda p: p.k > p.q,
    "causal & window(4)": lambda p: p.k in range(p.q - 3, p.q + 1),
    "causal & documents | prefix": lambda p: (
        (p.k <= p.q and p.given(DOCUMENTS, p.q) == p.given(DOCUMENTS, p.k)) or p.in_prefix
    ),
    "causal & (documents | prefix)": lambda p: (
        p.k <= p.q and (p.given(DOCUMENTS, p.q) == p.given(DOCUMENTS, p.k) or p.in_prefix)
    ),
    "causal & ~(strided(2) | keys(0:1)) | blocks(2)": lambda p: (
        (p.k <= p.q and not ((p.q - p.k) % 2 == 0 or p.k == 0)) or len({*p.blocks(2)}) == 1
    ),
    "window(3) | window(9) & strided(4)": lambda p: (
        p.k <= p.q and (p.q - p.k < 3 or (p.q - p.k < 9 and (p.q - p.k) % 4 == 0))
    ),
    "~(band(1) | global(1:2)) & causal": lambda p: (
        abs(p.q - p.k) > 1 and p.q != 1 and p.k != 1 and p.k <= p.q
    ),
}


def mask_function(formula: str) -> tuple[Callable[..., Tensor | None], Any]:
    """The function of the compiled file that makes the mask, and the model's config."""
    model = mw.compile(mw.loads(changed(ENCODER, f"mask: {formula}", "layers: 1")))
    module = sys.modules[type(model).__module__]
    functions = [
        function
        for name, function in inspect.getmembers(module, inspect.isfunction)
        if name.endswith("_mask") and "start" in inspect.signature(function).parameters
    ]
    assert len(functions) == 1
    return functions[0], model.config


def made(formula: str, start: int, end: int, *, padded: bool) -> Tensor:
    """The emitted mask of queries start..end-1 among `end` tokens, (2, end - start, end)."""
    function, config = mask_function(formula)
    given: dict[str, Any] = {"start": start, "end": end, "like": torch.zeros(())}
    for name in inspect.signature(function).parameters:
        if name in DATA:
            data = DATA[name] if name == "prefix_length" else DATA[name][:, :end]
            given[name] = data if padded or name != "attention_mask" else None
        elif name not in given:
            given[name] = getattr(config, name)
    mask = function(**given)
    if mask is None:  # where the kernel knows it by itself
        assert formula == "causal"
        assert not padded
        mask = torch.ones(end, end, dtype=torch.bool).tril()
    assert mask.dtype == torch.bool
    mask = mask if mask.dim() == 4 else mask[None, None]
    return mask.expand(2, 1, end - start, end)[:, 0]


def expected(formula: str, start: int, end: int, *, padded: bool) -> Tensor:
    admits = FORMULAS[formula]
    mask = torch.zeros(2, end - start, end, dtype=torch.bool)
    for row in range(2):
        first = PADDING[row].tolist().index(1) if padded else 0
        for q in range(start, end):
            for k in range(end):
                real = not padded or bool(PADDING[row, k])
                mask[row, q - start, k] = real and admits(Pair(q, k, end, row, first))
    return mask


@pytest.mark.sampled(2)
@pytest.mark.parametrize("padded", [False, True], ids=["unpadded", "padded"])
@pytest.mark.parametrize("formula", FORMULAS)
def test_mask(formula: str, padded: bool) -> None:
    found = made(formula, 0, LENGTH, padded=padded)
    assert found.tolist() == expected(formula, 0, LENGTH, padded=padded).tolist()


@pytest.mark.sampled(2)
@pytest.mark.parametrize("formula", [f for f in FORMULAS if f != "causal"])
def test_mask_of_the_last_queries(formula: str) -> None:
    """As a cached step asks for it: few queries, all keys."""
    found = made(formula, 9, LENGTH, padded=True)
    assert found.tolist() == expected(formula, 9, LENGTH, padded=True).tolist()
