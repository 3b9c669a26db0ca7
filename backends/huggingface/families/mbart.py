"""mBART (Liu et al., 2020, arXiv:2001.08210): BART with pre-norm layers."""

from __future__ import annotations

from .bart import PRE_NORM, TASKS, bart_like

MBART = bart_like("mbart", "MBart", tasks=TASKS, spec=PRE_NORM)

FAMILIES = (MBART,)
