"""GPT-J (Wang and Komatsuzaki, 2021): interleaved rotary positions, parallel branches."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..defaults import keys
from ..family import Family, Head, Names
from ..values import Key, RefusedError, Values
from ._rows import LAST, causal_heads, changed
from .gpt2 import GPT2, GPT2_UNUSED

BIASED_HEAD = {"type": "language_model", "tied": Key("tie_word_embeddings"), "bias": True}


def _turned(values: Values) -> dict[str, Any]:
    width = values["n_embd"] // values["n_head"]
    rotated = values["rotary_dim"]
    if rotated is None:
        raise RefusedError("`rotary_dim: null` is not supported")
    return {"type": "rotary", "layout": "interleaved", "fraction": rotated / width}


_NOT_GPT_J = ("scale_attn_weights", "scale_attn_by_inverse_layer_idx")

_J_KEYS = keys(GPT2.reads, "rotary_dim", without=_NOT_GPT_J)

_J_SPEC = changed(
    GPT2.spec,
    {
        "positions": _turned,
        "residual": {"type": "parallel", "shared_norm": True},
        "attention": {"bias": False, "scale": None},
    },
)

J_NAMES: Names = {
    "token_embedding": "wte",
    "norm": "ln_f",
    "layers.{}.norm": "h.{}.ln_1",
    "layers.{}.attention.query": "h.{}.attn.q_proj",
    "layers.{}.attention.key": "h.{}.attn.k_proj",
    "layers.{}.attention.value": "h.{}.attn.v_proj",
    "layers.{}.attention.output": "h.{}.attn.out_proj",
    "layers.{}.feed_forward.up": "h.{}.mlp.fc_in",
    "layers.{}.feed_forward.down": "h.{}.mlp.fc_out",
}


def gptj_like(model_type: str, names: Names, heads: Mapping[str, Head]) -> Family:
    return Family(
        model_type=model_type,
        reads=_J_KEYS,
        optional={**GPT2.optional, "rotary_dim": int},
        fixed={"scale_attn_weights": True, "rotary": True},
        irrelevant=GPT2.irrelevant,
        spec=_J_SPEC,
        last=LAST,
        names=names,
        prefix="transformer.",
        unused=GPT2_UNUSED,
        heads=heads,
    )


GPTJ = gptj_like(
    "gptj",
    J_NAMES,
    causal_heads(
        "GPTJ",
        table="wte",
        spec={"head": BIASED_HEAD},
        tasks=("SequenceClassification", "QuestionAnswering"),
    ),
)

FAMILIES = (GPTJ,)
