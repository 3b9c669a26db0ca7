"""Masks: the functions that compute them, their names, and masks of single queries."""

from __future__ import annotations

from typing import Any

from ....compiler.graph import ModuleGraph, Op
from ....compiler.sizes import Size
from ....compiler.tiling import ONE_RANGE, TileKind
from ..code.measure import LONG, width
from ..code.nodes import Call, If, Name, Sequence, Set
from ..code.read import call, constant, expression
from ..sizes import over_bound
from ..writer import Writer
from .kernels import causal_case
from .row import Row


def mask(f: Writer, op: Op) -> None:
    value = f.graph.values[op.outputs[0]]
    data = f.given(op, *op.slots)
    if op.attrs.get("tiles"):
        f.assign(f.bind(value.id, value.name), tiles_of(f, op, data), "", op)
        return
    if op.attrs["implicit"] == "full":
        made, note = padding_of(value.name, data[0]), f"(B, 1, 1, {op.attrs['keys']})"
        note += "" if isinstance(made, Call) else ": True at tokens that are not padding"
    else:
        name = f.plan.once(mask_names)[op.number]
        f.needs.masks.setdefault(name, []).append(op)
        sizes = [f.number(size) for size in mask_sizes(op.attrs["formula"])]
        if name == CAUSAL and f.plan.once(narrowed):
            sizes = sizes or [constant(None)]
        start, end, data = ends_of(f, op, data)
        made = call(name, start, end, *sizes, *data, like=f.like)
        note = ""
    bound = f.bind(value.id, value.name)
    f.assign(bound, made, note, op)
    if op.attrs["implicit"] == "causal" and f.plan.causal_given:
        like = f.like
        tokens = like if like == Name("x") else f.names[f.ids]  # a memory has its own length
        size = expression("x.size(1)", x=tokens)
        f.assign("causal", causal_case(f, Name(bound), size), "", op)


PADDED = ("front", "back")


def pad_mask(f: Writer, op: Op) -> None:
    mask = f.arg(op, "attention_mask")
    sizes: dict[str, Any] = {
        side: None if (n := op.attrs[side]) is None else f.number(n) for side in PADDED
    }
    if op.arg("x"):  # one of the numbers is not known
        (known,) = [n for n in op.attrs.values() if isinstance(n, Size)]
        rest = expression("x.size(1) - mask.size(1)", x=f.arg(op, "x"), mask=mask)
        if int(known):
            rest = expression("rest - known", rest=rest, known=f.number(known))
        sizes = {side: rest if n is None else n for side, n in sizes.items()}
    made = expression("F.pad(x, (front, back), value=1)", x=mask, **sizes)
    f.hold(op.outputs[0], mask.id)
    note = f.note(op.outputs[0])
    f.say(If(expression("x is not None", x=mask), (Set(mask, made, note),)), op=op)


def padding_of(target: str, given: Any) -> Any:
    """True at tokens that are not padding; a helper where that would not fit on a line."""
    padding = "None if given is None else given.bool()[:, None, None, :]"
    made = expression(padding, given=given)
    fits = width(Set(Name(target), made), depth=2) <= LONG
    return made if fits else call("padding_mask", given)


def tiles_of(f: Writer, op: Op, data: list[Any]) -> Any:
    """The call that makes the tiles of a mask."""
    if op.attrs["tiles"] is TileKind.WHOLE:
        padding = call("padding_mask", *data) if data else constant(None)
        return call("one_tile", f.end(), padding, like=f.like)
    sizes = [f.number(size) for size in mask_sizes(op.attrs["formula"])]
    name = f.plan.once(mask_names)[op.number]
    f.needs.masks.setdefault(name, []).append(op)
    start, end, data = ends_of(f, op, data)
    return call(tiles_name(name), start, end, *sizes, *data, like=f.like)


def ends_of(f: Writer, op: Op, data: list[Any]) -> tuple[Any, Any, list[Any]]:
    """The first query, the number of keys, and the data of a mask.

    Where a cache keeps the last tokens only, the keys are these and the new tokens.
    """
    kept = op.attrs.get("kept")
    if kept is None or not f.cached:
        return f.first_place(op), f.end(), data
    previous = over_bound(kept, f.number)
    if previous not in f.seen:
        number = f"{len(f.seen) + 1}" if f.seen else ""
        seen, recent = Name(f"seen{number}"), Name(f"recent{number}")
        value, columns, note = RING if f.static else SLIDING
        f.assign(seen.id, expression(value, previous=previous), note, op)
        if data:
            given = {"padding": data[0], "seen": seen}
            f.assign(recent.id, expression(columns, **given), "", op)
        f.seen[previous] = seen, recent
    seen, recent = f.seen[previous]
    end = expression("seen + length", seen=seen)
    first: Any = seen
    if f.static:
        like = f.names[f.ids]
        first = expression("torch.arange(seen, end, device=x.device)", seen=seen, end=end, x=like)
    return first, end, [recent] * len(data)


SLIDING = (
    "min(start, previous)",
    "None if padding is None else padding[:, start - seen :]",
    "previous tokens in the cache",
)
"""The number of previous tokens, the padding of these and of the new ones, and a note."""
RING = (
    "0 if cache is None else min(cache.capacity, previous)",
    "padding if cache is None else cache.recent(padding, seen)",
    "slots for previous tokens",
)
"""The same for a static cache."""


def tiled(op: Op) -> bool:
    """Whether a mask is emitted as tiles or as a block mask."""
    return bool(op.attrs.get("tiles") or op.attrs.get("flex"))


def tiles_name(mask: str) -> str:
    """The function that makes tiles, by that of the dense mask."""
    return mask.replace("_mask", "_tiles")


def window_like(graph: ModuleGraph, op: Op) -> Op | None:
    """For a causal mask, one of other layers within a window or a block: its function makes tiles
    of both.

    Not if only that one leaves masking to SDPA.
    """
    if _mask_words(op) != CAUSAL:
        return None
    for other in graph.ops():
        if (
            other.kind == "mask"
            and other.attrs.get("tiles") in ONE_RANGE
            and other is not op
            and narrower(other.attrs["formula"]) is not None
            and other.attrs["implicit"] in ("", op.attrs["implicit"])
            and _mask_shape(op)[1:] == (_mask_shape(other)[1:])
        ):
            return other
    return None


def head_masks(f: Writer, op: Op) -> Any:
    masks = f.use_all(op.args("masks"))
    if op.attrs.get("tiles"):
        value = f.graph.values[op.outputs[0]]
        made = Sequence(tuple(masks), "[]")
        f.assign(f.bind(value.id, value.name), made, "for equal groups of heads", op)
        return None
    return call("masks_of_heads", f.number(op.attrs["shape"][1].size), *masks)


def global_rows(f: Writer, op: Op) -> Any:
    parts = []
    if op.arg("global_mask"):
        given = f.arg(op, "global_mask")
        parts.append(expression("global_queries(given, like.device)", given=given, like=f.like))
    for limits in op.attrs["ranges"]:
        first, last = limits.start or 0, limits.stop
        ends = {"first": _end(f, first), "last": f.end() if last is None else _end(f, last)}
        template = "queries_between(first, last, end, like.device)"
        parts.append(expression(template, **ends, end=f.end(), like=f.like))
    found = parts[0]
    for part in parts[1:]:
        found = expression("one | other", one=found, other=part)
    return found


def _end(f: Writer, limit: int) -> Any:
    """One end of a range; negative numbers count from the end."""
    if limit < 0:
        return expression("end - number", end=f.end(), number=constant(-limit))
    return constant(int(limit))


def global_places(f: Writer, op: Op) -> Any:
    return call("global_places", f.arg(op, "rows"))


def take_places(f: Writer, op: Op) -> Any:
    x, places = f.given(op, "x", "places")
    return expression("x[:, places]", x=x, places=places)


def put_places(f: Writer, op: Op) -> Any:
    x, rows, places = f.given(op, "x", "rows", "places")
    return expression("x.index_copy(2, places, rows)", x=x, rows=rows, places=places)


def select(f: Writer, op: Op) -> Any:
    return call("torch.where", *f.given(op, "chosen", "a", "b"))


def mask_sizes(formula: Any) -> list[Size]:
    """The distinct named sizes of a formula, in order."""
    found: dict[str, Size] = {}
    for atom in atoms_of(formula):
        for arg in atom.args:
            if isinstance(arg, Size):
                found.setdefault(arg.code(), arg)
    return list(found.values())


def atoms_of(formula: Any) -> list[Any]:
    if hasattr(formula, "parts"):
        return [atom for part in formula.parts for atom in atoms_of(part)]
    return atoms_of(formula.part) if hasattr(formula, "part") else [formula]


def mask_names(graph: ModuleGraph) -> dict[int, str]:
    """The mask function of each op, named by its predicates; numbered if the name is taken."""
    found: dict[int, str] = {}
    functions: dict[str, dict[Any, int]] = {}  # name -> mask functions with it, in order
    narrow = narrowed(graph)
    for op in graph.ops():
        if op.kind != "mask" or op.attrs["implicit"] == "full":
            continue
        name, shape = _mask_words(op), _mask_shape(op)
        alike = functions.setdefault(name, {})
        place = alike.setdefault(shape, len(alike))
        name_here = f"{name}_{place + 1}" if place else name
        found[op.number] = CAUSAL if name == narrow and not tiled(op) else name_here
    return found


CAUSAL = "causal_mask"
OF_KEYS = (TileKind.RANGES, TileKind.CLASSES)
"""Tiles whose masks are made for the keys that they read."""
NARROWER = ("window", "blocks")
"""Predicates that may narrow a causal mask in the same function: a window, or blocks."""


def narrowed(graph: ModuleGraph) -> str:
    """Name of a mask that narrows the causal mask of other layers; one function does both.

    Empty if there is none. The size must be a field of the Config, and both masks must have the
    same padding.
    """
    masks = [op for op in graph.ops() if op.kind == "mask" and op.attrs["implicit"] != "full"]
    shapes = {_mask_shape(op): op for op in masks if not tiled(op)}
    plain = [op for op in shapes.values() if _mask_words(op) == CAUSAL]
    other = [op for op in shapes.values() if narrower(op.attrs["formula"]) is not None]
    if len(plain) != 1 or len(other) != 1 or _mask_shape(plain[0])[2] != _mask_shape(other[0])[2]:
        return ""
    return _mask_words(other[0])


def narrower(formula: Any) -> Any:
    """The predicate with one size that narrows a causal mask; None if the formula is another."""
    parts = getattr(formula, "parts", None)
    if parts is None:
        found = [formula] if getattr(formula, "name", "") == "window" else []
    elif type(formula).__name__ == "And" and any(_named(part) == "causal" for part in parts):
        found = [part for part in parts if _named(part) != "causal"]
    else:
        found = []
    if len(found) != 1 or _named(found[0]) not in NARROWER or len(found[0].args) != 1:
        return None
    return found[0] if isinstance(found[0].args[0], Size) else None


def _named(formula: Any) -> str:
    return str(getattr(formula, "name", ""))


def _mask_words(op: Op) -> str:
    words = dict.fromkeys(atom.name for atom in atoms_of(op.attrs["formula"]))
    name = "_".join(words) + "_mask"
    return "global_tokens_mask" if name == "global_mask" else name  # the name of an argument


def _mask_shape(op: Op) -> Any:
    """What distinguishes mask functions: the formula without its sizes, and data arguments."""
    sizes = [size.code() for size in mask_sizes(op.attrs["formula"])]
    data = tuple(bool(value) for value in op.inputs)  # images have no padding
    implicit = "" if tiled(op) else op.attrs["implicit"]
    tiles = op.attrs.get("tiles")
    of_keys = tiles if tiles in OF_KEYS else None  # these take positions of keys
    return _without_sizes(op.attrs["formula"], sizes), implicit, data, of_keys


def _without_sizes(formula: Any, sizes: list[str]) -> Any:
    if hasattr(formula, "parts"):
        inner = tuple(_without_sizes(part, sizes) for part in formula.parts)
        return (type(formula).__name__, *inner)
    if hasattr(formula, "part"):
        return "not", _without_sizes(formula.part, sizes)
    args = [sizes.index(a.code()) if isinstance(a, Size) else repr(a) for a in formula.args]
    return (formula.name, *args)


ROWS: dict[str, Row] = {
    "mask": mask,
    "pad_mask": pad_mask,
    "head_masks": head_masks,
    "global_rows": global_rows,
    "global_places": global_places,
    "take_places": take_places,
    "put_places": put_places,
    "select": select,
}
