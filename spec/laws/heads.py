"""Laws of heads."""

from __future__ import annotations

from collections.abc import Iterator

from ..embedding import Patches, Tokens
from ..errors import choices
from ..head import Classifier, Contrastive, DenseTransform, HeadPart, LanguageModel
from ..model import ModelSpec, Stack
from ..part import Part
from ..pool import FirstAndMeanPool, FirstPool, MeanPool, TokenPool
from .findings import Finding, Path, members


def reads_a_stack(spec: ModelSpec, path: Path, head: Part) -> Iterator[Finding]:
    if not isinstance(head, HeadPart):
        return
    names = list(spec.stacks)
    if head.stack is None and names:
        yield Finding(path, f"`stack` is missing; write `stack: …`, one of {', '.join(names)}")
    elif head.stack is not None and head.stack not in names:
        yield Finding(
            (*path, "stack"),
            f"this head reads the unknown stack `{head.stack}`; {choices(head.stack, names)}",
        )


def towers_are_known(spec: ModelSpec, path: Path, head: Part) -> Iterator[Finding]:
    if not isinstance(head, Contrastive):
        return
    names = list(spec.stacks)
    for tower in head.towers:
        if tower not in names:
            yield Finding(
                (*path, "towers", tower),
                f"this head reads the unknown stack `{tower}`; {choices(tower, names)}",
            )
    if len(head.towers) < 2:
        yield Finding((*path, "towers"), "a contrastive head needs at least two towers")


def _stack(spec: ModelSpec, head: HeadPart) -> Stack | None:
    found = spec.stacks.get(head.stack or "")
    return found if isinstance(found, Stack) else None


def vocabulary_known(spec: ModelSpec, path: Path, head: Part) -> Iterator[Finding]:
    if not isinstance(head, LanguageModel) or head.vocab_size is not None:
        return
    stack = _stack(spec, head)
    said = stack is not None and any(  # reported by the law of the stack
        isinstance(s, Tokens) and s.vocab_size is None and s.tied == "none"
        for s in members(stack.input)
    )
    if stack is not None and not said:
        yield Finding(
            path,
            "`vocab_size` is missing; set it in this head or in its stack",
            lacks="vocab_size",
        )


def tied_to_a_table(spec: ModelSpec, path: Path, head: Part) -> Iterator[Finding]:
    if not isinstance(head, LanguageModel) or not head.tied:
        return
    stack = _stack(spec, head)
    if stack is None:
        return
    table = next((s for s in members(stack.input) if isinstance(s, Tokens)), None)
    place = (*path, "tied")
    if table is None:
        yield Finding(place, f"`tied` needs a token embedding, but stack `{head.stack}` has none")
        return
    if table.vocab_size is not None and head.vocab_size not in (None, table.vocab_size):
        yield Finding(
            place,
            f"this head has vocab_size {head.vocab_size}, but the tied embedding has "
            f"{table.vocab_size} entries; they must be equal",
        )
    wide, width = table.width or stack.d_model, stack.output_width or stack.d_model
    if wide != width and not isinstance(head.transform, DenseTransform):
        yield Finding(
            place,
            f"the tied embedding has width {wide}, but the stack's output has width {width}; add "
            "`transform: dense` or remove `tied`",
        )
    own = head.transform.width if isinstance(head.transform, DenseTransform) else None
    if own is not None and own != wide:
        yield Finding(
            (*path, "transform", "width"),
            f"the tied embedding has width {wide}, but the transform's output has width {own}; "
            "remove `width` or `tied`",
        )


def skipped_tokens_are_there(spec: ModelSpec, path: Path, head: Part) -> Iterator[Finding]:
    """`skip` of a pool refers to prefix tokens and registers of an image."""
    pool = getattr(head, "pool", None)
    means = (MeanPool, FirstAndMeanPool)
    if not isinstance(head, HeadPart) or not isinstance(pool, means) or not pool.skip:
        return
    stack = _stack(spec, head)
    sources = members(stack.input) if stack else []
    image = next((source for source in sources if isinstance(source, Patches)), None)
    if stack is not None and image is None:
        yield Finding((*path, "pool", "skip"), "`skip` needs an input of type `patches`")
    elif image is not None and pool.skip > (there := image.prefix_tokens + image.registers):
        yield Finding(
            (*path, "pool", "skip"),
            f"`skip: {pool.skip}` must be at most the number of `prefix_tokens` and `registers`, "
            f"{there}",
        )


def first_tokens_are_there(spec: ModelSpec, path: Path, head: Part) -> Iterator[Finding]:
    """`tokens` of a pool refers to prefix tokens of an image."""
    pool = getattr(head, "pool", None)
    if not isinstance(head, HeadPart) or not isinstance(pool, FirstPool):
        return
    if pool.joined is True and pool.tokens == 1:
        yield Finding((*path, "pool", "joined"), "`joined` needs `tokens: 2` or more")
    if pool.tokens == 1:
        return
    stack = _stack(spec, head)
    sources = members(stack.input) if stack else []
    image = next((source for source in sources if isinstance(source, Patches)), None)
    there = image.prefix_tokens if image is not None else 0
    if stack is not None and pool.tokens > there:
        yield Finding(
            (*path, "pool", "tokens"),
            f"`tokens: {pool.tokens}` must be at most the number of `prefix_tokens`, {there}",
        )


def pooled_norm_needs_a_pool(spec: ModelSpec, path: Path, head: Part) -> Iterator[Finding]:
    if isinstance(head, Classifier) and head.pooled_norm is True and head.pool.type == "none":
        yield Finding((*path, "pooled_norm"), "`pooled_norm` needs a `pool`")


def hidden_layer_is_there(spec: ModelSpec, path: Path, head: Part) -> Iterator[Finding]:
    if not isinstance(head, Classifier) or head.hidden is not None:
        return
    for key, usual in (("hidden_bias", True), ("hidden_norm", False)):
        if getattr(head, key) is not usual:
            yield Finding((*path, key), f"`{key}` needs `hidden`, the width of the hidden layer")


def pooled_token_is_a_word(spec: ModelSpec, path: Path, head: Part) -> Iterator[Finding]:
    pool = getattr(head, "pool", None)
    if not isinstance(head, HeadPart) or not isinstance(pool, TokenPool):
        return
    stack = _stack(spec, head)
    if stack is None:
        return
    table = next((s for s in members(stack.input) if isinstance(s, Tokens)), None)
    if table is None:
        yield Finding(
            (*path, "pool"),
            f"`pool: token` needs token ids, but stack `{head.stack}` does not read any",
        )
    elif table.vocab_size is not None and pool.id >= table.vocab_size:
        yield Finding(
            (*path, "pool", "id"),
            f"token id {pool.id} is out of range: vocab_size is {table.vocab_size}",
        )


LAWS = (
    reads_a_stack,
    towers_are_known,
    vocabulary_known,
    tied_to_a_table,
    skipped_tokens_are_there,
    first_tokens_are_there,
    pooled_norm_needs_a_pool,
    hidden_layer_is_there,
    pooled_token_is_a_word,
)
