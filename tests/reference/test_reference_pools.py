"""Pools, with padding on both sides."""

from __future__ import annotations

import math

import numpy as np
import pytest

X = np.array([[[1.0, 8.0], [5.0, 2.0], [3.0, 4.0]], [[9.0, 0.0], [7.0, 6.0], [2.0, 1.0]]])
LEFT_AND_RIGHT = [[0, 1, 1], [1, 1, 0]]


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ("first", [[1.0, 8.0], [9.0, 0.0]]),
        ("last", [[3.0, 4.0], [7.0, 6.0]]),
        ("mean", [[4.0, 3.0], [8.0, 3.0]]),
        ("max", [[5.0, 4.0], [9.0, 6.0]]),
    ],
)
def test_pools_over_real_tokens(compute, how, expected):
    assert compute("pool", X, LEFT_AND_RIGHT, None, how=how).tolist() == expected


def test_pools_over_all_tokens_without_a_mask(compute):
    assert compute("pool", X, None, None, how="last").tolist() == [[3.0, 4.0], [2.0, 1.0]]
    assert compute("pool", X, None, None, how="mean").tolist() == X.mean(axis=1).tolist()


def test_a_mean_may_leave_the_first_tokens_out(compute):
    got = compute("pool", X, None, None, how="mean", skip=1)
    assert got.tolist() == X[:, 1:].mean(axis=1).tolist()


def test_attention_pool_weighs_real_tokens(compute):
    scores = np.log([[5.0, 1.0, 3.0], [1.0, 1.0, 7.0]])[..., None]
    got = compute("pool", X, LEFT_AND_RIGHT, scores, how="attention")
    assert np.allclose(got, [[(5 + 3 * 3) / 4, (2 + 3 * 4) / 4], [8.0, 3.0]], atol=1e-14)
    assert math.isclose(got[0, 0], 3.5)


def test_token_pool_takes_the_first_place(compute):
    ids = [[4, 7, 7], [7, 1, 1]]
    assert compute("pool", X, None, ids, how="token", token=7).tolist() == [[5.0, 2.0], [9.0, 0.0]]
    with pytest.raises(ValueError, match="the id 4 does not occur in every sequence"):
        compute("pool", X, None, ids, how="token", token=4)


def test_a_sequence_of_padding_alone_gives_zeros(compute):
    nothing = [[0, 0, 0], [1, 1, 1]]
    for how in ("last", "mean", "max"):
        assert compute("pool", X, nothing, None, how=how)[0].tolist() == [0.0, 0.0]
    scores = np.zeros((2, 3, 1))
    assert compute("pool", X, nothing, scores, how="attention")[0].tolist() == [0.0, 0.0]
