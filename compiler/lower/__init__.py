"""Lowering: turn spec components into ops, scopes and values."""

from .model import lower_spec

__all__ = ["lower_spec"]
