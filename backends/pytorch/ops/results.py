"""Ops of heads: similarities and pooling."""

from __future__ import annotations

from typing import Any

from ....compiler.graph import Op
from ..code.nodes import Name, Sequence
from ..code.read import call, constant, expression, statements
from ..writer import Writer
from .row import Row


def similarity(f: Writer, op: Op) -> Any:
    left, right = f.given(op, "a", "b")
    return expression("left @ right.T", left=left, right=right)


def stack(f: Writer, op: Op) -> Any:
    parts = Sequence(tuple(f.use_all(op.args("parts"))), "[]")
    return expression("torch.stack(parts)", parts=parts)


def exp_scale(f: Writer, op: Op) -> Any:
    return expression("x * scale.exp()", x=f.arg(op, "x"), scale=f.own(op))


def tanh_scale(f: Writer, op: Op) -> Any:
    return expression("x * scale.tanh()", x=f.arg(op, "x"), scale=f.own(op))


WHOLE = {  # pooling of sequences without padding
    "last": "x[:, -1]",
    "mean": "x.mean(1)",
    "max": "x.amax(1)",
    "attention": "(scores.softmax(1) * x).sum(1)",
}
PADDED = {
    "last": "last_token",
    "mean": "mean_pool",
    "max": "max_pool",
    "attention": "attention_pool",
    "token": "token_pool",
}


def pool(f: Writer, op: Op) -> Any:
    x, how = f.arg(op, "x"), op.attrs["how"]
    mask, extra = op.arg("attention_mask"), op.arg("extra")
    if how == "first":
        count = op.attrs["tokens"]
        if count == 1:
            return expression("x[:, 0]", x=x)
        return expression("x[:, :count].mean(1)", x=x, count=constant(count))
    if not mask and how in WHOLE:
        if op.attrs["skip"] and how == "mean":
            x = expression("x[:, skip:]", x=x, skip=constant(op.attrs["skip"]))
        given = {"scores": f.use(extra)} if extra else {}
        return expression(WHOLE[how], x=x, **given)
    arguments = [x, *f.use_all(value for value in (extra, mask) if value)]
    token = {"token_id": f.number(op.attrs["token"])} if how == "token" else {}
    return call(PADDED[how], *arguments, **token)


def join_tokens(f: Writer, op: Op) -> Any:
    x, count = f.arg(op, "x"), constant(op.attrs["tokens"])
    return expression("x[:, :count].flatten(1)", x=x, count=count)


IMAGE = """\
x = x.unflatten(-1, (size, size, -1)).unflatten(1, (-1, columns))
x = x.permute(0, 5, 1, 3, 2, 4)  # channels, rows of patches and pixels, then columns
"""


def unpatchify(f: Writer, op: Op) -> Any:
    x, patch = f.arg(op, "x"), op.attrs["patch"]
    _, across = op.attrs["sides"]
    if int(op.attrs["front"]):
        x = expression("x[:, front:]", x=x, front=f.number(op.attrs["front"], "front"))
    f.assign(f.bind(op.first, "x"), x, f.note(op.first), op)
    sizes = {"size": f.number(patch), "columns": f.number(across // patch, "columns")}
    f.say(*statements(IMAGE, x=Name("x"), **sizes), op=op)
    return expression("x.flatten(4).flatten(2, 3)", x=Name("x"))


ROWS: dict[str, Row] = {
    "similarity": similarity,
    "stack": stack,
    "exp_scale": exp_scale,
    "tanh_scale": tanh_scale,
    "join_tokens": join_tokens,
    "unpatchify": unpatchify,
    "pool": pool,
}
