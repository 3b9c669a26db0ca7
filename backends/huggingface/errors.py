"""Errors of import and export."""

from __future__ import annotations

from ..checkpoint_errors import CheckpointError

__all__ = ["CheckpointError", "ExportError"]


class ExportError(ValueError):
    """A model cannot be exported; the message gives the reason."""
