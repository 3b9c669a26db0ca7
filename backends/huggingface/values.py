"""Callables of a family's template that read config.json.

A leaf of a template is a constant, or a callable that gets the config's values: a `Key`, a
`Multiple`, or any function. None means that the key is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Values = Mapping[str, Any]
Read = Callable[[Values], Any]


class RefusedError(Exception):
    """A value of config.json is not supported; the message says which and why."""


class OtherFamilyError(Exception):
    """A spec belongs to another family."""


@dataclass(frozen=True)
class Key:
    """A value of config.json.

    words: mapping of allowed words to their values in a spec; other words raise an error
    read: converts the value to that of the spec
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
    """A size of config.json, written as `4 * d_model` if it is four times the width."""

    name: str
    of: str = "hidden_size"
    factor: int = 4

    def __call__(self, values: Values) -> Any:
        size = values[self.name]
        return f"{self.factor} * d_model" if size == self.factor * values[self.of] else size


@dataclass(frozen=True)
class Only:
    """The value of the spec if a key of config.json has a given value; else `other`."""

    name: str
    value: Any
    then: Any
    other: Any = None

    def __call__(self, values: Values) -> Any:
        return filled(self.then if values[self.name] == self.value else self.other, values)


@dataclass(frozen=True)
class IfSet:
    """The value of the spec if a key of config.json is truthy."""

    name: str
    then: Any
    other: Any = None

    def __call__(self, values: Values) -> Any:
        return filled(self.then if values[self.name] else self.other, values)


@dataclass(frozen=True, eq=False)
class Row:
    """A value that depends on several keys, and how to write it back.

    read: from the config's values to the value of the spec
    write: from the value of the spec to keys of config.json
    """

    read: Read
    write: Callable[[Any], dict[str, Any]]

    def __call__(self, values: Values) -> Any:
        return self.read(values)


def filled(template: Any, values: Values, problems: list[str] | None = None) -> Any:
    """Fill in a template with the config's values; keys with None are left out.

    If a list of `problems` is given, RefusedErrors are appended to it instead of raised.
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


# Names of activations in config.json (a subset of the library's `ACT2FN`).
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
    """The activation of a key."""
    return Key(name, words=ACTIVATIONS)


def first(value: Any) -> Any:
    """The first of several ids."""
    return value[0] if isinstance(value, list) and value else value
