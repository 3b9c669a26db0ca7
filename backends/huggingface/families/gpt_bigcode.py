"""GPT-BigCode (Ben Allal et al., 2023, arXiv:2301.03988): SantaCoder, StarCoder."""

from __future__ import annotations

from ..defaults import keys
from ..family import Family, Names
from ..layouts import Layout
from ..values import Only, Values
from ._rows import LAST, QKV, SEQUENCE, causal_heads, changed
from ._tasks import scored
from .gpt2 import GPT2, GPT2_UNUSED

SCALE_BY_LAYER = "scale_attn_by_inverse_layer_idx"


def _bigcode_names(values: Values) -> Names:
    """Tensor names; query, key and value are fused by head, except in multi-query attention."""
    groups = None if values["multi_query"] else values["n_head"]
    return {
        "token_embedding": "wte",
        "position_embedding": "wpe",
        "norm": "ln_f",
        "layers.{}.attention_norm": "h.{}.ln_1",
        QKV: Layout("h.{}.attn.c_attn", groups=groups),
        "layers.{}.attention.output": "h.{}.attn.c_proj",
        "layers.{}.feed_forward_norm": "h.{}.ln_2",
        "layers.{}.feed_forward.up": "h.{}.mlp.c_fc",
        "layers.{}.feed_forward.down": "h.{}.mlp.c_proj",
    }


GPT_BIGCODE = Family(
    model_type="gpt_bigcode",
    reads=keys(GPT2.reads, "multi_query", without=[SCALE_BY_LAYER]),
    optional=GPT2.optional,
    irrelevant=GPT2.irrelevant
    | {
        "attention_softmax_in_fp32",
        "inference_runner",
        "max_batch_size",
        "max_sequence_length",
        "num_key_value_heads",
        "pad_key_length",
        "pre_allocate_kv_cache",
        "scale_attention_softmax_in_fp32",
        "validate_runner_input",
    },
    spec=changed(
        GPT2.spec,
        {
            "attention": {
                "kv_heads": Only("multi_query", True, 1),
                "scale": Only("scale_attn_weights", False, "none"),
            }
        },
    ),
    last=LAST,
    names=_bigcode_names,
    prefix="transformer.",
    unused=GPT2_UNUSED,
    heads={
        **causal_heads("GPTBigCode", table="wte", tasks=SEQUENCE),
        "GPTBigCodeForTokenClassification": scored(dropout=0.1),
    },
)

FAMILIES = (GPT_BIGCODE,)
