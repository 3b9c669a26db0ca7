"""Small models whose costs are measured and compared with the cost report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from modelwright.backends.pytorch import emit, import_text
from modelwright.backends.verify.measured import BATCH, TOKENS, Measured
from modelwright.backends.verify.shrink import shrink
from modelwright.compiler import lower
from modelwright.spec import ModelSpec, load

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def measured(
    spec: ModelSpec, tokens: int = TOKENS, dtype: str = "float32", **options: Any
) -> Measured:
    """A spec as it is, built with these options."""
    graph = lower(spec)
    return Measured(spec, graph, import_text(emit(graph, **options), graph.name), tokens, dtype)


def example(name: str, **options: Any) -> Measured:
    return measured(shrink(load(EXAMPLES / f"{name}.yaml")), **options)


__all__ = ["BATCH", "EXAMPLES", "Measured", "example", "measured"]
