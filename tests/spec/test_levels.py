"""Rules 1 to 3: words as types, defaults of outer levels, merging; and `--set`."""

from __future__ import annotations

from pathlib import Path

import pytest

from modelwright.spec import ModelSpec, SpecErrors, load, loads
from modelwright.spec.attention import CrossMha, Mha
from modelwright.spec.feed_forward import Glu, Mlp
from modelwright.spec.norm import LayerNorm, RmsNorm
from modelwright.spec.part import Nothing
from modelwright.spec.positions import Learned, Rotary

TINY = (
    "name: t\nfamily: decoder-only\nvocab_size: 9\nd_model: 8\nlayers: 4\nattention: {heads: 2}\n"
)
BOTH = TINY.replace("decoder-only", "encoder-decoder")


def block(spec: ModelSpec, stack: str = "decoder", name: str = "block"):
    return spec.stacks[stack].blocks[name]


def test_a_word_is_a_type() -> None:
    assert loads(TINY + "norm: rmsnorm\n") == loads(TINY + "norm: {type: rmsnorm}\n")


def test_everything_inside_takes_the_outer_word() -> None:
    spec = loads(
        TINY
        + "norm: {type: rmsnorm, eps: 1e-6}\nbias: false\ndropout: 0.1\nactivation: silu\n"
        + "norm_placement: sandwich\ninput: {normalize: true}\n"
        + "head: {type: language_model, transform: dense}\n"
    )
    inside, stack = block(spec), spec.stacks["decoder"]
    norm = RmsNorm(eps=1e-6)
    assert inside.attention.norm == inside.feed_forward.norm == stack.norm == norm
    assert inside.attention.norm_placement == inside.feed_forward.norm_placement == "sandwich"
    assert inside.attention.bias is inside.feed_forward.bias is False
    assert inside.attention.dropout == stack.input[0].dropout == stack.dropout == 0.1
    assert inside.feed_forward.activation.type == "silu"
    assert stack.input[0].norm == norm
    head = spec.heads["head"]
    assert (head.transform.activation.type, head.transform.norm) == ("silu", norm)
    assert (head.stack, head.vocab_size) == ("decoder", 9)


def test_an_inner_level_overrides_only_its_own_keys() -> None:
    spec = loads(
        BOTH + "norm: {type: rmsnorm, eps: 1e-6}\n"
        "decoder: {norm: {weight_offset: 1}, attention: {norm: {eps: 1e-3}, qk_norm: head}}\n"
    )
    assert block(spec, "encoder").attention.norm == RmsNorm(eps=1e-6)
    decoder = block(spec)
    assert decoder.feed_forward.norm == RmsNorm(eps=1e-6, weight_offset=1)
    assert decoder.attention.norm == RmsNorm(eps=1e-3, weight_offset=1)
    assert decoder.attention.qk_norm.norm == decoder.attention.norm


def test_a_new_type_starts_afresh_and_is_noted() -> None:
    text = BOTH.replace("{heads: 2}", "{heads: 2, softcap: 5}") + (
        "feed_forward: {d_ff: 24, inner_norm: true}\ndecoder: {feed_forward: glu}\n"
    )
    spec = loads(text, "t.yaml")
    assert isinstance(block(spec).feed_forward, Glu)
    assert block(spec).feed_forward.d_ff == "4 * d_model"
    assert spec.notes == (
        "t.yaml:8:25: changing feed_forward from `mlp` to `glu` drops its options d_ff, inner_norm",
    )
    assert str(block(spec).mask) == "causal"


def test_the_mask_survives_another_attention() -> None:
    spec = loads(TINY, sets=["attention.type=none"])
    assert isinstance(block(spec).attention, Nothing)
    assert str(block(spec).mask) == "causal"


def test_writing_the_default_type_changes_nothing() -> None:
    spec = loads(TINY + "decoder: {attention: {type: mha, kv_heads: 1}}\n")
    assert (block(spec).attention.heads, block(spec).attention.kv_heads) == (2, 1)


def test_lists_replace() -> None:
    spec = loads(
        BOTH + "max_positions: 4\npositions: [learned, rotary]\ndecoder: {positions: [rotary]}\n"
    )
    assert [p.type for p in spec.stacks["decoder"].positions] == ["rotary"]


def test_cross_attention_defaults_to_the_options_of_attention() -> None:
    text = BOTH.replace("{heads: 2}", "{heads: 2, scale: none, bias: [query]}")
    cross = block(loads(text)).cross_attention
    assert isinstance(cross, CrossMha)
    assert (cross.memory, cross.heads, cross.scale, cross.bias) == (
        "encoder",
        2,
        "none",
        ("query",),
    )
    cross = block(loads(text + "decoder: {cross_attention: {heads: 4}}\n")).cross_attention
    assert (cross.heads, cross.scale) == (4, "none")
    apart = "decoder: {cross_attention: none, input: {tied: encoder}}\n"
    heads = [f"{s[0]}: {{type: language_model, stack: {s}}}" for s in ("encoder", "decoder")]
    spec = loads(text + apart + f"heads: {{{', '.join(heads)}}}\n")
    assert isinstance(block(spec).cross_attention, Nothing)


def test_a_head_may_say_its_own_words() -> None:
    spec = loads(
        TINY + "activation: silu\nheads:\n"
        "  words: {type: language_model, bias: true, transform: {type: dense, norm: rmsnorm}}\n"
        "  kind: {type: classifier, classes: 3, dropout: 0.5, activation: tanh}\n"
        "  gone: none\n"
    )
    assert list(spec.heads) == ["words", "kind"]
    assert spec.heads["words"].transform.norm == RmsNorm()
    assert spec.heads["words"].transform.bias is True
    assert (spec.heads["kind"].dropout, spec.heads["kind"].activation.type) == (0.5, "tanh")


def test_the_final_norm_follows_the_last_layer() -> None:
    assert loads(TINY).stacks["decoder"].final_norm is True
    assert loads(TINY + "norm_placement: post\n").stacks["decoder"].final_norm is False
    assert loads(TINY + "norm: none\n").stacks["decoder"].final_norm is False
    assert loads(TINY + "norm_placement: post\nfinal_norm: true\n").stacks["decoder"].final_norm
    last = loads(TINY + "overrides: {-1: {norm_placement: post}}\n").stacks["decoder"]
    assert last.final_norm is False


def test_positions_none_is_the_empty_tuple() -> None:
    spec = loads(
        TINY + "positions: rotary\nblocks: {a: {}, b: {positions: none}}\npattern: [a, b]\n"
    )
    assert spec.stacks["decoder"].positions == (Rotary(),)
    assert block(spec, name="a").positions == (Rotary(),)
    assert block(spec, name="b").positions == ()


def test_an_older_word_of_skip_padding() -> None:
    text = TINY + "max_positions: 4\npositions: {type: learned, skip_padding: true, offset: 2}\n"
    assert loads(text).stacks["decoder"].positions == (Learned(skip_padding="mask", offset=2),)


def test_a_tie_takes_the_sizes_of_its_table() -> None:
    spec = loads(
        "name: t\nlayers: 1\nd_model: 8\nattention: {heads: 2}\nstacks:\n"
        "  a: {vocab_size: 9, input: {width: 4}}\n"
        "  b: {input: {argument: more_ids, tied: a}, cross_attention: {memory: a}}\n"
    )
    tied = spec.stacks["b"].input[0]
    assert (tied.vocab_size, tied.width) == (9, 4)


@pytest.mark.parametrize(
    "written, value",
    [
        ("4 * d_model", "4 * d_model"),
        ("8/3*d_model", "8/3 * d_model"),
        ("d_model", "1 * d_model"),
        ("32", 32),
    ],
)
def test_sizes(written: str, value: object) -> None:
    text = TINY.replace("d_model: 8", "d_model: 24")
    assert block(loads(text + f"feed_forward: {{d_ff: {written}}}\n")).feed_forward.d_ff == value


# -- --set


def test_set_writes_one_key() -> None:
    spec = loads(
        TINY + "overrides: {0..1: {norm: rmsnorm}}\n",
        sets=["decoder.layers=3", "positions=rotary", "overrides.0..1=none", "norm.eps=1e-3"],
    )
    assert spec.stacks["decoder"].order == ("block",) * 3
    assert block(spec).positions == (Rotary(),)
    assert block(spec).norm == LayerNorm(eps=1e-3)


@pytest.mark.parametrize(
    "text, problem",
    [
        ("layers", "--set:1:1: `--set` takes `key=value`"),
        ("=3", "--set:1:1: `--set` takes `key=value`"),
        ("extends=a.yaml", "--set:1:1: `extends` cannot be changed with `--set`"),
        ("layers=", "--set:1:7: a value is missing"),
        ("layers=many", "--set:1:8: `layers` must be an integer"),
        ("positions.type=alibbi", "--set:1:16: unknown type `alibbi`; expected one of"),
        ("attention.headz=3", "--set:1:1: unknown key `headz`"),
        ("norm=[1", "--set:1:6: this `[` is never closed"),
        ("norm={a: 1}\nname: x", "--set:1:1: `--set` takes `key=value`"),
        ("mask=[window(1, 2)]", "--set:1:7: a formula with a comma inside"),
    ],
)
def test_a_wrong_set_is_located(text: str, problem: str) -> None:
    with pytest.raises(SpecErrors) as caught:
        loads(TINY, sets=[text])
    assert str(caught.value).startswith(problem)


# -- extends


def write(folder: Path, **files: str) -> None:
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")


def test_extends_puts_a_document_on_top(tmp_path: Path) -> None:
    write(tmp_path, base=TINY + "heads: {a: language_model, b: language_model}\n")
    write(tmp_path, top="name: top\nextends: base.yaml\nlayers: 2\nheads: {b: none}\n")
    spec = load(tmp_path / "top.yaml")
    assert (spec.name, spec.stacks["decoder"].layers, list(spec.heads)) == ("top", 2, ["a"])
    assert spec.mark(("stacks", "decoder", "d_model")).file.endswith("base.yaml")
    assert spec.source_name == "top.yaml"


def test_the_name_is_not_inherited(tmp_path: Path) -> None:
    write(tmp_path, base=TINY, top="extends: base.yaml\n")
    with pytest.raises(SpecErrors, match="`name` is missing"):
        load(tmp_path / "top.yaml")


def test_a_stack_of_another_file_comes_with_its_levels(tmp_path: Path) -> None:
    write(tmp_path, base=TINY + "norm: rmsnorm\nbias: false\n")
    write(
        tmp_path,
        top="name: top\nstacks:\n  text: {extends: base.yaml#decoder, layers: 1}\n"
        "head: {type: language_model, tied: true}\n",
    )
    spec = load(tmp_path / "top.yaml")
    inside = block(spec, "text")
    assert (inside.norm, inside.bias, str(inside.mask)) == (RmsNorm(), False, "causal")
    assert spec.stacks["text"].layers == 1
    assert spec.heads["head"].vocab_size == 9


def test_stacks_may_not_extend_in_a_circle(tmp_path: Path) -> None:
    write(
        tmp_path,
        a="name: a\nstacks: {s: {extends: b.yaml#s}}\n",
        b="name: b\nstacks: {s: {extends: a.yaml#s}}\n",
    )
    with pytest.raises(SpecErrors, match="`extends` is circular"):
        load(tmp_path / "a.yaml")


def test_a_link_leads_nowhere_outside(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    write(tmp_path, base=TINY)
    (tmp_path / "in" / "link.yaml").symlink_to(tmp_path / "base.yaml")
    write(tmp_path / "in", top="name: top\nextends: link.yaml\n")
    with pytest.raises(SpecErrors, match="outside the folder"):
        load(tmp_path / "in" / "top.yaml")


def test_a_text_extends_nothing() -> None:
    with pytest.raises(SpecErrors, match="`extends` needs a folder"):
        loads(TINY + "extends: gpt2.yaml\n")


# -- marks


def test_marks_lead_to_where_a_value_was_written() -> None:
    spec = loads(TINY, "t.yaml")
    here = ("stacks", "decoder", "blocks", "block")
    assert str(spec.mark((*here, "attention", "heads"))) == "t.yaml:6:20"
    assert str(spec.nearest_mark((*here, "attention", "kv_heads"))) == "t.yaml:6:1"
    assert spec.mark((*here, "mask")).why == "family"
    assert str(spec.mark((*here, "mask"))) == "t.yaml:2:9"
    assert spec.nearest_mark((*here, "norm", "eps")).why == "default"


def test_the_hash_is_that_of_the_meaning() -> None:
    spec = loads(TINY)
    other = loads("# a comment\n" + TINY.replace("{heads: 2}", "{type: mha, heads: 2}"))
    assert spec.sha == other.sha
    assert spec == other
    assert hash(spec) == hash(other)
    assert loads(TINY, sets=["layers=5"]).sha != spec.sha


def test_types() -> None:
    inside = block(loads(TINY))
    assert type(inside.attention) is Mha
    assert isinstance(inside.feed_forward, Mlp)


def test_a_default_of_another_type_is_kept() -> None:
    """A projection has no activation, whatever stands outside."""
    spec = loads(TINY + "activation: relu\nhead: {type: projection, size: 4, pool: first}\n")
    assert spec.heads["head"].activation.type == "identity"
