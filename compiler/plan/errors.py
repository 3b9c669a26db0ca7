"""The error of a plan that cannot be made."""

from __future__ import annotations


class PlanError(ValueError):
    """An option of a plan is invalid; the message names the option, its value and a correction."""
