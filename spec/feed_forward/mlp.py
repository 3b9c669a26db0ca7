"""The plain feed-forward."""

from typing import Literal

from ..activation import Activation
from ..branch import Branch
from ..part import Part
from ..scalars import Flag, HiddenBias, Rate, Size


class Hidden(Part):
    """Options of all feed-forwards except mixtures of experts.

    d_ff: inner width
    activation: activation function
    bias: which linear layers have a bias: all, none, or a list
    hidden_dropout: dropout rate after the activation
    inner_norm: apply the branch's `norm` before the last linear layer
    """

    d_ff: Size = "4 * d_model"
    activation: Activation | None = None
    bias: HiddenBias | None = None
    hidden_dropout: Rate = 0
    inner_norm: Flag = False


class Mlp(Hidden):
    """Two linear layers with an activation between (Vaswani et al., 2017, arXiv:1706.03762)."""

    type: Literal["mlp"] = "mlp"


class MlpBranch(Mlp, Branch):
    __doc__ = Mlp.__doc__
