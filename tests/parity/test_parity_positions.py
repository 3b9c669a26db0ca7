"""Slopes, buckets and stretched frequencies equal the functions of transformers."""

from __future__ import annotations

import pytest
import torch
from transformers.models.bloom.modeling_bloom import build_alibi_tensor
from transformers.models.mpnet.modeling_mpnet import MPNetEncoder
from transformers.models.mpt.modeling_mpt import build_mpt_alibi_tensor
from transformers.models.t5.modeling_t5 import T5Attention

from modelwright.backends.pytorch.runtime import positions as ours
from modelwright.backends.reference.positions import bucket

FLOAT = torch.zeros(())
LAST = torch.tensor([8])
RULES = [(32, 128), (32, 64), (16, 64), (8, 20), (64, 256), (4, 9), (32, 512)]


@pytest.mark.parametrize("heads", [1, 2, 3, 4, 6, 8, 12, 16, 20, 24, 71])
def test_alibi_slopes_of_bloom(heads: int) -> None:
    theirs = build_alibi_tensor(torch.ones(1, 9), heads, torch.float32).reshape(heads, 9)
    found = ours.alibi_bias(LAST, 9, heads, 1.0, like=FLOAT)[:, 0]  # of the last query, (H, S)
    slopes, expected = -found[:, 0] / 8, theirs[:, 1]
    torch.testing.assert_close(slopes, expected, rtol=1e-6, atol=0)
    torch.testing.assert_close(found - found[:, :1], theirs - theirs[:, :1], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("heads", [1, 2, 3, 4, 6, 8, 12, 16, 20, 24, 71])
def test_alibi_slopes_of_mpt(heads: int) -> None:
    theirs = build_mpt_alibi_tensor(heads, 9)[:, 0]  # (H, S)
    found = ours.alibi_bias_ceil(LAST, 9, heads, 1.0, like=FLOAT)[:, 0]
    torch.testing.assert_close(found, theirs, rtol=1e-6, atol=0)


def both_sides(distance: torch.Tensor, buckets: int, most: int) -> torch.Tensor:
    """The lines that an encoder has: one half of the buckets is for keys after the query."""
    half = buckets // 2
    return ours.log_buckets(distance.abs(), half, most) + half * (distance > 0)


@pytest.mark.parametrize(("buckets", "most"), RULES)
@pytest.mark.parametrize("two_sided", [False, True])
def test_buckets_of_t5(buckets: int, most: int, two_sided: bool) -> None:
    length = 2 * most + 9
    places = torch.arange(length)
    distance = places - places[:, None]
    if two_sided:
        found = both_sides(distance, buckets, most)
    else:
        found = ours.log_buckets(-distance.clamp(max=0), buckets, most)
    theirs = T5Attention._relative_position_bucket(
        distance,
        bidirectional=two_sided,
        num_buckets=buckets,
        max_distance=most,
    )
    assert found.tolist() == theirs.tolist()
    for place in range(length):
        wanted = bucket(-place, buckets=buckets, max_distance=most, bidirectional=two_sided)
        assert wanted == int(found[place, 0])


def test_buckets_of_mpnet() -> None:
    places = torch.arange(300)
    distance = places - places[:, None]
    theirs = MPNetEncoder.relative_position_bucket(distance, num_buckets=32)
    assert both_sides(distance, 32, 128).tolist() == theirs.tolist()
