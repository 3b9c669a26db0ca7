"""Sequences on which two models are compared, ignoring padding."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from pairs import Pair, built
from perturb import TOLERANCE, relative_error
from torch import Tensor

LENGTHS = (11, 7)
LONG = 40
WORDS = range(3, 64)  # what is below is special to one model or another


def tokens(rows: int, length: int, seed: int = 1) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(WORDS.start, WORDS.stop, (rows, length), generator=generator)


def padded(side: str, pad: int = 0, seed: int = 1) -> tuple[Tensor, Tensor]:
    """Ids and mask, (2, 11) each, of two sequences; the second is padded on one side."""
    longest = max(LENGTHS)
    ids = tokens(len(LENGTHS), longest, seed)
    mask = torch.ones_like(ids)
    for row, length in enumerate(LENGTHS):
        padding = slice(length, None) if side == "right" else slice(0, longest - length)
        ids[row, padding], mask[row, padding] = pad, 0
    return ids, mask


def places(mask: Tensor) -> Tensor:
    """Each real token's number in its own sequence."""
    return (mask.cumsum(-1) - 1).clamp(min=0)


def assert_equal_results(pair: Pair, real: Tensor, **data: Tensor) -> None:
    """Both models say the same, to the tolerance, wherever `real` (B, T) is 1."""
    ours, theirs = built(pair)
    unused: dict[str, Any] = {"use_cache": False} if pair.caches else {}
    with torch.no_grad():
        found, expected = ours(**data), pair.result(theirs(**data, **unused))
    if not isinstance(expected, Mapping):
        found, expected = {"": found}, {"": expected}
    assert found.keys() == expected.keys()
    for name in found:
        chosen = real.bool() if expected[name].dim() == 3 else slice(None)
        error = relative_error(found[name][chosen], expected[name][chosen])
        assert error <= TOLERANCE, f"{name}: {error}"
