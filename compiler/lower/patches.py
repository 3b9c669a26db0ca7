"""Images: square patches, each a token (Dosovitskiy et al. 2020, arXiv:2010.11929).

Registers, tokens that stand for nothing and have no position: Darcet et al. 2023, arXiv:2309.16588.
"""

from __future__ import annotations

from ...spec.embedding import Patches
from ..axes import B, Dim, T
from ..sizes import Size
from .builder import Builder
from .state import StackState


def lower_patches(b: Builder, state: StackState, source: Patches) -> str:
    """The vectors of an image's patches, (B, G, D), or (B, T, D) where no other token stands."""
    image = b.size("image_size", source.image_size)
    patch = b.size("patch_size", source.patch_size)
    channels = b.size("channels", source.channels)
    shape = (B, Dim("channels", channels), Dim("height", image), Dim("width", image))
    with b.in_scope(""):
        state.ids = b.op(
            "argument", name=source.argument, out=source.argument, shape=shape, dtype="float"
        )
    count: Size = (image // patch) ** 2
    more = source.prefix_tokens + source.registers
    with b.in_scope(state.scope):
        x = b.op(
            "patchify",
            state.ids,
            name="patch_embedding",
            out="x",
            image=image,
            patch=patch,
            channels=channels,
            length=Dim("G", count) if more else T,
            out_dim=state.width,
            bias=source.bias,
        )
        x = _inserted(b, x, "prefix_tokens", source.prefix_tokens, last=not source.registers)
    before = _number(b, "prefix_tokens", source.prefix_tokens)
    state.grid, state.front = image // patch, before
    state.placed = count + before
    b.graph.lengths[state.name] = state.placed + _number(b, "registers", source.registers)
    return x


def lower_registers(b: Builder, state: StackState, source: Patches, x: str) -> str:
    """The stream with its registers, behind the prefix; they come after positions were added."""
    at = _number(b, "prefix_tokens", source.prefix_tokens)
    return _inserted(b, x, "registers", source.registers, at=at, last=True)


def _number(b: Builder, key: str, count: int) -> Size:
    return b.size(key, count) if count else Size.of(0)


def _inserted(
    b: Builder, x: str, name: str, count: int, *, at: Size | None = None, last: bool
) -> str:
    """`count` learned tokens at a place of each sequence; after the `last` ones it is T long."""
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
