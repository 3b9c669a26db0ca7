"""`init_weights`: one loop that initialises all weights, generated from the weight table.

A chain of tests on weight names goes from special to general cases. A test must not match weights
of later cases, so `endings` uses as much of a name as necessary.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ...compiler.graph import ModuleGraph, Op, Scope
from ...records import record
from .code.measure import LONG, width
from .code.nodes import (
    Binary,
    Bracketed,
    Choice,
    Do,
    Dot,
    Expr,
    For,
    Function,
    If,
    Literal,
    Name,
    Parameter,
    Statement,
)
from .code.nodes import Sequence as Items
from .code.read import call, constant, expression, statements
from .code.walk import written_for
from .make import initial_note, joined_name
from .sizes import field_of, over
from .writer import SELF

NORMS = ("layer_norm", "rms_norm", "group_norm")
DRAWS = {
    "normal": "nn.init.normal_(w, std=std)",
    "truncated_normal": "nn.init.trunc_normal_(w, std=std, a=-2 * std, b=2 * std)",
    "xavier": "nn.init.xavier_uniform_(w)",
    "orthogonal": "nn.init.orthogonal_(w)",
}
WORDS = {
    "normal": "normal(0, std)",
    "truncated_normal": "normal(0, std) truncated at 2 std",
    "xavier": "Xavier uniform",
    "orthogonal": "orthogonal",
}
FILLS = {1.0: "nn.init.ones_(weight)", 0.0: "nn.init.zeros_(weight)"}
WEIGHT, STD = Name("weight"), Name("std")


def init_fields(graph: ModuleGraph) -> list[tuple[str, Any]]:
    """Fields that `init_weights` adds to the Config."""
    return [("init_std", float(graph.init.std))] if graph.init.std is not None else []


@record(frozen=True)
class Way:
    """How a weight is initialised.

    fill    the constant; None for random weights
    each    whether each of its matrices is initialised separately, as Xavier needs
    layers  for depth-scaled residual projections (GPT-2), the number of layers; "" for others
    std     standard deviation of normal numbers that do not follow the spec's `init`
    note    comment that explains the constant
    """

    fill: float | None = None
    each: bool = False
    layers: str = ""
    std: float = 0.0
    note: str = ""

    @property
    def rank(self) -> tuple[Any, ...]:
        """Sort key: constants first, random weights last."""
        drawn = self.fill is None
        order = 2 if self.fill not in FILLS else 0 if self.fill else 1
        return drawn, order, not self.std, not self.layers, not self.each


ONE, ZERO = Way(1.0), Way(0.0)


class Initial:
    """Writes `init_weights`."""

    def __init__(self, graph: ModuleGraph) -> None:
        self.graph = graph
        self.init = graph.init
        self.names: dict[Way, list[str]] = {}  # weights by way of initialisation
        weights = [
            (self.way(op, weight), self.name(op, weight), graph.block_of(op.scope))
            for op in graph.ops()
            for weight in op.weights
            if not weight.tied
        ]
        ways: dict[str, set[Way]] = {}
        for way, name, _ in weights:
            ways.setdefault(name, set()).add(way)
        for way, name, block in weights:
            differs = block is not None and len(ways[name]) > 1  # differs between layers
            layers = block.stored if block is not None and differs else ("{layer}",)
            written = [name.replace("{layer}", str(layer)) for layer in layers]
            self.names.setdefault(way, []).extend(written)

    def way(self, op: Op, weight: Any) -> Way:
        initial = weight.initial
        if initial.kind != "normal":
            fill = {"ones": 1.0, "zeros": 0.0}.get(initial.kind, initial.value)
            return Way(fill, note=initial_note(op, weight))
        if initial.value:
            return Way(std=initial.value)
        each = op.kind == "expert_linear" and self.init.std is None
        layers = self.graph.layers_of(op.scope)
        narrow = self.init.depth_scaled and initial.residual and layers is not None
        return Way(None, each, layers.path if narrow and layers is not None else "")

    def name(self, op: Op, weight: Any) -> str:
        """Name of a parameter, with `{layer}` inside layers."""
        own = joined_name(op) if op.attrs.get("joined") else op.name
        parts = (self.graph.scopes[op.scope].weights, own, weight.name)
        return ".".join(part for part in parts if part)

    def method(self) -> Function:
        std: Expr = Dot(Dot(SELF, "config"), "init_std")
        long = any(width(line, depth=4) > LONG for line in self.draws(std))
        body = tuple(self.body(STD if long or self.init.kind != "normal" else std))
        title = f"{self.summary()}."
        made = Function("init_weights", (Parameter("self"),), constant(None), body, title)
        found: Function = written_for(made, "", ("init",))
        return found

    def body(self, std: Expr) -> list[Statement]:
        found: list[Statement] = []
        if std == STD and self.init.std is not None:
            found += statements("std = self.config.init_std")
        ways = sorted(self.names, key=lambda way: (not self.is_special(way), *way.rank))
        names = [self.names[way] for way in ways]
        settings = [self.setting(way, std) for way in ways]
        at = ways.index(ONE) if ONE in ways else 0
        if ways[at : at + 2] == [ONE, ZERO]:
            ones, zeros = names[at : at + 2]
            both = ones_or_zeros(ones, zeros)
            if width(both[0], depth=4) <= LONG:
                names[at : at + 2], settings[at : at + 2] = [[*ones, *zeros]], [both]
        tests = [endings(own, names[i + 1 :]) for i, own in enumerate(names)]
        chain: tuple[Statement, ...] = ()
        for setting, test in reversed(list(zip(settings, tests, strict=True))):
            chain = (If(test, setting, chain),) if chain else setting
        if len(ways) > 1:
            over = expression("self.named_parameters()")
            found.append(For(Items((Name("name"), WEIGHT), ""), over, chain))
        elif ways:
            found.append(For(WEIGHT, expression("self.parameters()"), chain))
        return [*found, *self.joined_lines()]

    def is_special(self, way: Way) -> bool:
        """Whether it sets biases to a number of their own: the test for other biases follows it."""
        own = way.fill is not None and way.fill not in FILLS
        return own and any(name.endswith("bias") for name in self.names[way])

    def draws(self, std: Expr) -> list[Statement]:
        return [line for way in self.names for line in self.setting(way, std)]

    def setting(self, way: Way, std: Expr) -> tuple[Statement, ...]:
        """The statement that initialises `weight`."""
        if way.fill is not None:
            value = Literal(way.fill, repr(way.fill))
            if way.fill in FILLS:
                return statements(FILLS[way.fill])
            return (Do(expression("nn.init.constant_(weight, v)", v=value), way.note),)
        if way.std:
            own = constant(way.std)
            return statements("nn.init.normal_(weight, std=own)", own=own)
        if way.layers:
            std = self.narrower(self.graph.scopes[way.layers], std)
        if way.each:
            return (For(Name("matrix"), WEIGHT, (self.draw(Name("matrix"), std),)),)
        return (self.draw(WEIGHT, std),)

    def draw(self, weight: Expr, std: Expr) -> Statement:
        """The statement that initialises a random weight."""
        given = {"w": weight} if self.init.std is None else {"w": weight, "std": std}
        (found,) = statements(DRAWS[self.init.kind], **given)
        return found

    def narrower(self, layers: Scope, std: Expr) -> Expr:
        """Depth scaling (GPT-2): std of residual projections times 1/sqrt(number of branches)."""
        branches = max(len(self._branches(block)) for block in self.graph.children(layers.path))
        found: Expr = expression(
            "std * (branches * count) ** -0.5",
            std=std,
            branches=constant(branches),
            count=over(layers.layers, lambda field: field_of(Dot(SELF, "config"), field)),
        )
        return found

    def _branches(self, block: Scope) -> set[str]:
        """Number of branches of a block that end in a residual projection; all experts are one."""
        return {
            op.scope.removeprefix(f"{block.path}.").partition(".")[0]
            for op in self.graph.subtree(block.path)
            if any(weight.initial.residual for weight in op.weights)
        }

    def summary(self) -> str:
        special = [way for way in self.names if self.is_special(way)]
        words = []
        for way in special:
            own = dict.fromkeys(".".join(name.split(".")[-2:]) for name in self.names[way])
            words.append(f"{' and '.join(f'`{name}`' for name in own)} to {way.fill:g}")
        if any(op.kind in NORMS and op.weights for op in self.graph.ops()):
            words.append("norms to identity")
        biases = "other biases" if special else "biases"
        zero = [biases] * any(n.endswith("bias") for n in self.names.get(Way(0.0), []))
        places = (op for op in self.graph.ops() if op.attrs.get("zero"))
        names = (f"{self.graph.scopes[op.scope].weights}.{op.name}" for op in places)
        zero += dict.fromkeys(f"`{name.rpartition('{layer}')[2].strip('.')}`" for name in names)
        if zero:
            several = f"{', '.join(zero[:-1])} and {zero[-1]}"
            words.append(f"{several if len(zero) > 1 else zero[0]} to 0")
        words.append(f"rest {WORDS[self.init.kind]}")
        if any(way.layers for way in self.names):
            words.append("smaller in residual projections")
        text = ", ".join(words)
        return text[0].upper() + text[1:]

    def joined_lines(self) -> list[Statement]:
        """Lines that initialise each part of joined layers separately, if the shape matters."""
        joined = any("joined" in op.attrs for op in self.graph.ops())
        if not joined or self.init.std is not None:
            return []
        matrix = Name("matrix")
        over = expression("module.weight.split(module.sizes)")
        test = expression("isinstance(module, JoinedLinear)")
        inner = If(test, (For(matrix, over, (self.draw(matrix, STD),)),))
        return [For(Name("module"), expression("self.modules()"), (inner,))]


def ones_or_zeros(ones: list[str], zeros: list[str]) -> tuple[Statement, ...]:
    """One statement that sets weights of some names to 1 and of others to 0."""
    either = Choice(constant(1.0), endings(ones, [zeros]), constant(0.0))
    return statements("nn.init.constant_(weight, either)", either=either)


# -- names


def endings(own: list[str], later: list[list[str]]) -> Expr:
    """A test that matches these names and no name of later cases."""
    others = [name for names in later for name in names]
    ends: dict[str, None] = {}
    whole: dict[str, None] = {}
    between: list[Expr] = []
    for name in own:
        if any(name.endswith(end) for end in ends):
            continue
        end = next((e for e in candidates(name) if not any(o.endswith(e) for o in others)), "")
        if end:
            ends[end] = None
        elif "{layer}" not in name:
            whole[name] = None
        else:
            first, _, last = name.partition("{layer}")
            template = "name.startswith(first) and name.endswith(last)"
            between.append(expression(template, first=constant(first), last=constant(last)))
    tests: list[Expr] = []
    if ends:
        tests.append(call("name.endswith", _strings(ends)))
    if whole:
        several = len(whole) > 1
        tests.append(expression(f"name {'in' if several else '=='} n", n=_strings(whole)))
    tests += dict.fromkeys(between)
    return _joined_by_or(tests)


def candidates(name: str) -> list[str]:
    """Suffixes of a name, shortest first."""
    own = name.rpartition("{layer}")[2].removeprefix(".")
    parts = own.split(".")
    found = [end for end in ("bias", "norm.weight") if own.endswith(end)]
    least = 2 if parts[-1] in ("weight", "bias") else 1
    for length in range(least, len(parts) + 1):
        end = ".".join(parts[-length:])
        found += [end, f".{end}"] if end != name else [end]
    return found


def _joined_by_or(tests: list[Expr]) -> Expr:
    if len(tests) == 1:
        return tests[0]
    total = _bracketed(tests[0])
    for test in tests[1:]:
        total = expression("one or other", one=total, other=_bracketed(test))
    return total


def _bracketed(test: Expr) -> Expr:
    """`and` within `or`, in parentheses (ruff RUF021)."""
    return Bracketed(test) if isinstance(test, Binary) and test.sign == "and" else test


def _strings(names: Iterable[str]) -> Expr:
    found = tuple(map(constant, names))
    return found[0] if len(found) == 1 else Items(found)
