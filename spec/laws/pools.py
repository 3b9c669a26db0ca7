"""Laws of pools: what a pool selects must be in the stack that it reads."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..embedding import Patches, Source, Tokens, joined
from ..model import Stack
from ..pool import FirstAndMeanPool, FirstPool, MeanPool, TokenPool
from .findings import Finding, Path, members


def pool_findings(path: Path, name: str, stack: Stack, pool: Any) -> Iterator[Finding]:
    """The violations of a pool at this path, which reads the stack with this name."""
    sources = members(stack.input)
    several = len(joined(sources)) > 1
    images = [source for source in sources if isinstance(source, Patches) and not several]
    image = images[0] if images else None
    if isinstance(pool, (MeanPool, FirstAndMeanPool)) and pool.skip:
        yield from _skipped_tokens_are_there(path, pool, image)
    if isinstance(pool, FirstPool):
        yield from _first_tokens_are_there(path, pool, sources[0] if sources else None)
    if isinstance(pool, TokenPool):
        if several or any(source.prefix_tokens for source in sources):
            others = "several inputs" if several else "`prefix_tokens`"
            yield Finding(
                path,
                f"`pool: token` finds a token by its place among the ids, which {others} would "
                "shift; write another pool",
            )
        yield from _pooled_token_is_a_word(path, name, stack, pool)


def _skipped_tokens_are_there(
    path: Path, pool: MeanPool | FirstAndMeanPool, image: Patches | None
) -> Iterator[Finding]:
    """`skip` refers to prefix tokens and registers of an image."""
    if image is None:
        yield Finding((*path, "skip"), "`skip` needs an input of type `patches`")
    elif pool.skip > (there := image.prefix_tokens + image.registers):
        yield Finding(
            (*path, "skip"),
            f"`skip: {pool.skip}` must be at most the number of `prefix_tokens` and `registers`, "
            f"{there}",
        )


def _first_tokens_are_there(
    path: Path, pool: FirstPool, source: Source | None
) -> Iterator[Finding]:
    """`tokens` refers to prefix tokens."""
    if pool.joined is True and pool.tokens == 1:
        yield Finding((*path, "joined"), "`joined` needs `tokens: 2` or more")
    there = source.prefix_tokens if source is not None else 0
    if pool.tokens > max(there, 1):
        yield Finding(
            (*path, "tokens"),
            f"`tokens: {pool.tokens}` must be at most the number of `prefix_tokens`, {there}",
        )


def _pooled_token_is_a_word(
    path: Path, name: str, stack: Stack, pool: TokenPool
) -> Iterator[Finding]:
    table = next((s for s in members(stack.input) if isinstance(s, Tokens)), None)
    if table is None:
        yield Finding(path, f"`pool: token` needs token ids, but stack `{name}` does not read any")
    elif table.vocab_size is not None and pool.id >= table.vocab_size:
        yield Finding(
            (*path, "id"), f"token id {pool.id} is out of range: vocab_size is {table.vocab_size}"
        )
