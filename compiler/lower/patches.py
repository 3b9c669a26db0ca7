"""Images: square patches, each a token (Dosovitskiy et al. 2020, arXiv:2010.11929).
Overlapping patches, and patches of a spectrogram: Gong et al. 2021, arXiv:2104.01778.

Registers, learned tokens without a position: Darcet et al. 2023, arXiv:2309.16588.
"""

from __future__ import annotations

from ...spec.embedding import Patches
from ..axes import B, Dim, T
from ..sizes import Size
from .builder import Builder
from .reads import consume
from .state import StackState


def lower_patches(b: Builder, state: StackState, source: Patches) -> str:
    """Projected patches of an image or video, (B, G, D), or (B, T, D) without other tokens."""
    height, width = two_sizes(
        b, source.image_size, "image_size", "image_size", "image_height", "image_width"
    )
    patch = b.size("patch_size", source.patch_size)
    steps = (patch, patch)
    if source.stride is not None:
        steps = two_sizes(
            b, source.stride, "stride", "patch_stride", "stride_down", "stride_across"
        )
    bands = source.layout == "spectrogram"
    if bands:
        consume(source, "channels")  # it has one
    channels = Size.of(1) if bands else b.size("channels", source.channels)
    down, across = Dim("height", height), Dim("width", width)
    shape = (B, across, down) if bands else (B, Dim("channels", channels), down, across)
    video: tuple[Size, ...] = ()
    tubelet = Size.of(1)
    if source.layout == "video":
        assert source.frames is not None, "refused by the laws"
        frames, tubelet = b.size("frames", source.frames), _tubelet(b, source)
        video, shape = (frames,), (B, Dim("frames", frames), *shape[1:])
    with b.in_scope(""):
        image = state.ids = b.op(
            "argument", name=source.argument, out=source.argument, shape=shape, dtype="float"
        )
    rows, columns = (
        _fitting(side, patch, step) for side, step in zip((height, width), steps, strict=True)
    )
    count: Size = rows**2 if height is width and steps[0] is steps[1] else rows * columns
    times = tuple(one.floor(tubelet) for one in video)
    for number in times:
        count = number * count
    more = source.prefix_tokens + source.registers
    with b.in_scope(state.scope):
        if bands:
            image = b.op("add_axis", b.op("swap_axes", image), out="image")
        elif video:
            image = b.op("swap_streams", image, out="video")  # (B, channels, frames, ...)
        x = b.op(
            "patchify",
            image,
            name="patch_embedding",
            out="x",
            sides=(*video, height, width),
            patch=patch,
            tubelet=tubelet if video else None,
            steps=steps,
            channels=channels,
            length=Dim("G", count) if more else T,
            out_dim=state.width,
            bias=source.bias,
        )
        x = inserted(b, x, "prefix_tokens", source.prefix_tokens, last=not source.registers)
    before = number_of(b, "prefix_tokens", source.prefix_tokens)
    state.grid, state.front = (*times, rows, columns), before
    state.image, state.patches = ((height, width), patch), count
    state.placed = count + before
    state.registers = number_of(b, "registers", source.registers)
    b.graph.lengths[state.name] = state.placed + state.registers
    return x


def _tubelet(b: Builder, source: Patches) -> Size:
    """Number of frames of a patch; 1 is no field."""
    one = source.tubelet_size == 1
    return Size.of(1) if one else b.size("tubelet_size", source.tubelet_size)


def two_sizes(
    b: Builder, sides: int | tuple[int, int], option: str, key: str, down: str, across: str
) -> tuple[Size, Size]:
    """Two sizes, from one number or a list of two, the value of `option`."""
    if isinstance(sides, int):
        both = b.size(key, sides, at=(option,))
        return both, both
    return b.size(down, sides[0], at=(option, 0)), b.size(across, sides[1], at=(option, 1))


def _fitting(side: Size, patch: Size, step: Size) -> Size:
    """Number of patches along one side."""
    fitting: Size = side.floor(patch) if step is patch else (side - patch).floor(step) + 1
    return fitting


def lower_registers(b: Builder, state: StackState, source: Patches, x: str) -> str:
    """Insert registers after the prefix tokens, after positions have been added."""
    at = number_of(b, "prefix_tokens", source.prefix_tokens)
    return inserted(b, x, "registers", source.registers, at=at, last=True)


def number_of(b: Builder, key: str, count: int) -> Size:
    """The size of this key; 0 is no field."""
    return b.size(key, count) if count else Size.of(0)


def inserted(
    b: Builder, x: str, name: str, count: int, *, at: Size | None = None, last: bool
) -> str:
    """Insert `count` learned tokens; with `last`, the resulting length is named T."""
    if not count:
        return x
    rows = b.size(name, count)
    return b.op(
        "insert_tokens",
        x,
        name=name,
        out="x",
        rows=rows,
        at=at or Size.of(0),
        length=T if last else b.shape(x)[1] + rows,
        out_dim=b.width(x),
    )
