"""Recurrences: loops over the tokens."""

from __future__ import annotations

from typing import Any

from ....compiler.graph import Op
from ..code.nodes import Dot, Expr, Name
from ..code.read import call, constant, expression, statements
from ..writer import SELF, Writer
from .row import Row

STEPS = {"gru": "gru_step", "gru_reset_after": "gru_step_reset_after", "lstm": "lstm_step"}
LISTS = {"state": "states", "previous_state": "previous", "context": "contexts"}

CACHED = """\
state = None if cache is None else cache.state(layer, gates.size(0))
if state is None:
    state = first
"""
KEEP = """\
if cache is not None:
    cache.set_state(layer, state)
"""


def recur(f: Writer, op: Op) -> None:
    x, padding = f.arg(op, "x"), f.given(op, "attention_mask")
    mask = padding[0] if padding else constant(None)
    keeps = op.attrs["cached"] and f.cached
    _start(f, op, x, keeps=keeps)
    if is_one_call(op):
        _simple(f, op, x, mask)
    else:
        _loop(f, op, x, mask)
    if keeps:
        f.say(*statements(KEEP, layer=f.layer()), op=op)


def is_one_call(op: Op) -> bool:
    """Whether the loop is one of the runtime's helpers; others are written out."""
    return op.attrs["query"] is None and op.attrs["results"] == ("state",)


def _start(f: Writer, op: Op, x: Expr, *, keeps: bool) -> None:
    """Set `state` to the state before the first token."""
    size = f.number(op.attrs["hidden"].size, "hidden")
    given = f.given(op, "initial")
    lstm = op.attrs["cell"] == "lstm"
    if given:
        first = expression("F.pad(s, (0, n))", s=given[0], n=size) if lstm else given[0]
    else:
        width = expression("2 * n", n=size) if lstm else size
        first = expression("x.new_zeros(x.size(0), n)", x=x, n=width)
    if keeps:
        f.say(*statements(CACHED, layer=f.layer(), gates=x, first=first), op=op)
    elif first != Name("state"):
        f.assign("state", first, "", op)


def _step(f: Writer, op: Op) -> dict[str, Expr]:
    """The weights of a step, as arguments by name."""
    own = Dot(SELF, f"{op.attrs['prefix']}state")
    found: dict[str, Expr] = {"weight": Dot(own, "weight")}
    return found | ({"bias": Dot(own, "bias")} if op.attrs["bias"] else {})


def _simple(f: Writer, op: Op, x: Expr, mask: Expr) -> None:
    """One call of the loop of the runtime."""
    step = call("partial", Name(STEPS[op.attrs["cell"]]), **_step(f, op))
    more = {"backward": constant(True)} if op.attrs["prefix"] else {}
    name = f.bind(op.outputs[0], f.graph.values[op.outputs[0]].name)
    value = call("recur", step, x, Name("state"), mask, **more)
    f.assign_all((name, "state"), value, "", op)
    if op.attrs["cell"] == "lstm":
        size = f.number(op.attrs["hidden"].size, "hidden")
        f.names[op.outputs[0]] = expression("y[..., :n]", y=Name(name), n=size)


def _loop(f: Writer, op: Op, x: Expr, mask: Expr) -> None:
    """A loop that is written out, with the attention of each step."""
    size = f.number(op.attrs["hidden"].size, "hidden")
    state: Expr = Name("state")
    if op.attrs["cell"] == "lstm":
        state = expression("state[:, :n]", n=size)
    lists = [LISTS[name] for name in op.attrs["results"]]
    lines = [f"{name}: list[Tensor] = []" for name in lists]
    given: dict[str, Expr] = {"gates": x, "mask": mask, "hidden": state}
    lines.append("for t in range(gates.size(1)):")
    read: Expr = expression("gates[:, t]", gates=x)
    if op.attrs["query"] is not None:
        lines += [
            "    q = ask(hidden)[:, None, None]  # (B, 1, 1, E)",
            "    context = attended[:, 0, 0]  # (B, Dm)",
        ]
        given["ask"], given["attended"] = Dot(SELF, "query"), _attended(f, op)
        read = expression("x + more(context)", x=read, more=Dot(SELF, "context"))
    before = {"previous_state": "previous.append(hidden)", "context": "contexts.append(context)"}
    lines += [f"    {before[name]}" for name in op.attrs["results"] if name in before]
    lines.append("    new = step")
    given["step"] = call(STEPS[op.attrs["cell"]], read, Name("state"), **_step(f, op))
    if mask == constant(None):
        lines.append("    state = new")
        given.pop("mask")
    else:
        lines.append("    state = unless_padding(new, state, mask, t - gates.size(1))")
    lines += ["    states.append(hidden)"] if "state" in op.attrs["results"] else []
    text = "\n".join(lines)
    given = {name: value for name, value in given.items() if name in text}
    f.say(*statements(text, **given), op=op)
    for value, name in zip(op.outputs, lists, strict=True):
        f.names[value] = expression("torch.stack(each, dim=1)", each=Name(name))


def _attended(f: Writer, op: Op) -> Expr:
    """The attention of one query, (B, 1, 1, Dm)."""
    k, v = f.given(op, "k", "v")
    mask = (f.given(op, "memory_mask") or [constant(None)])[0]
    vector, scale = f.given(op, "vector"), op.attrs["scale"]
    learned = vector[0] if vector else constant(None)
    if vector and scale != 1:
        learned = expression("vector * scale", vector=learned, scale=f.number(scale))
    found: Expr
    if op.attrs.get("hooked"):
        return _with_weights(f, op, (k, v), mask, learned)
    if vector:
        found = call("additive_attention", Name("q"), k, v, mask, learned)
        return found
    more = {} if scale is None else {"scale": f.number(scale)}
    found = call("F.scaled_dot_product_attention", Name("q"), k, v, attn_mask=mask, **more)
    return found


def _with_weights(f: Writer, op: Op, memory: tuple[Expr, Expr], mask: Expr, vector: Expr) -> Expr:
    """The same, with weights that pass through a module for hooks."""
    k, v = memory
    if vector != constant(None):
        scores = call("added_scores", Name("q"), k, vector)
    else:
        own, width = op.attrs["scale"], op.attrs["query"].size
        root = expression("width**-0.5", width=f.number(width, "head_dim")) if own is None else None
        scores = call("scaled_scores", Name("q"), k, root or f.number(own))
    weights = call(Dot(SELF, op.attrs["hooked"]), call("masked_softmax", scores, mask))
    found: Expr = call("weighted_sum", weights, v)
    return found


def last_state(f: Writer, op: Op) -> Any:
    x, backward = f.arg(op, "x"), op.attrs["backward"]
    row = constant(0) if backward else constant(-1)
    if not op.attrs["half"]:
        return expression("x[:, row]", x=x, row=row)
    size = f.number(op.attrs["dim"].size, "half")
    template = "x[:, row, n:]" if backward else "x[:, row, :n]"
    return expression(template, x=x, row=row, n=size)


def maxout(f: Writer, op: Op) -> Any:
    return expression("x.unflatten(-1, (-1, 2)).amax(-1)", x=f.arg(op, "x"))


ROWS: dict[str, Row] = {"recur": recur, "last_state": last_state, "maxout": maxout}
