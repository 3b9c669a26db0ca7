"""The laws: what must be true of every compiled model, one function each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..measure import Measured, NotHere
from ..subject import Subject
from . import (
    building,
    cached,
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
    tools,
    training,
    weighing,
)

Judge = Callable[[Subject], Measured | NotHere]


@dataclass(frozen=True)
class Law:
    """name: one word, for tables and options; says: the law in a few words."""

    name: str
    says: str
    judge: Judge


LAWS: tuple[Law, ...] = (
    Law("levels", "the spec is what its document says", levels.levels),
    Law("oracle", "float64 equals what the spec says, without the graph", equality.oracle),
    Law("weights", "the state dict holds the logical weights and nothing else", equality.weights),
    Law("reference", "float64 equals the NumPy reference", equality.reference),
    Law("float32", "float32 is as near as its rounding allows", equality.float32),
    Law("bfloat16", "bfloat16 is as near as the depth allows", precision.bfloat16),
    Law("dtype", "the chosen dtype is as near as its rounding allows", equality.chosen),
    Law("future", "what comes later changes nothing", sight.future),
    Law("mask", "a key that no mask admits changes nothing", sight.excluded),
    Law("documents", "packed documents do not see each other", sight.documents),
    Law("padding", "padding, and what stands there, changes nothing", padding.padding),
    Law("rows", "attention averages the values that a query may see", weighing.rows),
    Law("lengths", "every length equals the judges, beside each threshold", lengths.lengths),
    Law("order", "without positions and masks no order is known", order.order),
    Law("cache", "steps with a cache equal the whole", cached.steps),
    Law("generate", "greedy generation equals the whole, token by token", generating.generation),
    Law("sampling", "draws have the support and frequencies asked for", sampling.sampling),
    Law("stopping", "each row ends at an end token, with padding after it", sampling.stopping),
    Law("errors", "what cannot be right is an error", errors.errors),
    Law("sharing", "a tie or a shared layer is one storage", building.sharing),
    Law("options", "every way to build the file gives the same", building.options),
    Law("config", "a number of the `Config` means what it means in the spec", building.config),
    Law("gradients", "every weight that can matter gets a gradient", training.gradients),
    Law("differences", "gradients are what small steps say", derivatives.differences),
    Law("init", "`init_weights` draws what the spec says", fresh.initial),
    Law("dropout", "training drops what the spec says, and nothing else does", dropping.dropout),
    Law("loss", "`loss` is what the head is trained with", losses.loss),
    Law("costs", "FLOPs and memory are what PyTorch counts", costs.costs),
    Law("kernels", "every kernel gives the same", tools.kernels),
    Law("compile", "`torch.compile` gives the same, in one graph", tools.compiled),
    Law("export", "`torch.export` gives the same, at any length", tools.exported),
)
"""In the order in which they are tried and shown."""

__all__ = ["LAWS", "Judge", "Law"]
