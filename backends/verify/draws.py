"""Find the blocks that a `random` mask chooses, by running a compiled model.

The oracle does not compute them, so they are given to it. A model that averages the visible
vectors, applied to the rows of the identity matrix, shows the mask.
"""

from __future__ import annotations

from functools import cache

import torch

from ...spec import loads
from ...spec.masks import Atom
from ..pytorch import compile as compile_model
from .arguments import Array


@cache
def drawn(atom: Atom, length: int) -> Array:
    """The mask as (T, T) booleans: which keys each query attends to."""
    spec = loads(
        f"{{name: seen, family: encoder-only, d_model: {length}, layers: 1, norm_placement: none, "
        "residual: none, bias: false, final_norm: false, input: features, feed_forward: none, "
        f"attention: {{heads: 1}}, mask: '{atom}'}}"
    )
    model = compile_model(spec, dtype="float64", seed=0).eval()
    with torch.no_grad():
        for name, weight in model.state_dict().items():
            copied = "value" in name or "output" in name
            weight.copy_(torch.eye(length) if copied else torch.zeros_like(weight))
        seen: Array = model(torch.eye(length, dtype=torch.float64)[None])[0].numpy()
    return seen > 0
