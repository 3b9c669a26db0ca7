"""Values of pairs of tokens."""

from __future__ import annotations

from typing import Any

from ....compiler.graph import Op
from ..code.nodes import Expr
from ..code.read import call, constant, expression
from ..code.walk import written_for
from ..writer import Writer
from .row import Row


def _with_front(f: Writer, op: Op, x: Expr, value: Expr | None = None) -> Any:
    """x with rows and columns for the tokens in front."""
    if not int(op.attrs["front"]):
        return x
    front = f.number(op.attrs["front"])
    padded = expression("F.pad(x, (front, 0, front, 0))", x=x, front=front)
    if value is None:
        return padded
    return expression("F.pad(x, (front, 0, front, 0), value=v)", x=x, front=front, v=value)


def pair_bias(f: Writer, op: Op) -> Any:
    ids = _with_front(f, op, f.arg(op, "ids"), f.number(op.attrs["entries"]))
    return expression("bias(x).permute(0, 3, 1, 2)", bias=f.own(op), x=ids)


def path_bias(f: Writer, op: Op) -> Any:
    vectors, edges = f.given(op, "vectors", "edges")
    called = written_for(call("path_bias", vectors, edges, f.own(op)), op.number)
    return _with_front(f, op, called)


def swap_streams(f: Writer, op: Op) -> Any:
    return expression("x.transpose(1, 2)", x=f.arg(op, "x"))


def pair_scores(f: Writer, op: Op) -> Any:
    pairs = "(0, 3, 2, 1)" if op.attrs["transposed"] else "(0, 3, 1, 2)"
    return expression(f"x.permute{pairs}.unsqueeze(1)", x=f.arg(op, "x"))


def outer_mean(f: Writer, op: Op) -> Any:
    left, right = f.given(op, "left", "right")
    return call("outer_product_mean", left, right)


def triangle(f: Writer, op: Op) -> Any:
    left, right = f.given(op, "left", "right")
    sides = "bikc,bjkc->bijc" if op.attrs["outgoing"] else "bkic,bkjc->bijc"
    return call("torch.einsum", constant(sides), left, right)


ROWS: dict[str, Row] = {
    "pair_bias": pair_bias,
    "path_bias": path_bias,
    "swap_streams": swap_streams,
    "pair_scores": pair_scores,
    "outer_mean": outer_mean,
    "triangle": triangle,
}
