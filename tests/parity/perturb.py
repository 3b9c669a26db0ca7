"""Weights of which none is at rest, and how far two results are apart.

A fresh model has biases of zero and norms of one, so a bias that is never added, or a norm that
stands in the wrong place, would change nothing. Every parameter is moved by N(0, 0.1) first.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

TOLERANCE = 2e-5
"""In float32: equal models differ by less than 1e-6 or so, a wrong epsilon by 1e-5 or more."""


def perturb(model: nn.Module, seed: int = 0, std: float = 0.1) -> nn.Module:
    """Move every parameter, and every stored buffer of floats (BART's bias of the logits)."""
    generator = torch.Generator().manual_seed(seed)
    stored = model.state_dict()
    tensors = dict(model.named_parameters())
    tensors |= {name: buffer for name, buffer in model.named_buffers() if name in stored}
    with torch.no_grad():
        for tensor in tensors.values():
            if tensor.is_floating_point():
                noise = torch.randn(tensor.shape, generator=generator, dtype=torch.float64)
                tensor.add_((std * noise).to(tensor.dtype))
    return model.eval()


def relative_error(ours: Tensor, theirs: Tensor) -> float:
    """The largest difference, relative to the largest number of `theirs`."""
    assert ours.shape == theirs.shape
    assert torch.isfinite(ours).all()
    return float((ours - theirs).abs().max() / theirs.abs().max())
