"""Write a scope as a class: weights in `__init__`, ops in `forward`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from ...compiler.graph import Scope
from .body import enter, ids_of, write_items
from .code.flat import binding
from .code.nodes import (
    NOWHERE,
    Binary,
    Call,
    Class,
    Dot,
    Expr,
    Function,
    Name,
    Origins,
    Parameter,
    Set,
    Statement,
)
from .code.read import call, constant, dotted, statements
from .code.walk import also_from, exchanged, rebuilt, union, written_for
from .data_checks import data_checks
from .items import Do, Keep, Repeat
from .layer_list import construct, layer_list
from .make import make
from .plan import FilePlan
from .stacks import stack_forward, tensors
from .writer import SELF, Needs, Writer

MODULE = dotted("nn.Module")
NONE = constant(None)
INT = Name("int")
Contents = tuple[str, tuple[Statement, ...]]  # docstring and body of a class


@dataclass(eq=False)
class Written:
    """A class of the file. Its name is chosen when all classes of its level are written."""

    scope: Scope
    constructor: Function
    body: tuple[Statement, ...]  # constructor and forward
    doc: str = ""
    needs: Needs = field(default_factory=Needs)
    origins: Origins = NOWHERE  # the scopes that it represents
    alike: list[Written] = field(default_factory=list)  # equal classes
    replaced: list[tuple[Written, Written]] = field(default_factory=list)  # see `whole`
    before: Function | None = None  # its constructor before it took an argument
    name: str = ""
    bases: tuple[Expr, ...] = (MODULE,)

    noun: str = ""  # the name before equal names are distinguished

    def __post_init__(self) -> None:
        self.noun = self.noun or self.scope.noun

    @property
    def forward(self) -> Function:
        made: Any = self.body[-1]
        found: Function = made
        return found

    @property
    def contents(self) -> Contents:
        """What is equal in two classes that differ at most in their names."""
        return self.doc, self.body

    def whole(self) -> Written:
        """The same class with the origins of all equal classes, for source maps.

        Modules without a cache may share this class. For each, `replaced` has a pair: this
        class written without a cache, and that module's equal class, to translate origins.
        """
        body, origins = self.body, self.origins
        if self.before is not None:
            body = (union(body[0], self.before), *body[1:])
        for without, other in self.replaced:
            body = also_from(body, exchanged(without.body, other.body))
            origins |= other.origins
        for one in self.alike:
            body, origins = union(body, one.whole().body), origins | one.whole().origins
        return replace(self, body=body, origins=origins, alike=[], replaced=[])

    def tree(self) -> Class:
        return Class(self.name, self.bases, self.body, self.doc, origins=self.origins)


def write_class(plan: FilePlan, scope: Scope) -> Written:
    """Write the class of a module, block or stack, after those of its children."""
    needs = Needs()
    runs = (stack_forward if scope.role == "stack" else forward)(plan, scope, needs)
    made = constructor(plan, scope, needs)
    return Written(scope, made, (made, runs), scope.title, needs, frozenset({scope.path}))


def with_optional(plan: FilePlan, one: Written) -> Written:
    """The class after the plan made some of its parameters optional, which changes no body."""
    scope = one.scope
    made = replace(one.constructor, parameters=given_layer(plan, scope))
    runs = replace(one.forward, parameters=plan.parameters(plan.given(scope.path)))
    return replace(one, constructor=made, body=(made, runs), alike=[], replaced=[])


# -- __init__


def given_layer(plan: FilePlan, scope: Scope) -> tuple[Parameter, ...]:
    """`self, config` and, for a module that knows its layer, `layer`."""
    parameters = (Parameter("self"), Parameter("config", Name("Config")))
    if scope.role == "stack" or not plan.knows_layer(scope.path):
        return parameters
    idle = scope.path in plan.lenient and not plan.counts_layers(scope.path)
    return (*parameters, Parameter("layer", INT, constant(0) if idle else None))


def constructor(plan: FilePlan, scope: Scope, needs: Needs) -> Function:
    parameters = given_layer(plan, scope)
    body = [*statements("super().__init__()")]
    if len(parameters) > 2 and needs.layer:
        body += statements("self.layer = layer")
    made = members(plan, scope, needs)
    for name, value in needs.attributes.items():
        own = Dot(SELF, name)
        body.append(Set(own, value))
        if isinstance(value, Binary):  # compute derived sizes once
            made = _computed_once(made, value, own)
    found = Function("__init__", parameters, NONE, (*body, *made))
    of_scope: Function = written_for(found, scope.path)
    return of_scope


def _computed_once(made: list[Statement], size: Expr, own: Expr) -> list[Statement]:
    """Assign parenthesised size expressions to attributes."""

    def in_call(node: Call) -> Any:
        if len(node.arguments) == 1 and node.arguments[0].value == size:
            return written_for(call(node.of, own), *node.origins)
        return None

    def in_binary(node: Binary) -> Binary | None:
        left = own if node.left == size and binding(size) < binding(node) else node.left
        right = own if node.right == size and binding(size) <= binding(node) else node.right
        if left is not node.left or right is not node.right:
            return Binary(left, node.sign, right, origins=node.origins)
        return None

    exchange: dict[type, Callable[[Any], Any]] = {Call: in_call, Binary: in_binary}
    return [rebuilt(statement, exchange) for statement in made]


def members(plan: FilePlan, scope: Scope, needs: Needs) -> list[Statement]:
    """The statements that create a scope's weights and modules, in order of use."""
    f = Writer(plan, scope, needs, root=False)
    found: list[Statement] = []
    for item in plan.items(scope.path):
        if isinstance(item, Do):
            for statement in make(f, item.op):
                place = found.index(statement) if statement in found else None
                if place is None:
                    found.append(statement)
                else:  # several ops may use one module
                    found[place] = union(found[place], statement)
        elif isinstance(item, Repeat):
            blocks = [block.path for block in plan.index.children[item.scope.path]]
            made_so = layer_list(plan, item.scope)
            found += [written_for(statement, item.scope.path, *blocks) for statement in made_so]
        elif isinstance(item, Keep):
            found += members(plan, item.scope, needs)
        else:
            made_of = Set(Dot(SELF, item.scope.name), construct(plan, item.scope))
            found.append(written_for(made_of, item.scope.path))
    return found


# -- forward


def forward(plan: FilePlan, scope: Scope, needs: Needs) -> Function:
    f = Writer(plan, scope, needs, root=False)
    given = enter(f, scope.path)
    items = plan.items(scope.path)
    results = [leave for _, leave in scope.carries] or list(plan.external(scope.path)[1])
    f.count_uses(items, results)
    f.ids = ids_of(f)
    if scope.role == "module" and plan.graph.layers_of(scope.path) is None:
        f.say(*data_checks(f, items))
    write_items(f, items)
    f.finish(results)
    if f.graph.values[results[0]].optional and scope.role == "module":  # called if it is given
        given = [replace(given[0], optional=False, by_default=False), *given[1:]]
    found = Function("forward", plan.parameters(given), tensors(len(results)), tuple(f.body))
    of_scope: Function = written_for(found, scope.path)
    return of_scope
