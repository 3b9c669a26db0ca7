"""Llamas with RoPE scaling; 40 tokens exceed their original length of 16."""

from __future__ import annotations

import transformers as hf
from llamas import LLAMA, LLAMA_SPEC, PHI3, SCALED, llama
from pairs import Pair
from small_models import small


def scaled(scaling: str) -> str:
    return LLAMA_SPEC.replace("{type: rotary, theta: 500000}", SCALED % scaling)


DYNAMIC_ROPE = Pair(
    "llama with positions that slow down",
    scaled("{type: dynamic, factor: 3, original_max_positions: 16}"),
    lambda: llama(rope_type="dynamic", factor=3.0, positions=16),
    LLAMA.table,
    unmapped="",
)

YARN_ROPE = Pair(
    "llama with yarn",
    scaled("{type: yarn, factor: 4, original_max_positions: 512, beta_fast: 8}"),
    lambda: llama(
        rope_type="yarn", factor=4.0, original_max_position_embeddings=512, beta_fast=8.0
    ),
    LLAMA.table,
    unmapped="",
)

YARN_BETWEEN_PAIRS = Pair(
    "llama with yarn between pairs",
    scaled("{type: yarn, factor: 4, original_max_positions: 512, truncate: false}"),
    lambda: llama(
        rope_type="yarn", factor=4.0, original_max_position_embeddings=512, truncate=False
    ),
    LLAMA.table,
    unmapped="",
)

LONGROPE = Pair(
    "llama with long and short positions",
    scaled(
        "{type: longrope, short_factor: [1, 1.1, 1.3, 2], long_factor: [1, 2, 3, 5],"
        " original_max_positions: 16}",
    ),
    lambda: llama(
        rope_type="longrope",
        short_factor=[1.0, 1.1, 1.3, 2.0],
        long_factor=[1.0, 2.0, 3.0, 5.0],
        original_max_position_embeddings=16,
    ),
    LLAMA.table,
    unmapped="",
)


LONGROPE_PHI3 = Pair(
    "phi3 with long and short positions",
    LLAMA_SPEC.replace("name: llama", "name: phi3").replace(
        "theta: 500000",
        "fraction: 0.75, scaling: {type: longrope, short_factor: [1, 1.2, 1.5],"
        " long_factor: [1.1, 2, 4], original_max_positions: 16}",
    ),
    lambda: small(
        hf.Phi3Config,
        hf.Phi3ForCausalLM,
        num_key_value_heads=2,
        rms_norm_eps=1e-6,
        partial_rotary_factor=0.75,
        original_max_position_embeddings=16,
        rope_parameters={
            "rope_type": "longrope",
            "rope_theta": 10000.0,
            "short_factor": [1.0, 1.2, 1.5],
            "long_factor": [1.1, 2.0, 4.0],
        },
    ),
    PHI3.table,
    unmapped="",
)

SCALED_LLAMAS = (DYNAMIC_ROPE, YARN_ROPE, YARN_BETWEEN_PAIRS, LONGROPE, LONGROPE_PHI3)
