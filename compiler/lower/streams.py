"""Stacks with several streams, whose sublayers read and update one another.

Jumper et al. 2021, supplementary information, section 1.6 (Evoformer).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ...spec.embedding import Features
from ...spec.model import Stack
from ..axes import B, Dim, Shape
from .builder import Builder
from .reads import consume_whole

LETTERS = ("D", "Dp", "Dq")
"""Letters of the widths of streams, in order; the last one is for all others."""


@dataclass(frozen=True, eq=False)
class Stream:
    """A stream: hidden states (B, first axis, second axis, width)."""

    name: str
    width: Dim
    axes: tuple[Dim, Dim]

    @property
    def shape(self) -> Shape:
        return (B, *self.axes, self.width)


@dataclass(eq=False)
class Streams:
    """The streams of a stack while a layer is lowered.

    values: stream -> its hidden states so far
    current: the stream that the sublayer updates; "" outside of sublayers
    read: the input of this sublayer, after its norm
    updates: stream -> its values after the sublayers of this layer that update it
    """

    known: dict[str, Stream]
    values: dict[str, str] = field(default_factory=dict)
    current: str = ""
    read: str = ""
    updates: dict[str, list[str]] = field(default_factory=dict)

    def axis(self, number: int) -> Dim:
        """An axis of the current stream."""
        return self.known[self.current].axes[number]


def streams_of(b: Builder, stack: Stack) -> Streams:
    """The streams of a stack, with named axes."""
    found = {}
    for number, (name, part) in enumerate(stack.streams.items()):
        with b.at("streams", name), b.within(name):
            letter = LETTERS[min(number, len(LETTERS) - 1)]
            width = Dim(letter, b.size("d_model", part.d_model))
            first, second = (Dim(axis) for axis in part.axes)
            found[name] = Stream(name, width, (first, second))
    return Streams(found)


def lower_stream_inputs(b: Builder, scope: str, stack: Stack, streams: Streams) -> None:
    """The input of each stream: an argument of its shape, projected if its width differs."""
    consume_whole(stack.input)  # the inputs of all streams, which are read below
    for name, stream in streams.known.items():
        with b.at("streams", name, "input"), b.within(name):
            streams.values[name] = _input(b, scope, stack.streams[name].input, stream)


def _input(b: Builder, scope: str, source: Any, stream: Stream) -> str:
    assert isinstance(source, Features), "refused by the laws"
    width = stream.width
    if source.size is not None and source.size != width.size:
        width = Dim("I", b.size("input_size", source.size, at=("size",)))
    with b.in_scope(""):
        shape = (B, *stream.axes, width)
        x = b.op("argument", name=source.argument, out=source.argument, shape=shape, dtype="float")
    if width is stream.width:
        return x
    with b.in_scope(scope):
        return b.op(
            "linear",
            x,
            name=f"{stream.name}_projection",
            in_features=width.size,
            out_dim=stream.width,
            bias=bool(source.bias),
            out=stream.name,
        )
