"""Warnings about probable mistakes, and errors for stacks without effect."""

from __future__ import annotations

from collections.abc import Iterator

from ..feed_forward import Moe
from ..masks import Mask, Not, atoms
from ..model import Block, ModelSpec, Stack
from ..part import Nothing
from ..positions import RelativeBias
from ..simpler_masks import admits_future
from .findings import Finding, Path, members, parts
from .masks import masks
from .wiring import Reference, references

FAMILY_DECODES = {"decoder-only": ("decoder",), "encoder-decoder": ("decoder",)}
FAMILY_ENCODES = {"encoder-only": ("encoder",), "encoder-decoder": ("encoder",)}


def _deliberate(mask: Mask) -> bool:
    """Whether the mask has a `prefix`, which is intentionally not causal."""
    return any(atom.name == "prefix" for atom in atoms(mask))


def sees_the_future(spec: ModelSpec, stack: Stack, path: Path, block: Block) -> Iterator[Finding]:
    if path[1] not in FAMILY_DECODES.get(spec.family or "", ()):
        return
    for mask in masks(block):
        if admits_future(mask) and not _deliberate(mask):
            other = "" if isinstance(mask, Not) else f"; did you mean `causal & {_grouped(mask)}`?"
            yield Finding(
                (*path, "mask"),
                f"this decoder is not causal: its mask is `{mask}`"
                + ("; did you mean `causal`?" if str(mask) == "full" else other),
                warning=True,
            )


def _grouped(mask: Mask) -> str:
    text = str(mask)
    return f"({text})" if " | " in text else text


def sees_one_side(spec: ModelSpec, stack: Stack, path: Path, block: Block) -> Iterator[Finding]:
    if path[1] not in FAMILY_ENCODES.get(spec.family or "", ()):
        return
    for mask in masks(block):
        if not admits_future(mask):
            yield Finding(
                (*path, "mask"),
                f"this encoder is causal: its mask is `{mask}`",
                warning=True,
            )


def buckets_match_mask(
    spec: ModelSpec, stack: Stack, path: Path, block: Block
) -> Iterator[Finding]:
    future = any(admits_future(mask) for mask in masks(block))
    for i, position in enumerate(members(block.positions)):
        if isinstance(position, RelativeBias) and position.bidirectional is not future:
            text = (
                "the mask allows later keys, but `bidirectional: false` puts all keys after the "
                "query in one bucket"
                if future
                else "half of the buckets are never used, because the mask allows no later keys; "
                "write `bidirectional: false`"
            )
            yield Finding((*path, "positions", i), text, warning=True)


def router_learns(spec: ModelSpec, stack: Stack, path: Path, block: Block) -> Iterator[Finding]:
    part = block.feed_forward
    if not isinstance(part, Moe) or part.top_k != 1:
        return
    if part.router.normalize and part.router.score != "sparsemixer":
        yield Finding(
            (*path, "feed_forward", "top_k"),
            "the router gets no gradient: with top_k 1 the normalised weight is always 1; write "
            "`router: {normalize: false}`",
            warning=True,
        )


def everything_is_read(spec: ModelSpec) -> Iterator[Finding]:
    names = list(spec.stacks)
    if not names:
        return
    heads = [getattr(head, "stack", None) for head in spec.heads.values()]
    towers = [t for head in spec.heads.values() for t in getattr(head, "towers", ())]
    read = {r.source for r in references(spec) if _is_used(spec, r)} | (
        {*heads, *towers} or {names[-1]}
    )
    ties = {
        getattr(source, "tied", "none")
        for _, stack in parts(spec.stacks, Stack)
        for source in members(stack.input)
    }
    for name in names:
        if name not in read:
            path = _no_reader(spec, name) or ("stacks", name)
            text = f"stack `{name}` has no effect: nothing reads it"
            if name not in ties and not spec.heads:  # it can be run separately
                yield Finding(path, text, warning=True)
            elif name not in ties:
                yield Finding(path, f"{text}; remove it", may_follow=True)
            elif spec.stacks[name].order:
                text = f"the layers of `{name}` have no effect: only its embedding is used; "
                yield Finding(path, text + "write `layers: 0`", may_follow=True)


def _no_reader(spec: ModelSpec, name: str) -> Path | None:
    """The `cross_attention: none` that takes the reader from the encoder of a family."""
    stack = spec.stacks.get("decoder")  # none if it cannot be read
    if spec.family != "encoder-decoder" or name != "encoder" or stack is None:
        return None
    for kind in stack.order:
        if isinstance(stack.blocks[kind].cross_attention, Nothing):
            return ("stacks", "decoder", "blocks", kind, "cross_attention")
    return None


def _is_used(spec: ModelSpec, reference: Reference) -> bool:
    """Whether the path is outside of blocks, or in a block that some layer uses."""
    level, *names = reference.path[2:4]
    return level != "blocks" or names[0] in spec.stacks[reference.reader].order


BLOCK_LAWS = (sees_the_future, sees_one_side, buckets_match_mask, router_learns)
SPEC_LAWS = (everything_is_read,)
