"""The class of the model: stacks, heads, loss, generation and initialisation."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from ...compiler.axes import Dim, M, S, T, show
from ...compiler.facts import InputFact, PartFact
from ...compiler.graph import ModuleGraph, Scope
from .body import write_items
from .classes import members
from .code.build import names
from .code.measure import LONG, height, width
from .code.nodes import (
    Class,
    Dictionary,
    Dot,
    Expr,
    Function,
    If,
    Name,
    Pair,
    Parameter,
    Return,
    Set,
    Statement,
)
from .code.nodes import Do as DoStatement
from .code.read import call, constant, dotted, expression, statements
from .code.walk import change, written_for
from .entry import owner_of, refused_alone
from .initial import Initial
from .items import Do, Item, Run, Stack
from .loss import auxiliary_loss, loss_method
from .plan import FilePlan, Given
from .stacks import (
    CACHE,
    TENSOR,
    Step,
    described,
    given_for,
    joined_title,
    memory_name,
    own_mask,
    rank,
    step_of,
    tensors,
    title_of,
    write_hidden,
)
from .writer import SELF, Needs, Writer

ROOM = 90  # columns for a statement in a method, with room for `  #`
LOGITS = "Logits"
RESULTS = {
    "language_model": LOGITS,
    "classifier": "Logits of the classes",
    "patches": "Images",
}
"""Output of a model's only head, by its type; other heads return vectors."""
TYING = "Press, Wolf 2016, arXiv:1608.05859"
TITLES = {
    "classifier": "A classifier. Its head returns a logit per class for each {}.",
    "projection": "An encoder. Its head returns one vector for each {}.",
    "contrastive": "Two encoders. The head compares their vectors.",
    "patches": "An encoder of images. Its head returns an image of the same size.",
}


class Model:
    """Writes the class of the whole model."""

    def __init__(self, plan: FilePlan, needs: Needs) -> None:
        self.plan = plan
        self.graph = plan.graph
        self.needs = needs
        self.items = plan.items("")
        self.steps: list[Step] = []
        self.done = {id(item) for item in self.items if self.is_of_stacks(item)}

    # -- items of each method

    def needed(self, value: str) -> list[Item]:
        """The items that compute this value and are not in an earlier method, in order."""
        made_by = {v: item for item in self.items for v in item.outputs}
        wanted: set[int] = set()
        waiting = [value]
        while waiting:
            item = made_by.get(waiting.pop())
            if item is not None and id(item) not in wanted and id(item) not in self.done:
                wanted.add(id(item))
                waiting += item.inputs
        self.done |= wanted
        return [item for item in self.items if id(item) in wanted]

    def writer(self, stack: str) -> Writer:
        return Writer(self.plan, Scope("", "", "model", None, stack=stack), self.needs, root=True)

    def is_of_stacks(self, item: Item) -> bool:
        """Whether an item is a stack, or the embedding of one."""
        if isinstance(item, Stack):
            return True
        several = len(self.graph.hidden) > 1
        return several and isinstance(item, Do) and item.op.kind == "embedding"

    def crosses(self) -> bool:
        """Whether a stack reads another. If so, `generate` calls each stack separately."""
        return any(self.plan.is_read(step.stack) for step in self.steps)

    # -- methods

    def write_steps(self) -> list[Function]:
        """The steps that compute hidden states: one method, or a call of each of several stacks."""
        if len(self.graph.hidden) > 1:
            self.steps = [step_of(self.plan, stack) for stack in self.graph.hidden]
            return []
        ((stack, value),) = self.graph.hidden.items()
        values = self.graph.results_of(stack)
        f, items = self.writer(stack), [i for value in values for i in self.needed(value)]
        given = given_for(self.plan, items, stack)
        body = write_hidden(f, stack, items, given)
        given += [CACHE] * f.cached
        path = self.graph.stacks()[stack].path
        step = Step("hidden_states", stack, value, given, path=path)
        self.steps = [step]
        result = tensors(len(values))
        return [self.method(step.name, given, title_of(self.graph, step), body, result, path)]

    def method(
        self,
        name: str,
        given: Iterable[Given],
        title: str,
        body: Iterable[Statement],
        result: Any,
        *origins: Any,
    ) -> Function:
        parameters = self.plan.parameters(given)
        made = Function(name, parameters, result, with_config(tuple(body)), title)
        found: Function = written_for(made, *origins)
        return found

    # -- heads

    def language_head(self) -> str:
        """The only language-model head, from whose logits `generate` samples; or None."""
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
        title = "Logits over the vocabulary."
        ops = [item.op.number for item in items if isinstance(item, Do)]
        modules = [item.scope.path for item in items if isinstance(item, Run)]
        origins = ("heads", name), *ops, *modules
        return self.method("logits", given, title, f.body, TENSOR, *origins)

    def call_steps(self, f: Writer, stacks: list[str], *, cached: bool = True) -> None:
        """Statements that compute the hidden states of these stacks."""
        for step in self.steps:
            if step.stack in stacks:
                self.call_step(f, step, cached=cached)

    def call_step(self, f: Writer, step: Step, *, cached: bool) -> None:
        passed = [*step.passed(), *([Name("cache")] if cached and step.cached else [])]
        if step.stack in self.graph.streams:
            self._call_streams(f, step, passed)
            return
        name = self.local_name(step)
        f.hold(step.value, name)
        if step.absent:
            f.say(Set(Name(name), step.computed()))
            return
        made = Set(Name(name), step.call(*passed))
        note = self.note(step, step.value)
        first = step.table is not None and step.given[0] is step.embedded
        if first and width(replace(made, note=note)) > LONG - 8:
            before = self.note(step, step.given[0].value)
            f.say(Set(Name("x"), passed[0], before))
            made = Set(Name(name), step.call(Name("x"), *passed[1:]))
            note = "" if name == "x" and note == before else note
        columns = width(made)
        above = ROOM - len(note) < columns <= ROOM  # the note would not fit on the line
        f.say(made if above else replace(made, note=note))

    def _call_streams(self, f: Writer, step: Step, passed: list[Any]) -> None:
        """`msa, pair = self.hidden_states(msa, pair)`."""
        streams = self.graph.streams[step.stack]
        for name, value in streams.items():
            f.hold(value, name)
        f.say(Set(names(*streams), step.call(*passed)))

    def note(self, step: Step, value: str) -> str:
        """The shape of a stack's output; a memory has length M, and none if D is another width.

        The output of a stack that is the only input of another one has the length T of that one.
        """
        own = self.plan.result_name(step.stack)
        if self.local_name(step) == own:  # other stacks have their own T and D
            return ""
        shape = self.graph.values[value].shape
        if self.plan.is_read(step.stack):
            last = self.graph.values[self.steps[-1].value].shape
            if shape[-1].size != last[-1].size:
                return ""
            if not self.plan.is_continued(step.stack):
                shape = tuple(M if dim == T else dim for dim in shape)
        return show(shape)

    def local_name(self, step: Step) -> str:
        if self.plan.is_read(step.stack):
            return memory_name(self.plan, step.stack)
        readers = [s for s in self.steps if not self.plan.is_read(s.stack)]
        return "x" if len(readers) == 1 else self.plan.result_name(step.stack)

    def all_given(self, steps: list[Step], extra: list[Given]) -> list[Given]:
        """All arguments of these steps, without duplicates and memories."""
        memories = {self.local_name(step) for step in self.steps}
        found: dict[str, Given] = {}
        for step in steps:
            for given in step.arguments:
                if given.name not in memories:
                    found.setdefault(given.name, given)
        for given in extra:
            found.setdefault(given.name, given)
        cache = [g for g in found.values() if g.name == "cache"]
        others = [g for g in found.values() if g.name != "cache"]
        required = [g for g in others if not g.by_default]
        own = own_mask(self.graph, steps[-1].stack)
        optional = [g for g in others if g.by_default]
        optional.sort(key=lambda g: rank(self.graph, g, own))
        return [*required, *optional, *cache]

    def write_forward(self) -> Function:
        language = self.language_head()
        f = self.writer(self.steps[-1].stack)
        if language:
            return self._language_forward(f, language)
        outputs, stacks = self.graph.outputs, [s.stack for s in self.steps]
        items = [item for value in outputs.values() for item in self.needed(value)]
        hidden = {value for s in stacks for value in self.graph.results_of(s)}
        extra = given_for(self.plan, items, self.steps[-1].stack)
        extra = [g for g in extra if g.value not in hidden]
        for one in extra:
            f.hold(one.value, one.name)
        pooled = any(op.kind == "pool" for op in self.graph.ops())  # without a cache
        cached = not pooled and not self.crosses()
        first, last = self._checks_for_heads(extra)
        f.body += [*first, *self._refused_beside(self.steps), *self._checks_of_parts(self.steps)]
        self.call_steps(f, stacks, cached=cached)
        f.body += last
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

    def _checks_for_heads(self, extra: list[Given]) -> tuple[list[Statement], list[Statement]]:
        """Checks of masks that heads read and no stack does.

        Those of a whole sequence of joined inputs come after the stacks.
        """
        known = {given.value for step in self.steps for given in step.given}
        first: list[Statement] = []
        last: list[Statement] = []
        for one in extra:
            value, stack = self.graph.values[one.value], owner_of(self.graph, one.name)
            if one.value in known or value.dtype != "int" or stack not in self.graph.inputs:
                continue
            parts = self.graph.parts.get(stack, ())
            letter = value.shape[1].label.partition("-")[0]
            part = next((part for part in parts if part.letter == letter), None)
            fact = self.graph.inputs[stack] if part is None else part.input
            if len(parts) > 1 and part is None:
                step = next(step for step in self.steps if step.stack == stack)
                joined = Name(self.local_name(step))
                shape = expression("(*x.shape[:2],)", x=joined)
                last += _checked(one, shape, step.absent, joined)
            elif shape := _shape_of(fact, part, value.shape[1].label):
                optional = part is not None and part.optional
                first += _checked(one, shape, optional, Name(fact.argument))
        return first, last

    def _refused_beside(self, steps: list[Step]) -> list[Statement]:
        """Errors for what only stacks read whose own input is absent."""
        found: list[Statement] = []
        for step in steps:
            first, *others = step.arguments
            if not step.absent:
                continue
            names = [name for one in others if (name := self._only_for(step, one))]
            test = expression("x is None", x=Name(first.name))
            if names:
                found.append(If(test, refused_alone(first.name, first.name, names)))
        return found

    def _only_for(self, step: Step, given: Given) -> str:
        """The argument that an input of a step is, or comes from, if nothing else reads it."""
        source = next((s for s in self.steps if s.value == given.value), None)
        readers = {self.graph.scopes[op.scope].stack for op in self.graph.consumers(given.value)}
        if not given.optional or readers - {"", step.stack}:
            return ""
        name = given.name if source is None else source.arguments[0].name
        return name if name in {g.name for g in self.all_given(self.steps, [])} else ""

    def _checks_of_parts(self, steps: list[Step]) -> list[Statement]:
        """Checks of masks of joined ids that their own stack does not read."""
        found: list[Statement] = []
        for name, one in {g.name: g for step in steps for g in step.given if g.value}.items():
            value, owner = self.graph.values[one.value], owner_of_mask(self.graph, one)
            parts = self.graph.parts.get(owner, ())
            own = next(step for step in self.steps if step.stack == owner) if parts else None
            if own is None or value.dtype != "int" or name in {g.name for g in own.given}:
                continue
            fact = self.graph.inputs[owner]
            if fact.kind != "tokens" or value.shape[1].label in ("T", "S"):
                continue
            ids = Name(fact.argument)
            optional = any(part.optional and part.input == fact for part in parts)
            found += _checked(one, expression("(*x.shape,)", x=ids), optional, ids)
        return found

    def _language_forward(self, f: Writer, language: str) -> Function:
        stack = self.head_stack(language)
        step = next(s for s in self.steps if s.stack == stack)
        wanted = [s for s in self.steps if s is step or self.plan.is_read(s.stack)]
        cached = not self.crosses()
        f.body += [*self._refused_beside(wanted), *self._checks_of_parts(wanted)]
        self.call_steps(f, [s.stack for s in wanted], cached=cached)
        logits = expression("self.logits(x)", x=Name(self.local_name(step)))
        made = f.body[-1]
        assert isinstance(made, Set)
        assert made.value is not None
        nested = Return(expression("self.logits(x)", x=made.value), origins=made.origins)
        if width(nested, depth=2) <= LONG:  # its shape is in the docstring
            f.body[-1] = nested
        else:
            f.say(Return(logits, f.note(self.graph.outputs[language])))
        given = [g for g in self.all_given(wanted, []) if g.name != "cache" or cached]
        return self.method("forward", given, self.forward_title(), f.body, TENSOR, "")

    def forward_title(self) -> str:
        inputs = self.graph.inputs  # learned vectors have no argument
        steps = [step for step in self.steps if inputs[step.stack].argument]
        first = described(self.graph, steps[-1].arguments[0])
        if steps[-1].stack in self.graph.parts:
            first = joined_title(self.graph, steps[-1].stack)
        for step in steps[:-1]:
            if step.absent:
                first = f"{first} and `{step.arguments[0].name}`"
        heads = list(self.graph.heads.values())
        if steps[-1].stack in self.graph.streams:
            return "Final hidden states of each stream."
        if not heads:
            shape = show(self.graph.values[self.steps[-1].value].shape)
            return f"Final hidden states {shape} of {first}."
        if len(heads) > 1:
            return f"The output of each head for {first}."
        (output,) = self.graph.outputs.values()
        shape = ", ".join(str(dim) for dim in self.graph.values[output].shape)
        if heads[0].kind == "contrastive":
            read = [described(self.graph, step.arguments[0]) for step in steps]
            return f"Logits ({shape}) of {' with '.join(read)}."
        return f"{RESULTS.get(heads[0].kind, 'Vectors')} ({shape}) for {first}."

    # -- the class

    def methods(self) -> list[Function]:
        """The methods of the model: steps, logits, forward and loss."""
        steps = self.write_steps()
        language = self.language_head()
        logits = [self.write_logits(language)] if language else []
        forward = self.write_forward()
        loss = loss_method(self.graph)
        losses = [*auxiliary_loss(self.graph), *([loss] if loss is not None else [])]
        return [*steps, *logits, forward, *losses]

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

    def write(self, methods: list[Function], without_generate: str) -> Class:
        """The class of the model. `without_generate`: why a decoder has no such method, or ""."""
        init = Initial(self.graph).method()
        body = (self.constructor(), init, *methods)
        name, bases = self.graph.class_name, (dotted("nn.Module"),)
        title = self.class_title()
        title += f" Without `generate`: {without_generate}." if without_generate else ""
        return Class(name, bases, body, title, origins=frozenset({""}))

    def class_title(self) -> str:
        """The docstring of the class, by its head."""
        heads = list(self.graph.heads.values())
        if self.graph.streams:
            return "A stack of several streams. It returns the hidden states of each."
        if not heads:
            return "The model without a head. It returns hidden states."
        if len(heads) > 1:
            return f"The model with its heads: {', '.join(head.name for head in heads)}."
        kind, name = heads[0].kind, heads[0].name
        if len(heads[0].stacks) > 2:
            return "Several encoders. The head compares the vectors of each pair of them."
        if kind != "language_model":
            return TITLES[kind].format("sequence" if heads[0].pool else "token")
        last = self.graph.producer(self.graph.outputs[name])
        while last is not None and not last.weights:  # a softcap follows it
            last = self.graph.producer(last.first)
        tied = last is not None and bool(last.weights[0].tied)
        if last is not None and self.graph.scopes[last.scope].role == "module":
            ends = ", whose last layer is the token embedding" if tied else ""
            return f"Language model with the head `{self.graph.scopes[last.scope].noun}`{ends}."
        if tied:
            return f"Language model with tied input and output embeddings ({TYING})."
        return "Language model with an untied output head."


def owner_of_mask(graph: ModuleGraph, one: Given) -> str:
    """The stack whose padding an argument marks; "" for other arguments."""
    if not one.name.endswith("attention_mask") or one.value not in graph.values:
        return ""
    return owner_of(graph, one.name)


def _shape_of(fact: InputFact, part: PartFact | None, label: str) -> Expr | None:
    """The shape (B, T) of ids or features; None if a mask of them has another one."""
    tokens = Dim(T.label if part is None else part.letter).less(fact.prefix)
    if fact.kind not in ("tokens", "features") or label not in (tokens.label, S.label):
        return None
    form = "(*x.shape,)" if fact.kind == "tokens" else "(*x.shape[:2],)"
    found: Expr = expression(form, x=Name(fact.argument))
    return found


def _checked(one: Given, shape: Expr, optional: bool, source: Name) -> list[Statement]:
    """A check of an argument's shape, if what it is for is there."""
    check = DoStatement(call("check_shapes", shape, **{one.name: Name(one.name)}))
    return [If(expression("x is not None", x=source), (check,)) if optional else check]


OWN_CONFIG = Dot(SELF, "config")


def with_config(body: tuple[Statement, ...]) -> tuple[Statement, ...]:
    """The body, with a local name for the config if this saves lines."""
    changed: tuple[Statement, ...] = change(body, {OWN_CONFIG: Name("config")})
    if changed is body:
        return body
    different = [(new, old) for new, old in zip(changed, body, strict=True) if new is not old]
    long = height(tuple(old for _, old in different), depth=2)
    if long == (False, len(different)):  # a line each: nothing to save
        return body
    named = Set(Name("config"), OWN_CONFIG)
    short = height((named, *[new for new, _ in different]), depth=2)
    return (named, *changed) if short < long else body
