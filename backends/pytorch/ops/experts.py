"""Mixtures of experts: who is chosen, with which weight, and what the chosen compute."""

from __future__ import annotations

from ....compiler.graph import Op
from ..function import Function
from ..text import ATOM, SUM, Expr
from .row import Row, call


def softmax(f: Function, op: Op) -> Expr:
    return Expr(f"{f.use(op.inputs[0]).at(ATOM)}.softmax(-1)")


def gather(f: Function, op: Op) -> Expr:
    return Expr(f"{f.use(op.inputs[0]).at(ATOM)}.gather(-1, {f.use(op.inputs[1])})")


def sum_to_one(f: Function, op: Op) -> Expr:
    return call(f.helper("experts", "sum_to_one"), str(f.use(op.inputs[0])))


def best_groups(f: Function, op: Op) -> Expr:
    counts = [f.number(op.attrs[key]) for key in ("groups", "kept", "members")]
    return call(f.helper("experts", "best_groups"), str(f.use(op.inputs[0])), *counts)


def top_k(f: Function, op: Op) -> None:
    best = f"{f.use(op.inputs[0]).at(ATOM)}.topk({f.number(op.attrs['top_k'])})"
    values, places = op.outputs
    if f.pending.get(values):
        _both(f, op, best)
        return
    name = f.bind(places, f.graph.values[places].name)
    f.say(f"{name} = {best}.indices", f.comment(places), op.number)


def sparse_mixer(f: Function, op: Op) -> None:
    helper = f.helper("experts", "sparse_mixer")
    numbers = [f.number(op.attrs[key]) for key in ("top_k", "jitter")]
    _both(f, op, str(call(helper, str(f.use(op.inputs[0])), *numbers)))


def _both(f: Function, op: Op, text: str) -> None:
    """A statement that binds all the results of an op."""
    names = [f.bind(value, f.graph.values[value].name) for value in op.outputs]
    f.say(f"{', '.join(names)} = {text}", f.comment(*op.outputs), op.number)


def within_capacity(f: Function, op: Op) -> Expr:
    weights, chosen = (str(f.use(value)) for value in op.inputs)
    experts = f.number(op.attrs["experts"])
    if op.attrs["capacity"] is not None:
        capacity = f.number(op.attrs["capacity"])
    else:
        share = f"{f.number(op.attrs['factor'])} * {chosen}[0].numel() / {experts}"
        capacity = f.bind(op.inputs[1], "capacity")
        f.names[op.inputs[1]], f.holds[chosen] = chosen, op.inputs[1]
        f.say(f"{capacity} = math.ceil({share})", "", op.number)
    return call(f.helper("experts", "within_capacity"), weights, chosen, experts, capacity)


def assign(f: Function, op: Op) -> None:
    made = call(
        f.helper("experts", "ExpertGroups"),
        str(f.use(op.inputs[0])),
        f.number(op.attrs["experts"]),
    )
    f.say(f"{f.bind(op.outputs[0], 'groups')} = {made}", "", op.number)


def rows(f: Function, op: Op) -> Expr:
    x, groups = (f.use(value) for value in op.inputs)
    return call(f"{groups}.rows", str(x))


def expert_linear(f: Function, op: Op) -> Expr:
    x, groups = (f.use(value) for value in op.inputs)
    return call(f"{groups}.linear", str(x), f.own(op))


def expert_bias(f: Function, op: Op) -> Expr:
    x, groups = (f.use(value) for value in op.inputs)
    return Expr(f"{x.at(SUM)} + {f.own(op)}[{groups}.expert]", SUM)


def combine(f: Function, op: Op) -> Expr:
    x, groups, weights = (f.use(value) for value in op.inputs)
    return call(f"{groups}.combine", str(x), str(weights))


def weigh_rows(f: Function, op: Op) -> Expr:
    x, groups, weights = (str(f.use(value)) for value in op.inputs)
    return call(f.helper("experts", "weighed_rows"), groups, x, weights)


def sum_pairs(f: Function, op: Op) -> Expr:
    x, groups, _ = (str(f.use(value)) for value in op.inputs)
    return call(f.helper("experts", "sum_of_pairs"), groups, x)


ROWS: dict[str, Row] = {
    "softmax": softmax,
    "best_groups": best_groups,
    "top_k": top_k,
    "gather": gather,
    "sum_to_one": sum_to_one,
    "sparse_mixer": sparse_mixer,
    "within_capacity": within_capacity,
    "assign": assign,
    "rows": rows,
    "expert_linear": expert_linear,
    "expert_bias": expert_bias,
    "weigh_rows": weigh_rows,
    "sum_pairs": sum_pairs,
    "combine": combine,
}
