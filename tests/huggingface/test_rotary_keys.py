"""Every spelling of rotary positions is imported as the library's model, or refused."""

from __future__ import annotations

import copy
import json
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import PreTrainedModel

import modelwright as mw
from modelwright.backends.huggingface import CheckpointError, import_folder

sys.path.append(str(Path(__file__).parents[1] / "parity"))

import tiny
from judge.calling import distance, ours, theirs
from tiny import Case

Keys = dict[str, Any]
YARN = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 16}
LLAMA3 = {"factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0}
LINEAR = {"rope_type": "linear", "factor": 4.0}
SHORT, LONG = [1.0 + 0.1 * i for i in range(8)], [2.0 + 0.3 * i for i in range(8)]
LONGROPE = {"rope_type": "longrope", "short_factor": SHORT, "long_factor": LONG}
FULL, SLIDING = "full_attention", "sliding_attention"
ROTARY = ("rope_parameters", "rope_scaling", "rope_theta", "partial_rotary_factor")

LLAMA: dict[str, Keys] = {
    "none": {},
    "theta": {"rope_theta": 500.0},
    "older": {"rope_scaling": {"type": "linear", "factor": 4.0}, "rope_theta": 777.0},
    "theta inside": {"rope_scaling": {**LINEAR, "rope_theta": 333.0}, "rope_theta": 777.0},
    "theta of both": {"rope_parameters": {**LINEAR, "rope_theta": 333.0}, "rope_theta": 777.0},
    "theta outside": {"rope_parameters": LINEAR, "rope_theta": 777.0},
    "no theta": {"rope_parameters": LINEAR},
    "both": {"rope_parameters": {"rope_type": "default", "rope_theta": 50.0}, "rope_scaling": YARN},
    "empty": {"rope_parameters": {**LINEAR, "rope_theta": 50.0}, "rope_scaling": {}},
    "null": {"rope_parameters": {**LINEAR, "rope_theta": 50.0}, "rope_scaling": None},
    "no first length": {"rope_scaling": {"rope_type": "llama3", **LLAMA3}},
    "first length outside": {
        "rope_scaling": {
            "rope_type": "llama3",
            **LLAMA3,
            "original_max_position_embeddings": 32,
        },
        "original_max_position_embeddings": 24,
    },
    "yarn": {"rope_scaling": {**YARN, "attention_factor": 1.3, "beta_fast": 20, "beta_slow": 2}},
    "not truncated": {"rope_scaling": {**YARN, "truncate": False}},
    "one mscale": {"rope_scaling": {**YARN, "mscale": 0.7}},
    "two mscales": {"rope_scaling": {**YARN, "mscale": 0.7, "mscale_all_dim": 1.2}},
    "dynamic": {
        "rope_scaling": {"type": "dynamic", "factor": 4.0},
        "max_position_embeddings": 10,
        "original_max_position_embeddings": 5,
    },
    "longrope": {"rope_scaling": {**LONGROPE, "original_max_position_embeddings": 32}},
    "longrope with a factor": {
        "rope_scaling": {**LONGROPE, "original_max_position_embeddings": 32, "factor": 5.0}
    },
    "longrope, long": {"rope_scaling": LONGROPE, "original_max_position_embeddings": 8},
    "type inside": {"rope_parameters": {"type": "linear", "factor": 4.0, "rope_theta": 333.0}},
    "two types": {"rope_scaling": {"type": "dynamic", **LINEAR}},
    "default": {"rope_scaling": {"type": "default", "factor": 8.0}, "rope_theta": 777.0},
    "no type": {"rope_scaling": {"factor": 8.0}, "rope_theta": 777.0},
    "whole numbers": {"rope_scaling": {**LINEAR, "factor": 4}, "rope_theta": 777},
    "null options": {"rope_scaling": {**YARN, "attention_factor": None, "beta_fast": None}},
    "parameters of another scaling": {"rope_scaling": {**LINEAR, **LLAMA3, "rope_type": "linear"}},
    "first length of both": {
        "rope_parameters": {**YARN, "original_max_position_embeddings": 8, "rope_theta": 50.0},
        "rope_scaling": YARN,
        "original_max_position_embeddings": 24,
    },
}
BY_LAYER: dict[str, Keys] = {
    "none": {},
    "theta": {"rope_theta": 500.0},
    "older": {"rope_scaling": LINEAR, "rope_theta": 500.0},
    "by layer": {
        "rope_parameters": {
            FULL: {**YARN, "rope_theta": 500.0, "truncate": False},
            SLIDING: {"rope_type": "default", "rope_theta": 100.0},
        }
    },
    "by layer, no theta": {
        "rope_parameters": {FULL: LINEAR, SLIDING: {"rope_type": "default"}},
        "rope_theta": 300.0,
    },
    "one layer type": {"rope_parameters": {FULL: LINEAR}},
    "scaled too": {
        "rope_parameters": {FULL: {"rope_theta": 500.0}, SLIDING: {"rope_theta": 100.0}},
        "rope_scaling": LINEAR,
    },
}
SPELLINGS: dict[str, dict[str, Keys]] = {
    "llama": LLAMA,
    "gemma3_text": {**BY_LAYER, "local": {"rope_local_base_freq": 300.0, "rope_scaling": LINEAR}},
    "olmo3": BY_LAYER,
    "modernbert": {
        **{name: keys for name, keys in BY_LAYER.items() if name != "theta"},
        "older thetas": {"global_rope_theta": 500.0, "local_rope_theta": 300.0},
    },
    "gpt_neox": {
        "older": {"rotary_pct": 0.5, "rotary_emb_base": 300},
        "older, scaled": {"rotary_pct": 0.5, "rope_scaling": LINEAR},
        "inside": {"rope_parameters": {"rope_theta": 333.0, "partial_rotary_factor": 0.5}},
    },
    "stablelm": {
        "outside": {"partial_rotary_factor": 0.5},
        "inside": {"rope_parameters": {"rope_theta": 333.0, "partial_rotary_factor": 0.5}},
        "both": {
            "rope_parameters": {"rope_theta": 333.0, "partial_rotary_factor": 0.5},
            "partial_rotary_factor": 0.25,
        },
    },
    "phi3": {
        "yarn is longrope": {"rope_scaling": {**LONGROPE, "rope_type": "yarn"}},
        "su is longrope": {
            "rope_scaling": {**LONGROPE, "rope_type": "su", "original_max_position_embeddings": 8},
        },
    },
}
NORMAL = {"llama", "gemma3_text", "gpt_neox"}
"""The types that the normal run tries."""

REFUSED: dict[str, tuple[str, Keys, str]] = {
    "missing keys": (
        "llama",
        {"rope_parameters": {"rope_type": "llama3", "factor": 8.0}},
        "rotary scaling `llama3` needs `low_freq_factor` and `high_freq_factor`",
    ),
    "no factor": (
        "llama",
        {"rope_theta": 500.0, "rope_scaling": {"rope_type": "yarn"}},
        "rotary scaling `yarn` needs `factor`",
    ),
    "a word": (
        "llama",
        {"rope_theta": 500.0, "rope_scaling": {"rope_type": "linear", "factor": "4"}},
        "`factor` must be a positive number, not '4'",
    ),
    "a null": (
        "llama",
        {"rope_parameters": {**LINEAR, "rope_theta": None}, "rope_theta": 777.0},
        "`rope_theta` must be a positive number, not None",
    ),
    "of layers": ("llama", {"rope_parameters": {FULL: LINEAR}}, "for the whole model"),
    "as a whole": ("gemma3_text", {"rope_parameters": LINEAR}, "has no entry for `sliding_att"),
    "type": (
        "gemma3_text",
        {"rope_scaling": {"type": "linear", "factor": 8.0}},
        "must have `rope_type`",
    ),
    "ignored": ("gpt_neox", {"rope_theta": 500.0}, "into `rope_parameters`"),
    "unknown": ("llama", {"rope_scaling": {"type": "su", "factor": 2.0}}, "rotary scaling `su`"),
    "phi3": ("phi3", {"rope_scaling": LINEAR}, "phi3 uses LongRoPE"),
}


@cache
def model_of(model_type: str, folder: Path) -> tuple[Case, PreTrainedModel, Keys]:
    head = "masked_lm" if model_type == "modernbert" else "causal_lm"
    case = Case(model_type, head)
    model = tiny.saved(case, folder / model_type)
    return case, model, json.loads((folder / model_type / "config.json").read_text())


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("rotary")


def written(model_type: str, keys: Keys, place: Path) -> tuple[Case, PreTrainedModel, Path]:
    """The folder of a tiny model with these keys in the place of its rotary ones."""
    case, model, config = model_of(model_type, place)
    kept = {key: value for key, value in config.items() if key not in ROTARY}
    folder = place / model_type
    (folder / "config.json").write_text(json.dumps({**kept, **copy.deepcopy(keys)}))
    return case, model, folder


@pytest.mark.sampled(4)
@pytest.mark.parametrize(
    "model_type, name",
    [
        pytest.param(kind, name, marks=() if kind in NORMAL else pytest.mark.slow)
        for kind, spellings in SPELLINGS.items()
        for name in spellings
    ],
)
def test_the_library_reads_the_same(model_type: str, name: str, place: Path) -> None:
    case, model, folder = written(model_type, SPELLINGS[model_type][name], place)
    library = type(model).from_pretrained(folder, dtype=torch.float32).eval()
    data = tiny.questions(library, case)
    expected = theirs(library, data, case.head)
    imported = mw.from_pretrained(folder, dtype=torch.float32)
    assert distance(ours(imported, data, case.head, expected), expected) < 2e-5


@pytest.mark.parametrize("name", REFUSED)
def test_keys_that_the_library_ignores_are_refused(name: str, place: Path) -> None:
    model_type, keys, words = REFUSED[name]
    _, _, folder = written(model_type, keys, place)
    with pytest.raises(CheckpointError) as error:
        import_folder(folder)
    assert words in str(error.value)
