"""Laws of learned tokens in front of token ids or vectors, which have no data of their own."""

from __future__ import annotations

from collections.abc import Iterator

from ..branches import sights
from ..embedding import Features, Source, StackInput, Tokens
from ..masks import Mask, atoms
from ..model import Block, ModelSpec, Stack
from .findings import Finding, Path, members, parts


def _learned(stack: Stack) -> Source | None:
    """The first input with learned tokens in front of others that may be padded."""
    kinds = (Tokens, Features, StackInput)
    sources = () if stack.streams else members(stack.input)
    return next((s for s in sources if isinstance(s, kinds) and s.prefix_tokens), None)


def data_of_each_token(spec: ModelSpec, path: Path, stack: Stack) -> Iterator[Finding]:
    """Documents and given global tokens are data of all tokens, and learned ones have none."""
    if _learned(stack) is None:
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
                    f"`{atom}` in a mask needs data for each token, but the `prefix_tokens` of "
                    "this stack have none; write a mask without it",
                )
                return


def counted_tokens(spec: ModelSpec, path: Path, stack: Stack) -> Iterator[Finding]:
    """`skip_padding: tokens` counts ids, and learned tokens have none."""
    for i, position in enumerate(members(stack.positions) if _learned(stack) else ()):
        if getattr(position, "skip_padding", False) == "tokens":
            yield Finding(
                (*path, "positions", i, "skip_padding"),
                "`skip_padding: tokens` counts token ids, but `prefix_tokens` have none; write "
                "`skip_padding: mask`",
            )


STACK_LAWS = (data_of_each_token, counted_tokens)
