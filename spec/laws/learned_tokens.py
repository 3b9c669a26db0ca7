"""Laws of learned tokens in front of token ids or vectors, which have no data of their own."""

from __future__ import annotations

from collections.abc import Iterator

from ..branches import sights
from ..embedding import Features, StackInput, Tokens, joined
from ..masks import Mask, atoms
from ..model import Block, ModelSpec, Stack
from .findings import Finding, Path, members, parts


def _others(stack: Stack) -> str:
    """Which vectors share a sequence with token ids or given vectors; "" if none do."""
    kinds = (Tokens, Features, StackInput)
    sources = () if stack.streams else members(stack.input)
    if len(joined(sources)) > 1:
        return "other inputs"
    learned = any(isinstance(s, kinds) and s.prefix_tokens for s in sources)
    return "`prefix_tokens`" if learned else ""


def data_of_each_token(spec: ModelSpec, path: Path, stack: Stack) -> Iterator[Finding]:
    """Documents and given global tokens are data of all tokens, and learned ones have none."""
    others = _others(stack)
    if not others:
        return
    for name, block in parts(stack.blocks, Block):
        for mask in sights(block):
            formulas = mask if isinstance(mask, tuple) else (mask,)
            used = [a for formula in formulas if isinstance(formula, Mask) for a in atoms(formula)]
            for atom in used:
                if atom.name != "documents" and atom.args != ("given",):
                    continue
                yield Finding(
                    (*path, "blocks", name, "mask"),
                    f"`{atom}` in a mask needs data for each token, but the {others} of this stack "
                    "have none; write a mask without it",
                )
                return


def counted_tokens(spec: ModelSpec, path: Path, stack: Stack) -> Iterator[Finding]:
    """`skip_padding: tokens` counts ids, and learned tokens have none."""
    others = _others(stack)
    for i, position in enumerate(members(stack.positions) if others else ()):
        if getattr(position, "skip_padding", False) == "tokens":
            yield Finding(
                (*path, "positions", i, "skip_padding"),
                f"`skip_padding: tokens` counts token ids, but {others} have none; write "
                "`skip_padding: mask`",
            )


STACK_LAWS = (data_of_each_token, counted_tokens)
