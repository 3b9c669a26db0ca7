"""Specs that were once compiled wrongly equal the oracle. See `mended.py`."""

from __future__ import annotations

import pytest

import modelwright as mw

from .judging import wrong
from .mended import GROUPS

SPECS = {name: text for group in GROUPS for name, text in group.items()}
# These say something that has no effect, which is an error since.
REFUSED = {
    "alibi before the scale of additive scores": "before_scale",
    "alibi before a scale of 1": "before_scale",
    "post of all branches, each by itself": "norm",
    "post of the block, but of no branch": "norm_placement",
    "post of three branches with a norm of their own": "norm",
    "post without branches": "norm_placement",
    **dict.fromkeys(
        (
            "post of one branch",
            "post of the block, in its branch",
            "post of a feed-forward alone",
            "added to a normed input",
            "added to the normed input of a sandwich",
            "added to the normed input of a feed-forward",
            "added to an input whose norm is none",
            "added to a normed input, scaled",
            "a shared norm of no branch",
        ),
        "residual",
    ),
    "nothing to scale by depth": "depth_scaled",
    "a shared norm that the branches say": "norm",
}


def test_no_name_is_given_twice() -> None:
    assert len(SPECS) == sum(map(len, GROUPS))


@pytest.mark.sampled(2)
@pytest.mark.parametrize("name", [name for name in SPECS if name not in REFUSED])
def test_mended(name: str) -> None:
    assert not wrong(mw.loads(SPECS[name]))


@pytest.mark.parametrize(("name", "option"), REFUSED.items())
def test_refused(name: str, option: str) -> None:
    with pytest.raises(mw.SpecErrors, match=f"`{option}: .*` has no effect"):
        mw.lower(mw.loads(SPECS[name]))
