"""Shared helpers for messages and class names."""

from __future__ import annotations

from ..spec.errors import choices
from ..spec.names import camel_case

__all__ = ["camel_case", "choices"]
