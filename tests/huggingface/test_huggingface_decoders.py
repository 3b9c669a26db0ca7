"""Tiny decoders saved by `transformers` and imported: the same results."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from tiny_decoders import DECODERS, tiny

import modelwright as mw
from modelwright.backends.huggingface import FAMILIES, import_folder

sys.path.insert(0, str(Path(__file__).parents[1] / "parity"))

from perturb import perturb, relative_error

IDS = torch.tensor(
    [[5, 9, 33, 7, 21, 8, 4, 30, 11, 6, 28, 3], [3, 31, 5, 5, 19, 7, 36, 4, 9, 13, 2, 3]]
)


def wanted(result: Any) -> torch.Tensor:
    """What our model gives in one tensor."""
    if "start_logits" in result:
        return torch.stack([result.start_logits, result.end_logits], -1)
    tensor: torch.Tensor = result["logits" if "logits" in result else "last_hidden_state"]
    return tensor


@pytest.mark.sampled(4)
@torch.no_grad()
@pytest.mark.parametrize("case", DECODERS)
def test_the_results_are_the_library_s(case: str, tmp_path: Path) -> None:
    theirs = perturb(tiny(case))
    folder = tmp_path / case.replace(" ", "-")
    theirs.save_pretrained(folder)
    ours = mw.from_pretrained(folder)
    assert relative_error(ours(IDS), wanted(theirs(IDS))) < 2e-5, import_folder(folder)
    assert json.loads((folder / "config.json").read_text())["model_type"] in FAMILIES


@pytest.mark.sampled(6)
@pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES)
def test_the_classes_are_the_library_s(family: Any) -> None:
    """Or are those that the hub's own code has, for what the library reads as a Llama."""
    ours = ("InternLM3", "IQuestCoder", "PhiMoE")
    classes = [name for name in family.heads if not name.startswith(ours)]
    assert [name for name in classes if not hasattr(transformers, name)] == []
