"""What a class of the library does in training that no spec says: a comment of the imported YAML.

Results without training mode are the same.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

RATE = re.compile(r"dropout|pdrop")
OF_HEADS = re.compile(r"classif|summary|qa_")
KEYS = {
    "layerdrop": "leaves out whole layers",
    "encoder_layerdrop": "leaves out whole layers of the encoder",
    "decoder_layerdrop": "leaves out whole layers of the decoder",
    "apply_spec_augment": "masks spans of frames and features",
    "router_jitter_noise": "multiplies the inputs of routers by noise",
    "moe_jitter_eps": "multiplies the inputs of routers by noise",
    "pos_embed_jitter": "moves the positions of patches",
    "pos_embed_rescale": "scales the positions of patches",
    "pos_embed_shift": "moves the positions of patches",
}
"""Keys that are without effect on the imported model -> what the library does if one is set."""

_AFTER_NORM = "also applies dropout to the outputs of the last norms"
_ONE_BRANCH = "applies dropout to the outputs of feed-forwards, but not to those of attention"
_OWN_RATE = "applies dropout to the outputs of attention at the rate of attention weights"
PLACES = {
    "albert": "applies dropout to the outputs of attention, but not to those of feed-forwards",
    "big_bird": "applies dropout to embeddings before their norm",
    "bigbird_pegasus": "does not apply `activation_dropout` in the encoder",
    "distilbert": _ONE_BRANCH,
    "falcon": f"{_OWN_RATE}, and to the weights only with ALiBi",
    "longt5": _AFTER_NORM,
    "modernbert": f"{_OWN_RATE}, but not to those of feed-forwards",
    "modernbert-decoder": f"{_OWN_RATE}, but not to those of feed-forwards",
    "mt5": _AFTER_NORM,
    "persimmon": _ONE_BRANCH,
    "stablelm": _ONE_BRANCH,
    "switch_transformers": _AFTER_NORM,
    "t5": _AFTER_NORM,
    "t5gemma": _AFTER_NORM,
    "umt5": _AFTER_NORM,
    "xlm-roberta-xl": _OWN_RATE,
    "xlnet": "also applies dropout to the vectors of relative positions and to the last outputs",
}
"""Model type -> where its dropout differs, if any rate is above 0."""


def in_training(model_type: str, config: Mapping[str, Any], read: Mapping[str, Any]) -> str:
    """The sentence about a config; "" if the imported model is trained like the library's.

    read: the keys that the imported model depends on, with the library's defaults
    """
    found = [
        f"{what} (`{key}`)" for key, what in KEYS.items() if config.get(key) and key not in read
    ]
    rates = {key for key, rate in {**read, **config}.items() if RATE.search(key) and rate}
    if model_type in PLACES and any(not OF_HEADS.search(key) for key in rates):
        found.insert(0, PLACES[model_type])
    return f"In training, the library {' and '.join(found)}" if found else ""
