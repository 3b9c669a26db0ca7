"""Encoder-decoder models of transformers, and the specs that should equal them."""

from __future__ import annotations

from typing import Any

import transformers as hf
from pairs import Pair, Piece, Table, within
from torch import nn

# -- T5

T5_SPEC = """
name: t5
family: encoder-decoder
vocab_size: 64
d_model: 32
layers: 2
bias: false
norm: {type: rmsnorm, eps: 1e-6}
positions: {type: relative_bias, buckets: 8, max_distance: 20}
attention: {heads: 4, head_dim: 6, scale: none}
feed_forward: {d_ff: 48, activation: relu}
decoder:
  input: {tied: encoder}
  positions: {bidirectional: false}
head: {type: language_model, tied: true, input_scale: 0.17677669529663687}
tokens: {pad: 0, eos: 1, decoder_start: 0}
"""


def t5(config: type[Any] = hf.T5Config, **options: Any) -> nn.Module:
    sizes: dict[str, Any] = {
        "vocab_size": 64,
        "d_model": 32,
        "d_kv": 6,
        "d_ff": 48,
        "num_layers": 2,
        "num_heads": 4,
        "relative_attention_num_buckets": 8,
        "relative_attention_max_distance": 20,
        "decoder_start_token_id": 0,
        "attn_implementation": "sdpa",
    }
    model = {
        hf.T5Config: hf.T5ForConditionalGeneration,
        hf.UMT5Config: hf.UMT5ForConditionalGeneration,
    }
    made: nn.Module = model[config](config(**sizes, **options))
    return made


T5_ATTENTION = {"query": "q", "key": "k", "value": "v", "output": "o"}
T5_PLAIN = {"feed_forward.up": "wi", "feed_forward.down": "wo"}
T5_GATED = {"feed_forward.gate": "wi_0", "feed_forward.up": "wi_1", "feed_forward.down": "wo"}


def t5_stack(stack: str, feed_forward: Table, *, last: int) -> Table:
    layer: dict[str, Any] = {
        "attention_norm": "layer.0.layer_norm",
        **within("attention", "layer.0.SelfAttention", T5_ATTENTION),
        "attention.relative_bias": "layer.0.SelfAttention.relative_attention_bias",
        "feed_forward_norm": f"layer.{last}.layer_norm",
        **{name: f"layer.{last}.DenseReluDense.{entry}" for name, entry in feed_forward.items()},
    }
    if last == 2:
        layer["cross_attention_norm"] = "layer.1.layer_norm"
        layer |= within("cross_attention", "layer.1.EncDecAttention", T5_ATTENTION)
    return {
        **within(f"{stack}.layers.{{i}}", f"{stack}.block.{{i}}", layer),
        f"{stack}.relative_bias": (
            f"{stack}.block.0.layer.0.SelfAttention.relative_attention_bias"
        ),
        f"{stack}.norm": f"{stack}.final_layer_norm",
    }


def like_t5(feed_forward: Table) -> Table:
    return {
        "token_embedding": "shared",
        "head": "lm_head",
        **t5_stack("encoder", feed_forward, last=1),
        **t5_stack("decoder", feed_forward, last=2),
    }


T5_COPIES = r"(encoder|decoder)\.embed_tokens\.weight"
T5 = Pair(
    "t5",
    T5_SPEC,
    t5,
    like_t5(T5_PLAIN),
    unmapped=T5_COPIES + r"|lm_head\.weight",
)

TIED_HEAD = "{type: language_model, tied: true, input_scale: 0.17677669529663687}"
GATED_SPEC = T5_SPEC.replace(
    "d_ff: 48, activation: relu", "type: glu, d_ff: 48, activation: gelu_tanh"
)

T5_GATED_UNTIED = Pair(
    "t5 v1.1",
    GATED_SPEC.replace(TIED_HEAD, "language_model"),
    lambda: t5(feed_forward_proj="gated-gelu", tie_word_embeddings=False),
    like_t5(T5_GATED),
    unmapped=T5_COPIES,
)

UMT5 = Pair(
    "umt5",
    GATED_SPEC.replace("max_distance: 20}", "max_distance: 20, share: layer}"),
    lambda: t5(hf.UMT5Config, feed_forward_proj="gated-gelu"),
    like_t5(T5_GATED),
    unmapped=T5_COPIES + r"|lm_head\.weight",
)

# -- BART

BART_ATTENTION = {"query": "q_proj", "key": "k_proj", "value": "v_proj", "output": "out_proj"}
BART_LAYER: Table = {
    **within("attention", "self_attn", BART_ATTENTION),
    "attention_norm": "self_attn_layer_norm",
    **within("cross_attention", "encoder_attn", BART_ATTENTION),
    "cross_attention_norm": "encoder_attn_layer_norm",
    "feed_forward.up": "fc1",
    "feed_forward.down": "fc2",
    "feed_forward_norm": "final_layer_norm",
}

BART_BIAS = Piece("final_logits_bias", lambda tensor: tensor[0])


def like_bart() -> Table:
    table: dict[str, Any] = {"token_embedding": "model.shared"}
    for stack in ("encoder", "decoder"):
        root = f"model.{stack}"
        table[f"{stack}.position_embedding"] = f"{root}.embed_positions"
        table[f"{stack}.embedding_norm"] = f"{root}.layernorm_embedding"
        table[f"{stack}.norm"] = f"{root}.layer_norm"
        table |= within(f"{stack}.layers.{{i}}", f"{root}.layers.{{i}}", BART_LAYER)
    return table


BART_SPEC = """
name: bart
family: encoder-decoder
vocab_size: 64
max_positions: 48
d_model: 32
layers: 2
dropout: 0.1
norm_placement: post
input: {normalize: true}
positions: {type: learned, offset: 2}
attention: {heads: 4}
feed_forward: {d_ff: 48, activation: gelu}
decoder:
  input: {tied: encoder}
  attention: {heads: 2}
head: {type: language_model, tied: true, bias: true}
tokens: {pad: 1, bos: 0, eos: 2, decoder_start: 2}
"""

BART_SIZES: dict[str, Any] = {
    "vocab_size": 64,
    "max_position_embeddings": 48,
    "d_model": 32,
    "encoder_layers": 2,
    "decoder_layers": 2,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 2,
    "encoder_ffn_dim": 48,
    "decoder_ffn_dim": 48,
    "forced_eos_token_id": None,
    "attn_implementation": "sdpa",
}
BART_COPIES = r"model\.(encoder|decoder)\.embed_tokens\.weight|lm_head\.weight"

BART = Pair(
    "bart",
    BART_SPEC,
    lambda: hf.BartForConditionalGeneration(hf.BartConfig(**BART_SIZES)),
    {**like_bart(), "head.bias": BART_BIAS},
    unmapped=BART_COPIES,
)

MBART = Pair(
    "mbart",
    BART_SPEC.replace("norm_placement: post", "norm_placement: pre").replace(
        "input: {normalize: true}", "input: {scale: sqrt_d_model, normalize: true}"
    ),
    lambda: hf.MBartForConditionalGeneration(hf.MBartConfig(**BART_SIZES, scale_embedding=True)),
    {**like_bart(), "head.bias": BART_BIAS},
    unmapped=BART_COPIES,
)

ENCODER_DECODERS = (T5, T5_GATED_UNTIED, UMT5, BART, MBART)
