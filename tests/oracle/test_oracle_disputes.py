"""Cases where a built model differs from the language reference. See `disputes.py`."""

from __future__ import annotations

import pytest

import modelwright as mw

from .disputes import DISPUTES
from .judging import wrong


def cases() -> list[object]:
    return [
        pytest.param(name, marks=pytest.mark.xfail(reason=f"{d.does}, but: {d.says}", strict=True))
        for name, d in DISPUTES.items()
    ]


@pytest.mark.parametrize("name", cases())
def test_dispute(name: str) -> None:
    dispute = DISPUTES[name]
    if dispute.refused:
        with pytest.raises(mw.SpecErrors):
            mw.loads(dispute.spec)
        return
    assert not wrong(mw.loads(dispute.spec))


@pytest.mark.parametrize("name", DISPUTES)
def test_a_dispute_meets_its_spec(name: str) -> None:
    assert DISPUTES[name].meets(mw.loads(DISPUTES[name].spec))
