"""Whether a stack has a cache, and the reason if it has none."""

from __future__ import annotations

from ...spec.attention import LinearAttention, Mha
from ...spec.branches import branch_blocks, kind_of
from ...spec.embedding import Tokens, joined
from ...spec.head import Contrastive
from ...spec.masks import Mask
from ...spec.model import Block, ModelSpec, Stack
from ...spec.part import Nothing
from ...spec.sublayers import Recurrence
from .facts import readers
from .masks import cacheable, causal

DECODERS = {"decoder-only": "decoder", "encoder-decoder": "decoder"}


def decodes(spec: ModelSpec, name: str) -> bool:
    """Whether the family says that this stack is a decoder."""
    return DECODERS.get(spec.family or "") == name


def why_not_cached(spec: ModelSpec, name: str) -> str:
    """Why a stack has no cache, in words; "" if it has one.

    The last stack that no other reads has a cache if each token depends on earlier ones only.
    """
    read = {other for reader in spec.stacks for other in readers(spec, reader)}
    if name != [stack for stack in spec.stacks if stack not in read][-1]:
        return f"`{name}` is not the last stack"
    stack = spec.stacks[name]
    return _by_input(spec, stack) or _by_layers(stack)


def _by_input(spec: ModelSpec, stack: Stack) -> str:
    """The reason that the input or the heads of a stack give."""
    if len(joined(stack.input)) > 1 or any(source.prefix_tokens for source in stack.input):
        return "each step would add the vectors before its tokens again"
    if any(getattr(position, "skip_padding", "") == "tokens" for position in stack.positions):
        return "`skip_padding: tokens` counts the tokens of one call, which are few in a step"
    if not any(isinstance(source, Tokens) for source in stack.input):
        return "its input is not token ids"
    if spec.heads and all(isinstance(head, Contrastive) for head in spec.heads.values()):
        return "no head predicts tokens"
    return ""


def _by_layers(stack: Stack) -> str:
    """The reason that the layers of a stack give."""
    found = branch_blocks(stack.blocks.values())
    blocks = [one for one in found if one.sublayers or not isinstance(one.attention, Nothing)]
    if not blocks:
        return "no layer has attention"
    if any(isinstance(b.attention, Mha) and b.attention.separate_global for b in blocks):
        return "`separate_global` has two keys and two values per token"
    if reason := next(filter(None, map(_by_sublayers, stack.blocks.values())), ""):
        return reason
    if any(getattr(b.attention, "score_bias", ()) for b in blocks):
        return "`score_bias` reads data of all pairs of tokens"
    masks = [mask for block in blocks for mask in _formulas(block) if not cacheable(mask)]
    return _by_mask(masks[0]) if masks else ""


def _formulas(block: Block) -> tuple[Mask, ...]:
    return block.mask if isinstance(block.mask, tuple) else (block.mask,)


def _by_mask(mask: Mask) -> str:
    """The reason of a mask."""
    if not causal(mask):
        return f"with the mask `{mask}`, tokens depend on later ones"
    return f"the mask `{mask}` depends on the number of tokens"


def _by_sublayers(block: Block) -> str:
    """The reason of a block with convolutions, or with several sublayers of a kind: the cache has
    one place per layer.
    """
    kinds = [kind_of(part) for part in block.sublayers]
    attends = [part for part in block.sublayers if hasattr(getattr(part, "attention", 0), "memory")]
    memories = kinds.count("cross_attention") + len(attends)
    parts = zip(kinds, block.sublayers, strict=True)
    states = sum(
        isinstance(part, Recurrence) or (kind == "attention" and isinstance(part, LinearAttention))
        for kind, part in parts
    )
    if "conv" in kinds:
        return "a layer has a convolution"
    several = max(kinds.count("attention"), memories, states) > 1
    return "a layer has several sublayers of attention" if several else ""
