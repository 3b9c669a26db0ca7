"""Errors of training."""

from __future__ import annotations


class TrainingError(Exception):
    """Text, a tokenizer, token files or settings are invalid; the message says which and why."""
