"""`modelwright verify` as a user types it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner, Result

import modelwright as mw
from modelwright.backends.verify import LAWS
from modelwright.cli import cli

QUICK = ("--law", "weights", "--law", "reference", "--law", "documents")


def type_in(*words: str | Path) -> Result:
    return CliRunner().invoke(cli, ["verify", *map(str, words)])


def test_a_line_for_each_law(examples: Path) -> None:
    result = type_in(examples / "gpt2.yaml", *QUICK)
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0] == "gpt2: layers 12 as 2, d_model 768 as 32, 31,776 weights"
    assert lines[3].split()[:4] == ["weights", "holds", "0", "0"]
    assert lines[4].split()[:2] == ["reference", "holds"]
    assert "not applicable: the mask `causal` allows attention between documents" in lines[5]
    assert lines[-1] == "all 2 laws hold"


@pytest.mark.parametrize("option", ["--join-projections", "--static-cache"])
def test_options_of_build_are_tried(examples: Path, option: str) -> None:
    result = type_in(
        examples / "t5_small.yaml", option, *QUICK, "--law", "cache", "--law", "generate"
    )
    assert result.exit_code == 0, result.stdout
    assert result.stdout.splitlines()[-1] == "all 4 laws hold"
    result = type_in(examples / "bert_base.yaml", "--static-cache")
    assert result.exit_code == 2
    assert "--static-cache does not apply to bert-base: no stack has a cache" in result.stderr


def test_json(examples: Path) -> None:
    result = type_in(examples / "gpt2.yaml", *QUICK, "--json")
    data = json.loads(result.stdout)
    assert data["holds"]
    assert [finding["law"] for finding in data["findings"]] == ["weights", "reference", "documents"]
    assert data["findings"][1]["error"] < data["findings"][1]["bound"]


def test_a_failure_is_exit_code_1(examples: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from modelwright.backends.reference import ops

    monkeypatch.setitem(ops.COMPUTE, "add", lambda call: call.given(0))
    result = type_in(examples / "gpt2.yaml", *QUICK)
    assert result.exit_code == 1
    assert "FAILS" in result.stdout
    assert result.stdout.splitlines()[-1] == "1 of 2 laws FAIL"


def test_weights_of_a_file_are_tried_at_full_size(tmp_path: Path) -> None:
    spec = tmp_path / "mine.yaml"
    spec.write_text(
        "name: mine\nfamily: decoder-only\nvocab_size: 100\nmax_positions: 80\nd_model: 64\n"
        "layers: 4\nattention: {heads: 8}\nhead: language_model\n"
    )
    mw.save_weights(mw.compile(spec, seed=3), tmp_path / "mine.safetensors")
    result = type_in(spec, *QUICK, "--weights", tmp_path / "mine.safetensors")
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("mine: layers 4, d_model 64, ")
    assert type_in(spec, *QUICK, "--full-size").stdout.startswith("mine: layers 4, d_model 64, ")
    assert "layers 4 as 2" in type_in(spec, *QUICK).stdout


def test_weights_that_do_not_fit(examples: Path, tmp_path: Path) -> None:
    mw.save_weights(torch.nn.Linear(2, 2), tmp_path / "other.safetensors")
    result = type_in(
        examples / "tiny_gpt.yaml", *QUICK, "--weights", tmp_path / "other.safetensors"
    )
    assert result.exit_code == 2
    assert "does not match the model" in result.stderr


def test_mistakes_are_exit_code_2(examples: Path, tmp_path: Path) -> None:
    result = type_in(examples / "gpt2.yaml", "--law", "cash")
    assert result.exit_code == 2
    assert "unknown law `cash`; did you mean `cache`?" in result.stderr
    (tmp_path / "bad.yaml").write_text("name: bad\nfamily: decoder-only\n")
    assert type_in(tmp_path / "bad.yaml").exit_code == 2


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is CUDA here")
def test_a_device_that_is_not_there(examples: Path) -> None:
    result = type_in(examples / "gpt2.yaml", "--device", "cuda")
    assert result.exit_code == 2
    assert "device cuda is not available" in result.stderr


@pytest.mark.gpu
def test_on_a_gpu(examples: Path) -> None:
    laws = [law.name for law in LAWS if law.name not in ("compile", "export")]
    words = [word for law in laws for word in ("--law", law)]
    result = type_in(examples / "gpt2.yaml", *words, "--device", "cuda", "--dtype", "bfloat16")
    assert result.exit_code == 0, result.output


def test_help_imports_no_torch() -> None:
    code = (
        "import sys; from modelwright.cli import cli\n"
        "try: cli(['verify', '--help'])\n"
        "except SystemExit: pass\n"
        "assert not {'torch', 'numpy', 'networkx'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "--full-size" in done.stdout
