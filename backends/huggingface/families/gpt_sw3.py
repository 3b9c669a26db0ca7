"""GPT-SW3 (Ekgren et al., 2023, arXiv:2305.12987): GPT-2 under another name."""

from __future__ import annotations

from dataclasses import replace

from .gpt2 import GPT2

GPT_SW3 = replace(GPT2, model_type="gpt-sw3")

FAMILIES = (GPT_SW3,)
