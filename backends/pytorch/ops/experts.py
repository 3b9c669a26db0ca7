"""Mixtures of experts: routing and expert layers."""

from __future__ import annotations

from typing import Any

from ....compiler.axes import show
from ....compiler.graph import Op
from ..code.nodes import Dot, Expr, If, Name, Set
from ..code.read import call, constant, expression
from ..writer import Writer
from .row import Row


def softmax(f: Writer, op: Op) -> Any:
    return expression("x.softmax(-1)", x=f.arg(op, "x"))


def gather(f: Writer, op: Op) -> Any:
    x, places = f.given(op, "x", "places")
    return expression("x.gather(-1, places)", x=x, places=places)


def sum_to_one(f: Writer, op: Op) -> Any:
    return expression("x / (x.sum(-1, keepdim=True) + 1e-20)", x=f.arg(op, "x"))


def best_groups(f: Writer, op: Op) -> Any:
    counts = [f.number(op.attrs[key]) for key in ("groups", "kept")]
    members = {} if op.attrs["members"] == 2 else {"members": f.number(op.attrs["members"])}
    return call("best_groups", f.arg(op, "scores"), *counts, **members)


def top_k(f: Writer, op: Op) -> None:
    scores, count = f.arg(op, "scores"), f.number(op.attrs["top_k"])
    best = expression("scores.topk(count)", scores=scores, count=count)
    values, places = op.outputs
    if f.pending.get(values):
        _both(f, op, best)
        return
    name = f.bind(places, f.graph.values[places].name)
    f.assign(name, Dot(best, "indices"), f.note(places), op)


def sparse_mixer(f: Writer, op: Op) -> None:
    numbers = [f.number(op.attrs[key]) for key in ("top_k", "jitter")]
    _both(f, op, call("sparse_mixer", f.arg(op, "scores"), *numbers))


def _both(f: Writer, op: Op, value: Expr) -> None:
    """A statement that assigns all results of an op."""
    names = [f.bind(result, f.graph.values[result].name) for result in op.outputs]
    f.assign_all(names, value, f.note(*op.outputs), op)


def within_capacity(f: Writer, op: Op) -> Any:
    weights, chosen = f.given(op, "weights", "chosen")
    experts = f.number(op.attrs["experts"])
    if op.attrs["capacity"] is not None:
        capacity = f.number(op.attrs["capacity"])
    else:
        share = expression(
            "math.ceil(factor * chosen[:1].numel() / experts)",
            factor=f.number(op.attrs["factor"]),
            chosen=chosen,
            experts=experts,
        )
        capacity = Name(f.bind(op.arg("chosen"), "capacity"))
        f.hold(op.arg("chosen"), chosen.id)
        f.assign(capacity.id, share, "", op)
    return call("within_capacity", weights, chosen, experts, capacity)


def router_loss(f: Writer, op: Op) -> Any:
    """In training, `self.router.loss = …`; the weights as they are."""
    logits, chosen, *given = f.given(op, "logits", "chosen", "padding")
    padding = given[0] if given else constant(None)
    share = expression(SHARES[op.attrs["score"]], logits=logits)
    calls = {
        "balance": call("balance_loss", share, chosen, padding),
        "z": call("z_loss", logits, padding),
    }
    *first, last = (
        expression("factor * loss", factor=f.number(op.attrs[key]), loss=loss)
        for key, loss in calls.items()
        if op.attrs[key] is not None
    )
    above = [Set(Name("balance"), loss) for loss in first]
    total = expression("balance + z", z=last) if first else last
    kept = (*above, Set(Dot(f.own(op, "router"), "loss"), total))
    f.say(If(expression("self.training"), kept, note="`auxiliary_loss` takes it"), op=op)
    weights = f.arg(op, "weights")
    if not isinstance(weights, Name):
        return weights
    f.hold(op.outputs[0], weights.id)
    return None


def assign(f: Writer, op: Op) -> None:
    _both(f, op, expression("chosen.flatten().sort()", chosen=f.arg(op, "chosen")))


def rows(f: Writer, op: Op) -> Any:
    x, order, chosen = f.given(op, "x", "order", "chosen")
    tokens = expression("order // chosen.size(-1)", order=order, chosen=chosen)
    return expression("x.flatten(0, 1)[tokens]", x=x, tokens=tokens)


def expert_linear(f: Writer, op: Op) -> Any:
    x, expert = f.given(op, "x", "expert")
    grouped = f.plan.options.experts == "grouped"
    name = "grouped_expert_linear" if grouped else "expert_linear"
    return call(name, x, f.own(op), expert)


def expert_bias(f: Writer, op: Op) -> Any:
    x, expert = f.given(op, "x", "expert")
    return expression("x + bias[expert]", x=x, bias=f.own(op), expert=expert)


def expert_scale(f: Writer, op: Op) -> Any:
    x, expert = f.given(op, "x", "expert")
    parts = {"x": x, "weight": f.own(op), "expert": expert}
    if not op.attrs["weight_offset"]:
        return expression("x * weight[expert]", **parts)
    offset = f.number(op.attrs["weight_offset"])
    return expression("x * (weight[expert] + offset)", offset=offset, **parts)


def weigh_rows(f: Writer, op: Op) -> Any:
    x, order, weights = f.given(op, "x", "order", "weights")
    parts = {"x": x, "order": order, "weights": weights}
    return expression("(x * weights.flatten()[order, None]).type_as(x)", **parts)


def combine(f: Writer, op: Op) -> Any:
    y, weights = _by_token(f, op)
    return expression("(y * weights[..., None]).sum(-2).type_as(y)", y=y, weights=weights)


def sum_pairs(f: Writer, op: Op) -> Any:
    y, _ = _by_token(f, op)
    return expression("y.sum(-2)", y=y)


def _by_token(f: Writer, op: Op) -> tuple[Expr, Expr]:
    """The name of the expert outputs of each token, (B, T, A, D), and the weights."""
    x, order, weights = f.given(op, "x", "order", "weights")
    parts = {"x": x, "order": order, "weights": weights}
    values = f.graph.values
    shape = (*values[op.arg("weights")].shape, values[op.arg("x")].shape[-1])
    rows = expression("x[order.argsort()].unflatten(0, weights.shape)", **parts)
    f.assign("y", rows, show(shape), op)
    f.holds.pop("y", None)
    return Name("y"), weights


SHARES = {"softmax": "logits.softmax(-1)", "sigmoid": "F.normalize(logits.sigmoid(), 1, -1)"}
"""The probability of each expert."""


ROWS: dict[str, Row] = {
    "softmax": softmax,
    "best_groups": best_groups,
    "top_k": top_k,
    "gather": gather,
    "sum_to_one": sum_to_one,
    "sparse_mixer": sparse_mixer,
    "within_capacity": within_capacity,
    "router_loss": router_loss,
    "assign": assign,
    "rows": rows,
    "expert_linear": expert_linear,
    "expert_bias": expert_bias,
    "expert_scale": expert_scale,
    "weigh_rows": weigh_rows,
    "sum_pairs": sum_pairs,
    "combine": combine,
}
