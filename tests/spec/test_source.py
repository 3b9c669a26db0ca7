"""YAML as it is read: safe, bounded, located."""

from __future__ import annotations

import pytest
from fuzz.work import within

from modelwright.spec import SpecErrors, load, loads
from modelwright.spec.errors import Mark, SpecError
from modelwright.spec.source import MAX_CHARACTERS, Node, parse

TINY = (
    "name: t\nfamily: decoder-only\nvocab_size: 9\nd_model: 8\nlayers: 4\nattention: {heads: 2}\n"
)


def tree(text: str) -> Node:
    problems: list[SpecError] = []
    node = parse(text, "x.yaml", problems)
    assert not problems
    assert node is not None
    return node


@pytest.mark.parametrize(
    "text, value",
    [
        ("7", 7),
        ("-7", -7),
        ("1e6", 1_000_000),
        ("1e-5", 1e-5),
        ("2.0", 2),
        (".5", 0.5),
        ("true", True),
        ("false", False),
        ("yes", "yes"),
        ("on", "on"),
        ("True", "True"),
        ("012", "012"),
        ("0o12", "0o12"),
        ("0x1F", "0x1F"),
        ("1_000", "1_000"),
        ("12:30", "12:30"),
        ("2024-01-01", "2024-01-01"),
        (".inf", ".inf"),
        ('"7"', "7"),
        ("'true'", "true"),
        ("~causal", "~causal"),
        ("causal & window(4)", "causal & window(4)"),
        ("[1, 2.5, a]", [1, 2.5, "a"]),
        ("{a: {b: 1}}", {"a": {"b": 1}}),
    ],
)
def test_scalars(text: str, value: object) -> None:
    found = tree(f"key: {text}").plain()["key"]
    assert found == value
    assert type(found) is type(value)


def test_every_value_knows_its_place() -> None:
    node = tree("a: 1\nb:\n  - x\n  - {c: 2}\n")
    entry = node.value["b"].value[1]
    assert (entry.mark.line, entry.mark.column) == (4, 5)
    inner = entry.value["c"]
    assert (inner.key_mark.line, inner.key_mark.column) == (4, 6)
    assert (inner.mark.line, inner.mark.column, inner.mark.text) == (4, 9, "  - {c: 2}")


HOSTILE = {
    "brackets": "[" * 100_000,
    "few brackets": "[" * 60_000,
    "braces": "a: " + "{a: " * 12_000,
    "dashes": "- " * 30_000,
    "questions": "? " * 30_000,
    "digits": TINY.replace("d_model: 8", "d_model: " + "9" * 5000),
    "a number in a text": f"{TINY}description: {'9' * 5000}\n",
    "aliases": f"{TINY}description: &a [x, x]\nnorm: &b [*a, *a, *a]\nmask: [*b, *b, *b]\n",
    "tag": f"{TINY}description: !!python/object/apply:os.system [ls]\n",
    "NUL": f"{TINY}description: a\0b\n",
    "escaped NUL": f'{TINY}description: "a\\0b"\n',
    "surrogate": f'{TINY}description: "\\ud800"\n',
    "reordering": f"{TINY}description: a\u202eb\n",
    "date": TINY.replace("layers: 4", "layers: 2024-01-01"),
    "octal": TINY.replace("layers: 4", "layers: 010"),
    "many values": "a: [" + "1," * 12_000 + "]",
    "long key": f"{TINY}{'k' * 5000}: 1\n",
    "deep mask": f"{TINY}mask: {'~' * 900}causal\n",
    "long mask": f"{TINY}mask: {'(' * 30_000}\n",
    "huge pattern": f"{TINY}blocks: {{a: {{}}}}\npattern: [{'a * 100000, ' * 1000}]\n",
    "many overrides": f"{TINY}overrides:\n" + "".join(f"  {i}: {{}}\n" for i in range(2000)),
    "many stacks": "name: t\nstacks:\n" + "".join(f"  s{i}: {{}}\n" for i in range(4000)),
    "many unknown keys": TINY + "".join(f"key_{i}: 1\n" for i in range(4000)),
    "too long": "#" * (MAX_CHARACTERS + 1),
}


MUCH = 500
"""Loops of `fuzz.work` whose CPU time reading a hostile document may take."""


def refused(text: str) -> SpecErrors:
    with pytest.raises(SpecErrors) as caught:
        loads(text)
    return caught.value


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_hostile_yaml_is_refused_quickly(text: str) -> None:
    if text.startswith("name: t\nfamily") and "overrides" in text:
        text = text.replace("layers: 4", "layers: 9999")
    assert within(MUCH, lambda: refused(text)).problems[0].mark.line >= 1


def test_the_largest_stack_is_read_quickly() -> None:
    spec = within(MUCH, lambda: loads(TINY.replace("layers: 4", "layers: 100000")))
    assert len(spec.stacks["decoder"].order) == 100_000


def test_long_words_are_cut_in_messages() -> None:
    for text in (f"{'x' * 10_000}: 3", f"{'x' * 10_000}:3", f"positions: {'x' * 10_000}"):
        with pytest.raises(SpecErrors) as caught:
            loads(f"{TINY}{text}\n")
        assert all(len(problem.message) < 500 for problem in caught.value.problems)


def test_a_file_that_is_not_there(tmp_path) -> None:
    with pytest.raises(SpecErrors, match=r"none\.yaml: cannot be read: No such file"):
        load(tmp_path / "none.yaml")
    with pytest.raises(SpecErrors, match="cannot be read: Is a directory"):
        load(tmp_path)


def test_bytes_that_are_not_text(tmp_path) -> None:
    path = tmp_path / "x.yaml"
    path.write_bytes(b"name: t\nfamily: \xff\n")
    with pytest.raises(SpecErrors) as caught:
        load(path)
    problem = caught.value.problems[0]
    assert (problem.mark.line, problem.mark.column) == (2, 9)
    assert "not UTF-8" in problem.message


def test_a_byte_order_mark_and_windows_lines_are_read(tmp_path) -> None:
    path = tmp_path / "x.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + TINY.replace("\n", "\r\n").encode())
    assert load(path).stacks["decoder"].layers == 4


def test_a_long_line_is_cut_around_the_caret() -> None:
    mark = Mark("x.yaml", 1, 500, "a" * 499 + "b" + "c" * 400)
    lines = str(SpecError(mark, "here")).splitlines()
    assert len(lines[1]) < 110
    assert lines[1][lines[2].index("^")] == "b"


def test_errors_travel_between_processes() -> None:
    import pickle

    with pytest.raises(SpecErrors) as caught:
        loads("name: 5\n")
    again = pickle.loads(pickle.dumps(caught.value))
    assert again.problems == caught.value.problems
    assert str(again) == str(caught.value)
