"""State shared by the lowering functions of one stack."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..axes import Dim, T
from ..sizes import Size

if TYPE_CHECKING:
    from ...spec.model import ModelSpec, Stack
    from .streams import Streams


@dataclass(eq=False)
class Memory:
    """The hidden states of a stack that another stack reads."""

    value: str
    attention_mask: str
    width: Dim
    halves: Dim | None = None  # of a bidirectional recurrence: the width of each direction
    length: Size | None = None  # number of tokens, if the input of that stack determines it
    state: StackState | None = None  # of that stack


@dataclass(eq=False)
class StackState:
    name: str
    spec: ModelSpec
    stack: Stack
    scope: str
    width: Dim
    cached: bool
    memories: dict[str, Memory]  # the stacks that it attends to or pools
    sources: dict[str, Memory] = field(default_factory=dict)  # the stacks that are its inputs
    follows: StackState | None = None  # the stack whose output is its sequence
    absent: bool = False  # whether its input may be absent
    ids: str = ""
    direction: Dim | None = None  # width of each direction of a bidirectional recurrence
    branch: str = ""  # the name of the branch that is being lowered
    float32: bool = False  # whether the residual stream is float32, see `Joining.float32`
    padded: bool = True  # whether it can have padding
    arguments: dict[str, str] = field(default_factory=dict)  # role -> value id
    argument_names: dict[str, str] = field(default_factory=dict)  # role -> name in forward
    positions: dict[str, str] = field(default_factory=dict)  # counting rule -> value id
    grid: tuple[Size, ...] | None = None  # rows and columns of patches; frames first
    image: tuple[tuple[Size, Size], Size] | None = None  # height and width, size of a patch
    around: tuple[Size | None, Size | None] | None = None  # of an image among joined inputs
    patches: Size | None = None  # number of patches of the image
    front: Size | None = None  # prefix tokens, with positions
    registers: Size = field(default_factory=lambda: Size.of(0))  # tokens without positions
    own: Dim = T  # the length of its argument, without learned tokens
    unmasked: Size = field(default_factory=lambda: Size.of(0))  # learned tokens outside its mask
    beside: tuple[Size | None, Size | None] | None = None  # joined inputs: vectors outside its mask
    masked: StackState | None = None  # the joined input whose padding the mask marks
    joined: str = ""  # the sequence of joined inputs
    turn: int = 1  # number of tokens with the same position: those of a step of interleaved inputs
    masks: dict[str, str] = field(default_factory=dict)  # scope -> mask of its padding there
    places: str = ""  # the vectors that are added to queries and keys
    placed_memories: dict[str, str] = field(default_factory=dict)  # stack -> with its `places`
    placed: Size | None = None  # number of tokens with positions, if the input determines it
    table_width: Dim | None = None
    table: str = ""  # logical name of the token embedding
    vocab_size: Size | None = None
    streams: Streams | None = None  # of a stack with several
    condition: str = ""  # the vector that shifts and scales norms, (B, D)
    relative_bias: dict[str, str] = field(default_factory=dict)  # biases from shared tables
    relative_embedding: dict[str, str] = field(default_factory=dict)  # shared position tables
