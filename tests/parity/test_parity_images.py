"""Image models equal those of transformers: the same results from the same weights."""

from __future__ import annotations

import sys

import pytest
import torch
from comparison import assert_equal_results
from images import BEIT_SHARED, CLIP, DINO_GATED, IMAGES, VIT
from pairs import Pair, built
from torch import Tensor

import modelwright as mw


def pictures(rows: int = 3, size: int = 22) -> Tensor:
    return torch.randn(rows, 3, size, size, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("pair", IMAGES, ids=str)
def test_results(pair: Pair) -> None:
    tokens = next(iter(mw.lower(mw.loads(pair.spec)).lengths.values()))
    real = torch.ones(3, int(tokens), dtype=torch.bool)
    assert_equal_results(pair, real, pixel_values=pictures())


def test_another_size_is_refused() -> None:
    ours, _ = built(VIT)
    with pytest.raises(ValueError, match=r"\(B, 3, 22, 22\), not \(\d, 3, 20, 22\)"):
        ours(pictures()[:, :, :20])


def test_patches_that_are_left_over_are_not_read() -> None:
    """Of 22 pixels, 20 are four patches of 5."""
    ours, _ = built(VIT)
    changed = pictures()
    changed[:, :, 20:], changed[:, :, :, 20:] = 7.0, -7.0
    with torch.no_grad():
        assert torch.equal(ours(pictures()), ours(changed))


@pytest.mark.sampled(2)
@pytest.mark.parametrize("pair", [VIT, BEIT_SHARED, DINO_GATED, CLIP], ids=str)
def test_compile_and_export(pair: Pair) -> None:
    """One of each build: the others are made of the same ops."""
    torch.compiler.reset()
    ours, _ = built(pair)
    compiled = torch.compile(ours, fullgraph=True, backend="aot_eager")
    batch = {"pixel_values": {0: torch.export.Dim("batch", min=2, max=60)}}
    data = {"pixel_values": pictures()}
    program = torch.export.export(ours, (), kwargs=data, dynamic_shapes=batch)
    with torch.no_grad():
        expected = ours(pictures())
        torch.testing.assert_close(compiled(pictures()), expected)
        torch.testing.assert_close(program.module()(pixel_values=pictures()), expected)
        torch.testing.assert_close(program.module()(pixel_values=pictures(5)), ours(pictures(5)))


def test_no_cache_for_images() -> None:
    ours, _ = built(VIT)
    assert not hasattr(sys.modules[type(ours).__module__], "Cache")
