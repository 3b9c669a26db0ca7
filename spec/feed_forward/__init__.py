"""Feed-forward variants, one file each, and their union."""

from typing import Annotated

from ..part import Nothing, Tagged, declare
from .glu import Glu, GluBranch
from .mlp import Hidden, Mlp, MlpBranch
from .moe import Expert, Groups, Moe, MoeBranch, Router, SharedExpert

FeedForward = Annotated[MlpBranch | GluBranch | MoeBranch | Nothing, Tagged("feed_forward", "mlp")]
declare(FeedForward)

__all__ = [
    "Expert",
    "FeedForward",
    "Glu",
    "GluBranch",
    "Groups",
    "Hidden",
    "Mlp",
    "MlpBranch",
    "Moe",
    "MoeBranch",
    "Router",
    "SharedExpert",
]
