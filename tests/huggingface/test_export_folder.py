"""The exported folder itself, complete or absent, and the command that writes it."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner, Result
from exported import DECODER, ENCODER, HEADS, moved
from safetensors import safe_open
from safetensors.torch import save_file

import modelwright as mw
from modelwright.backends.huggingface import ExportError, export_custom
from modelwright.backends.pytorch import WeightsError
from modelwright.cli import cli
from modelwright.outputs import OutputError
from modelwright.spec import loads


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with a spec and its weights."""
    (tmp_path / "odd.yaml").write_text(DECODER, encoding="utf-8")
    mw.save_weights(moved(DECODER), tmp_path / "odd.safetensors")
    return tmp_path


def export(place: Path, *more: str) -> Result:
    words = ["export", place / "odd.yaml", "--weights", place / "odd.safetensors"]
    return CliRunner().invoke(cli, [*map(str, words), "-o", str(place / "out"), *more])


def contents(folder: Path) -> dict[str, str]:
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.iterdir()}


def test_what_is_in_it(place: Path) -> None:
    result = export(place)
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr.endswith(f"wrote {place / 'out'}, with its own code\n")
    assert sorted(contents(place / "out")) == [
        "config.json",
        "configuration_odd_decoder.py",
        "generation_config.json",
        "model.safetensors",
        "modeling_odd_decoder.py",
        "odd_decoder.py",
    ]
    built = CliRunner().invoke(cli, ["build", str(place / "odd.yaml"), "-o", "-"]).stdout
    assert (place / "out" / "odd_decoder.py").read_text(encoding="utf-8") == built
    config = json.loads((place / "out" / "config.json").read_text())
    assert config["auto_map"] == {
        "AutoConfig": "configuration_odd_decoder.OddDecoderConfig",
        "AutoModelForCausalLM": "modeling_odd_decoder.OddDecoderForCausalLM",
    }
    assert config["architectures"] == ["OddDecoderForCausalLM"]
    assert config["model_type"] == "modelwright_odd_decoder"
    assert config["num_hidden_layers"] == 4
    assert (config["pad_token_id"], config["eos_token_id"]) == (0, 2)
    with safe_open(place / "out" / "model.safetensors", "pt") as file:
        assert file.metadata() == {"format": "pt"}
        assert set(file.keys()) == moved(DECODER).state_dict().keys()


def test_the_same_each_time(place: Path) -> None:
    first = export_custom(place / "odd.yaml", place / "odd.safetensors", place / "a")
    second = mw.export(place / "odd.yaml", moved(DECODER), place / "b")
    assert contents(first) == contents(second)


def test_the_dtype_of_the_weights_is_printed(tmp_path: Path) -> None:
    export_custom(loads(DECODER), moved(DECODER).to(torch.bfloat16), tmp_path / "out")
    assert json.loads((tmp_path / "out" / "config.json").read_text())["dtype"] == "bfloat16"


@pytest.mark.slow
def test_modelwright_is_not_needed_to_load_it(place: Path) -> None:
    export(place)
    code = (
        "import sys; sys.modules['modelwright'] = None\n"
        "import transformers\n"
        f"out = {str(place / 'out')!r}\n"
        "from transformers import AutoModelForCausalLM as Auto\n"
        "model = Auto.from_pretrained(out, trust_remote_code=True)\n"
        "print(type(model).__name__)"
    )
    environment = {"HF_MODULES_CACHE": str(place / "modules"), "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False,
        env={**os.environ, **environment},
    )  # fmt: skip
    assert done.stdout == "OddDecoderForCausalLM\n", done.stderr


# -- whole or not at all


def test_a_folder_is_replaced_only_by_force(place: Path) -> None:
    export(place)
    before = contents(place / "out")
    mw.save_weights(moved(DECODER, seed=1), place / "odd.safetensors")
    result = export(place)
    assert result.exit_code == 2
    assert "out exists; not overwritten (use --force)" in result.stderr
    assert contents(place / "out") == before
    assert export(place, "--force").exit_code == 0
    changed = {name for name, digest in contents(place / "out").items() if digest != before[name]}
    assert changed == {"model.safetensors"}
    (place / "out" / "checkpoint-5").mkdir()
    (place / "out" / "mine.py").write_text("import os\n")
    result = export(place, "--force")
    assert result.exit_code == 2
    assert "out contains checkpoint-5 and 1 more, not written by this command" in result.stderr


def test_folders_of_other_programs_are_never_replaced(place: Path) -> None:
    (place / "out").mkdir()
    (place / "out" / "config.json").write_text('{"model_type": "gpt2"}')
    for more in ([], ["--force"]):
        result = export(place, *more)
        assert result.exit_code == 2
        assert "was not created by Modelwright; not overwritten" in result.stderr
    assert [p.name for p in (place / "out").iterdir()] == ["config.json"]


def test_an_empty_folder_is_filled(place: Path) -> None:
    (place / "out").mkdir()
    assert export(place).exit_code == 0
    assert len(contents(place / "out")) == 6


def test_nothing_is_left_of_one_that_failed(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    export(place)
    before = contents(place / "out")
    monkeypatch.setattr("safetensors.torch.save_file", fails)
    with pytest.raises(OutputError, match="No space left on device"):
        export_custom(loads(DECODER), moved(DECODER), place / "out", force=True)
    assert contents(place / "out") == before
    assert sorted(p.name for p in place.iterdir()) == ["odd.safetensors", "odd.yaml", "out"]


# -- what cannot be exported


def test_weights_that_do_not_fit(place: Path) -> None:
    result = export(place, "--set", "layers=6")
    assert result.exit_code == 2
    assert "odd.safetensors does not match the model:\n  missing: layers.4." in result.stderr
    result = export(place, "--set", "d_model=16")
    assert "shape of layers.0." in result.stderr
    assert not (place / "out").exists()


@pytest.mark.parametrize("kind", ["not safetensors", "whole numbers"])
def test_files_that_are_not_weights(place: Path, kind: str) -> None:
    file = place / "odd.safetensors"
    if kind == "whole numbers":
        state = {name: x.long() for name, x in moved(DECODER).state_dict().items()}
        save_file({name: x.contiguous() for name, x in state.items()}, file)
        message = "weights must be floating-point tensors, not torch.int64"
    else:
        file.write_bytes(b"no weights")
        message = "odd.safetensors: not a valid safetensors file"
    result = export(place)
    assert result.exit_code == 2
    assert message in result.stderr


def test_places_that_cannot_be_written(place: Path) -> None:
    (place / "out").write_text("mine")
    assert "out exists and is not a folder" in export(place).stderr
    words = ["--weights", str(place / "odd.safetensors"), "-o", str(place / "none" / "out")]
    result = CliRunner().invoke(cli, ["export", str(place / "odd.yaml"), *words])
    assert result.exit_code == 2
    assert "there is no folder" in result.stderr


def test_weights_of_another_model_from_python(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="the given model does not match the model"):
        export_custom(loads(DECODER), moved(DECODER.replace("layers: 4", "layers: 5")), tmp_path)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("dynamic-cache", "DynamicCache is also a name in a Hugging Face model"),
        ("pre-trained", "PreTrained"),
        ("kept-cache", "KeptCache is also a name"),
        ("import", "a model with the name `import` cannot be exported; rename it"),
    ],
)
def test_names_that_mean_something_else(tmp_path: Path, name: str, message: str) -> None:
    text = DECODER.replace("odd-decoder", name)
    with pytest.raises(ExportError, match=message):
        export_custom(loads(text), moved(text), tmp_path / "out")


def test_heads_that_would_hide_a_method(tmp_path: Path) -> None:
    text = ENCODER + HEADS["two"].replace("words:", "keys:")
    with pytest.raises(ExportError, match="a head called `keys` cannot be exported"):
        export_custom(loads(text), moved(text), tmp_path / "out")


def test_other_libraries_are_not_known(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="unknown export format `keras`"):
        mw.export(loads(DECODER), moved(DECODER), tmp_path / "out", to="keras")
