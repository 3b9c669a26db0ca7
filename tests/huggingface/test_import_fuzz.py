"""Folders broken at random: every error of an import is a CheckpointError, and names its file."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from transformers import CONFIG_MAPPING

from modelwright.backends.checkpoint_files import find_weights
from modelwright.backends.huggingface import CheckpointError, import_folder
from modelwright.spec import loads

TYPES = ("llama", "gemma3_text", "deepseek_v3", "bert", "t5", "qwen2_moe", "whisper", "clip")
TYPES += ("modernbert", "gpt_oss", "deberta-v2", "vit", "wav2vec2", "falcon", "dbrx", "gpt_neo")
WRONG: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 3, 2**31, 10**40, 0.0, 0.5, -1.5, 1e300, float("nan")),
    *(float("inf"), "", "x", "silu", [], [1, 2], ["a"], [None], {}, {"a": 1}, {"type": "yarn"}),
    *({"rope_type": "llama3"}, {"full_attention": 3}, [[1]], [{}], {"a": {"b": []}}),
)
"""Values of every type and range, of which most are wrong for any key."""


def config_of(model_type: str) -> dict[str, Any]:
    needed = {"dots1": {"n_routed_experts": 128}}.get(model_type, {})
    data: dict[str, Any] = CONFIG_MAPPING[model_type](**needed).to_dict()
    return data


def places(config: dict[str, Any]) -> Iterator[tuple[dict[str, Any], str]]:
    """Every key, also of the parts of a config."""
    for key, value in config.items():
        yield config, key
        if isinstance(value, dict):
            yield from places(value)


def mutated(config: dict[str, Any], chance: random.Random) -> dict[str, Any]:
    """The config with one to three values of another type or range, or a key less."""
    config = copy.deepcopy(config)
    for _ in range(chance.choice((1, 1, 2, 3))):
        part, key = chance.choice([p for p in places(config) if p[1] != "model_type"])
        if chance.random() < 0.1:
            part.pop(key)
        else:
            part[key] = copy.deepcopy(chance.choice(WRONG))
    return config


def tried(folder: Path, config: dict[str, Any]) -> str:
    """What becomes of the import: "spec", or the file that the error names."""
    (folder / "config.json").write_text(json.dumps(config, default=str), encoding="utf-8")
    try:
        loads(import_folder(folder))
    except CheckpointError as error:
        return error.place if "Error: " not in str(error) else str(error)  # of Python
    return "spec"


def try_many(folder: Path, count: int, seed: int) -> list[str]:
    chance = random.Random(seed)
    configs = {kind: config_of(kind) for kind in TYPES}
    found = [tried(folder, mutated(configs[chance.choice(TYPES)], chance)) for _ in range(count)]
    assert set(found) == {"spec", str(folder / "config.json")}
    assert 0 < found.count("spec") < count
    return found


def test_mutated_configs(tmp_path: Path) -> None:
    try_many(tmp_path, 60, seed=0)


@pytest.mark.slow
def test_five_hundred_mutated_configs(tmp_path: Path) -> None:
    try_many(tmp_path, 500, seed=1)


@pytest.mark.slow
@pytest.mark.parametrize("model_type", TYPES)
def test_each_key_of_each_type(model_type: str, tmp_path: Path) -> None:
    """Each key once, with a value that is drawn for it."""
    chance = random.Random(model_type)
    config = config_of(model_type)
    for number, (_, key) in enumerate(list(places(config))):
        changed = copy.deepcopy(config)
        part, _ = list(places(changed))[number]
        if key != "model_type":
            part[key] = copy.deepcopy(chance.choice(WRONG))
            tried(tmp_path, changed)


def broken(data: bytes, chance: random.Random) -> bytes:
    """The bytes with some changed, cut off, doubled or put in."""
    kind = chance.randrange(5)
    start = chance.randrange(min(len(data), 400))
    if kind == 0:
        return data[:start]
    if kind == 1:
        return data[:start] + data[start + chance.randrange(1, 9) :]
    if kind == 2:
        return data[:start] + chance.randbytes(chance.randrange(1, 9)) + data[start:]
    if kind == 3:
        return data + data[start:]
    changed = bytearray(data)
    for _ in range(chance.randrange(1, 6)):
        changed[chance.randrange(min(len(data), 400))] = chance.randrange(256)
    return bytes(changed)


def test_two_hundred_broken_safetensors(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    save_file({f"layers.{i}.weight": torch.randn(3, 4) for i in range(4)}, path)
    whole, chance = path.read_bytes(), random.Random(2)
    refused: list[str] = []
    for _ in range(200):
        path.write_bytes(broken(whole, chance))
        try:
            weights = find_weights(tmp_path)
            assert weights is not None
            with weights.opened() as read:
                for name in weights.shapes:
                    read(name)
        except CheckpointError as error:
            refused.append(error.place)
    assert 100 < len(refused) < 200
    assert set(refused) == {str(path)}
