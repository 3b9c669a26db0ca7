"""Laws of stacks with several streams."""

from __future__ import annotations

from collections.abc import Iterator
from keyword import iskeyword
from typing import Any

from ..attention import Mha
from ..attention.score_bias import StreamBias
from ..embedding import Features
from ..errors import choices
from ..feed_forward import Glu, Mlp
from ..model import Block, ModelSpec, Stack, Stream
from ..names import ARGUMENT_NAMES, MODULE_NAMES
from ..part import Nothing
from ..residual import Joining
from ..sublayers import OuterProductMean, Own, TriangleMultiplication
from .findings import Finding, Path, members, parts

KINDS = (Mha, Mlp, Glu, OuterProductMean, TriangleMultiplication)
WORDS = "mha, mlp, glu, outer_product_mean, triangle_multiplication"
PLAIN = {
    "mask": "full",
    "positions": (),
    "kv_heads": None,
    "softcap": "none",
    "sinks": False,
    "talking_heads": "none",
    "score": "dot",
    "value": "linear",
    "separate_global": False,
    "kernel": "auto",
    "qk_norm": Nothing(),
    "memory": None,
}
"""Options of an attention along an axis, and the only value that each may have."""


def streams_fit(spec: ModelSpec, path: Path, stack: Stack) -> Iterator[Finding]:
    """Each stream has two axes and reads vectors; what reads one hidden state does not apply."""
    if not stack.streams:
        return
    if len(spec.stacks) > 1 or spec.heads:
        what = "another stack" if len(spec.stacks) > 1 else "a head"
        yield Finding(
            (*path, "streams"),
            f"a stack with `streams` must be the whole model, which returns them; remove {what}",
        )
    read = _used_streams(stack)
    for name, stream in parts(stack.streams, Stream):
        here: Path = (*path, "streams", name)
        if len(stream.axes) != 2:
            yield Finding(
                (*here, "axes"), f"a stream has two axes, not {len(stream.axes)}: `axes: [a, b]`"
            )
        if not isinstance(stream.input, Features):
            yield Finding((*here, "input"), "a stream reads vectors; write `type: features`")
        elif any(getattr(stream.input, key) for key in NOT_OF_STREAMS):
            yield Finding(
                (*here, "input"), "the input of a stream has only `argument`, `size` and `bias`"
            )
        if name not in read:
            yield Finding(here, f"no sublayer reads or updates the stream `{name}`; remove it")
        if iskeyword(name) or name in ARGUMENT_NAMES | MODULE_NAMES:
            yield Finding(here, f"a stream cannot be named `{name}`: models use this name")
    for option, plain in (("positions", ()), ("final_norm", False), ("output_width", None)):
        if getattr(stack, option) != plain:
            yield Finding((*path, option), f"`{option}` does not apply to a stack with `streams`")
    for option in ("condition",):
        if not isinstance(getattr(stack, option), Nothing):
            yield Finding((*path, option), f"`{option}` does not apply to a stack with `streams`")
    for name, block in parts(stack.blocks, Block):
        if not members(block.sublayers):
            yield Finding(
                (*path, "blocks", name), "layers of a stack with `streams` need `sublayers`"
            )
        if not isinstance(block.condition, Nothing) and block.condition != stack.condition:
            yield Finding(
                (*path, "blocks", name, "condition"),
                "`condition` does not apply to a stack with `streams`",
            )


def _used_streams(stack: Stack) -> set[str | None]:
    """The streams that sublayers update, or that they read for something else."""
    found: set[str | None] = set()
    for _, block in parts(stack.blocks, Block):
        for part in members(block.sublayers):
            found |= {getattr(part, "stream", None), getattr(part, "source", None)}
            biases = members(getattr(part, "score_bias", ()))
            found |= {bias.stream for bias in biases if isinstance(bias, StreamBias)}
    return found


NOT_OF_STREAMS = ("prefix_tokens", "normalize", "dropout", "project", "add")
"""Options of an input that the input of a stream does not have."""


def sublayers_fit(spec: ModelSpec, stack: Stack, path: Path, block: Block) -> Iterator[Finding]:
    """Each sublayer names a stream, and an attention the axis along which it works."""
    for i, part in enumerate(members(block.sublayers)):
        here: Path = (*path, "sublayers", i)
        if not stack.streams:
            yield from _without_streams(here, part)
            continue
        fits: Any = isinstance(part, KINDS)
        if not fits:
            text = f"a sublayer of a stream is one of: {WORDS}; not {part.type}"
            yield Finding((*here, "type"), text)
            continue
        if part.stream is None:
            yield Finding(here, f"`stream` is missing; one of: {', '.join(stack.streams)}")
            continue
        if part.stream not in stack.streams:
            yield Finding(
                (*here, "stream"),
                f"unknown stream `{part.stream}`; {choices(part.stream, list(stack.streams))}",
            )
            continue
        yield from _of_residual(here, part)
        attends: Any = isinstance(part, Mha)
        if attends:
            yield from _of_attention(here, stack, part)
        elif part.axis is not None:
            yield Finding((*here, "axis"), "only an attention works along an axis; remove `axis`")
        if isinstance(part, (OuterProductMean, TriangleMultiplication)):
            yield from _of_pairs(here, stack, part)


def _without_streams(here: Path, part: Any) -> Iterator[Finding]:
    for option in ("stream", "axis"):
        if getattr(part, option, None) is not None:
            yield Finding((*here, option), f"`{option}` needs `streams` in the stack")
    if isinstance(part, (OuterProductMean, TriangleMultiplication)):
        yield Finding((*here, "type"), f"`{part.type}` needs `streams` in the stack")
    for j, bias in enumerate(members(getattr(part, "score_bias", ()))):
        if isinstance(bias, StreamBias):
            place: Path = (*here, "score_bias", j, "stream")
            yield Finding(place, "a bias from a stream needs `streams` in the stack")


def linear_needs_streams(
    spec: ModelSpec, stack: Stack, path: Path, block: Block
) -> Iterator[Finding]:
    yield from _without_streams((*path, "attention"), block.attention)


def _of_residual(here: Path, part: Own) -> Iterator[Finding]:
    residual = part.residual
    if not isinstance(residual, Joining):
        return
    for option, plain in (("drop_path", 0), ("float32", False)):
        if getattr(residual, option) != plain:
            yield Finding(
                (*here, "residual", option), f"`{option}` does not apply to a stack with `streams`"
            )
    if residual.from_ == "normed" and isinstance(part, OuterProductMean):
        yield Finding(
            (*here, "residual", "from"), "the norm is that of the source; write `from: input`"
        )


def _of_attention(here: Path, stack: Stack, part: Any) -> Iterator[Finding]:
    if part.axis is None:
        yield Finding(here, "`axis` is missing; write 0 or 1, the axis along which tokens attend")
        return
    for option, plain in PLAIN.items():
        value = getattr(part, option)
        if value is not None and value != plain and str(value) != plain:
            text = f"`{option}` does not apply to an attention along an axis of a stream"
            yield Finding((*here, option), text)
    if part.output != "linear":
        yield Finding((*here, "output"), "an attention of a stream needs its output projection")
    axes = stack.streams[part.stream].axes
    own = axes[part.axis] if len(axes) == 2 and part.axis in (0, 1) else ""
    for j, bias in enumerate(members(part.score_bias)):
        place: Path = (*here, "score_bias", j)
        if not isinstance(bias, StreamBias):
            yield Finding((*place, "type"), "an attention of a stream has biases of type `linear`")
        elif bias.stream not in stack.streams:
            known = choices(bias.stream, list(stack.streams))
            yield Finding((*place, "stream"), f"unknown stream `{bias.stream}`; {known}")
        elif stack.streams[bias.stream].axes != (own, own):
            other = ", ".join(stack.streams[bias.stream].axes)
            yield Finding(
                (*place, "stream"),
                f"this attention works along `{own}`, so a bias needs a stream with the axes "
                f"{own}, {own}; those of `{bias.stream}` are {other}",
            )


def _of_pairs(here: Path, stack: Stack, part: Any) -> Iterator[Finding]:
    axes = stack.streams[part.stream].axes
    if len(set(axes)) != 1:
        yield Finding(
            (*here, "stream"),
            f"`{part.type}` updates a stream of pairs, which has the same axis twice; the axes of "
            f"`{part.stream}` are {', '.join(axes)}",
        )
        return
    if not isinstance(part, OuterProductMean):
        return
    if part.source not in stack.streams:
        known = choices(part.source, list(stack.streams))
        yield Finding((*here, "source"), f"unknown stream `{part.source}`; {known}")
    elif stack.streams[part.source].axes[-1:] != axes[:1]:
        found = ", ".join(stack.streams[part.source].axes)
        yield Finding(
            (*here, "source"),
            f"the second axis of the source must be `{axes[0]}`; the axes of `{part.source}` are "
            f"{found}",
        )


WHOLE_BLOCK_LAWS = (sublayers_fit, linear_needs_streams)
STACK_LAWS = (streams_fit,)
