"""The gated feed-forward."""

from typing import Literal

from ..branch import Branch
from ..scalars import Maybe, Number
from .mlp import Hidden


class Glu(Hidden):
    """down(activation(gate(x)) * up(x)) (Shazeer, 2020, arXiv:2002.05202). SwiGLU is `activation:
    silu`, GEGLU is `activation: gelu`.

    clamp: clamp `gate` from above, before its activation, and `up` on both sides (gpt-oss)
    linear_offset: added to `up`, after the clamp
    """

    type: Literal["glu"] = "glu"
    clamp: Maybe = "none"
    linear_offset: Number = 0


class GluBranch(Glu, Branch):
    __doc__ = Glu.__doc__
