"""The one error of the oracle."""

from __future__ import annotations


class OracleError(Exception):
    """The oracle cannot judge: an unknown option, a missing weight, or a weight it never read."""


def unknown(what: str) -> OracleError:
    """The error for something that is not computed here, to be raised."""
    return OracleError(f"the oracle does not know {what}")
