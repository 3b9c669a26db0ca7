"""Compare imported models with the library's: which are equal, which are not, and why."""

from __future__ import annotations
