"""What the lowering functions of one stack share."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..axes import Dim
from ..sizes import Size

if TYPE_CHECKING:
    from ...spec.model import ModelSpec, Stack


@dataclass(eq=False)
class Memory:
    """The hidden states of a stack, as another stack's cross-attention reads them."""

    value: str
    attention_mask: str
    width: Dim


@dataclass(eq=False)
class StackState:
    name: str
    spec: ModelSpec
    stack: Stack
    scope: str
    width: Dim
    cached: bool
    memories: dict[str, Memory]
    ids: str = ""
    float32: bool = False  # may the stream be wider than the weights? See `Joining.float32`
    padded: bool = True  # may some of its tokens be no real ones, as `attention_mask` says?
    arguments: dict[str, str] = field(default_factory=dict)  # role -> value id
    argument_names: dict[str, str] = field(default_factory=dict)  # role -> name in forward
    positions: dict[str, str] = field(default_factory=dict)  # counting rule -> value id
    grid: tuple[Size, Size] | None = None  # patches of an image below, and beside one another
    front: Size | None = None  # tokens in front of them that have positions
    registers: Size = field(default_factory=lambda: Size.of(0))  # and behind these, without
    placed: Size | None = None  # how many of its tokens have positions, where its input decides
    table_width: Dim | None = None
    table: str = ""  # logical name of the token table
    vocab_size: Size | None = None
    relative_bias: dict[str, str] = field(default_factory=dict)  # what shared tables add to scores
    relative_embedding: dict[str, str] = field(default_factory=dict)  # shared tables of vectors
