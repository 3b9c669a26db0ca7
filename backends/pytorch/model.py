"""The model's own class: its stacks as methods, its heads, loss, generation and fresh weights."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ...compiler.axes import show
from ...compiler.graph import Scope
from ...spec.head import Classifier, Contrastive, LanguageModel
from .body import finish, with_positions, write_items
from .ending import generate_text, write_loss
from .function import Function
from .initial import write_init
from .items import Item, items_of, unfolded
from .layout import WIDTH, signature
from .module import members
from .structure import Needs, Parameter, Structure
from .text import Line

ROOM = 90  # columns of a statement in a method, with space for the sign of a comment
OPTIONAL = ("attention_mask", "position_ids", "token_type_ids")


@dataclass(frozen=True)
class Step:
    """A method that gives the hidden states of one stack."""

    name: str
    stack: str
    value: str
    parameters: list[Parameter]
    lines: list[Line]


class Model:
    """Writes the class of the whole model."""

    def __init__(self, structure: Structure, needs: Needs) -> None:
        self.structure = structure
        self.graph = structure.graph
        self.needs = needs
        self.root = self.graph.scopes[""]
        self.items = unfolded(self.graph, items_of(self.graph, ""))
        self.steps: list[Step] = []
        self.done: set[int] = set()

    # -- which items belong to which method

    def needed(self, value: str) -> list[Item]:
        """The items that make this value and belong to no earlier method, in order."""
        made_by = {v: item for item in self.items for v in item.outputs}
        wanted: set[int] = set()

        def visit(name: str) -> None:
            item = made_by.get(name)
            if item is None or id(item) in wanted or id(item) in self.done:
                return
            wanted.add(id(item))
            for other in item.inputs:
                visit(other)

        visit(value)
        self.done |= wanted
        return [item for item in self.items if id(item) in wanted]

    def function(self, stack: str) -> Function:
        place = Scope("", "", "model", None, stack=stack)
        return Function(self.structure, place, self.needs, root=True)

    def bind_inputs(
        self, f: Function, items: list[Item], stack: str, extra: list[str]
    ) -> list[Parameter]:
        """Parameters for what the items read and do not make: arguments first, as they came."""
        made = {value for item in items for value in item.outputs}
        read = [v for item in items for v in item.inputs if v]
        read += [
            item.op.attrs["absent"] for item in items if item.op and item.op.attrs.get("absent")
        ]
        values = [v for v in dict.fromkeys([*read, *extra]) if v not in made]
        parameters = []
        for value in values:
            name = self.name_of(value, stack)
            f.names[value], f.holds[name] = name, value
            optional = self.graph.values[value].optional
            parameters.append(
                Parameter(
                    name,
                    value,
                    "Tensor | None" if optional else "Tensor",
                    "None" if optional else "",
                )
            )
        own = self.own_mask(stack)
        return sorted(parameters, key=lambda parameter: self.rank(parameter, own))

    def own_mask(self, stack: str) -> str:
        """The argument that says which tokens of this stack are padding."""
        ids = str(getattr(self.graph.spec.stacks[stack].input[0], "argument", ""))
        prefix = ids.removesuffix("input_ids")
        return f"{prefix if prefix != ids else ids.removesuffix('_ids') + '_'}attention_mask"

    def rank(self, parameter: Parameter, own: str) -> tuple[int, int, bool]:
        """Ids, memory, then the optional arguments in the order that Hugging Face has.

        Of two masks, that of what is read stands first.
        """
        if not parameter.default:
            producer = self.graph.producer(parameter.value)
            return 0, 0, producer is None or producer.kind != "argument"
        place = next(
            (i for i, name in enumerate(OPTIONAL) if parameter.name.endswith(name)), len(OPTIONAL)
        )
        return 1, place, parameter.name == own

    def crosses(self) -> bool:
        """Does a stack read another? Then each is called by itself where tokens come in steps."""
        return any(self.structure.is_read(step.stack) for step in self.steps)

    def name_of(self, value: str, stack: str) -> str:
        for other, hidden in self.graph.hidden.items():
            if hidden == value and other != stack:
                return self.memory_name(other)
        return self.graph.values[value].name

    def memory_name(self, stack: str) -> str:
        read = [s for s in self.graph.hidden if self.structure.is_read(s)]
        return "memory" if len(read) <= 1 else f"{stack}_memory"

    # -- methods

    def step_name(self, stack: str) -> str:
        stacks = list(self.graph.hidden)
        if len(stacks) == 1:
            return "hidden_states"
        readers = [s for s in stacks if not self.structure.is_read(s)]
        role, peers = ("decode", readers) if stack in readers else ("encode", [])
        if role == "encode":
            peers = [s for s in stacks if s not in readers]
        reads = any(self.reads_memory(s) for s in readers)
        if not reads:
            return f"encode_{stack}"
        return role if len(peers) == 1 else f"{role}_{stack}"

    def reads_memory(self, stack: str) -> bool:
        return any(
            op.attrs.get("memory") and self.graph.scopes[op.scope].stack == stack
            for op in self.graph.ops()
            if op.kind == "mask"
        ) or any(
            self.graph.scopes[op.scope].role == "method"
            and self.graph.scopes[op.scope].stack == stack
            for op in self.graph.ops()
        )

    def write_step(self, stack: str, value: str) -> Step:
        f = self.function(stack)
        items = self.needed(value)
        parameters = self.bind_inputs(f, items, stack, [])
        f.count_uses(items, [value])
        f.ids = self.ids(parameters)
        write_items(f, items)
        finish(f, [value])
        body = with_positions(self.structure, f, stack, parameters)
        if f.cached:
            moved = "cache.length += length" if f.static else "cache.length = end"
            close = (Line("if cache is not None:"), Line(moved, indent=1))
            body = [*body[:-1], *close, body[-1]]
        if f.cached:
            parameters = [*parameters, Parameter("cache", "", "Cache | None", "None")]
        step = Step(self.step_name(stack), stack, value, parameters, body)
        self.steps.append(step)
        return step

    def ids(self, parameters: list[Parameter]) -> str:
        return parameters[0].value

    def title(self, step: Step) -> str:
        shape = show(self.graph.values[step.value].shape)
        text = f"Hidden states {shape} of {self.said(step.parameters[0])}"
        if not (step.name == "hidden_states" or step.name.startswith("encode")):
            memory = next((p.name for p in step.parameters if "memory" in p.name), "")
            text += f" over the `{memory}` (B, M, D)" if memory else ""
        more = "; with a cache, they extend it" if step.stack in self.structure.cached else ""
        return f"{text}{more}." if len(text + more) < WIDTH - 14 else f"{text}."

    def said(self, parameter: Parameter) -> str:
        """`input_ids` (B, T)."""
        return f"`{parameter.name}` {show(self.graph.values[parameter.value].shape)}"

    def as_method(
        self,
        name: str,
        parameters: list[Parameter],
        title: str,
        body: list[Line],
        result: str = "Tensor",
    ) -> list[Line]:
        texts = ["self", *(str(parameter) for parameter in parameters)]
        head = [Line(text) for text in signature(name, texts, result)]
        return [
            *head,
            Line(f'"""{title}"""', indent=1),
            *(Line(x.text, x.comment, x.op, x.indent + 1) for x in with_config(body)),
        ]

    # -- heads

    def language_head(self) -> str:
        """The one language-model head whose logits `generate` samples from, if there is one."""
        heads = self.graph.spec.heads
        found = [name for name, head in heads.items() if isinstance(head, LanguageModel)]
        return found[0] if len(found) == 1 and len(heads) == 1 else ""

    def head_stack(self, name: str) -> str:
        head = self.graph.spec.heads.get(name)
        own = getattr(head, "stack", None)
        return own or list(self.graph.spec.stacks)[-1]

    def write_logits(self, name: str) -> list[Line]:
        value = self.graph.outputs[name]
        hidden = self.graph.hidden[self.head_stack(name)]
        f = self.function(self.head_stack(name))
        items = self.needed(value)
        f.names[hidden], f.holds["x"] = "x", hidden
        f.count_uses(items, [value])
        write_items(f, items)
        finish(f, [value])
        parameters = [Parameter("x", hidden)]
        return self.as_method("logits", parameters, "Scores of the vocabulary.", f.lines)

    def call_steps(self, f: Function, stacks: list[str], *, cached: bool = True) -> None:
        """Statements that compute the hidden states of these stacks, each by its method."""
        for step in self.steps:
            if step.stack not in stacks:
                continue
            texts = [p.name for p in step.parameters if cached or p.name != "cache"]
            name = self.local_name(step)
            f.names[step.value], f.holds[name] = name, step.value
            call = f"{name} = self.{step.name}({', '.join(texts)})"
            shape = show(self.graph.values[step.value].shape)
            note = shape.replace("T", "M") if self.structure.is_read(step.stack) else shape
            if name == step.stack:  # others have another T and D
                note = ""
            f.say(call, note if not ROOM - len(note) < len(call) <= ROOM else "")

    def local_name(self, step: Step) -> str:
        return (
            self.memory_name(step.stack)
            if self.structure.is_read(step.stack)
            else (
                "x"
                if len([s for s in self.steps if not self.structure.is_read(s.stack)]) == 1
                else step.stack
            )
        )

    def all_parameters(self, steps: list[Step], extra: list[Parameter]) -> list[Parameter]:
        """Every argument of these steps, each once; memories are made inside."""
        memories = {self.local_name(step) for step in self.steps}
        found: dict[str, Parameter] = {}
        for step in steps:
            for parameter in step.parameters:
                if parameter.name not in memories:
                    found.setdefault(parameter.name, parameter)
        for parameter in extra:
            found.setdefault(parameter.name, parameter)
        cache = [p for p in found.values() if p.name == "cache"]
        others = [p for p in found.values() if p.name != "cache"]
        required = [p for p in others if not p.default]
        own = self.own_mask(steps[-1].stack)
        others = [p for p in others if p.default]
        optional = sorted(others, key=lambda parameter: self.rank(parameter, own))
        return [*required, *optional, *cache]

    def _return_last(self, f: Function, last: Step) -> None:
        line = f.lines.pop()
        f.say("return " + line.text.removeprefix(f"{self.local_name(last)} = "), line.comment)

    def write_forward(self) -> list[Line]:
        spec = self.graph.spec
        language = self.language_head()
        outputs = self.graph.outputs
        f = self.function(self.steps[-1].stack)
        stacks = [s.stack for s in self.steps]
        several = len(outputs) > 1
        if language:
            return self._language_forward(f, language)
        items_by_head = {name: self.needed(value) for name, value in outputs.items()}
        items = [item for items in items_by_head.values() for item in items]
        extra = self.bind_inputs(f, items, self.steps[-1].stack, [])
        hidden = set(self.graph.hidden.values())
        extra = [p for p in extra if p.value not in hidden]
        pooled = any(op.kind == "pool" for op in self.graph.ops())  # reads all tokens at once
        cached = not pooled and not self.crosses()
        self.call_steps(f, stacks, cached=cached)
        f.count_uses(items, list(outputs.values()))
        for value in hidden:
            f.pending.setdefault(value, 0)
        write_items(f, items)
        if several:
            pairs = ", ".join(f'"{name}": {f.use(value)}' for name, value in outputs.items())
            f.say(f"return {{{pairs}}}")
        elif spec.heads:
            finish(f, list(outputs.values()))
        else:
            self._return_last(f, self.steps[-1])
        parameters = self.all_parameters(self.steps, extra)
        parameters = [p for p in parameters if p.name != "cache" or cached]
        result = "dict[str, Tensor]" if several else "Tensor"
        return self.as_method("forward", parameters, self.forward_title(), f.lines, result)

    def _language_forward(self, f: Function, language: str) -> list[Line]:
        stack = self.head_stack(language)
        step = next(s for s in self.steps if s.stack == stack)
        wanted = [s for s in self.steps if s is step or self.structure.is_read(s.stack)]
        cached = not self.crosses()
        self.call_steps(f, [s.stack for s in wanted], cached=cached)
        given = self.local_name(step)
        f.say(f"return self.logits({given})", f.comment(self.graph.outputs[language]))
        parameters = self.all_parameters(wanted, [])
        parameters = [p for p in parameters if p.name != "cache" or cached]
        return self.as_method("forward", parameters, self.forward_title(), f.lines)

    def forward_title(self) -> str:
        first = self.said(self.steps[-1].parameters[0])
        heads = self.graph.spec.heads
        if not heads:
            shape = show(self.graph.values[self.steps[-1].value].shape)
            return f"The last hidden states of {first}, {shape}."
        if len(heads) > 1:
            return f"The result of each head for {first}."
        (output,) = self.graph.outputs.values()
        shape = ", ".join(str(dim) for dim in self.graph.values[output].shape)
        if self.language_head():
            what = "Logits"
        elif isinstance(next(iter(heads.values())), Classifier):
            what = "Scores of the classes"
        elif isinstance(next(iter(heads.values())), Contrastive):
            read = [self.said(step.parameters[0]) for step in self.steps]
            return f"Scores ({shape}) of {' with '.join(read)}."
        else:
            what = "Vectors"
        return f"{what} ({shape}) for {first}."

    # -- the class

    def write(self) -> tuple[list[Line], str]:
        """The lines of the class, less `class …:`, and the text of `generate`."""
        for stack, value in self.graph.hidden.items():
            self.write_step(stack, value)
        language = self.language_head()
        logits = [self.write_logits(language)] if language else []
        forward = self.write_forward()
        steps = [self.as_method(s.name, s.parameters, self.title(s), s.lines) for s in self.steps]
        loss = write_loss(self)
        bodies = [*steps, *logits, forward, *([loss] if loss else [])]
        lines = self.constructor()
        generate = generate_text(self)
        joined = [*lines, Line(""), Line("\0init"), *(x for b in bodies for x in (Line(""), *b))]
        return joined, generate

    def constructor(self) -> list[Line]:
        return [
            Line("def __init__(self, config: Config | None = None) -> None:"),
            Line("super().__init__()", indent=1),
            Line("self.config = config = config or Config()", indent=1),
            *members(self.structure, self.root, self.needs),
            Line("self.init_weights()", indent=1),
            *self.hooks(),
        ]

    def hooks(self) -> list[Line]:
        """What keeps the names of checkpoints where linear layers are joined."""
        if not any("joined" in op.attrs for op in self.graph.ops()):
            return []
        self.needs.helpers |= {("joined", "take_apart"), ("joined", "put_together")}
        return [
            Line("self.register_state_dict_post_hook(take_apart)", indent=1),
            Line("self.register_load_state_dict_pre_hook(put_together)", indent=1),
        ]

    def init_lines(self, text: str) -> list[Line]:
        return write_init(self.graph, text)


def with_config(body: list[Line]) -> list[Line]:
    """The body with a short name for the config, where a line would be too long without it."""
    short = [replace(line, text=line.text.replace("self.config.", "config.")) for line in body]
    helps = any(too_long(a) and not too_long(b) for a, b in zip(body, short, strict=True))
    return [Line("config = self.config"), *short] if helps else body


def too_long(line: Line) -> bool:
    """Does a statement of a method, with its comment, need more than one line?"""
    comment = f"  # {line.comment}" if line.comment else ""
    return len(f"{line.text}{comment}") > WIDTH - 8 - 4 * line.indent
