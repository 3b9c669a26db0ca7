"""The stacks of a document with outer levels merged: families, and `extends` of a stack."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from .errors import choices, nearest, shown
from .files import MAX_CHAIN, find, read_document, real_path
from .merge import Reading, merge, merge_all, only, without_removed
from .model import BLOCK_KEYS, ONLY_MODEL, STACK_KEYS
from .part import BROKEN
from .source import Node, from_data

FAMILIES: dict[str, dict[str, dict[str, Any]]] = {
    "decoder-only": {"decoder": {"mask": "causal"}},
    "encoder-only": {"encoder": {"mask": "full"}},
    "encoder-decoder": {
        "encoder": {"mask": "full"},
        "decoder": {
            "mask": "causal",
            "cross_attention": {"memory": "encoder"},
            "input": {"argument": "decoder_input_ids"},
        },
    },
}
OTHER_NAMES = {  # names of models and other words, without digits -> family
    **dict.fromkeys(
        ("decoder", "causal", "causallm", "gpt", "gptneo", "gptneox", "gptj", "llama", "mistral",
         "mixtral", "qwen", "gemma", "phi", "falcon", "opt", "bloom", "mpt", "deepseek", "olmo",
         "autoregressive", "languagemodel", "lm"), "decoder-only"),
    **dict.fromkeys(
        ("encoder", "bert", "roberta", "albert", "distilbert", "deberta", "electra", "modernbert",
         "xlmroberta", "vit", "deit", "dino", "beit", "maskedlm", "mlm"), "encoder-only"),
    **dict.fromkeys(
        ("seqseq", "seqtoseq", "t", "mt", "bart", "mbart", "pegasus", "marian", "whisper",
         "transformer", "translation"), "encoder-decoder"),
}  # fmt: skip
MOST_STACKS = 64
INWARD = BLOCK_KEYS | STACK_KEYS
Chain = tuple[tuple[Path, str], ...]
"""The chain of stacks and files of `extends`."""
Levels = tuple[Node | None, Node | None]
"""A stack as given by the family, and as written."""


def surface(tree: Node, path: Path, reading: Reading) -> dict[str, Node]:
    """The stacks of a document with outer levels merged, before layers are resolved."""
    found: dict[str, Node] = {}
    for name, levels in _named_stacks(tree, reading).items():
        stack = _surface_of(levels, tree, path, reading, ())
        if stack is not None:
            found[name] = stack
    return found


def _surface_of(
    levels: Levels, tree: Node, path: Path, reading: Reading, chain: Chain
) -> Node | None:
    """One stack with outer levels merged; None, with a problem, if it is invalid."""
    default, own = levels
    here = own or Node({}, tree.mark)
    if not isinstance(here.value, dict):
        reading.wrong(here, f"a stack must be a mapping, not {shown(here.value)}")
        return None
    base = here.get("extends")
    if base is None:
        wide = only(tree, INWARD - ONLY_MODEL)
        return merge_all("stack", [default, wide, here], reading)
    own_part = Node({k: v for k, v in here.items() if k != "extends"}, here.mark, here.key_mark)
    imported = _imported(base, path, reading, chain)
    if imported is None:
        reading.incomplete = True
        return None
    return merge("stack", imported, own_part, reading)


def _named_stacks(tree: Node, reading: Reading) -> dict[str, Levels]:
    """The levels of each stack by name."""
    family, stacks = tree.get("family"), tree.get("stacks")
    own = {key: node for key in ("encoder", "decoder") if (node := tree.get(key)) is not None}
    if stacks is not None:
        if family is not None:
            where = family.at.seen_from(stacks.at)
            reading.problem(
                stacks, f"`stacks` and `family` ({where}) are mutually exclusive; keep one"
            )
        for key, node in own.items():
            reading.problem(
                node,
                f"`{key}` needs a `family`; with `stacks` write `stacks: {{{key}: …}}`",
            )
        if not isinstance(stacks.value, dict):
            reading.wrong(stacks, "`stacks` must be a mapping from names to stacks")
            return {}
        if not 1 <= len(stacks.value) <= MOST_STACKS:
            count = f"a model must have 1 to {MOST_STACKS} stacks, not {len(stacks.value):,}"
            reading.problem(stacks, count)
            return {}
        return {name: (None, node) for name, node in stacks.items()}
    if family is None:
        reading.problem(
            tree,
            "`family` is missing; write `family: …` (decoder-only, encoder-only or "
            "encoder-decoder) or `stacks: …`",
        )
        return {name: (None, node) for name, node in own.items()}
    kind = _family(family, reading)
    defaults = FAMILIES.get(kind, {})
    for key, node in own.items():
        if defaults and key not in defaults:
            reading.problem(node, f"family `{kind}` has no `{key}`")
    mark = replace(family.mark, why="family")
    return {name: (from_data(data, mark), own.get(name)) for name, data in defaults.items()} or {
        name: (None, node) for name, node in own.items()
    }


def _family(family: Node, reading: Reading) -> str:
    """The family; if it is unknown, the probably intended one, with a problem."""
    word = family.value if isinstance(family.value, str) else ""
    if word in FAMILIES:
        return word
    if not word:
        return ""
    meant = OTHER_NAMES.get(re.sub(r"[^a-z]", "", word.lower())) or nearest(word, FAMILIES, 0.5)
    hint = f"did you mean `{meant}`?" if meant else choices(word, list(FAMILIES))
    reading.problem(family.mark, f"unknown family {shown(family.value)}; {hint}")
    family.value = meant or BROKEN
    return meant or ""


def _imported(base: Node, path: Path, reading: Reading, chain: Chain) -> Node | None:
    """The stack `file#name`, with the outer levels of its file.

    Only this stack of the file is resolved, and only once.
    """
    text = base.value if isinstance(base.value, str) else ""
    file, sign, part = text.partition("#")
    if not sign or not part:
        reading.wrong(base, "a stack extends a stack of a file; write `file.yaml#stack`")
        return None
    target = find(base, path, reading, file)
    if target is None:
        return None
    step = (real_path(target), part)
    if step in chain:
        reading.wrong(base, f"`extends` is circular at `{text}`")
        return None
    if len(chain) >= MAX_CHAIN:
        reading.wrong(base, f"a chain of `extends` can have at most {MAX_CHAIN} files")
        return None
    if step not in reading.stacks:
        reading.stacks[step] = _stack_of(base, target, part, reading, (*chain, step))
    return reading.stacks[step]


def _stack_of(base: Node, target: Path, part: str, reading: Reading, chain: Chain) -> Node | None:
    """The stack with this name in a file; None, with a problem, if there is none."""
    document = read_document(target, reading)
    if document is None:
        return None
    document = without_removed(document, "model")
    named = _named_stacks(document, reading)
    if part not in named:
        file = str(base.value).partition("#")[0]
        reading.wrong(base, f"{file} has no stack `{part}`; {choices(part, list(named))}")
        return None
    for key, node in document.items():
        if key not in INWARD | ONLY_MODEL:
            close = nearest(key, sorted(INWARD | ONLY_MODEL))
            hint = f"; did you mean `{close}`?" if close else ""
            reading.problem(node, f"unknown key `{key[:60]}`{hint}")
            reading.incomplete = True
    return _surface_of(named[part], document, target, reading, chain)
