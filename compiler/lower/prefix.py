"""Learned tokens in front of an input (Lester et al. 2021, arXiv:2104.08691)."""

from __future__ import annotations

from ...spec.embedding import Patches, Source
from ..axes import B, M, T
from ..sizes import Size
from .builder import Builder
from .patches import inserted
from .state import StackState


def lower_prefix(b: Builder, state: StackState, source: Source, x: str) -> str:
    """`x` (B, T-n, D) after n learned tokens, (B, T, D). Patches have theirs already."""
    if not source.prefix_tokens or isinstance(source, Patches):
        return x
    return inserted(b, x, "prefix_tokens", source.prefix_tokens, last=True)


def tokens_in_front(b: Builder, state: StackState, source: Source) -> Size:
    """The number of learned tokens that the mask of a stack's padding does not cover."""
    own = b.size("prefix_tokens", source.prefix_tokens) if source.prefix_tokens else Size.of(0)
    if state.follows is not None:
        own = own + state.follows.unmasked
    return own


def with_learned(b: Builder, state: StackState, mask: str) -> str:
    """A mask of a stack's padding, (B, T), from that of its argument."""
    before, after = state.beside or (state.unmasked, Size.of(0))
    if state.beside is not None and state.masked is None:
        return mask  # it is that of the whole sequence
    if before is not None and after is not None and int(before) == int(after) == 0:
        return mask
    place = b.graph.scopes[b.scope]
    inside = b.origin[:1] != ("heads",)
    scope = b.graph.stacks()[place.stack].path if inside else place.path
    if scope not in state.masks:
        own = scope == state.scope and inside
        whole = state.joined if own else b.graph.hidden.get(state.name, "")
        with b.in_scope(scope):
            state.masks[scope] = b.op(
                "pad_mask",
                mask,
                "" if before is not None and after is not None else whole,
                out=b.graph.values[mask].name,
                shape=(B, M if inside and place.stack != state.name else T),
                front=before,
                back=after,
                optional=True,
            )
    return state.masks[scope]
