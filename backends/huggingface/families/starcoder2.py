"""StarCoder 2 (Lozhkov et al., 2024, arXiv:2402.19173)."""

from __future__ import annotations

from ..values import Key
from ._llama_like import MLP, llama_like
from ._rows import TOKENS_TOO, causal_heads, mask_of

STARCODER2 = llama_like(
    "starcoder2",
    "Starcoder2",
    defaults={
        "vocab_size": 49152,
        "hidden_size": 3072,
        "intermediate_size": 12288,
        "num_hidden_layers": 30,
        "num_attention_heads": 24,
        "num_key_value_heads": 2,
        "hidden_act": "gelu_pytorch_tanh",
        "max_position_embeddings": 4096,
        "initializer_range": 0.018042,
        "norm_epsilon": 1e-5,
        "use_bias": True,
        "residual_dropout": 0.0,
        "embedding_dropout": 0.0,
        "bos_token_id": 50256,
        "eos_token_id": 50256,
        "tie_word_embeddings": True,
    },
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
