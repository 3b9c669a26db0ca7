"""What heads compute: similarities, and one vector for a whole sequence."""

from __future__ import annotations

from ....compiler.graph import Op
from ..function import Function
from ..text import ATOM, PRODUCT, Expr, literal
from .row import Row, call


def similarity(f: Function, op: Op) -> Expr:
    left, right = (f.use(value) for value in op.inputs)
    return Expr(f"{left.at(PRODUCT)} @ {right.at(ATOM)}.T", PRODUCT)


def exp_scale(f: Function, op: Op) -> Expr:
    return Expr(f"{f.use(op.inputs[0]).at(PRODUCT)} * self.{op.name}.exp()", PRODUCT)


WHOLE = {  # pools of sequences without padding
    "last": "{x}[:, -1]",
    "mean": "{x}{after}.mean(1)",
    "max": "{x}.amax(1)",
    "attention": "({scores}.softmax(1) * {x}).sum(1)",
}


def pool(f: Function, op: Op) -> Expr:
    x, how = f.use(op.inputs[0]), op.attrs["how"]
    mask_value, extra = op.inputs[1], op.inputs[2]
    if how == "first":
        count = op.attrs["tokens"]
        return Expr(f"{x.at(ATOM)}[:, 0]" if count == 1 else f"{x.at(ATOM)}[:, :{count}].mean(1)")
    if not mask_value and how in WHOLE:
        scores = str(f.use(extra)) if extra else ""
        after = f"[:, {op.attrs['skip']}:]" if op.attrs["skip"] else ""
        return Expr(WHOLE[how].format(x=x.at(ATOM), scores=scores, after=after))
    arguments = [str(x)]
    if extra:
        arguments.append(str(f.use(extra)))
    if mask_value:
        arguments.append(str(f.use(mask_value)))
    if how == "token":
        arguments.append(literal(op.attrs["token"]))
    name = {
        "last": "last_token",
        "mean": "mean_pool",
        "max": "max_pool",
        "attention": "attention_pool",
        "token": "token_pool",
    }[how]
    return call(f.helper("functions", name), *arguments)


def join_tokens(f: Function, op: Op) -> Expr:
    return Expr(f"{f.use(op.inputs[0]).at(ATOM)}[:, :{op.attrs['tokens']}].flatten(1)")


ROWS: dict[str, Row] = {
    "similarity": similarity,
    "exp_scale": exp_scale,
    "join_tokens": join_tokens,
    "pool": pool,
}
