"""The body of a function: ops as statements, scopes as calls, layers as a loop."""

from __future__ import annotations

from ...compiler.graph import Scope
from .function import Function
from .items import Item, items_of
from .layout import WIDTH
from .ops import ROWS
from .structure import Parameter, Structure
from .text import Expr, Line


def write_items(f: Function, items: list[Item]) -> None:
    """The statements of these items, in order."""
    for item in items:
        if item.op is not None:
            expression = ROWS[item.op.kind](f, item.op)
            if expression is not None:
                f.settle(item.op, expression)
        elif item.scope is not None:
            CALLS[item.scope.role](f.structure, f, item)


def argument_texts(structure: Structure, f: Function, scope: Scope) -> list[str]:
    """What a call of this scope passes, in the order of its parameters."""
    texts = []
    tables = {name: weight for weight, name in structure.tables(scope.path).items()}
    for parameter in structure.parameters(scope.path):
        if parameter.value:
            texts.append(str(f.use(parameter.value)))
        elif parameter.name in tables:
            texts.append(f.table(tables[parameter.name]))
        else:
            texts.append(parameter.name)
    return texts


def call_module(structure: Structure, f: Function, item: Item) -> None:
    scope = item.scope
    assert scope is not None
    name_long_input(structure, f, scope)
    texts = argument_texts(structure, f, scope)
    expression = Expr(f"{f.member(scope.parent or '', scope.name)}({', '.join(texts)})")
    (output,) = item.outputs
    producer = f.graph.producer(output)
    assert producer is not None
    f.settle(producer, expression)


def name_long_input(structure: Structure, f: Function, scope: Scope) -> None:
    """Give what a module reads a name of its own where the call would be long otherwise."""
    parameters = structure.parameters(scope.path)
    first = parameters[0].value
    if first not in f.waiting or len(parameters) == 1:
        return
    waiting = [str(f.waiting.get(p.value) or f.names.get(p.value, p.name)) for p in parameters]
    room = WIDTH - 20 if f.root else WIDTH - 28  # a block adds to its stream what comes back
    if len(f"{f.member(scope.parent or '', scope.name)}({', '.join(waiting)})") > room:
        op, expression = f.sources[first], f.waiting.pop(first)
        name, note = ("x", f.comment(first)) if f.root else ("h", "")
        f.say(f"{f.bind(first, name)} = {expression}", note, op.number)


def call_method(structure: Structure, f: Function, item: Item) -> None:
    """What a cache keeps once it is made: cross-attention's keys and values of its memory."""
    assert item.scope is not None
    inner = items_of(structure.graph, item.scope.path)
    f.count_uses(inner, [])
    before, f.lines = f.lines, []
    write_items(f, inner)
    made, f.lines = f.lines, before
    names = ", ".join(f.names[value] for value in item.outputs)
    if not f.cached:
        f.lines += made
        return
    kept = f"cache.memory[{f.layer()}]"
    f.say(f"if cache is not None and {f.layer()} in cache.memory:")
    f.say(f"{names} = {kept}", f.comment(*item.outputs), indent=1)
    f.say("else:")
    f.lines += [Line(x.text, _short(x), x.op, x.indent + 1) for x in made]
    f.say("if cache is not None:", indent=1)
    f.say(f"{kept} = {names}", indent=2)


def _short(line: Line) -> str:
    """The comment of a line that moves in, where it still fits beside it."""
    return line.comment if len(f"{line.text}  # {line.comment}") <= WIDTH - 12 else ""


def call_layers(structure: Structure, f: Function, item: Item) -> None:
    layers = item.scope
    assert layers is not None
    if layers.source in f.waiting:
        op, expression = f.sources[layers.source], f.waiting.pop(layers.source)
        name = f.bind(layers.source, "x")
        f.say(f"{name} = {expression}", f.comment(layers.source), op.number)
    x = str(f.use(layers.source))
    producer = structure.graph.producer(layers.source)
    if producer is not None and producer.kind == "argument":  # it is read as it is
        given, x = x, f.bind(layers.source, "x")
        f.say(f"{x} = {given}", f.comment(layers.source))
    blocks = structure.graph.children(layers.path)
    parameters = structure.parameters(blocks[0].path)
    shared = structure.shared_class(layers)
    arguments = []
    if shared:
        values = structure.shared_values(layers)
        pairs = []
        for value in values:
            name = structure.value_name(value, layers.path)
            pairs.append(f"{name}={f.use(value)}")
        f.say(f"shared = {shared}({', '.join(pairs)})")
    for parameter in parameters[1:]:
        if parameter.value:
            arguments.append(str(f.use(parameter.value)))
            continue
        arguments.append(parameter.name)
    f.names[layers.result] = x
    f.holds[x] = layers.result
    _loop(structure, f, layers, x, arguments)


def _loop(structure: Structure, f: Function, layers: Scope, x: str, arguments: list[str]) -> None:
    modules, stored = layers.modules, f.member(layers.parent or "", "layers")
    joined = ", ".join([x, *arguments])
    number = "layer" if "layer" in arguments else "_"
    if len(set(modules)) == len(modules):
        f.say(f"for block in {stored}:")
        target = "block"
    elif len(set(modules)) == 1:
        count = f.number(layers.layers)
        f.say(f"for {number} in range({count}):  # one block for all layers")
        target = f"{stored}[0]"
    else:
        constant = modules_constant(structure, layers)
        if number == "_":
            f.say(f"for module in {constant}:")
        else:
            f.say(f"for layer, module in enumerate({constant}):")
        target = f"{stored}[module]"
    if structure.options.gradient_checkpointing:
        cached = " and cache is None" if "cache" in arguments else ""  # kept once, made twice
        ways = f"checkpoint({target}, {joined}, use_reentrant=False)", f"{target}({joined})"
        either = f"{x} = {ways[0]} if self.training{cached} else {ways[1]}"
        if len(either) <= WIDTH - 12:  # the loop stands in a method
            f.say(either, indent=1)
            return
        f.say(f"if self.training{cached}:", indent=1)
        f.say(f"{x} = {ways[0]}", indent=2)
        f.say("else:", indent=1)
        f.say(f"{x} = {ways[1]}", indent=2)
    else:
        f.say(f"{x} = {target}({joined})", indent=1)


def modules_constant(structure: Structure, layers: Scope) -> str:
    """The name of the tuple that says which stored block each layer uses."""
    return constant_prefix(structure, layers) + "MODULES"


def constant_prefix(structure: Structure, layers: Scope) -> str:
    several = len([s for s in structure.graph.scopes.values() if s.role == "layers"]) > 1
    return f"{layers.stack.upper()}_" if several else ""


CALLS = {
    "module": call_module,
    "method": call_method,
    "layers": call_layers,
}


def enter(structure: Structure, f: Function, path: str) -> list[Parameter]:
    """Bind the parameters of a scope's function."""
    parameters = structure.parameters(path)
    scope = structure.graph.scopes[path]
    for parameter in parameters:
        if parameter.value:
            f.names[parameter.value] = parameter.name
            f.holds[parameter.name] = parameter.value
    if scope.role == "block":
        layers = structure.graph.scopes[scope.parent or ""]
        if structure.shared_class(layers):
            for value in structure.shared_values(layers):
                f.names[value] = f"shared.{structure.value_name(value, layers.path)}"
    return parameters


def ids_of(structure: Structure, scope: Scope, f: Function) -> str:
    """A value at hand whose second axis is the new tokens: the ids, or the stream."""
    for value in [*f.names]:
        shape = structure.graph.values[value].shape if value in structure.graph.values else ()
        labels = [dim.label for dim in shape]
        if labels[:2] == ["B", "T"] and not structure.graph.values[value].optional:
            return value
    return next(iter(f.names), "")


def with_positions(
    structure: Structure, f: Function, stack: str, parameters: list[Parameter]
) -> list[Line]:
    """The body, and in it how long the sequences are, said as soon as it can be known.

    That is at its beginning where the first argument holds something for each token, else behind
    the line that makes the tokens.
    """
    value, anchor, place = parameters[0].value, parameters[0].name, 0
    shape = structure.graph.values[value].shape
    if f.first is not None and [dim.label for dim in shape[1:2]] != ["T"]:
        place, anchor = f.first
    lines = position_lines(structure, f, stack, anchor)
    return [*f.lines[:place], *lines, *f.lines[place:]]


def position_lines(structure: Structure, f: Function, stack_name: str, anchor: str) -> list[Line]:
    lines: list[Line] = []
    limit = structure.graph.limits.get(stack_name)
    end = "end" if f.cached else "length"
    if f.static:
        lines.append(Line(f"length = {anchor}.size(1)"))
        lines.append(Line("end = length if cache is None else cache.capacity"))
    elif f.cached:
        lines.append(Line("start = 0 if cache is None else cache.length"))
        lines.append(Line(f"end = start + {anchor}.size(1)"))
    elif f.uses_end or limit is not None:
        lines.append(Line(f"length = {anchor}.size(1)"))
    if limit is not None:
        most = f.number(limit)
        lines.append(Line(f"if {end} > {most}:"))
        message = f'f"{{{end}}} tokens, but max_positions is {{{most}}}"'
        lines.append(Line(f"raise ValueError({message})", indent=1))
    if f.static:
        lines.append(Line(f"place = torch.arange(length, device={anchor}.device)", "(T,)"))
        lines.append(Line("if cache is not None:"))
        lines.append(Line("place = cache.begin(place)", indent=1))
    return lines


def finish(f: Function, results: list[str]) -> None:
    """`return` what the function makes; a last assignment becomes the return itself."""
    if len(results) == 1:
        (value,) = results
        if value in f.waiting:
            op = f.sources[value]
            f.say(f"return {f.use(value)}", f.comment(value), op.number)
            return
        name = f.names[value]
        if f.lines and f.lines[-1].text.startswith(f"{name} = ") and f.lines[-1].indent == 0:
            last = f.lines.pop()
            text = last.text.removeprefix(f"{name} = ")
            f.say(f"return {text}", last.comment, last.op)
            return
        f.say(f"return {name}")
        return
    f.say(f"return {', '.join(str(f.use(value)) for value in results)}")
