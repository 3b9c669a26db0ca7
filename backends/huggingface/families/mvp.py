"""MVP (Tang et al., 2022, arXiv:2206.12131): BART without its prompts."""

from __future__ import annotations

from .bart import TASKS, bart_like

MVP = bart_like(
    "mvp",
    "Mvp",
    tasks=TASKS,
    fixed={"use_prompt": False},
    irrelevant=frozenset(["prompt_length", "prompt_mid_dim"]),
)

FAMILIES = (MVP,)
