"""Heads, the cache, and attention with pairwise scores."""

from __future__ import annotations

from collections.abc import Iterator

from ..axes import S, Shape
from ..cost import Poly, elements
from ..graph import Initial, Op, Value, Weight
from ..recomputed import Recomputed, recomputed
from ..sizes import number
from ..tiling import ONE_RANGE, TileKind, Tiling
from .masks import for_each_sequence
from .row import NORMAL, ZEROS, Attrs, Inputs, Row
from .saved import FREE, OUT, Kept, Own, Saving, by_token, keeps, operand, view

MIXING = ("mix_scores", "mix_weights")
"""Slots of matrices that mix the heads."""


def attend_flops(op: Op, values: dict[str, Value]) -> Poly:
    """FLOPs of scores and weighted sums over all pairs; sinks are one extra key. The report
    multiplies them by the density of the mask.
    """
    q, k, v = (values[op.arg(slot)].shape for slot in ("q", "k", "v"))
    keys = elements(k[-2:-1]) + (1 if op.arg("sinks") else 0)
    pairs = elements(q[:-1]) * keys
    mixed = sum(bool(op.arg(slot)) for slot in MIXING) * elements(q[1:2])
    if number(op.attrs["heads"].size) == 1:  # it is multiplied by a number
        mixed = Poly()
    placed = Poly()
    if op.arg("vectors"):  # of all distances, before the sum over them
        placed = 2 * elements(q[:-1]) * elements(values[op.arg("vectors")].shape)
    return 2 * pairs * elements(q[-1:]) + 2 * pairs * elements(v[-1:]) + 2 * pairs * mixed + placed


def score_weights(attrs: Attrs) -> tuple[Weight, ...]:
    shape = (attrs["heads"].size, attrs["width"].size)
    return (Weight("", shape, Initial("constant", 1.0)),)


def sink_weights(attrs: Attrs) -> tuple[Weight, ...]:
    return (Weight("", (attrs["heads"].size,), ZEROS),)


def matrix_weights(attrs: Attrs) -> tuple[Weight, ...]:
    heads = attrs["heads"].size
    return (Weight("", (heads, heads), NORMAL),)


def mixing_weights(attrs: Attrs) -> tuple[Weight, ...]:
    shape = (attrs["heads"].size, attrs["width"].size)
    return (Weight("", shape, Initial("normal", 0.2)),)


def split_shape(inputs: Inputs, attrs: Attrs) -> list[Shape]:
    *batch, length, _ = inputs["x"].shape
    return [(*batch, attrs["heads"], length, attrs["width"])]


def merge_shape(inputs: Inputs, attrs: Attrs) -> list[Shape]:
    *batch, heads, length, width = inputs["x"].shape
    return [(*batch, length, heads * width)]


def cached_shape(inputs: Inputs, attrs: Attrs) -> list[Shape]:
    return [(*v.shape[:-2], S, v.shape[-1]) for v in inputs]


def joined_shape(inputs: Inputs, attrs: Attrs) -> list[Shape]:
    return [(*inputs.first.shape[:-1], attrs["dim"])]


def expanded_shape(inputs: Inputs, attrs: Attrs) -> list[Shape]:
    batch, _, *rest = inputs["x"].shape
    return [(batch, attrs["heads"], *rest)]


def mixed_shape(inputs: Inputs, attrs: Attrs) -> list[Shape]:
    *batch, length, width = inputs["x"].shape
    return [(*batch, attrs["heads"], length, width)]


def attend_shape(inputs: Inputs, attrs: Attrs) -> list[Shape]:
    return [(*inputs["q"].shape[:-1], inputs["v"].shape[-1])]


# -- tensors saved for the backward pass


def runs_fused(s: Saving) -> bool:
    """Whether one fused kernel computes the attention, so that no scores are saved.

    On the CPU, scaled_dot_product_attention has one for queries (B, H, T, E), keys and values of
    equal width, without dropout and without a bias that is learned or has three axes (H, T, S). On
    a GPU, a fused kernel is assumed for all cases.
    """
    if s.op.attrs["kernel"] in ("explicit", "additive", "mixed"):
        return False
    if s.fused:
        return True
    if len(s.shape("q")) != 4:  # attention over one of two axes of tokens
        return False
    alike = number(s.shape("q")[-1].size) == number(s.shape("v")[-1].size)
    learned = s.op.attrs["kernel"] == "distance" or s.trained("bias") or s.trained("sinks")
    return alike and not learned and not _drops(s) and not _has_three_axes(s)


def _has_three_axes(s: Saving) -> bool:
    """Whether the bias has no batch axis; that of tiles has one."""
    if not s.given("bias") or s.op.attrs.get("tiles"):
        return False
    made = s.source("bias")
    masks = None if made is None or made.op.kind != "masked_bias" else made.source("mask")
    if masks is None:
        return True
    return not (masks.op.kind == "head_masks" or for_each_sequence(masks.op.attrs["formula"]))


def _drops(s: Saving) -> bool:
    rate = s.op.attrs["dropout"]
    return rate is not None and number(rate) > 0


def _keys(s: Saving) -> Poly:
    """Number of key vectors after grouped heads are expanded."""
    more = 1 if s.given("sinks") else 0
    heads = elements(s.shape("q")[:-2])
    if s.tiles is not None:
        return heads * (s.tiles.keys + more * s.tiles.tiles)
    return heads * (elements(s.shape("k")[-2:-1]) + more)


def _scores(s: Saving) -> Poly:
    more = 1 if s.given("sinks") else 0
    if s.tiles is not None:
        return elements(s.shape("q")[:2]) * s.tiles.scores + more * s.rows("q")
    return s.rows("q") * (elements(s.shape("k")[-2:-1]) + more)


def _repeated(s: Saving, slot: str, kind: str = "float") -> Own:
    return Own(kind, _keys(s) * elements(s.shape(slot)[-1:]))


def _keys_or_values(s: Saving, slot: str) -> Iterator[Kept]:
    """What a product keeps of keys or values; with sinks, a copy with one more of them.

    A product copies a tile's range of keys, whose tokens are apart in memory.
    """
    heads, width = elements(s.shape(slot)[:2]), elements(s.shape(slot)[-1:])
    more = 1 if s.given("sinks") else 0
    copied = slot if _alone(s, slot) else operand(s, slot)
    tiled = _tiling(s).count(*ONE_RANGE)
    if s.tiles is not None and (more or (copied != slot and tiled)):
        yield Own("float", heads * (s.tiles.keys + more * s.tiles.tiles) * width)
    elif more:
        yield Own("float", heads * (elements(s.shape(slot)[-2:-1]) + 1) * width)
    else:
        yield copied


def _tiling(s: Saving) -> Tiling:
    return s.op.attrs.get("tiles") or Tiling(())


def _kinds(s: Saving) -> tuple[TileKind, ...]:
    """The kind of tiles of each group of heads; empty if all heads have the same."""
    tiling = _tiling(s)
    return tiling.kinds if tiling.by_head else ()


def _alone(s: Saving, slot: str) -> bool:
    """Whether each group of heads shares one key head; products need no copy of it."""
    return bool(_kinds(s)) and s.shape(slot)[1].size == len(_kinds(s))


def attend_saves(s: Saving) -> Iterator[Kept]:
    kernel = s.op.attrs["kernel"]
    if _computes_again(s):
        yield from ("q", "k", "v", "bias" if s.given("bias") else "mask", *_reordered(s))
    elif kernel in ("explicit", "additive", "mixed"):
        yield from _written_out(s)
    elif runs_fused(s):
        yield from _fused(s)
    else:
        yield from _in_steps(s)
    if kernel == "distance" and not _computes_again(s):
        yield _repeated(s, "k")  # for the squares
    strided = 0 if s.tiles is None else _tiling(s).count(TileKind.CLASSES)
    if strided:  # the order of the queries, and back
        yield Own("int", 2 * strided * elements(s.shape("q")[-2:-1]))


def _computes_again(s: Saving) -> bool:
    """Whether tiles compute their scores again in the backward pass, and save only their inputs."""
    if s.tiles is None or (s.tiles.tiles == 1 and not s.tiles.masks):
        return False
    bias = s.source("bias")
    made = None if bias is None else bias.source("bias")
    learned = made is not None and made.op.kind == "relative_bias"
    when = recomputed(s.op, s.values, learned=learned)
    return when is Recomputed.ALWAYS or (when is not None and not s.fused and not runs_fused(s))


def _fused(s: Saving) -> Iterator[Kept]:
    """Queries, keys, values, output, log-sum-exp of each row, and the bias."""
    joined = s.tiles is not None or _kinds(s)  # those of tiles and of groups of heads
    yield from ("q", s.own(OUT) if joined else OUT, Own("wide", s.rows("q")))
    yield from _reordered(s)
    if s.given("sinks"):
        yield from (*_keys_or_values(s, "k"), *_keys_or_values(s, "v"), Own("float", _scores(s)))
        return
    yield from ("k", "v")
    if s.given("bias"):
        yield "bias"
    elif s.given("mask") and s.op.attrs.get("tiles"):
        yield "mask"  # numbers already, the same for all layers
    elif s.given("mask"):
        yield Own("float", s.storage("mask"))  # converted from booleans in each layer


def _reordered(s: Saving) -> Iterator[Kept]:
    """Beside all queries, those of some heads in another order."""
    strided, kinds = _kinds(s).count(TileKind.CLASSES), len(_kinds(s))
    if s.tiles is not None and 0 < strided < kinds:
        yield Own("float", s.size("q") * (strided / kinds))


def _in_steps(s: Saving) -> Iterator[Kept]:
    """Copies of queries, keys and values, and the attention weights, in float32 or wider."""
    yield from (s.own("q", "wide"), _repeated(s, "k", "wide"), _repeated(s, "v", "wide"))
    yield Own("wide", _scores(s))
    if _drops(s):
        yield Own("wide", 2 * _scores(s))  # the dropout mask and the result


def _written_out(s: Saving) -> Iterator[Kept]:
    """Explicit attention in the emitted file: softcap or additive scores, masks, softmax."""
    scores, kernel = _scores(s), s.op.attrs["kernel"]
    if kernel == "additive":
        sums = scores * elements(s.shape("q")[-1:])
        copies = 2 if by_token(s.source("q")) else 1
        yield Own("float", copies * sums + s.size("q"))  # the tanh, the vectors
    else:
        yield from (operand(s, "q"), *_reordered(s), *_keys_or_values(s, "k"))
        if kernel == "explicit" or s.given("mix_scores"):
            yield Own("float", scores)  # the tanh, or the scores before they are mixed
    if s.given("vectors"):  # the attention weights of each distance
        yield from (Own("float", s.rows("q") * elements(s.shape("vectors")[:1])), "places")
    if s.given("mix_weights"):
        yield Own("float", scores)  # the attention weights after they are mixed
    yield from _keys_or_values(s, "v")
    booleans = s.given("mask") and not s.op.attrs.get("tiles")
    if booleans and not s.given("bias") and not s.given("sinks"):
        yield Own("bool", s.storage("mask"))
    yield from (Own("bool", scores), Own("float", 2 * scores))  # the mask and the attention weights
    if _drops(s):
        yield Own("bool" if s.fused else "float", scores)


def merged_view(s: Saving) -> tuple[str, ...]:
    """After a fused kernel, merging heads is a view, since its output is laid out (B, T, H, E).
    That of a single head always is.
    """
    made = s.source("x")
    if number(s.shape("x")[1].size) == 1:
        return ("x",)
    if made is not None and made.tiles is not None:
        return ("x",)
    if made is None or made.op.kind != "attend" or not runs_fused(made):
        return ()
    return ("x",) if s.fused or by_token(made.source("q")) else ()


ROWS: dict[str, Row] = {
    "split_heads": Row(
        "(B, T, H*E) to (B, H, T, E), or the same without B",
        ("x",),
        split_shape,
        attrs=("heads", "width"),
        view=view("x"),
    ),
    "merge_heads": Row("(B, H, T, E) to (B, T, H*E)", ("x",), merge_shape, view=merged_view),
    "expand_heads": Row(
        "(B, 1, T, E) to (B, H, T, E), the same for all heads",
        ("x",),
        expanded_shape,
        attrs=("heads",),
        view=view("x"),
    ),
    "concat": Row(
        "concatenation of the inputs along the last axis", ("parts*",), joined_shape, attrs=("dim",)
    ),
    "cache": Row(
        "appends two values (..., T, E) of the new tokens, such as k and v, to the cached "
        "ones: (..., S, E)",
        ("first", "second"),
        cached_shape,
        attrs=("kept?",),
        view=view("first", "second"),
    ),
    "score_vector": Row(
        "a learned vector for each head, (H, E)",
        (),
        lambda inputs, attrs: [(attrs["heads"], attrs["width"])],
        score_weights,
        dtype="float",
        part="attention",
        attrs=("heads", "width"),
        view=view(FREE),
    ),
    "sinks": Row(
        "a learned score for each head, (H,)",
        (),
        lambda inputs, attrs: [(attrs["heads"],)],
        sink_weights,
        dtype="float",
        part="attention",
        attrs=("heads",),
        view=view(FREE),
    ),
    "head_matrix": Row(
        "a learned matrix that mixes the heads, (H, H)",
        (),
        lambda inputs, attrs: [(attrs["heads"], attrs["heads"])],
        matrix_weights,
        dtype="float",
        part="attention",
        attrs=("heads",),
        view=view(FREE),
    ),
    "mix_vectors": Row(
        "(B, T, E) to (B, H, T, E): each head multiplies it by a learned vector of its own, which "
        "starts as normal numbers with standard deviation 0.2",
        ("x",),
        mixed_shape,
        mixing_weights,
        part="attention",
        attrs=("heads", "width"),
        saves=keeps("x"),
    ),
    "zero_sinks": Row(
        "a score of 0 for each head, (H,)",
        ("q",),
        lambda inputs, attrs: [(attrs["heads"],)],
        part="attention",
        attrs=("heads",),
        constant=True,
    ),
    "attend": Row(
        "softmax(cap(q k^T * scale) + bias) v over the keys that the mask allows; 0 for "
        "queries without allowed keys. A sink is the score of one extra key per head, whose "
        "value is 0. Query head h uses key head h // (H/K). With attr score `distance`, q k^T "
        "is replaced by -|q - k|^2; with `additive`, by vector . tanh(q + k). mix_scores (H, H) "
        "mixes the heads of the scores before the bias is added, mix_weights those of the "
        "attention weights. With vectors (U, E) and places (T, S), vectors[places] is added to "
        "the values of each pair. attrs: scale (a "
        "number, a Field, or None = 1/sqrt(E)), score, softcap or None, dropout, formula, "
        "kernel, asked (`dense` or `tiles` where the spec says so)",
        (
            *("q", "k", "v", "mask?", "bias?", "sinks?", "vector?", "mix_scores?", "mix_weights?"),
            *("vectors?", "places?"),
        ),
        attend_shape,
        flops=attend_flops,
        part="attention",
        attrs=(
            "scale",
            "softcap",
            "dropout",
            "formula",
            "heads",
            "kv_heads",
            "kernel?",
            "reason?",
            "causal?",
            "tiles?",
            "flex?",
            "score?",
            "asked?",
        ),
        saves=attend_saves,
    ),
}
