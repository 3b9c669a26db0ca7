"""Attention: one function for each kernel that the pass can choose."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ....compiler.axes import ONE, show
from ....compiler.graph import Op
from ....compiler.recomputed import Recomputed, recomputed
from ....compiler.sizes import Size
from ....compiler.tile_counts import for_global_rows
from ....compiler.tiling import TileKind, Tiling
from ..code.measure import height
from ..code.nodes import Argument, Call, Dot, Expr, Name, Sequence, Set
from ..code.read import call, constant, dotted, expression, statements
from ..writer import SELF, Writer

SDPA = dotted("F.scaled_dot_product_attention")
GROUPED = dotted("grouped_attention")
NONE = constant(None)


def dropout_rate(f: Writer, op: Op) -> list[Any]:
    """The argument `dropout_p`, with a local name for the rate; empty without dropout."""
    rate = op.attrs["dropout"]
    if rate is None:
        return []
    value = expression("rate if self.training else 0.0", rate=f.number(rate))
    named = Set(Name("dropout"), value)
    if named not in f.body:
        f.say(named, op=op)
    return [Name("dropout")]


def _operands(f: Writer, op: Op) -> tuple[list[Any], Any]:
    """Queries, keys, values, and the bias, the mask, or None."""
    q, k, v = f.use_all(map(op.arg, "qkv"))
    given = op.arg("bias") or op.arg("mask")
    hidden = f.plan.unmasked and given == f.plan.own_mask(f.place.path)
    return [q, k, v], f.use(given) if given and not hidden else None


def _with_sinks(f: Writer, op: Op) -> tuple[list[Any], Any]:
    """The same with sinks, as the bias of one extra key whose value is 0."""
    operands, given = _operands(f, op)
    sinks = op.arg("sinks")
    if not sinks:
        return operands, given
    q, k, v = operands
    learned = f.use(sinks)
    if not op.arg("bias"):
        mask, given = given or NONE, Name(f.free("bias"))
        f.assign(given.id, call("as_bias", mask, q, k), "(B, H, T, S)", op)
    wider = call("with_sinks", k, v, given, learned)
    own = Name(f.free(given.id))  # the bias itself may be used once more
    f.assign_all((k.id, v.id, own.id), wider, "one key more, of zeros", op)
    return operands, own


def tiled(f: Writer, op: Op) -> Any:
    """Attention tile by tile: a function of the runtime is given the kernel and its options."""
    (q, k, v), tiles = _operands(f, op)
    if for_global_rows(f.graph, op):
        (select,) = f.graph.consumers(op.outputs[0])
        tiles = call("tiles_of_rows", tiles, f.names[select.arg("chosen")])
    kernel = TILE_KERNELS[op.attrs["kernel"]](f, op)
    attend = kernel[0].value
    if len(kernel) > 1:
        partial = Call(Name("partial"), kernel)
        if Set(Name("attend"), partial) not in f.body:
            f.assign("attend", partial, "", op)
        attend = Name("attend")
    of, first, last = _recomputed(f, op, q)
    if op.attrs["tiles"].by_head:
        tiled = Call(Name("partial"), (Argument(of), *first, *last)) if first else of
        return call("attention_by_head", q, k, v, tiles, tiled, attend)
    return Call(of, (*first, *map(Argument, (q, k, v, tiles, attend)), *last))


Arguments = tuple[Argument, ...]


def _recomputed(f: Writer, op: Op, q: Any) -> tuple[Name, Arguments, Arguments]:
    """The function that attends in tiles: `recomputed` of it, with its first and last arguments,
    where the kernel would save scores.
    """
    tiled = Name(function_of(op.attrs["tiles"]))
    bias = f.graph.producer(op.arg("bias"))
    learned = bias is not None and bias.attrs["distance"]["kind"] == "relative_buckets"
    when = recomputed(op, f.graph.values, learned=learned)
    if when is None:
        return tiled, (), ()
    test = WHEN_RECOMPUTED[when]
    last = () if test is None else (Argument(expression(test, q=q), "when"),)
    return Name("recomputed"), (Argument(tiled),), last


WHEN_RECOMPUTED = {
    Recomputed.ALWAYS: None,
    Recomputed.ON_CPU: "q.is_cpu",
    Recomputed.DROPPED: "dropout > 0 and q.is_cpu",
}


def function_of(tiling: Tiling) -> str:
    """The function of the runtime that computes attention in tiles."""
    function = TILED[tiling.reads or tiling.kinds[-1]]
    return f"causal_{function}" if tiling.causal else function


TILED = {
    TileKind.WHOLE: "tiled_attention",
    TileKind.BAND: "tiled_attention",
    TileKind.BLOCKS: "tiled_attention",
    TileKind.RANGES: "gathered_attention",
    TileKind.CLASSES: "strided_attention",
}
"""Kind of tiles -> the function that reads them."""


def sdpa_of_tile(f: Writer, op: Op) -> tuple[Argument, ...]:
    sinks, grouped = op.arg("sinks"), _groups(f, op)
    if sinks:
        found = [Argument(Name("attention_with_sinks")), Argument(f.use(sinks), "sinks")]
    elif grouped and _by_head(f, op):
        found = [Argument(Name("biased_grouped_attention"))]
    else:
        found = [Argument(GROUPED if grouped else SDPA)]
    found += [Argument(rate, "dropout" if sinks else "dropout_p") for rate in dropout_rate(f, op)]
    if op.attrs["scale"] is not None:
        found.append(Argument(f.number(op.attrs["scale"]), "scale"))
    if _shared(op) and not grouped and not sinks:
        found.append(Argument(constant(True), "enable_gqa"))
    return tuple(found)


def _shared(op: Op) -> bool:
    """Whether several query heads share keys and values."""
    return bool(op.attrs["heads"] != op.attrs["kv_heads"])


def _groups(f: Writer, op: Op) -> bool:
    """The same, and there may be one query for many keys, as a cache has."""
    return _shared(op) and f.cached


def explicit_of_tile(f: Writer, op: Op) -> tuple[Argument, ...]:
    cap = f.number(op.attrs["softcap"])
    if not op.arg("sinks"):
        return _with_options(f, op, "biased_explicit_attention", cap=cap)
    sinks = f.use(op.arg("sinks"))
    return _with_options(f, op, "capped_attention_with_sinks", sinks=sinks, cap=cap)


def distance_of_tile(f: Writer, op: Op) -> tuple[Argument, ...]:
    return _with_options(f, op, "biased_distance_attention")


def additive_of_tile(f: Writer, op: Op) -> tuple[Argument, ...]:
    found = [Argument(Name("biased_additive_attention")), Argument(_score_vector(f, op), "vector")]
    return (*found, *(Argument(rate, "dropout") for rate in dropout_rate(f, op)))


def _with_options(f: Writer, op: Op, name: str, **options: Expr) -> tuple[Argument, ...]:
    found = [Argument(Name(name)), Argument(_scale(f, op), "scale")]
    found += [Argument(value, key) for key, value in options.items()]
    return (*found, *(Argument(rate, "dropout") for rate in dropout_rate(f, op)))


def sdpa(f: Writer, op: Op) -> Any:
    operands, given = _with_sinks(f, op)
    grouped = _groups(f, op)
    if grouped and not _by_head(f, op):
        return _grouped(f, op, operands, given)
    if grouped:
        given = expression("by_group(given, k.size(1))", given=given, k=operands[1])
    arguments = [Argument(value) for value in operands]
    if given is not None:
        arguments.append(Argument(given, "attn_mask"))
    arguments += [Argument(value, "dropout_p") for value in dropout_rate(f, op)]
    case = None
    if f.plan.takes_is_causal(f.place.path):
        arguments.append(Argument(Name("causal"), "is_causal"))
    elif op.attrs["causal"] and not f.plan.causal_given:
        case = causal_case(f, given, expression("q.size(2)", q=operands[0]))
        arguments.append(Argument(case, "is_causal"))
    if op.attrs["scale"] is not None:
        arguments.append(Argument(f.number(op.attrs["scale"]), "scale"))
    if _shared(op) and not grouped:
        arguments.append(Argument(constant(True), "enable_gqa"))
    return _with_named_case(f, op, Call(GROUPED if grouped else SDPA, tuple(arguments)), case)


def _grouped(f: Writer, op: Op, operands: list[Any], given: Expr | None) -> Any:
    """Grouped-query attention; of one query, the heads of a group become the queries."""
    q, k, v = operands
    arguments = [*map(Argument, operands)]
    if given is not None:
        arguments.append(Argument(given, "attn_mask"))
    arguments += [Argument(value, "dropout_p") for value in dropout_rate(f, op)]
    case = None
    if f.plan.takes_is_causal(f.place.path):
        arguments.append(Argument(Name("causal"), "is_causal"))
    elif op.attrs["causal"] and not f.plan.causal_given:
        case = causal_case(f, given, expression("q.size(2)", q=q))
        arguments.append(Argument(Name("causal"), "is_causal"))
    if op.attrs["scale"] is not None:
        arguments.append(Argument(f.number(op.attrs["scale"]), "scale"))
    arguments.append(Argument(expression("q.size(1) > k.size(1)", q=q, k=k), "enable_gqa"))
    first, last = (f.graph.values[op.arg(slot)].shape[-1].size for slot in "qv")
    shape = expression("q.shape", q=q)
    if first != last:
        shape = expression("(*q.shape[:3], v.size(3))", q=q, v=v)
    names = ("shape",) if case is None else ("shape", "causal")
    f.assign_all(names, shape if case is None else Sequence((shape, case), ""), "", op)
    f.say(*statements(ONE_QUERY, q=q, k=k), op=op)
    return expression("y.reshape(shape)", y=Call(SDPA, tuple(arguments)))


ONE_QUERY = """\
if q.size(2) == 1:  # the heads of a group become its queries: k and v are read only once
    q = q.unflatten(1, (k.size(1), -1)).squeeze(3)  # (B, K, H/K, E)
"""


def _by_head(f: Writer, op: Op) -> bool:
    """Whether heads differ in biases or masks, (…, H, T, S)."""
    given = op.arg("bias") or ("" if op.attrs.get("tiles") else op.arg("mask"))
    shape = f.graph.values[given].shape if given else ()
    return bool(op.arg("sinks")) or (len(shape) > 2 and shape[-3].label != ONE.label)


def causal_case(f: Writer, mask: Expr | None, tokens: Expr) -> Any:
    """The condition for `is_causal`: no mask is given, and there are several tokens."""
    # Sizes first: with dynamic shapes, comparing them gives a SymBool, but SDPA needs a bool.
    mask = NONE if mask is None else mask
    if f.cached:
        return expression("tokens > 1 and mask is None", tokens=tokens, mask=mask)
    return expression("mask is None", mask=mask)


def _with_named_case(f: Writer, op: Op, whole: Call, case: Expr | None) -> Any:
    """The call of SDPA; the value of `is_causal` gets a variable if this is shorter."""
    if case is None:
        return whole
    named = Argument(Name("causal"), "is_causal")
    short = replace(
        whole, arguments=tuple(named if a.value is case else a for a in whole.arguments)
    )
    note = f.note(*op.outputs)
    rows = _rows(whole, note)
    if rows <= 2 or rows <= _rows(short, note) + 1:
        return whole
    f.assign("causal", case, "", op)
    return short


def _rows(value: Expr, note: str) -> int:
    """Number of lines of `y = value` in a method."""
    return height((Set(Name("y"), value, note),), depth=2)[1]


def explicit(f: Writer, op: Op) -> Any:
    operands, given = _with_sinks(f, op)
    name = (
        "biased_explicit_attention" if op.arg("bias") or op.arg("sinks") else "explicit_attention"
    )
    numbers = [_scale(f, op), f.number(op.attrs["softcap"])]
    return call(name, *operands, given or NONE, *numbers, *dropout_rate(f, op))


def distance(f: Writer, op: Op) -> Any:
    operands, given = _operands(f, op)
    name = "biased_distance_attention" if op.arg("bias") else "distance_attention"
    return call(name, *operands, given or NONE, _scale(f, op), *dropout_rate(f, op))


def additive(f: Writer, op: Op) -> Any:
    operands, given = _operands(f, op)
    vector = _score_vector(f, op)
    name = "biased_additive_attention" if op.arg("bias") else "additive_attention"
    return call(name, *operands, given or NONE, vector, *dropout_rate(f, op))


def _score_vector(f: Writer, op: Op) -> Any:
    vector, scale = f.use(op.arg("vector")), op.attrs["scale"]
    if scale == 1:
        return vector
    return expression("vector * scale", vector=vector, scale=f.number(scale))


def _scale(f: Writer, op: Op) -> Any:
    width: Size = f.graph.values[op.arg("q")].shape[-1].size  # type: ignore[assignment]
    if op.attrs["scale"] is None:
        return expression("width**-0.5", width=f.number(width, "head_dim"))
    return f.number(op.attrs["scale"])


def mixed(f: Writer, op: Op) -> Any:
    """Scores, softmax and weighted sum, with the heads mixed before and after the softmax."""
    (q, k, v), given = _operands(f, op)
    shape = _shape_of_scores(f, op)
    f.assign(
        "scores", _mixed(f, op, "mix_scores", call("scaled_scores", q, k, _scale(f, op))), shape, op
    )
    scores: Expr = Name("scores")
    if op.arg("bias"):
        scores, given = expression("scores + bias", scores=scores, bias=given), None
    f.assign(
        "weights", call("masked_softmax", scores, *([] if given is None else [given])), shape, op
    )
    return _mixed_sum(f, op, Name("weights"), v)


def _mixed_sum(f: Writer, op: Op, weights: Expr, v: Expr) -> Any:
    """The sum of the values with weights that are mixed, if they are."""
    dropout = dropout_rate(f, op)
    if op.arg("vectors"):
        if dropout:
            f.assign("weights", call("F.dropout", weights, *dropout), "", op)
            weights = Name("weights")
        placed = call("sum_of_places", weights, *f.given(op, "vectors", "places"))
        total = call("weighted_sum", weights, v)
        return expression("total + placed", total=total, placed=placed)
    if not op.arg("mix_weights"):
        return call("weighted_sum", weights, v, *dropout)
    dropped = call("F.dropout", weights, *dropout) if dropout else weights
    return call("weighted_sum", _mixed(f, op, "mix_weights", dropped), v)


def _mixed(f: Writer, op: Op, slot: str, x: Expr) -> Expr:
    """The scores or weights (B, H, T, S), whose heads are mixed if a matrix is in the slot."""
    return call("mixed_heads", x, f.use(op.arg(slot))) if op.arg(slot) else x


def _shape_of_scores(f: Writer, op: Op) -> str:
    q, k = (f.graph.values[op.arg(slot)].shape for slot in "qk")
    return show((*q[:-1], k[-2]))


def with_weights(f: Writer, op: Op) -> Any:
    """Scores, softmax and weighted sum; the weights pass through a module for hooks."""
    (q, k, v), given = _operands(f, op)
    shape = _shape_of_scores(f, op)
    scores = _mixed(f, op, "mix_scores", SCORES[_score(op)](f, op, q, k))
    if op.arg("bias"):
        scores, given = expression("scores + bias", scores=scores, bias=given), None
    f.assign("scores", scores, shape, op)
    function, given = "masked_softmax", NONE if given is None else given
    arguments = [Name("scores"), given]
    if op.arg("sinks"):
        function, arguments = "softmax_with_sinks", [*arguments, f.use(op.arg("sinks"))]
    kept = call(Dot(SELF, op.attrs["kept"]), call(function, *arguments))
    f.assign("weights", kept, shape, op)
    return _mixed_sum(f, op, Name("weights"), v)


def _score(op: Op) -> str:
    if op.attrs["softcap"] is not None:
        return "softcap"
    return str(op.attrs.get("score") or "dot")


SCORES: dict[str, Callable[[Writer, Op, Any, Any], Any]] = {
    "dot": lambda f, op, q, k: call("scaled_scores", q, k, _scale(f, op)),
    "softcap": lambda f, op, q, k: call(
        "capped_scores", q, k, _scale(f, op), f.number(op.attrs["softcap"])
    ),
    "distance": lambda f, op, q, k: call("distance_scores", q, k, _scale(f, op)),
    "additive": lambda f, op, q, k: call("added_scores", q, k, _score_vector(f, op)),
}

KERNELS: dict[str, Callable[[Writer, Op], Any]] = {
    "sdpa": sdpa,
    "sdpa+bias": sdpa,
    "explicit": explicit,
    "distance": distance,
    "additive": additive,
    "mixed": mixed,
    "weights": with_weights,
}

TILE_KERNELS: dict[str, Callable[[Writer, Op], tuple[Argument, ...]]] = {
    "sdpa": sdpa_of_tile,
    "sdpa+bias": sdpa_of_tile,
    "explicit": explicit_of_tile,
    "distance": distance_of_tile,
    "additive": additive_of_tile,
}
