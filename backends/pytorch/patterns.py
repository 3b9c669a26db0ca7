"""Values that differ between layers, as expressions of the layer index `i`.

They follow the pattern and the overrides of the spec, so they are correct for any number of layers.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ...compiler.graph import ModuleGraph, Op, Scope
from ...compiler.index import Index
from ...compiler.layer_rule import LayerRule, Override
from .code.nodes import Binary, Expr
from .code.nodes import Sequence as Items
from .code.read import constant, expression

MOST_TERMS = 16
"""Maximum number of tuples that are added with `+`; Python's compiler limits the depth."""


def fold(order: Sequence[Hashable]) -> int:
    """The period of a sequence, in linear time.

    It is the length minus that of the longest proper prefix that is also a suffix (Knuth, Morris
    and Pratt, 1977).
    """
    longest = [0]  # for each prefix, the length of its longest proper prefix and suffix
    for item in order[1:]:
        length = longest[-1]
        while length and order[length] != item:
            length = longest[length - 1]
        longest.append(length + 1 if order[length] == item else 0)
    return len(order) - longest[-1]


def runs(parts: Sequence[Any]) -> Expr:
    """A tuple; long runs of one item are written as `(Dense,) * 3 + (Sparse,) * 58`."""
    found: list[tuple[Any, int]] = []
    for part in parts:
        if found and found[-1][0] == part:
            found[-1] = (part, found[-1][1] + 1)
        else:
            found.append((part, 1))
    if max(count for _, count in found) < 4:
        return Items(tuple(parts))
    terms: list[Expr] = []
    for part, count in found:
        one: Expr = Items((part,))
        terms.append(Binary(one, "*", constant(count)) if count > 1 else one)
    if len(terms) > MOST_TERMS:
        joined: Expr = expression("sum(terms, ())", terms=Items(tuple(terms)))
        return joined
    total = terms[0]
    for term in terms[1:]:
        total = Binary(total, "+", term)
    return total


MOST_PARTS = 100
"""Maximum number of parts of an expression; beyond, a tuple lists the value of each layer."""
MOST_COUNTS = 500
"""Number of layer counts that are tried to find those for which a file is correct."""


@dataclass(frozen=True)
class Except:
    """An override: its layers have `then`, all others `other`."""

    override: Override
    then: Rule
    other: Rule


Rule = tuple[Any, ...] | Except
"""The value of each layer: a repeating tuple, in which None is any value, or an override."""


def rule_of(layers: Scope) -> LayerRule:
    """The rule of a stack's blocks. Without a pattern in the spec, the given order repeats."""
    listed = LayerRule(layers.order, (), tuple(dict.fromkeys(layers.order)))
    return listed if layers.rule is None or _tree(layers.rule) is None else layers.rule


def _tree(rule: LayerRule) -> Rule | None:
    """The block names as a `Rule`; None if it would be too long."""
    tree: Rule = tuple(name or None for name in rule.pattern)
    for override in rule.overrides:
        tree = Except(override, _changed(tree, override), tree)
        if _size(tree) > MOST_PARTS:
            return None
    return tree


def _changed(tree: Rule, by: Override) -> Rule:
    """Block of a layer without an override -> block with it."""
    if by.block:
        return (by.block,)
    if isinstance(tree, tuple):
        return tuple((name and by.after(name)) or None for name in tree)
    inner = tree.override
    if (inner.first < 0) == (inner.last < 0) == (by.first < 0) == (by.last < 0):  # same end
        if by.last < inner.first or inner.last < by.first:
            return _changed(tree.other, by)
        if inner.first <= by.first and by.last <= inner.last:
            return _changed(tree.then, by)
    return Except(inner, _changed(tree.then, by), _changed(tree.other, by))


def _size(tree: Rule) -> int:
    return 1 if isinstance(tree, tuple) else 1 + _size(tree.then) + _size(tree.other)


def by_layer(
    layers: Scope, values: Mapping[str, Any], number: Callable[[Any], Expr], *, listed: bool = True
) -> Expr:
    """The value of layer `i`: `local if i % 6 < 5 else global_`, or an item of a tuple.

    values: value of each block
    number: writes a field of the Config
    listed: whether a tuple is allowed, whose items are all evaluated for every layer
    """
    tree = _tree(rule_of(layers))
    assert tree is not None, "`rule_of` returns only rules that can be written"
    return _Choices(number, layers.layers, listed).written(_simple(tree, values))


def _simple(tree: Rule, values: Mapping[str, Any]) -> Rule:
    """The rule for the values of the blocks, without redundant overrides."""
    if isinstance(tree, tuple):
        found = [None if name is None else values.get(name) for name in tree]
        known = [value for value in found if value is not None]
        return tuple([value or known[0] for value in found]) if known else (None,)
    then, other = _simple(tree.then, values), _simple(tree.other, values)
    if then == (None,) or (set(_leaves(then)) == set(_leaves(other)) and len(_leaves(then)) == 1):
        return other
    if isinstance(then, tuple) and isinstance(other, tuple) and tree.override.first >= 0:
        layers = range(tree.override.first, tree.override.last + 1)
        if all(then[i % len(then)] == other[i % len(other)] for i in layers) and layers:
            return other  # the pattern gives these layers the same
    return then if other == (None,) else Except(tree.override, then, other)


def _leaves(tree: Rule) -> tuple[Any, ...]:
    """The distinct values of a rule."""
    if isinstance(tree, tuple):
        return tuple(dict.fromkeys(tree))
    return tuple(dict.fromkeys((*_leaves(tree.then), *_leaves(tree.other))))


@dataclass(frozen=True)
class _Choices:
    """Writes a rule as conditional expressions of the layer index `i`."""

    number: Callable[[Any], Expr]
    layers: Any
    listed: bool

    def written(self, tree: Rule) -> Expr:
        if isinstance(tree, tuple):
            return _repeated(tree, self.listed)
        overrides = [tree.override]
        then, other = tree.then, tree.other
        while isinstance(other, Except) and other.then == then:  # several equal ranges
            overrides.append(other.override)
            other = other.other
        return _choice(self.written(then), self.any(overrides), self.written(other))

    def any(self, overrides: list[Override]) -> Expr:
        """The test whether layer `i` is in one of these ranges."""
        single = {one.first for one in overrides if one.first == one.last >= 0 and not one.count}
        if 1 < len(single) == len(overrides):
            found: Expr = expression("i in n", n=Items(tuple(map(constant, sorted(single)))))
            return found
        tests = [self.within(one) for one in reversed(overrides)]
        total = tests[0]
        for test in tests[1:]:
            total = expression("one or other", one=total, other=test)
        return total

    def within(self, one: Override) -> Expr:
        """The test whether layer `i` is in a range: `i < 3`, `i == config.layers - 1`."""
        if one.count is not None:
            return _test("i < n", n=self.number(one.count))
        first, last = self.end(one.first), self.end(one.last)
        if one.first == one.last:
            return _test("i == n", n=first)
        if one.last == -1:
            return _test("i >= n", n=first)
        if one.first == 0:
            return _test("i < n", n=self.end(one.last + 1))
        return _test("first <= i <= last", first=first, last=last)

    def end(self, number: int) -> Expr:
        if number >= 0:
            return constant(number)
        return _test("count - n", count=self.number(self.layers), n=constant(-number))


def _test(template: str, **given: Expr) -> Expr:
    found: Expr = expression(template, **given)
    return found


def _repeated(parts: tuple[Any, ...], listed: bool) -> Expr:
    """An item of a repeating tuple."""
    period = fold(parts * 2)  # the period divides the length
    parts = parts[:period]
    if period == 1:
        single: Expr = parts[0]
        return single
    within = expression("i % n", n=constant(period))
    count = next(n for n in range(period) if parts[n] != parts[0])
    rest = set(parts[count:])
    if len(rest) == 1:
        test = expression("i == 0", i=within)
        if count > 1:
            test = expression("i < n", i=within, n=constant(count))
        return _choice(parts[0], test, rest.pop())
    if listed:
        found: Expr = expression("parts[i]", parts=runs(parts), i=within)
        return found
    return _one_of(parts, within)


def _one_of(parts: tuple[Any, ...], within: Expr) -> Expr:
    """The same as nested conditional expressions, which evaluate only one item."""
    found_at: dict[Expr, list[int]] = {}
    for i, part in enumerate(parts):
        found_at.setdefault(part, []).append(i)
    *firsts, chosen = found_at
    for value in reversed(firsts):
        places = tuple(map(constant, found_at[value]))
        test = expression("i == n", i=within, n=places[0])
        if len(places) > 1:
            test = expression("i in places", i=within, places=Items(places))
        chosen = _choice(value, test, chosen)
    found: Expr = chosen
    return found


def _choice(first: Expr, test: Expr, other: Expr) -> Expr:
    chosen: Expr = expression("a if test else b", a=first, test=test, b=other)
    return chosen


# -- valid numbers of layers


@dataclass(frozen=True)
class Counts:
    """The numbers of layers for which a file is correct.

    These are the numbers n from `least` to `most` (None: unbounded) with n % `period` in
    `remainders`.
    """

    least: int = 1
    most: int | None = None
    period: int = 1
    remainders: tuple[int, ...] = (0,)


def counts(graph: ModuleGraph, index: Index, layers: Scope) -> Counts:
    """The numbers of layers for which the file of this stack is correct, at least 1."""
    default, kinds = len(layers.order), set(layers.order)
    sharing = len(set(layers.modules)) < default
    if set_by_layer(graph, index.subtree[layers.path]):
        return Counts(default, default)  # the file lists layers in `init_weights`
    rule = rule_of(layers)
    if layers.rule is None or rule != layers.rule:
        return Counts() if len(kinds) == 1 and not sharing else Counts(default, default)
    if sharing:
        rule = replace(rule, shared=())
    return _fitting(rule, default, readers(graph, index, layers))


def set_by_layer(graph: ModuleGraph, ops: list[Op]) -> bool:
    """Whether the initialisation of a weight of these ops depends on the layer."""
    found: dict[tuple[str, ...], Any] = {}
    for op in ops:
        for weight in op.weights:
            initial = weight.initial
            narrow = graph.init.depth_scaled and initial.residual
            value = (initial.kind, initial.value, narrow)
            name = (graph.scopes[op.scope].weights, op.name, weight.name)
            if found.setdefault(name, value) != value:
                return True
    return False


def readers(graph: ModuleGraph, index: Index, layers: Scope) -> list[set[str]]:
    """The blocks that use a weight of the stack, if not all do; one of them must occur."""
    blocks = {block.name: block.path for block in index.children[layers.path]}
    if len(blocks) == 1:
        return []
    found: dict[int, set[str]] = {}
    in_layers = {op.number for op in index.subtree[layers.path]}
    for kind, path in blocks.items():
        ops = index.subtree[path]
        waiting = [v for op in ops if op.kind != "layer_input" for v in op.inputs]
        seen: set[str] = set()
        while waiting:
            value = waiting.pop()
            op = graph.producer(value)
            if op is None or value in seen or op.number in in_layers:
                continue
            seen.add(value)
            waiting += op.inputs
            if any(not weight.tied for weight in op.weights):
                found.setdefault(op.number, set()).add(kind)
    return [kinds for kinds in found.values() if kinds != {*blocks}]


def _fitting(rule: LayerRule, default: int, read: list[set[str]]) -> Counts:
    ends = [end for one in rule.overrides for end in (one.first, one.last)]
    settled = 1 + max([0, *(end + 1 for end in ends)]) + max([0, *(-end for end in ends)])
    period = len(rule.pattern)
    if read or rule.shared or not {*rule.pattern} <= {*(rule.blocks or rule.pattern)} - {""}:
        settled += 2 * period  # until each block has occurred twice
    if settled + period > MOST_COUNTS:
        return Counts() if not read and _always_fits(rule) else Counts(default, default)
    orders = [{*rule.order(n)} for n in range(settled + period)]
    fits = [rule.fits(n) and all(own & order for own in read) for n, order in enumerate(orders)]
    remainders = {n % period for n in range(settled, settled + period) if fits[n]}
    least = settled  # from there on periodic
    while least > 1 and fits[least - 1] == ((least - 1) % period in remainders):
        least -= 1
    if remainders and default >= least:
        whole = len(remainders) == period
        return Counts(least) if whole else Counts(least, None, period, tuple(sorted(remainders)))
    least = most = default
    while least > 1 and fits[least - 1]:
        least -= 1
    while most + 1 < len(fits) and fits[most + 1]:
        most += 1
    return Counts(least, most)


def _always_fits(rule: LayerRule) -> bool:
    """Whether any number of layers has the same blocks and final norm."""
    blocks = {*rule.pattern, *(one.block for one in rule.overrides)}
    if rule.blocks and not blocks <= {*rule.blocks}:
        return False
    return not rule.shared and all(blocks) and blocks <= {*rule.last}
