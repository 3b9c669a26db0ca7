"""Options of every residual branch."""

from .norm import Norm, Placement
from .part import Part


class Branch(Part):
    """A residual branch.

    norm: normalisation of this branch
    norm_placement: where this branch is normalised
    """

    norm: Norm | None = None
    norm_placement: Placement | None = None
