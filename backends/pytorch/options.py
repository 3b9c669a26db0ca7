"""What a user may choose about an emitted file without changing what the model computes."""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass(frozen=True)
class BuildOptions:
    """How a model is written.

    gradient_checkpointing  in training, compute each layer's inside again instead of keeping it
    join_projections        linear layers that read the same are one product
    static_cache            a cache has room for all tokens from the first step on, and no shape of
                            a step depends on how many came before: it is compiled once
    """

    gradient_checkpointing: bool = False
    join_projections: bool = False
    static_cache: bool = False

    def words(self) -> list[str]:
        """The options of `modelwright build` that say the same."""
        return [
            f"--{field.name.replace('_', '-')}"
            for field in fields(self)
            if getattr(self, field.name)
        ]


USUAL = BuildOptions()
