"""A scope becomes a class: its weights in `__init__`, its ops in `forward`."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from ...compiler.graph import ModuleGraph, Op, Scope
from .function import Function, Item, Needs, external, items_of
from .layout import signature
from .ops import MAKERS, ROWS
from .text import Expr, Line, config_text

SHARED_LIMIT = 3  # more shared values than this travel in one dataclass


@dataclass(frozen=True)
class Parameter:
    name: str
    value: str = ""  # the value id, or "" for a table, the cache, or the layer's number
    annotation: str = "Tensor"
    default: str = ""

    def __str__(self) -> str:
        return f"{self.name}: {self.annotation}" + (f" = {self.default}" if self.default else "")


@dataclass
class ClassText:
    """An emitted class: lines with {0}, {1} … where the names of other classes will stand."""

    scope: Scope
    noun: str
    lines: list[Line] = field(default_factory=list)
    name: str = ""
    needs: Needs = field(default_factory=Needs)

    def key(self) -> str:
        return "\n".join(f"{line.indent}{line.text}#{line.comment}" for line in self.lines)


class Structure:
    """What the classes of one file agree on: signatures, names of shared values, class names."""

    def __init__(self, graph: ModuleGraph, *, checkpointing: bool) -> None:
        self.graph = graph
        self.checkpointing = checkpointing
        self.classes: dict[str, ClassText] = {}
        self.cached_stacks = {op.scope.split(".")[0] for op in graph.ops() if op.kind == "cache"}
        self.cached = {
            graph.scopes[op.scope].stack for op in graph.ops() if op.kind == "cache"
        }

    # -- facts about scopes

    def uses_cache(self, path: str) -> bool:
        scope = self.graph.scopes[path]
        if scope.stack not in self.cached:
            return False
        if scope.role == "block":  # the blocks of a stack are called alike
            path = scope.parent or ""
        return any(
            op.kind == "cache" or self.graph.scopes[op.scope].role == "method"
            for op in self.graph.subtree(path)
        )

    def layer_by_call(self, path: str) -> bool:
        """Do layers share modules, so that a module cannot know which layer it serves?"""
        layers = self.graph.layers_of(path)
        return layers is not None and len(set(layers.modules)) < len(layers.modules)

    def knows_layer(self, path: str) -> bool:
        return self.uses_cache(path) and not self.layer_by_call(path)

    def value_name(self, value: str, scope: str) -> str:
        """What a parameter that carries this value is called."""
        for stack, hidden in self.graph.hidden.items():
            if hidden == value and self.graph.scopes[scope].stack != stack and scope:
                if self.graph.layers_of(scope) and self.graph.scopes[scope].role not in ("block", "layers"):
                    return "memory"
                readers = [s for s in self.graph.hidden if s != self.graph.scopes[scope].stack]
                several = len([s for s in readers if self._read(s)]) > 1
                return f"{stack}_memory" if several else "memory"
        found = self.graph.values[value]
        if self.graph.scopes[scope].role in ("module", "method") and self.graph.layers_of(scope):
            return found.base or found.name or "x"
        return found.name or "x"

    def _read(self, stack: str) -> bool:
        return any(
            self.graph.scopes[op.scope].stack not in ("", stack)
            for op in self.graph.consumers(self.graph.hidden[stack])
        )

    def annotation(self, value: str) -> str:
        return "Tensor | None" if self.graph.values[value].optional else "Tensor"

    def shared_values(self, layers: Scope) -> list[str]:
        """What every layer of a stack reads and none of them makes."""
        inputs, _ = external(self.graph, self.graph.subtree(layers.path))
        return [value for value in inputs if value != layers.source]

    def shared_class(self, layers: Scope) -> str:
        """The dataclass that carries them, if they are many."""
        if len(self.shared_values(layers)) <= SHARED_LIMIT:
            return ""
        several = len([s for s in self.graph.scopes.values() if s.role == "layers"]) > 1
        parent = self.graph.scopes[layers.parent or ""]
        return f"{parent.noun}Shared" if several and parent.noun else "Shared"

    def parameters(self, path: str) -> list[Parameter]:
        """The parameters of a scope's forward, in order."""
        scope = self.graph.scopes[path]
        found: list[Parameter] = []
        ops = self.graph.subtree(path)
        if scope.role == "block":
            layers = self.graph.scopes[scope.parent or ""]
            found.append(Parameter("x", scope.carry[0] if scope.carry else ""))
            shared = self.shared_class(layers)
            if shared:
                found.append(Parameter("shared", annotation=shared))
            else:
                found += [
                    Parameter(self.value_name(v, path), v, self.annotation(v))
                    for v in self.shared_values(layers)
                ]
        else:
            inputs, _ = external(self.graph, ops)
            found += [
                Parameter(self.value_name(v, path), v, self.annotation(v)) for v in inputs
            ]
            found.sort(key=lambda p: p.value in self.graph.hidden.values() and p.name != "x")
            found.sort(key=lambda p: "None" in p.annotation)
        found += [Parameter(name) for name in self.tables(path).values()]
        if self.uses_cache(path):
            found.append(Parameter("cache", annotation="Cache | None"))
            if self.layer_by_call(path) and self.graph.layers_of(path) is not None:
                found.append(Parameter("layer", annotation="int"))
        return found

    def tables(self, path: str) -> dict[str, str]:
        """Weights of other modules that this one multiplies by, and what they are called here."""
        found: dict[str, str] = {}
        for op in self.graph.subtree(path):
            for weight in op.weights:
                if weight.tied and op.kind == "linear":
                    found.setdefault(weight.tied, "table" if not found else f"table{len(found)}")
        return found

    # -- bodies

    def function(self, path: str, *, root: bool = False) -> Function:
        scope = self.graph.scopes[path]
        needs = Needs()
        return ScopeFunction(self, scope, needs, root=root, cached=scope.stack in self.cached)

    def write_items(self, f: ScopeFunction, items: list[Item]) -> None:
        for item in items:
            if item.op is not None:
                expression = ROWS[item.op.kind](f, item.op)
                if expression is not None:
                    f.settle(item.op, expression)
            elif item.scope is not None:
                CALLS[item.scope.role](self, f, item)

    def child_class(self, scope: Scope) -> str:
        return self.classes[scope.path].name


class ScopeFunction(Function):
    """A function of one scope: knows where the stream, the ids and the layer's number are."""

    def __init__(
        self, structure: Structure, scope: Scope, needs: Needs, *, root: bool, cached: bool
    ) -> None:
        super().__init__(structure.graph, needs, root=root, cached=cached, stack=scope.stack)
        self.structure = structure
        self.place = scope
        self.graph_ids = ""
        self.by_call = structure.layer_by_call(scope.path)

    @property
    def like(self) -> str:
        """The float tensor at hand: it gives dtype and device to what is computed beside it."""
        floats = [
            name
            for name, value in self.holds.items()
            if value in self.graph.values and self.graph.values[value].dtype == "float"
        ]
        return "x" if "x" in floats else floats[-1] if floats else self.names[self.graph_ids]

    def layer(self) -> str:
        self.needs.layer = True
        return "layer" if self.by_call else "self.layer"

    def table(self, weight: str) -> str:
        if self.root:
            return f"self.{weight}"
        return self.structure.tables(self.place.path)[weight]


def argument_texts(structure: Structure, f: ScopeFunction, scope: Scope) -> list[str]:
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


def call_module(structure: Structure, f: ScopeFunction, item: Item) -> None:
    scope = item.scope
    assert scope is not None
    texts = argument_texts(structure, f, scope)
    expression = Expr(f"self.{scope.name}({', '.join(texts)})")
    (output,) = item.outputs
    producer = f.graph.producer(output)
    assert producer is not None
    f.settle(producer, expression)


def call_method(structure: Structure, f: ScopeFunction, item: Item) -> None:
    scope = item.scope
    assert scope is not None
    texts = argument_texts(structure, f, scope)
    names = [f.bind(value, f.graph.values[value].name) for value in item.outputs]
    shapes = dict.fromkeys(f.comment(value) for value in item.outputs)
    note = next(iter(shapes)) + (" each" if len(shapes) == 1 else "")
    f.say(f"{', '.join(names)} = self.{scope.name}({', '.join(texts)})", note)


def call_layers(structure: Structure, f: ScopeFunction, item: Item) -> None:
    layers = item.scope
    assert layers is not None
    x = str(f.use(layers.source))
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


def _loop(
    structure: Structure, f: ScopeFunction, layers: Scope, x: str, arguments: list[str]
) -> None:
    modules = layers.modules
    joined = ", ".join([x, *arguments])
    number = "layer" if "layer" in arguments else "_"
    if len(set(modules)) == len(modules):
        f.say("for block in self.layers:")
        target = "block"
    elif len(set(modules)) == 1:
        count = config_text(layers.layers, "self.config." if f.root else "config.")
        if not f.root:
            count = f.number(layers.layers)
        f.say(f"for {number} in range({count}):  # one block for all layers")
        target = "self.layers[0]"
    else:
        constant = modules_constant(structure, layers)
        if number == "_":
            f.say(f"for module in {constant}:")
        else:
            f.say(f"for layer, module in enumerate({constant}):")
        target = "self.layers[module]"
    if structure.checkpointing:
        f.say("if self.training:", indent=1)
        f.say(f"{x} = checkpoint({target}, {joined}, use_reentrant=False)", indent=2)
        f.say("else:", indent=1)
        f.say(f"{x} = {target}({joined})", indent=2)
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
    "stack": call_module,
    "method": call_method,
    "layers": call_layers,
}


# -- classes


def write_class(structure: Structure, scope: Scope) -> ClassText:
    """The class of a module, block or stack scope; its children's classes are named already."""
    graph = structure.graph
    text = ClassText(scope, scope.noun)
    bodies = [forward(structure, scope, text.needs)]
    bodies += [
        method_body(structure, child, text.needs)
        for child in graph.children(scope.path)
        if child.role == "method"
    ]
    text.lines = [*constructor(structure, scope, text.needs)]
    for body in bodies:
        text.lines += [Line(""), *body]
    if scope.title:
        text.lines = [Line(f'"""{scope.title}"""'), Line(""), *text.lines]
    return text


def constructor(structure: Structure, scope: Scope, needs: Needs) -> list[Line]:
    knows = structure.knows_layer(scope.path) and scope.role != "stack"
    parameters = ["self", "config: Config"] + (["layer: int"] if knows else [])
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
    f = structure.function(scope.path)
    f.needs = needs
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


def enter(structure: Structure, f: ScopeFunction, path: str) -> list[Parameter]:
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


def forward(structure: Structure, scope: Scope, needs: Needs) -> list[Line]:
    f = structure.function(scope.path)
    f.needs = needs
    parameters = enter(structure, f, scope.path)
    items = items_of(structure.graph, scope.path)
    _, outputs = external(structure.graph, structure.graph.subtree(scope.path))
    results = [scope.carry[1]] if scope.carry else outputs
    f.count_uses(items, results)
    f.graph_ids = ids_of(structure, scope, f)
    structure.write_items(f, items)
    finish(f, results)
    body = prologue(structure, f, scope) + f.lines if scope.role == "stack" else f.lines
    if scope.role == "stack" and f.cached:
        body = before_return(body, Line("if cache is not None:", indent=0), Line("cache.length = end", indent=1))
    texts = ["self", *(str(parameter) for parameter in parameters)]
    head = [Line(text) for text in signature("forward", texts, "Tensor")]
    return head + [Line(x.text, x.comment, x.op, x.indent + 1) for x in body]


def before_return(body: list[Line], *lines: Line) -> list[Line]:
    """The body with these lines in front of its return."""
    return [*body[:-1], *lines, body[-1]]


def ids_of(structure: Structure, scope: Scope, f: ScopeFunction) -> str:
    """A value at hand whose second axis is the new tokens: the ids, or the stream."""
    for value in [*f.names]:
        shape = structure.graph.values[value].shape if value in structure.graph.values else ()
        labels = [dim.label for dim in shape]
        if labels[:2] == ["B", "T"] and not structure.graph.values[value].optional:
            return value
    return next(iter(f.names), "")


def prologue(structure: Structure, f: ScopeFunction, scope: Scope) -> list[Line]:
    """Where the new tokens stand among all that were seen; the limit, if there is one."""
    anchor = structure.parameters(scope.path)[0].name if scope.path else f.names[f.graph_ids]
    return position_lines(structure, f, scope.stack, anchor)


def position_lines(
    structure: Structure, f: ScopeFunction, stack_name: str, anchor: str
) -> list[Line]:
    lines: list[Line] = []
    limit = structure.graph.limits.get(stack_name)
    end = "end" if f.cached else "length"
    if f.cached:
        lines.append(Line("start = 0 if cache is None else cache.length"))
        lines.append(Line(f"end = start + {anchor}.size(1)"))
    elif f.uses_end or limit is not None:
        lines.append(Line(f"length = {anchor}.size(1)"))
    if limit is not None:
        most = f.number(limit)
        lines.append(Line(f"if {end} > {most}:"))
        message = f'f"{{{end}}} tokens, but max_positions is {{{most}}}"'
        lines.append(Line(f"raise ValueError({message})", indent=1))
    return lines


def finish(f: ScopeFunction, results: list[str]) -> None:
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


def method_body(structure: Structure, scope: Scope, needs: Needs) -> list[Line]:
    """A method whose results a cache keeps: what cross-attention reads in its memory."""
    f = structure.function(scope.path)
    f.needs = needs
    parameters = enter(structure, f, scope.path)
    items = items_of(structure.graph, scope.path)
    _, outputs = external(structure.graph, structure.graph.subtree(scope.path))
    f.count_uses(items, outputs)
    structure.write_items(f, items)
    names = ", ".join(str(f.use(value)) for value in outputs)
    lines: list[Line] = []
    if any(parameter.name == "cache" for parameter in parameters):
        kept = f"cache.memory[{f.layer()}]"
        lines += [
            Line(f"if cache is not None and {f.layer()} in cache.memory:"),
            Line(f"return {kept}", indent=1),
        ]
        f.say("if cache is not None:")
        f.say(f"{kept} = {names}", indent=1)
    f.say(f"return {names}")
    texts = ["self", *(str(parameter) for parameter in parameters)]
    result = f"tuple[{', '.join(['Tensor'] * len(outputs))}]"
    head = [Line(text) for text in signature(scope.name, texts, result)]
    title = [Line(f'"""{scope.title}"""', indent=1)] if scope.title else []
    body = [*lines, *f.lines]
    return head + title + [Line(x.text, x.comment, x.op, x.indent + 1) for x in body]


def name_classes(structure: Structure, texts: list[ClassText]) -> list[ClassText]:
    """Give classes of one noun names: one name where they are alike, told apart where not.

    Returns the classes to write, each once.
    """
    by_noun: dict[str, list[ClassText]] = {}
    for text in texts:
        by_noun.setdefault(text.noun, []).append(text)
    written: list[ClassText] = []
    for noun, group in by_noun.items():
        for prefix in PREFIXES:
            names: dict[str, str] = {}
            proposed = [prefix(structure, text.scope) + noun for text in group]
            if all(
                names.setdefault(n, t.key()) == t.key()
                for n, t in zip(proposed, group, strict=True)
            ):
                break
        else:
            raise AssertionError(f"two classes {noun} cannot be told apart")
        for name, text in zip(proposed, group, strict=True):
            text.name = name
            if name in names:
                del names[name]
                written.append(text)
    return written


def _nothing(structure: Structure, scope: Scope) -> str:
    return ""


def _camel(name: str) -> str:
    return "".join(part[:1].upper() + part[1:] for part in name.split("_"))


def _stack_prefix(structure: Structure, scope: Scope) -> str:
    return _camel(scope.stack)


def _kind_prefix(structure: Structure, scope: Scope) -> str:
    block = structure.graph.block_of(scope.path)
    return _camel(block.name) if block is not None and block is not scope else ""


def _head_prefix(structure: Structure, scope: Scope) -> str:
    return _camel(scope.name)


PREFIXES = (
    _nothing,
    _stack_prefix,
    _kind_prefix,
    lambda structure, scope: _stack_prefix(structure, scope) + _kind_prefix(structure, scope),
    _head_prefix,
)


def depth(scope: Scope) -> int:
    return scope.path.count(".") + bool(scope.path)


def classes(structure: Structure) -> list[ClassText]:
    """Every class below the model, those first that others use."""
    scopes = [
        scope
        for scope in structure.graph.scopes.values()
        if scope.role in ("module", "block", "stack") and structure.graph.subtree(scope.path)
    ]
    written: list[ClassText] = []
    for level in sorted({depth(scope) for scope in scopes}, reverse=True):
        texts = [write_class(structure, s) for s in scopes if depth(s) == level]
        for text in texts:
            structure.classes[text.scope.path] = text
        written += name_classes(structure, texts)
    return written


__all__ = ["ClassText", "Op", "Structure", "classes", "constants"]
