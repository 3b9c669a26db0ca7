"""Random specs, valid and broken: generation, checks and shrinking."""

from __future__ import annotations
