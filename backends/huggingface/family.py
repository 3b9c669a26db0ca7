"""Model families as data: which config keys and tensors correspond to which part of a spec.

`spec` of a family looks like a spec, with callables for values that come from config.json
(`values.py`); `names` maps our modules to those of the checkpoint.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from .defaults import Keys, keys, library_aliases, library_defaults
from .layers import Layer
from .layouts import Layout
from .values import Values, filled

if TYPE_CHECKING:
    from torch import Tensor

Names = Mapping[Any, str | Layout]
"""Our modules or weights (several if they are fused) -> those of the checkpoint; `{}` is the
layer index."""


@dataclass(frozen=True, kw_only=True)
class Head:
    """The head of one class of the library.

    spec: keys that it adds to the family's spec
    names: our modules or weights -> those of the checkpoint
    prefix: optional prefix of tensor names, if it differs from the family's
    optional: omit the head if the checkpoint has none of its tensors
    unused: tensors that a file may contain but this class does not use
    copies: tensors that must equal the one they are tied to; if they differ and are not tied,
        `separate` is true in the values
    instead: tensor -> another one that is read in its place if the file has it, such as the bias of
        an untied output projection
    untied: output projection -> token embedding: if a file has both and they differ, they are
        untied in spite of `tie_word_embeddings: true`
    always_tied: ignore `tie_word_embeddings` and untie only if the file has two different ones;
        the config's value is then available as `tied_as_written`
    fixed: further config keys that are supported at one value only
    defaults: defaults of config keys that differ for this class
    partial: the class has weights that are not imported, so models are not exported as this class
    """

    spec: Mapping[str, Any] = field(default_factory=dict)
    names: Names = field(default_factory=dict)
    prefix: str = ""
    optional: bool = False
    unused: tuple[str, ...] = ()
    copies: Mapping[str, str] = field(default_factory=dict)
    instead: Mapping[str, str] = field(default_factory=dict)
    untied: Mapping[str, str] = field(default_factory=dict)
    always_tied: bool = False
    fixed: Mapping[str, Any] = field(default_factory=dict)
    defaults: Mapping[str, Any] = field(default_factory=dict)
    partial: bool = False


@dataclass(frozen=True, kw_only=True)
class Family:
    """One `model_type`.

    reads: keys that affect the model and cannot be null, besides those of `own_defaults`; missing
        ones have the library's default from `defaults.json`
    own_defaults: defaults of keys that the library's config class does not have
    optional: keys that may be null -> their type otherwise; the default is null, unless `defaults`
        has another
    aliases: other name of a key -> the key, besides those of the library's `attribute_map`
    fixed: keys that are supported at one value only -> this value
    irrelevant: keys that do not affect the model, in addition to `IRRELEVANT`
    spec: the spec, with callables for values that come from config.json
    layers: if layers differ, a function from values to the block of each layer; merged into the
        stack `layers_of` ("": the spec itself)
    last: keys that are written after the head
    names: our modules -> those of the checkpoint, or a function from values to this mapping
    prefix: optional prefix of tensor names
    renamed: ending of a tensor name in older checkpoints -> current ending
    unused: tensors that a file may contain but no class uses, or a function that returns them
    heads: class name -> head; the first one is the default
    inside: key of config.json that contains this model's config, if there are several
    parts: key of config.json that contains the config of a part -> family of that part; its values
        have the same key
    other: family of the classes with all parts, if this family reads only one; or of the
        decoder-only classes
    derived: stored tensors that are not weights but follow from the config
    back: config keys that cannot be written back row by row, from a spec. It may guess, and raises
        OtherFamilyError for a spec of another family
    note: comment at the top of the imported YAML, a text or a function from values to it
    """

    model_type: str
    reads: Keys
    own_defaults: Mapping[str, Any] = field(default_factory=dict)
    optional: Mapping[str, type] = field(default_factory=dict)
    aliases: Mapping[str, str] = field(default_factory=dict)
    fixed: Mapping[str, Any] = field(default_factory=dict)
    irrelevant: frozenset[str] = frozenset()
    spec: Mapping[str, Any]
    layers: Callable[[Values], Sequence[Layer]] | None = None
    layers_of: str = ""
    last: Mapping[str, Any] = field(default_factory=dict)
    names: Names | Callable[[Values], Names]
    prefix: str = ""
    renamed: Mapping[str, str] = field(default_factory=dict)
    unused: tuple[str, ...] | Callable[[Values], tuple[str, ...]] = ()
    heads: Mapping[str, Head]
    inside: str = ""
    parts: Mapping[str, Family] = field(default_factory=dict)
    other: Family | None = None
    derived: Callable[[Values], Mapping[str, Tensor]] | None = None
    back: Callable[[Any], Mapping[str, Any]] | None = None
    note: str | Callable[[Values], str] = ""

    @cached_property
    def defaults(self) -> Mapping[str, Any]:
        """Defaults of all keys that are read."""
        return {**library_defaults(self.entry, self.entry_keys), **self.own_defaults}

    @cached_property
    def other_names(self) -> Mapping[str, str]:
        """Other name of a key -> the key; the library lets the other name win."""
        own = self.defaults.keys() | self.optional.keys() | self.fixed.keys()
        known = library_aliases(self.entry)
        return {**{old: key for old, key in known.items() if old not in own}, **self.aliases}

    @property
    def entry(self) -> str:
        """Name of the entry in `defaults.json`: model type and, if any, part."""
        return f"{self.model_type}/{self.inside}" if self.inside else self.model_type

    @property
    def entry_keys(self) -> Keys:
        """The keys of the entry in `defaults.json`."""
        return keys(self.reads, without=self.own_defaults)


@dataclass(frozen=True, eq=False)
class Tower:
    """A stack that is described by the family of a part.

    key: key of config.json that contains the part's config
    more: additional keys of the stack
    """

    key: str
    part: Family
    more: Mapping[str, Any] = field(default_factory=dict)

    def __call__(self, values: Values) -> dict[str, Any]:
        spec = {name: value for name, value in self.part.spec.items() if name != "family"}
        return {**filled(spec, values[self.key]), **self.more}
