"""Relative keys and values (Shaw et al., 2018) against Wav2Vec2-BERT and against the paper."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch

import modelwright as mw

SPEC = """
name: alone
family: encoder-only
d_model: 12
layers: 1
input: {type: features}
positions: {type: shaw, max_distance: 3, values: %s}
attention: {heads: 2}
feed_forward: none
norm: none
residual: none
"""


def model(values: str) -> Any:
    """One attention and nothing else, in float64, every weight moved."""
    made: Any = mw.compile(mw.loads(SPEC % values), dtype="float64").eval()
    torch.manual_seed(0)
    for weight in made.parameters():
        torch.nn.init.normal_(weight)
    return made


@torch.no_grad()
def test_relative_keys_are_those_of_wav2vec2_bert() -> None:
    pytest.importorskip("transformers")
    from transformers import Wav2Vec2BertConfig
    from transformers.models.wav2vec2_bert.modeling_wav2vec2_bert import Wav2Vec2BertSelfAttention

    config = Wav2Vec2BertConfig(
        hidden_size=12,
        num_attention_heads=2,
        position_embeddings_type="relative_key",
        left_max_position_embeddings=3,
        right_max_position_embeddings=3,
    )
    ours, theirs = model("false"), Wav2Vec2BertSelfAttention(config).double().eval()
    own = ours.layers[0].attention
    pairs = {"q": own.query, "k": own.key, "v": own.value, "out": own.output}
    for name, layer in pairs.items():
        getattr(theirs, f"linear_{name}").load_state_dict(layer.state_dict())
    theirs.distance_embedding.load_state_dict(own.relative_keys.state_dict())
    x = torch.randn(2, 9, 12, dtype=torch.float64)
    torch.testing.assert_close(ours(x), theirs(x)[0], rtol=1e-12, atol=1e-12)


@torch.no_grad()
def test_values_are_those_of_the_paper() -> None:
    """Equations 3 and 4, one query, head and key at a time."""
    ours = model("true")
    own, x = ours.layers[0].attention, torch.randn(9, 12, dtype=torch.float64)
    q, k, v = (f(x).view(9, 2, 6).numpy() for f in (own.query, own.key, own.value))
    keys, values = (e.weight.numpy() for e in (own.relative_keys, own.relative_values))
    found = np.zeros((9, 2, 6))
    for i, head in np.ndindex(9, 2):
        rows = [min(max(j - i, -3), 3) + 3 for j in range(9)]
        scores = [q[i, head] @ (k[j, head] + keys[rows[j]]) / math.sqrt(6) for j in range(9)]
        shares = np.exp(scores) / np.exp(scores).sum()
        found[i, head] = sum(shares[j] * (v[j, head] + values[rows[j]]) for j in range(9))
    expected = own.output(torch.from_numpy(found).flatten(1))
    torch.testing.assert_close(ours(x[None])[0], expected, rtol=1e-12, atol=1e-12)
