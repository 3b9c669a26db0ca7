"""Attention, compared with plain loops over numbers."""

from __future__ import annotations

import math

import numpy as np
import pytest

from modelwright.compiler.axes import Dim
from modelwright.compiler.sizes import Size


def by_hand(q, k, v, *, sees=None, bias=None, scale=None, softcap=None):
    """Every number of the result by itself."""
    B, H, T, E = q.shape
    _, K, S, Ev = v.shape
    result = np.zeros((B, H, T, Ev))
    for b in range(B):
        for h in range(H):
            for t in range(T):
                total, weights = 0.0, {}
                for s in range(S):
                    if sees is not None and not sees(b, t, s):
                        continue
                    score = sum(q[b, h, t, e] * k[b, h * K // H, s, e] for e in range(E))
                    score *= 1 / math.sqrt(E) if scale is None else scale
                    if softcap is not None:
                        score = softcap * math.tanh(score / softcap)
                    if bias is not None:
                        score += bias[h, t, s]
                    weights[s] = math.exp(score)
                    total += weights[s]
                for s, weight in weights.items():
                    result[b, h, t] += weight / total * v[b, h * K // H, s]
    return result


@pytest.fixture
def qkv():
    rng = np.random.default_rng(1)
    return (
        rng.standard_normal((2, 4, 5, 3)),
        rng.standard_normal((2, 2, 6, 3)),
        rng.standard_normal((2, 2, 6, 2)),
    )


@pytest.mark.parametrize(
    "options", [{}, {"scale": 1.0}, {"softcap": 0.5}, {"scale": 3.0, "softcap": 2.0}]
)
def test_attend_with_shared_key_heads(compute, qkv, options):
    got = compute("attend", *qkv, None, None, **{"scale": None, "softcap": None} | options)
    assert np.allclose(got, by_hand(*qkv, **options), atol=1e-14)


def test_attend_with_mask_and_bias(compute, qkv):
    rng = np.random.default_rng(2)
    mask = rng.random((2, 1, 5, 6)) < 0.5
    mask[:, :, 3] = False  # a query that sees nothing
    bias = rng.standard_normal((4, 5, 6))
    expected = by_hand(*qkv, sees=lambda b, t, s: mask[b, 0, t, s], bias=bias)
    got = compute("attend", *qkv, mask, bias, scale=None, softcap=None)
    assert np.allclose(got, expected, atol=1e-14)
    assert not got[:, :, 3].any()
    merged = compute("masked_bias", bias, mask)
    assert merged.shape == (2, 4, 5, 6)
    again = compute("attend", *qkv, None, merged, scale=None, softcap=None)
    assert np.array_equal(again, got)


def test_a_sink_takes_weight_and_has_no_value(compute, qkv):
    plain = {"scale": 1.0, "softcap": None}
    sinks = np.array([-1.0, 0.0, 2.0, -np.inf])
    mask = np.arange(6) != np.arange(5)[:, None]
    without = compute("attend", *qkv, mask, None, **plain)
    got = compute("attend", *qkv, mask, None, sinks, **plain)
    scores = np.einsum("bhte,bhse->bhts", qkv[0], np.repeat(qkv[1], 2, axis=1))
    total = np.where(mask, np.exp(scores), 0).sum(axis=-1)
    share = total / (total + np.exp(sinks)[:, None])
    assert np.allclose(got, without * share[..., None], rtol=1e-13)
    assert not compute(
        "attend", *qkv, np.zeros((5, 6), bool), None, sinks[:3].repeat(2)[:4], **plain
    ).any()


def test_masked_bias_without_a_mask_is_the_bias(compute):
    assert compute("masked_bias", [[[1.0]]], None).tolist() == [[[1.0]]]


def test_attend_does_not_overflow(compute):
    q = np.full((1, 1, 1, 1), 1e4)
    k = np.array([1.0, 1.0, -1.0]).reshape(1, 1, 3, 1)
    v = np.array([2.0, 4.0, 100.0]).reshape(1, 1, 3, 1)
    with np.errstate(over="raise", invalid="raise"):
        got = compute("attend", q, k, v, None, None, scale=1.0, softcap=None)
    assert got.ravel().tolist() == [3.0]


def test_heads_are_split_and_merged(compute):
    x = np.arange(12.0).reshape(1, 2, 6)
    heads = {"heads": Dim("H", Size.of(2)), "width": Dim("E", Size.of(3))}
    split = compute("split_heads", x, **heads)
    assert split.shape == (1, 2, 2, 3)
    assert split[0, 1].tolist() == [[3, 4, 5], [9, 10, 11]]
    assert np.array_equal(compute("merge_heads", split), x)


def test_the_cache_gives_back_what_it_is_given(compute):
    k, v = compute("cache", [[1.0]], [[2.0]])
    assert (k.tolist(), v.tolist()) == ([[1.0]], [[2.0]])
