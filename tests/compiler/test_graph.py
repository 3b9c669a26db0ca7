"""The graph: documented networkx attributes, copies, scopes, names, and its size."""

from __future__ import annotations

import subprocess
import sys

import networkx as nx
import pytest
from graphs import BOTH, DECODER, EXAMPLES, NAMES, TWO_KINDS, lowered, snapshot

import modelwright as mw
from modelwright.compiler import ModuleGraph
from modelwright.compiler.axes import B, T
from modelwright.compiler.graph import Op, Scope, Value
from modelwright.compiler.operands import Operands
from modelwright.compiler.ops import OPS
from modelwright.compiler.sizes import Size


def empty() -> ModuleGraph:
    graph = ModuleGraph("tiny", "Tiny")
    graph.scopes[""] = Scope("", "", "model", None)
    return graph


def square() -> ModuleGraph:
    """x * x."""
    graph = empty()
    for value in ("x", "y"):
        graph.add_value(Value(value, value, (B, T)))
    graph.add_op(Op(0, "argument", (), ("x",), ""))
    graph.add_op(Op(1, "multiply", ("x", "x"), ("y",), "", slots=("a", "b")))
    return graph


# -- the inputs of an op, by the names of their slots


def test_inputs_have_names() -> None:
    graph = lowered("attention.sinks=true")
    attend = next(op for op in graph.ops() if op.kind == "attend")
    assert attend.slots == (
        "q",
        "k",
        "v",
        "mask",
        "bias",
        "sinks",
        "vector",
        "mix_scores",
        "mix_weights",
        "vectors",
        "places",
    )
    assert [graph.values[attend.arg(slot)].name for slot in "qkv"] == ["q", "k", "v"]
    assert attend.first == attend.arg("q")
    assert attend.arg("bias") == attend.arg("vector") == ""
    assert graph.op(graph.producers[attend.arg("sinks")]).kind == "sinks"
    with pytest.raises(LookupError, match=r"^attend has no slot `keys`; its slots: q, k, v, mask"):
        attend.arg("keys")
    argument = next(op for op in graph.ops() if op.kind == "argument")
    assert argument.first == ""
    with pytest.raises(LookupError, match=r"^argument has no slot `x`; its slots: none$"):
        argument.arg("x")


def test_the_score_vector_is_no_sink() -> None:
    graph = lowered("attention.score=additive")
    attend = next(op for op in graph.ops() if op.kind == "attend")
    assert attend.arg("sinks") == ""
    assert graph.op(graph.producers[attend.arg("vector")]).kind == "score_vector"


def test_a_slot_may_hold_several() -> None:
    op = Op(0, "concat", ("x", "y", "z"), ("r",), "", slots=("parts", "parts", "parts"))
    assert op.args("parts") == ("x", "y", "z")
    assert op.first == "x"
    with pytest.raises(LookupError, match=r"^concat: `parts` holds 3 values; `args` gives them$"):
        op.arg("parts")


def test_rows_name_their_inputs() -> None:
    attend, concat = OPS["attend"], OPS["concat"]
    assert attend.filled(("q", "k", "v", "mask")) == ("q", "k", "v", "mask", *[""] * 7)
    assert attend.named(4) == ("q", "k", "v", "mask")
    assert concat.named(3) == ("parts",) * 3
    for row, inputs, message in (
        (attend, ("q", "k"), "nothing is given for `v`"),
        (attend, ("q", "", "v"), "nothing is given for `k`"),
        (OPS["add"], ("a", "b", "c"), r"3 inputs for the slots \(a, b\)"),
        (concat, (), "nothing is given for `parts`"),
    ):
        with pytest.raises(ValueError, match=message):
            row.filled(inputs)


def test_only_the_last_slot_is_variadic_and_optional_slots_follow() -> None:
    for kind, row in OPS.items():
        assert all(not slot.endswith("*") for slot in row.slots[:-1]), kind
        optional = [slot.endswith("?") for slot in row.slots]
        assert optional == sorted(optional), kind
        assert len({slot.rstrip("?*") for slot in row.slots}) == len(row.slots), kind


# -- networkx


def test_it_is_a_multigraph_of_ops_and_values() -> None:
    graph = lowered()
    assert isinstance(graph.nx, nx.MultiDiGraph)
    for number, data in graph.nx.nodes(data=True):
        assert set(data) == {"op"}
        assert data["op"].number == number
    for source, target, slot, data in graph.nx.edges(keys=True, data=True):
        assert set(data) == {"value"}
        assert [*graph.op(target).inputs][slot] == data["value"]
        assert data["value"] in graph.op(source).outputs


def test_every_input_is_an_edge_in_its_slot() -> None:
    graph = lowered(text=BOTH)
    edges = {(target, slot) for _, target, slot in graph.nx.edges(keys=True)}
    inputs = {
        (op.number, slot) for op in graph.ops() for slot, value in enumerate(op.inputs) if value
    }
    assert edges == inputs


def test_a_value_used_twice_is_two_edges() -> None:
    graph = square()
    assert graph.nx.number_of_edges(0, 1) == 2
    assert set(graph.nx[0][1]) == {0, 1}


def test_libraries_can_read_it() -> None:
    graph = lowered()
    assert nx.is_directed_acyclic_graph(graph.nx)
    assert nx.is_weakly_connected(graph.nx)
    (logits,) = graph.outputs.values()
    linears = [op for op in graph.ops() if op.kind == "linear"]
    assert {op.number for op in linears} <= set(graph.nx)
    head = graph.producers[logits]
    assert graph.op(head).name == "head"
    assert nx.shortest_path_length(graph.nx, head, head) == 0


def test_ops_come_in_an_order_in_which_they_can_be_computed() -> None:
    for name in ("t5_small", "gemma3_1b", "bert_pretraining"):
        graph = mw.lower(mw.load(EXAMPLES / f"{name}.yaml"))
        made: set[str] = set()
        for op in graph.ops():
            assert {value for value in op.inputs if value} <= made
            made.update(op.outputs)


# -- changing a graph


def test_new_inputs_are_new_edges() -> None:
    graph = square()
    graph.add_value(Value("z", "z", (B, T)))
    graph.add_op(Op(2, "argument", (), ("z",), ""))
    assert [op.number for op in graph.ops()] == [0, 1, 2]
    graph.replace_op(1, inputs=("x", "z"))
    assert sorted(graph.nx.in_edges(1, keys=True)) == [(0, 1, 0), (2, 1, 1)]
    assert graph.op(1).inputs == Operands(["x", "z"])
    assert [op.number for op in graph.ops()] == [0, 2, 1]


def test_removing_an_op_takes_its_values_away() -> None:
    graph = square()
    graph.remove_op(1)
    assert [op.number for op in graph.ops()] == [0]
    assert "y" not in graph.values
    assert graph.producer("y") is None


def test_a_copy_is_independent() -> None:
    graph = lowered()
    before, copy = snapshot(graph), graph.copy()
    assert snapshot(copy) == before
    for op in copy.ops():
        copy.replace_op(op.number, scope="", attrs={})
    copy.remove_op(copy.ops()[-1].number)
    copy.values.clear()
    copy.scopes.clear()
    copy.outputs.clear()
    copy.fields.clear()
    copy.limits["other"] = Size.of(7)
    assert snapshot(graph) == before


# -- reading it


def test_producers_and_consumers() -> None:
    graph = square()
    assert [op.number for op in graph.consumers("x")] == [1]
    assert graph.consumers("y") == []
    producer = graph.producer("x")
    assert producer is not None
    assert producer.kind == "argument"
    assert graph.scope_of("y") == ""


def test_scopes() -> None:
    graph = lowered(*TWO_KINDS)
    assert [scope.name for scope in graph.children("layers")] == ["local", "global"]
    path = "layers.local.attention"
    assert graph.inside(path, "layers")
    assert graph.inside(path, "")
    assert graph.inside(path, path)
    assert not graph.inside("layers", path)
    layers, block = graph.layers_of(path), graph.block_of(path)
    assert layers is not None
    assert block is not None
    assert (layers.path, block.path) == ("layers", "layers.local")
    assert graph.layers_of("") is None
    assert {op.scope for op in graph.subtree(path)} == {path}
    assert list(graph.stacks()) == ["decoder"]
    assert list(lowered(text=BOTH).stacks()) == ["encoder", "decoder"]


def test_logical_weights() -> None:
    names = [weight.name for weight in lowered().weights()]
    assert len(names) == len(set(names))
    assert "layers.1.attention.query.weight" in names
    assert "token_embedding.weight" in names
    both = {weight.name for weight in lowered(text=BOTH).weights()}
    assert "decoder.layers.0.cross_attention.key.bias" in both


def test_shared_and_tied_weights_are_listed_once() -> None:
    shared = {weight.name for weight in lowered("share=true", "layers=5").weights()}
    assert {name.split(".")[1] for name in shared if name.startswith("layers.")} == {"0"}
    tied = {weight.name for weight in lowered("head={type: language_model, tied: true}").weights()}
    assert "head.weight" not in tied
    sets = ("layers=5", "blocks={a: {share: true}, b: {}}", "pattern=[a, b]")
    graph = lowered(*sets)
    assert graph.scopes["layers"].modules == (0, 1, 0, 2, 0)
    assert graph.scopes["layers"].order == ("a", "b", "a", "b", "a")


def test_a_readable_repr() -> None:
    text = repr(lowered())
    assert text.startswith("ModuleGraph small: ")
    assert " weights\n" in text
    assert "token_embedding" in text or "embedding(input_ids)" in text
    assert max(len(line) for line in text.splitlines()) < 200


# -- size


@pytest.mark.parametrize(
    "sets",
    [
        (),
        ("share=true",),
        ("blocks={a: {}, b: {norm_placement: post}}", "pattern=[a, b]"),
    ],
)
def test_a_deep_graph_is_as_small_as_a_shallow_one(sets: tuple[str, ...]) -> None:
    shallow, deep = (lowered(f"layers={n}", *sets) for n in (2, 1000))
    assert deep.nx.number_of_nodes() == shallow.nx.number_of_nodes()
    assert deep.nx.number_of_edges() == shallow.nx.number_of_edges()
    assert len(deep.values) == len(shallow.values)
    assert len(deep.scopes) == len(shallow.scopes)


def test_lowering_imports_no_torch() -> None:
    code = (
        "import sys, modelwright as mw\n"
        f"for name in {NAMES!r}:\n"
        f"    mw.report(mw.lower(mw.load({str(EXAMPLES)!r} + '/' + name + '.yaml'))).render()\n"
        "assert not {'torch', 'transformers', 'safetensors'} & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


# -- names


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("gpt2", "Gpt2"),
        ("bert-base", "BertBase"),
        ("bert_base", "BertBase"),
        ("llama-3-8b", "Llama3_8b"),
        ("llama-3.1-8b", "Llama3_1_8b"),
        ("T5-small", "T5Small"),
        ("gpt3-175b", "Gpt3_175b"),
        ("a", "A"),
        ("tiny--gpt", "TinyGpt"),
        ("x.y.z", "XYZ"),
        ("myModel", "MyModel"),
    ],
)
def test_class_names(name: str, expected: str) -> None:
    text = DECODER.replace("name: small", f"name: {name}")
    assert lowered(text=text).class_name == expected


def fields(*sets: str, text: str = DECODER) -> dict[str, object]:
    return {field.name: field.value for field in lowered(*sets, text=text).fields}


def test_a_number_written_once_is_one_field() -> None:
    found = fields(*TWO_KINDS)
    assert found["heads"] == 4
    assert found["d_model"] == 16
    assert found["window"] == 3
    assert not [name for name in found if name.startswith(("local_", "global_"))]


def test_fields_of_different_numbers_are_named_by_block() -> None:
    found = fields(
        "blocks={local: {positions: {type: rotary, theta: 100}}, "
        "global: {positions: {type: rotary, theta: 200}, attention: {heads: 2}}}",
        "pattern=[local, global]",
    )
    assert (found["local_rope_theta"], found["global_rope_theta"]) == (100.0, 200.0)
    assert (found["local_heads"], found["global_heads"]) == (4, 2)
    assert "rope_theta" not in found
    assert "heads" not in found


def test_fields_of_different_numbers_are_named_by_stack() -> None:
    found = fields("decoder.d_model=24", "decoder.layers=3", text=BOTH)
    assert (found["encoder_d_model"], found["decoder_d_model"]) == (16, 24)
    assert (found["encoder_layers"], found["decoder_layers"]) == (2, 3)
    assert found["heads"] == 4


def test_fields_of_different_numbers_are_named_by_branch() -> None:
    found = fields("decoder.cross_attention.heads=2", text=BOTH)
    assert (found["heads"], found["decoder_heads"]) == (4, 2)


@pytest.mark.sampled(2)
@pytest.mark.parametrize("name", NAMES)
def test_fields_are_named_once(name: str) -> None:
    names = [field.name for field in mw.lower(mw.load(EXAMPLES / f"{name}.yaml")).fields]
    assert len(names) == len(set(names))
    assert all(one.isidentifier() for one in names)
