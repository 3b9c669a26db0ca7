"""T5Gemma (Zhang et al., 2025, arXiv:2504.06225): an encoder and a decoder of Gemma 2's layers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ..defaults import keys
from ..family import Family, Head
from ..layers import folded
from ..values import Key, Read, Values, filled
from ._llama_like import ATTENTION, GATED
from ._rows import every, local_and_global, token
from .gemma import GEMMA2

_PART = replace(
    GEMMA2,
    irrelevant=GEMMA2.irrelevant
    | {"classifier_dropout_rate", "cross_attention_hidden_size", "dropout_rate", "is_decoder"},
    fixed={},
)

_STACK = {key: value for key, value in GEMMA2.spec.items() if key not in ("family", "bias")}


def _both_ways(values: Values) -> dict[str, Any]:
    """The encoder's layers; windows extend `sliding_window` tokens to each side."""
    masks = {"global": "full", "local": f"band({values['sliding_window']})"}
    layers = local_and_global(values)
    return folded([(kind, {"mask": masks[kind]}) for kind, _ in layers])


def _stack(key: str) -> Read:
    """One stack: Gemma 2's layers with the values of this part of the config."""

    def read(values: Values) -> dict[str, Any]:
        own = every(values[key], 2)
        layers = _both_ways(own) if key == "encoder" else folded(local_and_global(own))
        return {**filled(_STACK, own), **layers}

    return read


def _rows(stack: str) -> dict[str, str]:
    layer = f"{stack}.layers.{{}}"
    inner: Mapping[Any, Any] = {**ATTENTION, **GATED}
    rows = {f"{stack}.{ours}": f"{stack}.{theirs}" for ours, theirs in inner.items()}
    for ours, theirs in (("attention", "self_attn"), ("cross_attention", "cross_attn")):
        rows[f"{layer}.{ours}_norm"] = f"{layer}.pre_{theirs}_layernorm"
        rows[f"{layer}.{ours}_output_norm"] = f"{layer}.post_{theirs}_layernorm"
    for part in ("query", "key", "value", "output"):
        rows[f"{layer}.cross_attention.{part}"] = (
            f"{layer}.cross_attn.{part[0]}_proj"  # q, k, v and o
        )
    return {
        **rows,
        f"{layer}.feed_forward_norm": f"{layer}.pre_feedforward_layernorm",
        f"{layer}.feed_forward_output_norm": f"{layer}.post_feedforward_layernorm",
        f"{stack}.token_embedding": f"{stack}.embed_tokens",
        f"{stack}.norm": f"{stack}.norm",
    }


T5GEMMA = Family(
    model_type="t5gemma",
    reads=keys(
        "vocab_size dropout_rate pad_token_id bos_token_id eos_token_id initializer_range",
        "tie_word_embeddings id2label",
    ),
    optional={"pad_token_id": int, "bos_token_id": int, "eos_token_id": object},
    irrelevant=frozenset(["attention_dropout", "classifier_dropout_rate"]),
    parts={"encoder": _PART, "decoder": _PART},
    spec={
        "family": "encoder-decoder",
        "dropout": Key("dropout_rate"),
        "bias": False,
        "encoder": _stack("encoder"),
        "decoder": _stack("decoder"),
    },
    last={
        "init": {"type": "normal", "std": Key("initializer_range")},
        "tokens": {
            "pad": token("pad_token_id"),
            "bos": token("bos_token_id"),
            "eos": token("eos_token_id"),
        },
    },
    names={**_rows("encoder"), **_rows("decoder")},
    prefix="model.",
    heads={
        "T5GemmaForConditionalGeneration": Head(
            spec={
                "head": {
                    "type": "language_model",
                    "tied": Key("tie_word_embeddings"),
                    "softcap": lambda values: values["decoder"]["final_logit_softcapping"],
                }
            },
            names={"head": "lm_head.out_proj"},
            untied={"lm_head.out_proj.weight": "decoder.embed_tokens.weight"},
        ),
        "T5GemmaModel": Head(),
    },
    note="Pass `attention_mask`: without it, padding is not masked",
)

FAMILIES = (T5GEMMA,)
