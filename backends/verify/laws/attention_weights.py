"""The law `rows`: attention outputs are weighted means of the visible values."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from ....compiler.formula import Formula
from ....compiler.graph import ModuleGraph, Op
from ...reference import Pairs, admits
from ..arguments import Array, Data
from ..measure import Largest, Measured, NotHere
from ..observe import Observed, observing
from ..subject import Subject
from .tiling import tiles_of

CASES = ("plain", "padded left", "padded right", "every argument", "every argument, padded")
DIRECTIONS = 8


def rows(subject: Subject) -> Measured | NotHere:
    """Weights are non-negative, 0 for masked keys, and sum to 1 (to 0 if all keys are masked).

    So outputs equal the weighted sum and lie in the convex hull of the values, which is tested
    along some directions. With sinks, the sum is between 0 and 1 and the hull includes the origin,
    since a sink has a weight but no value.
    """
    largest, attends = Largest(), attentions(subject.graph)
    if not attends:
        return NotHere("there is no attention with scores")
    for case in CASES:
        data = subject.data(case)
        with tiles_of(subject.module, 0), observing(subject.module) as seen:  # in one tile
            subject.results(data)
        if len(seen) != len(attends):
            return NotHere(f"{len(seen)} of {len(attends)} attention ops can be observed")
        for (where, op), observed in zip(attends, seen, strict=True):
            _judge(subject, f"{case}: {where}", op, data, observed, largest)
    sunk = any(_sinks(op) for _, op in attends)
    return largest.measured("weights sum to less than 1 because of sinks" if sunk else "")


def attentions(graph: ModuleGraph) -> list[tuple[str, Op]]:
    """All attentions in order of computation: path and op."""
    found: list[tuple[str, Op]] = []
    for scope in graph.scopes.values():
        if scope.role != "layers":
            continue
        blocks = {block.name: block.path for block in graph.children(scope.path)}
        for layer, kind in enumerate(scope.order):
            found += [
                (f"{op.scope.replace(blocks[kind], f'{scope.path}.{layer}')}", op)
                for op in graph.subtree(blocks[kind])
                if op.kind == "attend"
            ]
    return found


def _sinks(op: Op) -> bool:
    return bool(op.arg("sinks"))


def _judge(
    subject: Subject, where: str, op: Op, data: Data, observed: Observed, largest: Largest
) -> None:
    weights, values = _folded(observed.weights), _folded(observed.values)
    sunk = _sinks(op)
    weights = weights[..., :-1] if sunk else weights
    values = values[..., :-1, :] if sunk else values
    admitted = np.broadcast_to(_admitted(subject, op, data, weights), weights.shape)
    largest.compare(np.where(admitted, 0.0, weights) + 1, np.ones_like(weights), f"{where}: hidden")
    largest.compare(np.minimum(weights, 0) + 1, np.ones_like(weights), f"{where}: negative")
    total, some = weights.sum(axis=-1), admitted.any(axis=-1)
    if sunk:
        over = np.maximum(total - 1, 0) + np.where(some, 0, total)  # a sink can have all the weight
        largest.compare(over + 1, np.ones_like(over), f"{where}: sum")
    else:
        largest.compare(total, np.where(some, 1.0, 0.0), f"{where}: sum")
    repeated = np.repeat(values, weights.shape[1] // values.shape[1], axis=1)
    result = _folded(observed.result)
    largest.compare(result, weights @ repeated, f"{where}: weighted sum")
    _in_hull(result, repeated, origin=sunk or not some.all(), where=where, largest=largest)


def _folded(x: Any) -> Array:
    """(B, H, T, S); of attentions along an axis of a stream, each row is a sequence."""
    array = _array(x)
    return array.reshape(-1, *array.shape[-3:])


def _in_hull(result: Array, values: Array, *, origin: bool, where: str, largest: Largest) -> None:
    """Test along some directions that no output exceeds all values."""
    directions = np.random.default_rng(0).standard_normal((values.shape[-1], DIRECTIONS))
    along, ends = result @ directions, values @ directions
    low, high = ends.min(axis=2, keepdims=True), ends.max(axis=2, keepdims=True)
    if origin:
        low, high = np.minimum(low, 0), np.maximum(high, 0)
    inside = np.clip(along, low, high)
    largest.compare(along, inside, f"{where}: hull")


def _admitted(subject: Subject, op: Op, data: Data, weights: Array) -> Array:
    """True where a query may attend to a key, (B, 1 or H, T, S)."""
    batch, heads, queries, keys = weights.shape
    names = _data_of(subject.graph, op)
    real = np.ones((batch, keys), bool)
    first = None  # chunks count from the first real token
    if names["attention_mask"] in data:
        real = _beside_others(subject, op, data[names["attention_mask"]] == 1, keys)
        first = real.argmax(axis=1)
    if queries != keys or _crosses(subject.graph, op):
        return real[:, None, None, :]
    pairs = Pairs.of(
        keys,
        document_ids=data.get(names["document_ids"]),
        prefix_length=data.get(names["prefix_length"]),
        global_mask=data.get(names["global_mask"]),
        first=first,
    )
    formula = op.attrs["formula"]
    parts: tuple[Any, ...] = (formula,) if isinstance(formula, Formula) else tuple(formula)
    shape = (batch, queries, keys)
    masks = [np.broadcast_to(admits(part, pairs), shape) for part in parts]
    of_heads = np.stack([masks[head * len(masks) // heads] for head in range(heads)], axis=1)
    found: Array = of_heads & real[:, None, None, :]
    return found


def _beside_others(subject: Subject, op: Op, real: Array, keys: int) -> Array:
    """The mask of a sequence with vectors that have none; these are real."""
    masks = [mask.arg("attention_mask") for mask in _masks(subject.graph, op)]
    padded = [subject.graph.producer(value) for value in masks if value]
    back = next((p.attrs["back"] for p in padded if p is not None and p.kind == "pad_mask"), 0)
    front = next((p.attrs["front"] for p in padded if p is not None and p.kind == "pad_mask"), 0)
    rest = keys - real.shape[1]
    before = rest - int(back) if front is None else int(front)
    return np.pad(real, ((0, 0), (before, rest - before)), constant_values=True)


def _crosses(graph: ModuleGraph, op: Op) -> bool:
    return any(mask.attrs.get("memory") for mask in _masks(graph, op))


def _masks(graph: ModuleGraph, op: Op) -> list[Op]:
    """The mask ops of an attention, through its mask or bias."""
    found, left = [], [value for value in (op.arg("mask"), op.arg("bias")) if value]
    while left:
        producer = graph.producer(left.pop())
        if producer is None:
            continue
        if producer.kind == "mask":
            found.append(producer)
        elif producer.kind in ("head_masks", "masked_bias"):
            left += [value for value in producer.inputs if value]
    return found


def _data_of(graph: ModuleGraph, op: Op) -> dict[str, str]:
    """The arguments of an attention's masks, by role."""
    roles = ("attention_mask", "document_ids", "prefix_length", "global_mask")
    found = dict.fromkeys(roles, "")
    for mask in _masks(graph, op):
        for role in roles:
            producer = graph.producer(mask.arg(role))
            if producer is not None and producer.kind == "pad_mask":
                producer = graph.producer(producer.arg("attention_mask"))
            if producer is not None and producer.kind == "argument":
                found[role] = producer.name
    return found


def _array(tensor: torch.Tensor) -> Array:
    found: Array = tensor.detach().double().cpu().numpy()
    return found
