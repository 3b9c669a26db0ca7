"""Layers with weights: embeddings, patches, convolutions, linear layers, norms."""

from __future__ import annotations

from ....compiler.graph import Op
from ..function import Function
from ..layout import WIDTH
from ..make import joined_name
from ..text import ATOM, Expr
from .row import Row, call, module_call


def embedding(f: Function, op: Op) -> Expr:
    ids = str(f.use(op.inputs[0]))
    absent = op.attrs.get("absent")
    if absent and f.graph.values[op.inputs[0]].optional:
        f.say(f"if {ids} is None:", op=op.number)
        f.say(f"{ids} = torch.zeros_like({f.names[absent]})", "", op.number, indent=1)
    return call(f.own(op), ids)


def patchify(f: Function, op: Op) -> Expr:
    image = str(f.use(op.inputs[0]))
    height, width = op.attrs["sides"]
    if height is width:
        f.say(f"size = {f.number(height)}", op=op.number)
        wanted, said = "(size, size)", "image_size is {size}"
    else:
        f.say(f"height, width = {f.number(height)}, {f.number(width)}", op=op.number)
        wanted, said = "(height, width)", "images have {height} x {width}"
    f.say(f"if {image}.shape[-2:] != {wanted}:", op=op.number)
    text = f"{{tuple({image}.shape[-2:])}} pixels, but {said}"
    f.say(f'raise ValueError(f"{text}")', op=op.number, indent=1)
    return Expr(f"{f.own(op)}({image}).flatten(2).transpose(1, 2)")


def convolve(f: Function, op: Op) -> Expr:
    made = call(f.own(op), str(f.use(op.inputs[0])))
    if op.attrs["padded"] and op.attrs["kernel"] % 2 == 0:  # it has zeros for one place more
        return Expr(f"{made}[..., :-1]")
    return made


def glu(f: Function, op: Op) -> Expr:
    return call("F.glu", str(f.use(op.inputs[0])), "dim=1")


def swap_axes(f: Function, op: Op) -> Expr:
    return Expr(f"{f.use(op.inputs[0]).at(ATOM)}.transpose(1, 2)")


def add_axis(f: Function, op: Op) -> Expr:
    return Expr(f"{f.use(op.inputs[0]).at(ATOM)}.unsqueeze(1)")


def insert_tokens(f: Function, op: Op) -> Expr:
    x = str(f.use(op.inputs[0]))
    tokens = f"{f.own(op)}.expand({x}.size(0), -1, -1)"
    at = op.attrs["at"]
    if int(at) == 0:
        return Expr(f"torch.cat([{tokens}, {x}], dim=1)")
    place = f.number(at)
    return Expr(f"torch.cat([{x}[:, : {place}], {tokens}, {x}[:, {place} :]], dim=1)")


def linear(f: Function, op: Op) -> Expr | None:
    if "joined" in op.attrs:
        joined_linear(f, op)
        return None
    x = str(f.use(op.inputs[0]))
    tied = op.weights[0].tied
    if not tied:
        return call(f.own(op), x)
    table = f.table(tied)
    if len(op.weights) == 1:
        return call("F.linear", x, table)
    return call("F.linear", x, table, f.own(op, f"{op.name}_bias" if op.name else "bias"))


SHORT = {"query": "q", "key": "k", "value": "v"}


def joined_linear(f: Function, op: Op) -> None:
    """All results of one product, said where the first of them is made."""
    x, together = str(f.use(op.inputs[0])), f.joined(op)
    if together[0] is not op:
        return
    module = f.own(op, joined_name(op))
    values = [part.outputs[0] for part in together]
    said = [
        f.graph.values[part.outputs[0]].name or SHORT.get(part.name, part.name) for part in together
    ]
    names = [f.bind(value, name) for value, name in zip(values, said, strict=True)]
    text = f"{', '.join(names)} = {module}.each({x})"
    note = f.comment(*values)
    f.say(text, note if len(f"{text}  # {note}") <= WIDTH - 8 else "", op.number)


def linear_again(f: Function, op: Op) -> Expr:
    return call(f.own(op), str(f.use(op.inputs[0])))


def table(f: Function, op: Op) -> Expr:
    return Expr(f"{f.own(op)}.weight")


ROWS: dict[str, Row] = {
    "embedding": embedding,
    "patchify": patchify,
    "convolve": convolve,
    "glu": glu,
    "group_norm": module_call,
    "swap_axes": swap_axes,
    "add_axis": add_axis,
    "insert_tokens": insert_tokens,
    "linear": linear,
    "linear_again": linear_again,
    "table": table,
    "layer_norm": module_call,
    "rms_norm": module_call,
}
