"""What a config.json that names its type alone is read as, byte for byte.

All sizes are the library's defaults then, and every row of the family's template is read.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from modelwright.backends.huggingface import FAMILIES, CheckpointError, import_folder

GOLDEN = Path(__file__).parents[1] / "golden" / "imported.yaml"
EVERY = 12
"""Of so many types, one is tried in the normal run."""
TITLE = "# ---- {}\n"


def imported(model_type: str, folder: Path) -> str:
    """The spec, or why the library's defaults are none."""
    config = {"model_type": model_type}
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    try:
        text = import_folder(folder)
    except CheckpointError as error:
        reasons = (f"# {problem}\n" for problem in error.problems)
        text = "".join(reasons)
    return f"{TITLE.format(model_type)}{text}"


def texts(model_types: Iterable[str], parent: Path) -> str:
    folder = parent / "imported"
    folder.mkdir()
    return "\n".join(imported(model_type, folder) for model_type in model_types)


@pytest.mark.sampled(2)
@pytest.mark.parametrize("model_type", sorted(FAMILIES)[::EVERY])
def test_a_sample_is_read_as_before(model_type: str, tmp_path: Path) -> None:
    (tmp_path / "imported").mkdir()
    found = imported(model_type, tmp_path / "imported")
    _, title, rest = GOLDEN.read_text(encoding="utf-8").partition(TITLE.format(model_type))
    expected = title + rest.partition("\n# ---- ")[0]
    assert found == expected, f"it is read otherwise; `make golden` writes {GOLDEN.name}"


@pytest.mark.slow
def test_all_types_are_read_as_before(tmp_path: Path, golden: Callable[[Path, str], None]) -> None:
    golden(GOLDEN, texts(sorted(FAMILIES), tmp_path))
