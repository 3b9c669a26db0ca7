"""MetaCLIP 2 (Chuang et al., 2025, arXiv:2507.22062): built like CLIP."""

from __future__ import annotations

from .clip import clip_like

METACLIP_2 = clip_like("metaclip_2", "MetaClip2")

FAMILIES = (METACLIP_2,)
