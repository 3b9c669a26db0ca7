"""Encoders whose scores depend on the distance of key and query."""

from __future__ import annotations

from typing import Any

import transformers as hf
from pairs import Pair, Piece, Table, share_of_heads, within
from small_models import EAGER, small

from .rows import like_bert, masked_head

MPNET = Pair(
    "mpnet",
    """
name: mpnet
family: encoder-only
vocab_size: 64
max_positions: 48
d_model: 32
layers: 2
norm: {eps: 1e-12}
norm_placement: post
input: {normalize: true}
positions:
  - {type: learned, offset: 2, skip_padding: tokens}
  - {type: relative_bias, buckets: 32, max_distance: 128}
attention: {heads: 4}
feed_forward: {d_ff: 48, activation: gelu}
head: {type: language_model, tied: true, bias: true, transform: dense}
tokens: {pad: 1}
""",
    lambda: small(
        hf.MPNetConfig,
        hf.MPNetForMaskedLM,
        pad_token_id=1,
        bos_token_id=0,
        max_position_embeddings=50,
        **EAGER,
    ),
    {
        **like_bert("mpnet."),
        **within(
            "layers.{i}",
            "mpnet.encoder.layer.{i}",
            {
                "attention.query": "attention.attn.q",
                "attention.key": "attention.attn.k",
                "attention.value": "attention.attn.v",
                "attention.output": "attention.attn.o",
                "attention_norm": "attention.LayerNorm",
            },
        ),
        "relative_bias": "mpnet.encoder.relative_attention_bias",
        **masked_head("lm_head.dense", "lm_head.layer_norm", "lm_head.bias"),
    },
    places=False,
    caches=False,
    unmapped=r"lm_head\.decoder\..*",
)

DEBERTA_SIZES: dict[str, Any] = {
    "relative_attention": True,
    "pos_att_type": ["c2p", "p2c"],
    "position_biased_input": False,
    "max_position_embeddings": 48,
    "layer_norm_eps": 1e-7,
    "attn_implementation": "eager",
}

DEBERTA_LAYER: Table = {
    "attention.output": "attention.output.dense",
    "attention_norm": "attention.output.LayerNorm",
    "feed_forward.up": "intermediate.dense",
    "feed_forward.down": "output.dense",
    "feed_forward_norm": "output.LayerNorm",
}

DEBERTA_TABLE: Table = {
    "token_embedding": "deberta.embeddings.word_embeddings",
    "embedding_norm": "deberta.embeddings.LayerNorm",
    "relative_embedding": "deberta.encoder.rel_embeddings",
    "relative_norm": "deberta.encoder.LayerNorm",
    **within("layers.{i}", "deberta.encoder.layer.{i}", DEBERTA_LAYER),
    **masked_head(
        "cls.predictions.transform.dense",
        "cls.predictions.transform.LayerNorm",
        "cls.predictions.bias",
    ),
}


def like_deberta(parts: Table) -> Table:
    return {
        **DEBERTA_TABLE,
        **within("layers.{i}.attention", "deberta.encoder.layer.{i}.attention.self", parts),
    }


# Theirs also multiplies the embeddings by the mask: no real token sees what that changes.
DEBERTA_SPEC = """
name: deberta
family: encoder-only
vocab_size: 64
max_positions: 48
d_model: 32
layers: 2
norm: {eps: 1e-7}
norm_placement: post
input: {normalize: true}
attention: {heads: 4}
feed_forward: {d_ff: 48, activation: gelu}
head: {type: language_model, tied: true, bias: true, transform: dense}
tokens: {pad: 0}
"""

DEBERTA = Pair(
    "deberta",
    DEBERTA_SPEC.replace("{heads: 4}", "{heads: 4, bias: [query, value, output]}")
    + "positions: {type: disentangled, buckets: none, max_distance: 9}\n",
    lambda: small(
        hf.DebertaConfig,
        hf.DebertaForMaskedLM,
        **{**DEBERTA_SIZES, "max_relative_positions": 9, "type_vocab_size": 0},
    ),
    like_deberta(
        {
            "query.weight": share_of_heads("in_proj.weight", 0, 3, 4),
            "key.weight": share_of_heads("in_proj.weight", 1, 3, 4),
            "value.weight": share_of_heads("in_proj.weight", 2, 3, 4),
            "query.bias": "q_bias",
            "value.bias": "v_bias",
            "position_key": "pos_proj",
            "position_query": "pos_q_proj",
        }
    ),
    places=False,
    caches=False,
    unmapped=r"cls\.predictions\.decoder\..*",
)

DEBERTA_V2 = Pair(
    "deberta-v2",
    DEBERTA_SPEC
    + "positions: {type: disentangled, buckets: 8, max_distance: 20, normalize: true,\n"
    "            share_projections: true}\n",
    lambda: small(
        hf.DebertaV2Config,
        hf.DebertaV2ForMaskedLM,
        **{**DEBERTA_SIZES, "max_relative_positions": 20, "type_vocab_size": 0},
        position_buckets=8,
        share_att_key=True,
        norm_rel_ebd="layer_norm",
    ),
    like_deberta({"query": "query_proj", "key": "key_proj", "value": "value_proj"}),
    places=False,
    caches=False,
    unmapped=r"cls\.predictions\.decoder\..*",
)

DEBERTA_V2_OWN = Pair(
    "deberta-v2 with projections of its own",
    DEBERTA_SPEC + "positions: {type: disentangled, buckets: none, max_distance: 48,\n"
    "            terms: [position_to_content]}\n",
    lambda: small(
        hf.DebertaV2Config,
        hf.DebertaV2ForMaskedLM,
        **{**DEBERTA_SIZES, "pos_att_type": ["p2c"], "type_vocab_size": 0},
    ),
    like_deberta(
        {
            "query": "query_proj",
            "key": "key_proj",
            "value": "value_proj",
            "position_query": "pos_query_proj",
        }
    ),
    places=False,
    caches=False,
    unmapped=r"cls\.predictions\.decoder\..*",
)


def of_heads(name: str) -> Piece:
    """A weight that is stored as (in, H, E)."""
    return Piece(f"rel_attn.{name}", lambda tensor: tensor.flatten(1).t())


XLNET = Pair(
    "xlnet, one stream",
    """
name: xlnet
family: encoder-only
vocab_size: 64
d_model: 32
layers: 2
norm: {eps: 1e-12}
norm_placement: post
positions: transformer_xl
attention: {heads: 4, bias: false}
feed_forward: {d_ff: 48, activation: gelu}
head: {type: language_model, tied: true, bias: true}
""",
    lambda: hf.XLNetLMHeadModel(
        hf.XLNetConfig(vocab_size=64, d_model=32, n_layer=2, n_head=4, d_inner=48)
    ),
    {
        "token_embedding": "transformer.word_embedding",
        **within(
            "layers.{i}",
            "transformer.layer.{i}",
            {
                "attention.query.weight": of_heads("q"),
                "attention.key.weight": of_heads("k"),
                "attention.value.weight": of_heads("v"),
                "attention.position.weight": of_heads("r"),
                "attention.output.weight": Piece("rel_attn.o", lambda tensor: tensor.flatten(1)),
                "attention.content_bias": "rel_attn.r_w_bias",
                "attention.position_bias": "rel_attn.r_r_bias",
                "attention_norm": "rel_attn.layer_norm",
                "feed_forward.up": "ff.layer_1",
                "feed_forward.down": "ff.layer_2",
                "feed_forward_norm": "ff.layer_norm",
            },
        ),
        "head.bias": "lm_loss.bias",
    },
    places=False,
    caches=False,
    unmapped=r"lm_loss\.weight|transformer\.mask_emb|.*\.(seg_embed|r_s_bias)",
)
