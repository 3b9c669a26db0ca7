"""All mutants of a file, each as a replacement of a piece of text."""

from __future__ import annotations

import ast
import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache

from .areas import AREAS, ROOT, area_of
from .operators import AXES, AXIS, AXIS_CALLS, BY_ONE, WORDS, faults

TEMPLATES = ("backends/pytorch/ops/", "backends/pytorch/initial.py", "backends/pytorch/loss.py")
TEMPLATES += ("backends/pytorch/mask_functions.py",)
"""Files whose strings are lines of programs: faults are planted inside those too."""
BARE = (ast.Name, ast.Call, ast.Attribute, ast.Subscript, ast.List, ast.Dict, ast.Pass)
NOT_COMPUTED = (ast.Raise, ast.Assert, ast.JoinedStr, ast.Import, ast.ImportFrom)
FIELDS = {"annotation", "returns", "decorator_list", "type_params"}


@dataclass(frozen=True)
class Mutant:
    """One fault.

    path: of the file, below the repository
    line: the number of its first line
    scope: the class, function or table it is in; "" for none
    kind: one of `operators.KINDS`
    start, stop: of the part that is replaced, in bytes
    before, after: that part, and the text that replaces it
    key: the key of the table's row that it is in; "" outside tables
    identity: the same as long as the part, and how often it stands in its scope, is
    """

    path: str
    line: int
    scope: str
    kind: str
    start: int
    stop: int
    before: str
    after: str
    key: str = ""
    identity: str = ""

    @property
    def area(self) -> str:
        return area_of(self.path).name

    @property
    def module(self) -> str:
        """The name that its file is imported by."""
        parts = self.path.removesuffix(".py").removesuffix("/__init__").split("/")
        return ".".join(["modelwright", *parts])

    def source(self) -> str:
        """The whole file, with the fault."""
        text = (ROOT / self.path).read_bytes()
        return (text[: self.start] + self.after.encode() + text[self.stop :]).decode()

    def __str__(self) -> str:
        before, after = (" ".join(text.split()) for text in (self.before, self.after))
        return f"{self.path}:{self.line}: {self.kind}: {before}  →  {after}"


def written(node: ast.AST) -> str:
    """A node as text, in brackets where it could bind otherwise."""
    if isinstance(node, ast.Slice):
        lower, upper = (written(n) if n else "" for n in (node.lower, node.upper))
        return f"{lower}: {upper}"
    text = ast.unparse(ast.fix_missing_locations(node))
    negative = isinstance(node, ast.Constant) and text.startswith("-")
    bare = isinstance(node, (*BARE, ast.Tuple)) or (isinstance(node, ast.Constant) and not negative)
    return text if bare else f"({text})"


class Reader:
    """Walks over the tree of a text, and makes its mutants."""

    def __init__(self, path: str, text: str) -> None:
        self.path, self.text = path, text
        self.raw = text.encode()
        self.starts = [0]
        for line in text.splitlines(keepends=True):
            self.starts.append(self.starts[-1] + len(line.encode()))

    def span(self, node: ast.AST) -> tuple[int, int]:
        first = self.starts[node.lineno - 1] + node.col_offset  # type: ignore[attr-defined]
        return first, self.starts[node.end_lineno - 1] + node.end_col_offset  # type: ignore[attr-defined]

    def mutants(self) -> Iterator[Mutant]:
        yield from self._of(ast.parse(self.text), "", "", axis=False)

    def _of(self, node: ast.AST, scope: str, key: str, *, axis: bool) -> Iterator[Mutant]:
        if isinstance(node, NOT_COMPUTED) or (isinstance(node, ast.keyword) and node.arg in WORDS):
            return
        if isinstance(node, ast.Assign) and not scope and _names_type(node.targets[0]):
            return
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            scope = f"{scope}.{node.name}".strip(".")
        elif isinstance(node, (ast.Assign, ast.AnnAssign)) and not scope:
            target = node.targets[0] if isinstance(node, ast.Assign) else node.target
            scope = target.id if isinstance(target, ast.Name) else ""
        yield from self._here(node, scope, key, axis=axis)
        axis = axis or _names_axes(node)
        for name, value in ast.iter_fields(node):
            if name in FIELDS or (name == "slice" and isinstance(value, ast.Tuple)):
                value = value.elts if name == "slice" else []
            for one in value if isinstance(value, list) else [value]:
                if isinstance(one, ast.AST):
                    inner = key or _key(node, one)
                    yield from self._of(one, scope, inner, axis=axis and name != "func")

    def _here(self, node: ast.AST, scope: str, key: str, *, axis: bool) -> Iterator[Mutant]:
        for kind, other in faults(node):
            if ast.dump(other) == ast.dump(node):  # two equal operands, exchanged
                continue
            if isinstance(node, (ast.If, ast.For)):
                place: ast.AST = node.test if isinstance(node, ast.If) else node.iter
                other = other.test if isinstance(node, ast.If) else other.iter  # type: ignore[attr-defined]
            elif isinstance(node, ast.comprehension):
                yield from self._filters(node, other, kind, scope, key)
                continue
            else:
                place = node
            kind = AXIS if axis and kind == BY_ONE else kind
            yield from self._made(place, self.span(place), written(other), kind, scope, key)
        if isinstance(node, ast.Constant) and self.path.startswith(TEMPLATES):
            yield from self._inside(node, scope, key)

    def _filters(
        self, node: ast.comprehension, other: ast.AST, kind: str, scope: str, key: str
    ) -> Iterator[Mutant]:
        """A comprehension has no place of its own: its conditions have."""
        tests = getattr(other, "ifs", [])
        span = self.span(node.ifs[0])[0], self.span(node.ifs[-1])[1]
        after = " if ".join(written(test) for test in tests) or "True"
        yield from self._made(node.ifs[0], span, after, kind, scope, key)

    def _made(
        self, node: ast.AST, span: tuple[int, int], after: str, kind: str, scope: str, key: str
    ) -> Iterator[Mutant]:
        before = self.raw[span[0] : span[1]].decode()
        if "".join(before.split()) != "".join(after.split()):
            line: int = node.lineno  # type: ignore[attr-defined]
            yield Mutant(self.path, line, scope, kind, *span, before, after, key)

    def _inside(self, node: ast.Constant, scope: str, key: str) -> Iterator[Mutant]:
        """The faults of a line of program in a string, as other strings.

        A name that is lost altogether is no fault: the reader of templates refuses it.
        """
        if not isinstance(node.value, str) or not program(node.value):
            return
        inside = Reader("", node.value)
        names = _names(node.value)
        for one in inside.mutants():
            raw = inside.raw[: one.start] + one.after.encode() + inside.raw[one.stop :]
            if compiles(raw.decode()) and _names(raw.decode()) == names and one.after != one.before:
                made = repr(raw.decode())
                line = node.lineno + (one.line - 1 if node.end_lineno != node.lineno else 0)
                yield Mutant(self.path, line, scope, one.kind, *self.span(node),
                             one.before, made, key)  # fmt: skip


def _names_type(target: ast.AST) -> bool:
    """Is it a name as types have one, `Input`? What it stands for is read by checkers alone."""
    return isinstance(target, ast.Name) and target.id[0].isupper() and not target.id.isupper()


def _names_axes(node: ast.AST) -> bool:
    if isinstance(node, ast.keyword):
        return node.arg in AXES
    called = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    return called and node.func.attr in AXIS_CALLS  # type: ignore[attr-defined]


def _key(node: ast.AST, inner: ast.AST) -> str:
    """The key that a value stands under, in a mapping that is written out."""
    if not isinstance(node, ast.Dict):
        return ""
    for key, value in zip(node.keys, node.values, strict=True):
        if value is inner and isinstance(key, ast.Constant):
            return str(key.value)
    return ""


def program(text: str) -> bool:
    """Is it lines of program, with something to compute?"""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):
        return False
    return any(isinstance(node, (ast.Call, ast.BinOp, ast.Compare)) for node in ast.walk(tree))


def compiles(text: str) -> bool:
    try:
        ast.parse(text)
    except (SyntaxError, ValueError):
        return False
    return True


def _names(text: str) -> set[str]:
    return {node.id for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name)}


def identified(mutants: Iterator[Mutant]) -> Iterator[Mutant]:
    """Each with its identity, and none twice."""
    met = Counter[str]()
    for one in mutants:
        words = "|".join((one.path, one.scope, one.kind, one.before, one.after))
        met[words] += 1
        digest = hashlib.sha256(f"{words}|{met[words]}".encode()).hexdigest()[:10]
        yield replace(one, identity=digest)


@cache
def of_file(path: str) -> tuple[Mutant, ...]:
    """Every mutant of a file that Python can read."""
    text = (ROOT / path).read_text(encoding="utf-8")
    return tuple(identified(Reader(path, text).mutants()))


def of_area(name: str) -> list[Mutant]:
    """Every mutant of an area, in the order of its files."""
    area = next(area for area in AREAS if area.name == name)
    return [mutant for path in area.paths for mutant in of_file(path)]
