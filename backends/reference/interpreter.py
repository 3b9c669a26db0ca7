"""Run a ModuleGraph in float64, op by op, as defined in `compiler/ops`.

There is no training, no cache and no kernel: dropout has no effect, all tokens are new, and
attention is computed explicitly. It is slow but simple, and used to test compiled models.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ...compiler.axes import T
from ...compiler.facts import PartFact
from ...compiler.graph import ModuleGraph, Op, Scope
from ...compiler.ops import OPS
from .call import Array, Call
from .ops import COMPUTE
from .weights import weight_shapes

Values = dict[str, "Array | None"]
Results = tuple[Array, ...]
Watch = Callable[[Call, Results], Results]


KINDS = {"float": np.floating, "int": np.integer, "bool": np.bool_}
OF_INTEGERS = ("embedding", "pad_mask")
"""Ops that compute nothing if their integers are absent."""
ABSENT = {"place_rows": {"rows"}, "join_inputs": {"parts*"}}
"""Op -> its slots whose value may be absent when the model runs."""


def unchanged(call: Call, results: Results) -> Results:
    return results


def run(
    graph: ModuleGraph,
    weights: Mapping[str, Array],
    inputs: Mapping[str, Array],
    watch: Watch = unchanged,
) -> dict[str, Array]:
    """All outputs of the model, in float64.

    Weights are given by logical name (see `weight_shapes`), inputs by the argument name in
    `forward`: token ids (B, T), attention_mask (B, T) with 1 = real, and so on. Optional arguments
    may be absent; data of masks is then neutral (one document, no prefix, no global tokens).
    `watch` is called with the inputs and outputs of each op and may change the outputs. The result
    has an entry for each of `graph.outputs`, and `hidden:<stack>` for the last hidden states of
    each stack, (B, T, D), whose input is given.

    Raises ValueError for a weight or an argument that is missing, of another shape, or unknown.
    """
    _check_weights(graph, weights)
    _check_inputs(graph, inputs)
    model = Model(graph, {n: np.asarray(w, np.float64) for n, w in weights.items()}, inputs, watch)
    results = {name: model.array(value) for name, value in graph.outputs.items()}
    states = {name: model.value(value) for name, value in graph.hidden.items()}
    hidden = {f"hidden:{name}": x for name, x in states.items() if x is not None}
    return {**results, **hidden}


@dataclass
class Model:
    """Computes values on demand, each once."""

    graph: ModuleGraph
    weights: dict[str, Array]
    inputs: Mapping[str, Array]
    watch: Watch
    values: Values = field(default_factory=dict)

    def array(self, value: str) -> Array:
        found = self.value(value)
        assert found is not None, f"{value} is absent"
        return found

    def value(self, value: str) -> Array | None:
        """A value outside of layers; None for an absent optional argument."""
        if value not in self.values:
            op = self.graph.op(self.graph.producers[value])
            layers = self.graph.layers_of(op.scope)
            if layers is None:
                self.compute(op, self.values, layer=None)
            else:
                self.values.update(zip(layers.results, self.run_layers(layers), strict=True))
        return self.values[value]

    def run_layers(self, layers: Scope) -> Sequence[Array | None]:
        """The hidden states after the last layer, of each stream; None if their input is absent."""
        kinds = {block.name: block for block in self.graph.children(layers.path)}
        ops = {kind: self.graph.subtree(block.path) for kind, block in kinds.items()}
        streams = [self.value(source) for source in layers.sources]
        if any(x is None for x in streams):
            return [None for _ in streams]
        both = zip(layers.order, layers.modules, strict=True)
        for number, (kind, stored) in enumerate(both):
            carries = kinds[kind].carries
            inside: Values = {enter: x for (enter, _), x in zip(carries, streams, strict=True)}
            for op in ops[kind]:
                if op.kind != "layer_input":
                    self.compute(op, inside, layer=stored, number=number)
            streams = [inside[leave] for _, leave in carries]
        return streams

    def compute(self, op: Op, values: Values, layer: int | None, number: int = 0) -> None:
        """Add the results of one op to `values`, of the model or of one layer.

        `layer` is the index of the weights, `number` the index of the layer.
        """
        if op.kind == "argument":
            given = self.inputs.get(op.name)
            values[op.outputs[0]] = None if given is None else np.asarray(given)
            return
        inputs = [self._input(value, values) for value in op.inputs]
        beside = self.value(op.attrs["absent"]) if "absent" in op.attrs else None
        if beside is not None:  # absent ids are 0, unless the whole input is absent
            zeros = np.zeros(beside.shape[:2], np.int64)
            inputs = [zeros if array is None else array for array in inputs]
        if self._lacks(op, inputs):
            values.update(dict.fromkeys(op.outputs))
            return
        batch, tokens = self._tokens(op.attrs.get("stack", ""))
        call = Call(
            op.kind, tuple(inputs), op.attrs, self._weights(op, layer), batch, tokens, number
        )
        result = COMPUTE[op.kind](call)
        results = self.watch(call, result if isinstance(result, tuple) else (result,))
        for value, array in zip(op.outputs, results, strict=True):
            self._check_result(op, value, array)
            values[value] = array

    def _lacks(self, op: Op, inputs: list[Array | None]) -> bool:
        """Whether it reads vectors or ids that are absent, so that there is nothing to compute."""
        slots = OPS[op.kind].slots
        needed = {slot for slot in slots if not slot.endswith("?")} - ABSENT.get(op.kind, set())
        given = zip(op.slots, op.inputs, inputs, strict=True)
        return any(
            array is None
            and slot in needed
            and (op.kind in OF_INTEGERS or self.graph.values[value].dtype == "float")
            for slot, value, array in given
        )

    def _input(self, value: str, values: Values) -> Array | None:
        if not value:
            return None
        return values[value] if value in values else self.value(value)

    def _weights(self, op: Op, layer: int | None) -> dict[str, Array]:
        """The op's weights by short name; for tied ones, the other weight."""
        found = {}
        for weight in op.weights:
            name = weight.tied or self.graph.weight_name(op, weight)
            found[weight.name] = self.weights[name.replace("{layer}", str(layer))]
        return found

    def _tokens(self, stack: str) -> tuple[int, int]:
        """Number of sequences and of tokens of a stack; none if its input is absent."""
        if not stack:
            return 0, 0
        if stack in self.graph.parts:
            given = [self._of_part(part) for part in self.graph.parts[stack]]
            return max(batch for batch, _ in given), sum(tokens for _, tokens in given)
        fact = self.graph.inputs[stack]
        if fact.stack:
            batch, tokens = self._tokens(fact.stack)
            return batch, tokens - fact.skip + fact.prefix
        argument = fact.argument or next(iter(self.inputs))
        if argument not in self.inputs:
            return 0, 0
        data = self.inputs[argument]
        decided = self.graph.lengths.get(stack)
        return data.shape[0], self._read(stack, data.shape) if decided is None else int(decided)

    def _of_part(self, part: PartFact) -> tuple[int, int]:
        """Number of sequences and of vectors of a joined input; none if it is absent."""
        fact = part.input
        if fact.stack:
            if self.value(self.graph.hidden[fact.stack]) is None:
                return 0, 0
            batch, tokens = self._tokens(fact.stack)
            return batch, tokens - fact.skip + fact.prefix
        if fact.argument not in self.inputs:
            return 0, 0
        shape = np.shape(self.inputs[fact.argument])
        known = part.length is None
        return shape[0], fact.tokens(shape[fact.axis]) if known else int(part.length or 0)

    def _read(self, stack: str, shape: tuple[int, ...]) -> int:
        """Number of tokens of an argument, after convolutions if there are any."""
        source = self.graph.inputs[stack]
        if source.convolutions:
            return source.tokens(shape[source.axis])
        name = source.argument
        op = next(op for op in self.graph.ops("") if op.kind == "argument" and op.name == name)
        for size, dim in zip(shape, self.graph.values[op.outputs[0]].shape, strict=True):
            if dim.label == T.less(source.prefix).label:
                return source.tokens(size)
        raise ValueError(f"{name} has no axis of tokens")

    def _check_result(self, op: Op, value: str, array: Array) -> None:
        """Check the dtype and the sizes in the graph against the array (1 may be broadcast)."""
        if not np.issubdtype(array.dtype, KINDS[self.graph.values[value].dtype]):
            kind = self.graph.values[value].dtype
            raise ValueError(
                f"{op.kind} in {op.scope or 'the model'} gave {array.dtype}, not {kind}"
            )
        shape = self.graph.values[value].shape
        wanted = [None if dim.size is None else int(dim.size) for dim in shape]
        fits = len(wanted) == array.ndim and all(
            size is None or size == actual or actual == 1
            for size, actual in zip(wanted, array.shape, strict=True)
        )
        if not fits:
            raise ValueError(
                f"{op.kind} in {op.scope or 'the model'} gave {array.shape}, "
                f"which is not {self.graph.values[value]}"
            )


def _check_weights(graph: ModuleGraph, weights: Mapping[str, Array]) -> None:
    wanted = weight_shapes(graph)
    missing, unknown = sorted(wanted.keys() - weights.keys()), sorted(weights.keys() - wanted)
    if missing or unknown:
        raise ValueError(f"weights missing: {missing or 'none'}; unknown: {unknown or 'none'}")
    for name, shape in wanted.items():
        if np.shape(weights[name]) != shape:
            raise ValueError(f"{name} has shape {np.shape(weights[name])}, not {shape}")


def _check_inputs(graph: ModuleGraph, inputs: Mapping[str, Array]) -> None:
    arguments = {op.name: op for op in graph.ops("") if op.kind == "argument"}
    unknown = sorted(inputs.keys() - arguments.keys())
    if unknown:
        raise ValueError(f"no argument is called {unknown[0]}; there are {sorted(arguments)}")
    for name, op in arguments.items():
        value = graph.values[op.outputs[0]]
        if name not in inputs and not value.optional:
            raise ValueError(f"the argument {name} is missing")
        if name in inputs and np.ndim(inputs[name]) != len(value.shape):
            raise ValueError(f"{name} has shape {np.shape(inputs[name])}, not {value}")
