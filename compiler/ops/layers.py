"""Layers with weights: embeddings, patches, convolutions, linear layers, norms."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ..axes import ONE, B, Dim, Shape, T
from ..cost import Poly, elements
from ..graph import Initial, Op, Value, Weight
from ..sizes import Size, number
from .row import NORMAL, ONES, ZEROS, Attrs, Inputs, Row, declared, last, same
from .saved import FREE, OUT, Kept, Own, Saving, keeps, strided, view


def linear_weights(attrs: Attrs) -> tuple[Weight, ...]:
    out: Dim = attrs["out_dim"]
    assert out.size is not None
    initial = Initial("normal", residual=attrs.get("residual", False))
    initial = ZEROS if attrs.get("zero") else initial
    weight = Weight("weight", (out.size, attrs["in_features"]), initial, attrs.get("tied", ""))
    if not attrs["bias"]:
        return (weight,)
    start = attrs.get("bias_initial", 0)
    return (weight, Weight("bias", (out.size,), Initial("constant", start) if start else ZEROS))


def again_weights(attrs: Attrs) -> tuple[Weight, ...]:
    """The weights of the linear op `module`."""
    names = ("weight", "bias") if attrs["bias"] else ("weight",)
    return tuple(
        replace(weight, tied=f"{attrs['module']}.{name}")
        for name, weight in zip(names, linear_weights(attrs), strict=True)
    )


def embedding_weights(attrs: Attrs) -> tuple[Weight, ...]:
    shape = (attrs["rows"], attrs["out_dim"].size)
    return (Weight("weight", shape, NORMAL, attrs.get("tied", "")),)


def norm_weights(attrs: Attrs) -> tuple[Weight, ...]:
    if not attrs["affine"]:
        return ()
    heads: Dim | None = attrs.get("per_head")
    width: Size = attrs["dim"].size
    shape = (width,) if heads is None or heads.size is None else (heads.size, width)
    offset = attrs.get("weight_offset", 0)
    initial = ZEROS if offset == 1 else Initial("constant", 1 - offset) if offset else ONES
    weight = Weight("weight", shape, initial)
    return (weight, Weight("bias", shape, ZEROS)) if attrs.get("bias") else (weight,)


def table_weights(attrs: Attrs) -> tuple[Weight, ...]:
    return (Weight("weight", tuple(dim.size for dim in attrs["shape"]), NORMAL),)


def inserted_weights(attrs: Attrs) -> tuple[Weight, ...]:
    return (Weight("", (attrs["rows"], attrs["out_dim"].size), NORMAL),)


def patch_weights(attrs: Attrs) -> tuple[Weight, ...]:
    patch, width = attrs["patch"], attrs["out_dim"].size
    tubelet = (attrs["tubelet"],) * (attrs["tubelet"] is not None)
    weight = Weight("weight", (width, attrs["channels"], *tubelet, patch, patch), NORMAL)
    return (weight, Weight("bias", (width,), ZEROS)) if attrs["bias"] else (weight,)


def _read(attrs: Attrs) -> Size:
    """Number of input channels of each filter of a convolution."""
    channels, groups = attrs["channels"], attrs["groups"]
    read: Size = Size.of(1) if groups == channels else channels // groups
    return read


def convolution_weights(attrs: Attrs) -> tuple[Weight, ...]:
    width = attrs["out_dim"].size
    initial = Initial("normal", residual=attrs.get("residual", False))
    weight = Weight("weight", (width, _read(attrs), attrs["kernel"]), initial)
    return (weight, Weight("bias", (width,), ZEROS)) if attrs["bias"] else (weight,)


def image_convolution_weights(attrs: Attrs) -> tuple[Weight, ...]:
    width, kernel = attrs["out_dim"].size, attrs["kernel"]
    weight = Weight("weight", (width, _read(attrs), kernel, kernel), NORMAL)
    return (weight, Weight("bias", (width,), ZEROS)) if attrs["bias"] else (weight,)


def linear_flops(op: Op, values: dict[str, Value]) -> Poly:
    return 2 * int(op.attrs["in_features"]) * elements(values[op.outputs[0]].shape)


def patch_flops(op: Op, values: dict[str, Value]) -> Poly:
    read = int(op.attrs["channels"]) * int(op.attrs["tubelet"] or 1) * int(op.attrs["patch"]) ** 2
    return 2 * read * elements(values[op.outputs[0]].shape)


def convolution_flops(op: Op, values: dict[str, Value]) -> Poly:
    attrs, shape = op.attrs, values[op.outputs[0]].shape
    found = elements(shape)
    even = attrs["padded"] and int(attrs["kernel"]) % 2 == 0
    if even and not attrs.get("causal") and int(attrs["stride"]) == 1:
        found += elements(shape[:2]) * int(attrs["dilation"])  # padded for too many, which are cut
    return 2 * int(_read(attrs)) * int(attrs["kernel"]) * found


def image_convolution_flops(op: Op, values: dict[str, Value]) -> Poly:
    read = int(_read(op.attrs)) * int(op.attrs["kernel"]) ** 2
    return 2 * read * elements(values[op.outputs[0]].shape)


def patch_shape(inputs: Inputs, attrs: Attrs) -> list[Shape]:
    return [(inputs["image"].shape[0], attrs["length"], attrs["out_dim"])]


def convolved_shape(inputs: Inputs, attrs: Attrs) -> list[Shape]:
    return [(inputs["x"].shape[0], attrs["out_dim"], attrs["length"])]


def convolved_image_shape(inputs: Inputs, attrs: Attrs) -> list[Shape]:
    return [(inputs["x"].shape[0], attrs["out_dim"], *attrs["sides"])]


def flat_image_shape(inputs: Inputs, attrs: Attrs) -> list[Shape]:
    batch, width, *_ = inputs["x"].shape
    return [(batch, attrs["length"], width)]


def channels_last_shape(inputs: Inputs, attrs: Attrs) -> list[Shape]:
    batch, width, *sides = inputs["x"].shape
    return [(batch, *sides, width)]


def channels_first_shape(inputs: Inputs, attrs: Attrs) -> list[Shape]:
    batch, *sides, width = inputs["x"].shape
    return [(batch, width, *sides)]


def convolved_half(inputs: Inputs, attrs: Attrs) -> list[Shape]:
    batch, _, *lengths = inputs["x"].shape
    return [(batch, attrs["out_dim"], *lengths)]


def swapped_shape(inputs: Inputs, attrs: Attrs) -> list[Shape]:
    *batch, one, other = inputs["x"].shape
    return [(*batch, other, one)]


def added_shape(inputs: Inputs, attrs: Attrs) -> list[Shape]:
    batch, *rest = inputs["x"].shape
    return [(batch, ONE, *rest)]


def insert_shape(inputs: Inputs, attrs: Attrs) -> list[Shape]:
    batch, _, width = inputs["x"].shape
    return [(batch, attrs["length"], width)]


# -- tensors saved for the backward pass


def embedding_saves(s: Saving) -> Iterator[Kept]:
    """The ids; zeros if the argument is absent."""
    absent = s.op.attrs.get("absent") and s.values[s.op.arg("ids")].optional
    yield s.own("ids", "int") if absent else "ids"


def linear_saves(s: Saving) -> Iterator[Kept]:
    """The input, for the gradient of the weight: a copy if its tokens are apart in memory."""
    if strided(s.source("x")):
        yield s.own("x")
    else:
        yield s.widened("x") if s.op.attrs.get("wide") else "x"


def layer_norm_saves(s: Saving) -> Iterator[Kept]:
    """The input, mean and inverse deviation; with weights per head also the normalised input."""
    yield from ("x", Own("float", 2 * s.rows("x")))
    if s.op.attrs.get("per_head") is not None and s.op.attrs["affine"]:
        yield s.own("x")
    yield from _shifted_weight(s)


def rms_norm_saves(s: Saving) -> Iterator[Kept]:
    """The input and its inverse norm; on the CPU also the normalised input, which alone is saved
    for the weight if the input needs no gradient.
    """
    kernel = s.fused and s.op.attrs.get("per_head") is None
    if kernel or s.trained("x"):
        yield from (s.widened("x"), Own("wide", s.rows("x")))
    if s.op.attrs["affine"] and not kernel:
        yield s.own("x", "wide")
    yield from _shifted_weight(s)


def _shifted_weight(s: Saving) -> Iterator[Kept]:
    """`offset + weight`, which is not a parameter."""
    if s.op.attrs["affine"] and s.op.attrs.get("weight_offset"):
        yield Own("float", Poly.of(s.op.weights[0].count))


def convolution_saves(s: Saving) -> Iterator[Kept]:
    """The input; with zeros before it, a copy."""
    if not s.op.attrs.get("causal"):
        yield "x"
        return
    reach = (number(s.op.attrs["kernel"]) - 1) * number(s.op.attrs["dilation"])
    yield Own("float", s.size("x") + reach * elements(s.shape("x")[:2]))


def convolution_stores(s: Saving) -> tuple[str, Poly]:
    """Kernels of even size compute `dilation` positions too many, which the result is a view of."""
    sliced = s.op.attrs["padded"] and number(s.op.attrs["kernel"]) % 2 == 0
    if not sliced:
        return "float", s.size(OUT)
    return "float", s.size(OUT) + number(s.op.attrs["dilation"]) * elements(s.shape(OUT)[:2])


def placed_saves(s: Saving) -> Iterator[Kept]:
    """The places, of the size of x."""
    yield s.own("ids", "bool")


def group_norm_saves(s: Saving) -> Iterator[Kept]:
    """The input, and mean and inverse deviation of each channel."""
    yield from ("x", Own("float", 2 * elements(s.shape("x")[:2])))


ROWS: dict[str, Row] = {
    "embedding": Row(
        "weight[ids]",
        ("ids",),
        lambda inputs, attrs: [(*inputs["ids"].shape, attrs["out_dim"])],
        embedding_weights,
        dtype="float",
        part="embedding",
        attrs=("rows", "out_dim", "tied?", "absent?"),
        saves=embedding_saves,
    ),
    "table": Row(
        "a learned table",
        (),
        declared,
        table_weights,
        dtype="float",
        part="embedding",
        attrs=("shape",),
        view=view(FREE),
    ),
    "patchify": Row(
        "patches of an image, flattened (channels, rows, columns), @ weight.T + bias. Patches "
        "are in row-major order at distances `steps` (down, across); pixels left over at the "
        "right and bottom are ignored. With `tubelet`, patches of that many frames of a video (B, "
        "channels, frames, height, width), flattened (channels, frames, rows, columns); those of "
        "the first frames come first, and frames left over at the end are ignored",
        ("image",),
        patch_shape,
        patch_weights,
        patch_flops,
        part="embedding",
        attrs=("sides", "patch", "tubelet", "steps", "channels", "length", "out_dim", "bias"),
        saves=keeps("image"),
    ),
    "convolve": Row(
        "y[o, t] = bias[o] + sum over i and j of weight[o, i, j] * x[i, t * stride + (j - "
        "kernel // 2) * dilation], with zero padding; without `padded`, x[i, t * stride + j * "
        "dilation] for all t inside x; with `causal`, all zeros stand before x, so that y[t] reads "
        "x up to t. The channels are split into `groups` equal groups",
        ("x",),
        convolved_shape,
        convolution_weights,
        convolution_flops,
        part="embedding",
        attrs=(
            "channels",
            "out_dim",
            "length",
            "kernel",
            "stride",
            "dilation",
            "groups",
            "padded",
            "causal?",
            "residual?",
            "bias",
        ),
        saves=convolution_saves,
        stores=convolution_stores,
    ),
    "convolve_image": Row(
        "the same over the rows and columns of an image (B, channels, height, width), to `sides` "
        "(height, width); kernel, stride and dilation are those of both axes",
        ("x",),
        convolved_image_shape,
        image_convolution_weights,
        image_convolution_flops,
        part="embedding",
        attrs=(
            "channels",
            "out_dim",
            "sides",
            "kernel",
            "stride",
            "dilation",
            "groups",
            "padded",
            "bias",
        ),
        saves=keeps("x"),
    ),
    "flatten_image": Row(
        "(B, D, height, width) to (B, T, D), in row-major order; length: the number of positions",
        ("x",),
        flat_image_shape,
        attrs=("length",),
        view=view("x"),
    ),
    "channels_last": Row(
        "(B, D, height, width) to (B, height, width, D)",
        ("x",),
        channels_last_shape,
        view=view("x"),
    ),
    "channels_first": Row(
        "(B, height, width, D) to (B, D, height, width)",
        ("x",),
        channels_first_shape,
        view=view("x"),
    ),
    "zero_padding": Row(
        "x (B, T, D) with zeros at the padding of attention_mask (B, T)",
        ("x", "attention_mask"),
        saves=keeps("attention_mask"),
        view=view("x"),  # without padding, of which costs are
    ),
    "glu": Row(
        "(B, 2*D, T) to (B, D, T): the first half * sigmoid(the second half); the same of images",
        ("x",),
        convolved_half,
        attrs=("out_dim",),
        saves=keeps("x"),
    ),
    "swap_axes": Row("(B, D, T) to (B, T, D)", ("x",), swapped_shape, view=view("x")),
    "add_axis": Row("(B, ...) to (B, 1, ...)", ("x",), added_shape, view=view("x")),
    "insert_tokens": Row(
        "inserts the rows of the weight into each sequence at index `at`",
        ("x",),
        insert_shape,
        inserted_weights,
        part="embedding",
        attrs=("rows", "at", "length", "out_dim"),
    ),
    "join_inputs": Row(
        "the vectors (B, Ti, D) of several inputs one after the other, without those that are "
        "absent",
        ("parts*",),
        lambda inputs, attrs: [(B, T, inputs.first.shape[2])],
        part="embedding",
    ),
    "interleave_inputs": Row(
        "the first vectors of all inputs (B, T1, D), then their second ones, and so on",
        ("parts*",),
        lambda inputs, attrs: [(B, T, inputs.first.shape[2])],
        part="embedding",
    ),
    "take_turns": Row(
        "x[:, place::turn]: the vectors of one of several interleaved inputs",
        ("x",),
        lambda inputs, attrs: [(inputs["x"].shape[0], attrs["length"], inputs["x"].shape[2])],
        attrs=("place", "turn", "length"),
        view=view("x"),
    ),
    "skip_tokens": Row(
        "x[:, count:]",
        ("x",),
        lambda inputs, attrs: [(inputs["x"].shape[0], attrs["length"], inputs["x"].shape[2])],
        attrs=("count", "length"),
        view=view("x"),
    ),
    "take_part": Row(
        "the vectors of one of several joined inputs: `length` of them, after `before` others, or "
        "if that is None, before `after` others",
        ("x",),
        lambda inputs, attrs: [(inputs["x"].shape[0], attrs["length"], inputs["x"].shape[2])],
        attrs=("before", "after", "length"),
        view=view("x"),
    ),
    "place_rows": Row(
        "x (B, T, D) with the vectors of `rows` (N, M, D), in order, where ids == token; x itself "
        "without rows. Their numbers must be equal",
        ("x", "ids", "rows"),
        attrs=("token", "stack"),
        saves=placed_saves,
    ),
    "learned_tokens": Row(
        "the rows of the weight, once for each sequence of `batch_of`",
        ("batch_of",),
        lambda inputs, attrs: [(inputs["batch_of"].shape[0], T, attrs["out_dim"])],
        inserted_weights,
        part="embedding",
        attrs=("rows", "out_dim"),
        view=view(FREE),
    ),
    "zero_tokens": Row(
        "as many zeros as learned_tokens has numbers",
        ("batch_of",),
        lambda inputs, attrs: [(inputs["batch_of"].shape[0], T, attrs["out_dim"])],
        part="embedding",
        attrs=("rows", "out_dim"),
    ),
    "linear": Row(
        "x @ weight.T + bias; in float32 or wider with `wide`, or with `widen` if x is float16; "
        "with `zero`, the weight starts at 0; the bias starts at `bias_initial`, or at 0",
        ("x",),
        last,
        linear_weights,
        linear_flops,
        attrs=(
            "in_features",
            "out_dim",
            "bias",
            "bias_initial?",
            "residual?",
            "wide?",
            "widen?",
            "zero?",
            "tied?",
            "joined?",
        ),
        saves=linear_saves,
    ),
    "linear_again": Row(
        "the linear layer of the same name in the same module, applied to another input",
        ("x",),
        last,
        again_weights,
        linear_flops,
        attrs=("module", "in_features", "out_dim", "bias"),
        saves=linear_saves,
    ),
    "group_norm": Row(
        "(x - mean) / sqrt(var + eps) * weight + bias for each channel of (B, D, T), over T",
        ("x",),
        same,
        norm_weights,
        part="norm",
        attrs=("dim", "eps", "affine", "bias", "weight_offset", "per_head"),
        saves=group_norm_saves,
    ),
    "layer_norm": Row(
        "(x - mean) / sqrt(var + eps) * (weight + weight_offset) + bias, over the last axis; "
        "per_head: x is (B, H, T, E) and each head has its own weight (H, E)",
        ("x",),
        same,
        norm_weights,
        part="norm",
        attrs=("dim", "eps", "affine", "bias", "weight_offset", "per_head"),
        saves=layer_norm_saves,
    ),
    "rms_norm": Row(
        "x / sqrt(mean(x^2) + eps) * (weight + weight_offset); with `narrow`, in the weight's "
        "dtype",
        ("x",),
        same,
        norm_weights,
        part="norm",
        attrs=("dim", "eps", "affine", "bias", "weight_offset", "per_head", "narrow?"),
        saves=rms_norm_saves,
    ),
}
