"""Tables of positions of a model: what the emitted file computes, as tensors."""

from __future__ import annotations

from functools import partial

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
    "grid_sinusoid": ("sinusoid",),
    "step_sinusoid": ("step_sinusoid",),
    "rope_table": ("cos", "sin"),
    "grid_rope_table": ("cos", "sin"),
    "sharpness": ("temperature",),
    "alibi": ("alibi",),
    "relative_bias": ("relative_bias",),
}
"""Op with positions -> the names of its results."""
VECTORS = ("relative_embedding", "relative_keys", "relative_values")
"""Tables of vectors of distances, by the ends of their names."""

USUAL_TOKENS = 128


def position_table(
    model: nn.Module, *, spec: Source | None = None, tokens: int | None = None
) -> dict[str, Tensor]:
    """The positions of a model as tables, in float64.

    Learned and sinusoidal positions are `position_embedding` and `sinusoid` (T, D), rotary ones
    `cos` and `sin` (T, R/2), and biases of the scores `alibi` and `relative_bias` (H, T, T). The
    sinusoids of Transformer-XL and XLNet are those of the distances, (2*T, D), from the largest.
    Vectors of distances are `relative_keys` and `relative_values` (Shaw) and `relative_embedding`
    (DeBERTa), (U, …) as they are stored. Names begin with the stack, if there are several, and with
    the layer where each has its own. Convolutions and biases that depend on given pairs are not
    tables: a model with no other positions gives an empty dict.

    model, spec: as for `attention_maps`
    tokens: number of positions; default: max_positions, at most 128. Images have as many as patches

    Raises MapsError for a model without a known spec, and ValueError for a number of tokens that
    the model cannot have.
    """
    graph = known_graph(model, spec, "position_table")[0]
    tokens = _checked(graph, tokens)
    with torch.no_grad():
        weights = {
            name: tensor.double().cpu().numpy()
            for name, tensor in unwrapped(model).state_dict().items()
            if "position" in name or "relative" in name
        }
    found: dict[str, Tensor] = {}
    for op, layer, results in evaluate(graph, weights, partial(_holds_positions, graph), tokens):
        for name, array in zip(_names(op), results, strict=True):
            table = torch.from_numpy(array.copy())
            has_batch = graph.values[op.outputs[0]].shape[0].label == "B"
            key = _key(graph, op, layer, name)
            found.setdefault(key, table[0] if has_batch else table)
    return found


def _checked(graph: ModuleGraph, tokens: int | None) -> int:
    """The number of tokens. Raises ValueError for one that the model cannot have."""
    limits = {int(limit): stack for stack, limit in graph.limits.items()}
    if tokens is None:
        return min([USUAL_TOKENS, *limits])
    if type(tokens) is not int or tokens < 1:
        raise ValueError(f"tokens must be a whole number of at least 1, not {tokens!r}")
    if tokens > min(limits, default=tokens):
        raise ValueError(
            f"{graph.name} has {min(limits)} positions (max_positions of the stack "
            f"{limits[min(limits)]}), fewer than tokens={tokens}"
        )
    return tokens


def _names(op: Op) -> tuple[str, ...]:
    """The names of the tables that an op gives; none for an op without positions."""
    if op.kind == "table" and op.name.endswith(VECTORS):
        return (op.name,)
    names = KINDS.get(op.kind, ())
    return names if op.kind not in ("embedding", "table") or op.name in names else ()


def _holds_positions(graph: ModuleGraph, op: Op) -> bool:
    """Whether an op gives positions of its own stack: not those of a memory, nor of time steps."""
    if not _names(op) or graph.values[op.outputs[0]].shape[0].label == "M":
        return False
    if op.kind != "sinusoid":
        return True
    counted = _counted(graph, op.arg("positions"))
    return counted is not None and graph.scopes[op.scope].stack in ("", counted)


def _counted(graph: ModuleGraph, value: str) -> str | None:
    """The stack whose tokens a value counts, maybe scaled; None for other numbers."""
    op = graph.producer(value)
    if op is None or op.kind in ("position_ids", "relative_positions"):
        return None if op is None else str(op.attrs["stack"])
    found: str | None = None
    for each in op.inputs:
        found = found or _counted(graph, each)
    return found


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
