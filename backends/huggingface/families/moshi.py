"""The text decoder of Moshi (Défossez et al., 2024, arXiv:2410.00037)."""

from __future__ import annotations

from ..defaults import keys
from ..family import Head
from ..values import Row
from ._llama_like import ATTENTION, llama_like
from ._multimodal import FEWER_WORDS
from ._rows import causal_heads

MOSHI = llama_like(
    "moshi",
    "Moshi",
    reads=keys("ffn_dim"),
    without=["intermediate_size", "id2label"],
    irrelevant=frozenset(
        [
            "audio_encoder_config",
            "audio_vocab_size",
            "depth_decoder_config",
            "num_codebooks",
            "sliding_window",  # not used by the library
        ]
    ),
    spec={
        "input": {"vocab_size": lambda values: values["vocab_size"] + 1},
        "feed_forward": {
            "d_ff": Row(lambda values: values["ffn_dim"] // 2, lambda value: {"ffn_dim": 2 * value})
        },
    },
    names={
        **{ours: f"{theirs}.linear" for ours, theirs in ATTENTION.items()},
        ("layers.{}.feed_forward.gate", "layers.{}.feed_forward.up"): "layers.{}.mlp.fc1",
        "layers.{}.feed_forward.down": "layers.{}.mlp.fc2",
    },
    heads={
        "MoshiForCausalLM": causal_heads("Moshi", spec=FEWER_WORDS, tasks=())["MoshiForCausalLM"],
        "MoshiModel": Head(),
    },
)

FAMILIES = (MOSHI,)
