"""What all floors say alike: the nearest right answer in a message, names of classes."""

from __future__ import annotations

from ..spec.errors import choices
from ..spec.names import camel_case

__all__ = ["camel_case", "choices"]
