"""Emitted files, byte for byte: a change of the product shows as a diff that a person reads."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from small_examples import graph

import modelwright as mw

GOLDEN: dict[str, tuple[str, dict[str, bool]]] = {
    "bert_base": ("bert_base", {}),
    "clip_vit_b32": ("clip_vit_b32", {}),
    "dit_xl_2": ("dit_xl_2", {}),
    "deepseek_v3": ("deepseek_v3", {}),
    "evoformer": ("evoformer", {}),
    "gemma3_1b": ("gemma3_1b", {}),
    "gpt2": ("gpt2", {}),
    "gpt2_static": ("gpt2", {"static_cache": True}),
    "gpt_oss_20b": ("gpt_oss_20b", {}),
    "graphormer_base": ("graphormer_base", {}),
    "llama3_8b": ("llama3_8b", {}),
    "llama4_scout": ("llama4_scout", {}),
    "llava_like": ("llava_like", {}),
    "llama3_8b_joined": ("llama3_8b", {"join_projections": True}),
    "mixtral_8x7b": ("mixtral_8x7b", {}),
    "rnnsearch": ("rnnsearch", {}),
    "t5_small": ("t5_small", {}),
    "transformer_base": ("transformer_base", {}),
    "whisper_tiny": ("whisper_tiny", {}),
}
"""Name of the file -> the example, and the options of `build`."""


@pytest.mark.parametrize("name", GOLDEN)
def test_golden_files(name: str, root: Path, golden: Callable[[Path, str], None]) -> None:
    example, options = GOLDEN[name]
    golden(root / "tests" / "golden" / f"{name}.py", mw.emit(graph(example), **options))


def test_no_golden_file_is_forgotten(root: Path) -> None:
    files = (root / "tests" / "golden").glob("*.py")
    assert sorted(path.stem for path in files) == sorted(GOLDEN)
