"""Plug-ins: variants of attention, and ops, from a file or package of your own.

A plug-in is a module with a `PLUGIN`. `docs/extending.md` shows a complete one.

    PLUGIN = Plugin(attentions={SharedQk: lower_shared_qk}, ops=(MyOp,), functions=(my_function,))

Commands load it with `--plugin FILE.py`; in Python, `load_plugin("file.py")` does. Installed
packages offer it as an entry point of the group `modelwright.plugins`, whose name is the type.
A plug-in is code: load only files that you trust.
"""

from __future__ import annotations

import ast
import builtins
import importlib.util
import inspect
import re
import sys
import textwrap
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, get_args

from .compiler.axes import ONE, B, Dim, M, S, T
from .compiler.graph import Initial, Weight
from .compiler.lower.attention import VARIANTS
from .compiler.lower.attention.scores import attention_inputs
from .compiler.lower.builder import Builder
from .compiler.lower.masks import lower_mask
from .compiler.lower.norm import lower_norm
from .compiler.lower.rotary import lower_rotary
from .compiler.lower.state import Memory, StackState
from .compiler.ops import OPS
from .compiler.ops.row import Row
from .compiler.ops.saved import Own
from .plugin_errors import guarded, guarded_row, line_of, reads_memory
from .spec import names
from .spec.attention.memory import Memory as MemoryOption
from .spec.branch import Branch
from .spec.installed import CLASSES, FILES, SEARCH, PluginError
from .spec.model import Block
from .spec.part import COMPONENTS, Part
from .spec.scalars import Count, Flag, Heads, Maybe, MaybeNumber, Number, Positive, Rate
from .spec.sublayers import OwnAttention

__all__ = [
    "ONE",
    "B",
    "Block",
    "Branch",
    "Builder",
    "Count",
    "Dim",
    "Flag",
    "Heads",
    "Initial",
    "M",
    "Maybe",
    "MaybeNumber",
    "Memory",
    "Number",
    "OpPlugin",
    "Own",
    "Plugin",
    "PluginError",
    "Positive",
    "Rate",
    "Row",
    "S",
    "StackState",
    "T",
    "Weight",
    "attention_inputs",
    "load_plugin",
    "lower_mask",
    "lower_norm",
    "lower_rotary",
    "use_installed",
]

Lowering = Callable[[Builder, StackState, Any, Any, str, "Memory | None"], str]
NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
ORIGINS: dict[str, str] = {}
"""Type, op or function of a plug-in -> the file or package that it comes from."""


@dataclass(frozen=True, kw_only=True)
class OpPlugin:
    """An op of a plug-in.

    kind: its name
    row: its inputs, shape, weights, FLOPs and saved tensors, as in `modelwright.compiler.ops`
    pytorch: its expression in emitted files: a template in which the names of inputs and of
        attributes are replaced, and `weight` by its parameter; or a function of a Writer and an op
    numpy: its result in NumPy, from a `modelwright.backends.reference.call.Call`; independent of
        `pytorch`, which it is used to test
    title: its text in figures; "" leaves it out
    """

    kind: str
    row: Row
    pytorch: str | Callable[[Any, Any], Any]
    numpy: Callable[[Any], Any]
    title: str = ""


@dataclass(frozen=True, kw_only=True)
class Plugin:
    """Everything that a plug-in adds.

    attentions: class of the options -> function that builds the attention from ops
    ops: new ops
    functions: functions that the expressions of ops call; their source is copied into the emitted
        file, so they may use only torch (`torch`, `Tensor`, `F`, `nn`), `math` and one another
    """

    attentions: Mapping[type[Branch], Lowering] = field(default_factory=dict)
    ops: tuple[OpPlugin, ...] = ()
    functions: tuple[Callable[..., Any], ...] = ()

    def register(self, origin: str) -> None:
        """Add it to the language and the compiler. Raises PluginError, before anything is added.

        origin: the file or package, for error messages
        """
        types_of = {_type_of(cls, origin): cls for cls in self.attentions}
        new = [*types_of, *(op.kind for op in self.ops), *(f.__name__ for f in self.functions)]
        for name in new:
            _check_name(name, origin)
        _check_known(types_of, COMPONENTS["attention"].classes, "an attention", origin)
        _check_known([op.kind for op in self.ops], OPS, "an op", origin)
        for op in self.ops:
            _check_template(op, [f.__name__ for f in self.functions], origin)
        for name, cls in types_of.items():
            _add_attention(name, cls, self.attentions[cls], origin)
        if self.ops or self.functions:
            _add_ops(self, origin)
        ORIGINS.update(dict.fromkeys(new, origin))

    def unregister(self) -> None:
        """Remove it again."""
        for cls in self.attentions:
            name = _type_of(cls, "")
            for key in ("attention", "cross_attention", "sublayers"):
                COMPONENTS[key].classes.pop(name, None)
            VARIANTS.pop(name, None)
            CLASSES.pop(name, None)
            FILES.pop(name, None)
            ORIGINS.pop(name, None)
            SEARCH.tried.pop(name, None)
        for op in self.ops:
            for table in _tables():
                table.pop(op.kind, None)
            ORIGINS.pop(op.kind, None)
        for function in self.functions:
            names.PLUGIN_HELPERS.discard(function.__name__)
            ORIGINS.pop(function.__name__, None)


def load_plugin(path: str | Path) -> Plugin:
    """Load the `PLUGIN` of a Python file and register it.

    Raises PluginError if the file cannot be read or run, has no `PLUGIN`, or adds a name that
    exists already.
    """
    path = Path(path)
    name = f"modelwright_plugin_{re.sub(r'[^0-9A-Za-z]', '_', path.stem)}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None or not path.is_file():
        raise PluginError(f"{path}: a plug-in is a file whose name ends in .py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # pydantic looks up annotations there
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:  # whatever the code of the file raises
        line = line_of(error, str(path))
        raise PluginError(f"{path}{line}: {type(error).__name__}: {error}") from error
    plugin = getattr(module, "PLUGIN", None)
    if not isinstance(plugin, Plugin):
        raise PluginError(
            f"{path} has no `PLUGIN`; write `PLUGIN = Plugin(attentions={{MyAttention: "
            "lower_my_attention})`"
        )
    plugin.register(str(path))
    FILES.update({_type_of(cls, ""): str(path) for cls in plugin.attentions})
    return plugin


def use_installed(enabled: bool) -> None:
    """Whether plug-ins of installed packages are loaded for types that are unknown."""
    SEARCH.enabled = enabled
    SEARCH.tried.clear()


def _type_of(cls: Any, origin: str) -> str:
    """The `type` of a class of options."""
    if not (isinstance(cls, type) and issubclass(cls, Branch)):
        raise PluginError(f"{origin}: {cls!r} is not a subclass of `modelwright.plugins.Branch`")
    found = cls.model_fields.get("type")
    words = get_args(found.annotation) if found is not None else ()
    if found is None or words != (found.default,):
        raise PluginError(
            f'{origin}: {cls.__name__} needs a type, such as `type: Literal["mine"] = "mine"`'
        )
    if not (cls.__doc__ or "").strip() or cls.__doc__ == Branch.__doc__:
        raise PluginError(
            f"{origin}: {cls.__name__} needs a docstring, which documents its options"
        )
    return str(found.default)


def _check_name(name: str, origin: str) -> None:
    if not NAME.fullmatch(name):
        raise PluginError(
            f"{origin}: `{name}` must be a name of lower-case letters, digits and `_`"
        )


def _check_template(op: OpPlugin, functions: list[str], origin: str) -> None:
    """Raise PluginError for a template that is no expression, or that reads an unknown name."""
    if callable(op.pytorch):
        return
    where = f"{origin}: the template of `{op.kind}`, `{op.pytorch}`,"
    try:
        parsed = ast.parse(op.pytorch, mode="eval")
    except SyntaxError as error:
        raise PluginError(f"{where} is not an expression: {error.msg}") from None
    given = [name.rstrip("?*") for name in (*op.row.slots, *op.row.attrs)]
    known = {*given, "weight", *functions, "F", "Tensor", "math", "nn", "torch", *dir(builtins)}
    read = [node.id for node in ast.walk(parsed) if isinstance(node, ast.Name)]
    if unknown := [name for name in read if name not in known]:
        raise PluginError(
            f"{where} reads `{unknown[0]}`; it may read its inputs and attributes "
            f"({', '.join(given)}), `weight`, and the functions of the plug-in"
        )


def _check_known(new: Any, known: Mapping[str, Any], what: str, origin: str) -> None:
    """Raise PluginError for a name that is built in or that of another plug-in."""
    for name in new:
        if name in ORIGINS and name in known:
            raise PluginError(f"`{name}` is {what} of two plug-ins, {ORIGINS[name]} and {origin}")
        if name in known:
            raise PluginError(f"{origin}: `{name}` is {what} of Modelwright; choose another name")


def _add_attention(name: str, cls: type[Branch], lowering: Lowering, origin: str) -> None:
    """The class is that of `attention`; `cross_attention` and `sublayers` add options to it."""
    document = cls.__doc__ or ""
    longer = f"{document.rstrip()}\n    {(MemoryOption.__doc__ or '').strip()}\n"
    COMPONENTS["attention"].classes[name] = cls
    COMPONENTS["cross_attention"].classes[name] = _derived("Cross", cls, MemoryOption, longer)
    COMPONENTS["sublayers"].classes[name] = _derived("Sublayer", cls, OwnAttention, document)
    VARIANTS[name] = reads_memory(name, guarded(lowering, origin))
    CLASSES[name] = cls


def _derived(prefix: str, cls: type[Branch], more: type[Part], document: str) -> type[Part]:
    def body(namespace: dict[str, Any]) -> None:
        namespace |= {"__doc__": document, "__module__": cls.__module__}

    made: type[Part] = types.new_class(f"{prefix}{cls.__name__}", (cls, more), exec_body=body)
    return made


def _tables() -> tuple[dict[str, Any], ...]:
    """The tables with a row for each op."""
    from .backends.diagram.look import LOOKS
    from .backends.pytorch import make
    from .backends.pytorch import ops as pytorch
    from .backends.reference import ops as reference

    return OPS, pytorch.ROWS, reference.COMPUTE, make.MAKERS, LOOKS


def _add_ops(plugin: Plugin, origin: str) -> None:
    from .backends.diagram.look import LOOKS, Look
    from .backends.pytorch import helpers, make
    from .backends.pytorch import ops as pytorch
    from .backends.reference import ops as reference

    for op in plugin.ops:
        OPS[op.kind] = replace(guarded_row(op.row, origin), plugin=origin)
        pytorch.ROWS[op.kind] = guarded(_row_of(op), origin)
        reference.COMPUTE[op.kind] = guarded(op.numpy, origin)
        make.MAKERS[op.kind] = make.make_parameters
        LOOKS[op.kind] = Look("pill" if op.title else "through", "other", _always(op.title))
    sources = [textwrap.dedent(inspect.getsource(function)) for function in plugin.functions]
    if sources:
        helpers.add_file(f"plug-in {origin}", "\n\n".join(sources))
        names.PLUGIN_HELPERS.update(function.__name__ for function in plugin.functions)


def _always(text: str) -> Callable[[Any, Any], str]:
    """The same text for every op, in figures."""
    return lambda op, graph: text


def _row_of(op: OpPlugin) -> Callable[[Any, Any], Any]:
    """The row of the PyTorch table: a function, or one that fills in the template."""
    if callable(op.pytorch):
        return op.pytorch
    template = op.pytorch

    def row(f: Any, made: Any) -> Any:
        from .backends.pytorch.code.read import expression

        used = {node.id for node in ast.walk(ast.parse(template)) if isinstance(node, ast.Name)}
        slots = [slot for slot in dict.fromkeys(made.slots) if made.arg(slot)]
        given = {slot: f.arg(made, slot) for slot in slots}
        for key, value in made.attrs.items():
            if key in used:
                given[key] = f.number(getattr(value, "size", value), key)
        if made.weights:
            given["weight"] = f.own(made)
        return expression(template, **{key: value for key, value in given.items() if key in used})

    return row
