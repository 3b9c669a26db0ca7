"""Resolved specs: blocks, stacks, the model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal

from pydantic import PrivateAttr, ValidationInfo, model_validator

from ..display import Displayed
from .activation import Activation, Gelu
from .attention import Attention, CrossAttention
from .condition import Condition
from .embedding import Input, Tokens
from .feed_forward import FeedForward, MlpBranch
from .head import Head
from .initial import Init, Normal
from .mask_field import MaskField
from .masks import Atom
from .names import camel_case
from .norm import LayerNorm, Norm, Placement
from .order import LayerOrder
from .part import NOTHING, Inner, Many, Map, OneOf, Part
from .positions import Positions
from .residual import Residual, Sequential
from .scalars import BlockName, Entries, Flag, Id, Ids, Layers, ModelName, Name, Rate, Text, Width
from .sublayers import Sublayer

if TYPE_CHECKING:
    from pathlib import Path

    from .errors import Mark, SpecError
    from .source import Node


class Block(Part):
    """A layer: attention, cross-attention and feed-forward, each with a residual connection.

    attention: self-attention
    cross_attention: attention to another stack, `memory`. Options that are not set are those of
        `attention`; `mask` and `positions` do not apply
    feed_forward: the feed-forward network
    sublayers: a list of arbitrary branches instead of these three
    mask: attention mask, or a list of masks, each for an equal share of the heads
    positions: position encoding, or a list of them
    norm: which normalisation
    norm_placement: where each branch is normalised: before it (`pre`), after the residual addition
        (`post`), before it and on its output (`sandwich`), only on its output (`output`), or
        nowhere
    residual: how the outputs of branches are added to the residual stream
    condition: norms and gates that depend on a vector, such as a timestep or a class
    activation: default activation
    bias: whether linear layers have a bias, except in norms and heads
    dropout: dropout rate on embeddings, attention weights and branch outputs
    share: share the weights of all layers of this block
    """

    attention: Attention = NOTHING
    cross_attention: CrossAttention = NOTHING
    feed_forward: FeedForward = MlpBranch.model_construct()
    sublayers: Many[Sublayer] = ()
    mask: MaskField = Atom("full")
    positions: Positions = ()
    norm: Norm = LayerNorm.model_construct()
    norm_placement: Placement = "pre"
    residual: Residual = Sequential.model_construct()
    condition: Condition = NOTHING
    activation: Activation = Gelu.model_construct()
    bias: Flag = True
    dropout: Rate = 0
    share: Flag = False


class Stream(Part):
    """One of several streams of a stack: hidden states with two axes, (B, first, second, d_model),
    which the stack returns under the stream's name (AlphaFold 2; Jumper et al., 2021).

    d_model: width
    axes: names of its two axes; axes with the same name have the same length, in all streams. A
        stream of pairs has the same name twice
    input: its input, of type `features`: vectors (B, first, second, size)
    """

    d_model: Width
    axes: Many[Name]
    input: Input


class Stack(Part):
    """A stack of layers: an encoder or a decoder.

    layers: number of layers
    d_model: width of the hidden states
    vocab_size: size of the vocabulary
    max_positions: length of the longest training sequence, and size of a learned position table.
        Learned and sinusoidal positions are limited to it; rotary and relative positions are not
    input: what the stack reads; a list is joined to one sequence
    join: how a list is joined: `concatenate` along the sequence, or `interleave`: the first vectors
        of all inputs, then their second ones, and so on (Decision Transformer; Chen et al., 2021,
        arXiv:2106.01345). Interleaved inputs are `features` of the same length, and the vectors of
        a step have the same position
    streams: named streams, if the stack has several; see below
    positions: position encodings added to the input
    norm: which normalisation, also of the final norm
    condition: shift and scale of the final norm
    activation: default activation
    bias: default `bias`
    dropout: default dropout rate
    final_norm: normalise after the last layer; default: true, unless `norm_placement` is `post` or
        `norm` is `none`
    output_width: project the output to this width, if it differs from d_model
    blocks: named kinds of layers
    order: the name of the block of each layer
    """

    layers: Layers
    d_model: Width
    vocab_size: Entries | None = None
    max_positions: Entries | None = None
    input: Many[Input] = (Tokens.model_construct(),)
    join: OneOf[Literal["concatenate", "interleave"]] = "concatenate"
    streams: Map[Name, Inner[Stream]] = {}  # noqa: RUF012 - pydantic copies it
    positions: Positions = ()
    norm: Norm = LayerNorm.model_construct()
    condition: Condition = NOTHING
    activation: Activation = Gelu.model_construct()
    bias: Flag = True
    dropout: Rate = 0
    final_norm: Flag = True
    output_width: Width | None = None
    blocks: Map[BlockName, Inner[Block]]
    order: Inner[LayerOrder]


class SpecialTokens(Part):
    """Special token ids.

    pad: padding
    bos: beginning of a text
    eos: end of a text; a list if there are several
    decoder_start: first token of a decoder's output
    """

    pad: Id | None = None
    bos: Id | None = None
    eos: Ids | None = None
    decoder_start: Id | None = None


Resolver = Callable[[Mapping[str, Any]], dict[str, Any]]
_resolvers: list[Resolver] = []


def resolve_with(resolver: Resolver) -> None:
    """Register the function that resolves levels of data from Python."""
    _resolvers.append(resolver)


Family = OneOf[Literal["decoder-only", "encoder-only", "encoder-decoder"]]


class ModelSpec(Part, Displayed):
    """A model with all values resolved.

    `ModelSpec(name=…, stacks={…})` accepts what YAML accepts, and objects such as `Stack`, `Mha`.
    It raises pydantic's `ValidationError`; `load`, `loads` and `from_data` raise `SpecErrors`.

    name: name of the model, its class and its file
    description: text for the docstring of the model
    family: encoder, decoder or both
    stacks: named stacks, instead of `family`
    heads: named heads, instead of `head`
    init: weight initialisation
    tokens: special token ids: `pad`, `bos`, `eos` (a number or a list) and `decoder_start`. They
        are the defaults of `generate` and are written into tokenizers and exported folders. In an
        encoder they do not change the emitted file
    modelwright: version of the spec language
    """

    name: ModelName
    description: Text = ""
    family: Family | None = None
    stacks: Map[Name, Inner[Stack]]
    heads: Map[Name, Head] = {}  # noqa: RUF012 - pydantic copies it
    init: Init = Normal.model_construct()
    tokens: Inner[SpecialTokens] = SpecialTokens.model_construct()
    modelwright: OneOf[Literal[1]] = 1

    _tree: Node | None = PrivateAttr(None)
    _source_name: str = PrivateAttr("")
    _warnings: tuple[SpecError, ...] = PrivateAttr(())
    _notes: tuple[str, ...] = PrivateAttr(())
    _sets: tuple[str, ...] = PrivateAttr(())
    _bases: tuple[Path, ...] = PrivateAttr(())

    @model_validator(mode="before")
    @classmethod
    def _resolve(cls, data: Any, info: ValidationInfo) -> Any:
        """Resolve the levels of data from Python; `load` has already done so."""
        if isinstance(info.context, dict) and info.context.get("resolved"):
            return data
        return _resolvers[-1](data) if isinstance(data, dict) else data

    @property
    def class_name(self) -> str:
        """The name of the emitted class."""
        return camel_case(self.name)

    @property
    def source_name(self) -> str:
        """Base name of the file that the spec was read from, or the `name` given to `loads`."""
        return self._source_name

    @property
    def tree(self) -> Node:
        """The resolved data with the location of each value; `spec.locate` finds paths in it.

        Raises ValueError for a spec that was not read from YAML.
        """
        if self._tree is None:
            raise ValueError("this spec was not read from YAML, so its values have no locations")
        return self._tree

    @property
    def bases(self) -> tuple[Path, ...]:
        """The files that were read because of `extends`, without symbolic links."""
        return self._bases

    @property
    def sets(self) -> tuple[str, ...]:
        """The `--set` changes with which the spec was read."""
        return self._sets

    @property
    def warnings(self) -> tuple[str, ...]:
        """Messages about what is valid but probably a mistake, with file, line and column."""
        return tuple(f"{warning.mark}: {warning.message}" for warning in self._warnings)

    @property
    def located_warnings(self) -> tuple[SpecError, ...]:
        """The warnings as objects with a mark, a message and a hint."""
        return self._warnings

    @property
    def notes(self) -> tuple[str, ...]:
        """Messages about options that were dropped because a `type` changed, each with its
        location.
        """
        return self._notes

    @property
    def sha(self) -> str:
        """SHA-256 of the canonical form: the resolved data as sorted JSON."""
        import hashlib
        import json

        data = self.model_dump(mode="json", by_alias=True)
        text = json.dumps(data, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    def mark(self, path: str | tuple[str | int, ...]) -> Mark | None:
        """Where a value was written: file, line and column of its start and end.

        path: path of attributes, such as `"stacks.decoder.blocks.block.attention.heads"`, or a
            tuple of them; list items by number: `"stacks.decoder.blocks.block.positions.0.theta"`

        Values set by the family are located at the word `family`, with `why="family"`; values of
        `--set` have `why="--set"` and columns in the change. Returns None for defaults, unknown
        paths, and specs that were not read from YAML.
        """
        from .locate import locate, steps

        tree = self._tree
        place = None if tree is None else locate(tree, steps(path))
        written = place is not None and place.found and place.mark.why != "default"
        return place.mark if place is not None and written else None

    def nearest_mark(self, path: str | tuple[str | int, ...]) -> Mark | None:
        """As `mark`, but for a value that is not written, the location of the nearest part around
        it.

        It has `why="default"` if that part was filled in by defaults. Returns None when the spec
        was not read from a text.
        """
        from .locate import locate, steps

        tree = self._tree
        return None if tree is None else locate(tree, steps(path)).mark

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ModelSpec) and self.__dict__ == other.__dict__

    def __hash__(self) -> int:
        return hash(self.sha)


# The written keys of each level. Some are resolved while loading and have no field.
BLOCK_KEYS = frozenset(Block.model_fields)
STACK_KEYS = frozenset(Stack.model_fields) - {"order"} | {"pattern", "overrides", "extends"}
ONLY_MODEL = (frozenset(ModelSpec.model_fields) | {"encoder", "decoder", "head", "extends"}) - {
    "blocks"
}
WRITTEN = {
    "extends": "start from another spec; in a stack: from a stack of it, `file.yaml#stack`",
    "encoder": "changes to the family's encoder",
    "decoder": "changes to the family's decoder",
    "head": "the output head; `head: x` is short for `heads: {head: x}`",
    "pattern": "list of blocks, `name` or `name * n`, repeated or cut off to fill `layers`",
    "overrides": "exceptions: layer `0`, `-1` or range `0..2` -> the name of a block, or a block",
}
"""Keys without a field, which are resolved while a spec is loaded."""
