"""ImageGPT (Chen et al., 2020): GPT-2 on pixels, each one of 512 colour clusters."""

from __future__ import annotations

from ..family import Family, Head
from ..values import Key, Row, Values
from ._rows import LAST, TOKEN_KEYS, changed
from .gpt2 import GPT2_KEYS, GPT2_NAMES, GPT2_SPEC, GPT2_UNUSED


def _colours(values: Values) -> int:
    """Number of logits: all tokens but the start token of an image."""
    return int(values["vocab_size"]) - 1


IMAGEGPT = Family(
    model_type="imagegpt",
    reads=GPT2_KEYS,
    optional={**TOKEN_KEYS, "n_inner": int},
    fixed={"add_cross_attention": False},
    irrelevant=frozenset(["reorder_and_upcast_attn", "n_ctx"]),
    spec=changed(GPT2_SPEC, {"norm": {"type": "rmsnorm", "eps": Key("layer_norm_epsilon")}}),
    last=LAST,
    names=GPT2_NAMES,
    prefix="transformer.",
    unused=GPT2_UNUSED,
    heads={
        "ImageGPTForCausalImageModeling": Head(
            spec={"head": {"type": "language_model", "vocab_size": Row(_colours, lambda _: {})}},
            names={"head": "lm_head"},
            fixed={"tie_word_embeddings": False},
        ),
        "ImageGPTModel": Head(),
        "ImageGPTForImageClassification": Head(
            spec={
                "head": {
                    "type": "classifier",
                    "classes": Key("id2label", read=len),
                    "pool": "mean",
                    "dropout": 0,
                    "bias": False,
                }
            },
            names={"head.output": "score"},
        ),
    },
)

FAMILIES = (IMAGEGPT,)
