"""What a model family is to the importer: rows that say which config key and tensor is what.

A family is data. Its `spec` is written as a spec is, with something to call where config.json has
a say (`values.py`); its `names` pair our modules with those of the checkpoint.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from .defaults import Keys, keys, library_defaults
from .layers import Layer
from .layouts import Layout
from .values import Values, filled

if TYPE_CHECKING:
    from torch import Tensor

Names = Mapping[Any, str | Layout]
"""Our module or weight, or several that are fused, to the checkpoint's; `{}` numbers the layer."""


@dataclass(frozen=True, kw_only=True)
class Head:
    """What one class of the library puts on top of the hidden states.

    spec: the keys that it adds to the family's
    names: our modules, or weights, to the checkpoint's
    prefix: what may stand before the names of this class, where it is not the family's
    optional: left out where the checkpoint has none of its tensors
    unused: tensors that the file may hold and this class does not read
    copies: tensors that must equal another one of the file, which they are tied to; `separate` is
        true in the values where nothing is tied and they do not
    instead: tensors to those of the file that are read in their place where it has them, as the
        library reads the bias of an output table of its own
    untied: output table to input table: where a file has both and they differ, its output table
        wins over `tie_word_embeddings: true`
    always_tied: whether `tie_word_embeddings` is not asked, and only the file can untie; what the
        config says then stands as `tied_as_written`
    fixed: config keys that are supported at one value only, beyond the family's
    defaults: values of config keys that this class alone has otherwise
    partial: the class has more weights than are read, so that nothing is exported as it
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

    reads: keys that matter and are not null, besides those of `own_defaults`; for a config.json
        that lacks one, `defaults.json` has the library's value
    own_defaults: values of keys that the library's config class lacks
    optional: keys that may be null, and what they are otherwise; null is their default unless
        `defaults` says another
    aliases: older keys to those of today
    fixed: keys that are supported at one value only, which is the library's default
    irrelevant: keys that do not change what the model computes, beyond `IRRELEVANT`
    spec: the spec, with something to call where a value of config.json belongs
    layers: the blocks of the layers, where they differ, from the config's values; merged into the
        stack `layers_of` ("": the spec itself)
    last: what is written after the head
    names: our modules to the checkpoint's, or a function of the config's values that gives them
    prefix: what may stand before the names of the checkpoint
    renamed: endings of older checkpoints to those of today
    unused: tensors that a file may hold and no model reads, or a function that gives them
    heads: class name to head; the first is taken when config.json names none
    inside: the key of config.json that holds the model's own, where others stand beside it
    parts: keys of config.json that hold the config of a part, and the family of that part; its
        values stand under the same key
    other: the family of the classes that have all parts, where this one reads one of them, or of
        those that have the decoder alone
    derived: tensors that the library stores and which are no weights, but follow from the config
    back: the keys of config.json that no row alone can write back, from a spec that may be of this
        family; it may guess, and raise OtherFamilyError for a spec of another
    note: what the head of the imported YAML says of this family, a text or a function of values
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
        """The values of the keys that are read, for a config.json that lacks them."""
        return {**library_defaults(self.entry, self.entry_keys), **self.own_defaults}

    @property
    def entry(self) -> str:
        """The name of this family in `defaults.json`: its type, and the part that it reads."""
        return f"{self.model_type}/{self.inside}" if self.inside else self.model_type

    @property
    def entry_keys(self) -> Keys:
        """The keys whose values `defaults.json` has."""
        return keys(self.reads, without=self.own_defaults)


@dataclass(frozen=True, eq=False)
class Tower:
    """A stack that is said as the family of a part says it.

    key: of config.json, under which the values of the part stand
    more: what the stack says besides
    """

    key: str
    part: Family
    more: Mapping[str, Any] = field(default_factory=dict)

    def __call__(self, values: Values) -> dict[str, Any]:
        spec = {name: value for name, value in self.part.spec.items() if name != "family"}
        return {**filled(spec, values[self.key]), **self.more}
