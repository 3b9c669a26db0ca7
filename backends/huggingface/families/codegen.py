"""CodeGen (Nijkamp et al., 2022, arXiv:2203.13474): GPT-J with fused projections."""

from __future__ import annotations

from ..layouts import Layout
from ._rows import causal_heads
from .gptj import BIASED_HEAD, J_NAMES, gptj_like

_CODEGEN_QVK = tuple(f"layers.{{}}.attention.{part}" for part in ("query", "value", "key"))

CODEGEN = gptj_like(
    "codegen",
    {**J_NAMES, _CODEGEN_QVK: Layout("h.{}.attn.qkv_proj", groups=4)},  # 4 devices
    causal_heads("CodeGen", table="wte", spec={"head": BIASED_HEAD}, tasks=()),
)

FAMILIES = (CODEGEN,)
