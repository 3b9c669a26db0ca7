"""Random specs, valid and broken: what makes them, what they must pass, and how they shrink."""

from __future__ import annotations
