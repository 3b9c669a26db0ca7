"""Merge attention to tokens with attention to a memory: one class, whose `memory` is optional."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from .bases import made_by
from .classes import Written
from .code.nodes import Call, Dot, If, Name, Parameter, Statement
from .code.read import constant, expression
from .code.scope import bound_by
from .code.walk import change, rebuilt, union
from .plan import FilePlan, Given

KERNEL = "scaled_dot_product_attention"
NEUTRAL = ("attn_mask", "is_causal")
"""Arguments of the kernel that attention to a memory may lack; they are None and False then."""
NONE = constant(None)
MOST = 6
"""Most statements for keys and values of both; two classes with more are easier to read."""
Body = tuple[Statement, ...]


def join_memories(plan: FilePlan, classes: list[Written]) -> list[Written]:
    """Let attention to a memory use the class of attention to tokens, if only keys differ.

    The parameters `causal`, `cache` and `memory` of such a class are optional.
    """
    found = {id(one): one for one in classes}
    tokens = [one for one in classes if not plan.reads_memory(one.scope.path)]
    for cross in (one for one in classes if plan.reads_memory(one.scope.path)):
        for own in tokens:
            joint = joint_of(plan, own, cross)
            body = None if joint is None else joint.body(own, cross)
            if joint is None or body is None:
                continue
            found[id(cross)] = joint.written(cross, body)
            for one in tokens:
                if one.forward is own.forward:  # `share` has given it to other modules, too
                    found[id(one)] = joint.written(one, body)
                elif one.noun == own.noun and one.forward == own.forward:
                    found[id(one)] = joint.written(one, joint.body(one, cross) or body)
            plan.joined.add(cross.scope.path)
            if any(p.default for p in own.constructor.parameters):
                plan.lenient.add(cross.scope.path)
            break
    return [found[id(one)] for one in classes]


@dataclass(frozen=True)
class Joint:
    """How attention to tokens and attention to a memory become one class.

    noun, doc   of the class
    maker       parameters of its constructor
    parameters  those of its `forward`
    names       other names of parameters -> their names in the class
    lacking     parameters that attention to a memory is not given
    """

    noun: str
    doc: str
    maker: tuple[Parameter, ...]
    parameters: tuple[Parameter, ...]
    names: dict[Any, Name]
    lacking: frozenset[str]

    def body(self, own: Written, cross: Written) -> Body | None:
        """The statements of both, of which those for keys and values depend on `memory`.

        None if these are not in the middle of equal statements.
        """
        first, second = own.forward.body, cross.forward.body
        if self.names:
            first, second = change(first, self.names), change(second, self.names)
        pairs = list(zip(first, second, strict=False))
        start = next((i for i, (a, b) in enumerate(pairs) if a != b), len(pairs))
        back = list(zip(reversed(first), reversed(second), strict=False))
        end = next((i for i, (a, b) in enumerate(back) if not self.same(a, b)), len(back))
        keys, read = first[start : len(first) - end], second[start : len(second) - end]
        if not (start > 0 and end > 0 and keys and read and len(keys) + len(read) <= MOST):
            return None
        either = If(expression("memory is None"), keys, read)
        before = union(first[:start], second[:start])
        return (*before, either, *union(first[len(first) - end :], second[len(second) - end :]))

    def same(self, one: Statement, other: Statement) -> bool:
        """Whether two statements are equal, but for arguments that the second lacks."""

        def exchange(node: Call) -> Call | None:
            if type(node.of) is not Dot or node.of.name != KERNEL:
                return None
            kept = [a for a in node.arguments if not (a.name in NEUTRAL and self.lacks(a.value))]
            return replace(node, arguments=tuple(kept))

        if one == other:
            return True
        return bool(
            self.lacking and type(one) is type(other) and rebuilt(one, {Call: exchange}) == other
        )

    def lacks(self, value: Any) -> bool:
        return isinstance(value, Name) and value.id in self.lacking

    def written(self, one: Written, body: Body) -> Written:
        """One of the classes with the constructor's parameters and the `forward` of both."""
        made = replace(one.constructor, parameters=self.maker)
        forward = replace(one.forward, parameters=self.parameters, body=body)
        return replace(one, noun=self.noun, doc=self.doc, constructor=made, body=(made, forward))


def joint_of(plan: FilePlan, own: Written, cross: Written) -> Joint | None:
    """How two classes with equal weights could become one; None if their parameters do not fit.

    Also None if the lowering gives no docstring for both.
    """
    if not cross.scope.general:
        return None
    given, read = plan.given(own.scope.path), plan.given(cross.scope.path)
    masks, others = masks_of(plan, given), masks_of(plan, read)
    if made_by(own) != made_by(cross) or not len(others) <= len(masks) <= 1:
        return None
    if not (_has_all(own, given) and _has_all(cross, read) and _kinds_fit(given, read)):
        return None
    names = {g.name for g in (*masks, *others)}
    mask = Name(names.pop() if len(names) == 1 else "mask")
    renamed = {Name(g.name): mask for g in (*masks, *others) if g.name != mask.id}
    set_there = set().union(*map(bound_by, (*own.forward.body, *cross.forward.body)))
    if renamed and mask.id in set_there:  # another mask has this name
        return None
    lacking = {g.name for g in given if g.kind == "causal"} | ({mask.id} if not others else set())
    optional = any(g.optional for g in (*masks, *others)) or not others
    parameters = list(own.forward.parameters)
    for number, given_one in enumerate(given, start=1):
        if given_one in masks:
            parameters[number] = _mask(parameters[number], mask.id, optional=optional)
    maker, forward = own.constructor.parameters, _with_memory(parameters, lacking)
    return Joint(own.noun, cross.scope.general, maker, forward, renamed, frozenset(lacking))


def _has_all(one: Written, given: list[Given]) -> bool:
    """Whether `forward` has these parameters only, not also those of a class that it shares."""
    return len(one.forward.parameters) == len(given) + 1


def _kinds_fit(own: list[Given], cross: list[Given]) -> bool:
    """Whether attention to tokens has all kinds of parameters of both, and no other than these."""
    kinds = {g.kind for g in own}
    return {g.kind for g in cross} <= kinds <= {"tensor", "causal", "cache"}


def masks_of(plan: FilePlan, given: list[Given]) -> list[Given]:
    """The tensors besides `x` and the memory: masks and biases."""
    hidden = plan.graph.hidden.values()
    return [g for g in given if g.kind == "tensor" and g.name != "x" and g.value not in hidden]


def _mask(parameter: Parameter, name: str, *, optional: bool) -> Parameter:
    annotation = expression("Tensor | None" if optional else "Tensor")
    return replace(parameter, name=name, annotation=annotation)


def _with_memory(parameters: list[Parameter], lacking: set[str]) -> tuple[Parameter, ...]:
    """The parameters and `memory`; from the first that calls may omit, they have defaults."""
    found: list[Parameter] = []
    for one in parameters:
        omitted = one.name in lacking or any(p.default is not None for p in found)
        if omitted and one.default is None:
            one = replace(one, default=constant(False) if one.name == "causal" else NONE)
        found.append(one)
    return (*found, Parameter("memory", expression("Tensor | None"), NONE))
