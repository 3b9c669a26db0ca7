"""Laws of attention without pairwise scores, which excludes options of scores."""

from __future__ import annotations

from collections.abc import Iterator

from ..attention import Fastformer, LinearAttention
from ..canonical_masks import canonical
from ..masks import Mask
from ..model import Block, ModelSpec, Stack
from ..positions import acts_on
from .attention import MOST_PROJECTED
from .findings import Finding, Path, members
from .masks import masks

Summed = LinearAttention | Fastformer


def summed(block: Block) -> Iterator[tuple[str, Summed]]:
    for key in ("attention", "cross_attention"):
        part = getattr(block, key)
        if isinstance(part, Summed):
            yield key, part


def head_width(part: Summed, stack: Stack) -> int | None:
    """The width of a head, given or derived; None if unknown."""
    width = getattr(part, "head_dim", None)
    if width is not None:
        return int(width)
    return None if stack.d_model % part.heads else stack.d_model // part.heads


def heads_divide_width(
    spec: ModelSpec, stack: Stack, path: Path, block: Block
) -> Iterator[Finding]:
    for key, part in summed(block):
        width = head_width(part, stack)
        if width is None:
            more = "" if isinstance(part, Fastformer) else ", or set `head_dim`"
            yield Finding(
                (*path, key, "heads"),
                f"d_model ({stack.d_model}) is not a multiple of heads ({part.heads}); change "
                f"one{more}",
            )
        elif part.heads * width > MOST_PROJECTED:
            yield Finding(
                (*path, key, "heads"),
                f"{part.heads:,} heads of width {width:,} have a total width of "
                f"{part.heads * width:,}; the maximum is {MOST_PROJECTED:,}",
            )


def mask_is_simple(spec: ModelSpec, stack: Stack, path: Path, block: Block) -> Iterator[Finding]:
    """Sums over keys allow only simple masks."""
    part = block.attention
    if not isinstance(part, Summed) or not isinstance(block.mask, (Mask, tuple)):
        return
    known = ("full",) if isinstance(part, Fastformer) else ("causal", "full")
    listed = ", ".join(map(str, masks(block)))
    if listed not in known:
        wanted = " or ".join(f"`{word}`" for word in known)
        yield Finding(
            (*path, "mask"),
            f"attention of type `{part.type}` supports only the mask {wanted}, not `{listed}`",
        )


def no_scores(spec: ModelSpec, stack: Stack, path: Path, block: Block) -> Iterator[Finding]:
    if not isinstance(block.attention, Summed):
        return
    for i, position in enumerate(members(block.positions)):
        if acts_on(position) not in ("input", "layer", None):
            yield Finding(
                (*path, "positions", i),
                f"{position.type} positions act on attention scores, which attention of type "
                f"`{block.attention.type}` does not compute; write `positions: none` in this block",
            )


def decay_has_an_order(
    spec: ModelSpec, stack: Stack, path: Path, block: Block
) -> Iterator[Finding]:
    for key, part in summed(block):
        if getattr(part, "decay", "none") == "none":
            continue
        place = (*path, key, "decay")
        if key == "cross_attention":
            yield Finding(
                place,
                "`decay` does not apply to cross-attention; write `cross_attention: {decay: none}`",
            )
        elif str(canonical(block.mask)) == "full":
            yield Finding(place, "`decay` needs `mask: causal`, but the mask is `full`")


def fastformer_reads_itself(
    spec: ModelSpec, stack: Stack, path: Path, block: Block
) -> Iterator[Finding]:
    if isinstance(block.cross_attention, Fastformer):
        yield Finding(
            (*path, "cross_attention"),
            "attention of type `fastformer` has one output per key, not per query, so it cannot "
            "be cross-attention; write `cross_attention: {type: mha, heads: …}`",
        )


LAWS = (heads_divide_width, mask_is_simple, no_scores, decay_has_an_order, fastformer_reads_itself)
