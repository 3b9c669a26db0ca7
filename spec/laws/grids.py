"""Laws of images and videos: their patches, and the positions of these."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..embedding import Patches, Source, grid_axes, has_grid, joined
from ..model import ModelSpec, Stack
from ..positions import Learned, RelativeTable, Rotary, Sinusoidal
from .findings import Finding, Path, members

GRIDS = {
    2: "`axes: 2` needs an image: an input of type `patches`, or `conv` with `axes: 2`",
    3: "`axes: 3` needs a video: an input of type `patches` with `layout: video`",
}
WORDS = {1: "no image or video", 2: "an image", 3: "a video"}


def patches_fit(spec: ModelSpec, path: Path, stack: Stack) -> Iterator[Finding]:
    for i, source in enumerate(members(stack.input)):
        if not isinstance(source, Patches):
            continue
        place = (*path, "input", i)
        if source.patch_size > min(source.sides):
            yield Finding(
                (*place, "patch_size"),
                f"patch_size ({source.patch_size}) must be at most image_size "
                f"({min(source.sides)})",
            )
        if source.layout == "spectrogram" and source.channels != 1:
            yield Finding((*place, "layout"), "a spectrogram has one channel; write `channels: 1`")
        yield from (
            _frames(place, source) if source.layout == "video" else _no_frames(place, source)
        )


def _frames(place: Path, source: Patches) -> Iterator[Finding]:
    """A video has a number of frames, which hold whole tubelets."""
    if source.frames is None:
        yield Finding(
            (*place, "layout"), "a video has a number of frames; set `frames`", lacks="frames"
        )
    elif source.tubelet_size > source.frames:
        yield Finding(
            (*place, "tubelet_size"),
            f"tubelet_size ({source.tubelet_size}) must be at most frames ({source.frames})",
        )
    if source.stride is not None:
        yield Finding(
            (*place, "stride"), "not supported yet: a `stride` between patches of a video"
        )


def _no_frames(place: Path, source: Patches) -> Iterator[Finding]:
    for key in ("frames", "tubelet_size"):
        if getattr(source, key) != Patches.model_fields[key].default:
            yield Finding((*place, key), f"`{key}` needs `layout: video`")


def positions_of_patches(spec: ModelSpec, path: Path, stack: Stack) -> Iterator[Finding]:
    """Positions of an image: no padding, one per patch, none for registers."""
    alone = len(joined(members(stack.input))) == 1
    sources = [s for s in members(stack.input) if has_grid(s) and alone]
    for i, position in enumerate(members(stack.positions) if sources else ()):
        for key in ("offset", "skip_padding"):
            if getattr(position, key, 0):
                yield Finding(
                    (*path, "positions", i, key),
                    f"`{key}` applies only to tokens, not to the patches of an image",
                )
        known = isinstance(position, (Learned, RelativeTable)) or getattr(position, "axes", 1) > 1
        if any(getattr(source, "registers", 0) for source in sources) and not known:
            yield Finding(
                (*path, "positions", i),
                f"{position.type} positions do not support `registers`, which have no position; "
                "use `learned` positions, or `prefix_tokens` instead of registers",
            )


def sinusoids_on_a_grid(spec: ModelSpec, path: Path, stack: Stack) -> Iterator[Finding]:
    """Sinusoidal positions with several axes: patches, an order, and pairs for each axis."""
    for i, position in enumerate(members(stack.positions)):
        if not isinstance(position, Sinusoidal):
            continue
        place: Path = (*path, "positions", i)
        yield from of_the_input(place, position, members(stack.input))
        if position.axes == 1:
            if position.order != Sinusoidal.model_fields["order"].default:
                yield Finding((*place, "order"), "`order` needs `axes: 2`")
            continue
        if sorted(position.order) != ["column", "row"]:
            yield Finding(
                (*place, "order"),
                "`order` sets which sinusoids come first; write `[column, row]` or `[row, column]`",
            )
        half = position.denominator == "half"
        if position.axes == 3 and grid_axes(members(stack.input)) != 3:
            continue
        if position.axes == 3:
            yield from widths_fit(place, position, stack.d_model, "d_model", 2 if half else 4)
            continue
        least = 4 if half else 8
        if stack.d_model % 4 or stack.d_model < least:
            yield Finding(
                place,
                "rows and columns have pairs of sine and cosine each, so d_model "
                f"({stack.d_model}) must be a multiple of 4"
                + (f" and at least {least}" if least > 4 else ""),
            )


def of_the_input(
    place: Path, position: Sinusoidal | Rotary, sources: Sequence[Source]
) -> Iterator[Finding]:
    """Options of positions with several axes: those of an image or of a video."""
    axes, found = position.axes, grid_axes(sources)
    if axes > 1 and axes != found:
        more = f"; this stack reads {WORDS[found]}" if found > 1 else ""
        yield Finding((*place, "axes"), GRIDS[axes] + more)
    if axes != 2 and position.coordinates != "index":
        word = position.coordinates
        yield Finding((*place, "coordinates"), f"`coordinates: {word}` needs `axes: 2`")
    if axes != 3 and position.widths is not None:
        yield Finding((*place, "widths"), "`widths` needs `axes: 3`")


def widths_fit(
    place: Path, position: Sinusoidal | Rotary, width: float, name: str, least: int = 2
) -> Iterator[Finding]:
    """The features of frame, row and column are pairs, and together all that there are."""
    if position.widths is None:
        if width % 16:
            yield Finding(
                (*place, "axes"),
                f"{name} ({width:g}) must be a multiple of 16, so that a quarter of it and three "
                "eighths are pairs of features; or set `widths`",
            )
        return
    key = (*place, "widths")
    if sum(position.widths) != width:
        numbers = " + ".join(map(str, position.widths))
        yield Finding(
            key,
            f"the widths must add up to {name} ({width:g}), but {numbers} is "
            f"{sum(position.widths)}",
        )
    for one in position.widths:
        if one % 2 or one < least:
            yield Finding(
                key,
                f"the features of each axis are pairs, so {one} must be even"
                + (f" and at least {least}" if least > 2 else ""),
            )
            break


STACK_LAWS = (patches_fit, positions_of_patches, sinusoids_on_a_grid)
