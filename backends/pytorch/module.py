"""A scope becomes a class: its weights in `__init__`, its ops in `forward`."""

from __future__ import annotations

from dataclasses import replace

from ...compiler.graph import Scope
from .body import constant_prefix, enter, finish, ids_of, write_items
from .function import Function
from .items import external, items_of
from .layout import signature
from .make import MAKERS
from .structure import ClassText, Needs, Structure
from .text import Line, config_text


def write_class(structure: Structure, scope: Scope) -> ClassText:
    """The class of a module, block or stack scope; its children's classes are named already."""
    text = ClassText(scope, scope.noun)
    if scope.role == "stack":  # what it does is a method of the model
        text.lines = constructor(structure, scope, text.needs)
        return text
    body = forward(structure, scope, text.needs)
    text.constructor = constructor(structure, scope, text.needs)
    text.lines = [*text.constructor, Line(""), *body]
    if scope.title:
        text.lines = [Line(f'"""{scope.title}"""'), Line(""), *text.lines]
    return text


def constructor(structure: Structure, scope: Scope, needs: Needs) -> list[Line]:
    knows = structure.knows_layer(scope.path) and scope.role != "stack"
    idle = scope.path in structure.lenient and not structure.counts_layers(scope.path)
    layer = "layer: int = 0" if idle else "layer: int"
    parameters = ["self", "config: Config"] + ([layer] if knows else [])
    lines = [Line(text) for text in signature("__init__", parameters, "None")]
    lines.append(Line("super().__init__()", indent=1))
    if knows and needs.layer:
        lines.append(Line("self.layer = layer", indent=1))
    for name, expression in needs.attributes.items():
        lines.append(Line(f"self.{name} = {expression}", indent=1))
    made = members(structure, scope, needs)
    for name, expression in needs.attributes.items():
        if " " in expression:
            made = [
                replace(line, text=line.text.replace(f"({expression})", f"self.{name}"))
                for line in made
            ]
    return lines + made


def members(structure: Structure, scope: Scope, needs: Needs) -> list[Line]:
    """The lines of `__init__` that make a scope's weights and modules, in reading order."""
    f = Function(structure, scope, needs, root=False)
    lines: list[Line] = []
    seen: set[str] = set()
    for item in items_of(structure.graph, scope.path):
        if item.op is not None:
            made = MAKERS[item.op.kind](f, item.op) if item.op.kind in MAKERS else []
            lines += [Line(text, "", item.op.number, 1) for text in made if text not in seen]
            seen.update(made)
        elif item.scope is not None and item.scope.role == "layers":
            lines.append(Line(layer_list(structure, item.scope), indent=1))
        elif item.scope is not None and item.scope.role == "method":
            lines += members(structure, item.scope, needs)
        elif item.scope is not None:
            lines.append(Line(construct(structure, scope, item.scope), indent=1))
    return lines


def construct(structure: Structure, scope: Scope, child: Scope) -> str:
    knows = structure.knows_layer(child.path) and child.role != "stack"
    arguments = "config, layer" if knows else "config"
    return f"self.{child.name} = {structure.child_class(child)}({arguments})"


def layer_list(structure: Structure, layers: Scope) -> str:
    """`self.layers = nn.ModuleList(…)`: one block per layer, or one for those that share."""
    blocks = structure.graph.children(layers.path)
    knows = structure.knows_layer(blocks[0].path)
    count = config_text(layers.layers)
    distinct = len(set(layers.modules))
    kinds = list(dict.fromkeys(layers.order))
    if len(kinds) == 1:
        name = structure.child_class(blocks[0])
        if distinct == 1 and len(layers.modules) > 1:
            return f"self.layers = nn.ModuleList([{name}(config)])"
        made, number = (f"{name}(config, i)", "i") if knows else (f"{name}(config)", "_")
        return f"self.layers = nn.ModuleList({made} for {number} in range({count}))"
    constant = constant_prefix(structure, layers) + "KINDS"
    if distinct < len(layers.modules):
        return f"self.layers = nn.ModuleList(kind(config) for kind in {constant})"
    period = fold(layers.order)
    made = f"{constant}[i % {period}](config{', i' if knows else ''})"
    return f"self.layers = nn.ModuleList({made} for i in range({count}))"


def fold(order: tuple[str, ...]) -> int:
    """The shortest length after which the pattern repeats."""
    return next(
        n
        for n in range(1, len(order) + 1)
        if all(order[i] == order[i % n] for i in range(len(order)))
    )


def constants(structure: Structure) -> list[str]:
    """KINDS and MODULES of each stack that needs them, as statements."""
    lines = []
    for layers in structure.graph.scopes.values():
        if layers.role != "layers":
            continue
        names = {
            block.name: structure.child_class(block)
            for block in structure.graph.children(layers.path)
        }
        prefix = constant_prefix(structure, layers)
        shared = len(set(layers.modules)) < len(layers.modules)
        if len(set(layers.order)) > 1:
            stored = (
                tuple(layers.order[layers.modules.index(m)] for m in sorted(set(layers.modules)))
                if shared
                else layers.order[: fold(layers.order)]
            )
            lines.append(f"{prefix}KINDS = {_tuple([names[kind] for kind in stored])}")
        if shared and len(set(layers.modules)) > 1:
            numbers = _tuple([str(module) for module in layers.modules])
            lines.append(f"{prefix}MODULES = {numbers}")
    return lines


def _tuple(parts: list[str]) -> str:
    """A tuple; long runs of one thing are folded."""
    runs: list[tuple[str, int]] = []
    for part in parts:
        if runs and runs[-1][0] == part:
            runs[-1] = (part, runs[-1][1] + 1)
        else:
            runs.append((part, 1))
    if max(count for _, count in runs) < 4:
        return f"({', '.join(parts)},)" if len(parts) == 1 else f"({', '.join(parts)})"
    return " + ".join(f"({part},)" + (f" * {count}" if count > 1 else "") for part, count in runs)


def forward(structure: Structure, scope: Scope, needs: Needs) -> list[Line]:
    f = Function(structure, scope, needs, root=False)
    parameters = enter(structure, f, scope.path)
    items = items_of(structure.graph, scope.path)
    _, outputs = external(structure.graph, structure.graph.subtree(scope.path))
    results = [scope.carry[1]] if scope.carry else outputs
    f.count_uses(items, results)
    f.ids = ids_of(structure, scope, f)
    write_items(f, items)
    finish(f, results)
    texts = ["self", *(str(parameter) for parameter in parameters)]
    head = [Line(text) for text in signature("forward", texts, "Tensor")]
    return head + [Line(x.text, x.comment, x.op, x.indent + 1) for x in f.lines]
