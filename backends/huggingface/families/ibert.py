"""I-BERT (Kim et al., 2021, arXiv:2101.01321), without its integer arithmetic."""

from __future__ import annotations

from .roberta import roberta_like

IBERT = roberta_like(
    "ibert",
    "IBert",
    "ibert.",
    fixed={"quant_mode": False},
    irrelevant=frozenset(["force_dequant"]),
    unused=[r".*(_scaling_factor|_integer|\.x_min|\.x_max|act_scaling_factor|\.shift)"],
)

FAMILIES = (IBERT,)
