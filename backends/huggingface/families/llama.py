"""Decoders built as Llama is (Touvron et al., 2023, arXiv:2302.13971): Mistral, Qwen."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from ..family import Family, Names
from ..layers import Layer
from ..rotary import Rotary
from ..values import Key, Values, activation
from .rows import (
    ALL_TASKS,
    LABELS,
    LAST,
    TOKEN_KEYS,
    causal_heads,
    changed,
    head_dim,
    kv_heads,
    local_and_global,
    longest,
    mask_of,
)

ATTENTION: Names = {
    "layers.{}.attention.query": "layers.{}.self_attn.q_proj",
    "layers.{}.attention.key": "layers.{}.self_attn.k_proj",
    "layers.{}.attention.value": "layers.{}.self_attn.v_proj",
    "layers.{}.attention.output": "layers.{}.self_attn.o_proj",
}
GATED: Names = {
    "layers.{}.feed_forward.gate": "layers.{}.mlp.gate_proj",
    "layers.{}.feed_forward.up": "layers.{}.mlp.up_proj",
    "layers.{}.feed_forward.down": "layers.{}.mlp.down_proj",
}
PRE_NORMS: Names = {
    "layers.{}.attention_norm": "layers.{}.input_layernorm",
    "layers.{}.feed_forward_norm": "layers.{}.post_attention_layernorm",
}
EMBEDDED: Names = {"token_embedding": "embed_tokens", "norm": "norm"}
QK_NORMS: Names = {
    "layers.{}.attention.query_norm": "layers.{}.self_attn.q_norm",
    "layers.{}.attention.key_norm": "layers.{}.self_attn.k_norm",
}
NAMES: Names = {**EMBEDDED, **PRE_NORMS, **ATTENTION, **GATED}

DEFAULTS: dict[str, Any] = {
    "vocab_size": 32000,
    "hidden_size": 4096,
    "intermediate_size": 11008,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "hidden_act": "silu",
    "max_position_embeddings": 2048,
    "initializer_range": 0.02,
    "rms_norm_eps": 1e-6,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "tie_word_embeddings": False,
    "rope_theta": 10000.0,
    "attention_dropout": 0.0,
    "id2label": LABELS,
}
OPTIONAL: dict[str, type] = {**TOKEN_KEYS, "num_key_value_heads": int, "head_dim": int}
ROTARY = Rotary()
UNUSED = (r"(layers\.\d+\.self_attn\.)?rotary_emb\.inv_freq",)

SPEC: dict[str, Any] = {
    "family": "decoder-only",
    "vocab_size": Key("vocab_size"),
    "max_positions": longest,
    "d_model": Key("hidden_size"),
    "layers": Key("num_hidden_layers"),
    "bias": False,
    "norm": {"type": "rmsnorm", "eps": Key("rms_norm_eps")},
    "positions": ROTARY,
    "attention": {
        "heads": Key("num_attention_heads"),
        "kv_heads": kv_heads,
        "head_dim": head_dim,
        "dropout": Key("attention_dropout"),
    },
    "feed_forward": {
        "type": "glu",
        "hidden": Key("intermediate_size"),
        "activation": activation("hidden_act"),
    },
}

LLAMA = Family(
    model_type="llama",
    defaults={**DEFAULTS, "attention_bias": False, "mlp_bias": False},
    optional=OPTIONAL,
    irrelevant=frozenset(["pretraining_tp", "use_flash_attn"]),
    spec={
        **SPEC,
        "attention": {**SPEC["attention"], "bias": Key("attention_bias")},
        "feed_forward": {**SPEC["feed_forward"], "bias": Key("mlp_bias")},
    },
    last=LAST,
    names=NAMES,
    prefix="model.",
    unused=UNUSED,
    heads=causal_heads("Llama", tasks=ALL_TASKS),
)


def llama_like(
    model_type: str,
    name: str,
    *,
    defaults: Mapping[str, Any] = {},
    optional: Mapping[str, type] = {},
    spec: Mapping[str, Any] = {},
    without: Collection[str] = (),
    names: Names | None = None,
    **more: Any,
) -> Family:
    """A family that differs from Llama in these rows.

    defaults, optional, spec, names: what is other or more; in `spec`, mappings merge and None
        takes a key away
    without: keys of config.json that Llama has and this family has not
    """
    kept = {key: value for key, value in DEFAULTS.items() if key not in without}
    more.setdefault("heads", causal_heads(name))
    return Family(
        model_type=model_type,
        defaults={**kept, **defaults},
        optional={**OPTIONAL, **optional},
        spec=changed(SPEC, spec),
        last=more.pop("last", LAST),
        names={**NAMES, **(names or {})},
        prefix=more.pop("prefix", "model."),
        unused=more.pop("unused", UNUSED),
        **more,
    )


MISTRAL = llama_like(
    "mistral",
    "Mistral",
    defaults={
        "intermediate_size": 14336,
        "num_key_value_heads": 8,
        "max_position_embeddings": 4096 * 32,
        "sliding_window": 4096,
    },
    optional={"sliding_window": int},
    layers=lambda values: [("block", {"mask": mask_of("sliding_attention", values)})],
    heads=causal_heads("Mistral", tasks=ALL_TASKS, answers="model."),
)


def _qwen_layers(values: Values) -> list[Layer]:
    """Qwen's windows: in the layers from `max_window_layers` on, if they are switched on."""
    said = values["layer_types"]
    if said is None:
        switch = values["sliding_window"] is not None and values["use_sliding_window"]
        first = values["max_window_layers"] if switch else values["num_hidden_layers"]
        said = [
            "sliding_attention" if index >= first else "full_attention"
            for index in range(values["num_hidden_layers"])
        ]
    window = values["sliding_window"] if values["use_sliding_window"] else None
    return local_and_global({**values, "layer_types": said, "sliding_window": window})


QWEN_DEFAULTS = {
    "vocab_size": 151936,
    "intermediate_size": 22016,
    "num_key_value_heads": 32,
    "max_position_embeddings": 32768,
    "use_sliding_window": False,
    "sliding_window": 4096,
    "max_window_layers": 28,
    "bos_token_id": None,
    "eos_token_id": None,
}
QWEN_OPTIONAL = {"sliding_window": int, "layer_types": list}

QWEN2 = llama_like(
    "qwen2",
    "Qwen2",
    defaults=QWEN_DEFAULTS,
    optional=QWEN_OPTIONAL,
    spec={"attention": {"bias": ["query", "key", "value"]}},
    layers=_qwen_layers,
    heads=causal_heads("Qwen2", tasks=ALL_TASKS),
)

QWEN3 = llama_like(
    "qwen3",
    "Qwen3",
    defaults={**QWEN_DEFAULTS, "attention_bias": False, "head_dim": 128},
    optional=QWEN_OPTIONAL,
    spec={"attention": {"bias": Key("attention_bias"), "qk_norm": "head"}},
    names=QK_NORMS,
    layers=_qwen_layers,
    heads=causal_heads("Qwen3", tasks=ALL_TASKS),
)


FAMILIES = (LLAMA, MISTRAL, QWEN2, QWEN3)
