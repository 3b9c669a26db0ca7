"""What is compiled of specs that were once compiled wrongly is what they say. See `mended.py`."""

from __future__ import annotations

import pytest

import modelwright as mw

from .judging import wrong
from .mended import GROUPS

SPECS = {name: text for group in GROUPS for name, text in group.items()}


def test_no_name_is_given_twice() -> None:
    assert len(SPECS) == sum(map(len, GROUPS))


@pytest.mark.parametrize("name", SPECS)
def test_mended(name: str) -> None:
    spec = mw.loads(SPECS[name])
    try:
        mw.lower(spec)
    except mw.SpecErrors as errors:  # what had no effect is an error now
        if not all("has no effect" in str(error) for error in errors.problems):
            raise
        return
    assert not wrong(spec)
