"""Special tokens: names in tokenizers, and ids in specs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from .errors import TrainingError

if TYPE_CHECKING:
    from ..spec import ModelSpec

NAMES: dict[str, dict[str, str]] = {
    "bpe": {
        "pad": "<|pad|>",
        "bos": "<|startoftext|>",
        "eos": "<|endoftext|>",
        "decoder_start": "<|start|>",
        "mask": "<|mask|>",
    },
    "wordpiece": {
        "pad": "[PAD]",
        "unk": "[UNK]",
        "bos": "[CLS]",
        "eos": "[SEP]",
        "decoder_start": "[START]",
        "mask": "[MASK]",
    },
    "unigram": {
        "pad": "<pad>",
        "unk": "<unk>",
        "bos": "<s>",
        "eos": "</s>",
        "decoder_start": "<start>",
        "mask": "<mask>",
    },
}
"""Type of tokenizer -> role -> name of the token, as in GPT-2, BERT and T5."""

USUAL = {
    "bpe": ("eos",),
    "wordpiece": ("pad", "unk", "bos", "eos", "mask"),
    "unigram": ("pad", "eos", "unk"),
}
"""Roles of a tokenizer without a spec, with ids from 0."""

NEEDED = {"bpe": (), "wordpiece": ("unk",), "unigram": ("unk",)}
"""Roles that a type of tokenizer needs."""


def wanted_specials(type_: str, spec: ModelSpec | None) -> dict[str, int]:
    """Name of a special token -> id, from the spec's `tokens`; other roles follow.

    Raises TrainingError if roles that need different tokens have the same id.
    """
    names = NAMES[type_]
    if spec is None:
        return {names[role]: number for number, role in enumerate(USUAL[type_])}
    found: dict[int, str] = {}
    for role, number in spec_ids(spec):
        found.setdefault(number, names[role] if role in names else f"{names['eos']}{role[3:]}")
    roles = [*NEEDED[type_], *(["mask"] if masks_words(spec) else [])]
    free = (number for number in range(len(found) + len(roles)) if number not in found)
    made = {name: number for number, name in found.items()}
    return made | {names[role]: next(free) for role in roles if names[role] not in made}


def spec_ids(spec: ModelSpec) -> Iterable[tuple[str, int]]:
    """Roles and ids of the spec's `tokens`; several end tokens are `eos`, `eos2`, …

    Without an end token, it is the one at which a head reads the text.
    """
    tokens = spec.tokens
    end = token_read(spec) if tokens.eos is None else tokens.eos
    eos = end if isinstance(end, tuple) else (end,)
    if tokens.pad is not None:
        yield "pad", tokens.pad
    if tokens.bos is not None:
        yield "bos", tokens.bos
    for count, number in enumerate(eos, 1):
        if number is not None:
            yield "eos" if count == 1 else f"eos{count}", number
    if tokens.decoder_start is not None:
        yield "decoder_start", tokens.decoder_start


def token_read(spec: ModelSpec) -> int | None:
    """The token at which a head reads a text (pool `token`), as CLIP's end token."""
    for head in spec.heads.values():
        for part in (head, *getattr(head, "towers", {}).values()):
            if (pool := getattr(part, "pool", None)) is not None and pool.type == "token":
                return int(pool.id)
    return None


def vocabulary_of(spec: ModelSpec) -> int:
    """The vocab_size of a spec. Raises TrainingError unless there is exactly one."""
    sizes = {stack.vocab_size for stack in spec.stacks.values() if stack.vocab_size is not None}
    if len(sizes) == 1:
        return sizes.pop()
    found = f"several: {', '.join(map(str, sorted(sizes)))}" if sizes else "none"
    raise TrainingError(
        f"{spec.name}: training needs a single vocab_size, but the spec has {found}"
    )


def masks_words(spec: ModelSpec) -> bool:
    """Whether the spec is a masked language model: a language-model head on a non-causal stack."""
    return spec.family == "encoder-only" and any(
        head.type == "language_model" for head in spec.heads.values()
    )


def roles_of(vocabulary: Mapping[str, int]) -> dict[str, int]:
    """Role -> id, for the special tokens of a tokenizer."""
    found: dict[str, int] = {}
    for names in NAMES.values():
        for role, name in names.items():
            if name in vocabulary:
                found.setdefault(role, vocabulary[name])
    return found


def check_ids(specials: Mapping[str, int], size: int) -> None:
    """Raise TrainingError unless all ids of special tokens are below the vocabulary size."""
    for name, number in specials.items():
        if number >= size:
            raise TrainingError(
                f"the special token {name} has id {number}, but the vocabulary size is {size}"
            )
