"""Laws of the rest of a block: feed-forwards, residuals, norms, and how large it all becomes."""

from __future__ import annotations

from collections.abc import Iterator

from ..attention import Mha
from ..feed_forward import Hidden, Moe
from ..model import Block, ModelSpec, Stack
from ..part import Nothing
from ..residual import Joining, Parallel
from ..scalars import size_of
from .attention import head_width
from .findings import Finding, Path

MOST_WEIGHTS = 10**16


def hidden_is_whole(spec: ModelSpec, stack: Stack, path: Path, block: Block) -> Iterator[Finding]:
    part = block.feed_forward
    if not isinstance(part, Hidden):
        return
    size = size_of(part.hidden, stack.d_model)
    if size.denominator != 1:
        yield Finding(
            (*path, "feed_forward", "hidden"),
            f"{part.hidden} is {float(size):g} with d_model {stack.d_model}, no whole number; "
            "write the number that is meant",
        )


def experts_enough(spec: ModelSpec, stack: Stack, path: Path, block: Block) -> Iterator[Finding]:
    part = block.feed_forward
    if not isinstance(part, Moe):
        return
    if part.top_k > part.experts:
        yield Finding(
            (*path, "feed_forward", "top_k"),
            f"top_k ({part.top_k}) must be at most experts ({part.experts})",
        )
    if part.shared_gate and isinstance(part.shared_expert, Nothing):
        yield Finding(
            (*path, "feed_forward", "shared_gate"), "`shared_gate` needs a `shared_expert`"
        )
    groups = part.router.groups
    if groups is not None and part.experts % groups.count:
        yield Finding(
            (*path, "feed_forward", "router", "groups", "count"),
            f"experts ({part.experts}) must be a multiple of groups ({groups.count})",
        )


def placements(block: Block) -> Iterator[tuple[str, str]]:
    """The norm placement of every branch that is there."""
    for key in ("attention", "cross_attention", "feed_forward"):
        part = getattr(block, key)
        placement = getattr(part, "norm_placement", None)
        if placement is not None:
            yield key, placement


def shared_norm_shared(
    spec: ModelSpec, stack: Stack, path: Path, block: Block
) -> Iterator[Finding]:
    if not isinstance(block.residual, Parallel) or not block.residual.shared_norm:
        return
    norms = []
    for key, placement in placements(block):
        norms.append(getattr(block, key).norm)
        if placement != "pre":
            yield Finding(
                (*path, "residual", "shared_norm"),
                f"`shared_norm` is a norm before all branches, but that of {key} "
                f"stands `{placement}`",
            )
            return
    if any(norm != norms[0] for norm in norms):
        yield Finding(
            (*path, "residual", "shared_norm"),
            "`shared_norm` is one norm for all branches, but they ask for different ones",
        )


def normed_is_there(spec: ModelSpec, stack: Stack, path: Path, block: Block) -> Iterator[Finding]:
    if not isinstance(block.residual, Joining) or block.residual.from_ != "normed":
        return
    for key, placement in placements(block):
        if placement not in ("pre", "sandwich"):
            yield Finding(
                (*path, "residual", "from"),
                f"`from: normed` needs a norm before each branch, but that of {key} "
                f"stands `{placement}`",
            )
            return


def bounded(spec: ModelSpec, stack: Stack, path: Path, block: Block) -> Iterator[Finding]:
    width = 0
    if isinstance(block.attention, Mha):
        width += 4 * block.attention.heads * (head_width(block.attention, stack) or 1)
    if isinstance(block.feed_forward, Hidden):
        width += 3 * int(size_of(block.feed_forward.hidden, stack.d_model))
    weights = stack.layers * stack.d_model * width
    if weights > MOST_WEIGHTS:
        yield Finding(
            (*path[:2], "d_model"),
            f"{stack.layers:,} layers of width {stack.d_model:,} have about {weights:.0e} weights; "
            f"at most {MOST_WEIGHTS:.0e}",
        )


LAWS = (
    hidden_is_whole,
    experts_enough,
    shared_norm_shared,
    normed_is_there,
    bounded,
)
