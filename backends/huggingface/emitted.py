"""What an emitted file says of itself: its sizes, and the arguments of its methods."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from ...compiler.graph import ModuleGraph, Op
from ...compiler.passes.choose_kernels import choose_kernels
from ..pytorch.file import emit_file, module_name


@dataclass(frozen=True)
class Argument:
    """One argument of a method."""

    name: str
    required: bool


@dataclass(frozen=True)
class EmittedFile:
    """An emitted file, read.

    sizes: the fields of its `Config` and their defaults
    methods: those of the model, each with its arguments, and `forward` of each of several stacks
    blocks: the classes of its layers
    cache: the methods of its cache
    """

    graph: ModuleGraph
    text: str
    module: str
    class_name: str
    sizes: dict[str, Any]
    methods: dict[str, tuple[Argument, ...]]
    blocks: tuple[str, ...]
    cache: frozenset[str]

    @property
    def main_input(self) -> str:
        """What is given first, by its own name."""
        return self.methods["forward"][0].name

    @property
    def reads_tokens(self) -> bool:
        """Are these ids of tokens, and not an image or a signal?"""
        made = (op for op in self.graph.ops("") if op.kind == "argument")
        first = next(op for op in made if op.name == self.main_input)
        return self.graph.values[first.outputs[0]].dtype == "int"

    @property
    def standard_input(self) -> str:
        """The same by Hugging Face's name: `input_ids`, `pixel_values`, `input_features`."""
        return "input_ids" if self.reads_tokens else self.main_input

    def required(self, method: str) -> list[str]:
        """The arguments that must be given; none for a method that is not there."""
        return [one.name for one in self.methods.get(method, ()) if one.required]

    def optional(self, method: str) -> list[str]:
        """The other arguments, but for the cache."""
        return [
            one.name for one in self.methods[method] if not one.required and one.name != "cache"
        ]

    def cached(self, method: str) -> bool:
        """Does a method take a cache of the sort that Hugging Face can keep?"""
        takes = any(one.name == "cache" for one in self.methods.get(method, ()))
        return takes and self.cache <= {"__init__", "append", "state"}

    @property
    def pair(self) -> tuple[str, str] | None:
        """The encoder and the decoder that reads it, where these are the stacks."""
        if len(self.graph.hidden) != 2:
            return None
        encoder, decoder = self.graph.hidden
        return (encoder, decoder) if "memory" in self.required(decoder) else None

    def sources(self, stack: str) -> list[str]:
        """What a stack reads besides a memory: ids, features, or `x`, the vectors of ids."""
        required = [name for name in self.required(stack) if name != "memory"]
        return [name for name in required if name != "x"] or required

    @property
    def keeps_states(self) -> bool:
        """Does its cache hold running sums?"""
        return "state" in self.cache

    @property
    def vectors_for_tokens(self) -> bool:
        """Are ids of tokens read by their table alone, so that vectors can stand in their place?"""
        if not self.reads_tokens:
            return False
        made = (op for op in self.graph.ops("") if op.kind == "argument")
        (ids,) = next(op for op in made if op.name == self.main_input).outputs
        users = [(op.kind, op.name) for op in self.graph.ops() if ids in op.inputs]
        return users == [("embedding", "token_embedding")]

    @property
    def fused_attention(self) -> bool:
        """Is there one fused attention in each layer, whose weights can be collected?"""
        graph = choose_kernels(self.graph)
        attends = [op for op in graph.ops() if op.kind in ATTENDS]
        blocks = [scope.path for scope in graph.scopes.values() if scope.role == "block"]
        each = [sum(f"{op.scope}.".startswith(f"{path}.") for op in attends) for path in blocks]
        return set(each) == {1} and all(op.kind == "attend" and _is_fused(op) for op in attends)


ATTENDS = ("attend", "attend_linearly", "pool_heads")


def _is_fused(op: Op) -> bool:
    return op.attrs["kernel"] in ("sdpa", "sdpa+bias") and not op.arg("sinks")


def read_emitted(graph: ModuleGraph) -> EmittedFile:
    """The emitted file of a graph."""
    emitted = emit_file(graph)
    classes = {
        node.name: node for node in ast.parse(emitted.text).body if isinstance(node, ast.ClassDef)
    }
    methods = {
        name: _arguments(node) for name, node in _methods(classes[emitted.class_name]).items()
    }
    if len(graph.hidden) > 1:
        made = _methods(classes[emitted.class_name])["__init__"]
        for stack, name in _classes_of(made, graph.hidden):
            methods[stack] = _arguments(_methods(classes[name])["forward"])
    return EmittedFile(
        graph=graph,
        text=emitted.text,
        module=module_name(graph.name),
        class_name=emitted.class_name,
        sizes=dict(_fields(classes["Config"])),
        methods=methods,
        blocks=tuple(name for name in classes if name.endswith("Block")),
        cache=frozenset(_methods(classes["Cache"]) if "Cache" in classes else ()),
    )


def _methods(node: ast.ClassDef) -> dict[str, ast.FunctionDef]:
    return {item.name: item for item in node.body if isinstance(item, ast.FunctionDef)}


def _classes_of(constructor: ast.FunctionDef, stacks: Iterable[str]) -> Iterator[tuple[str, str]]:
    """The stacks that a model makes, each with its class: `self.encoder = Encoder(config)`."""
    for node in constructor.body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
            stack = ast.unparse(node.targets[0]).removeprefix("self.")
            if stack in stacks:
                yield stack, ast.unparse(node.value.func)


def _fields(config: ast.ClassDef) -> list[tuple[str, Any]]:
    return [
        (node.target.id, ast.literal_eval(node.value))
        for node in config.body
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value
    ]


def _arguments(method: ast.FunctionDef) -> tuple[Argument, ...]:
    names = [one.arg for one in method.args.args if one.arg != "self"]
    required = len(names) - len(method.args.defaults)
    return tuple(Argument(name, place < required) for place, name in enumerate(names))
