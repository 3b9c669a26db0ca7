"""What a family's template reads in config.json.

A leaf of a template is a value of the spec, or something to call with the config's values: a
`Key`, a `Multiple`, or any function of them. None means that the spec does not say it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Values = Mapping[str, Any]
Read = Callable[[Values], Any]


class RefusedError(Exception):
    """A value of config.json that is not supported; `str()` says which and why."""


class OtherFamilyError(Exception):
    """A spec that no config.json of a family says."""


@dataclass(frozen=True)
class Key:
    """A value of config.json.

    words: what its words mean here; another word is refused
    read: makes of it what the spec says
    """

    name: str
    words: Mapping[str, str] | None = None
    read: Callable[[Any], Any] | None = None

    def __call__(self, values: Values) -> Any:
        value = values[self.name]
        if value is None:
            return None
        if self.words is not None:
            if value not in self.words:
                known = ", ".join(self.words)
                raise RefusedError(
                    f"`{self.name}: {value}` is not supported yet; supported: {known}"
                )
            return self.words[value]
        return self.read(value) if self.read is not None else value


@dataclass(frozen=True)
class Multiple:
    """A size of config.json that is written `4 * d_model` where it is four times another."""

    name: str
    of: str = "hidden_size"
    factor: int = 4

    def __call__(self, values: Values) -> Any:
        size = values[self.name]
        return f"{self.factor} * d_model" if size == self.factor * values[self.of] else size


@dataclass(frozen=True)
class Only:
    """What the spec says where a key of config.json has one value; else what `other` says."""

    name: str
    value: Any
    then: Any
    other: Any = None

    def __call__(self, values: Values) -> Any:
        return filled(self.then if values[self.name] == self.value else self.other, values)


@dataclass(frozen=True)
class IfSet:
    """What the spec says where a key of config.json is neither null nor false nor 0."""

    name: str
    then: Any
    other: Any = None

    def __call__(self, values: Values) -> Any:
        return filled(self.then if values[self.name] else self.other, values)


@dataclass(frozen=True, eq=False)
class Row:
    """Something that is read out of several keys, and how it is written back into them.

    read: what the spec says, from the config's values
    write: what config.json says, from what the spec says
    """

    read: Read
    write: Callable[[Any], dict[str, Any]]

    def __call__(self, values: Values) -> Any:
        return self.read(values)


def filled(template: Any, values: Values, problems: list[str] | None = None) -> Any:
    """The template with the config's values in it; what is None there is left out.

    RefusedError values become `problems` where a list for them is given.
    """
    if isinstance(template, Mapping):
        inner = {key: filled(value, values, problems) for key, value in template.items()}
        return {key: value for key, value in inner.items() if value not in (None, {})}
    if isinstance(template, (list, tuple)):
        return [filled(value, values, problems) for value in template]
    if not callable(template):
        return template
    if problems is None:
        return template(values)
    try:
        return template(values)
    except RefusedError as error:
        problems.append(str(error))
        return None


# Names of activations in config.json; `ACT2FN` in the library has more that no one uses here.
ACTIVATIONS = {
    "gelu": "gelu",
    "gelu_fast": "gelu_tanh",
    "gelu_new": "gelu_tanh",
    "gelu_python": "gelu",
    "gelu_pytorch_tanh": "gelu_tanh",
    "linear": "identity",
    "quick_gelu": "quick_gelu",
    "relu": "relu",
    "relu2": "relu2",
    "sigmoid": "sigmoid",
    "silu": "silu",
    "swish": "silu",
    "tanh": "tanh",
}


def activation(name: str) -> Key:
    """The activation that a key names."""
    return Key(name, words=ACTIVATIONS)


def first(value: Any) -> Any:
    """The first of several ids: the spec has one `eos`."""
    return value[0] if isinstance(value, list) and value else value
