"""CTRL (Keskar et al., 2019, arXiv:1909.05858): the first words say what kind of text follows."""

from __future__ import annotations

from ..family import Family
from ..values import Key
from ._rows import LABELS, LAST, TOKEN_KEYS, causal_heads
from ._tasks import scored

CTRL = Family(
    model_type="ctrl",
    defaults={
        "vocab_size": 246534,
        "n_positions": 256,
        "n_embd": 1280,
        "n_layer": 48,
        "n_head": 16,
        "dff": 8192,
        "resid_pdrop": 0.1,
        "embd_pdrop": 0.1,
        "layer_norm_epsilon": 1e-6,
        "initializer_range": 0.02,
        "bos_token_id": None,
        "eos_token_id": None,
        "tie_word_embeddings": True,
        "id2label": LABELS,
    },
    optional=TOKEN_KEYS,
    fixed={"layer_norm_epsilon": 1e-6},  # norms of the layers have it, whatever it says
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
