"""Placeholder for the file of a teacher that `modelwright build` writes."""

from __future__ import annotations

from .model import Model as Model
