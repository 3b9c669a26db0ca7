"""What the importer and the exporter raise."""

from __future__ import annotations

from ..checkpoint_errors import CheckpointError

__all__ = ["CheckpointError", "ExportError"]


class ExportError(ValueError):
    """A model that cannot be exported; the message says why."""
