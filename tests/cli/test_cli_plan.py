"""`modelwright plan`: options, JSON, errors."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import modelwright as mw
from modelwright.cli import cli
from modelwright.cli.plan import DEVICES
from modelwright.compiler.plan import DEVICES as TABLE

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
GPT2 = EXAMPLES / "gpt2.yaml"


def type_in(*words: object) -> Result:
    result = CliRunner().invoke(cli, ["plan", *map(str, words)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_the_devices_of_the_help_are_those_of_the_table() -> None:
    assert tuple(TABLE) == DEVICES
    told = " ".join(type_in("--help").stdout.split())
    assert all(name in told for name in DEVICES)
    for device in TABLE.values():
        assert re.search(r"(datasheet|whitepaper), 20\d\d$", device.source)
        assert device.network <= device.link


def test_a_plan() -> None:
    words = ("--devices", 64, "--device", "h100", "--tokens", "1e12", "--price", 2.5)
    result = type_in(EXAMPLES / "llama3_8b.yaml", *words)
    assert result.exit_code == 0
    text = result.stdout
    for part in ("ddp", "fsdp", "tp8 x fsdp8", "all-gather of weights", "arXiv:1909.08053"):
        assert part in text
    assert "64 x h100: 80 GB, 989 TFLOP/s in bfloat16" in text
    assert max(map(len, text.splitlines())) < 140


def test_json_is_what_python_returns() -> None:
    words = ("--devices", 8, "--device", "a100", "--tokens", 1e10, "--recompute", "--json")
    found = json.loads(type_in(GPT2, *words).stdout)
    made = mw.plan(GPT2, devices=8, device="a100", tokens=1e10, recompute=True)
    assert found == json.loads(json.dumps(made.to_json()))
    assert found["best"] in [each["layout"] for each in found["layouts"]]
    assert found["layouts"][0]["memory"]["weights"] == 4 * 124_439_808
    assert all(row["source"] for row in found["formulas"])


def test_options_of_a_device_have_units() -> None:
    numbers = ("--device-memory", 24, "--peak", 100, "--memory-bandwidth", 900, "--bandwidth", 30)
    words = ("--tokens", 1e9, *numbers, "--network", 10, "--node", 4, "--json")
    device = json.loads(type_in(GPT2, *words).stdout)["device"]
    assert (device["memory"], device["peak"]) == (24e9, {"bfloat16": 100e12})
    assert (device["read"], device["link"], device["network"]) == (900e9, 30e9, 10e9)
    assert device["node"] == 4


REFUSED = {
    "device": (("--device", "h1000"), "unknown device `h1000`; did you mean `h100`?"),
    "layout": (("--device", "h100", "--parallel", "zero"), "unknown layout `zero` in --parallel"),
    "mfu": (("--device", "h100", "--mfu", "40"), "--mfu must be above 0 and at most 1, not 40"),
    "number": (("--device", "h100", "--batch", "x"), "'x' is not a valid integer"),
    "sequence": (
        ("--device", "h100", "--sequence", "1025"),
        "--sequence (1025) is larger than max_positions of `decoder`, 1024",
    ),
    "none": ((), "no device: give --device"),
    "divides": (
        ("--device", "h100", "--devices", "10", "--parallel", "tp5"),
        "tp5 x fsdp2: no layer can be divided (layers.attention: heads (12) is not a multiple of 5",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_bad_options_are_errors(case: str) -> None:
    words, message = REFUSED[case]
    result = type_in(GPT2, "--tokens", "1e9", *words)
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr


def test_a_bad_spec_is_an_error_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "gpt2.yaml"
    path.write_text(GPT2.read_text().replace("layers: 12", "layer: 12"), encoding="utf-8")
    result = type_in(path, "--tokens", "1e9", "--device", "h100")
    assert result.exit_code == 2
    assert re.match(rf"{re.escape(str(path))}:\d+:1: unknown key `layer`", result.stderr)


def test_completion_of_devices_and_layouts() -> None:
    from click.shell_completion import ShellComplete

    complete = ShellComplete(cli, {}, "modelwright", "_MODELWRIGHT_COMPLETE")
    names = [one.value for one in complete.get_completions(["plan", str(GPT2), "--device"], "h")]
    assert names == ["h200", "h100"]
    layouts = complete.get_completions(["plan", str(GPT2), "--parallel"], "tp")
    assert [one.value for one in layouts] == ["tp2", "tp4", "tp8"]
