"""Facts about a model besides its ops: heads, inputs, stacks, tokens and source.

Lowering adds them to the `ModuleGraph`. Backends read facts, never the spec.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from ..spec.errors import Mark
from .sizes import Size

Origin = tuple[Any, ...]
"""The path of a value in the resolved spec: `("stacks", "decoder", "blocks", "block", "norm")`."""


@dataclass(frozen=True)
class HeadFact:
    """An output head.

    kind    the `type` of the spec: language_model, classifier, projection, contrastive, patches
    stack   the stack that it reads; "" if it compares several
    loss    the loss:
            next_token     cross-entropy with the next label
            labels         cross-entropy with the label at the same position
            softmax_pairs  cross-entropy over rows and columns; pairs with equal index match
            sigmoid_pairs  sigmoid loss of each pair, likewise
            softmax_towers, sigmoid_towers  the same for each pair of several towers
            squares        mean squared error
            ""             no loss
    stacks  all stacks that it reads
    pool    `type` of its pool; "" if there is none
    """

    name: str
    kind: str
    stack: str
    loss: str = ""
    stacks: tuple[str, ...] = ()
    pool: str = ""


@dataclass(frozen=True)
class InitFact:
    """Weight initialisation.

    kind          normal, truncated_normal, xavier, orthogonal
    std           standard deviation; None if the kind has none
    depth_scaled  residual projections scaled by 1/sqrt(number of branches) (GPT-2)
    """

    kind: str = "normal"
    std: float | None = None
    depth_scaled: bool = False


@dataclass(frozen=True)
class TokenFact:
    """Special token ids; None if not set.

    eos            the first of the end tokens
    all_eos        all end tokens
    """

    bos: int | None = None
    eos: int | None = None
    pad: int | None = None
    decoder_start: int | None = None
    all_eos: tuple[int, ...] = ()


@dataclass(frozen=True)
class Reach:
    """The kernel and stride of a convolution, which determine the number of tokens.

    reach   number of inputs of one output, minus 1
    stride  stride
    """

    reach: int
    stride: int


@dataclass(frozen=True)
class InputFact:
    """The first input of a stack.

    kind          the `type` of the spec: tokens, patches, conv, features, learned, stack;
                  `conv_image` is a `conv` over two axes
    argument      its name in `forward`; "" if it is not an argument
    axis          the axis of the argument whose length is given to `tokens`; may be negative
    convolutions  those of a convolutional stem, in order
    stack         the stack whose output it is; "" for other inputs
    skip          number of its leading vectors that are left out
    prefix        number of learned tokens in front of its vectors; 0 for images, whose number of
                  tokens is known
    """

    kind: str
    argument: str
    axis: int = 1
    convolutions: tuple[Reach, ...] = ()
    stack: str = ""
    skip: int = 0
    prefix: int = 0

    def tokens(self, length: int) -> int:
        """Number of tokens for this number of vectors or frames, with the learned ones."""
        for layer in self.convolutions:
            length = max(0, (length - layer.reach - 1) // layer.stride + 1)
        return length + self.prefix

    def frames(self, tokens: int) -> int:
        """Number of vectors or frames for this number of tokens; the largest of a padded stem, of
        which each convolution has exactly one output per `stride` inputs.
        """
        length = tokens - self.prefix
        for layer in reversed(self.convolutions):
            shorter = layer.stride - 1 if layer.reach else 0
            length = length * layer.stride + layer.reach - shorter
        return length


@dataclass(frozen=True)
class PartFact:
    """One of the inputs that are joined to the sequence of a stack.

    letter    the letter of its length: T1, T2, …
    input     what it is
    length    its number of vectors if it is given; None if that depends on the argument
    optional  whether it may be absent
    """

    letter: str
    input: InputFact
    length: Size | None = None
    optional: bool = False


@dataclass(frozen=True)
class StackFact:
    """A stack of layers.

    max_positions  the longest training sequence; None if not set
    order          the block of each layer
    blocks         the names of the spec's blocks, in order
    reads          the stacks that it reads
    inputs         those whose vectors are among its inputs
    vocab_size     size of its vocabulary; None if it has none
    heads          attention heads of the first block that has some; None if none has
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
    inputs: tuple[str, ...] = ()


def _nowhere(origin: Origin) -> Mark | None:
    return None


@dataclass(frozen=True, eq=False)
class SourceFact:
    """The source of a model.

    name         basename of the file, or the name given to `loads`; "" for a spec from Python
    model        name of the model in the spec
    sets         the `--set` changes
    description  text for the docstring
    family       decoder-only, encoder-only, encoder-decoder, or ""
    plugins      files of the plug-ins that the spec uses
    find         path -> the place where its value was written
    digest       SHA-256 of the resolved spec
    unused       paths of the options that would be errors if every value were written
    """

    name: str = ""
    model: str = ""
    sets: tuple[str, ...] = ()
    description: str = ""
    family: str = ""
    plugins: tuple[str, ...] = ()
    find: Callable[[Origin], Mark | None] = field(default=_nowhere, repr=False)
    digest: Callable[[], str] = field(default=str, repr=False)
    unused: Callable[[], set[Origin]] = field(default=set, repr=False)

    @cached_property
    def sha(self) -> str:
        """SHA-256 of the resolved spec as sorted JSON, computed on demand."""
        return self.digest()

    def mark(self, origin: Origin) -> Mark | None:
        """Where the value at a path was written, or the nearest enclosing one; else None."""
        return self.find(origin)

    def written(self, origin: Origin) -> Mark | None:
        """The same; for a default, the place of the enclosing part."""
        mark = self.find(origin)
        while mark is not None and mark.why == "default" and origin:
            origin = origin[:-1]
            mark = self.find(origin)
        return mark
