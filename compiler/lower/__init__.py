"""Lowering: spec components become ops, scopes and values."""

from .model import lower_spec

__all__ = ["lower_spec"]
