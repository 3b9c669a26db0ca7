"""The judge of imported models: what is equal to the library's, what is not, and why."""

from __future__ import annotations
