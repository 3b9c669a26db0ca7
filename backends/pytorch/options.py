"""What a user may choose about an emitted file without changing what the model computes."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Literal, get_args

from .loader import Loader
from .static import BuildError

Experts = Literal["split", "grouped"]


@dataclass(frozen=True)
class BuildOptions:
    """How a model is written.

    gradient_checkpointing  in training, compute each layer's inside again instead of keeping it
    join_projections        linear layers that read the same are one product
    static_cache            a cache has room for all tokens from the first step on, and no shape of
                            a step depends on how many came before: it is compiled once
    loader                  a table of the names of a published checkpoint, and `load_checkpoint`,
                            which reads one by it
    experts                 how the matrices of experts are multiplied: `split`, a product for each
                            expert that a token chose, in any dtype and by any PyTorch from 2.5;
                            or `grouped`, all of them in one call of `grouped_mm` (PyTorch 2.10)
    """

    gradient_checkpointing: bool = False
    join_projections: bool = False
    static_cache: bool = False
    experts: Experts = "split"
    loader: Loader | None = None

    def __post_init__(self) -> None:
        if self.experts not in get_args(Experts):
            known = " or ".join(get_args(Experts))
            raise BuildError(f"experts must be {known}, not {self.experts}")

    def words(self) -> list[str]:
        """The options of `modelwright build` that say the same."""
        found = []
        for option in fields(self):
            value = getattr(self, option.name)
            if value != option.default:
                word = f"--{option.name.replace('_', '-')}"
                given = value.word if isinstance(value, Loader) else value
                found.append(word if value is True else f"{word} {given}")
        return found

    @property
    def torch(self) -> str:
        """The lowest version of PyTorch that runs the file."""
        return "2.10" if self.experts == "grouped" else "2.5"


USUAL = BuildOptions()
