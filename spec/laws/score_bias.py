"""Laws of `score_bias`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..attention import Mha
from ..attention.score_bias import PathBias, TableBias
from ..branches import each_alone
from ..model import Block, ModelSpec, Stack
from .findings import Finding, Path, members, parts

Given = tuple[Path, Mha, "TableBias | PathBias"]


def given_biases(stack: Stack) -> Iterator[Given]:
    """The biases of a stack that read an argument, each with its path and attention."""
    for kind, block in parts(stack.blocks, Block):
        for inside, alone in each_alone(block):
            part = alone.attention
            if not isinstance(part, Mha):
                continue
            for i, bias in enumerate(members(part.score_bias)):
                if isinstance(bias, (TableBias, PathBias)):
                    place = inside or ("attention",)
                    yield ("blocks", kind, *place, "score_bias", i), part, bias


def not_in_cross_attention(
    spec: ModelSpec, stack: Stack, path: Path, block: Block
) -> Iterator[Finding]:
    """The data of a bias are those of pairs of tokens of one stack."""
    part = block.cross_attention
    if isinstance(part, Mha) and members(part.score_bias):
        yield Finding(
            (*path, "cross_attention", "score_bias"),
            "`score_bias` does not apply to cross-attention; write `cross_attention: "
            "{score_bias: []}`",
        )


def read_alike(spec: ModelSpec, path: Path, stack: Stack) -> Iterator[Finding]:
    """An argument has one meaning; a table of the whole stack has one size."""
    seen: dict[str, tuple[Any, ...]] = {}
    lists: dict[tuple[Path, str], Path] = {}
    for place, part, bias in given_biases(stack):
        here: Path = (*path, *place, "argument")
        first = lists.setdefault((place[:-1], bias.argument), place)
        if first != place:
            yield Finding(here, f"argument `{bias.argument}` is used twice in this list")
            continue
        heads = part.heads if bias.share == "stack" else None
        known = seen.setdefault(bias.argument, (bias, heads))
        if known[0] != bias:
            yield Finding(
                here,
                f"argument `{bias.argument}` is read with other options by another layer of this "
                "stack; make them equal, or rename one",
            )
        elif known[1] != heads:
            yield Finding(
                (*path, *place, "share"),
                f"all layers share this table, but they have {known[1]} and {heads} heads; write "
                "`share: layer`",
            )


BLOCK_LAWS = (not_in_cross_attention,)
STACK_LAWS = (read_alike,)
