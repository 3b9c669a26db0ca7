"""Qwen's mixtures (2024, arXiv:2407.10671; 2025, arXiv:2505.09388) and others whose files are
alike: OLMoE (Muennighoff et al., 2024, arXiv:2409.02060), FlexOlmo (2025, arXiv:2507.07024),
Hunyuan (2024, arXiv:2411.02265) and Aria's decoder (2024, arXiv:2410.05993)."""

from __future__ import annotations

from typing import Any

from ..layers import Layer
from ..layouts import Layout
from ..values import IfSet, Key, RefusedError, Values
from .expert_rows import (
    EXPERTS,
    PART,
    TRAINED,
    dense_and_sparse,
    glu,
    mixture,
    router,
    separate,
    several,
    shared,
)
from .llama import QK_NORMS, QWEN_DEFAULTS, QWEN_OPTIONAL, llama_like
from .olmo import OUTPUT_NORMS
from .relatives import HUNYUAN_NORMS, HUNYUAN_SPEC
from .rows import ALL_TASKS, SEQUENCE, causal_heads, local_and_global, mask_of

_QWEN = {**QWEN_DEFAULTS, "hidden_size": 2048, "num_hidden_layers": 24}
_SPARSE = {
    "decoder_sparse_step": 1,
    "mlp_only_layers": [],
    "norm_topk_prob": False,
}
_NORMALIZED = {"normalize": Key("norm_topk_prob")}


def qwen_sparse(values: Values, experts: str) -> list[bool]:
    """Every `decoder_sparse_step`-th layer, but those of `mlp_only_layers`."""
    layers = range(values["num_hidden_layers"])
    step, dense = values["decoder_sparse_step"], values["mlp_only_layers"]
    return [i not in dense and values[experts] > 0 and (i + 1) % step == 0 for i in layers]


_QWEN2_MIXTURE = mixture(
    router=_NORMALIZED, shared_expert=glu("shared_expert_intermediate_size"), shared_gate=True
)


def _qwen2_layers(values: Values) -> list[Layer]:
    """Windows are in every second layer of the first ones, if they are switched on."""
    said = values["layer_types"]
    if said is None:
        first = values["max_window_layers"] if values["use_sliding_window"] else 0
        said = [
            "full_attention" if i % 2 or i >= first else "sliding_attention"
            for i in range(values["num_hidden_layers"])
        ]
    others = local_and_global({**values, "layer_types": said})
    return dense_and_sparse(
        values, qwen_sparse(values, "num_experts"), _QWEN2_MIXTURE, others=others
    )


QWEN2_MOE = llama_like(
    "qwen2_moe",
    "Qwen2Moe",
    defaults={
        **_QWEN,
        **_SPARSE,
        "intermediate_size": 5632,
        "num_attention_heads": 16,
        "num_key_value_heads": 16,
        "qkv_bias": True,
        "num_experts": 60,
        "num_experts_per_tok": 4,
        "moe_intermediate_size": 1408,
        "shared_expert_intermediate_size": 5632,
    },
    optional=QWEN_OPTIONAL,
    irrelevant=TRAINED,
    spec={
        "attention": {"bias": IfSet("qkv_bias", ["query", "key", "value"])},
        "feed_forward": None,
    },
    layers=_qwen2_layers,
    names={
        **EXPERTS,
        **shared("mlp.shared_expert"),
        f"{PART}.shared_gate": "layers.{}.mlp.shared_expert_gate",
    },
    heads=causal_heads("Qwen2Moe", tasks=ALL_TASKS, answers="model."),
)

_QWEN3_MIXTURE = mixture(experts="num_local_experts", router=_NORMALIZED)


def _qwen3_layers(values: Values) -> list[Layer]:
    window = values["sliding_window"] if values["use_sliding_window"] else None
    mask = mask_of("sliding_attention", {**values, "sliding_window": window})
    others = [("", {"mask": mask})] * values["num_hidden_layers"]
    return dense_and_sparse(
        values, qwen_sparse(values, "num_local_experts"), _QWEN3_MIXTURE, others=others
    )


QWEN3_MOE = llama_like(
    "qwen3_moe",
    "Qwen3Moe",
    defaults={
        **_QWEN,
        **_SPARSE,
        "intermediate_size": 6144,
        "num_key_value_heads": 4,
        "attention_bias": False,
        "num_local_experts": 128,
        "num_experts_per_tok": 8,
        "moe_intermediate_size": 768,
    },
    optional={"sliding_window": int},
    aliases={"num_experts": "num_local_experts"},
    irrelevant=TRAINED | {"max_window_layers"},
    spec={
        "attention": {"bias": Key("attention_bias"), "qk_norm": "head"},
        "feed_forward": None,
    },
    layers=_qwen3_layers,
    names={**EXPERTS, **QK_NORMS},
    heads=causal_heads("Qwen3Moe", tasks=ALL_TASKS, answers="model."),
)

_OLMO: dict[str, Any] = {
    "attention": {"bias": Key("attention_bias"), "qk_norm": "projection"},
    "feed_forward": mixture("intermediate_size", router=_NORMALIZED),
}

OLMOE = llama_like(
    "olmoe",
    "Olmoe",
    defaults={
        "vocab_size": 50304,
        "hidden_size": 2048,
        "intermediate_size": 2048,
        "num_hidden_layers": 16,
        "num_attention_heads": 16,
        "max_position_embeddings": 4096,
        "rms_norm_eps": 1e-5,
        "pad_token_id": 1,
        "bos_token_id": None,
        "eos_token_id": 50279,
        "attention_bias": False,
        "num_experts": 64,
        "num_experts_per_tok": 8,
        "norm_topk_prob": False,
    },
    optional={"clip_qkv": float},
    aliases={"num_local_experts": "num_experts"},
    irrelevant=TRAINED,
    spec={**_OLMO, "attention": {**_OLMO["attention"], "clip_qkv": Key("clip_qkv")}},
    names={**EXPERTS, **QK_NORMS},
    heads=causal_heads("Olmoe", tasks=()),
)

FLEX_OLMO = llama_like(
    "flex_olmo",
    "FlexOlmo",
    defaults={
        "vocab_size": 100352,
        "max_position_embeddings": 4096,
        "pad_token_id": 100277,
        "bos_token_id": None,
        "eos_token_id": 100257,
        "rope_theta": 500000.0,
        "attention_bias": False,
        "num_experts": 7,
        "num_experts_per_tok": 5,
        "norm_topk_prob": False,
    },
    aliases={"num_local_experts": "num_experts"},
    irrelevant=TRAINED,
    spec={**_OLMO, "norm_placement": "output"},
    names={**EXPERTS, **QK_NORMS, **OUTPUT_NORMS},
    heads=causal_heads("FlexOlmo", tasks=()),
)


def _alike(name: str) -> Any:
    """A number that the config may say for each layer, and that must be one for all."""

    def read(values: Values) -> int:
        said = values[name] if isinstance(values[name], list) else [values[name]]
        if len(set(said)) != 1:
            raise RefusedError(f"`{name}` that differs from layer to layer is not supported yet")
        return int(said[0])

    return read


HUNYUAN_MOE = llama_like(
    "hunyuan_v1_moe",
    "HunYuanMoEV1",
    defaults={
        "vocab_size": 290943,
        "rms_norm_eps": 1e-5,
        "pad_token_id": 0,
        "attention_bias": False,
        "num_experts": 1,
        "moe_topk": 1,
    },
    optional={"num_experts": object, "moe_topk": object},
    aliases={"num_local_experts": "num_experts", "num_experts_per_tok": "moe_topk"},
    irrelevant=TRAINED | {"eod_token_id", "pretraining_tp"},
    spec={
        **HUNYUAN_SPEC,
        "feed_forward": {
            **mixture("intermediate_size"),
            "experts": _alike("num_experts"),
            "top_k": _alike("moe_topk"),
            "shared_expert": glu("intermediate_size"),
        },
    },
    names={
        **HUNYUAN_NORMS,
        **router("mlp.gate.wg"),
        **separate("mlp.experts"),
        **shared("mlp.shared_mlp"),
    },
    heads=causal_heads("HunYuanMoEV1", tasks=SEQUENCE),
)


def _aria_shared(values: Values) -> dict[str, Any]:
    said = several("intermediate_size", "moe_num_shared_experts")(values)
    return {**said, "bias": values["mlp_bias"]}


ARIA = llama_like(
    "aria_text",
    "AriaText",
    defaults={
        "intermediate_size": 4096,
        "pad_token_id": 2,
        "attention_bias": False,
        "mlp_bias": False,
        "moe_num_experts": 8,
        "moe_topk": 2,
        "moe_num_shared_experts": 2,
    },
    irrelevant=TRAINED | {"pretraining_tp"},
    spec={
        "attention": {"bias": Key("attention_bias")},
        "feed_forward": {
            **mixture("intermediate_size", experts="moe_num_experts", top_k="moe_topk"),
            "expert": {**glu("intermediate_size"), "activation": "silu"},
            "shared_expert": _aria_shared,
        },
    },
    names={
        **router("mlp.router"),
        (f"{PART}.experts.gate", f"{PART}.experts.up"): Layout(
            "layers.{}.mlp.experts.fc1.weight", transposed=True, axis=1
        ),
        f"{PART}.experts.down": Layout("layers.{}.mlp.experts.fc2.weight", transposed=True),
        **shared("mlp.shared_experts"),
    },
    heads=causal_heads("AriaText", tasks=()),
)

FAMILIES = (QWEN2_MOE, QWEN3_MOE, OLMOE, FLEX_OLMO, HUNYUAN_MOE, ARIA)
