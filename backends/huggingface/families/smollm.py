"""Decoders of which some layers know no positions: SmolLM 3 (Hugging Face, 2025) and EXAONE 4
(LG, 2025, arXiv:2507.11407)."""

from __future__ import annotations

from ..layers import Layer
from ..rotary import Rotary
from ..values import IfSet, Key, Values
from .llama import QK_NORMS, llama_like
from .olmo import OUTPUT_NORMS
from .rows import ALL_TASKS, causal_heads, every, local_and_global, mask_of

_ROTARY = Rotary()


def _smollm_layers(values: Values) -> list[Layer]:
    """Layers that rotate and layers that do not, of which some may have windows."""
    count, every_nth = values["num_hidden_layers"], values["no_rope_layer_interval"]
    turned = values["no_rope_layers"] or [int(i % every_nth != 0) for i in range(1, count + 1)]
    window = values["use_sliding_window"] and values["sliding_window"] is not None
    kinds = values["layer_types"] or [
        "sliding_attention" if window and not turns else "full_attention" for turns in turned
    ]
    layers: list[Layer] = []
    for kind, turns in zip(kinds, turned[:count], strict=True):
        name = ("turned" if turns else "free") + ("" if kind == "full_attention" else "_local")
        positions = _ROTARY(values) if turns else "none"
        layers.append((name, {"mask": mask_of(kind, values), "positions": positions}))
    return layers


SMOLLM3 = llama_like(
    "smollm3",
    "SmolLM3",
    defaults={
        "vocab_size": 128256,
        "hidden_size": 2048,
        "num_hidden_layers": 36,
        "num_attention_heads": 16,
        "num_key_value_heads": 4,
        "max_position_embeddings": 32768,
        "pad_token_id": 128004,
        "bos_token_id": 128000,
        "eos_token_id": 128001,
        "tie_word_embeddings": True,
        "rope_theta": 2_000_000.0,
        "no_rope_layer_interval": 4,
        "use_sliding_window": False,
        "attention_bias": False,
        "mlp_bias": False,
    },
    optional={"layer_types": list, "no_rope_layers": list, "sliding_window": int},
    irrelevant=frozenset(["max_window_layers", "pretraining_tp"]),
    spec={
        "positions": None,
        "attention": {"bias": Key("attention_bias")},
        "feed_forward": {"bias": Key("mlp_bias")},
    },
    layers=_smollm_layers,
    heads=causal_heads("SmolLM3", tasks=ALL_TASKS),
)


def _exaone_layers(values: Values) -> list[Layer]:
    """Only the layers with a window rotate, where there are windows."""
    said = values["sliding_window_pattern"]
    period = len(said) if isinstance(said, str) else said
    if values["sliding_window"] is None:
        period = 1
    return local_and_global(
        every(values, period),
        local={"positions": _ROTARY},
        **{"global": {"positions": IfSet("sliding_window", "none", _ROTARY)}},
    )


EXAONE4 = llama_like(
    "exaone4",
    "Exaone4",
    defaults={
        "vocab_size": 102400,
        "intermediate_size": 16384,
        "rms_norm_eps": 1e-5,
        "bos_token_id": 0,
        "sliding_window": 4096,
        "sliding_window_pattern": 4,
    },
    optional={"layer_types": list, "sliding_window": int, "sliding_window_pattern": object},
    spec={"positions": None, "norm_placement": "output", "attention": {"qk_norm": "head"}},
    layers=_exaone_layers,
    names={**OUTPUT_NORMS, **QK_NORMS},
    heads=causal_heads("Exaone4", tasks=ALL_TASKS),
)

FAMILIES = (SMOLLM3, EXAONE4)
