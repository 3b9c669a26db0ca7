"""The one error of the oracle."""

from __future__ import annotations

from typing import NoReturn


class OracleError(Exception):
    """The oracle cannot judge: an unknown option, a missing weight, or a weight it never read."""


def unknown(what: str) -> NoReturn:
    """Raise OracleError for something that is not implemented here."""
    raise OracleError(f"the oracle does not know {what}")
