"""Where values are written: from the first character to the last."""

from __future__ import annotations

from pathlib import Path

import pytest

from modelwright.spec import ModelSpec, load, loads
from modelwright.spec.errors import Mark

BLOCK = "stacks.decoder.blocks.block"
TEXT = """\
name: small  # a comment
family: decoder-only
vocab_size: 50
max_positions: 16
d_model: 8
layers: 2
attention: {heads: 4, kv_heads: 2}
feed_forward:
  d_ff: 20
  activation: relu

positions:
- learned
- type: rotary
  theta: 500

# the end
description: |
  Two lines,
  as YAML writes them.

init: {type: normal,
  std: 0.1}
"""


def between(text: str, mark: Mark) -> str:
    """The characters from the start of a mark to its end."""
    lines = text.splitlines()[mark.line - 1 : mark.end_line]
    lines[-1] = lines[-1][: mark.end_column - 1]
    return "\n".join([lines[0][mark.column - 1 :], *lines[1:]])


def marked(spec: ModelSpec, path: str | tuple[str | int, ...]) -> Mark:
    mark = spec.mark(path)
    assert mark is not None, path
    return mark


@pytest.mark.parametrize(
    ("path", "written"),
    [
        ("name", "small"),
        ("stacks.decoder.d_model", "8"),
        (f"{BLOCK}.attention", "{heads: 4, kv_heads: 2}"),
        (f"{BLOCK}.attention.heads", "4"),
        (f"{BLOCK}.feed_forward", "d_ff: 20\n  activation: relu"),
        (f"{BLOCK}.feed_forward.activation.type", "relu"),
        ("stacks.decoder.positions", "- learned\n- type: rotary\n  theta: 500"),
        ("stacks.decoder.positions.1", "type: rotary\n  theta: 500"),
        ("stacks.decoder.positions.1.theta", "500"),
        (("stacks", "decoder", "positions", 0), "learned"),
        ("description", "|\n  Two lines,\n  as YAML writes them."),
        ("init", "{type: normal,\n  std: 0.1}"),
    ],
    ids=str,
)
def test_a_mark_spans_its_value(path: str | tuple[str | int, ...], written: str) -> None:
    assert between(TEXT, marked(loads(TEXT, "small.yaml"), path)) == written


def test_a_key_ends_where_its_value_ends() -> None:
    tree = loads(TEXT)._tree
    assert tree is not None
    for key in ("init", "description", "name"):
        node = tree.value[key]
        assert node.key_mark is not None
        assert between(TEXT, node.key_mark).startswith(f"{key}: ")
        ends = [(mark.end_line, mark.end_column) for mark in (node.mark, node.key_mark)]
        assert ends[0] == ends[1]


def test_paths_are_dotted_or_tuples() -> None:
    spec = loads(TEXT)
    dotted = f"{BLOCK}.attention.heads"
    assert spec.mark(dotted) == spec.mark(tuple(dotted.split(".")))


@pytest.mark.parametrize(
    "path", [f"{BLOCK}.attention.softcap", f"{BLOCK}.norm.eps", "a.b", "heads"]
)
def test_nothing_was_written(path: str) -> None:
    """A default, or a path that leads nowhere; `nearest_mark` gives the part around it."""
    spec = loads(TEXT)
    assert spec.mark(path) is None
    nearest = spec.nearest_mark(path)
    assert nearest is not None
    assert nearest.line


def test_a_value_of_the_family_is_marked_at_family() -> None:
    mark = marked(loads(TEXT), f"{BLOCK}.mask")
    assert mark.why == "family"
    assert between(TEXT, mark) == "decoder-only"


def test_a_value_of_set_is_marked_in_the_change() -> None:
    changes = ("d_model=16", "attention.heads=8", "feed_forward={type: glu, d_ff: 20}")
    spec = loads(TEXT, sets=changes)
    for path, change, written in (
        ("stacks.decoder.d_model", changes[0], "16"),
        (f"{BLOCK}.attention.heads", changes[1], "8"),
        (f"{BLOCK}.feed_forward", changes[2], "{type: glu, d_ff: 20}"),
        (f"{BLOCK}.feed_forward.d_ff", changes[2], "20"),
    ):
        mark = marked(spec, path)
        assert (mark.file, mark.why, mark.text) == ("--set", "--set", change)
        assert between(change, mark) == written
    kept = marked(spec, f"{BLOCK}.attention.kv_heads")
    assert (kept.why, between(TEXT, kept)) == ("", "2")


def test_a_value_of_an_extended_file_is_marked_there(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(TEXT, encoding="utf-8")
    top = "name: top\nextends: base.yaml\nattention: {heads: 2}\n"
    (tmp_path / "top.yaml").write_text(top, encoding="utf-8")
    spec = load(tmp_path / "top.yaml")
    files = {"base.yaml": TEXT, "top.yaml": top}
    for path, file, written in (
        ("name", "top.yaml", "top"),
        (f"{BLOCK}.attention.heads", "top.yaml", "2"),
        (f"{BLOCK}.attention.kv_heads", "base.yaml", "2"),
        (f"{BLOCK}.feed_forward", "base.yaml", "d_ff: 20\n  activation: relu"),
    ):
        mark = marked(spec, path)
        assert Path(mark.file).name == file
        assert between(files[file], mark) == written


def test_marks_of_examples_lead_to_their_values(examples: Path) -> None:
    """Every number that an example writes stands where its mark says."""
    for path in sorted(examples.glob("*.yaml")):
        spec = load(path)
        for name, stack in spec.stacks.items():
            mark = spec.mark(f"stacks.{name}.d_model")
            if mark is not None and not mark.why:
                text = Path(mark.file).read_text(encoding="utf-8")
                assert between(text, mark) == str(stack.d_model), path.name


def test_a_spec_from_python_has_no_marks() -> None:
    spec = ModelSpec(
        name="x", family="decoder-only", d_model=8, layers=1, attention={"heads": 2}, vocab_size=9
    )
    assert spec.mark("stacks.decoder.d_model") is None
    assert spec.nearest_mark("stacks.decoder.d_model") is None
