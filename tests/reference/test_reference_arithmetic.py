"""Linear layers, tables, norms and functions, against values computed by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest


def test_linear_multiplies_by_the_transposed_weight(compute):
    got = compute("linear", [[1.0, 2.0]], weights={"weight": [[3.0, 4.0], [5.0, 6.0], [0.0, 1.0]]})
    assert got.tolist() == [[11.0, 17.0, 2.0]]


def test_linear_adds_its_bias(compute):
    got = compute("linear", [1.0, 2.0], weights={"weight": [[3.0, 4.0]], "bias": [0.5]})
    assert got.tolist() == [11.5]


def test_embedding_takes_rows(compute):
    table = {"weight": [[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]]}
    assert compute("embedding", [[2, 0]], weights=table).tolist() == [[[4.0, 5.0], [0.0, 1.0]]]


@pytest.mark.parametrize("ids", [[3], [-1]])
def test_embedding_refuses_ids_outside_the_table(compute, ids):
    with pytest.raises(ValueError, match="a table of 3 rows"):
        compute("embedding", ids, weights={"weight": np.zeros((3, 2))})


def test_layer_norm(compute):
    # mean 2, variance (1 + 1) / 2 = 1
    plain = compute("layer_norm", [1.0, 3.0], eps=0.0)
    assert plain.tolist() == [-1.0, 1.0]
    full = compute(
        "layer_norm", [1.0, 3.0], eps=0.0, weights={"weight": [2.0, 3.0], "bias": [10.0, 20.0]}
    )
    assert full.tolist() == [8.0, 23.0]


def test_layer_norm_adds_eps_under_the_root(compute):
    assert compute("layer_norm", [1.0, 3.0], eps=3.0).tolist() == [-0.5, 0.5]


def test_rms_norm_does_not_centre(compute):
    # mean square (1 + 49) / 2 = 25
    got = compute("rms_norm", [1.0, 7.0], eps=0.0, weights={"weight": [1.0, 10.0]})
    assert got.tolist() == [0.2, 14.0]


def test_rms_norm_with_a_weight_offset(compute):
    got = compute("rms_norm", [1.0, 7.0], eps=0.0, weight_offset=1, weights={"weight": [0.0, 9.0]})
    assert got.tolist() == [0.2, 14.0]


def test_norm_with_a_weight_for_each_head(compute):
    x = np.broadcast_to([1.0, 7.0], (1, 2, 3, 2))  # (B, H, T, E)
    got = compute("rms_norm", x, eps=0.0, weights={"weight": [[1.0, 1.0], [10.0, 0.0]]})
    assert np.allclose(got[0, 0], [[0.2, 1.4]] * 3, atol=1e-15)
    assert np.allclose(got[0, 1], [[2.0, 0.0]] * 3, atol=1e-15)


# Phi(1) = 0.8413447460685429 and Phi(-2) = 0.02275013194817921, from a table of the normal law
@pytest.mark.parametrize(
    ("function", "x", "expected"),
    [
        ("gelu", 1.0, 0.8413447460685429),
        ("gelu", -2.0, -0.04550026389635842),
        ("gelu_tanh", 1.0, 0.5 * (1 + math.tanh(0.7978845608028654 * 1.044715))),
        ("quick_gelu", 1.0, 1 / (1 + math.exp(-1.702))),
        ("relu", -2.0, 0.0),
        ("relu", 3.0, 3.0),
        ("relu2", 3.0, 9.0),
        ("relu2", -3.0, 0.0),
        ("silu", 2.0, 2 / (1 + math.exp(-2))),
        ("tanh", 0.5, math.tanh(0.5)),
        ("sigmoid", 0.0, 0.5),
        ("sigmoid", -1.0, 1 / (1 + math.e)),
    ],
)
def test_functions(compute, function, x, expected):
    assert compute("activation", [x], function=function)[0] == pytest.approx(expected, rel=1e-14)


def test_swish_has_a_beta(compute):
    got = compute("activation", [2.0], function="swish", beta=3.0)
    assert got[0] == pytest.approx(2 / (1 + math.exp(-6)), rel=1e-15)


def test_functions_do_not_overflow(compute):
    with np.errstate(over="raise", invalid="raise"):
        got = compute("activation", [-1e4, 1e4], function="sigmoid")
    assert got.tolist() == [0.0, 1.0]


def test_scale_by_a_number_and_by_the_root_of_the_width(compute):
    assert compute("scale", [3.0], factor=2.0).tolist() == [6.0]
    assert compute("scale", [3.0], factor="sqrt_d_model", size=16).tolist() == [12.0]


def test_clamp_takes_magnitudes(compute):
    x = [-9.0, -1.0, 9.0]
    assert compute("clamp", x, low=2.0, high=3.0).tolist() == [-2.0, -1.0, 3.0]
    assert compute("clamp", x, low=None, high=3.0).tolist() == [-9.0, -1.0, 3.0]
    assert compute("clamp", x, low=2.0, high=None).tolist() == [-2.0, -1.0, 9.0]


def test_softcap_is_bounded_and_almost_straight_near_zero(compute):
    got = compute("softcap", [0.001, 1e6, 30.0], cap=30.0)
    assert got[0] == pytest.approx(0.001, rel=1e-8)
    assert got[1] == 30.0
    assert got[2] == pytest.approx(30 * math.tanh(1))


def test_sums_products_and_vectors(compute):
    assert compute("add", [1.0], [2.0]).tolist() == [3.0]
    assert compute("multiply", [3.0], [2.0]).tolist() == [6.0]
    assert compute("shift", [3.0], amount=2).tolist() == [5.0]
    assert compute("learned_scale", [[3.0, 4.0]], weights={"": [2.0, 0.5]}).tolist() == [[6.0, 2.0]]
    assert compute("tanh_scale", [[3.0]], weights={"": [0.5]}).item() == 3 * math.tanh(0.5)
    assert compute("add_bias", [[3.0, 4.0]], weights={"": [2.0, 0.5]}).tolist() == [[5.0, 4.5]]


def test_each_expert_scales_its_own_rows(compute):
    rows, experts, weight = [[3.0, 4.0], [1.0, 1.0]], [1, 0], {"": [[2.0, 3.0], [0.5, 1.0]]}
    got = compute("expert_scale", rows, experts, weights=weight, weight_offset=0)
    assert got.tolist() == [[1.5, 4.0], [2.0, 3.0]]
    got = compute("expert_scale", rows, experts, weights=weight, weight_offset=1)
    assert got.tolist() == [[4.5, 8.0], [3.0, 4.0]]


def test_dropout_does_nothing_here(compute):
    assert compute("dropout", [3.0], rate=0.9).tolist() == [3.0]
    assert compute("drop_path", [3.0], rate=0.9).tolist() == [3.0]


def test_l2_normalize(compute):
    assert compute("l2_normalize", [[3.0, 4.0], [0.0, 0.0]]).tolist() == [[0.6, 0.8], [0.0, 0.0]]


def test_a_missing_input_is_reported(compute):
    with pytest.raises(ValueError, match="add: `b` is missing"):
        compute("add", [1.0])
