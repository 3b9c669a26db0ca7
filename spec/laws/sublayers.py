"""Laws of `sublayers`, which are checked on whole blocks."""

from __future__ import annotations

from collections.abc import Iterator

from ..model import Block, ModelSpec, Stack
from ..residual import Joining, Parallel
from .findings import Finding, Path, members


def one_after_another(spec: ModelSpec, stack: Stack, path: Path, block: Block) -> Iterator[Finding]:
    """Sublayers run one after another."""
    sublayers = members(block.sublayers)
    if sublayers and isinstance(block.residual, Parallel):
        yield Finding(
            (*path, "residual"),
            "`parallel` is for `attention`, `cross_attention` and `feed_forward`; `sublayers` run "
            "one after another; write `residual: sequential`",
        )
        return
    for i, part in enumerate(sublayers):
        if isinstance(part.residual, Parallel):
            yield Finding(
                (*path, "sublayers", i, "residual"),
                "`parallel` adds up several branches, but a sublayer is one branch; write "
                "`sequential` or `none`",
            )


def nothing_to_add_before(
    spec: ModelSpec, stack: Stack, path: Path, block: Block
) -> Iterator[Finding]:
    """`from: block` differs from `from: input` after the first branch only."""
    if isinstance(block.residual, Parallel) and block.residual.from_ == "block":
        yield Finding(
            (*path, "residual", "from"),
            "parallel branches are added to the input of the block anyway; remove `from`",
        )
    for i, part in enumerate(members(block.sublayers)):
        if i == 0 and isinstance(part.residual, Joining) and part.residual.from_ == "block":
            yield Finding(
                (*path, "sublayers", i, "residual", "from"),
                "the input of the first sublayer is that of the block; remove `from`",
            )


LAWS = (one_after_another, nothing_to_add_before)
