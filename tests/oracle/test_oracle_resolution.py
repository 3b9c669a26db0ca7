"""How levels are resolved: documents before and after, written from `docs/language.md` alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import modelwright as mw

DECODER = "{name: a, family: decoder-only, vocab_size: 20, d_model: 8, attention: {heads: 2}, "
ENCODER = DECODER.replace("decoder-only", "encoder-only")
BOTH = DECODER.replace("decoder-only", "encoder-decoder")
STACKS = "{name: a, d_model: 8, layers: 1, attention: {heads: 2}, "


def at(value: Any, path: str) -> Any:
    """The value at a path such as `stacks.decoder.blocks.block.norm.eps`."""
    for key in path.split("."):
        if isinstance(value, dict):
            value = value[key]
        elif isinstance(value, tuple):
            value = value[int(key)]
        else:
            value = getattr(value, key)
    return value


def plain(spec: mw.ModelSpec) -> Any:
    """A spec as data, without the word of the family."""
    data = spec.model_dump(mode="json", by_alias=True)
    return {key: value for key, value in data.items() if key != "family"}


ALIKE = [
    ("rule 1: a word is a type",
     DECODER + "layers: 1, norm: rmsnorm}",
     DECODER + "layers: 1, norm: {type: rmsnorm}}"),
    ("rule 1: a missing type is the default",
     DECODER + "layers: 1, positions: rotary, feed_forward: {d_ff: 10}}",
     DECODER + "layers: 1, positions: {type: rotary}, feed_forward: {type: mlp, d_ff: 10}}"),
    ("rule 2: a key of a block may stand in the stack, or at the model",
     DECODER + "layers: 1, norm: rmsnorm}",
     DECODER + "layers: 1, decoder: {norm: rmsnorm}}"),
    ("rule 2: what reaches a component may be written in it",
     DECODER + "layers: 1, activation: silu, bias: false, dropout: 0.1}",
     "{name: a, family: decoder-only, vocab_size: 20, d_model: 8, layers: 1, activation: silu, "
     "bias: false, dropout: 0.1, attention: {heads: 2, bias: false, dropout: 0.1}, "
     "feed_forward: {activation: silu, bias: false}, input: {dropout: 0.1}}"),
    ("rule 3: mappings merge key by key, over all levels",
     DECODER + "layers: 1, norm: {type: rmsnorm, eps: 1e-3}, decoder: {norm: {weight_offset: 1}}}",
     DECODER + "layers: 1, norm: {type: rmsnorm, eps: 1e-3, weight_offset: 1}}"),
    ("rule 3: a new type starts afresh",
     BOTH + "layers: 1, norm: {type: rmsnorm, eps: 1e-3}, decoder: {norm: layernorm}}",
     BOTH + "layers: 1, encoder: {norm: {type: rmsnorm, eps: 1e-3}}}"),
    ("rule 3: the same type is no new one",
     DECODER + "layers: 1, norm: {type: rmsnorm, eps: 1e-3}, "
     "decoder: {norm: {type: rmsnorm, weight_offset: 1}}}",
     DECODER + "layers: 1, norm: {type: rmsnorm, eps: 1e-3, weight_offset: 1}}"),
    ("rule 3: anything but a mapping replaces",
     BOTH + "layers: 1, positions: [rotary, alibi], decoder: {positions: [alibi]}}",
     BOTH + "layers: 1, encoder: {positions: [rotary, alibi]}, decoder: {positions: alibi}}"),
    ("rule 5: positions and mask stand beside the attention and outlive its change",
     DECODER + "layers: 1, positions: rotary, mask: causal & window(3), decoder: {attention: "
     "{type: mla, heads: 2, kv_rank: 4, nope_dim: 2, rope_dim: 2, value_dim: 4}}}",
     "{name: a, family: decoder-only, vocab_size: 20, d_model: 8, layers: 1, positions: rotary, "
     "mask: causal & window(3), attention: "
     "{type: mla, heads: 2, kv_rank: 4, nope_dim: 2, rope_dim: 2, value_dim: 4}}"),
    ("decoder-only is a stack with a causal mask",
     DECODER + "layers: 1}",
     STACKS + "stacks: {decoder: {mask: causal, vocab_size: 20}}}"),
    ("encoder-only is a stack with a full mask",
     ENCODER + "layers: 1}",
     STACKS + "stacks: {encoder: {mask: full, vocab_size: 20}}}"),
    ("encoder-decoder is two stacks, of which the second reads the first",
     BOTH + "layers: 1}",
     STACKS + "vocab_size: 20, stacks: {encoder: {mask: full}, decoder: {mask: causal, "
     "cross_attention: {memory: encoder}, input: {argument: decoder_input_ids}}}}"),
    ("anything overrides the family",
     BOTH + "layers: 1, mask: band(2)}",
     BOTH + "layers: 1, encoder: {mask: band(2)}, decoder: {mask: band(2)}}"),
    ("cross-attention has the options of attention unless it says others",
     BOTH.replace("heads: 2", "heads: 4, kv_heads: 2, softcap: 5")
     + "layers: 1, decoder: {cross_attention: {kv_heads: 4}}}",
     BOTH.replace("heads: 2", "heads: 4, kv_heads: 2, softcap: 5")
     + "layers: 1, decoder: {cross_attention: {heads: 4, kv_heads: 4, softcap: 5}}}"),
    ("a head is one of several",
     DECODER + "layers: 1, head: language_model}",
     DECODER + "layers: 1, heads: {head: language_model}}"),
    ("a head reads the last stack and has its words",
     BOTH + "layers: 1, head: language_model}",
     BOTH + "layers: 1, head: {type: language_model, stack: decoder, vocab_size: 20}}"),
    ("an expert is an mlp, and takes its activation from outside",
     DECODER + "layers: 1, activation: relu, feed_forward: {type: moe, experts: 4, top_k: 2}}",
     DECODER + "layers: 1, activation: relu, feed_forward: {type: moe, experts: 4, top_k: 2, "
     "expert: {type: mlp, activation: relu, d_ff: 4 * d_model}}}"),
    ("a final norm stands behind the last layer, unless that is `post`",
     DECODER + "layers: 2}",
     DECODER + "layers: 2, final_norm: true}"),
    ("no final norm stands behind a last layer that is `post`",
     DECODER + "layers: 2, norm_placement: post}",
     DECODER + "layers: 2, norm_placement: post, final_norm: false}"),
    ("a mask of equal meaning may be written with parentheses",
     DECODER + "layers: 1, mask: causal & window(3) | keys(2)}",
     DECODER + "layers: 1, mask: (causal & window(3)) | keys(0:2)}"),
    ("positions none is no positions",
     DECODER + "layers: 1, positions: none}",
     DECODER + "layers: 1}"),
]  # fmt: skip
"""Rule, and two documents that mean the same."""


@pytest.mark.parametrize(("before", "after"), [a[1:] for a in ALIKE], ids=[a[0] for a in ALIKE])
def test_documents_that_mean_the_same(before: str, after: str) -> None:
    assert plain(mw.loads(before)) == plain(mw.loads(after))


LOCAL = "blocks: {a: {mask: causal & window(3)}, b: {}}, "
THREE = LOCAL.replace("{}}", "{}, c: {norm: rmsnorm}}")
ORDERS = [
    ("without a pattern all layers are the one block", "layers: 3}", "block block block"),
    ("a pattern is repeated and cut", LOCAL + "layers: 7, pattern: [a * 2, b]}", "a a b a a b a"),
    ("a pattern is cut in its first turn", LOCAL + "layers: 2, pattern: [a * 5, b]}", "a a"),
    ("an override may name a block",
     THREE + "layers: 4, pattern: [a], overrides: {-1: c, 0: b}}",
     "b a a c"),
    ("both ends of a range belong to it", LOCAL + "layers: 5, pattern: [a], overrides: {1..3: b}}",
     "a b b b a"),
    ("a range may count from the end", LOCAL + "layers: 5, pattern: [a], overrides: {-2..-1: b}}",
     "a a a b b"),
    ("a range may run to the end", LOCAL + "layers: 5, pattern: [a], overrides: {3..-1: b}}",
     "a a a b b"),
    ("with overrides alone every other layer is the unnamed block",
     "blocks: {a: {norm: rmsnorm}}, layers: 3, overrides: {1: a}}", "block a block"),
    ("a later override wins", THREE + "layers: 4, pattern: [a], overrides: {0..2: b, 1: c}}",
     "b c b a"),
]  # fmt: skip
"""Rule, end of a document, the block of each layer."""


@pytest.mark.parametrize(("text", "order"), [o[1:] for o in ORDERS], ids=[o[0] for o in ORDERS])
def test_which_block_each_layer_is(text: str, order: str) -> None:
    spec = mw.loads(DECODER + text)
    assert spec.stacks["decoder"].order == tuple(order.split())


def test_gemma_of_the_page() -> None:
    text = """
name: gemma
family: decoder-only
vocab_size: 20
d_model: 8
attention: {heads: 2}
layers: 26
blocks:
  local:  {mask: causal & window(512), positions: {type: rotary, theta: 10000}}
  global: {mask: causal, positions: {type: rotary, theta: 1e6}}
pattern: [local * 5, global]
"""
    stack = mw.loads(text).stacks["decoder"]
    assert stack.order == (("local",) * 5 + ("global",)) * 4 + ("local", "local")
    assert str(stack.blocks["local"].mask) == "causal & window(512)"
    assert at(stack, "blocks.global.positions.0.theta") == 1e6


LAYERED = (
    DECODER.replace("heads: 2", "heads: 2, softcap: 1")
    + "layers: 4, head: {type: classifier, classes: 3}, norm: {eps: 1e-2}, dropout: 0.1, "
    "decoder: {dropout: 0.2, activation: relu}, "
    "blocks: {a: {attention: {softcap: 2}}, b: {dropout: 0.3}}, pattern: [a, b], "
    "overrides: {1: {attention: {softcap: 3}, norm: rmsnorm}, 2: {share: true}}}"
)
LAYERS = [
    ("a named block is stronger than its stack", 0, "attention.softcap", 2),
    ("and leaves alone what it does not say", 0, "attention.heads", 2),
    ("a stack is stronger than the model", 0, "dropout", 0.2),
    ("a named block is stronger than both", 1, "dropout", 0.3),
    ("an override goes on top of the block that stands there", 1, "attention.softcap", 3),
    ("and leaves alone what it does not say", 1, "attention.heads", 2),
    ("a new type in an override starts afresh", 1, "norm.eps", 1e-5),
    ("a norm of the model reaches every branch", 0, "feed_forward.norm.eps", 1e-2),
    ("a norm of an override reaches every branch", 1, "feed_forward.norm.type", "rmsnorm"),
    ("an activation of the stack reaches the feed-forward", 1, "feed_forward.activation.type",
     "relu"),
    ("a dropout of a block reaches its attention", 1, "attention.dropout", 0.3),
    ("an override may say `share`", 2, "share", True),
    ("an override does not change other layers of its block", 0, "share", False),
    ("the family says the mask when nobody else does", 2, "mask.name", "causal"),
]  # fmt: skip
"""Rule, number of a layer, path in its block, value."""


@pytest.mark.parametrize(("layer", "path", "value"), [x[1:] for x in LAYERS])
def test_order_of_levels(layer: int, path: str, value: object) -> None:
    stack = mw.loads(LAYERED).stacks["decoder"]
    assert at(stack.blocks[stack.order[layer]], path) == value


INNER = [
    ("bias reaches linear layers", "bias: false", "blocks.block.attention.bias", False),
    ("and not norms", "bias: false", "blocks.block.norm.bias", True),
    ("a branch's own norm is that of its norms inside",
     "attention: {heads: 2, norm: rmsnorm, qk_norm: head}",
     "blocks.block.attention.qk_norm.norm.type", "rmsnorm"),
    ("a norm inside may be another",
     "attention: {heads: 2, norm: rmsnorm, qk_norm: {type: head, norm: layernorm}}",
     "blocks.block.attention.qk_norm.norm.type", "layernorm"),
    ("a norm inside merges with the one outside",
     "norm: {type: rmsnorm, eps: 1e-3}, attention: {heads: 2, norm: {weight_offset: 1}}",
     "blocks.block.attention.norm.eps", 1e-3),
    ("an input has the norm of its stack", "norm: rmsnorm", "input.0.norm.type", "rmsnorm"),
    ("an input has a norm of its own", "norm: rmsnorm, input: {norm: layernorm}",
     "input.0.norm.type", "layernorm"),
    ("a feed-forward is four times as wide", "layers: 1", "blocks.block.feed_forward.d_ff",
     "4 * d_model"),
    ("a list of biases replaces", "bias: true, attention: {heads: 2, bias: [query]}",
     "blocks.block.attention.bias", ("query",)),
    ("attention may be switched off", "attention: none", "blocks.block.attention.type",
     "none"),
]  # fmt: skip
"""Rule, keys, path in the stack, value."""


@pytest.mark.parametrize(("keys", "path", "value"), [x[1:] for x in INNER])
def test_what_reaches_inward(keys: str, path: str, value: object) -> None:
    text = DECODER.replace("attention: {heads: 2}, ", "") if "attention:" in keys else DECODER
    more = "" if "layers" in keys else "layers: 1, "
    assert at(mw.loads(text + more + keys + "}").stacks["decoder"], path) == value


def test_biases_do_not_reach_heads() -> None:
    text = DECODER + "layers: 1, bias: false, head: {type: classifier, classes: 3}}"
    assert at(mw.loads(text), "heads.head.bias") is True


def test_positions_and_mask_are_not_those_of_a_cross_attention() -> None:
    """It has no mask and no positions: nothing of them is in its part."""
    spec = mw.loads(BOTH + "layers: 1, positions: rotary, mask: band(3)}")
    part = spec.stacks["decoder"].blocks["block"].cross_attention
    assert not {"mask", "positions"} & set(type(part).model_fields)


BASE = DECODER.replace("name: a", "name: base") + (
    "layers: 4, norm: {type: rmsnorm, eps: 1e-3}, dropout: 0.1, "
    "heads: {x: language_model, y: {type: classifier, classes: 3}}, overrides: {0: {share: true}}}"
)
ON_TOP = [
    ("the document on top wins", "layers: 2", [], "stacks.decoder.layers", 2),
    ("mappings merge", "norm: {weight_offset: 1}", [], "stacks.decoder.norm.eps", 1e-3),
    ("a new type starts afresh", "norm: layernorm", [], "stacks.decoder.norm.eps", 1e-5),
    ("a set is stronger than both", "layers: 2", ["layers=3"], "stacks.decoder.layers", 3),
    ("a set is written before levels are resolved", "layers: 2", ["decoder.layers=3"],
     "stacks.decoder.layers", 3),
    ("the value of a set is YAML", "layers: 2", ["norm={type: rmsnorm, eps: 0.5}"],
     "stacks.decoder.norm.eps", 0.5),
    ("heads merge by name", "heads: {y: {classes: 5}}", [], "heads.y.classes", 5),
    ("a head that is none is removed", "heads: {y: none}", [], "heads", {"x"}),
    ("an override that is none is removed", "layers: 4", ["overrides.0=none"],
     "stacks.decoder.order", ("block",) * 4),
]  # fmt: skip
"""Rule, keys of the document on top, sets, path, value."""


@pytest.mark.parametrize(("keys", "sets", "path", "value"), [x[1:] for x in ON_TOP])
def test_extends(tmp_path: Path, keys: str, sets: list[str], path: str, value: object) -> None:
    (tmp_path / "base.yaml").write_text(BASE, encoding="utf-8")
    (tmp_path / "top.yaml").write_text(f"{{extends: base.yaml, name: top, {keys}}}")
    found = at(mw.load(tmp_path / "top.yaml", sets=sets), path)
    assert (set(found) if isinstance(found, dict) else found) == value


def test_the_name_is_not_inherited(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(BASE, encoding="utf-8")
    (tmp_path / "top.yaml").write_text("{extends: base.yaml}", encoding="utf-8")
    with pytest.raises(mw.SpecErrors, match="name"):
        mw.load(tmp_path / "top.yaml")


def test_a_stack_of_another_file_has_the_outer_levels_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(BASE, encoding="utf-8")
    (tmp_path / "top.yaml").write_text(
        "{name: top, stacks: {text: {extends: base.yaml#decoder, layers: 2}}}"
    )
    stack = mw.load(tmp_path / "top.yaml").stacks["text"]
    assert (stack.layers, stack.norm.type, stack.dropout) == (2, "rmsnorm", 0.1)
    (tmp_path / "top.yaml").write_text(
        "{name: top, dropout: 0.4, stacks: {text: {extends: base.yaml#decoder, layers: 2}}}"
    )
    with pytest.raises(
        mw.SpecErrors, match=r"`dropout: 0\.4` has no effect: every stack takes this"
    ):
        mw.load(tmp_path / "top.yaml")
