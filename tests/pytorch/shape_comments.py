"""Runs an emitted file and holds every shape comment in it against the tensor on its line.

A comment speaks of what its statement binds or returns: `# (B, T, D)`, `# (B, H, T, E) each` of a
tuple, `# (B, H, T, E) and (B, H, T, Ev)` of two, `# (T, D) or (B, T, D)`. Each commented statement
is made to report its value, so that what is compared is what really ran.
"""

from __future__ import annotations

import ast
import io
import re
import sys
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from torch import Tensor

from modelwright.compiler import ModuleGraph

SHAPE = re.compile(r"\(([^()]*)\)")
COMMENT = re.compile(r"\([A-Z0-9][^()]*\)(?:(?: or | and )\([^()]*\))*(?: each)?")
Shape = tuple[str, ...]


@dataclass(frozen=True)
class Claim:
    """A comment: the shapes that it allows, of one tensor, of each in a tuple, or of one by one."""

    line: int
    shapes: tuple[Shape, ...]
    each: bool = False
    several: bool = False


@dataclass
class Call:
    """One call of a function: what each letter has meant in it so far."""

    local: bool  # a helper's letters mean what it is given; a class's are those of the config
    letters: dict[str, int] = field(default_factory=dict)


@dataclass
class Watch:
    """What was seen of a file while it ran."""

    claims: dict[int, Claim]
    sizes: dict[str, set[int]]
    exact: set[int] = field(default_factory=set)
    reached: set[int] = field(default_factory=set)
    wrong: list[str] = field(default_factory=list)

    def begin(self, local: bool) -> Call:
        return Call(local)

    def see(self, call: Call, line: int, value: Any) -> Any:
        """Compare a value with the comment of its line; gives back the value."""
        claim = self.claims[line]
        if value is None:
            return value  # a mask that need not be made
        tensors = value if claim.each or claim.several else (value,)
        if not isinstance(tensors, tuple | list) or not all(isinstance(t, Tensor) for t in tensors):
            self.wrong.append(f"line {line}: a comment on {type(value).__name__}")
            return value
        self.reached.add(line)
        for index, tensor in enumerate(tensors):
            shapes = claim.shapes[index : index + 1] if claim.several else claim.shapes
            self._compare(call, line, shapes, tuple(tensor.shape))
        return value

    def _compare(
        self, call: Call, line: int, shapes: tuple[Shape, ...], actual: tuple[int, ...]
    ) -> None:
        for shape in shapes:
            if self._fits(call, shape, actual):
                self.exact.add(line)
                return
        # What is alike for all sequences need not be repeated for each.
        for shape in shapes:
            alike = actual[1:] if len(actual) == len(shape) and actual[0] == 1 else actual
            if shape[0] == "B" and self._fits(call, shape[1:], alike):
                return
        self.wrong.append(f"line {line}: {shapes} is {actual}, {call.letters}")

    def _fits(self, call: Call, shape: Shape, actual: tuple[int, ...]) -> bool:
        if len(shape) != len(actual):
            return False
        letters = dict(call.letters)
        if not all(
            self._means(letters, call.local, axis, n) for axis, n in zip(shape, actual, strict=True)
        ):
            return False
        call.letters = letters
        return True

    def _means(self, letters: dict[str, int], local: bool, axis: str, size: int) -> bool:
        """Can this axis be of this size? A letter that had no meaning yet gets one."""
        if axis.isdigit():
            return int(axis) == size
        if axis.endswith(" or 1"):
            return size == 1 or self._means(letters, local, axis.removesuffix(" or 1"), size)
        if axis in letters:
            return letters[axis] == size
        if "-" in axis:  # `T-4`, and `2*T-8`
            letter, less = axis.split("-")
            return self._means(letters, local, letter, size + int(less))
        if axis[0].isdigit():  # `2*S`
            times, letter = axis.split("*")
            whole = size % int(times) == 0
            return whole and self._means(letters, local, letter, size // int(times))
        if "*" in axis:
            product = 1
            for part in axis.split("*"):
                if part not in letters:
                    return any(size % n == 0 for n in self.sizes.get(part, ()))
                product *= letters[part]
            return product == size
        if "+" in axis:
            letter, more = axis.split("+")
            return self._means(letters, local, letter, size - int(more))
        if "/" in axis:
            letter, part = axis.split("/")
            if not part.isdigit() and part not in letters:  # a share of unknown size
                return letters.setdefault(axis, size) == size
            count = int(part) if part.isdigit() else letters[part]  # `R/2`, or `H/K` after K
            return self._means(letters, local, letter, size * count)
        known = self.sizes.get(axis)
        letters[axis] = size
        return local or known is None or size in known


def comments(text: str) -> Iterator[tuple[int, str]]:
    """Each with its line, or the next one for a comment that has a line of its own."""
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            above = token.line.lstrip().startswith("#")
            yield token.start[0] + above, token.string.removeprefix("#").strip()


def claims(text: str) -> dict[int, Claim]:
    """The shape comments of a file by line. One that looks like a shape must read as one."""
    found = {}
    for line, comment in comments(text):
        if not comment.startswith("("):
            continue
        comment = comment.partition(": ")[0]  # what the numbers mean may follow
        assert COMMENT.fullmatch(comment), f"line {line}: {comment}"
        shapes = tuple(
            tuple(axis.strip() for axis in inner.split(",") if axis.strip())
            for inner in SHAPE.findall(comment)
        )
        found[line] = Claim(line, shapes, comment.endswith(" each"), " and " in comment)
    return found


class Reporting(ast.NodeTransformer):
    """Lets every commented assignment and return tell its value."""

    def __init__(self, known: dict[int, Claim]) -> None:
        self.known = known
        self.placed: set[int] = set()
        self.depth = 0

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        self.depth += 1
        self.generic_visit(node)
        self.depth -= 1
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        self.generic_visit(node)
        begin = f"call__ = watch__.begin({self.depth == 0})"
        node.body.insert(1 if ast.get_docstring(node) else 0, _statement(begin, node))
        return node

    def visit_For(self, node: ast.For) -> Any:
        """Letters that first occur in the body of a loop mean something else in each round."""
        self.generic_visit(node)
        before = f"letters__{node.lineno}"
        node.body.insert(0, _statement(f"call__.letters = dict({before})", node.body[0]))
        return [_statement(f"{before} = dict(call__.letters)", node), node]

    def visit_Assign(self, node: ast.Assign) -> Any:
        line = node.end_lineno
        if line not in self.known:
            return node
        self.placed.add(line)
        target = ast.unparse(node.targets[0])
        return [node, _statement(f"watch__.see(call__, {line}, ({target}))", node)]

    def visit_Return(self, node: ast.Return) -> ast.AST:
        line = node.end_lineno
        if line not in self.known or node.value is None:
            return node
        self.placed.add(line)
        seen = ast.parse(f"watch__.see(call__, {line}, 0)", mode="eval").body
        assert isinstance(seen, ast.Call)
        seen.args[2] = node.value
        node.value = seen
        return node


def _statement(text: str, like: ast.AST) -> ast.stmt:
    (statement,) = ast.parse(text).body
    return ast.copy_location(statement, like)


def sizes(graph: ModuleGraph) -> dict[str, set[int]]:
    """What each letter of the glossary may mean in this model, from the values of its graph."""
    found: dict[str, set[int]] = {}
    for value in graph.values.values():
        for dim in value.shape:
            if dim.size is not None:
                found.setdefault(dim.label, set()).add(int(dim.size))
    return found


def watched(text: str, graph: ModuleGraph) -> tuple[ModuleType, Watch]:
    """The file as a module that reports to the watch while it runs."""
    known = claims(text)
    reporting = Reporting(known)
    tree = ast.fix_missing_locations(reporting.visit(ast.parse(text)))
    lost = known.keys() - reporting.placed
    assert not lost, f"shape comments that stand on no statement: lines {sorted(lost)}"
    watch = Watch(known, sizes(graph))
    module = sys.modules["watched"] = ModuleType("watched")  # dataclasses look it up there
    module.__dict__["watch__"] = watch
    exec(compile(tree, "<watched>", "exec"), module.__dict__)
    return module, watch
