"""CTRL (Keskar et al., 2019, arXiv:1909.05858)."""

from __future__ import annotations

from ..defaults import keys
from ..family import Family
from ..values import Key
from ._rows import LAST, TOKEN_KEYS, causal_heads
from ._tasks import scored

CTRL = Family(
    model_type="ctrl",
    reads=keys(
        "vocab_size n_positions n_embd n_layer n_head dff resid_pdrop embd_pdrop",
        "layer_norm_epsilon initializer_range bos_token_id eos_token_id tie_word_embeddings",
        "id2label",
    ),
    optional=TOKEN_KEYS,
    fixed={"layer_norm_epsilon": 1e-6},  # the value that the library uses in layers
    irrelevant=frozenset(
        [
            "attn_pdrop",
            "from_tf",
            "n_ctx",
            "summary_activation",
            "summary_first_dropout",
            "summary_proj_to_labels",
            "summary_type",
            "summary_use_proj",
        ]
    ),
    spec={
        "family": "decoder-only",
        "vocab_size": Key("vocab_size"),
        "max_positions": Key("n_positions"),
        "d_model": Key("n_embd"),
        "layers": Key("n_layer"),
        "dropout": Key("resid_pdrop"),
        "norm": {"eps": 1e-6},
        "input": {"scale": "sqrt_d_model", "dropout": Key("embd_pdrop")},
        "positions": "sinusoidal",
        "attention": {"heads": Key("n_head"), "dropout": 0},
        "feed_forward": {"d_ff": Key("dff"), "activation": "relu"},
    },
    last=LAST,
    names={
        "token_embedding": "w",
        "norm": "layernorm",
        "layers.{}.attention_norm": "h.{}.layernorm1",
        "layers.{}.attention.query": "h.{}.multi_head_attention.Wq",
        "layers.{}.attention.key": "h.{}.multi_head_attention.Wk",
        "layers.{}.attention.value": "h.{}.multi_head_attention.Wv",
        "layers.{}.attention.output": "h.{}.multi_head_attention.dense",
        "layers.{}.feed_forward_norm": "h.{}.layernorm2",
        "layers.{}.feed_forward.up": "h.{}.ffn.0",
        "layers.{}.feed_forward.down": "h.{}.ffn.2",
    },
    prefix="transformer.",
    heads={
        "CTRLForSequenceClassification": scored(pool="last", dropout=0, bias=False),
        **causal_heads(
            "CTRL",
            table="w",
            spec={
                "head": {"type": "language_model", "tied": Key("tie_word_embeddings"), "bias": True}
            },
            names={"ForCausalLM": "CTRLLMHeadModel"},
            tasks=(),
        ),
    },
)

FAMILIES = (CTRL,)
