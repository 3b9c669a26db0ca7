"""Read the `Config` fields and the method signatures of an emitted file."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from ...compiler.graph import ModuleGraph, Op
from ...compiler.passes.choose_kernels import choose_kernels
from ..pytorch.calls import table_of
from ..pytorch.file import emit_file, module_name


@dataclass(frozen=True)
class Argument:
    """One argument of a method."""

    name: str
    required: bool


@dataclass(frozen=True)
class EmittedFile:
    """The parts of an emitted file that an export needs.

    sizes: fields of its `Config` and their defaults
    methods: arguments of the model's methods, and of `forward` of each stack if there are several
    blocks: names of the layer classes
    cache: names of the cache's methods
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
        """Name of the first argument of `forward`."""
        return self.methods["forward"][0].name

    @property
    def reads_tokens(self) -> bool:
        """Whether the first argument is token ids, not an image or a signal."""
        made = (op for op in self.graph.ops("") if op.kind == "argument")
        first = next(op for op in made if op.name == self.main_input)
        return self.graph.values[first.outputs[0]].dtype == "int"

    @property
    def standard_input(self) -> str:
        """Hugging Face's name of it: `input_ids`, `pixel_values`, `input_features`."""
        return "input_ids" if self.reads_tokens else self.main_input

    def required(self, method: str) -> list[str]:
        """Required arguments of a method; empty if there is no such method."""
        return [one.name for one in self.methods.get(method, ()) if one.required]

    def optional(self, method: str) -> list[str]:
        """Optional arguments of a method, except the cache."""
        return [
            one.name for one in self.methods[method] if not one.required and one.name != "cache"
        ]

    def cached(self, method: str) -> bool:
        """Whether a method takes a cache that Hugging Face's `generate` can manage."""
        takes = any(one.name == "cache" for one in self.methods.get(method, ()))
        return takes and self.cache <= {"__init__", "append", "state", "set_state"}

    @property
    def pair(self) -> tuple[str, str] | None:
        """Encoder and decoder, if these are the stacks."""
        if len(self.graph.hidden) != 2:
            return None
        encoder, decoder = self.graph.hidden
        return (encoder, decoder) if "memory" in self.required(decoder) else None

    def sources(self, stack: str) -> list[str]:
        """Inputs of a stack besides a memory: ids, features, or `x` (embedded ids)."""
        required = [name for name in self.required(stack) if name != "memory"]
        return [name for name in required if name != "x"] or required

    @property
    def keeps_states(self) -> bool:
        """Whether the cache contains running sums (linear attention)."""
        return "state" in self.cache

    @property
    def vectors_for_tokens(self) -> bool:
        """Whether only the token embedding reads the ids, so that vectors can replace them."""
        if not self.reads_tokens:
            return False
        made = (op for op in self.graph.ops("") if op.kind == "argument")
        (ids,) = next(op for op in made if op.name == self.main_input).outputs
        users = [(op.kind, op.name) for op in self.graph.ops() if ids in op.inputs]
        return users == [("embedding", "token_embedding")]

    def vector_table(self, stack: str) -> str:
        """The embedding of a stack's ids if only it reads them, so that vectors can replace them.

        "" if something else reads them too, or if the stack does not read tokens.
        """
        graph = self.graph
        table = table_of(graph, stack) or next(
            (
                op
                for op in graph.ops()
                if op.kind == "embedding"
                and op.name == "token_embedding"
                and graph.scopes[op.scope].stack == stack
            ),
            None,
        )
        if table is None or sum(table.arg("ids") in op.inputs for op in graph.ops()) > 1:
            return ""
        (weight,) = table.weights
        return (weight.tied or graph.weight_name(table, weight)).removesuffix(".weight")

    @property
    def fused_attention(self) -> bool:
        """Whether each layer has one fused attention, so that attention weights can be returned.

        Layers of a decoder that reads an encoder have two: self-attention, then cross-attention.
        """
        graph = choose_kernels(self.graph)
        attends = [op for op in graph.ops() if op.kind in ATTENDS]
        blocks = [scope for scope in graph.scopes.values() if scope.role == "block"]
        decoder = "" if self.pair is None else self.pair[1]
        if not blocks or not all(op.kind == "attend" and _is_fused(op) for op in attends):
            return False
        for block in blocks:
            inside = [op for op in attends if f"{op.scope}.".startswith(f"{block.path}.")]
            crossed = [str(graph.values[op.arg("k")].shape[-2]) == "M" for op in inside]
            if crossed != ([False, True] if block.stack == decoder else [False]):
                return False
        return True


ATTENDS = ("attend", "attend_linearly", "pool_heads")


def _is_fused(op: Op) -> bool:
    return op.attrs["kernel"] in ("sdpa", "sdpa+bias") and not op.arg("sinks")


def read_emitted(graph: ModuleGraph) -> EmittedFile:
    """Read the emitted file of a graph."""
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
    """Stack attribute -> class, from lines such as `self.encoder = Encoder(config)`."""
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
