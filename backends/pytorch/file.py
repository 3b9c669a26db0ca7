"""An emitted file, assembled: card, imports, Config, helpers, classes, the model."""

from __future__ import annotations

import builtins
import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from ...compiler.graph import ModuleGraph
from ...compiler.passes.join_projections import join_projections
from .caches import cache_class
from .card import write_card
from .classes import constants, plan_file, with_bases
from .code.nodes import Class, Copied, Name, Set, Statement, walk
from .code.read import expression
from .code.scope import UnboundNameError, bound_by, config_fields, outer_names
from .code.show import Printed, show
from .config import config_class
from .generate import generate_method
from .helpers import collect
from .initial import init_fields
from .mask_functions import mask_function
from .model import Model
from .options import USUAL, BuildOptions
from .plan import FilePlan
from .static import require_static
from .writer import Needs

SEAL = "\n\n# sha256 of the above: "
IMPORTS = {
    "math": "import math",
    "dataclass": "from dataclasses import dataclass",
    "Any": "from typing import Any",
}
TORCH_IMPORTS = {
    "torch": "import torch",
    "nn": "from torch import Tensor, nn",
    "F": "from torch.nn import functional as F",
    "checkpoint": "from torch.utils.checkpoint import checkpoint",
}
"""A name that a file may read from outside -> the line that imports it."""
IMPORTED = {*IMPORTS, *TORCH_IMPORTS, "Tensor"}


@dataclass
class Emitted:
    """A built model: its text, the name of its class, and where each line came from."""

    text: str
    class_name: str
    source_map: dict[str, Any] = field(default_factory=dict)


def emit_file(graph: ModuleGraph, options: BuildOptions = USUAL) -> Emitted:
    """The PyTorch file of a graph. Same graph, same bytes. Raises BuildError."""
    if options.static_cache:
        require_static(graph)
    if options.join_projections:
        graph = join_projections(graph)
    parts, outer = file_parts(graph, options)
    lines = printed(parts)
    head = _head(graph, outer, parts, options)
    text = "\n".join(line.text for line in lines)
    content = f"{head}{text}\n"
    sealed = content + SEAL + hashlib.sha256(content.encode()).hexdigest() + "\n"
    offset = head.count("\n")
    return Emitted(sealed, graph.class_name, _source_map(graph, lines, offset))


def is_ours_unedited(text: str) -> bool:
    """Was this text written here, and not changed since?"""
    content, mark, seal = text.rpartition(SEAL)
    return bool(mark) and hashlib.sha256(content.encode()).hexdigest() == seal.strip()


# -- the program


def file_parts(graph: ModuleGraph, options: BuildOptions) -> tuple[list[Statement], set[str]]:
    """The classes, functions and constants of the file, in order, and the names it must import.

    Raises UnboundNameError where a part reads a name that is not there: a fault of the compiler.
    """
    plan, classes = plan_file(graph, options)
    needs = Needs()
    for one in classes:
        needs.masks.update(one.needs.masks)
    model = Model(plan, needs)
    methods = model.methods()
    static = options.static_cache
    own: list[Statement] = [cache_class(graph, static=static)] if plan.cached else []
    masks = [mask_function(name, op, static=static) for name, op in needs.masks.items()]
    rest: list[Statement] = [*masks, *shared_classes(plan), *with_bases(classes)]
    rest += constants(plan)
    rest.append(model.write(methods, generate_method(model), rest))
    outer = names_from_outside([*own, *rest])
    helpers = collect(outer)
    body: list[Statement] = [*own, *helpers, *rest]
    config = config_class(graph, config_fields(body), init_fields(graph))
    outer |= names_from_outside([config, *helpers])
    outer -= set().union(*[bound_by(part) for part in (config, *body)])
    unknown = outer - IMPORTED - set(dir(builtins))
    if unknown:
        raise UnboundNameError(f"the file reads {', '.join(sorted(unknown))}, which is not there")
    return [config, *body], outer


def names_from_outside(parts: Iterable[Any]) -> set[str]:
    """The names that these parts read and do not set themselves."""
    return set().union(*[outer_names(part) for part in parts])


def shared_classes(plan: FilePlan) -> list[Class]:
    """The dataclasses of what every layer of a stack reads and none of them makes."""
    found = []
    for layers in plan.graph.scopes.values():
        if layers.role != "layers" or not plan.shared_class(layers.path):
            continue
        fields = [
            Set(
                Name(plan.value_name(value, layers.path)),
                None,
                annotation=plan.annotation(value),
            )
            for value in plan.shared_values(layers.path)
        ]
        title = "What every layer reads and none of them makes."
        frozen = expression("dataclass(frozen=True)")
        found.append(Class(plan.shared_class(layers.path), (), tuple(fields), title, (frozen,)))
    return found


# -- the text


def printed(parts: list[Statement]) -> list[Printed]:
    """The lines of the parts, with two blank ones between them."""
    lines: list[Printed] = []
    for before, part in zip([None, *parts], parts, strict=False):
        if before is not None and not (isinstance(before, Set) and isinstance(part, Set)):
            lines += [Printed(""), Printed("")]
        lines += show(part)
    return lines


def _head(
    graph: ModuleGraph, outer: set[str], parts: list[Statement], options: BuildOptions
) -> str:
    card = write_card(graph, notes_of(parts), f"{module_name(graph.name)}.py", options.words())
    standard = "\n".join(line for name, line in IMPORTS.items() if name in outer)
    third = "\n".join(line for name, line in TORCH_IMPORTS.items() if name in outer)
    future = "from __future__ import annotations"
    return f'"""{card}\n"""\n\n{future}\n\n{standard}\n\n{third}\n\n\n'


def notes_of(parts: Iterable[Any]) -> Iterator[str]:
    """The comments and docstrings of a program."""
    for node in walk(*parts):
        if isinstance(node, Copied):
            yield from node.notes
        else:
            yield from (text for key in ("note", "doc") if (text := getattr(node, key, "")))


def module_name(name: str) -> str:
    """`llama-3.1-8b` is the file `llama_3_1_8b.py`."""
    return re.sub(r"\W+", "_", name).strip("_").lower()


def _source_map(graph: ModuleGraph, lines: list[Printed], offset: int) -> dict[str, Any]:
    """Line of the file -> op, its scope, and the place in the spec that asked for it."""
    found = []
    for number, line in enumerate(lines, start=offset + 1):
        known = sorted(op for op in line.ops if op in graph)
        if not known:
            continue
        op = graph.op(known[-1])
        entry: dict[str, Any] = {
            "line": number,
            "op": op.number,
            "kind": op.kind,
            "scope": op.scope,
            "spec": ".".join(str(part) for part in op.origin),
        }
        mark = graph.source.written(op.origin)
        if mark is not None:
            file = mark.file.replace("\\", "/").rpartition("/")[2]  # the spec, or what it extends
            entry["source"] = {"file": file, "line": mark.line, "column": mark.column}
        found.append(entry)
    return {
        "version": 1,
        "model": graph.name,
        "spec": graph.source.name,
        "spec_sha256": graph.source.sha,
        "lines": found,
    }
