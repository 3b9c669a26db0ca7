"""Attention without pairwise scores: sums over the keys."""

from __future__ import annotations

from typing import Any

from ....compiler.graph import Op
from ..code.nodes import Dot, Name
from ..code.read import call, constant, expression, statements
from ..writer import SELF, Writer
from .kernels import dropout_rate
from .row import Row


def pool_heads(f: Writer, op: Op) -> Any:
    x = f.arg(op, "x")
    padding = f.given(op, "attention_mask") or [constant(None)]
    return call("pool_heads", x, Dot(SELF, op.name), *padding, *dropout_rate(f, op))


def without_padding(f: Writer, op: Op) -> Any:
    return call("without_padding", *f.given(op, "x", "attention_mask"))


def append_ones(f: Writer, op: Op) -> Any:
    return expression("F.pad(x, (0, 1), value=1.0)", x=f.arg(op, "x"))


def by_last(f: Writer, op: Op) -> Any:
    return expression("x[..., :-1] / (x[..., -1:] + 1e-6)", x=f.arg(op, "x"))


def decay_rates(f: Writer, op: Op) -> Any:
    numbers = f.number(op.attrs["heads"].size), f.layer(), f.number(op.attrs["layers"])
    return call("lightning_rates", *numbers, like=f.like)


STEP = """\
state = None if cache is None else cache.state(layer, x.size(0))
y, state = attended
if cache is not None:
    cache.set_state(layer, state)
"""


def attend_linearly(f: Writer, op: Op) -> Any:
    qkv, rates = f.given(op, "q", "k", "v"), f.given(op, "rates")
    given = [*qkv, *rates]
    if not op.attrs["causal"]:
        return call("linear_attention", *given)
    name = "fading_linear_attention" if op.arg("rates") else "causal_linear_attention"
    if not op.attrs["cached"] or not f.cached:
        return expression("both[0]", both=call(name, *given, constant(None)))
    layer = f.layer()
    rows = next((x for x in qkv if isinstance(x, Name)), f.like)
    f.bind(op.outputs[0], "y")
    parts = {"y": f.names[op.outputs[0]], "attended": call(name, *given, expression("state"))}
    f.say(*statements(STEP, **parts, x=rows, layer=layer), op=op)
    return None


ROWS: dict[str, Row] = {
    "pool_heads": pool_heads,
    "without_padding": without_padding,
    "append_ones": append_ones,
    "by_last": by_last,
    "decay_rates": decay_rates,
    "attend_linearly": attend_linearly,
}
