"""MPT (MosaicML, 2023): ALiBi, no biases."""

from __future__ import annotations

from typing import Any

from ..defaults import keys
from ..family import Family
from ..irrelevant import IRRELEVANT_INSIDE
from ..layouts import Layout
from ..values import Key, RefusedError, Values
from ._rows import LAST, QKV, TOKEN_KEYS, causal_heads
from ._tasks import scored

_MPT_FIXED = {
    "attn_type": "multihead_attention",
    "prefix_lm": False,
    "qk_ln": False,
    "attn_uses_sequence_id": False,
    "alibi": True,
    "alibi_bias_max": 8,
}


_MPT_OTHERS = frozenset(["attn_impl", "attn_pdrop", "clip_qkv", "model_type", "softmax_scale"])


def _in_attention(name: str) -> Any:
    """A value of `attn_config`; the others must be those of MPT-7B."""

    def read(values: Values) -> Any:
        part = values["attn_config"] or {}
        for key in part.keys() - _MPT_FIXED.keys() - _MPT_OTHERS - IRRELEVANT_INSIDE:
            if part[key] not in (None, False):
                raise RefusedError(f"`attn_config: {key}` is not a known option of mpt")
        for key, wanted in _MPT_FIXED.items():
            if part.get(key, wanted) != wanted:
                text = f"`attn_config: {{{key}: {part[key]}}}` is not supported"
                raise RefusedError(f"{text}, only {wanted}")
        return part.get(name)

    return read


MPT = Family(
    model_type="mpt",
    reads=keys(
        "vocab_size d_model n_layers n_heads max_seq_len layer_norm_epsilon initializer_range",
        "bos_token_id eos_token_id tie_word_embeddings id2label",
    ),
    optional={**TOKEN_KEYS, "attn_config": dict},
    fixed={"expansion_ratio": 4, "logit_scale": None, "no_bias": True},
    irrelevant=frozenset(
        [
            "emb_pdrop",
            "embedding_fraction",
            "init_config",
            "init_device",
            "learned_pos_emb",
            "norm_type",
            "resid_pdrop",
            "tokenizer_name",
            "verbose",
        ]
    ),
    spec={
        "family": "decoder-only",
        "vocab_size": Key("vocab_size"),
        "max_positions": Key("max_seq_len"),
        "d_model": Key("d_model"),
        "layers": Key("n_layers"),
        "dropout": _in_attention("attn_pdrop"),
        "bias": False,
        "norm": {"eps": Key("layer_norm_epsilon"), "bias": False},
        "input": {"dropout": 0},
        "positions": {"type": "alibi", "slopes": "ceil"},
        "attention": {
            "heads": Key("n_heads"),
            "clip_qkv": _in_attention("clip_qkv"),
            "scale": _in_attention("softmax_scale"),
        },
    },
    last=LAST,
    names={
        "token_embedding": "wte",
        "norm": "norm_f",
        "layers.{}.attention_norm": "blocks.{}.norm_1",
        QKV: Layout("blocks.{}.attn.Wqkv"),
        "layers.{}.attention.output": "blocks.{}.attn.out_proj",
        "layers.{}.feed_forward_norm": "blocks.{}.norm_2",
        "layers.{}.feed_forward.up": "blocks.{}.ffn.up_proj",
        "layers.{}.feed_forward.down": "blocks.{}.ffn.down_proj",
    },
    prefix="transformer.",
    heads={
        **causal_heads("Mpt", table="wte", tasks=("SequenceClassification", "QuestionAnswering")),
        "MptForTokenClassification": scored(dropout=0.1),
    },
)

FAMILIES = (MPT,)
