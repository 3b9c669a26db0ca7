"""BLOOM (BigScience, 2022, arXiv:2211.05100): ALiBi."""

from __future__ import annotations

from ..defaults import keys
from ..family import Family
from ..layouts import Layout
from ..values import IfSet, Key
from ._rows import LAST, QKV, TOKEN_KEYS, causal_heads
from ._tasks import scored

BLOOM = Family(
    model_type="bloom",
    reads=keys(
        "vocab_size hidden_size n_layer n_head layer_norm_epsilon initializer_range",
        "hidden_dropout attention_dropout apply_residual_connection_post_layernorm",
        "bos_token_id eos_token_id tie_word_embeddings id2label",
    ),
    optional=TOKEN_KEYS,
    aliases={
        "num_attention_heads": "n_head",
        "num_hidden_layers": "n_layer",
        "n_embed": "hidden_size",
    },
    fixed={"n_inner": None, "skip_bias_add": True, "skip_bias_add_qkv": False},
    irrelevant=frozenset(
        [
            "attention_softmax_in_fp32",
            "bias_dropout_fusion",
            "masked_softmax_fusion",
            "offset_alibi",
            "pretraining_tp",
            "seq_length",
            "slow_but_exact",
            "unk_token_id",
        ]
    ),
    spec={
        "family": "decoder-only",
        "vocab_size": Key("vocab_size"),
        "d_model": Key("hidden_size"),
        "layers": Key("n_layer"),
        "dropout": Key("hidden_dropout"),
        "norm": {"eps": Key("layer_norm_epsilon")},
        "residual": IfSet("apply_residual_connection_post_layernorm", {"from": "normed"}),
        "input": {"normalize": True, "dropout": 0},
        "positions": "alibi",
        "attention": {"heads": Key("n_head"), "dropout": Key("attention_dropout")},
        "feed_forward": {"activation": "gelu_tanh"},
    },
    last=LAST,
    names={
        "token_embedding": "word_embeddings",
        "embedding_norm": "word_embeddings_layernorm",
        "norm": "ln_f",
        "layers.{}.attention_norm": "h.{}.input_layernorm",
        QKV: Layout("h.{}.self_attention.query_key_value", groups=Key("n_head")),
        "layers.{}.attention.output": "h.{}.self_attention.dense",
        "layers.{}.feed_forward_norm": "h.{}.post_attention_layernorm",
        "layers.{}.feed_forward.up": "h.{}.mlp.dense_h_to_4h",
        "layers.{}.feed_forward.down": "h.{}.mlp.dense_4h_to_h",
    },
    prefix="transformer.",
    heads={
        **causal_heads(
            "Bloom", table="word_embeddings", tasks=("SequenceClassification", "QuestionAnswering")
        ),
        "BloomForTokenClassification": scored(dropout=0.1),
    },
)

FAMILIES = (BLOOM,)
