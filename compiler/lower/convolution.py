"""Convolutions along the sequence, as sublayers.

Gehring et al. 2017, arXiv:1705.03122; depthwise separable: Kaiser et al. 2017, arXiv:1706.03059.
"""

from __future__ import annotations

from ...spec.sublayers import Conv
from ..axes import B, T
from ..sizes import Size
from .builder import Builder
from .feed_forward import lower_activation
from .positions import argument
from .state import StackState

TITLE = "A {}convolution along the sequence (Gehring et al. 2017, arXiv:1705.03122)."
SEPARABLE = "A {}depthwise separable convolution (Kaiser et al. 2017, arXiv:1706.03059)."


def lower_conv(b: Builder, state: StackState, part: Conv, x: str) -> str:
    """The output of the branch, (B, T, D)."""
    title = (SEPARABLE if part.separable else TITLE).format("causal " if part.causal else "")
    kernel = b.size("kernel", part.kernel)
    dilation = b.size("dilation", part.dilation) if part.dilation > 1 else Size.of(1)

    def convolve(y: str, name: str, kernel: Size, *, each: bool, last: bool) -> str:
        channels = state.width.size or Size.of(0)
        return b.op(
            "convolve",
            y,
            name=name,
            channels=channels,
            out_dim=state.width,
            length=T,
            kernel=kernel,
            stride=Size.of(1),
            dilation=dilation if name != "pointwise" else Size.of(1),
            groups=channels if each else Size.of(1),
            padded=not part.causal or name == "pointwise",
            causal=part.causal and name != "pointwise",
            bias=bool(part.bias),
            residual=last,
            out="y" if last else "",
        )

    with b.module(state.branch, noun="Conv", title=title):
        if part.activation_first:
            x = lower_activation(b, part.activation, x)
        if padding := argument(b, state, "attention_mask", (B, T)):
            x = b.op("zero_padding", x, padding)
        y = b.op("swap_axes", x, out="x")
        if part.separable:
            y = convolve(y, "depthwise", kernel, each=True, last=False)
            y = convolve(y, "pointwise", Size.of(1), each=False, last=True)
        else:
            y = convolve(y, "convolution", kernel, each=False, last=True)
        y = b.op("swap_axes", y)
        return y if part.activation_first else lower_activation(b, part.activation, y)
