"""Options of an emitted file that do not change what the model computes."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Literal, TypedDict, Unpack, get_args

from .loader import Loader
from .static import BuildError

Experts = Literal["split", "grouped"]
Kernel = Literal["auto", "dense", "tiles", "flex"]


@dataclass(frozen=True)
class BuildOptions:
    """Options of `build`.

    gradient_checkpointing  recompute the activations of each layer in the backward pass
    join_projections        fuse linear layers with the same input into one matrix product
    static_cache            allocate the whole key-value cache up front, so that no shape of a step
                            depends on the number of cached tokens and it is compiled only once
    kernel                  `dense`: one mask over all keys; `tiles`: runs of queries, each with the
                            keys that it attends to, at any length; `flex`: FlexAttention, for CUDA
                            (PyTorch >= 2.9); `auto`: what the spec says
                            (`attention.kernel`), else tiles for long sequences where the mask is
                            sparse
    loader                  the table of a published checkpoint's weight names; the file then has a
                            function `load_checkpoint`
    attention_weights       compute scores, softmax and weighted sum in steps; the weights
                            (B, H, T, S) pass through a module `weights`, for forward hooks
    experts                 `split`: one matrix product per expert, for any dtype, PyTorch >= 2.5;
                            `grouped`: one call of `grouped_mm` for all experts (PyTorch >= 2.10)
    beam_search             add the method `beam_search` of an encoder-decoder
    """

    gradient_checkpointing: bool = False
    join_projections: bool = False
    static_cache: bool = False
    experts: Experts = "split"
    loader: Loader | None = None
    kernel: Kernel = "auto"
    attention_weights: bool = False
    beam_search: bool = False

    def __post_init__(self) -> None:
        if self.kernel not in get_args(Kernel):
            known = ", ".join(get_args(Kernel))
            raise BuildError(f"kernel must be one of {known}, not {self.kernel}")
        if self.kernel in ("tiles", "flex") and self.static_cache:
            raise BuildError(
                f"--kernel {self.kernel} does not apply to --static-cache, whose shapes are fixed"
            )
        if self.beam_search and self.static_cache:
            raise BuildError("--beam-search does not apply to --static-cache")
        if self.kernel in ("tiles", "flex") and self.attention_weights:
            raise BuildError(
                f"--kernel {self.kernel} does not apply to --attention-weights, which computes "
                "all pairs"
            )
        if self.experts not in get_args(Experts):
            known = " or ".join(get_args(Experts))
            raise BuildError(f"experts must be {known}, not {self.experts}")

    def words(self) -> list[str]:
        """The same as options of the command `modelwright build`."""
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
        """The lowest version of PyTorch that the file supports."""
        if self.experts == "grouped":
            return "2.10"
        return "2.9" if self.kernel == "flex" else "2.5"


USUAL = BuildOptions()


class BuildKeywords(TypedDict, total=False):
    """The options of `BuildOptions` that functions such as `mw.compile` take as keywords."""

    gradient_checkpointing: bool
    join_projections: bool
    static_cache: bool
    experts: Experts
    kernel: Kernel
    attention_weights: bool
    beam_search: bool


def build_options(**keywords: Unpack[BuildKeywords]) -> BuildOptions:
    """The options of these keywords. Raises TypeError for others, BuildError for wrong values."""
    known = BuildKeywords.__annotations__
    if unknown := [name for name in keywords if name not in known]:
        raise TypeError(f"unknown option `{unknown[0]}`; expected one of: {', '.join(known)}")
    return BuildOptions(**keywords)
