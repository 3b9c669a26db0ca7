"""XLM-RoBERTa (Conneau et al., 2019, arXiv:1911.02116) and XL (2021, arXiv:2105.00572)."""

from __future__ import annotations

from ._as_decoder import with_decoder_class
from ._bert_like import PRE_NORM
from .roberta import roberta_like

XLM_ROBERTA = roberta_like("xlm-roberta", "XLMRoberta")

XLM_ROBERTA_XL = roberta_like(
    "xlm-roberta-xl",
    "XLMRobertaXL",
    spec={**PRE_NORM, "input": {"normalize": None}},
    names={
        "embedding_norm": None,
        "layers.{}.attention_norm": "encoder.layer.{}.attention.self_attn_layer_norm",
        "layers.{}.feed_forward_norm": "encoder.layer.{}.LayerNorm",
        "norm": "encoder.LayerNorm",
    },
)

FAMILIES = (
    with_decoder_class(XLM_ROBERTA, "XLMRobertaForCausalLM"),
    with_decoder_class(XLM_ROBERTA_XL, "XLMRobertaXLForCausalLM"),
)
