"""Files that an export copies from a Hugging Face folder: tokenizer, processor, generation."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .errors import ExportError
from .folder import CONFIG, GENERATION, read_mapping

NAMES = frozenset(
    [
        "added_tokens.json",
        "bpe.codes",
        "chat_template.jinja",
        "chat_template.json",
        "dict.txt",
        "feature_extractor_config.json",
        "merges.txt",
        "normalizer.json",
        "preprocessor_config.json",
        "processor_config.json",
        "sentencepiece.bpe.model",
        "source.spm",
        "special_tokens_map.json",
        "spiece.model",
        "spm.model",
        "target.spm",
        "tekken.json",
        "tokenizer.json",
        "tokenizer.model",
        "tokenizer_config.json",
        "vocab.bpe",
        "vocab.json",
        "vocab.txt",
    ]
)
"""File names of tokenizers and processors."""


def tokenizer_files(folder: Path) -> list[Path]:
    """The tokenizer's files in a folder, in alphabetical order; links to files are followed."""
    return sorted(path for path in folder.iterdir() if path.name in NAMES and path.is_file())


def checked_tokenizer(folder: Path) -> Path:
    """The folder itself. Raises ExportError if it contains no tokenizer."""
    if not folder.is_dir():
        raise ExportError(f"{folder} is not a folder with a tokenizer")
    if not tokenizer_files(folder):
        wanted = "tokenizer.json, vocab.json, vocab.txt or another file of a tokenizer"
        raise ExportError(f"{folder} has no {wanted}")
    return folder


def copy_tokenizer(source: Path, target: Path) -> None:
    """Copy the tokenizer's files into a folder."""
    for path in tokenizer_files(source):
        shutil.copyfile(path, target / path.name)


def generation_of(folder: Path, own: Mapping[str, Any]) -> dict[str, Any]:
    """The generation_config.json of a folder, updated with our values.

    Raises CheckpointError for a file that is not JSON.
    """
    return {**(read_mapping(folder / GENERATION) or {}), **own}


def is_model_folder(path: Path) -> bool:
    """Whether it is a Hugging Face model folder."""
    return (path / CONFIG).is_file()
