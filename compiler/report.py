"""The costs of a model: weights, FLOPs and memory, counted from the graph without allocation.

FLOPs count 2 per multiply-add, of matrix products only, without masked scores. Training is 3 ×
forward (Kaplan et al. 2020, arXiv:2001.08361).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import partial

from . import report_text
from .computed import computed_share, computed_shares, flops_share
from .cost import Poly
from .costs import BYTES, Activations, Costs, Decoding
from .count import Lengths, active_weights, attends, flops_by_part, stored_layers, weights_by_part
from .decoding import cached, decoding_step
from .graph import ModuleGraph
from .kept import SavedCount
from .layer_rows import layer_rows
from .op_costs import default_sequence, lengths_at, mask_density, not_whole, op_costs
from .tile_counts import TileCounts
from .weight_rows import weight_rows


class Report(Costs):
    """The costs of a model, with methods to print them."""

    def render(self) -> str:
        """The report as a table to read."""
        return report_text.render(self)

    def _repr_html_(self) -> str:
        """The parts and totals as tables in a notebook."""
        return report_text.html(self)

    def weight_table(self) -> str:
        """All weights: name, shape, size, copies and part; the last line is the total."""
        return report_text.weight_table(self)

    def layer_table(self) -> str:
        """All modules: class, output shape, parameters, FLOPs and shares."""
        return report_text.layer_table(self)

    def kernels(self) -> str:
        """Which kernel computes each attention, in which layers, and why."""
        return report_text.kernels(self)


def report(
    graph: ModuleGraph,
    batch: int = 1,
    sequence: int | None = None,
    dtype: str = "float32",
    *,
    static_cache: bool = False,
) -> Report:
    """The costs of a model for `batch` sequences of `sequence` tokens in each stack.

    sequence: sequence length in tokens; default: max_positions, at most 1024
    dtype: data type of weights, activations and cache
    static_cache: of a file built with `--static-cache`, whose layers with a window have rings

    Raises ValueError for a number below 1, an unknown dtype, a `sequence` other than the number of
    tokens of an image model, and one that is not a multiple of the steps of interleaved inputs.
    """
    if dtype not in BYTES:
        raise ValueError(f"unknown dtype {dtype!r}; expected one of: {', '.join(BYTES)}")
    length = default_sequence(graph) if sequence is None else sequence
    if graph.decided() and length != default_sequence(graph):
        raise ValueError(
            f"sequence is {length}, but an image has {default_sequence(graph)} tokens in this model"
        )
    for name, value in (("batch", batch), ("sequence", length)):
        if value < 1:
            raise ValueError(f"{name} is {value}; it must be at least 1")
    if reason := not_whole(graph, length):
        raise ValueError(f"sequence is {length}, but {reason}")
    at = lengths_at(graph, batch, length)
    lengths = Lengths(graph)
    found = tuple(attends(graph, lengths))
    shares = {attend.formula: mask_density(attend.op.attrs["formula"], length) for attend in found}
    parts = flops_by_part(graph, lengths)
    every_score = sum((attend.flops for attend in found), Poly())
    tiles = TileCounts(graph, length)
    computed = sum(
        attend.flops.at(**at) * flops_share(attend.op, tiles.of(attend.op), length)
        for attend in found
    )
    admitted = sum(attend.flops.at(**at) * shares[attend.formula] for attend in found)
    flops = {part: cost.at(**at) for part, cost in parts.items()}
    dense = sum(flops.values()) + computed
    flops["attention"] += admitted
    cache = in_bytes(cached(graph, at["S"], static=static_cache), at, dtype)
    return Report(
        name=graph.name,
        stacks=tuple(_about(graph)),
        batch=batch,
        sequence=length,
        dtype=dtype,
        weights=weights_by_part(graph),
        weight_rows=weight_rows(graph),
        _layer_rows=lambda: layer_rows(graph, op_costs(graph, length, batch), at),
        weights_active=active_weights(graph),
        flops=flops,
        flops_dense=dense,
        flops_formula=str(sum(parts.values(), every_score)),
        attention_flops=admitted,
        attention_formula=str(every_score),
        density=shares,
        activations=_activations(lengths, at, dtype, tiles),
        cache_bytes=cache,
        decoding=_decoding(graph, at, dtype, cache),
        attends=found,
        computed=tuple(computed_share(attend.op, tiles.of(attend.op), length) for attend in found),
        computed_by_head=tuple(computed_shares(attend, tiles, length) for attend in found),
    )


def in_bytes(counts: dict[str, Poly], at: dict[str, int], dtype: str) -> int:
    """Numbers of each kind (see `ops.saved.Own`) as bytes."""
    sizes = {"float": BYTES[dtype], "wide": max(4, BYTES[dtype]), "int": 8, "bool": 1}
    return round(sum(count.at(**at) * sizes[kind] for kind, count in counts.items()))


def _activations(
    lengths: Lengths, at: dict[str, int], dtype: str, tiles: TileCounts
) -> Activations:
    count = partial(SavedCount, lengths, narrow=BYTES[dtype] < 4, tiles=tiles, single=at["B"] == 1)
    on_cpu, on_gpu = count(fused=False), count(fused=True)
    cpu, less = (on_cpu.kept(checkpointed=each) for each in (False, True))
    gpu = on_gpu.kept(checkpointed=False)
    return Activations(
        cpu=in_bytes(cpu.total, at, dtype),
        gpu=in_bytes(gpu.total, at, dtype),
        checkpointed=in_bytes(less.total, at, dtype),
        recomputed=max((in_bytes(layer, at, dtype) for layer in less.layers), default=0),
    )


def _decoding(graph: ModuleGraph, at: dict[str, int], dtype: str, cache: int) -> Decoding | None:
    step = decoding_step(graph, at["S"])
    if step is None:
        return None
    return Decoding(
        cache_length=at["S"],
        flops=step.flops.at(**at),
        weight_bytes=round(step.weights_read(at["B"]) * BYTES[dtype]),
        cache_bytes=cache,
        exact=at["B"] == 1 or not step.experts,
    )


def _about(graph: ModuleGraph) -> Iterator[str]:
    """`decoder: 26 layers (22 local, 4 global), d_model 1152`."""
    for name, stack in graph.stack_facts.items():
        kinds = Counter(stack.order)
        notes = [f"{count} {kind}" for kind, count in kinds.items()] if len(kinds) > 1 else []
        stored = stored_layers(graph, name)
        if stored < stack.layers:
            notes.append(f"weights of {stored}")
        inner = f" ({', '.join(notes)})" if notes else ""
        yield f"{name}: {stack.layers} layers{inner}, d_model {stack.d_model}"
