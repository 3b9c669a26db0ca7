"""The laws: invariants of compiled models, one function each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..measure import Measured, NotHere
from ..subject import Subject
from . import (
    absent,
    attention_weights,
    beams,
    building,
    cached,
    config,
    costs,
    derivatives,
    dropping,
    equality,
    errors,
    fresh,
    generating,
    lengths,
    levels,
    losses,
    order,
    padding,
    precision,
    sampling,
    sight,
    tiles,
    tools,
    traced,
    training,
)

Measure = Callable[[Subject], Measured | NotHere]


@dataclass(frozen=True)
class Law:
    """A law. name: one word, for tables and options; says: a short statement."""

    name: str
    says: str
    measure: Measure


LAWS: tuple[Law, ...] = (
    Law("levels", "the spec equals a second resolution of its document", levels.levels),
    Law("oracle", "float64 outputs equal those of the oracle", equality.oracle),
    Law("weights", "the state dict has exactly the logical weights", equality.weights),
    Law("reference", "float64 outputs equal those of the NumPy reference", equality.reference),
    Law("float32", "float32 is within its rounding error", equality.float32),
    Law("bfloat16", "bfloat16 is within the error expected for the depth", precision.bfloat16),
    Law("dtype", "the chosen dtype is within its rounding error", equality.chosen),
    Law("future", "later tokens do not change earlier hidden states", sight.future),
    Law("mask", "tokens excluded by the masks change nothing", sight.excluded),
    Law("documents", "packed documents do not affect each other", sight.documents),
    Law("padding", "padding, and the ids at padding, change nothing", padding.padding),
    Law("absent", "an absent input is not computed", absent.absent),
    Law("rows", "attention is a weighted mean of the allowed values", attention_weights.rows),
    Law("lengths", "outputs are right at lengths around each threshold", lengths.lengths),
    Law("order", "without positions and masks, order does not matter", order.order),
    Law("cache", "steps with a cache equal one pass without", cached.steps),
    Law("generate", "greedy generation equals generation without a cache", generating.generation),
    Law("beams", "beam search equals a search without a cache", beams.beams),
    Law("sampling", "sampling has the requested support and frequencies", sampling.sampling),
    Law("stopping", "each row ends at an end token, followed by padding", sampling.stopping),
    Law("errors", "invalid inputs are errors", errors.errors),
    Law("sharing", "tied weights and shared layers are one storage", building.sharing),
    Law("options", "all build options give the same results", building.options),
    Law("config", "changing a `Config` field equals changing the spec", config.config),
    Law("gradients", "every weight that affects an output gets a gradient", training.gradients),
    Law("differences", "gradients equal finite differences", derivatives.differences),
    Law("init", "`init_weights` draws from the distributions of the spec", fresh.initial),
    Law("dropout", "dropout is applied where the spec says, in training only", dropping.dropout),
    Law("loss", "`loss` is the training loss of the head", losses.loss),
    Law("costs", "FLOPs and memory equal what PyTorch counts", costs.costs),
    Law("kernels", "all attention kernels give the same", tools.kernels),
    Law("tiles", "attention in tiles equals one dense mask", tiles.tiles),
    Law("traced", "code that runs only under `torch.compile` gives the same", traced.traced),
    Law("compile", "`torch.compile` gives the same, in one graph", tools.compiled),
    Law("export", "`torch.export` gives the same, at any length", tools.exported),
)
"""All laws, in the order in which they are tested and shown."""

__all__ = ["LAWS", "Law", "Measure"]
