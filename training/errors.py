"""The error of this part of the package."""

from __future__ import annotations


class TrainingError(Exception):
    """Text, a tokenizer, token files or settings cannot be used; the message says which and why."""
