"""Laws of masks: parts that have no effect, and lists of masks."""

from __future__ import annotations

from collections.abc import Iterator

from ..attention import Mha
from ..masks import Mask
from ..model import Block, ModelSpec, Stack
from ..simpler_masks import NOTHING, idle_numbers, simpler, simplest
from .findings import Finding, Path, members


def masks(block: Block) -> list[Mask]:
    """The simplest formulas of a block, one per group of heads; a single one if all are equal."""
    if not isinstance(block.mask, Mask) and not members(block.mask):
        return []
    found = simplest(block.mask)
    return [found] if isinstance(found, Mask) else list(found)


def masks_allow_pairs(spec: ModelSpec, stack: Stack, path: Path, block: Block) -> Iterator[Finding]:
    """No formula forbids everything, has idle numbers, or could be shorter."""
    place = (*path, "mask")
    written = [block.mask] if isinstance(block.mask, Mask) else members(block.mask)
    wrong = False
    for mask in dict.fromkeys(written):
        if simpler(mask) == NOTHING:
            wrong = True
            yield Finding(
                place, f"no query can attend to any key: `{mask}` is false for all of them"
            )
        for atom, number, other in idle_numbers(mask):
            wrong = True
            instead = f"; write `{other}`" if other != atom else "; remove it"
            yield Finding(
                place,
                f"`{number}` in `{atom}` has no effect: the rest of the mask decides about these "
                f"keys{instead}",
            )
    if not wrong and masks(block) != written:
        shorter = masks(block)
        long, short = (str(x[0]) if len(x) == 1 else _listed(x) for x in (written, shorter))
        text = f"the mask `{long}` means the same as `{short}`; write that"
        yield Finding(place, text, warning=True)


def _listed(formulas: list[Mask]) -> str:
    return f"[{', '.join(map(str, formulas))}]"


def masks_share_heads(spec: ModelSpec, stack: Stack, path: Path, block: Block) -> Iterator[Finding]:
    if not isinstance(block.attention, Mha) or not isinstance(block.mask, tuple):
        return
    count, heads = len(block.mask), block.attention.kv_heads or block.attention.heads
    if heads % count:
        yield Finding(
            (*path, "mask"),
            f"the number of masks ({count}) must divide the number of key-value heads ({heads})",
        )


LAWS = (masks_allow_pairs, masks_share_heads)
