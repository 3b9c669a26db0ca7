"""Weight initialisation."""

from typing import Annotated, Literal

from .part import Part, Tagged, declare
from .scalars import Flag, Positive


class Normal(Part):
    """Normal with mean 0.

    std: standard deviation
    depth_scaled: the last linear layer of each branch scaled by 1/√(branches of the stack), which
        are 2 · layers, or 3 · layers with cross-attention (GPT-2)
    """

    type: Literal["normal"] = "normal"
    std: Positive = 0.02
    depth_scaled: Flag = False


class TruncatedNormal(Part):
    """Normal with mean 0, truncated at two standard deviations.

    std: standard deviation before truncation
    """

    type: Literal["truncated_normal"] = "truncated_normal"
    std: Positive = 0.02


class Xavier(Part):
    """Xavier uniform (Glorot and Bengio, 2010)."""

    type: Literal["xavier"] = "xavier"


class Orthogonal(Part):
    """Orthogonal matrices (Saxe et al., 2013, arXiv:1312.6120)."""

    type: Literal["orthogonal"] = "orthogonal"


Init = Annotated[Normal | TruncatedNormal | Xavier | Orthogonal, Tagged("init", "normal")]
declare(Init)
