"""An emitted file, assembled: card, imports, Config, helpers, classes, the model."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from typing import Any

from ...compiler.graph import ModuleGraph, Origin
from ...compiler.passes.join_projections import join_projections
from ...spec import Mark
from .bases import with_bases
from .caches import write_cache
from .card import write_card
from .config import write_config
from .helpers import collect
from .initial import init_fields
from .layout import wrap
from .masks import uses_random, write_mask
from .model import Model
from .module import constants
from .naming import classes, structure_of
from .options import USUAL, BuildOptions
from .static import require_static
from .structure import ClassText, Needs, Structure
from .text import Line

SEAL = "\n\n# sha256 of the above: "


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
    structure = structure_of(graph, options=options)
    body = _body(structure)
    lines = render(body)
    text = "\n".join(line for line, _ in lines)
    head = _head(graph, text, options)
    offset = len(head.splitlines())
    content = head + text.rstrip("\n") + "\n"
    sealed = content + SEAL + hashlib.sha256(content.encode()).hexdigest() + "\n"
    return Emitted(sealed, graph.class_name, _source_map(graph, lines, offset))


def is_ours_unedited(text: str) -> bool:
    """Was this text written here, and not changed since?"""
    content, mark, seal = text.rpartition(SEAL)
    return bool(mark) and hashlib.sha256(content.encode()).hexdigest() == seal.strip()


def render(lines: list[Line]) -> list[tuple[str, int | None]]:
    """Logical lines to physical ones, each with the op that it came from."""
    found: list[tuple[str, int | None]] = []
    for line in lines:
        if not line.text:
            found.append(("", None))
            continue
        raw = line.text.startswith(('"""', "\0"))
        parts = (
            _docstring(line.text, line.indent * 4)
            if raw
            else line.text.split("\n")
            if "\n" in line.text
            else wrap(line.text, line.indent * 4, line.comment)
        )
        found += [(part, line.op) for part in parts]
    return found


def _docstring(text: str, indent: int) -> list[str]:
    margin = " " * indent
    if len(margin + text) <= 100:
        return [margin + text]
    words = text.removeprefix('"""').removesuffix('"""').split(" ")
    lines, current = [], margin + '"""'
    first = True
    for word in words:
        glue = "" if current.endswith('"""') or not current.strip() else " "
        if len(current + glue + word) > 96:
            lines.append(current)
            current, first = margin + word, False
        else:
            current += glue + word
    del first
    return [*lines, current, margin + '"""']


def _body(structure: Structure) -> list[Line]:
    graph = structure.graph
    texts = classes(structure)
    needs = Needs()
    for text in texts:
        _join(needs, text.needs)
    model = Model(structure, needs)
    model_lines, generate = model.write()
    if any(uses_random(op) for op in needs.masks.values()):
        needs.helpers.add(("functions", "random_blocks"))
    static = structure.options.static_cache
    parts: list[list[Line]] = []
    if structure.cached:
        parts.append([Line(write_cache(graph, static=static))])
    parts += [[Line(text)] for text in collect(needs.helpers)]
    parts += [write_mask(name, op, static=static) for name, op in needs.masks.items()]
    parts += _shared_classes(structure)
    parts += [_class(text) for text in with_bases(texts)]
    if found := constants(structure):
        parts.append([Line(text) for text in found])
    parts.append(_model_class(structure, model, model_lines, generate, parts))
    config = write_config(graph, _mentioned(parts), init_fields(graph))
    lines = config
    for part in parts:
        lines = [*lines, Line(""), Line(""), *part]
    return lines


def _join(needs: Needs, other: Needs) -> None:
    needs.helpers |= other.helpers
    needs.masks.update(other.masks)


def _class(text: ClassText) -> list[Line]:
    lines = [Line(f"class {text.name}({text.base}):")]
    return lines + [Line(x.text, x.comment, x.op, x.indent + 1) for x in text.lines]


def _shared_classes(structure: Structure) -> list[list[Line]]:
    found = []
    for layers in structure.graph.scopes.values():
        if layers.role != "layers" or not structure.shared_class(layers):
            continue
        lines = [
            Line("@dataclass(frozen=True)"),
            Line(f"class {structure.shared_class(layers)}:"),
            Line('"""What every layer reads and none of them makes."""', indent=1),
            Line(""),
        ]
        for value in structure.shared_values(layers):
            name = structure.value_name(value, layers.path)
            lines.append(Line(f"{name}: {structure.annotation(value)}", indent=1))
        found.append(lines)
    return found


def _model_class(
    structure: Structure,
    model: Model,
    lines: list[Line],
    generate: str,
    parts: list[list[Line]],
) -> list[Line]:
    name = structure.graph.class_name
    text = "\n".join(line.text for part in [*parts, lines] for line in part)
    init = model.init_lines(text)
    body: list[Line] = []
    for line in lines:
        body += init if line.text == "\0init" else [line]
    found = [Line(f"class {name}(nn.Module):")]
    found += [Line(x.text, x.comment, x.op, x.indent + 1) for x in body]
    return [*found, *([Line(""), Line(generate)] if generate else [])]


def _mentioned(parts: list[list[Line]]) -> set[str]:
    text = "\n".join(line.text for part in parts for line in part)
    return set(re.findall(r"\bconfig\.(\w+)", text))


def _head(graph: ModuleGraph, body: str, options: BuildOptions) -> str:
    card = write_card(graph, body, f"{module_name(graph.name)}.py", options.words())
    imports = ["import math"] if "math." in body else []
    imports += ["from dataclasses import dataclass"]
    imports += ["from typing import Any"] if re.search(r": Any\b", body) else []
    torch_lines = ["import torch"] if re.search(r"\btorch\.", body) else []
    torch_lines.append("from torch import Tensor, nn")
    if re.search(r"\bF\.", body):
        torch_lines.append("from torch.nn import functional as F")
    if options.gradient_checkpointing and "checkpoint(" in body:
        torch_lines.append("from torch.utils.checkpoint import checkpoint")
    standard, third = "\n".join(imports), "\n".join(torch_lines)
    future = "from __future__ import annotations"
    return f'"""{card}\n"""\n\n{future}\n\n{standard}\n\n{third}\n\n\n'


def module_name(name: str) -> str:
    """`llama-3.1-8b` is the file `llama_3_1_8b.py`."""
    return re.sub(r"\W+", "_", name).strip("_").lower()


def _mark(graph: ModuleGraph, origin: Origin) -> Mark | None:
    """Where a part of the spec was written; of a default, the part that it stands in."""
    mark = graph.spec.mark(origin)
    while mark is not None and mark.why == "default" and origin:
        origin = origin[:-1]
        mark = graph.spec.mark(origin)
    return mark


def _source_map(
    graph: ModuleGraph, lines: list[tuple[str, int | None]], offset: int
) -> dict[str, Any]:
    """Line of the file -> op, its scope, and the place in the spec that asked for it."""
    found = []
    for number, (_, op_number) in enumerate(lines, start=offset + 1):
        if op_number is None or op_number not in graph:
            continue
        op = graph.op(op_number)
        entry: dict[str, Any] = {
            "line": number,
            "op": op.number,
            "kind": op.kind,
            "scope": op.scope,
            "spec": ".".join(str(part) for part in op.origin),
        }
        mark = _mark(graph, op.origin)
        if mark is not None:
            file = mark.file.replace("\\", "/").rpartition("/")[2]  # the spec, or what it extends
            entry["source"] = {"file": file, "line": mark.line, "column": mark.column}
        found.append(entry)
    return {
        "version": 1,
        "model": graph.name,
        "spec": graph.spec.source_name,
        "spec_sha256": graph.spec.sha,
        "lines": found,
    }
