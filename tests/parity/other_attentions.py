"""Decoders with other attention: sinks and gates."""

from __future__ import annotations

from dataclasses import replace

import transformers as hf
from llamas import GATED, QUERY_KEY_NORMS, like_llama
from pairs import Pair, within
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
feed_forward: {type: glu, d_ff: 48, activation: silu, bias: false}
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


class PerHead(nn.Module):
    """A gate for each head, where AFMoE has one for each number."""

    def __init__(self, width: int, heads: int, head_dim: int) -> None:
        super().__init__()
        self.head_dim = head_dim
        self.gate = nn.Linear(width, heads, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.gate(x).repeat_interleave(self.head_dim, dim=-1)


def afmoe(*, of_heads: bool = False) -> nn.Module:
    model = small(
        hf.AfmoeConfig,
        hf.AfmoeForCausalLM,
        num_key_value_heads=2,
        head_dim=12,
        num_dense_layers=2,
        layer_types=["sliding_attention", "full_attention"],
        sliding_window=5,
        mup_enabled=True,
    )
    for layer in model.model.layers if of_heads else ():
        layer.self_attn.gate_proj = PerHead(32, 4, 12)
    return model


AFMOE = Pair(
    "afmoe",
    """
name: afmoe
family: decoder-only
vocab_size: 64
d_model: 32
layers: 2
bias: false
norm: rmsnorm
norm_placement: sandwich
input: {scale: sqrt_d_model}
attention: {heads: 4, kv_heads: 2, head_dim: 12, qk_norm: head, output_gate: elementwise}
feed_forward: {type: glu, d_ff: 48, activation: silu}
blocks:
  local: {mask: causal & window(5), positions: rotary}
  global: {mask: causal}
pattern: [local, global]
head: language_model
""",
    afmoe,
    {
        **like_llama(QUERY_KEY_NORMS),
        **within(
            "layers.{i}",
            "model.layers.{i}",
            {
                "attention_norm": "input_layernorm",
                "attention_output_norm": "post_attention_layernorm",
                "feed_forward_norm": "pre_mlp_layernorm",
                "feed_forward_output_norm": "post_mlp_layernorm",
                "attention.output_gate": "self_attn.gate_proj",
            },
        ),
    },
    unmapped="",
)

AFMOE_BY_HEAD = replace(
    AFMOE,
    name="afmoe with gates of heads",
    spec=AFMOE.spec.replace("elementwise", "headwise"),
    theirs=lambda: afmoe(of_heads=True),
    table={
        **AFMOE.table,
        "layers.{i}.attention.output_gate": "model.layers.{i}.self_attn.gate_proj.gate",
    },
)

OTHER_ATTENTIONS = (GPT_OSS, AFMOE, AFMOE_BY_HEAD)
