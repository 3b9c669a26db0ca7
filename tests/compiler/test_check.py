"""`check` finds planted errors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from graphs import lowered

from modelwright.compiler import ModuleGraph, check
from modelwright.compiler.graph import Op, Weight
from modelwright.compiler.passes import IllegalGraphError

Fault = Callable[[ModuleGraph], None]


def first(graph: ModuleGraph, kind: str) -> Op:
    return next(op for op in graph.ops() if op.kind == kind)


def unknown_kind(graph: ModuleGraph) -> None:
    graph.replace_op(first(graph, "add").number, kind="divide")


def unknown_scope(graph: ModuleGraph) -> None:
    graph.replace_op(first(graph, "add").number, scope="nowhere")


def unknown_value(graph: ModuleGraph) -> None:
    op = first(graph, "add")
    graph.replace_op(op.number, inputs=("nothing", op.arg("b")))


def cycle(graph: ModuleGraph) -> None:
    op = first(graph, "attend")
    later = graph.consumers(op.outputs[0])[0].outputs[0]
    graph.replace_op(op.number, inputs=(later, *[*op.inputs][1:]))


def slot_without_a_value(graph: ModuleGraph) -> None:
    op = first(graph, "attend")
    graph.replace_op(op.number, inputs=("", *[*op.inputs][1:]))


def slots_of_another_op(graph: ModuleGraph) -> None:
    graph.replace_op(first(graph, "add").number, slots=("x", "y"))


def input_without_a_slot(graph: ModuleGraph) -> None:
    op = first(graph, "linear")
    graph.replace_op(op.number, inputs=[*op.inputs, *op.inputs])


def attribute_that_nobody_knows(graph: ModuleGraph) -> None:
    op = first(graph, "attend")
    graph.replace_op(op.number, attrs={**op.attrs, "colour": "red"})


def attribute_that_is_missing(graph: ModuleGraph) -> None:
    op = first(graph, "attend")
    kept = {name: value for name, value in op.attrs.items() if name != "scale"}
    graph.replace_op(op.number, attrs=kept)


def made_twice(graph: ModuleGraph) -> None:
    op = first(graph, "linear")
    number = max(graph.nx) + 1
    graph.add_op(replace(op, number=number))
    graph.producers[op.outputs[0]] = op.number


def other_producer(graph: ModuleGraph) -> None:
    graph.producers[first(graph, "embedding").outputs[0]] = 10**6


def lost_result(graph: ModuleGraph) -> None:
    graph.outputs["head"] = "nothing"


def lost_hidden(graph: ModuleGraph) -> None:
    graph.hidden["decoder"] = "nothing"


def weight_twice(graph: ModuleGraph) -> None:
    query, key = (op for op in graph.ops() if op.name in ("query", "key"))
    graph.replace_op(key.number, name=query.name)


def tied_to_nothing(graph: ModuleGraph) -> None:
    op = first(graph, "linear")
    weight = op.weights[0]
    tied = Weight(weight.name, weight.shape, weight.initial, "no.such.weight")
    graph.replace_op(op.number, weights=(tied,))


def field_twice(graph: ModuleGraph) -> None:
    graph.fields[1].name = graph.fields[0].name


def field_without_name(graph: ModuleGraph) -> None:
    graph.fields[0].name = "d model"


def read_from_inside_a_layer(graph: ModuleGraph) -> None:
    inner, norm = first(graph, "attend"), graph.op(graph.producers[graph.hidden["decoder"]])
    graph.replace_op(norm.number, inputs=(inner.outputs[0],))


def wrong_shape(graph: ModuleGraph) -> None:
    value = graph.values[first(graph, "linear").outputs[0]]
    graph.values[value.id] = replace(value, shape=value.shape[:-1])


FAULTS: dict[Fault, str] = {
    unknown_kind: r"op \d+ \(divide in .*\): no such kind of op",
    unknown_scope: r"op \d+ \(add in nowhere\): no such scope",
    unknown_value: r"op \d+ \(add in .*\): reads nothing before it is made",
    cycle: "the ops form a cycle",
    slot_without_a_value: r"op \d+ \(attend in .*\): nothing is given for `q`",
    slots_of_another_op: r"op \d+ \(add in .*\): its inputs are not those of \(a, b\)",
    input_without_a_slot: r"op \d+ \(linear in .*\): 2 inputs for the slots \(x\)",
    attribute_that_nobody_knows: r"op \d+ \(attend in .*\): has no attribute colour",
    attribute_that_is_missing: r"op \d+ \(attend in .*\): its attribute scale is missing",
    made_twice: r"op \d+ \(linear in .*\): makes \w+ a second time",
    other_producer: r"op \d+ \(embedding in model\): is not known as the producer of \w+",
    lost_result: r"no op computes the result head \(nothing\)",
    lost_hidden: r"no op computes the result decoder \(nothing\)",
    weight_twice: "two weights are called layers.0.attention.query.bias",
    tied_to_nothing: r"op \d+ \(linear in .*\): tied to no.such.weight, which is not a weight",
    field_twice: "the Config field d_model is not an identifier or occurs twice",
    field_without_name: "the Config field d model is not an identifier or occurs twice",
    read_from_inside_a_layer: r"op \d+ \(layer_norm in model\): reads \w+ from inside layers",
    wrong_shape: r"op \d+ \(linear in .*\): makes \w+ \(B, T\), not \(B, T, H\*E\)",
}


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_a_planted_fault_is_found(fault: Fault) -> None:
    graph = lowered()
    assert check(graph) is graph
    fault(graph)
    with pytest.raises(IllegalGraphError, match=f"^{FAULTS[fault]}$"):
        check(graph)
