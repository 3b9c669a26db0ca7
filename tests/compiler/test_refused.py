"""Options of a spec without effect are located errors; options that repeat a default are not."""

from __future__ import annotations

import pytest

from modelwright.compiler.lower import lower_spec
from modelwright.spec import SpecErrors, from_data, loads

KEYS = {
    "name": "name: small",
    "family": "family: decoder-only",
    "vocab_size": "vocab_size: 20",
    "max_positions": "max_positions: 40",
    "d_model": "d_model: 16",
    "layers": "layers: 2",
    "attention": "attention: {heads: 2}",
}
ENCODER = "family: encoder-only"
BOTH = "family: encoder-decoder"
IMAGE = "family: encoder-only\ninput: {type: patches, image_size: 8, patch_size: 4}"
LATE = """blocks: {lin: {attention: {type: linear, heads: 2}, positions: none}, full: {}}
pattern: [lin * 3, full]
positions: {type: rotary, fraction: 0.5}"""
MOE = "feed_forward: {type: moe, experts: 4, top_k: 2"
FEATURES = "family: encoder-only\nvocab_size: \nmax_positions: "
LOCAL = "blocks: {a: {mask: causal & window(3)}, b: {mask: causal & window(4)}}\npattern: "
SHORT = "blocks: {a: {}, b: {feed_forward: none}}\npattern: [a, b]"


def text(*lines: str) -> str:
    """A small spec, with these lines in place of its own or behind them."""
    keys = dict(KEYS)
    for line in "\n".join(lines).split("\n"):
        keys[line.split(":")[0]] = line
    return "\n".join(line for line in keys.values() if not line.endswith(": ")) + "\n"


REFUSED = {
    "qk_norm of no norm": (
        text("attention: {heads: 2, qk_norm: head}", "norm: none"),
        "7:32: `qk_norm: head` has no effect: the `norm` here is `none`",
    ),
    "weight_offset without a weight": (
        text("norm: {affine: false, weight_offset: 1}"),
        "8:38: `weight_offset: 1` has no effect: it needs `affine: true`",
    ),
    "bias of a norm without a weight": (
        text("norm: {affine: false, bias: true}"),
        "8:29: `bias: true` has no effect: it needs `affine: true`",
    ),
    "bias of features without a projection": (
        text(FEATURES, "input: {type: features, size: 16, bias: false}"),
        "bias: false` has no effect: only a `size` that differs from d_model is projected",
    ),
    "no bias where nothing has one": (
        text("attention: none", "feed_forward: none", "decoder: {bias: false}"),
        "9:17: `bias: false` has no effect: no layer here has a bias to choose; remove it",
    ),
    "mask that every block sets": (
        text("mask: causal", LOCAL + "[a, b]"),
        "8:7: `mask: causal` has no effect: all inner levels set their own `mask`",
    ),
    "mask that overrides set in every layer": (
        text("mask: full", "overrides: {0..-1: {mask: causal}}"),
        "8:7: `mask: full` has no effect: all inner levels set their own `mask`",
    ),
    "block that overrides replace in every layer": (
        text(LOCAL + "[a]", "overrides: {0..-1: b}"),
        "8:10: block `a` has no effect: overrides replace it in all of its layers; remove it",
    ),
    "override that a later one replaces": (
        text(LOCAL + "[a]", "overrides: {1: b, 0..1: a}"),
        "10:13: this override has no effect: later ones replace it; remove it",
    ),
    "values of an override that a block replaces": (
        text(LOCAL + "[a]", "overrides: {0: {dropout: 0.5}, -2: b}"),
        "10:13: this override has no effect: later ones replace it; remove it",
    ),
    "value of an override that a later one replaces": (
        text("overrides: {0: {dropout: 0.5, bias: false}, 0..1: {dropout: 0.2}}"),
        "8:26: `dropout: 0.5` has no effect: a later override replaces it; remove it",
    ),
    "groups that are all chosen": (
        text(MOE + ", router: {groups: {count: 2, top_k: 2}}}"),
        "8:58: all 2 groups are chosen, so `groups` has no effect; remove it",
    ),
    "heads that every block sets": (
        text("blocks: {a: {attention: {heads: 1}}, b: {attention: {heads: 4}}}\npattern: [a, b]"),
        "7:20: `heads: 2` has no effect: all inner levels set their own `heads`",
    ),
    "list that the stack sets": (
        text("positions: [rotary, alibi]", "decoder: {positions: alibi}"),
        "8:13: `positions: rotary` has no effect: an inner level replaces it by another type",
    ),
    "option of a type that the stack changes": (
        text("feed_forward: {d_ff: 24}", "decoder: {feed_forward: glu}"),
        "8:22: `d_ff: 24` has no effect: an inner level replaces it by another type",
    ),
    "block that no layer is": (
        text(LOCAL + "[a]"),
        "8:41: block `b` has no effect: neither `pattern` nor `overrides` names it",
    ),
    "before_positions with rotary ones": (
        text("positions: rotary", "input: {normalize: before_positions}"),
        "9:20: `normalize: before_positions` has no effect: no positions are added to this input",
    ),
    "before_positions of a factorised embedding": (
        text("input: {normalize: before_positions, width: 8}"),
        "8:20: `normalize: before_positions` has no effect: no positions are added to this input",
    ),
    "depth_scaled without branches": (
        text("attention: none", "feed_forward: none", "init: {depth_scaled: true}"),
        "9:22: `depth_scaled: true` has no effect: it needs a layer with a residual branch",
    ),
    "parallel with one branch": (
        text("feed_forward: none", "residual: parallel"),
        "9:11: `residual: parallel` has no effect: `parallel` needs at least two branches",
    ),
    "normalised table of no norm": (
        text(ENCODER, "norm: none", "positions: {type: disentangled, normalize: true}"),
        "9:44: `normalize: true` has no effect: the `norm` here is `none`",
    ),
    "start of no decoder": (
        text("tokens: {decoder_start: 1}"),
        "8:25: `decoder_start: 1` has no effect: it applies only to encoder-decoder models tha",
    ),
    "values of no feature map": (
        text("attention: {type: linear, heads: 2, feature_map: identity, map_values: true}"),
        "7:72: `map_values: true` has no effect: `feature_map: identity` leaves the values unch",
    ),
    "weights that sparsemixer does not normalise": (
        text(MOE + ", router: {score: sparsemixer, normalize: false}}"),
        "`normalize: false` has no effect: `score: sparsemixer` does not normalise its weights",
    ),
    "tokens of an image": (
        text(IMAGE, "vocab_size: ", "max_positions: ", "tokens: {pad: 1, eos: 2}"),
        "pad: 1` has no effect: it needs a stack that reads token ids",
    ),
    "final norm of no norm": (
        text("norm: none", "final_norm: true"),
        "9:13: `final_norm: true` has no effect: the `norm` here is `none`",
    ),
    "no positions in a block, where the input has them": (
        text("positions: learned", "blocks: {a: {positions: none}}\npattern: [a]"),
        "`positions: none` has no effect: learned positions act on the input of the stack",
    ),
    "cross-attention of every stack": (
        text(BOTH, "cross_attention: {heads: 2}"),
        "8:1: `cross_attention` at the top level is the encoder's too, which has no stack to",
    ),
}
ACCEPTED = {
    "no final norm where there is no norm": text("norm: none", "final_norm: false"),
    "no norm of an input that is not normalised": text("input: {norm: none}"),
    "norm without a weight and without a bias": text("norm: {affine: false, bias: false}"),
    "heads of a key as many as those of the query": text("attention: {heads: 2, kv_heads: 2}"),
    "parallel where one kind of block has two branches": text("residual: parallel", SHORT),
    "mask that one block has": text(
        "mask: causal & window(2)", "blocks: {a: {}, b: {mask: causal}}\npattern: [a, b]"
    ),
    "override that repeats the pattern": text(LOCAL + "[a, b]", "overrides: {1: b}"),
    "override that repeats another": text(
        LOCAL + "[a, b]", "layers: 3", "overrides: {0: b, 0..1: b}"
    ),
    "override that repeats its block": text("overrides: {0: {attention: {heads: 2}}}"),
    "override that a later one changes in part": text(
        LOCAL + "[a]", "layers: 3", "overrides: {0..1: b, 1: {mask: causal}}"
    ),
    "mask that the stack repeats": text("mask: causal", "decoder: {mask: causal}"),
    "block that the number of layers cuts off": text(LOCAL + "[a * 4, b]"),
    "no bias anywhere, and no projection": text(
        FEATURES, "bias: false", "input: {type: features, size: 16}"
    ),
    "projected features without a bias": text(
        FEATURES, "input: {type: features, size: 8, bias: false}"
    ),
    "options of layers where there are none": text(
        "layers: 0", "attention: {heads: 2, dropout: 0.1}", "init: {depth_scaled: true}"
    ),
    "positions that only a block beyond the number of layers uses": text(LATE, "layers: 3"),
    "special tokens of an encoder": text(ENCODER, "tokens: {pad: 0, bos: 1, eos: 2}"),
    "start of a decoder": text(BOTH, "tokens: {decoder_start: 1}"),
    "norm of the model that only the head has": text(
        "norm: rmsnorm", "decoder: {norm: layernorm}", "head: {type: classifier, classes: 3, "
        "pool: mean, pooled_norm: true}",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("spec", "message"), REFUSED.values(), ids=list(REFUSED))
def test_refused(spec: str, message: str) -> None:
    with pytest.raises(SpecErrors) as caught:
        lower_spec(loads(spec, "t.yaml"))
    assert message in str(caught.value)
    assert all(problem.mark.line for problem in caught.value.problems)


@pytest.mark.parametrize("spec", ACCEPTED.values(), ids=list(ACCEPTED))
def test_accepted(spec: str) -> None:
    lower_spec(loads(spec))


def test_a_base_and_a_set_may_be_changed(tmp_path: pytest.TempPathFactory) -> None:
    """Values that another document, or `--set`, replaces are there to be changed."""
    base = text("mask: causal & window(5)")
    (tmp_path / "base.yaml").write_text(base, encoding="utf-8")  # type: ignore[operator]
    top = "name: top\nextends: base.yaml\n" + LOCAL + "[a, b]\n"
    lower_spec(loads(top, folder=tmp_path))  # type: ignore[arg-type]
    lower_spec(loads(base, sets=["decoder.mask=causal"]))
    with pytest.raises(SpecErrors, match="--set:1:6: `mask: full` has no effect"):
        loads(text(LOCAL + "[a, b]"), sets=["mask=full"])


def test_data_of_python_are_refused_too() -> None:
    data = {"name": "a", "family": "decoder-only", "vocab_size": 9, "d_model": 8, "layers": 1}
    data |= {"attention": {"heads": 2}, "mask": "full", "decoder": {"mask": "causal"}}
    with pytest.raises(SpecErrors, match="`mask: full` has no effect: all inner levels"):
        from_data(data)


def test_a_chain_of_ties_ends_at_the_table() -> None:
    stacks = (
        "stacks: {c: {input: {argument: c_ids, tied: b}}, b: {input: {argument: b_ids, tied: a}}, "
    )
    heads = (
        "heads: {x: {type: classifier, classes: 2, stack: c}, y: {type: classifier, classes: 2, "
    )
    spec = (
        "name: chain\nd_model: 8\nlayers: 1\nattention: {heads: 2}\n" + stacks
        + "a: {vocab_size: 9, input: {argument: a_ids}}}\n" + heads + "stack: b}, "
        "z: {type: classifier, classes: 2, stack: a}}\n"
    )  # fmt: skip
    graph = lower_spec(loads(spec))
    assert [op.attrs["rows"] for op in graph.ops() if op.kind == "embedding"] == [9, 9, 9]


def test_what_a_set_number_of_layers_leaves_out_is_used_with_more() -> None:
    """A smaller number may be set; what neither it nor a greater one would use stays an error."""
    for layers in range(5):
        lower_spec(loads(text(LATE, "layers: 4"), sets=[f"layers={layers}"]))
    unused = text(LATE, "layers: 4", "norm: {affine: false, weight_offset: 1}")
    for layers in (1, 4):
        with pytest.raises(SpecErrors, match="`weight_offset: 1` has no effect"):
            lower_spec(loads(unused, sets=[f"layers={layers}"]))


MISPLACED = {
    "positions of queries that cross-attention inherits": (
        text(
            BOTH,
            "positions: rotary",
            "attention: {heads: 2, qk_norm: {type: head, after_positions: true}}",
        ),
        "write `cross_attention: {qk_norm: {after_positions: false}}` in the stack",
    ),
    "encoder that no cross-attention reads": (
        text(BOTH, "decoder: {cross_attention: none}", "head: language_model"),
        "8:11: stack `encoder` has no effect: nothing reads it",
    ),
}


@pytest.mark.parametrize(("spec", "message"), MISPLACED.values(), ids=list(MISPLACED))
def test_the_message_says_where_and_what_to_write(spec: str, message: str) -> None:
    with pytest.raises(SpecErrors) as caught:
        loads(spec, "t.yaml")
    assert message in str(caught.value)


def test_what_attention_lacks_is_not_missing_in_cross_attention_too() -> None:
    with pytest.raises(SpecErrors) as caught:
        loads(text(BOTH, "attention: {type: mla, heads: 2}"), "t.yaml")
    assert all("7:1: " in str(problem) for problem in caught.value.problems)
    assert "`cross_attention" not in str(caught.value)


def test_what_the_document_lacks_is_not_missing_in_a_set() -> None:
    with pytest.raises(SpecErrors) as caught:
        loads("name: z\n", "z.yaml", sets=["a.b.c=1"])
    assert "z.yaml:1:1: `family` is missing" in str(caught.value)
    assert "--set:1:1: unknown key `a`" in str(caught.value)
    with pytest.raises(SpecErrors, match=r"z\.yaml:1:1: `d_model` is missing"):
        loads("name: z\nfamily: decoder-only\n", "z.yaml", sets=["vocab_size=7"])
