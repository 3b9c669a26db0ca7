"""StarCoder 2 (Lozhkov et al., 2024, arXiv:2402.19173)."""

from __future__ import annotations

from ..defaults import keys
from ..values import Key
from ._llama_like import MLP, llama_like
from ._rows import TOKENS_TOO, causal_heads, mask_of

STARCODER2 = llama_like(
    "starcoder2",
    "Starcoder2",
    reads=keys("num_key_value_heads norm_epsilon use_bias residual_dropout embedding_dropout"),
    optional={"sliding_window": int},
    without=["rms_norm_eps"],
    irrelevant=frozenset(
        [
            "activation_function",
            "attention_softmax_in_fp32",
            "layer_norm_epsilon",
            "mlp_type",
            "norm_type",
            "scale_attention_softmax_in_fp32",
            "scale_attn_weights",
        ]
    ),
    spec={
        "bias": Key("use_bias"),
        "dropout": Key("residual_dropout"),
        "input": {"dropout": Key("embedding_dropout")},
        "norm": {"type": "layernorm", "eps": Key("norm_epsilon")},
        "feed_forward": MLP,
    },
    layers=lambda values: [("block", {"mask": mask_of("sliding_attention", values)})],
    names={
        "layers.{}.feed_forward.up": "layers.{}.mlp.c_fc",
        "layers.{}.feed_forward.down": "layers.{}.mlp.c_proj",
    },
    heads=causal_heads("Starcoder2", tasks=TOKENS_TOO),
)

FAMILIES = (STARCODER2,)
