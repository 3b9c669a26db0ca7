"""The report of `verify`: one finding per law."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from html import escape
from typing import Any

from ...tables import html_table


@dataclass(frozen=True)
class Finding:
    """The result of one law.

    error, bound: largest error and its bound; None if the law is not applicable or raised
    where: output and index, or weight, of the largest error
    note: why the law is not applicable, or what it excludes
    """

    law: str
    says: str
    holds: bool
    error: float | None = None
    bound: float | None = None
    where: str = ""
    note: str = ""
    seconds: float = 0.0

    @property
    def applies(self) -> bool:
        return self.error is not None or not self.holds

    def to_json(self) -> dict[str, Any]:
        """Plain data; an error is null if it is NaN or infinite, or if the law raised."""
        made = asdict(self)
        if self.error is not None and not math.isfinite(self.error):
            made["error"] = None
        return made


@dataclass(frozen=True)
class Report:
    """All findings for one model.

    sizes: how the sizes of the spec were reduced
    """

    name: str
    sizes: str
    findings: tuple[Finding, ...]

    @property
    def failures(self) -> list[Finding]:
        return [finding for finding in self.findings if not finding.holds]

    @property
    def holds(self) -> bool:
        return not self.failures

    def finding(self, law: str) -> Finding:
        """The finding of a law. Raises KeyError for one that was not tested."""
        for finding in self.findings:
            if finding.law == law:
                return finding
        raise KeyError(law)

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "sizes": self.sizes,
            "holds": self.holds,
            "findings": [finding.to_json() for finding in self.findings],
        }

    def render(self) -> str:
        """The findings as a table with one line per law."""
        rows = self._rows()
        widths = [max(len(row[i]) for row in rows) for i in range(4)]
        lines = [f"{self.name}: {self.sizes}", ""]
        for law, word, error, bound, where in rows:
            line = f"  {law:<{widths[0]}}  {word:<{widths[1]}}  {error:>{widths[2]}}  "
            lines.append(f"{line}{bound:>{widths[3]}}  {where}".rstrip())
        return "\n".join([*lines, "", self._summary()])

    def _repr_html_(self) -> str:
        """The same table in a notebook."""
        table = html_table(self._rows(), "<<>><", f"{self.name}: {self.sizes}")
        return f"{table}<p>{escape(self._summary())}</p>"

    def _rows(self) -> list[tuple[str, str, str, str, str]]:
        header = ("law", "", "error", "bound", "where")
        return [header] + [
            (finding.law, _word(finding), *_numbers(finding), _where(finding))
            for finding in self.findings
        ]

    def _summary(self) -> str:
        tried = [finding for finding in self.findings if finding.applies]
        failed = len(self.failures)
        return f"{failed} of {len(tried)} laws FAIL" if failed else f"all {len(tried)} laws hold"


def _word(finding: Finding) -> str:
    return "FAILS" if not finding.holds else "holds" if finding.applies else "-"


def _numbers(finding: Finding) -> tuple[str, str]:
    return tuple(  # type: ignore[return-value]
        "" if value is None else f"{value:.0f}" if finding.bound == 0 else f"{value:.1e}"
        for value in (finding.error, finding.bound)
    )


def _where(finding: Finding) -> str:
    if not finding.applies:
        return f"not applicable: {finding.note}"
    return f"{finding.where} ({finding.note})" if finding.note else finding.where
