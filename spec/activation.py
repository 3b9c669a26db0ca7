"""Activation functions."""

from typing import Annotated, Literal

from .part import Part, Tagged, declare
from .scalars import Positive


class Gelu(Part):
    """x Φ(x), exact (Hendrycks and Gimpel, 2016, arXiv:1606.08415)."""

    type: Literal["gelu"] = "gelu"


class GeluTanh(Part):
    """GELU by its tanh approximation (GPT-2, Gemma)."""

    type: Literal["gelu_tanh"] = "gelu_tanh"


class QuickGelu(Part):
    """x sigmoid(1.702 x) (CLIP)."""

    type: Literal["quick_gelu"] = "quick_gelu"


class Relu(Part):
    """max(x, 0)."""

    type: Literal["relu"] = "relu"


class Relu2(Part):
    """max(x, 0)² (So et al., 2021, arXiv:2109.08668)."""

    type: Literal["relu2"] = "relu2"


class Silu(Part):
    """x sigmoid(x), also called swish."""

    type: Literal["silu"] = "silu"


class Tanh(Part):
    """tanh(x)."""

    type: Literal["tanh"] = "tanh"


class Sigmoid(Part):
    """1 / (1 + exp(-x))."""

    type: Literal["sigmoid"] = "sigmoid"


class Softplus(Part):
    """ln(1 + exp(x))."""

    type: Literal["softplus"] = "softplus"


class Identity(Part):
    """x itself."""

    type: Literal["identity"] = "identity"


class Swish(Part):
    """x sigmoid(beta x) (Ramachandran et al., 2017, arXiv:1710.05941).

    beta: the slope inside the sigmoid
    """

    type: Literal["swish"] = "swish"
    beta: Positive = 1.0


class Xielu(Part):
    """α_p x² + βx for x > 0, else α_n (exp(min(x, ε)) - 1 - x) + βx, with two learned numbers for
    each feed-forward: α_p = ln(1 + exp(alpha_p)) and α_n = β + ln(1 + exp(alpha_n)), both 0.8 at
    the start of training (Huang and Schlag, 2024, arXiv:2411.13010; Apertus). β = 0.5 and ε = -1e-6
    are weights `beta` and `eps` that are not trained. Only in feed-forwards of type `mlp` and
    `glu`; the experts of a mixture share the numbers.
    """

    type: Literal["xielu"] = "xielu"


Activation = Annotated[
    Gelu
    | GeluTanh
    | QuickGelu
    | Relu
    | Relu2
    | Silu
    | Tanh
    | Sigmoid
    | Softplus
    | Identity
    | Swish
    | Xielu,
    Tagged("activation", "gelu"),
]
declare(Activation)
