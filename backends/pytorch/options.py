"""What a user may choose about an emitted file without changing what the model computes."""

from __future__ import annotations

from dataclasses import dataclass, fields

from .loader import Loader


@dataclass(frozen=True)
class BuildOptions:
    """How a model is written.

    gradient_checkpointing  in training, compute each layer's inside again instead of keeping it
    join_projections        linear layers that read the same are one product
    static_cache            a cache has room for all tokens from the first step on, and no shape of
                            a step depends on how many came before: it is compiled once
    loader                  a table of the names of a published checkpoint, and `load_checkpoint`,
                            which reads one by it
    """

    gradient_checkpointing: bool = False
    join_projections: bool = False
    static_cache: bool = False
    loader: Loader | None = None

    def words(self) -> list[str]:
        """The options of `modelwright build` that say the same."""
        found = []
        for field in fields(self):
            value, word = getattr(self, field.name), f"--{field.name.replace('_', '-')}"
            if isinstance(value, Loader):
                found.append(f"{word} {value.word}")
            elif value:
                found.append(word)
        return found


USUAL = BuildOptions()
