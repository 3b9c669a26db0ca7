"""Errors of training."""

from __future__ import annotations

from .emitted.files import TrainingError

__all__ = ["TrainingError"]
