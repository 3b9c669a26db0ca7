"""Tables of positions of a model: what the emitted file computes, as tensors."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ...compiler.graph import ModuleGraph, Op
from ..reference.evaluate import evaluate
from .attention_maps import known_graph, unwrapped
from .compile import Source

KINDS = {
    "embedding": ("position_embedding",),
    "table": ("position_embedding",),
    "sinusoid": ("sinusoid",),
    "rope_table": ("cos", "sin"),
    "grid_rope_table": ("cos", "sin"),
    "sharpness": ("temperature",),
    "alibi": ("alibi",),
    "relative_bias": ("relative_bias",),
}
"""Op with positions -> the names of its results."""

USUAL_TOKENS = 128


def position_table(
    model: nn.Module, *, spec: Source | None = None, tokens: int | None = None
) -> dict[str, Tensor]:
    """The positions of a model as tables, in float64.

    Learned and sinusoidal positions are `position_embedding` and `sinusoid` (T, D), rotary ones
    `cos` and `sin` (T, R/2), and biases of the scores `alibi` and `relative_bias` (H, T, T). Names
    begin with the stack, if there are several, and with the layer where each has its own.

    model, spec: as for `attention_maps`
    tokens: number of positions; default: max_positions, at most 128

    Raises MapsError for a model without a known spec.
    """
    graph = known_graph(model, spec, "position_table")[0]
    limits = [int(limit) for limit in graph.limits.values()]
    tokens = tokens or min([USUAL_TOKENS, *limits])
    with torch.no_grad():
        weights = {
            name: tensor.double().cpu().numpy()
            for name, tensor in unwrapped(model).state_dict().items()
            if "position" in name or "relative" in name
        }
    found: dict[str, Tensor] = {}
    for op, layer, results in evaluate(graph, weights, _holds_positions, tokens):
        for name, array in zip(KINDS[op.kind], results, strict=True):
            table = torch.from_numpy(array.copy())
            has_batch = op.kind not in ("alibi", "relative_bias", "table", "grid_rope_table")
            key = _key(graph, op, layer, name)
            found.setdefault(key, table[0] if has_batch else table)
    return found


def _holds_positions(op: Op) -> bool:
    names = KINDS.get(op.kind, ())
    return bool(names) and (op.kind not in ("embedding", "table") or op.name in names)


def _key(graph: ModuleGraph, op: Op, layer: int, name: str) -> str:
    """`cos`, `encoder.relative_bias` or `layers.3.relative_bias`; kinds of layers by block."""
    scope = graph.scopes[op.scope]
    prefix = scope.weights.replace("{layer}", str(layer)) if layer >= 0 else ""
    if not prefix and len(graph.stack_facts) > 1:
        prefix = scope.stack
    value = graph.values[op.outputs[0]]
    kind = value.name.removesuffix(value.base) if value.base else ""
    own = f"{kind}{name}" if kind and op.kind in ("rope_table", "grid_rope_table") else name
    return ".".join(part for part in (prefix, own) if part)
