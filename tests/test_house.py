"""Rules for the code: inputs of ops have names, and no emitted text is parsed."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest
from package_files import modules

import modelwright as mw
from modelwright.backends.pytorch import BuildError, BuildOptions, emit_file
from modelwright.backends.pytorch.code import flat, layout, show
from modelwright.backends.pytorch.code.read import expression
from modelwright.backends.pytorch.file import printed, program_of
from modelwright.compiler import ModuleGraph, lower
from modelwright.compiler.operands import Operands

EXAMPLES = sorted((Path(__file__).parent.parent / "examples").glob("*.yaml"))
MODES = {
    "plain": BuildOptions(),
    "joined": BuildOptions(join_projections=True),
    "static": BuildOptions(static_cache=True),
    "checkpointed": BuildOptions(gradient_checkpointing=True),
    "attention weights": BuildOptions(attention_weights=True),
}


def lowered(file: Path) -> ModuleGraph:
    return lower(mw.load(file))


def test_docstrings_state_and_do_not_ask(root: Path) -> None:
    """`Whether x is y.`, as in the documentation of Python and PyTorch."""
    asking = [
        f"{name}: {text}"
        for name, path in modules(root)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, (ast.FunctionDef, ast.ClassDef))
        for text in (ast.get_docstring(node) or "").split("\n")[:1]
        if text.endswith("?")
    ]
    assert asking == []


# -- slots


def test_inputs_have_no_numbers() -> None:
    """Whatever way leads to an index, `Operands` has none; mypy refuses it too."""
    found: Any = Operands(["a", "b"])
    for read in (lambda: found[0], lambda: found[1:], lambda: found + found, lambda: found * 2):
        with pytest.raises(TypeError):
            read()
    match found:
        case [_, _]:
            raise AssertionError("a pattern by position fits")
    assert [*found] == ["a", "b"]
    assert found == Operands(("a", "b"))


OTHERS = {"graph", "part", "norm", "below", "self"}
"""Names of what has inputs and is no op: a graph, the boxes of figures, `Op` itself."""
REDUCED = {"len", "any", "all", "set", "frozenset", "sorted", "fromkeys", "isdisjoint", "Operands"}
"""What they are given in any order, or make no list of."""


def by_number(tree: ast.AST) -> Iterator[ast.AST]:
    """What reads the inputs of an op by their order, directly or by a name for them.

    Values in the slots of an op may be counted, searched and exchanged as a whole.
    """
    functions = [n for n in ast.walk(tree) if isinstance(n, (ast.FunctionDef, ast.Lambda))]
    for place in functions or [tree]:
        known = _names_for_inputs(place)
        for node in ast.walk(place):
            if _takes_one(node, known):
                yield node


def _names_for_inputs(tree: ast.AST) -> set[str]:
    """The local names that hold the inputs of an op, or a list of them."""
    known: set[str] = set()
    before = -1
    while len(known) > before:
        before = len(known)
        for node in ast.walk(tree):
            if isinstance(node, (ast.Assign, ast.AnnAssign, ast.NamedExpr)):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                if node.value is not None and _holds(node.value, known):
                    known |= {t.id for t in targets if isinstance(t, ast.Name)}
    return known


def _holds(node: ast.AST, known: set[str]) -> bool:
    """Is it the inputs of an op, or something in their order?"""
    if isinstance(node, ast.Attribute) and node.attr == "inputs":
        return ast.unparse(node.value).split(".")[-1] not in OTHERS
    if isinstance(node, ast.Name):
        return node.id in known
    if isinstance(node, ast.Call):
        name = getattr(node.func, "id", getattr(node.func, "attr", ""))
        return name not in REDUCED and any(_holds(part, known) for part in node.args)
    if isinstance(node, ast.NamedExpr):
        return _holds(node.value, known)
    if isinstance(node, (ast.GeneratorExp, ast.ListComp)):
        return _holds(node.generators[0].iter, known)
    if isinstance(node, (ast.Tuple, ast.List)):
        return any(isinstance(p, ast.Starred) and _holds(p.value, known) for p in node.elts)
    return False


def _takes_one(node: ast.AST, known: set[str]) -> bool:
    if isinstance(node, ast.Subscript):
        return _holds(node.value, known)
    if isinstance(node, ast.Assign) and _holds(node.value, known):
        return any(isinstance(target, (ast.Tuple, ast.List)) for target in node.targets)
    if isinstance(node, ast.Match):
        return _holds(node.subject, known)
    if isinstance(node, ast.Call):
        name = getattr(node.func, "id", getattr(node.func, "attr", ""))
        starred = any(isinstance(a, ast.Starred) and _holds(a.value, known) for a in node.args)
        taken = isinstance(node.func, ast.Call) or name in ("next", "pop", "index")
        parts = [*node.args, getattr(node.func, "value", node.func)]
        return starred or (taken and any(_holds(part, known) for part in parts))
    return False


def test_ops_are_read_by_the_names_of_their_slots(root: Path) -> None:
    """`op.arg("mask")`, not `list(op.inputs)[3]`: a number says nothing, and slots move."""
    wrong = [
        f"{name}:{getattr(node, 'lineno', 0)}: {ast.unparse(node)}"
        for name, file in modules(root)
        if name.split(".")[0] in ("compiler", "backends")
        for node in by_number(ast.parse(file.read_text(encoding="utf-8")))
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    "code",
    [
        "x = op.inputs[0]",
        "x = self.op.inputs[1:]",
        "k, v = op.inputs",
        "k, v = f.use_all(op.inputs)",
        "k, v = (f.use(value) for value in op.inputs if value)",
        "call('where', *f.use_all(op.inputs))",
        "x = next(iter(op.inputs))",
        "x = next(value for value in op.inputs)",
        "x = list(op.inputs)[0]",
        "ins = op.inputs\nx = list(ins)[i]",
        "ins = [*op.inputs]\nx = ins[0]",
        "first = itemgetter(0)([*op.inputs])",
        "x = (ids := tuple(op.inputs))[i]",
        "match [*op.inputs]:\n    case [x, *_]:\n        pass",
        "rest = list(op.inputs)\nx = rest.pop()",
    ],
)
def test_reading_by_number_is_found(code: str) -> None:
    assert list(by_number(ast.parse(code)))


# -- text


def test_nodes_have_no_text() -> None:
    """What a tree says is asked of the tree; only the printer makes text of it."""
    node = expression("a + b")
    for read in (lambda: str(node), lambda: f"{node}"):
        with pytest.raises(TypeError, match="print them"):
            read()


BACKEND = "backends.pytorch"
TREES = ("build", "measure", "nodes", "parse", "read", "scope", "walk")
SEES_TEXT = {  # what else a module may import of `code`, and why
    "classes": {"flat.binding"},  # which operators bind tighter
    "file": {"show.WIDTH", "show.show", "layout.Printed"},  # it writes the file
    "source_map": {"layout.Printed"},  # the origins of the lines
}


def test_only_the_file_sees_text(root: Path) -> None:
    """No other module of the backend imports what prints, wherever in it an import stands."""
    for name, file in modules(root):
        inner = name.removeprefix(f"{BACKEND}.")
        if inner == name or inner.startswith(("code.", "runtime.")) or inner == "code":
            continue
        assert _of_code(inner, file) <= SEES_TEXT.get(inner, set()), name


def _of_code(name: str, file: Path) -> set[str]:
    """What a module imports of `code`, besides trees; modules as a whole too."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            path = (node.module or "").split(".")
            names = [alias.name for alias in node.names]
            if path[0] == "code" and (len(path) == 1 or path[1] not in TREES):
                found |= {".".join([*path[1:], one]) for one in names}
            elif path == [""] and "code" in names:
                found.add("code")
    return found


class Sealed(str):
    """Text that may be joined and measured. Raises where it is searched, cut or compared."""

    __slots__ = ()


def _refuse(*_: Any, **__: Any) -> NoReturn:
    raise AssertionError("printed text was read")


READS = {name for name in dir(str) if name[0] != "_"} - {"join"}
READS |= {"__contains__", "__eq__", "__ne__", "__lt__", "__gt__", "__getitem__", "__iter__"}
for _name in READS:
    setattr(Sealed, _name, _refuse)


@pytest.fixture
def sealed(monkeypatch: pytest.MonkeyPatch) -> None:
    """All text that the printer makes is sealed."""

    def sealing(function: Any) -> Any:
        return lambda *given, **more: Sealed(function(*given, **more))

    def line(text: str, *more: Any, **named: Any) -> Any:
        return layout_line(Sealed(text), *more, **named)

    layout_line = layout.Printed
    for module in (flat, layout, show):
        monkeypatch.setattr(module, "flat", sealing(flat.flat))
    for kind, function in flat.FLAT.items():
        monkeypatch.setitem(flat.FLAT, kind, sealing(function))
    monkeypatch.setattr(layout, "text_of", sealing(layout.text_of))
    monkeypatch.setattr(layout, "Printed", line)
    monkeypatch.setattr(show, "Printed", line)


@pytest.mark.sampled(2)
@pytest.mark.usefixtures("sealed")
@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.stem)
def test_no_printed_text_is_read(file: Path) -> None:
    """Not while a file is planned, and not while its lines are broken."""
    graph = lowered(file)
    for options in MODES.values():
        try:
            emit_file(graph, options)
        except BuildError:
            continue


@pytest.mark.usefixtures("sealed")
@pytest.mark.parametrize(
    "read",
    [
        lambda text: "(" in text,
        lambda text: text.startswith("self."),
        lambda text: text.index(" = "),
        lambda text: text.partition("="),
        lambda text: text[:4],
        lambda text: text == "self",
        lambda text: [*text],
    ],
)
def test_reading_printed_text_is_found(read: Any) -> None:
    for text in (flat.flat(expression("self.x")), show.show(show.Do(expression("f(x)")))[0].text):
        with pytest.raises(AssertionError, match="printed text was read"):
            read(text)


def _readings(code: str) -> set[str]:
    """How the functions of a module read text that they made from lines; nothing may."""
    found: set[str] = set()
    for function in ast.walk(ast.parse(code)):
        if isinstance(function, ast.FunctionDef):
            texts = _texts(function)
            for node in ast.walk(function):
                found |= {ast.unparse(node) for part in _read_by(node) if _mentions(part, texts)}
    return found


def _texts(function: ast.FunctionDef) -> set[str]:
    """The names of printed text: what is joined of lines, the head, and what is made of these."""
    found: set[str] = {"head"}
    for node in ast.walk(function):
        if isinstance(node, ast.Assign) and (
            _mentions(node.value, found | {"_head"}) or "'\\n'.join(" in ast.unparse(node.value)
        ):
            found |= {name.id for name in node.targets if isinstance(name, ast.Name)}
    return found


def _read_by(node: ast.AST) -> list[ast.expr]:
    """What a node searches, cuts, compares or tests."""
    if isinstance(node, ast.Compare):
        return [node.left, *node.comparators]
    if isinstance(node, ast.Subscript):
        return [node.value]
    if isinstance(node, (ast.If, ast.IfExp, ast.While)):
        return [node.test]
    may = isinstance(node, ast.Attribute) and node.attr not in ("encode", "count")
    return [node.value] if may and isinstance(node, ast.Attribute) else []


def _mentions(part: ast.expr, names: set[str]) -> bool:
    return (isinstance(part, ast.Name) and part.id in names) or any(
        isinstance(inner, ast.Name) and inner.id in names
        for inner in ast.walk(part)
        if not isinstance(part, (ast.Call, ast.Attribute))
    )


def test_the_joined_text_of_a_file_is_not_read(root: Path) -> None:
    """`"".join` gives plain text, so that `Sealed` does not see what `emit_file` does with it."""
    code = (root / "backends" / "pytorch" / "file.py").read_text(encoding="utf-8")
    body = code.split("def is_ours_unedited")[0]
    assert 'text = "\\n".join(' in body
    assert _readings(body) == set()


@pytest.mark.parametrize(
    "line", ["if 'Tile' in text:", "if text.startswith('x'):", "if text[0]:", "if content:"]
)
def test_reading_the_joined_text_is_found(line: str) -> None:
    code = f"""
def emit(lines):
    text = '\\n'.join(lines)
    content = head + text
    {line}
        pass
"""
    assert _readings(code)


# -- widths


@pytest.mark.sampled(6)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("file", EXAMPLES[::3], ids=lambda file: file.stem)
def test_a_program_is_the_same_at_every_width(file: Path, mode: str) -> None:
    """The width decides where lines break, and about nothing that Python reads."""
    try:
        parts = program_of(lowered(file), MODES[mode]).parts
    except BuildError:
        pytest.skip("cannot be built so")
    texts = ["\n".join(line.text for line in printed(parts, width)) for width in (60, 80, 400)]
    assert len(set(texts)) == len(texts)
    assert len({ast.dump(_without_breaks(ast.parse(text))) for text in texts}) == 1


def _without_breaks(tree: ast.AST) -> ast.AST:
    """The tree, where docstrings have no line breaks."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.ClassDef, ast.FunctionDef)) and ast.get_docstring(node):
            node.body[0] = ast.Expr(ast.Constant(" ".join((ast.get_docstring(node) or "").split())))
    return tree
