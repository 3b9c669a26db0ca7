"""Whether experts can use `torch.nn.functional.grouped_mm`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...compiler.graph import ModuleGraph
from .static import BuildError

if TYPE_CHECKING:
    import torch

MULTIPLE = 8  # elements: `grouped_mm` needs rows that are multiples of 16 bytes, here in bfloat16
DTYPES = ("float32", "bfloat16", "float16")


def require_grouped(graph: ModuleGraph) -> None:
    """Raise BuildError, with the reason, if `grouped_mm` cannot compute the experts."""
    if reason := why_not_grouped(graph):
        raise BuildError(f"--experts grouped does not apply to {graph.name}: {reason}")


def why_not_grouped(graph: ModuleGraph) -> str:
    """The reason, or ""."""
    ops = [op for op in graph.ops() if op.kind == "expert_linear"]
    if not ops:
        return "no layer has experts"
    widths = {int(width) for op in ops for width in op.weights[0].shape[1:]}
    odd = sorted(width for width in widths if width % MULTIPLE)
    if odd:
        return f"the widths of experts must be multiples of {MULTIPLE}, but one is {odd[0]}"
    return ""


def require_grouped_mm(dtype: torch.dtype | None) -> None:
    """Raise BuildError if this version of PyTorch has no `grouped_mm` for this dtype."""
    import torch

    if not hasattr(torch.nn.functional, "grouped_mm"):
        raise BuildError(
            f"--experts grouped needs PyTorch 2.10 or later; this is {torch.__version__}"
        )
    name = str(dtype or torch.get_default_dtype()).removeprefix("torch.")
    if name not in DTYPES:
        known = f"{', '.join(DTYPES[:-1])} or {DTYPES[-1]}"
        raise BuildError(f"--experts grouped supports {known}, not {name}")
