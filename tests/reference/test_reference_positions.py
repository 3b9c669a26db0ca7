"""Positions, against known values of the papers and of published models."""

from __future__ import annotations

import math

import numpy as np
import pytest

from modelwright.backends.reference.positions import alibi_slopes, bucket, log_bucket
from modelwright.backends.reference.rotary import frequencies
from modelwright.compiler.axes import Dim
from modelwright.compiler.sizes import Size


def dim(size: int) -> Dim:
    return Dim("X", Size.of(size))


# -- counting


def test_positions_count_from_zero(compute):
    got = compute("position_ids", None, None, rule="index", turn=1, batch=2, tokens=3)
    assert got.tolist() == [[0, 1, 2], [0, 1, 2]]


def test_positions_that_are_given_are_taken(compute):
    got = compute("position_ids", [[5, 6, 7]], None, rule="tokens", pad=0, batch=1, tokens=3)
    assert got.tolist() == [[5, 6, 7]]


@pytest.mark.parametrize(
    ("rule", "data"), [("mask", [[0, 1, 1, 0, 1]]), ("tokens", [[9, 4, 5, 9, 4]])]
)
def test_positions_skip_padding(compute, rule, data):
    got = compute("position_ids", None, data, rule=rule, pad=9, batch=1, tokens=5)
    assert got.tolist() == [[-1, 0, 1, -1, 2]]


def test_positions_by_mask_count_all_without_one(compute):
    got = compute("position_ids", None, None, rule="mask", turn=1, batch=1, tokens=3)
    assert got.tolist() == [[0, 1, 2]]


# -- sinusoids


def test_sinusoid_of_the_paper(compute):
    # PE(pos, 2i) = sin(pos / 10000^(2i/d)), PE(pos, 2i+1) = cos(…), with d = 4
    got = compute("sinusoid", [[3]], width=dim(4), layout="interleaved", denominator="half")
    angles = (3.0, 3 / 100)
    expected = [math.sin(angles[0]), math.cos(angles[0]), math.sin(angles[1]), math.cos(angles[1])]
    assert np.allclose(got[0, 0], expected, atol=1e-15)


def test_sinusoid_side_by_side(compute):
    got = compute("sinusoid", [[3]], width=dim(4), layout="concat", denominator="half")
    expected = [math.sin(3), math.sin(0.03), math.cos(3), math.cos(0.03)]
    assert np.allclose(got[0, 0], expected, atol=1e-15)


def test_sinusoid_with_half_minus_one_ends_at_one_ten_thousandth(compute):
    got = compute("sinusoid", [[1]], width=dim(8), layout="concat", denominator="half_minus_one")
    assert np.allclose(got[0, 0, 3], math.sin(1e-4), rtol=1e-12)


# -- rotation


def test_sharpness_grows_by_steps(compute):
    """1 + slope * ln(1 + position // length)."""
    got = compute("sharpness", [[0, 2, 3, 7]], length=3, slope=0.5)[0, 0, :, 0]
    expected = [1, 1, 1 + 0.5 * np.log(2), 1 + 0.5 * np.log(3)]
    np.testing.assert_allclose(got, expected, rtol=1e-15)


def test_rope_angles(compute):
    cos, sin = compute("rope_table", [[0, 2]], width=4, theta=10000.0)
    assert cos.shape == (1, 2, 2)
    assert cos[0, 0].tolist() == [1.0, 1.0]
    assert np.allclose(cos[0, 1], [math.cos(2), math.cos(0.02)])
    assert np.allclose(sin[0, 1], [math.sin(2), math.sin(0.02)])


def test_rope_with_linear_scaling_divides_positions():
    scaling = {"type": "linear", "factor": 4}
    plain = frequencies(8, 10000.0, None)
    assert np.allclose(frequencies(8, 10000.0, scaling), np.array(plain) / 4, rtol=1e-15)


def test_rope_scaled_as_llama_3_1():
    # factor 8, first trained on 8192: waves under 2048 stay, waves over 8192 are eight times longer
    scaling = {
        "type": "llama3",
        "factor": 8,
        "low_freq_factor": 1,
        "high_freq_factor": 4,
        "original_max_positions": 8192,
    }
    plain, scaled = (np.array(frequencies(128, 500000.0, s)) for s in (None, scaling))
    waves = 2 * np.pi / plain
    assert (waves < 2048).any()
    assert (waves > 8192).any()
    assert np.array_equal(scaled[waves < 2048], plain[waves < 2048])
    assert np.allclose(scaled[waves > 8192], plain[waves > 8192] / 8, rtol=1e-15)
    between = (waves > 2048) & (waves < 8192)
    share = (8192 / waves[between] - 1) / 3
    expected = (1 - share) * plain[between] / 8 + share * plain[between]
    assert between.sum() > 2
    assert np.allclose(scaled[between], expected, rtol=1e-14)


def test_yarn_keeps_fast_pairs_and_slows_slow_ones():
    scaling = {"type": "yarn", "factor": 4, "original_max_positions": 4096, "truncate": True}
    scaling |= {"beta_fast": 32, "beta_slow": 1, "mscale": 1, "mscale_all_dims": 0}
    plain, scaled = (np.array(frequencies(128, 10000.0, s)) for s in (None, scaling))
    turns = 4096 * plain / (2 * np.pi)
    slowed = plain / scaled
    # the bounds are whole pairs: 20 turns 36 times and 21 turns 31, 45 turns 1.02 and 46 0.88
    assert (turns[20] > 32 > turns[21], turns[45] > 1 > turns[46]) == (True, True)
    assert np.array_equal(scaled[:21], plain[:21])
    assert np.allclose(slowed[46:], 4, rtol=1e-15)
    share = (np.arange(21, 46) - 20) / 26
    assert np.allclose(scaled[21:46], plain[21:46] * (1 - share + share / 4), rtol=1e-14)


def test_dynamic_positions_stretch_the_longest_wave_to_fit():
    scaling = {"type": "dynamic", "factor": 3, "original_max_positions": 100}
    plain = np.array(frequencies(8, 10000.0, None))
    assert np.array_equal(frequencies(8, 10000.0, scaling, 100), plain)
    longer = np.array(frequencies(8, 10000.0, scaling, 200))
    assert np.allclose(plain / longer, [4 ** (i / 3) for i in range(4)], rtol=1e-14)


def test_longrope_divides_by_length(compute):
    scaling = {"type": "longrope", "short_factor": (1.0, 2.0), "long_factor": (3.0, 4.0)}
    scaling |= {"original_max_positions": 10, "max_positions": 1000}
    growth = math.sqrt(1 + math.log(100) / math.log(10))
    for places, divisors in (([0, 9], (1, 2)), ([9, 10], (3, 4))):
        cos, _ = compute("rope_table", [places], width=4, theta=100.0, scaling=scaling)
        angles = places[1] / np.array(divisors) * [1, 0.1]
        assert np.allclose(cos[0, 1], growth * np.cos(angles), rtol=1e-14)


def test_yarn_scales_rotated_vectors(compute):
    scaling = {"type": "yarn", "factor": math.e**5, "original_max_positions": 64, "truncate": True}
    scaling |= {"beta_fast": 32, "beta_slow": 1, "mscale": 4, "mscale_all_dims": 2}
    cos, sin = compute("rope_table", [[0]], width=4, theta=100.0, scaling=scaling)
    assert np.allclose(cos, 3 / 2, rtol=1e-15)
    assert not sin.any()


def turned(x: float, y: float, angle: float) -> list[float]:
    return [x * math.cos(angle) - y * math.sin(angle), x * math.sin(angle) + y * math.cos(angle)]


def test_rotate_half_rotates_pairs_half_a_head_apart(compute):
    cos, sin = compute("rope_table", [[5]], width=4, theta=100.0)
    x = np.array([1.0, 2.0, 3.0, 4.0]).reshape(1, 1, 1, 4)
    got = compute("rotate", x, cos, sin, layout="half", width=4)[0, 0, 0]
    (a, c), (b, d) = turned(1, 3, 5.0), turned(2, 4, 0.5)
    assert np.allclose(got, [a, b, c, d], atol=1e-15)


def test_rotate_interleaved_rotates_neighbouring_pairs(compute):
    cos, sin = compute("rope_table", [[5]], width=4, theta=100.0)
    x = np.array([1.0, 2.0, 3.0, 4.0]).reshape(1, 1, 1, 4)
    got = compute("rotate", x, cos, sin, layout="interleaved", width=4)[0, 0, 0]
    assert np.allclose(got, [*turned(1, 2, 5.0), *turned(3, 4, 0.5)], atol=1e-15)


def test_rotate_leaves_the_columns_behind_its_width(compute):
    cos, sin = compute("rope_table", [[5]], width=2, theta=100.0)
    x = np.array([1.0, 2.0, 3.0, 4.0]).reshape(1, 1, 1, 4)
    got = compute("rotate", x, cos, sin, layout="half", width=2)[0, 0, 0]
    assert np.allclose(got, [*turned(1, 2, 5.0), 3, 4], atol=1e-15)


@pytest.mark.parametrize("layout", ["half", "interleaved"])
def test_rotated_products_depend_on_the_distance_alone(compute, layout):
    rng = np.random.default_rng(0)
    q, k = rng.standard_normal((2, 1, 1, 1, 8))

    def product(query: int, key: int) -> float:
        def turn(x, place):
            table = compute("rope_table", [[place]], width=8, theta=10000.0)
            return compute("rotate", x, *table, layout=layout, width=8)

        return float((turn(q, query) * turn(k, key)).sum())

    assert product(9, 4) == pytest.approx(product(105, 100), rel=1e-12)
    assert abs(product(9, 4) - product(9, 5)) > 1e-3


# -- biases of the scores


def test_alibi_slopes_of_the_paper():
    assert alibi_slopes(8, "floor") == [2.0**-n for n in range(1, 9)]
    assert alibi_slopes(8, "ceil") == [2.0**-n for n in range(1, 9)]
    assert alibi_slopes(16, "floor")[0] == 2**-0.5


def test_alibi_slopes_of_twelve_heads():
    # as published for 12 heads: the slopes of 8, then every other slope of 16
    eight = [2.0**-n for n in range(1, 9)]
    assert np.allclose(alibi_slopes(12, "floor"), [*eight, 2**-0.5, 2**-1.5, 2**-2.5, 2**-3.5])
    # MPT: of the slopes of 16, those at even places of the count, then those at odd ones
    odd = [2**-0.5, 2**-1.5, 2**-2.5, 2**-3.5]
    assert np.allclose(alibi_slopes(12, "ceil"), [*eight, *odd])
    assert np.allclose(alibi_slopes(6, "floor"), [2**-2, 2**-4, 2**-6, 2**-8, 2**-1, 2**-3])
    assert np.allclose(alibi_slopes(3, "ceil"), [2**-4, 2**-8, 2**-2])


def test_alibi_falls_with_the_distance(compute):
    got = compute("alibi", heads=dim(2), rule="floor", tokens=3, batch=1)
    assert got.shape == (2, 3, 3)
    assert got[0, 2].tolist() == [-2 / 16, -1 / 16, 0.0]
    assert got[1, 2].tolist() == [-2 / 256, -1 / 256, 0.0]
    scaled = compute("alibi", heads=dim(2), rule="floor", scale=0.5, tokens=3, batch=1)
    assert np.array_equal(scaled, got / 2)


def t5(distance: int, **changes: object) -> int:
    rule = {"buckets": 32, "max_distance": 128, "bidirectional": True} | changes
    return bucket(distance, **rule)


def test_t5_buckets_in_both_directions():
    # 16 each way; 8 exact, then [8, 12), [12, 16), [16, 23), [23, 32), [32, 46), [46, 64), [64, 91)
    behind = {0: 0, 1: 1, 7: 7, 8: 8, 11: 8, 12: 9, 15: 9, 16: 10, 22: 10, 23: 11, 32: 12, 45: 12}
    behind |= {46: 13, 64: 14, 90: 14, 91: 15, 127: 15, 128: 15, 5000: 15}
    for distance, expected in behind.items():
        assert t5(-distance) == expected
        if distance:
            assert t5(distance) == 16 + expected


def test_t5_buckets_in_one_direction():
    # 32 for the past: 16 exact, then geometrically to 128; the future is distance 0
    known = {0: 0, 9: 9, 15: 15, 16: 16, 18: 16, 19: 17, 113: 31, 128: 31}
    for distance, expected in known.items():
        assert t5(-distance, bidirectional=False) == expected
    assert t5(7, bidirectional=False) == 0


@pytest.mark.parametrize(
    ("buckets", "max_distance", "bidirectional"),
    [(32, 128, True), (32, 128, False), (8, 32, True), (8, 32, False), (64, 256, True)],
)
def test_buckets_are_those_of_the_logarithm(buckets, max_distance, bidirectional):
    """The published form, in floating point, agrees wherever it is not within a hair of a step."""
    half = buckets // 2 if bidirectional else buckets
    exact = half // 2
    checked = 0
    for distance in range(exact, 3 * max_distance):
        place = math.log(distance / exact) / math.log(max_distance / exact) * (half - exact)
        if abs(place - round(place)) > 1e-9:
            expected = min(exact + int(place), half - 1)
            rule = {"buckets": buckets, "max_distance": max_distance}
            assert bucket(-distance, bidirectional=bidirectional, **rule) == expected
            checked += 1
    assert checked > max_distance


def test_relative_bias_looks_up_buckets(compute):
    attrs = {"buckets": 4, "max_distance": 8, "bidirectional": False}
    places = compute("relative_buckets", tokens=3, batch=1, **attrs)
    assert places.tolist() == [[0, 0, 0], [1, 0, 0], [2, 1, 0]]
    table = np.arange(8.0).reshape(4, 2)  # (buckets, heads)
    got = compute("relative_bias", places, weights={"weight": table})
    assert got.shape == (2, 3, 3)
    assert got[1, 2].tolist() == [5.0, 3.0, 1.0]


# -- scores between contents and relative positions


def test_log_buckets_hold_one_distance_each_and_then_grow():
    rule = {"buckets": 8, "max_distance": 33}  # 8 = 2^3: the steps are at 4, 8, 16 and 32
    known = {0: 0, 1: 1, 4: 4, 5: 5, 8: 5, 9: 6, 16: 6, 17: 7, 32: 7, 33: 8}
    for distance, expected in known.items():
        assert log_bucket(distance, **rule) == expected
        assert log_bucket(-distance, **rule) == -expected


@pytest.mark.parametrize(("buckets", "max_distance"), [(256, 512), (8, 20), (6, 100), (2, 9)])
def test_log_buckets_are_those_of_the_logarithm(buckets, max_distance):
    """The published form, in floating point, agrees wherever it is not within a hair of a step."""
    half = buckets // 2
    for distance in range(half + 1, 2 * max_distance):
        place = math.log(distance / half) / math.log((max_distance - 1) / half) * (half - 1)
        if abs(place - round(place)) > 1e-9:
            found = log_bucket(distance, buckets=buckets, max_distance=max_distance)
            assert found == half + math.ceil(place)


def test_places_begin_with_the_furthest_key_ahead(compute):
    each = compute("relative_places", tokens=4, batch=1, rule="each", max_distance=2)
    assert each.tolist() == [[2, 1, 0, 0], [3, 2, 1, 0], [3, 3, 2, 1], [3, 3, 3, 2]]
    far = compute("relative_places", tokens=60, batch=1, rule="log", buckets=8, max_distance=33)
    assert (far[0, :6].tolist(), far[0, -1]) == ([8, 7, 6, 5, 4, 3], 0)
    assert (far[:6, 0].tolist(), far[-1, 0]) == ([8, 9, 10, 11, 12, 13], 15)


def test_every_distance_has_a_place(compute):
    every = compute("relative_positions", tokens=3, batch=1)
    places = compute("relative_places", tokens=3, batch=1, rule="all")
    assert every[places].tolist() == [[0, -1, -2], [1, 0, -1], [2, 1, 0]]


def test_position_scores_read_the_row_of_each_pair(compute):
    x = np.arange(6.0).reshape(1, 1, 3, 2) + 1  # (B, H, T, E)
    rows = np.array([[[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]])  # (H, U, E)
    places = np.array([[0, 1, 2], [2, 0, 1], [1, 2, 0]])
    asks = compute("position_scores", x, rows, places, side="query")
    assert asks.tolist() == [[[[1.0, 2.0, 3.0], [7.0, 3.0, 4.0], [6.0, 11.0, 5.0]]]]
    answers = compute("position_scores", x, rows, places, side="key")
    assert answers.tolist() == [[[[1.0, 4.0, 11.0], [3.0, 3.0, 6.0], [2.0, 7.0, 5.0]]]]
