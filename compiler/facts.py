"""Facts about a model that are no ops: its heads, inputs, stacks, tokens, and what wrote it.

Lowering fills them, `ModuleGraph` holds them. Backends read these and never the spec itself.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from ..spec.errors import Mark

Origin = tuple[Any, ...]
"""The path of a value in the resolved spec: `("stacks", "decoder", "blocks", "block", "norm")`."""


@dataclass(frozen=True)
class HeadFact:
    """What a model makes of hidden states.

    kind    the `type` of the spec: language_model, classifier, projection, contrastive
    stack   whose hidden states it reads; "" where it compares several
    loss    what a loss of it compares:
            next_token     each score with the label one place later
            labels         each score with the label of its place
            softmax_pairs  rows and columns of scores, where equal places belong together
            sigmoid_pairs  each score by itself, likewise
            ""             no loss is written for it
    stacks  all that it reads
    pool    how a sequence becomes one vector: the `type` of the spec; "" where it does not
    """

    name: str
    kind: str
    stack: str
    loss: str = ""
    stacks: tuple[str, ...] = ()
    pool: str = ""


@dataclass(frozen=True)
class InitFact:
    """How fresh weights are drawn.

    kind          normal, truncated_normal, xavier, orthogonal
    std           standard deviation; None where the kind has none
    depth_scaled  are weights that write to the stream narrower by the root of how many do?
    """

    kind: str = "normal"
    std: float | None = None
    depth_scaled: bool = False


@dataclass(frozen=True)
class TokenFact:
    """Token ids with a meaning; None for one that nobody gave.

    eos            the first of those that end a text
    all_eos        all of them
    """

    bos: int | None = None
    eos: int | None = None
    pad: int | None = None
    decoder_start: int | None = None
    all_eos: tuple[int, ...] = ()


@dataclass(frozen=True)
class Reach:
    """One convolution of a stem, as far as it decides how many tokens there are.

    reach   how many numbers besides the first it needs for one result
    stride  its step
    """

    reach: int
    stride: int


@dataclass(frozen=True)
class InputFact:
    """What a stack reads first.

    kind          the `type` of the spec: tokens, patches, conv, features, learned, stack
    argument      its name in `forward`; "" where it is none
    axis          which axis of the argument counts what `tokens` is asked for
    convolutions  of a stem, in order; empty for all else
    """

    kind: str
    argument: str
    axis: int = 1
    convolutions: tuple[Reach, ...] = ()

    def tokens(self, length: int) -> int:
        """How many tokens so many frames become; without convolutions as many."""
        for layer in self.convolutions:
            length = max(0, (length - layer.reach - 1) // layer.stride + 1)
        return length


@dataclass(frozen=True)
class StackFact:
    """A stack of layers.

    max_positions  the longest sequence of the training; None where the spec names none
    order          the kind of block of every layer
    blocks         the kinds of blocks that the spec names, in its order
    reads          the stacks whose hidden states it reads
    vocab_size     entries of its table of tokens and of its language model; None where it has none
    heads          of the attention of its first block that has some; None where none has
    """

    name: str
    layers: int
    d_model: int
    max_positions: int | None = None
    order: tuple[str, ...] = ()
    blocks: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()
    vocab_size: int | None = None
    heads: int | None = None


def _nowhere(origin: Origin) -> Mark | None:
    return None


@dataclass(frozen=True, eq=False)
class SourceFact:
    """What a model was written in.

    name         the basename of the file, or the name given to `loads`; "" for a spec from Python
    model        the name of the model, as the spec says it
    sets         the `--set` changes that it was read with
    description  for the docstring
    family       decoder-only, encoder-only, encoder-decoder; "" for others
    """

    name: str = ""
    model: str = ""
    sets: tuple[str, ...] = ()
    description: str = ""
    family: str = ""
    find: Callable[[Origin], Mark | None] = field(default=_nowhere, repr=False)
    digest: Callable[[], str] = field(default=str, repr=False)

    @cached_property
    def sha(self) -> str:
        """SHA-256 of the resolved spec as sorted JSON, computed when it is asked for."""
        return self.digest()

    def mark(self, origin: Origin) -> Mark | None:
        """Where the value at a path was written, or the nearest one around it. None if nowhere."""
        return self.find(origin)

    def written(self, origin: Origin) -> Mark | None:
        """The same; of a default, where the part stands that it belongs to."""
        mark = self.find(origin)
        while mark is not None and mark.why == "default" and origin:
            origin = origin[:-1]
            mark = self.find(origin)
        return mark
