"""Mutants: small faults planted in the compiler, and whether the laws and the tests find them."""

from __future__ import annotations
