"""What a config.json with the library's defaults is read as, byte for byte, with its comments.

Every row of the family's template is read. So are the settings that differ from the defaults and
are used by real checkpoints (`tests/parity/tiny/variants.py`).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from test_huggingface_families import NEEDED

from modelwright.backends.huggingface import FAMILIES, CheckpointError, import_folder

sys.path.append(str(Path(__file__).parents[1] / "parity"))

from tiny.variants import VARIANTS

GOLDEN = Path(__file__).parents[1] / "golden" / "imported.yaml"
EVERY = 12
"""Of so many settings, one is tried in the normal run."""
TITLE = "# ---- {}\n"
OTHER = {
    "esm: token dropout": {"model_type": "esm", **NEEDED["esm"], "token_dropout": True},
    "laguna: a gate per element": {"model_type": "laguna", "gating": "per-element"},
    "speech_to_text: two channels": {"model_type": "speech_to_text", "input_channels": 2},
    "qwen2: windows that are off": {
        "model_type": "qwen2",
        "num_hidden_layers": 2,
        "layer_types": ["sliding_attention", "full_attention"],
        "sliding_window": 8,
        "use_sliding_window": False,
    },
    "deberta-v2: buckets": {"model_type": "deberta-v2", "position_buckets": 16}
    | {"relative_attention": True, "pos_att_type": ["c2p", "p2c"]},
    "granite_swa: a base for each layer": {
        "model_type": "granite_swa",
        "num_hidden_layers": 3,
        "layer_types": ["sliding_attention", "full_attention", "full_attention"],
        "layer_rope_theta": [5000, 0, 70000],
    },
    "bart: classes": {"model_type": "bart", "architectures": ["BartForSequenceClassification"]},
    "switch_transformers: the encoder": {
        "model_type": "switch_transformers",
        "architectures": ["SwitchTransformersEncoderModel"],
    },
}
"""Settings of which the tiny models have no variant: also those that only a comment mentions."""


def settings() -> Iterator[tuple[str, dict[str, Any]]]:
    """A title and a config: of each type, and of each type with other settings."""
    for model_type in sorted(FAMILIES):
        yield model_type, {"model_type": model_type}
        if model_type in NEEDED:
            yield f"{model_type}: needed", {"model_type": model_type, **NEEDED[model_type]}
    for (model_type, head), variants in sorted(VARIANTS.items()):
        for variant, changed in variants.items():
            config = {"model_type": model_type, **NEEDED.get(model_type, {}), **changed}
            if model_type in FAMILIES:
                yield f"{model_type}/{head}: {variant}", config
    yield from OTHER.items()


SETTINGS = dict(settings())


def imported(title: str, folder: Path) -> str:
    """The spec, or why the config is refused."""
    (folder / "config.json").write_text(json.dumps(SETTINGS[title]), encoding="utf-8")
    try:
        text = import_folder(folder)
    except CheckpointError as error:
        reasons = (f"# {problem}\n" for problem in error.problems)
        text = "".join(reasons)
    return f"{TITLE.format(title)}{text}"


def before(title: str) -> str:
    """What the golden file has under a title."""
    _, name, rest = GOLDEN.read_text(encoding="utf-8").partition(TITLE.format(title))
    return name + rest.partition("\n# ---- ")[0].rstrip("\n") + "\n"


def texts(titles: Iterable[str], parent: Path) -> str:
    folder = parent / "imported"
    folder.mkdir()
    return "\n".join(imported(title, folder) for title in titles)


@pytest.mark.sampled(2)
@pytest.mark.parametrize("title", list(SETTINGS)[::EVERY])
def test_a_sample_is_read_as_before(title: str, tmp_path: Path) -> None:
    (tmp_path / "imported").mkdir()
    found = imported(title, tmp_path / "imported")
    assert found == before(title), f"it is read otherwise; `make golden` writes {GOLDEN.name}"


@pytest.mark.slow
def test_all_are_read_as_before(tmp_path: Path, golden: Callable[[Path, str], None]) -> None:
    golden(GOLDEN, texts(SETTINGS, tmp_path))
