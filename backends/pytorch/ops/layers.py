"""Layers with weights: embeddings, patches, convolutions, linear layers, norms."""

from __future__ import annotations

from typing import Any

from ....compiler.graph import Op
from ..code.measure import LONG, width
from ..code.nodes import Dot, Name, Set
from ..code.read import call, constant, expression, names, statements
from ..code.walk import written_for
from ..data_checks import frame_checks
from ..make import joined_name
from ..writer import Writer
from .row import Row, module_call


def embedding(f: Writer, op: Op) -> Any:
    ids = f.arg(op, "ids")
    absent = op.attrs.get("absent")
    if absent and f.graph.values[op.arg("ids")].optional:
        zeros = "torch.zeros_like(like)"
        if f.graph.values[absent].dtype == "float":
            zeros = "torch.zeros(like.shape[:2], dtype=torch.long, device=like.device)"
        lines = f"if ids is None:\n    ids = {zeros}"
        f.say(*statements(lines, ids=ids, like=f.names[absent]), op=op)
    return call(f.own(op), ids)


def patchify(f: Writer, op: Op) -> Any:
    patches = call(f.own(op), f.arg(op, "image"))
    return expression("patches.flatten(2).transpose(1, 2)", patches=patches)


def convolve(f: Writer, op: Op) -> Any:
    x = f.arg(op, "x")
    f.say(*frame_checks(f, op, x), op=op)
    if op.attrs.get("causal"):
        kernel, dilation = op.attrs["kernel"], op.attrs["dilation"]
        reach = kernel - 1 if dilation == 1 else (kernel - 1) * dilation
        x = expression("F.pad(x, (reach, 0))", x=x, reach=f.number(reach, "reach"))
    made = call(f.own(op), x)
    if op.attrs["padded"] and op.attrs["kernel"] % 2 == 0:  # it pads one position too many
        return expression("made[..., :-n]", made=made, n=f.number(op.attrs["dilation"]))
    return made


def convolve_image(f: Writer, op: Op) -> Any:
    return call(f.own(op), f.arg(op, "x"))


def flatten_image(f: Writer, op: Op) -> Any:
    return expression("x.flatten(2).transpose(1, 2)", x=f.arg(op, "x"))


def channels_last(f: Writer, op: Op) -> Any:
    return expression("x.movedim(1, -1)", x=f.arg(op, "x"))


def channels_first(f: Writer, op: Op) -> Any:
    return expression("x.movedim(-1, 1)", x=f.arg(op, "x"))


def zero_padding(f: Writer, op: Op) -> Any:
    return call("zero_padding", *f.given(op, "x", "attention_mask"))


def glu(f: Writer, op: Op) -> Any:
    return expression("F.glu(x, dim=1)", x=f.arg(op, "x"))


def swap_axes(f: Writer, op: Op) -> Any:
    return expression("x.transpose(1, 2)", x=f.arg(op, "x"))


def add_axis(f: Writer, op: Op) -> Any:
    return expression("x.unsqueeze(1)", x=f.arg(op, "x"))


def insert_tokens(f: Writer, op: Op) -> Any:
    x, at = f.arg(op, "x"), op.attrs["at"]
    if not isinstance(x, Name):  # it is read twice
        name = f.bind(op.arg("x"), "x")
        f.assign(name, x, f.note(op.arg("x")))
        x = Name(name)
    tokens = expression("tokens.expand(x.size(0), -1, -1)", tokens=f.own(op), x=x)
    if int(at) == 0:
        return expression("torch.cat([tokens, x], dim=1)", tokens=tokens, x=x)
    parts = {"tokens": tokens, "x": x, "place": f.number(at)}
    return expression("torch.cat([x[:, :place], tokens, x[:, place:]], dim=1)", **parts)


def join_inputs(f: Writer, op: Op) -> Any:
    return call(op.kind, *f.use_all(op.args("parts")))


def take_turns(f: Writer, op: Op) -> Any:
    place, turn = (constant(op.attrs[key]) for key in ("place", "turn"))
    return expression("x[:, place::turn]", x=f.arg(op, "x"), place=place, turn=turn)


def skip_tokens(f: Writer, op: Op) -> Any:
    return expression("x[:, count:]", x=f.arg(op, "x"), count=f.number(op.attrs["count"]))


def take_part(f: Writer, op: Op) -> Any:
    x, count = f.arg(op, "x"), f.number(op.attrs["length"].size, "length")
    before, after = op.attrs["before"], op.attrs["after"]
    if before is not None and not int(before):
        return expression("x[:, :count]", x=x, count=count)
    if before is not None:
        parts = {"count": count, "before": f.number(before, "before")}
        return expression("x[:, before : before + count]", x=x, **parts)
    if not int(after):
        return expression("x[:, -count:]", x=x, count=count)
    return expression(
        "x[:, -count - after : -after]", x=x, count=count, after=f.number(after, "after")
    )


PLACED = """\
if given is not None:
    x = place_rows(x, places, rows)
else:
    check
"""
PLACED_AT_THE_START = PLACED.replace("else:", "elif begins:")  # later steps have no vectors


def place_rows(f: Writer, op: Op) -> Any:
    x, ids, rows = f.arg(op, "x"), f.arg(op, "ids"), f.arg(op, "rows")
    places = expression("ids == token", ids=ids, token=f.number(op.attrs["token"]))
    source = absent_source(f, op.arg("rows"))
    if source is None:
        return call("place_rows", x, places, rows)
    f.assign("places", places, f.note(op.arg("ids")))
    check = written_for(call("check_unplaced", Name("places")), op.number)
    parts = {"given": source, "x": x, "rows": rows, "places": Name("places"), "check": check}
    if f.cached:
        parts["begins"] = expression("cache is None" if f.static else "start == 0")
    f.say(*statements(PLACED_AT_THE_START if f.cached else PLACED, **parts))
    f.hold(op.outputs[0], x.id)
    return None


def absent_source(f: Writer, value: str) -> Any:
    """The variable with the vectors of another stack that a value is computed from.

    None if they are always given.
    """
    value = f.graph.hidden[f.graph.from_states(value)[0]]
    return f.names[value] if f.cached or f.graph.values[value].optional else None


def learned_tokens(f: Writer, op: Op) -> Any:
    batch = expression("x.size(0)", x=f.arg(op, "batch_of"))
    return expression("tokens.expand(batch, -1, -1)", tokens=f.own(op), batch=batch)


def zero_tokens(f: Writer, op: Op) -> Any:
    sizes = {"rows": f.number(op.attrs["rows"]), "width": f.number(op.attrs["out_dim"].size)}
    return expression(
        "memory.new_zeros(memory.size(0), rows, width)", memory=f.arg(op, "batch_of"), **sizes
    )


def linear(f: Writer, op: Op) -> Any:
    if "joined" in op.attrs:
        joined_linear(f, op)
        return None
    x, tied = f.arg(op, "x"), op.weights[0].tied
    if not tied:
        return call(f.own(op), x)
    bias = [f.own(op, f"{op.name}_bias" if op.name else "bias")] if len(op.weights) > 1 else []
    return call("F.linear", x, f.table(tied), *bias)


SHORT = {"query": "q", "key": "k", "value": "v"}


def joined_linear(f: Writer, op: Op) -> None:
    """One call for all joined linear layers, at the first of them."""
    x, together = f.arg(op, "x"), f.joined(op)
    if together[0] is not op:
        return
    values = [part.outputs[0] for part in together]
    titles = [
        f.graph.values[part.outputs[0]].name or SHORT.get(part.name, part.name) for part in together
    ]
    bound = [f.bind(value, title) for value, title in zip(values, titles, strict=True)]
    each = call(Dot(f.own(op, joined_name(op)), "each"), x)
    made = Set(names(*bound), each, f.note(*values))
    made = made if width(made) <= LONG - 8 else Set(made.target, each)
    f.say(written_for(made, *[part.number for part in together]))


def linear_again(f: Writer, op: Op) -> Any:
    return call(f.own(op), f.arg(op, "x"))


def table(f: Writer, op: Op) -> Any:
    return Dot(f.own(op), "weight")


ROWS: dict[str, Row] = {
    "embedding": embedding,
    "patchify": patchify,
    "convolve": convolve,
    "convolve_image": convolve_image,
    "flatten_image": flatten_image,
    "channels_last": channels_last,
    "channels_first": channels_first,
    "zero_padding": zero_padding,
    "glu": glu,
    "group_norm": module_call,
    "swap_axes": swap_axes,
    "add_axis": add_axis,
    "skip_tokens": skip_tokens,
    "take_part": take_part,
    "take_turns": take_turns,
    "place_rows": place_rows,
    "insert_tokens": insert_tokens,
    "join_inputs": join_inputs,
    "interleave_inputs": join_inputs,
    "learned_tokens": learned_tokens,
    "zero_tokens": zero_tokens,
    "linear": linear,
    "linear_again": linear_again,
    "table": table,
    "layer_norm": module_call,
    "rms_norm": module_call,
}
