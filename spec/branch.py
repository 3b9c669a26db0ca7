"""What every residual branch may say for itself."""

from .norm import Norm, Placement
from .part import Part


class Branch(Part):
    """A residual branch.

    norm: this branch's own normalisation
    norm_placement: and where it stands
    """

    norm: Norm | None = None
    norm_placement: Placement | None = None
