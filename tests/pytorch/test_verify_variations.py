"""Every variation of the options passes every law that applies to it."""

from __future__ import annotations

import pytest
from variations import VARIATIONS, spec_of

from modelwright.backends.verify import LAWS, verify

TOOLS = ("compile", "export")
"""Laws that take seconds for each model."""


@pytest.mark.slow
@pytest.mark.parametrize("name", VARIATIONS)
def test_variation(name: str) -> None:
    report = verify(spec_of(name), laws=[law.name for law in LAWS if law.name not in TOOLS])
    assert not report.failures, report.render()
