"""Passes: graphs before and after, and what all passes preserve."""

from __future__ import annotations

import pytest
from graphs import BOTH, DECODER, EXAMPLES, NAMES, TWO_KINDS, kinds, lowered, snapshot

import modelwright as mw
from modelwright.compiler import PASSES, ModuleGraph, check, run_passes
from modelwright.compiler import passes as passes_module
from modelwright.compiler.lower import lower_spec
from modelwright.compiler.passes.bound_caches import bound_caches
from modelwright.compiler.passes.choose_kernels import choose_kernels
from modelwright.compiler.passes.choose_tiles import choose_tiles
from modelwright.compiler.passes.hoist_invariants import hoist_invariants
from modelwright.compiler.passes.merge_equal import merge_equal
from modelwright.compiler.passes.name_shared_values import name_shared_values

SPECS: dict[str, tuple[str, tuple[str, ...]]] = {
    "decoder": (DECODER, ()),
    "both": (BOTH, ("positions={type: relative_bias, share: layer}",)),
    "two kinds": (DECODER, TWO_KINDS),
    "rotary": (DECODER, ("positions=rotary",)),
    "alibi": (DECODER, ("positions=[rotary, alibi]", "attention.softcap=3")),
    "shared": (DECODER, ("share=true", "residual=parallel")),
}


@pytest.fixture(params=SPECS)
def graph(request: pytest.FixtureRequest) -> ModuleGraph:
    text, sets = SPECS[request.param]
    return lowered(*sets, text=text)


# -- what all of them keep


def test_the_order_is_the_documented_one() -> None:
    documented = (hoist_invariants, merge_equal, name_shared_values, choose_kernels)
    documented += (choose_tiles, bound_caches)
    assert documented == PASSES


def test_passes_leave_their_input_alone(graph: ModuleGraph) -> None:
    for step in PASSES:
        before = snapshot(graph)
        after = step(graph)
        assert after is not graph
        assert snapshot(graph) == before, step.__name__
        graph = after


def test_a_second_run_changes_nothing(graph: ModuleGraph) -> None:
    for step in PASSES:
        graph = step(graph)
        assert snapshot(step(graph)) == snapshot(graph), step.__name__


def test_passes_keep_weights_results_and_limits(graph: ModuleGraph) -> None:
    after = run_passes(graph, checked=True)
    assert [w.name for w in after.weights()] == [w.name for w in graph.weights()]
    assert after.hidden.keys() == graph.hidden.keys()
    assert after.outputs.keys() == graph.outputs.keys()
    assert after.limits == graph.limits


@pytest.mark.sampled(6)
@pytest.mark.parametrize("name", NAMES)
def test_every_example_is_legal_after_every_pass(name: str) -> None:
    spec = mw.load(EXAMPLES / f"{name}.yaml")
    graph = check(lower_spec(spec))
    assert snapshot(run_passes(graph, checked=True)) == snapshot(mw.lower(spec))


def test_a_bad_pass_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def forget_the_result(graph: ModuleGraph) -> ModuleGraph:
        graph = graph.copy()
        graph.remove_op(graph.producers[next(iter(graph.outputs.values()))])
        return graph

    monkeypatch.setattr(passes_module, "PASSES", (hoist_invariants, forget_the_result))
    with pytest.raises(
        passes_module.IllegalGraphError,
        match=r"^after forget_the_result: no op computes the result",
    ):
        run_passes(lowered(), checked=True)


# -- hoist_invariants


@pytest.mark.parametrize(
    ("sets", "kind"),
    [
        (("positions=rotary",), "rope_table"),
        (("positions=alibi",), "alibi"),
        (("positions={type: relative_bias, share: layer}",), "relative_buckets"),
        ((), "mask"),
    ],
)
def test_hoist_what_layers_do_not_change(sets: tuple[str, ...], kind: str) -> None:
    before = lowered(*sets)
    assert kinds(before, kind) == ["layers.block.attention"]
    assert kinds(hoist_invariants(before), kind) == [""]


def test_hoist_out_of_each_stack() -> None:
    before = lowered(text=BOTH)
    assert set(kinds(before, "mask")) == {
        "encoder.layers.block.attention",
        "decoder.layers.block.attention",
        "decoder.layers.block.cross_attention",
    }
    assert sorted(kinds(hoist_invariants(before), "mask")) == ["decoder", "decoder", "encoder"]


def test_hoist_nothing_that_a_layer_makes_or_owns() -> None:
    before = lowered("positions={type: relative_bias, share: layer}", "dropout=0.1")
    after = hoist_invariants(before)
    for kind in ("linear", "relative_bias", "dropout", "cache", "layer_norm", "attend", "add"):
        assert kinds(after, kind) == kinds(before, kind), kind


# -- merge_equal


def test_merge_tables_that_are_alike() -> None:
    kinds_of_blocks = ("blocks={a: {}, b: {norm_placement: post}}", "pattern=[a, b]")
    before = hoist_invariants(lowered(*kinds_of_blocks, "positions=rotary"))
    after = merge_equal(before)
    assert len(kinds(before, "rope_table")) == 2
    assert len(kinds(after, "rope_table")) == 1
    assert len(kinds(after, "mask")) == 1
    (table,) = (op for op in after.ops() if op.kind == "rope_table")
    readers = {op.scope for op in after.consumers(table.outputs[0])}
    assert readers == {"layers.a.attention", "layers.b.attention"}


def test_merge_nothing_that_differs() -> None:
    sets = (
        "blocks={a: {positions: {type: rotary, theta: 10}}, "
        "b: {positions: {type: rotary, theta: 20}, mask: causal & window(2)}}",
        "pattern=[a, b]",
    )
    after = merge_equal(hoist_invariants(lowered(*sets)))
    assert len(kinds(after, "rope_table")) == 2
    assert len(kinds(after, "mask")) == 2


def test_merge_no_dropout() -> None:
    sets = ("input={dropout: 0.1}", "residual=parallel", "dropout=0.1")
    before = hoist_invariants(lowered(*sets))
    assert kinds(merge_equal(before), "dropout") == kinds(before, "dropout")


# -- name_shared_values


def names_of(graph: ModuleGraph, kind: str) -> list[str]:
    return [graph.values[v].name for op in graph.ops() if op.kind == kind for v in op.outputs]


def test_masks_that_differ_take_the_names_of_their_blocks() -> None:
    before = merge_equal(hoist_invariants(lowered(*TWO_KINDS)))
    assert names_of(before, "mask") == ["mask", "mask"]
    after = name_shared_values(before)
    assert names_of(after, "mask") == ["local_mask", "global_mask"]
    assert {after.values[op.outputs[0]].base for op in after.ops() if op.kind == "mask"} == {"mask"}


def test_values_that_all_blocks_read_keep_their_name() -> None:
    before = merge_equal(hoist_invariants(lowered(*TWO_KINDS, "positions=rotary")))
    after = name_shared_values(before)
    assert names_of(after, "rope_table") == ["cos", "sin"]


# -- choose_kernels


@pytest.mark.parametrize(
    ("sets", "kernel", "reason"),
    [
        ((), "sdpa", "the fused kernel supports a causal mask"),
        (("mask=causal & window(3)",), "sdpa", "tiles: a query attends to at most 3 keys"),
        (
            ("mask=causal & window(3)", "positions=learned"),
            "sdpa",
            "one dense mask: sequences have at most 24 tokens",
        ),
        (
            ("mask=causal & window(2000)", "max_positions=2000", "positions=learned"),
            "sdpa",
            "one dense mask: it covers all 2,000 positions",
        ),
        (
            ("mask=causal & strided(3)",),
            "sdpa",
            "tiles: queries and keys whose distance is a multiple of 3",
        ),
        (
            ("mask=causal & (window(3) | strided(3))",),
            "sdpa",
            "one dense mask: neighbouring queries attend to more than half of all keys",
        ),
        (("mask=full",), "sdpa", "the fused kernel supports a full mask"),
        (("positions=alibi",), "sdpa+bias", "the bias and the mask are added to the scores"),
        (("attention.softcap=3",), "explicit", "the fused kernel has no softcap"),
        (("attention.softcap=3", "positions=alibi"), "explicit", "the fused kernel has no softcap"),
    ],
)
def test_kernels(sets: tuple[str, ...], kernel: str, reason: str) -> None:
    before = lowered(*sets)
    assert all("kernel" not in op.attrs for op in before.ops())
    (attend,) = (op for op in run_passes(before).ops() if op.kind == "attend")
    assert (attend.attrs["kernel"], attend.attrs["reason"]) == (kernel, reason)


@pytest.mark.parametrize(
    ("sets", "implicit", "optional"),
    [
        ((), "causal", True),
        (("mask=full",), "full", True),
        (("mask=causal & window(3)",), "", False),
        (("positions=alibi",), "", False),
        (("attention.softcap=3",), "", False),
    ],
)
def test_masks_that_need_not_be_made(sets: tuple[str, ...], implicit: str, optional: bool) -> None:
    graph = run_passes(lowered(*sets))
    (mask,) = (op for op in graph.ops() if op.kind == "mask")
    assert mask.attrs["implicit"] == implicit
    assert graph.values[mask.outputs[0]].optional is optional


@pytest.mark.parametrize(
    ("masks", "causal"),
    [
        (("causal", "causal & window(3)"), [True, True]),  # a window is made: never None
        (("causal", "full"), [True, False]),  # None means all
        (("full", "band(2)"), [False, False]),
    ],
)
def test_no_mask_is_the_causal_one_where_the_layer_is_causal(
    masks: tuple[str, str], causal: list[bool]
) -> None:
    blocks = f'{{a: {{mask: "{masks[0]}"}}, b: {{mask: "{masks[1]}"}}}}'
    graph = run_passes(lowered(f"blocks={blocks}", "pattern=[a, b]"))
    assert [op.attrs["causal"] for op in graph.ops() if op.kind == "attend"] == causal


def test_a_mask_or_a_bias_is_never_dropped() -> None:
    for name in NAMES:
        graph = mw.lower(mw.load(EXAMPLES / f"{name}.yaml"))
        for op in graph.ops():
            if op.kind == "attend" and op.attrs["kernel"] == "sdpa":
                read = graph.inputs.values()
                whole = any(source.kind != "tokens" for source in read)  # without padding
                whole = whole and str(op.attrs["formula"]) == "full"
                assert op.arg("mask") or whole, "a mask is given, if only as None"
                assert not op.arg("bias")
            elif op.kind == "attend":
                assert op.arg("mask") or op.arg("bias")
