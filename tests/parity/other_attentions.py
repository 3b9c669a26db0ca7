"""Decoders whose attention does more than weigh values: sinks."""

from __future__ import annotations

import transformers as hf
from llamas import GATED, like_llama
from pairs import Pair
from small_models import EAGER, PRE_NORMS, small
from torch import Tensor, nn
from transformers.models.llama.modeling_llama import LlamaMLP


class Dense(nn.Module):
    """A feed-forward where gpt-oss has its experts, so that attention is compared alone."""

    def __init__(self, config: hf.PretrainedConfig) -> None:
        super().__init__()
        config.mlp_bias = False
        self.dense = LlamaMLP(config)

    def forward(self, x: Tensor) -> tuple[Tensor, None]:
        return self.dense(x), None


def gpt_oss() -> nn.Module:
    model = small(
        hf.GptOssConfig,
        hf.GptOssForCausalLM,
        num_key_value_heads=2,
        head_dim=12,
        sliding_window=5,
        num_local_experts=2,
        num_experts_per_tok=1,
        rope_parameters={
            "rope_type": "yarn",
            "rope_theta": 150000.0,
            "factor": 4.0,
            "original_max_position_embeddings": 512,
            "truncate": False,
        },
        **EAGER,
    )
    for layer in model.model.layers:
        layer.mlp = Dense(model.config)
    return model


GPT_OSS = Pair(
    "gpt_oss",
    """
name: gpt-oss
family: decoder-only
vocab_size: 64
d_model: 32
layers: 2
norm: rmsnorm
positions:
  type: rotary
  theta: 150000
  scaling: {type: yarn, factor: 4, original_max_positions: 512, truncate: false}
attention: {heads: 4, kv_heads: 2, head_dim: 12, sinks: true}
feed_forward: {type: glu, hidden: 48, activation: silu, bias: false}
blocks:
  local: {mask: causal & window(5)}
  global: {mask: causal}
pattern: [local, global]
head: language_model
""",
    gpt_oss,
    {
        **like_llama(PRE_NORMS),
        **{
            f"layers.{{i}}.{ours}": f"model.layers.{{i}}.{theirs.replace('mlp', 'mlp.dense')}"
            for ours, theirs in GATED.items()
        },
        "layers.{i}.attention.sinks": "model.layers.{i}.self_attn.sinks",
    },
    unmapped="",
)

OTHER_ATTENTIONS = (GPT_OSS,)
