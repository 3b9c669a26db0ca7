"""Llama 4 (Meta, 2025): chunked attention with rotary positions, every fourth layer full and
without; routing weights multiply the inputs of the experts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ..defaults import keys
from ..family import Head, Names
from ..layers import Layer
from ..layouts import Layout
from ..rotary import Rotary
from ..values import Key, Values
from ._llama_like import UNUSED, llama_like
from ._moe import PART, TRAINED, dense_and_sparse, glu, mixture
from ._rows import LANGUAGE_MODEL, causal_heads, layer_types, mask_of

_ROUTER: dict[str, Any] = {"score": "sigmoid", "normalize": False}

_MIXTURE = mixture(
    "intermediate_size",
    experts="num_local_experts",
    weigh="input",
    shared_expert=glu("intermediate_size"),
    router=_ROUTER,
)

_UNIT = {"type": "head", "norm": {"affine": False}, "after_positions": True}


def _rotary_layers(values: Values) -> list[bool]:
    """Which layers have rotary positions."""
    rotated = values["no_rope_layers"]  # 1: rotary positions; 0: none
    interval = values["no_rope_layer_interval"]
    return [
        bool(rotated[i]) if rotated else (i + 1) % interval != 0
        for i in range(values["num_hidden_layers"])
    ]


def _without_rotary(values: Values) -> Any:
    """Positions of a layer without RoPE: temperature scaling of queries, or none."""
    if not values["attn_temperature_tuning"]:
        return "none"
    return {
        "type": "temperature",
        "length": values["floor_scale"],
        "slope": values["attn_scale"],
        "offset": 1,
    }


def _layers(values: Values) -> list[Layer]:
    rotary_layers = _rotary_layers(values)
    chunked = values["attention_chunk_size"] is not None
    kinds = [f"{'chunked' if chunked and rotary else 'full'}_attention" for rotary in rotary_layers]
    types = layer_types({**values, "layer_types": values["layer_types"] or kinds})
    others: list[Layer] = []
    for layer_type, rotary in zip(types, rotary_layers, strict=True):
        local = layer_type == "chunked_attention"
        name = "local" if local else "global"
        block: dict[str, Any] = {"mask": mask_of(layer_type, values)}
        block["positions"] = Rotary(interleaved=True)(values) if rotary else _without_rotary(values)
        if values["use_qk_norm"] and rotary:
            block["attention"] = {"qk_norm": _UNIT}
        usual = local is rotary
        others.append((name if usual else f"{name}_{'rotary' if rotary else 'still'}", block))
    step = values["interleave_moe_layer_step"]
    count = values["num_hidden_layers"]
    listed = values["moe_layers"]
    sparse = range(step - 1, count, step) if listed is None else listed
    return dense_and_sparse(
        values,
        [i in sparse for i in range(count)],
        _MIXTURE,
        dense="intermediate_size_mlp",
        others=others,
    )


_SHARED = {f"{PART}.shared_expert.{part}": part for part in ("gate", "up", "down")}

_NAMES: Names = {
    **{
        f"layers.{{}}.feed_forward.{part}": f"layers.{{}}.feed_forward.{part}_proj"
        for part in ("gate", "up", "down")
    },
    **{
        ours: f"layers.{{}}.feed_forward.shared_expert.{part}_proj"
        for ours, part in _SHARED.items()
    },
    f"{PART}.router": "layers.{}.feed_forward.router",
    (f"{PART}.experts.gate", f"{PART}.experts.up"): Layout(
        "layers.{}.feed_forward.experts.gate_up_proj", transposed=True, axis=1
    ),
    f"{PART}.experts.down": Layout("layers.{}.feed_forward.experts.down_proj", transposed=True),
}

LLAMA4_TEXT = llama_like(
    "llama4_text",
    "Llama4",
    reads=keys(
        "intermediate_size_mlp num_key_value_heads head_dim num_experts_per_tok",
        "num_local_experts interleave_moe_layer_step use_qk_norm no_rope_layer_interval",
        "attention_chunk_size attn_temperature_tuning floor_scale attn_scale attention_bias",
    ),
    optional={
        "layer_types": list,
        "moe_layers": list,
        "no_rope_layers": list,
        "attention_chunk_size": int,
    },
    irrelevant=TRAINED | {"for_llm_compressor"},
    spec={
        "positions": None,
        "attention": {"bias": Key("attention_bias")},
        "feed_forward": None,
    },
    layers=_layers,
    names=_NAMES,
    heads={
        name: head
        for name, head in causal_heads("Llama4", tasks=()).items()
        if name == "Llama4ForCausalLM"
    }
    | {"Llama4TextModel": Head()},
    note="Chunks count from index 0, including padding; the library counts from the first token",
)

LLAMA4 = replace(
    LLAMA4_TEXT,
    model_type="llama4",
    fixed={"model_type": "llama4_text"},
    inside="text_config",
    prefix="language_model.model.",
    unused=(*UNUSED, r"(vision_model|multi_modal_projector)\..*"),
    heads={
        "Llama4ForConditionalGeneration": Head(
            spec=LANGUAGE_MODEL,
            names={"head": "language_model.lm_head"},
            untied={"language_model.lm_head.weight": "embed_tokens.weight"},
            partial=True,
        )
    },
    note=f"Text only: images are not supported. {LLAMA4_TEXT.note}",
)

FAMILIES = (LLAMA4_TEXT, LLAMA4)
