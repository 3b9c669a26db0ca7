"""Inputs of stacks."""

import math
from typing import Any

import numpy as np

from ...spec.embedding import ConvStem, Features, LearnedInput, Patches, StackInput, has_grid
from ...spec.embedding import Tokens as TokenInput
from ...spec.model import ModelSpec, Stack
from .context import Tokens
from .pointwise import activate, normalize, sigmoid
from .positions import added, grouped
from .vectors import Places, place, replacing
from .weights import Array, Weights

Rows = dict[str, Array]
"""Argument of the model -> its value for one sequence."""
OUTPUT = "output of "
"""Before the name of a stack, in place of an argument: its output."""


def sources_of(spec: ModelSpec, name: str) -> list[Any]:
    """The inputs of a stack, besides vectors that replace tokens; several are joined."""
    replacing_ones = [*replacing(spec.stacks[name])]
    return [source for source in spec.stacks[name].input if source not in replacing_ones]


def source_of(spec: ModelSpec, name: str) -> Any:
    """The token ids of a stack, else its first input."""
    sources = sources_of(spec, name)
    return next((one for one in sources if isinstance(one, TokenInput)), sources[0])


def length_of(source: Any, inputs: Any, row: int, hidden: Any) -> int:
    """Number of tokens of an input; 0 if it is absent."""
    if isinstance(source, StackInput):
        rows = hidden[source.stack]
        return len(rows[row].x) - source.skip + source.prefix_tokens if rows else 0
    if isinstance(source, LearnedInput):
        return source.tokens
    if source.argument not in inputs:
        return 0
    given = np.asarray(inputs[source.argument])[row]
    learned = source.prefix_tokens + getattr(source, "registers", 0)
    if has_grid(source):
        return learned + math.prod(source.grid)
    if isinstance(source, ConvStem):
        return learned + source.tokens(given.shape[-1 if source.layout != "frames" else 0])
    return learned + len(given)


def module_of(source: Any) -> str:
    """The module with the weights of one of several inputs."""
    return f"{source.stack if isinstance(source, StackInput) else source.argument}_embedding"


def scale_of(source: TokenInput | ConvStem, stack: Stack) -> float:
    """√d_model (Vaswani et al., 2017, section 3.4), or the given number."""
    return math.sqrt(stack.d_model) if source.scale == "sqrt_d_model" else float(source.scale)


def table_of(spec: ModelSpec, weights: Weights, name: str) -> Array:
    """The token embedding of a stack (entries, width).

    A tied input uses the embedding of another stack. A shared embedding is a weight of the model,
    others are weights of their stack; several shared ones have their owner's name as a prefix.
    """

    def owner_of(stack: str) -> str:
        tied = getattr(source_of(spec, stack), "tied", "none")
        return stack if tied == "none" else owner_of(tied)

    owners = {stack: owner_of(stack) for stack in spec.stacks}
    shared = {owner for stack, owner in owners.items() if stack != owner}
    owner = owners[name]
    source = source_of(spec, owner)
    width = source.width or spec.stacks[owner].d_model
    where = weights if owner in shared or len(spec.stacks) == 1 else weights.below(owner)
    prefix = f"{owner}_" if owner in shared and len(shared) > 1 else ""
    if owner not in shared and len(sources_of(spec, owner)) > 1:
        where = where.below(module_of(source))
    return where(f"{prefix}token_embedding.weight", source.vocab_size, width)


def embed(
    stack: Stack,
    source: Any,
    weights: Weights,
    table: Array | None,
    rows: Rows,
    places: Places,
) -> Array:
    """Embedded argument, before positions: (T, width)."""
    if source.type == "zeros":  # Carion et al., 2020, arXiv:2005.12872, appendix A.3
        return np.zeros((source.tokens, stack.d_model))
    if isinstance(source, LearnedInput):  # Li et al., 2023, arXiv:2301.12597, section 3.1
        return weights("learned_tokens", source.tokens, stack.d_model)
    if isinstance(source, StackInput):
        return rows[OUTPUT + source.stack]
    given = rows[source.argument]
    if isinstance(source, TokenInput):
        assert table is not None
        x = place(table[given] * scale_of(source, stack), given, places)
        return with_added(source, weights, rows, x)
    if isinstance(source, Features):
        x = np.asarray(given, np.float64)
        if source.project or x.shape[-1] != stack.d_model:
            x = weights.linear("input_projection", x, stack.d_model, bias=source.bias is True)
        return with_added(source, weights, rows, x)
    if isinstance(source, Patches):
        return patches(stack, source, weights, given)
    assert isinstance(source, ConvStem)
    return stem(stack, source, weights, given) * scale_of(source, stack)


def with_added(source: TokenInput | Features, weights: Weights, rows: Rows, x: Array) -> Array:
    """Embeddings of other ids of the same tokens (Devlin et al., 2018, arXiv:1810.04805, fig. 2) or
    patches (Lee et al., 2022, arXiv:2210.03347, section 2.1); ids of 0 if they are absent.
    """
    for name, entries in source.add.items():
        more = weights(f"{name.removesuffix('_ids')}_embedding.weight", entries, x.shape[-1])
        x = x + more[rows.get(name, np.zeros(len(x), int))]
    return x


def patches(stack: Stack, source: Patches, weights: Weights, image: Array) -> Array:
    """E x_p + b for each square patch, row by row (Dosovitskiy et al., 2020, arXiv:2010.11929,
    eq. 1), of a video frame by frame (Arnab et al., 2021, arXiv:2103.15691, section 3.2).

    image: (channels, height, width); (frames, bands) of a spectrogram, whose bands are rows (Gong
    et al., 2021, arXiv:2104.01778, section 2.1); or (frames, channels, height, width).
    """
    if source.layout != "image":
        image = image.T[None] if source.layout == "spectrogram" else image.swapaxes(0, 1)
    kernel = weights("patch_embedding.weight", stack.d_model, source.channels, *source.window)
    bias = weights("patch_embedding.bias", stack.d_model) if source.bias else 0
    found = []
    for index in np.ndindex(source.grid):
        starts = np.multiply(index, source.steps)
        cut = [slice(a, a + size) for a, size in zip(starts, source.window, strict=True)]
        found.append(np.tensordot(kernel, image[:, *cut], image.ndim) + bias)
    return np.stack(found)


def stem(stack: Stack, source: ConvStem, weights: Weights, given: Array) -> Array:
    """(frames, channels) -> (T, D) (Radford et al., 2022, arXiv:2212.04356, section 2.2; without
    zeros at the ends: Baevski et al., 2020, arXiv:2006.11477, section 2). The pixels of an image
    are tokens too, row by row (Xiao et al., 2021, arXiv:2106.14881, section 4).
    """
    layouts = {"channels": lambda s: np.moveaxis(s, 0, -1), "frames": lambda s: s}
    layouts["waveform"] = lambda s: s[:, None]
    x = np.asarray(layouts[source.layout](given), np.float64)
    for number, layer in enumerate(source.layers, start=1):
        x = convolve(source, layer, weights, f"conv{number}", x)
    x = x.reshape(-1, x.shape[-1])
    if source.project == "normalized":
        x = normalize(source.norm, weights, "features_norm", x)
    if source.project is not False:
        x = weights.linear("input_projection", x, stack.d_model, bias=stack.bias)
    return x


def over_image(
    x: Array, kernel: Array, groups: int = 1, *, stride: int = 1, dilation: int = 1
) -> Array:
    """A convolution over rows and columns: a sum over rows of convolutions along them.

    x: (height, width, channels in). kernel: (channels out, channels in / groups, size, size).
    """
    size, steps = kernel.shape[-1], {"stride": stride, "dilation": dilation}
    tops = range(0, len(x) - dilation * (size - 1), stride)

    def row(top: int, i: int) -> Array:
        return grouped(x[top + i * dilation], kernel[:, :, i], groups, **steps)

    return np.stack([np.sum([row(top, i) for i in range(size)], axis=0) for top in tops])


def convolve(source: ConvStem, layer: Any, weights: Weights, name: str, x: Array) -> Array:
    """activation(norm(gate(conv(x)))) of one layer."""
    slide, size = (grouped, over_image)[source.axes - 1], (layer.kernel,) * source.axes
    both = layer.dilation * (layer.kernel - 1) if source.padded else 0
    x = np.pad(x, [*[(both // 2, both - both // 2)] * source.axes, (0, 0)])
    steps = {"stride": layer.stride, "dilation": layer.dilation}
    channels = layer.channels * (2 if layer.gated else 1)

    def biased(key: str, y: Array) -> Array:
        return y + weights(f"{key}.bias", y.shape[-1]) if source.bias else y

    if layer.separable:  # depthwise, then pointwise (Chollet, 2016, arXiv:1610.02357)
        filters = weights(f"{name}_depthwise.weight", x.shape[-1], 1, *size)
        x = biased(f"{name}_depthwise", slide(x, filters, x.shape[-1], **steps))
        one = weights(f"{name}.weight", channels, x.shape[-1], *[1] * source.axes)
        x = biased(name, slide(x, one))
    else:
        kernel = weights(f"{name}.weight", channels, x.shape[-1], *size)
        x = biased(name, slide(x, kernel, **steps))
    if layer.gated:  # Dauphin et al., 2016, arXiv:1612.08083, eq. 1
        x = x[..., : layer.channels] * sigmoid(x[..., layer.channels :])
    axes = {"channels": -1, "frames": 0}  # the second: a group norm with one group per channel
    if layer.normalize is not False:  # (Wu and He, 2018, arXiv:1803.08494)
        flat = x.reshape(-1, x.shape[-1])
        normed = normalize(source.norm, weights, f"{name}_norm", flat, axes[layer.normalize])
        x = normed.reshape(x.shape)
    return activate(source.activation, x)


def is_given(source: Any, rows: Rows) -> bool:
    return getattr(source, "argument", f"{OUTPUT}{getattr(source, 'stack', '')}") in rows


def read_input(
    spec: ModelSpec, name: str, weights: Weights, rows: Rows, tokens: Tokens, places: Places
) -> Array:
    """The input of a stack's first layer: (T, D).

    The order is embedding, scale, (vectors in places,) added embeddings, learned tokens,
    (projection,) (norm,) positions, (norm,) dropout, (projection); registers are inserted before
    patches, after positions (Darcet et al., 2023, arXiv:2309.16588, section 2.2). Lan et al., 2019
    (arXiv:1909.11942, section 3.1) project after the norm, Zhang et al., 2022 (OPT,
    arXiv:2205.01068) before positions. Of several inputs, each is normalised, dropped and projected
    before they are joined (Kim et al., 2021, arXiv:2102.03334, eq. 1-3) and positions are added.
    """
    stack = spec.stacks[name]
    own = weights.below(name) if len(spec.stacks) > 1 else weights
    sources = sources_of(spec, name)

    def embedded(source: Any, own: Weights) -> tuple[Array, bool]:
        """With learned tokens; whether it is still to be projected."""
        table = table_of(spec, weights, name) if isinstance(source, TokenInput) else None
        x = embed(stack, source, own, table, rows, places)
        if source.prefix_tokens:
            x = np.concatenate([own("prefix_tokens", source.prefix_tokens, x.shape[-1]), x])
        narrow = isinstance(source, TokenInput) and x.shape[-1] != stack.d_model
        late = narrow and (len(sources) > 1 or source.project == "after_positions")
        if narrow and not late:
            x = own.linear("embedding_projection", x, stack.d_model, bias=stack.bias)
        if source.normalize == "before_positions":
            x = normalize(source.norm, own, "embedding_norm", x)
        return x, late

    def finished(source: Any, own: Weights, x: Array, late: bool) -> Array:
        x = tokens.dropped(x, source.dropout)
        if late:
            x = own.linear("embedding_projection", x, stack.d_model, bias=stack.bias)
        return x

    if len(sources) > 1:
        given = [(one, own.below(module_of(one))) for one in sources if is_given(one, rows)]
        parts = [finished(one, inside, *embedded(one, inside)) for one, inside in given]
        both = np.stack(parts, 1) if stack.join == "interleave" else np.concatenate(parts)
        return added(stack, own, tokens, both.reshape(-1, stack.d_model), spec.tokens.pad)
    (source,) = sources
    x, late = embedded(source, own)
    x = added(stack, own, tokens, x, spec.tokens.pad)
    if isinstance(source, Patches) and source.registers:
        registers = own("registers", source.registers, stack.d_model)
        x = np.concatenate([x[: source.prefix_tokens], registers, x[source.prefix_tokens :]])
    if source.normalize is True:
        x = normalize(source.norm, own, "embedding_norm", x)
    return finished(source, own, x, late)
