"""Linear layers with the same input, computed as one."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class JoinedLinear(nn.Linear):
    """Linear layers with the same input, fused. State dicts contain them as separate layers."""

    def __init__(self, d_in: int, parts: dict[str, int], bias: bool = True) -> None:
        super().__init__(d_in, sum(parts.values()), bias)
        self.names = list(parts)
        self.sizes = list(parts.values())

    def each(self, x: Tensor) -> tuple[Tensor, ...]:
        """The outputs of all layers for x (..., D)."""
        return torch.split(self(x), self.sizes, dim=-1)


def joined_names(model: nn.Module, prefix: str) -> list[tuple[str, list[str], list[int]]]:
    """Each fused weight or bias: its name, and the names and sizes of the parts in state dicts."""
    found = []
    for name, module in model.named_modules(prefix=prefix.removesuffix(".")):
        if isinstance(module, JoinedLinear):
            for kind, _ in module.named_parameters():
                names = [f"{name.rpartition('.')[0]}.{part}.{kind}" for part in module.names]
                found.append((f"{name}.{kind}", names, module.sizes))
    return found


def take_apart(model: nn.Module, state: dict[str, Tensor], prefix: str, *_: object) -> None:
    """Hook after `state_dict`: replace each fused weight by views of its parts."""
    for joined, names, sizes in joined_names(model, prefix):
        if joined in state:
            state.update(zip(names, torch.split(state.pop(joined), sizes), strict=True))


def put_together(
    model: nn.Module,
    state: dict[str, Tensor],
    prefix: str,
    metadata: object,
    strict: bool,
    missing: list[str],
    *_: object,
) -> None:
    """Hook before `load_state_dict`: fuse the parts of each weight. Parts that are missing are
    reported and keep their values.
    """
    for joined, names, sizes in joined_names(model, prefix):
        weight = model.get_parameter(joined.removeprefix(prefix))
        there = [name for name in names if name in state]
        if there and len(there) < len(names) and not weight.is_meta:
            kept = dict(zip(names, torch.split(weight.detach(), sizes), strict=True))
            state.update({name: kept[name] for name in names if name not in there})
            state.update({name: state[name].to(weight) for name in there})
            missing.extend(name for name in names if name not in there)
        if [len(state.get(name, ())) for name in names] == sizes:
            state[joined] = torch.cat([state.pop(name) for name in names])
