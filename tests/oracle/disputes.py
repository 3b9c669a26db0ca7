"""Where what is compiled is not what `docs/language.md` says, each with its smallest spec.

A row is removed when the compiler is mended: until then random specs of that kind are left out, and
`test_oracle_disputes.py` expects the disagreement.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from modelwright.spec import ModelSpec


@dataclass(frozen=True)
class Dispute:
    """One kind of disagreement.

    says: what is right, and where it is written
    does: what is compiled
    spec: the smallest one
    meets: does it concern this spec?
    refused: there is no right value, and the spec has to be refused
    """

    says: str
    does: str
    spec: str
    meets: Callable[[ModelSpec], bool]
    refused: bool = False


DISPUTES: dict[str, Dispute] = {}


def disputed(spec: ModelSpec) -> str:
    """The first kind of disagreement that concerns a spec; "" if none does."""
    return next((name for name, dispute in DISPUTES.items() if dispute.meets(spec)), "")
