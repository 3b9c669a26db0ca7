"""Invariants that hold in theory for any weights."""

from __future__ import annotations

import numpy as np
import pytest

SMALL = """
name: small
family: {family}
vocab_size: 40
max_positions: 32
d_model: 32
layers: 3
attention: {{heads: 4, kv_heads: 2{attention}}}
feed_forward: {{type: glu, d_ff: 20, activation: silu}}
norm: rmsnorm
{more}
"""
EXACT = 1e-13
CHANGED = 1e-4


def small(more: str = "", family: str = "decoder-only", attention: str = "") -> str:
    return SMALL.format(family=family, more=more, attention=attention)


def ids(rows: int = 2, tokens: int = 12, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 40, (rows, tokens))


def change(tokens: np.ndarray, place: int) -> np.ndarray:
    other = tokens.copy()
    other[:, place] = (other[:, place] + 7) % 40
    return other


def moved(before: np.ndarray, after: np.ndarray) -> list[int]:
    """The places of a sequence where any number changed."""
    difference = np.abs(before - after).max(axis=(0, 2))
    assert ((difference < EXACT) | (difference > CHANGED)).all(), difference
    return np.flatnonzero(difference > CHANGED).tolist()


@pytest.mark.parametrize(
    "more",
    [
        "positions: rotary",
        "positions: {type: rotary, fraction: 0.5, layout: interleaved}",
        "positions: learned",
        "positions: sinusoidal",
        "positions: alibi",
        "positions: {type: relative_bias, buckets: 8, max_distance: 16, bidirectional: false}",
        "residual: {type: parallel, shared_norm: true}\npositions: rotary",
        "norm_placement: sandwich",
    ],
)
def test_future_tokens_have_no_influence(model, more):
    m, before = model(small(more)), ids()
    base = m.hidden(input_ids=before)
    assert moved(base, m.hidden(input_ids=change(before, 5))) == list(range(5, 12))


@pytest.mark.parametrize(
    "attention",
    [
        ", softcap: 5.0",
        ", qk_norm: per_head",
        ", qk_norm: projection",
        ", qk_norm: {type: head, after_positions: true}",
        ", head_dim: 6, value_dim: 10, scale: 0.3",
        ", clip_qkv: 0.5",
    ],
)
def test_no_option_of_attention_leaks(model, attention):
    m, before = model(small("positions: rotary", attention=attention)), ids()
    base = m.hidden(input_ids=before)
    assert moved(base, m.hidden(input_ids=change(before, 5))) == list(range(5, 12))


def test_a_window_forgets(model):
    # three layers of two tokens each see one token further back per layer
    m, before = model(small("mask: window(2)")), ids()
    base = m.hidden(input_ids=before)
    assert moved(base, m.hidden(input_ids=change(before, 5))) == [5, 6, 7, 8]


def test_an_encoder_attends_to_all_tokens(model):
    m, before = model(small("positions: rotary", "encoder-only")), ids()
    base = m.hidden(input_ids=before)
    assert moved(base, m.hidden(input_ids=change(before, 5))) == list(range(12))


@pytest.mark.parametrize("family", ["decoder-only", "encoder-only"])
@pytest.mark.parametrize(
    "positions",
    ["rotary", "alibi", "{type: relative_bias, buckets: 8, max_distance: 16}", "none"],
)
@pytest.mark.parametrize("left", [0, 3])
def test_padding_changes_nothing(model, family, positions, left):
    m, tokens = model(small(f"positions: {positions}", family)), ids(1, 7)
    base = m.hidden(input_ids=tokens)
    padded = np.full((1, 11), 39)
    padded[:, left : left + 7] = tokens
    mask = np.zeros((1, 11), dtype=int)
    mask[:, left : left + 7] = 1
    got = m.hidden(input_ids=padded, attention_mask=mask)[:, left : left + 7]
    assert np.abs(got - base).max() < EXACT
    without = m.hidden(input_ids=padded)[:, left : left + 7]
    if left or family == "encoder-only":
        assert np.abs(without - base).max() > CHANGED


@pytest.mark.parametrize("kind", ["learned", "sinusoidal"])
@pytest.mark.parametrize("rule", ["mask", "tokens"])
def test_positions_that_skip_padding_make_its_side_matter_no_more(model, kind, rule):
    text = small(
        f"positions: {{type: {kind}, offset: 2, skip_padding: {rule}}}\ntokens: {{pad: 39}}",
        family="encoder-only",
    )
    m, tokens = model(text), ids(1, 7) % 39
    padded = np.full((1, 10), 39)
    padded[:, 3:] = tokens
    mask = (padded != 39).astype(int)
    got = m.hidden(input_ids=padded, attention_mask=mask)[:, 3:]
    assert np.abs(got - m.hidden(input_ids=tokens)).max() < EXACT


def test_position_ids_replace_the_indices_of_tokens(model):
    m, tokens = model(small("positions: learned")), ids(1, 7)
    padded = np.concatenate([np.full((1, 3), 39), tokens], axis=1)
    mask = (np.arange(10) >= 3).astype(int)[None]
    places = np.maximum(np.arange(10) - 3, 0)[None]
    got = m.hidden(input_ids=padded, attention_mask=mask, position_ids=places)[:, 3:]
    assert np.abs(got - m.hidden(input_ids=tokens)).max() < EXACT


def test_packed_documents_do_not_attend_to_each_other(model):
    m = model(small("mask: causal & documents\npositions: rotary"))
    first, second = ids(1, 5, seed=1), ids(1, 6, seed=2)
    packed = np.concatenate([first, second], axis=1)
    documents = np.array([[0] * 5 + [1] * 6])
    got = m.hidden(input_ids=packed, document_ids=documents)
    assert np.abs(got[:, :5] - m.hidden(input_ids=first)).max() < EXACT
    assert np.abs(got[:, 5:] - m.hidden(input_ids=second)).max() < EXACT
    one = m.hidden(input_ids=packed)
    assert np.abs(got[:, 5:] - one[:, 5:]).max() > CHANGED


def test_a_prefix_is_read_in_both_directions(model):
    m, before = model(small("mask: causal | prefix\npositions: rotary")), ids()
    length = np.array([4, 4])
    base = m.hidden(input_ids=before, prefix_length=length)
    inside = m.hidden(input_ids=change(before, 3), prefix_length=length)
    assert moved(base, inside) == list(range(12))
    outside = m.hidden(input_ids=change(before, 6), prefix_length=length)
    assert moved(base, outside) == list(range(6, 12))


def test_permuting_the_tokens_permutes_the_result_without_positions(model):
    m, before = model(small("positions: none", "encoder-only")), ids()
    order = np.random.default_rng(3).permutation(12)
    base = m.hidden(input_ids=before)
    assert np.abs(m.hidden(input_ids=before[:, order]) - base[:, order]).max() < EXACT


def test_the_rows_of_a_batch_do_not_touch(model):
    m, before = model(small("positions: rotary")), ids(3)
    together = m.hidden(input_ids=before)
    for row in range(3):
        alone = m.hidden(input_ids=before[row : row + 1])
        assert np.abs(together[row] - alone[0]).max() < EXACT
