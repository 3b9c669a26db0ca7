"""Names of classes and files that follow from names in a spec."""

from __future__ import annotations

from ..spec.names import camel_case

__all__ = ["camel_case"]
