"""Syntax trees: reading, comparing, changing, checking and printing them."""

from __future__ import annotations

import ast

import pytest
from small_examples import NAMES, graph

from modelwright.backends.pytorch import BuildOptions, emit_file, generate, helpers
from modelwright.backends.pytorch.code.measure import width
from modelwright.backends.pytorch.code.nodes import Class, Copied, Dot, Function, Name
from modelwright.backends.pytorch.code.read import (
    call,
    constant,
    expression,
    read_block,
    read_definitions,
    statements,
    written,
)
from modelwright.backends.pytorch.code.scope import (
    Names,
    UnboundNameError,
)
from modelwright.backends.pytorch.code.show import show
from modelwright.backends.pytorch.code.walk import change, origins_in, union, written_for
from modelwright.backends.pytorch.file import BUILTINS, IMPORTED, program_of, with_kernel
from modelwright.backends.pytorch.helpers import collect, helper, places, source
from modelwright.backends.pytorch.ops import ROWS


def text_of(*found: object) -> str:
    return "\n".join(line.text for part in found for line in show(part))  # type: ignore[arg-type]


@pytest.mark.parametrize("file", ["generate", "cache", "sampling"])
def test_specs_are_printed_as_they_were_read(file: str) -> None:
    """A file of the runtime survives the reader and the printer, comments and breaks included."""
    for node in ast.parse(source(file)).body:
        if isinstance(node, (ast.ClassDef, ast.FunctionDef)):
            first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
            lines = source(file).splitlines()[first - 1 : node.end_lineno]
            assert text_of(read_definitions(source(file))[node.name]) == "\n".join(lines)


@pytest.mark.parametrize(
    "text",
    [
        "x = (a + b) * c",
        "x = a - (b - c)",
        "x = -a**2",
        "x = (-a) ** 2",
        "x = (a if b else c) + d",
        "x = a if b else c if d else e",
        "x = not (a and b) or c",
        "x = (a | b) & c == d",
        "x = a[:, b:c, None] + a[..., : c.size(1)]",
        "x, y = y, x",
        "x = (a,)",
        'x = {"a": b, "c": (d, e)}',
        "x = [i for i in y if i > 2]",
        "x = f(*a, b=c, **d)",
        'raise ValueError(f"{a} is not {b.c}")',
        "for i, x in enumerate(y):\n    x += i  # a note",
        "if a is None:  # why\n    b = 1\nelse:\n    # alone\n    b = 2",
        '@decorated(1)\ndef f(self, a: int, *, b: str = \'x\') -> None:\n    """What it does."""\n'
        "    return None",
    ],
)
def test_parentheses_are_added_where_python_needs_them(text: str) -> None:
    again = text_of(*read_block(text))
    assert ast.dump(ast.parse(again)) == ast.dump(ast.parse(text))
    assert text_of(*read_block(again)) == again


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (10_000.0, "10_000.0"),
        (1e-05, "1e-5"),
        (1e20, "1e20"),
        (50257, "50257"),
        (1_000_000, "1_000_000"),
        (True, "True"),
        ("it's", '"it\'s"'),
        ((1.0, 2.5), "(1.0, 2.5)"),
        ((1,), "(1,)"),
    ],
)
def test_literals_are_written_as_a_person_does(value: object, text: str) -> None:
    assert written(value) == text
    assert ast.literal_eval(text) == value


def test_numbers_of_other_kinds_are_other_literals() -> None:
    """Python holds 1, 1.0 and True for equal; two classes that differ in them are two."""
    assert len({constant(1), constant(1.0), constant(True)}) == 3


def test_templates_are_filled_at_names_and_not_inside_what_is_given() -> None:
    found = expression("x + y", x=expression("y * 2"), y=Name("z"))
    assert text_of(*statements("w = v", v=found)) == "w = y * 2 + z"


def test_ops_are_no_part_of_what_a_tree_says() -> None:
    one, other = written_for(expression("f(x)"), 3), written_for(expression("f(x)"), 8)
    assert one == other
    assert origins_in(union(one, other)) == {3, 8}


def test_each_line_of_a_long_call_knows_its_ops() -> None:
    inner = written_for(
        expression("another_function(" + ", ".join(f"argument_{i}" for i in range(6)) + ")"), 7
    )
    outer = written_for(
        expression("function(inner, " + ", ".join(f"a_{i}" for i in range(9)) + ")", inner=inner), 9
    )
    (statement,) = statements("result = value", value=outer)
    lines = show(statement, depth=3)
    assert len(lines) > 3
    assert all(line.origins for line in lines)
    assert {7} <= next(line for line in lines if "another_function" in line.text).origins
    assert lines[0].origins == {9}


def test_a_name_that_is_read_before_it_is_set_is_found() -> None:
    text = "def f(self, q: Tensor) -> Tensor:\n    x = q + k\n    k = x\n    return k"
    with pytest.raises(UnboundNameError, match="f reads k before it is set"):
        Names(read_block(text))


def test_a_name_that_only_one_way_sets_is_found() -> None:
    text = "def f(q: Tensor) -> Tensor:\n    if q.size(0) > 1:\n        x = q\n    return x"
    with pytest.raises(UnboundNameError, match="f reads x"):
        Names(read_block(text))
    left = text.replace("x = q\n", "return q\n    x = q\n")
    assert Names(read_block(left)).outer == {"Tensor"}


@pytest.mark.parametrize("word", ["cache", "token", "ends"])
def test_a_renamed_variable_of_generate_is_not_emitted(
    word: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rename a variable where it is set, and nowhere else: the fault is ours, and it is seen."""
    text = source("generate").replace(f"    {word} = ", f"    {word}_ = ")
    broken = read_definitions(text)
    monkeypatch.setattr(generate, "trees", lambda file: broken)
    with pytest.raises(UnboundNameError, match=f"reads {word}\\b"):
        emit_file(graph("tiny_gpt"))


BEFORE, ABSENT = "before it is set", "which is not there"


@pytest.mark.sampled(3)
@pytest.mark.parametrize(
    ("more", "body", "error"),
    [
        ("", "y = x + z\n    z = y\n    return z", f"best reads z {BEFORE}"),
        ("", "for i in range(3):\n        y = x\n    return y", f"best reads y {BEFORE}"),
        ("", "with torch.no_grad():\n        x = x + k\n        k = x\n    return k", BEFORE),
        ("", "return x + offset", f"reads offset, {ABSENT}"),
        (", n: int = LIMIT", "return x + n", f"reads LIMIT, {ABSENT}"),
    ],
)
def test_a_helper_that_reads_an_unknown_name_is_not_emitted(
    more: str, body: str, error: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Helpers are copied as text; what they read is checked like the rest of the file."""
    added = {"positions": f"\n\ndef best(x: Tensor{more}) -> Tensor:\n    {body}\n"}
    monkeypatch.setattr(helpers, "source", lambda file: source(file) + added.get(file, ""))
    monkeypatch.setitem(ROWS, "activation", lambda f, op: call("best", f.arg(op, "x")))
    for cached in (helpers.places, helpers.helper):
        monkeypatch.setattr(helpers, cached.__name__, cached.__wrapped__)
    with pytest.raises(UnboundNameError, match=error):
        emit_file(graph("tiny_gpt"))


@pytest.mark.sampled(2)
@pytest.mark.parametrize("name", places())
def test_helpers_read_only_what_is_set(name: str) -> None:
    found = helper(name)
    made = {"Config", "CHECKPOINT", "BLOCK", "compiled_flex_attention", "grouped_attention"}
    assert found.needs <= {*places(), *IMPORTED, *BUILTINS, *made}


def test_outer_names_and_fields_of_the_config() -> None:
    (found,) = read_block(
        "class A(nn.Module):\n"
        "    def __init__(self, config: Config) -> None:\n"
        "        self.x = nn.Linear(config.d_model, self.config.heads)\n"
        "        self.y = [helper(i) for i in range(3)]"
    )
    assert Names([found]).outer == {"nn", "Config", "helper", "range"}
    assert Names([found]).fields == {"d_model", "heads"}


def test_helpers_bring_what_they_need() -> None:
    names = {part.name for part in collect({"apply_partial_rope", "not_a_helper"})}
    assert names == {
        "apply_partial_rope",
        "apply_rope",
        *(helper("apply_rope").needs & {*places()}),
    }


def test_no_two_helpers_have_one_name() -> None:
    found = [
        node.name
        for file in ("linear", "joined", "positions", "norms", "functions", "experts")
        for node in ast.parse(source(file)).body
        if isinstance(node, (ast.ClassDef, ast.FunctionDef))
    ]
    assert len(found) == len(set(found))


def test_width_counts_the_note() -> None:
    (statement,) = read_block("x = y  # (B, T)")
    assert width(statement, depth=2) == len("        x = y  # (B, T)")


def test_change_leaves_what_it_does_not_touch() -> None:
    tree = expression("a.b(c)")
    assert change(tree, {Name("z"): Name("y")}) is tree
    assert change(tree, {Dot(Name("a"), "b"): Name("d")}) == expression("d(c)")


@pytest.mark.sampled(2)
@pytest.mark.parametrize("name", NAMES)
def test_no_class_is_written_twice(name: str) -> None:
    """Two classes of one kind of module whose trees are equal are one."""
    options = BuildOptions()
    parts = program_of(with_kernel(graph(name), options), options).parts
    nouns = tuple({scope.noun for scope in graph(name).scopes.values() if scope.noun})
    found: dict[object, str] = {}
    for part in parts:
        if isinstance(part, Class) and part.name.endswith(nouns):
            assert found.setdefault((part.doc, part.bases, part.body), part.name) == part.name
    names = [part.name for part in parts if isinstance(part, (Class, Function, Copied))]
    assert len(names) == len(set(names))
