"""Testing a compiled model against a reference implementation and known invariants.

    report = mw.verify("gpt2.yaml")
    print(report.render())
    assert not report.failures

Importing this module imports torch.
"""

from __future__ import annotations

from .laws import LAWS, Law
from .levels import read_document
from .report import Finding, Report
from .ship import ship
from .shrink import shrink
from .subject import UnknownError
from .verify import verify

__all__ = [
    "LAWS",
    "Finding",
    "Law",
    "Report",
    "UnknownError",
    "read_document",
    "ship",
    "shrink",
    "verify",
]
