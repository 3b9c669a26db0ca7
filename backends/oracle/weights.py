"""The weights of a model by logical name, with a record of which were read."""

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


class OracleError(Exception):
    """Spec and weights do not match: a weight is missing, misshapen or unused."""


class UnknownOptionError(OracleError):
    """An option is not supported by the oracle."""


def unknown(what: str) -> UnknownOptionError:
    """The error for an unsupported option, to be raised."""
    return UnknownOptionError(f"the oracle does not know {what}")


def has_bias(part: Any, layer: str) -> bool:
    """Whether a linear layer of a part has a bias; `bias` is a boolean or a list of layers."""
    return part.bias if isinstance(part.bias, bool) else layer in (part.bias or ())


class Weights:
    """A view of a state dict below a prefix. `weights("query.weight")` reads and records it.

    routed: by prefix of a mixture of experts: the mixture, and for each token the load and the
    probability of each expert and the squared log-sum-exp of its logits
    """

    def __init__(
        self, arrays: Mapping[str, Array], prefix: str = "", whole: "Weights | None" = None
    ) -> None:
        self.arrays, self.prefix = arrays, prefix
        self.read: set[str] = set() if whole is None else whole.read
        self.routed: dict[str, list[Any]] = {} if whole is None else whole.routed

    def __call__(self, name: str, *shape: int) -> Array:
        """The weight in float64. Raises OracleError if it is missing or has another shape."""
        full = self.prefix + name
        if full not in self.arrays:
            raise OracleError(f"the weight `{full}` of the spec is missing")
        self.read.add(full)
        value = np.asarray(self.arrays[full], np.float64)
        if shape and value.shape != shape:
            raise OracleError(f"weight `{full}` has shape {value.shape}; the spec says {shape}")
        return value

    def below(self, prefix: str) -> Self:
        """The same weights with one more prefix, such as `layers.0`."""
        return type(self)(self.arrays, f"{self.prefix}{prefix}.", self)

    def linear(self, name: str, x: Array, out: int, *, bias: bool) -> Array:
        """x W^T (+ b), over the last axis: (..., in) -> (..., out)."""
        y: Array = x @ self(f"{name}.weight", out, x.shape[-1]).T
        return y + self(f"{name}.bias", out) if bias else y
