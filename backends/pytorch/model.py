"""The model's own class: its stacks as methods, its heads, loss, generation and fresh weights."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from ...compiler.axes import M, T, show
from ...compiler.graph import Scope
from .body import with_positions, write_items
from .classes import members
from .code.layout import WIDTH
from .code.nodes import (
    Class,
    Dictionary,
    Dot,
    Function,
    Name,
    Pair,
    Parameter,
    Return,
    Set,
    Statement,
    change,
    written_for,
)
from .code.read import call, constant, dotted, expression, statements
from .code.show import show_all, width
from .initial import Initial
from .items import Do, Item, unfolded
from .loss import loss_method
from .plan import FilePlan, Given
from .writer import SELF, Needs, Writer

ROOM = 90  # columns of a statement in a method, with space for the sign of a comment
OPTIONAL = ("attention_mask", "position_ids", "token_type_ids")
CACHE = Given("cache", kind="cache", by_default=True)
TENSOR = Name("Tensor")
LOGITS = "Logits"
RESULTS = {"language_model": LOGITS, "classifier": "Scores of the classes"}
"""What the only head of a model gives, by its kind; others give vectors."""
TYING = "Press, Wolf 2016, arXiv 1608.05859"
TITLES = {
    "classifier": "A classifier; its head scores the classes for each {}.",
    "projection": "An encoder; its head makes one vector of each {}.",
    "contrastive": "Two encoders; the head compares their vectors.",
}


@dataclass(frozen=True)
class Step:
    """A method that gives the hidden states of one stack."""

    name: str
    stack: str
    value: str
    given: list[Given]
    body: tuple[Statement, ...]


class Model:
    """Writes the class of the whole model."""

    def __init__(self, plan: FilePlan, needs: Needs) -> None:
        self.plan = plan
        self.graph = plan.graph
        self.needs = needs
        self.items = unfolded(self.graph, plan.index, plan.items(""))
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

    def writer(self, stack: str) -> Writer:
        return Writer(self.plan, Scope("", "", "model", None, stack=stack), self.needs, root=True)

    def bind_inputs(self, f: Writer, items: list[Item], stack: str) -> list[Given]:
        """Parameters for what the items read and do not make: arguments first, as they came."""
        made = {value for item in items for value in item.outputs}
        read = [v for item in items for v in item.inputs if v]
        read += [
            item.op.attrs["absent"]
            for item in items
            if isinstance(item, Do) and item.op.attrs.get("absent")
        ]
        found = []
        for value in dict.fromkeys(read):
            if value not in made:
                name = self.name_of(value, stack)
                f.hold(value, name)
                optional = self.graph.values[value].optional
                found.append(Given(name, value, optional=optional, by_default=optional))
        own = self.own_mask(stack)
        return sorted(found, key=lambda given: self.rank(given, own))

    def own_mask(self, stack: str) -> str:
        """The argument that says which tokens of this stack are padding."""
        ids = self.graph.inputs[stack].argument
        prefix = ids.removesuffix("input_ids")
        return f"{prefix if prefix != ids else ids.removesuffix('_ids') + '_'}attention_mask"

    def rank(self, given: Given, own: str) -> tuple[int, int, bool]:
        """Ids, memory, then the optional arguments in the order that Hugging Face has.

        Of two masks, that of what is read stands first.
        """
        if not given.by_default:
            producer = self.graph.producer(given.value)
            return 0, 0, producer is None or producer.kind != "argument"
        place = next(
            (i for i, name in enumerate(OPTIONAL) if given.name.endswith(name)), len(OPTIONAL)
        )
        return 1, place, given.name == own

    def crosses(self) -> bool:
        """Does a stack read another? Then each is called by itself where tokens come in steps."""
        return any(self.plan.is_read(step.stack) for step in self.steps)

    def name_of(self, value: str, stack: str) -> str:
        for other, hidden in self.graph.hidden.items():
            if hidden == value and other != stack:
                return self.memory_name(other)
        return self.graph.values[value].name

    def memory_name(self, stack: str) -> str:
        read = [s for s in self.graph.hidden if self.plan.is_read(s)]
        return "memory" if len(read) <= 1 else f"{stack}_memory"

    # -- methods

    def step_name(self, stack: str) -> str:
        stacks = list(self.graph.hidden)
        if len(stacks) == 1:
            return "hidden_states"
        readers = [s for s in stacks if not self.plan.is_read(s)]
        role, peers = ("decode", readers) if stack in readers else ("encode", [])
        if role == "encode":
            peers = [s for s in stacks if s not in readers]
        if not any(self.reads_memory(s) for s in readers):
            return f"encode_{stack}"
        return role if len(peers) == 1 else f"{role}_{stack}"

    def reads_memory(self, stack: str) -> bool:
        scopes = self.graph.scopes
        return any(
            scopes[op.scope].stack == stack
            and (
                (op.kind == "mask" and op.attrs.get("memory")) or scopes[op.scope].role == "method"
            )
            for op in self.graph.ops()
        )

    def write_step(self, stack: str, value: str) -> Step:
        f = self.writer(stack)
        items = self.needed(value)
        given = self.bind_inputs(f, items, stack)
        f.count_uses(items, [value])
        f.ids = given[0].value
        write_items(f, items)
        f.finish([value])
        body = with_positions(f, stack, given)
        if f.cached:
            moved = "cache.length += length" if f.static else "cache.length = end"
            close = statements(f"if cache is not None:\n    {moved}")
            body = [*body[:-1], *close, body[-1]]
            given = [*given, CACHE]
        step = Step(self.step_name(stack), stack, value, given, tuple(body))
        self.steps.append(step)
        return step

    def title(self, step: Step) -> str:
        shape = show(self.graph.values[step.value].shape)
        text = f"Hidden states {shape} of {self.described(step.given[0])}"
        if not (step.name == "hidden_states" or step.name.startswith("encode")):
            memory = next((g.name for g in step.given if "memory" in g.name), "")
            text += f" over the `{memory}` (B, M, D)" if memory else ""
        more = "; with a cache, they extend it" if step.stack in self.plan.cached else ""
        return f"{text}{more}." if len(text + more) < WIDTH - 14 else f"{text}."

    def described(self, given: Given) -> str:
        """`input_ids` (B, T)."""
        return f"`{given.name}` {show(self.graph.values[given.value].shape)}"

    def method(
        self,
        name: str,
        given: Iterable[Given],
        title: str,
        body: Iterable[Statement],
        result: Any,
        *origins: Any,
    ) -> Function:
        given = list(given)
        parameters = (Parameter("self"), *(g.parameter() for g in given))
        made = Function(name, parameters, result, with_config(tuple(body)), title)
        found: Function = written_for(made, *self.arguments(given), *origins)
        return found

    def arguments(self, given: Iterable[Given]) -> list[int]:
        """The ops that stand for what a method is given: arguments of the model."""
        producers = [self.graph.producer(g.value) for g in given if g.value]
        return [op.number for op in producers if op is not None and op.kind == "argument"]

    def step_method(self, step: Step) -> Function:
        path = self.graph.stacks()[step.stack].path
        return self.method(step.name, step.given, self.title(step), step.body, TENSOR, path)

    # -- heads

    def language_head(self) -> str:
        """The one language-model head whose logits `generate` samples from, if there is one."""
        if len(self.graph.heads) != 1:
            return ""
        (head,) = self.graph.heads.values()
        return head.name if head.kind == "language_model" else ""

    def head_stack(self, name: str) -> str:
        head = self.graph.heads.get(name)
        return (head.stack if head is not None else "") or list(self.graph.inputs)[-1]

    def write_logits(self, name: str) -> Function:
        value = self.graph.outputs[name]
        hidden = self.graph.hidden[self.head_stack(name)]
        f = self.writer(self.head_stack(name))
        items = self.needed(value)
        f.hold(hidden, "x")
        f.count_uses(items, [value])
        write_items(f, items)
        f.finish([value])
        given = [Given("x", hidden)]
        title = "Scores of the vocabulary."
        return self.method("logits", given, title, f.body, TENSOR, ("heads", name))

    def call_steps(self, f: Writer, stacks: list[str], *, cached: bool = True) -> None:
        """Statements that compute the hidden states of these stacks, each by its method."""
        for step in self.steps:
            if step.stack not in stacks:
                continue
            passed = [Name(g.name) for g in step.given if cached or g.name != "cache"]
            name = self.local_name(step)
            f.hold(step.value, name)
            made = Set(Name(name), call(f"self.{step.name}", *passed))
            shape = self.graph.values[step.value].shape
            if self.plan.is_read(step.stack):  # a memory has a length of its own
                shape = tuple(M if dim == T else dim for dim in shape)
            note = show(shape)
            columns = width(made)
            above = ROOM - len(note) < columns <= ROOM  # the note would not fit beside it
            if name != step.stack and not above:  # others have another T and D
                made = replace(made, note=note)
            f.say(made)

    def local_name(self, step: Step) -> str:
        if self.plan.is_read(step.stack):
            return self.memory_name(step.stack)
        readers = [s for s in self.steps if not self.plan.is_read(s.stack)]
        return "x" if len(readers) == 1 else step.stack

    def all_given(self, steps: list[Step], extra: list[Given]) -> list[Given]:
        """Every argument of these steps, each once; memories are made inside."""
        memories = {self.local_name(step) for step in self.steps}
        found: dict[str, Given] = {}
        for step in steps:
            for given in step.given:
                if given.name not in memories:
                    found.setdefault(given.name, given)
        for given in extra:
            found.setdefault(given.name, given)
        cache = [g for g in found.values() if g.name == "cache"]
        others = [g for g in found.values() if g.name != "cache"]
        required = [g for g in others if not g.by_default]
        own = self.own_mask(steps[-1].stack)
        optional = sorted((g for g in others if g.by_default), key=lambda g: self.rank(g, own))
        return [*required, *optional, *cache]

    def write_forward(self) -> Function:
        language = self.language_head()
        f = self.writer(self.steps[-1].stack)
        if language:
            return self._language_forward(f, language)
        outputs, stacks = self.graph.outputs, [s.stack for s in self.steps]
        items = [item for value in outputs.values() for item in self.needed(value)]
        extra = self.bind_inputs(f, items, self.steps[-1].stack)
        hidden = set(self.graph.hidden.values())
        extra = [g for g in extra if g.value not in hidden]
        pooled = any(op.kind == "pool" for op in self.graph.ops())  # reads all tokens at once
        cached = not pooled and not self.crosses()
        self.call_steps(f, stacks, cached=cached)
        f.count_uses(items, list(outputs.values()))
        for value in hidden:
            f.pending.setdefault(value, 0)
        write_items(f, items)
        if len(outputs) > 1:
            pairs = tuple(Pair(constant(name), f.use(v)) for name, v in outputs.items())
            f.say(Return(Dictionary(pairs)))
        elif self.graph.heads:
            f.finish(list(outputs.values()))
        else:
            f.return_last(Name(self.local_name(self.steps[-1])))
        given = [g for g in self.all_given(self.steps, extra) if g.name != "cache" or cached]
        result = expression("dict[str, Tensor]") if len(outputs) > 1 else TENSOR
        return self.method("forward", given, self.forward_title(), f.body, result, "")

    def _language_forward(self, f: Writer, language: str) -> Function:
        stack = self.head_stack(language)
        step = next(s for s in self.steps if s.stack == stack)
        wanted = [s for s in self.steps if s is step or self.plan.is_read(s.stack)]
        cached = not self.crosses()
        self.call_steps(f, [s.stack for s in wanted], cached=cached)
        logits = expression("self.logits(x)", x=Name(self.local_name(step)))
        made = f.body[-1]
        assert isinstance(made, Set)
        assert made.value is not None
        nested = Return(expression("self.logits(x)", x=made.value), origins=made.origins)
        if width(nested, depth=2) <= WIDTH:  # the title says its shape
            f.body[-1] = nested
        else:
            f.say(Return(logits, f.note(self.graph.outputs[language])))
        given = [g for g in self.all_given(wanted, []) if g.name != "cache" or cached]
        return self.method("forward", given, self.forward_title(), f.body, TENSOR, "")

    def forward_title(self) -> str:
        first = self.described(self.steps[-1].given[0])
        heads = list(self.graph.heads.values())
        if not heads:
            shape = show(self.graph.values[self.steps[-1].value].shape)
            return f"The last hidden states of {first}, {shape}."
        if len(heads) > 1:
            return f"The result of each head for {first}."
        (output,) = self.graph.outputs.values()
        shape = ", ".join(str(dim) for dim in self.graph.values[output].shape)
        if heads[0].kind == "contrastive":
            read = [self.described(step.given[0]) for step in self.steps]
            return f"Scores ({shape}) of {' with '.join(read)}."
        return f"{RESULTS.get(heads[0].kind, 'Vectors')} ({shape}) for {first}."

    # -- the class

    def methods(self) -> list[Function]:
        """What the model does: its steps, logits, forward and loss."""
        for stack, value in self.graph.hidden.items():
            self.write_step(stack, value)
        language = self.language_head()
        logits = [self.write_logits(language)] if language else []
        forward = self.write_forward()
        steps = [self.step_method(step) for step in self.steps]
        loss = loss_method(self.graph)
        return [*steps, *logits, forward, *([loss] if loss is not None else [])]

    def constructor(self) -> Function:
        config = Parameter("config", expression("Config | None"), constant(None))
        first = statements("super().__init__()\nself.config = config = config or Config()")
        last = statements("self.init_weights()")
        if any("joined" in op.attrs for op in self.graph.ops()):  # checkpoints keep their names
            last += statements(
                "self.register_state_dict_post_hook(take_apart)\n"
                "self.register_load_state_dict_pre_hook(put_together)"
            )
        made = members(self.plan, self.graph.scopes[""], self.needs)
        body = (*first, *made, *last)
        whole = Function("__init__", (Parameter("self"), config), constant(None), body)
        found: Function = written_for(whole, "")
        return found

    def write(self, methods: list[Function], generate: Function | None) -> Class:
        """The class of the model."""
        init = Initial(self.graph).method()
        body = (self.constructor(), init, *methods, *([generate] if generate is not None else []))
        name, bases = self.graph.class_name, (dotted("nn.Module"),)
        return Class(name, bases, body, self.class_title(), origins=frozenset({""}))

    def class_title(self) -> str:
        """What the model is: what its head is."""
        heads = list(self.graph.heads.values())
        if not heads:
            return "The model without a head: it gives hidden states."
        if len(heads) > 1:
            return f"The model with its heads: {', '.join(head.name for head in heads)}."
        kind, name = heads[0].kind, heads[0].name
        if kind != "language_model":
            return TITLES[kind].format("sequence" if heads[0].pool else "token")
        last = self.graph.producer(self.graph.outputs[name])
        while last is not None and not last.weights:  # a softcap stands behind it
            last = self.graph.producer(last.first)
        tied = last is not None and bool(last.weights[0].tied)
        if last is not None and self.graph.scopes[last.scope].role == "module":
            ends = ", which ends in the token embedding" if tied else ""
            return f"The language model; its head is `{self.graph.scopes[last.scope].noun}`{ends}."
        if tied:
            return f"The language model; its head is the token embedding ({TYING})."
        return "The language model; its head is a linear layer of its own."


OWN_CONFIG = Dot(SELF, "config")


def with_config(body: tuple[Statement, ...]) -> tuple[Statement, ...]:
    """The body with a short name for the config, where it takes fewer lines with it."""
    short = (Set(Name("config"), OWN_CONFIG), *_short(body))
    return short if _lines(short) < _lines(body) else body


def _lines(body: tuple[Statement, ...]) -> int:
    """How many lines the body of a method takes."""
    return sum(len(list(show_all((statement,), 2))) for statement in body)


def _short(part: Any) -> Any:
    """The same, with the name `config` for `self.config`."""
    return change(part, {OWN_CONFIG: Name("config")})
