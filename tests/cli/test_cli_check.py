"""`check`: machine-readable problems, warnings as errors, colours, and hints."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from modelwright.cli import cli
from modelwright.cli.complete import complete_set
from modelwright.spec import SpecErrors, loads
from modelwright.spec.numbers import plain_number

TINY = (
    "name: t\nfamily: decoder-only\nvocab_size: 9\nd_model: 8\nlayers: 2\nattention: {heads: 2}\n"
)


def type_in(*words: object, stdin: str = "") -> Result:
    return CliRunner().invoke(cli, [str(word) for word in words], input=stdin)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    texts = {
        "good": TINY,
        "doubtful": TINY + "mask: full\n",
        "wrong": TINY.replace("layers", "layer") + "positions: rotery\n",
    }
    for name, text in texts.items():
        (tmp_path / f"{name}.yaml").write_text(text)
    return tmp_path


def problems(text: str) -> list[str]:
    with pytest.raises(SpecErrors) as caught:
        loads(text)
    return [problem.message for problem in caught.value.problems]


def test_problems_as_json(folder: Path) -> None:
    files = [folder / f"{name}.yaml" for name in ("good", "wrong", "doubtful", "none")]
    result = type_in("check", "--json", *files)
    assert result.exit_code == 2
    assert result.stderr == ""
    found = json.loads(result.stdout)
    assert found["ok"] is False
    assert [file["ok"] for file in found["files"]] == [True, False, True, False]
    assert [file["file"] for file in found["files"]] == list(map(str, files))
    first, second, third, fourth = found["problems"]
    assert first == {
        "severity": "error",
        "file": str(files[1]),
        "line": 5,
        "column": 1,
        "message": "unknown key `layer`",
        "hint": "did you mean `layers`?",
    }
    assert second["hint"].endswith("did you mean `rotary`?")
    assert (third["severity"], third["line"]) == ("warning", 7)
    assert (fourth["line"], fourth["column"], fourth["hint"]) == (0, 0, None)


def test_one_valid_file_as_json(folder: Path) -> None:
    result = type_in("check", "--json", "-", stdin=TINY)
    assert result.exit_code == 0
    found = json.loads(result.stdout)
    assert found == {"ok": True, "files": [{"file": "-", "ok": True, "notes": []}], "problems": []}


@pytest.mark.parametrize("more", [[], ["--json"], ["--quiet"]])
def test_strict_makes_warnings_errors(folder: Path, more: list[str]) -> None:
    doubtful, good = folder / "doubtful.yaml", folder / "good.yaml"
    assert type_in("check", doubtful, *more).exit_code == 0
    result = type_in("check", "--strict", doubtful, good, *more)
    assert result.exit_code == 2
    assert "not causal" in result.stdout + result.stderr
    assert type_in("check", "--strict", good, *more).exit_code == 0


def test_warnings_are_printed_once(folder: Path) -> None:
    doubtful = folder / "doubtful.yaml"
    assert type_in("diff", doubtful, doubtful).stderr.count("warning:") == 1


@pytest.mark.parametrize(
    ("environment", "coloured"),
    [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)],
    ids=["terminal", "NO_COLOR", "dumb"],
)
def test_colours_on_a_terminal_only(
    folder: Path, environment: dict[str, str], coloured: bool
) -> None:
    leader, follower = pty.openpty()
    plain = {key: value for key, value in os.environ.items() if key != "NO_COLOR"}
    process = subprocess.Popen(
        [sys.executable, "-m", "modelwright", "check", "wrong.yaml"],
        cwd=folder,
        env={**plain, "TERM": "xterm", **environment},
        stderr=follower,
        stdout=subprocess.DEVNULL,
    )
    os.close(follower)
    shown = b""
    try:
        while block := os.read(leader, 4096):
            shown += block
    except OSError:  # the other end is closed
        pass
    os.close(leader)
    assert process.wait() == 2
    assert (b"\x1b[" in shown) is coloured
    assert b"unknown key" in shown


def test_no_colours_in_a_file(folder: Path) -> None:
    assert "\x1b" not in type_in("check", folder / "wrong.yaml").stderr


@pytest.mark.parametrize(
    ("start", "among"),
    [
        ("", {"layers", "attention", "encoder", "norm"}),
        ("lay", {"layers"}),
        ("attention.", {"attention.heads", "attention.kv_heads"}),
        ("decoder.att", {"decoder.attention"}),
        ("decoder.attention.h", {"decoder.attention.heads"}),
        ("positions=ro", {"positions=rotary"}),
        ("bias=", {"bias=true", "bias=false"}),
        ("head.type", set()),
        ("head.ti", {"head.tied"}),
        ("norm_placement=p", {"norm_placement=pre", "norm_placement=post"}),
        ("nonsense.", set()),
    ],
)
def test_keys_of_set_are_completed(start: str, among: set[str]) -> None:
    found = complete_set(None, None, start)  # type: ignore[arg-type]
    assert among <= set(found)
    assert all(word.startswith(start) for word in found)
    assert bool(found) is bool(among)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("gpt3", "did you mean `gpt3_175b`?"),
        ("GPT2", "did you mean `gpt2`?"),
        ("gpt-2", "did you mean `gpt2`?"),
        ("bert", "did you mean one of"),
        ("lama3", "did you mean one of llama3_1_8b, llama3_8b?"),
        ("qqqq", "`modelwright new` lists the examples"),
    ],
)
def test_new_suggests_examples(name: str, hint: str) -> None:
    result = type_in("new", name)
    assert result.exit_code == 2
    assert f"there is no example `{name}`; " in result.stderr
    assert hint in result.stderr


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("norm: RMSNorm", "did you mean `rmsnorm`?"),
        ("norm: RMS-Norm", "write `rmsnorm`"),
        ("positions: RoPE", "write `rotary`"),
        ("activation: GELU", "did you mean `gelu`?"),
        ("norm_placement: Pre", "did you mean `pre`?"),
        ("quantization: int8", "`modelwright quantize` writes weights with 8 or 4 bits"),
        ("learning_rate: 1e-4", "a spec describes the model, not its training"),
        ("dtype: bfloat16", "the data type is an argument"),
        ("lora: {rank: 4}", "use PEFT"),
        ("moe: true", "write `feed_forward: {type: moe,"),
        ('bias: "true"', "which is in quotes; write it without quotes"),
        ("bias: 'no'", "write `false`"),
        ("dropout: '0.1'", "which is in quotes"),
        ("dropout: 10%", "write `0.1`"),
        ("max_positions: 32k", "write `32000`"),
        ("max_positions: 1_000", "write `1000`"),
        ("mask: causal and window(3)", "write `&`"),
        ("mask: sliding_window", "write `window(…)`"),
        ("mask: Causal", "did you mean `causal`?"),
        ("feed_forward: {d_ff:4}", "add a space after `:`; write `d_ff: 4`"),
        ("feed_forward:{d_ff: 4}", "add a space after `:`"),
        ("dropout:0.1\nbias: true", "add a space after `:`; write `dropout: …`"),
        ("dropout = 0.1\nbias: true", "write `dropout: …`"),
        ("dropout:\u00a00.1\nbias: true", "another space character (U+00A0)"),
        ("heads: 4", "write `attention: {heads: 4}`"),
    ],
)
def test_hints(line: str, hint: str) -> None:
    (message,) = problems(f"{TINY}{line}\n")
    assert hint in message


@pytest.mark.parametrize(
    ("family", "meant"),
    [("GPT2", "decoder-only"), ("BERT", "encoder-only"), ("T5", "encoder-decoder")],
)
def test_hints_for_families(family: str, meant: str) -> None:
    (message,) = problems(TINY.replace("decoder-only", family))
    assert message == f"unknown family `{family}`; did you mean `{meant}`?"


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("12B", "12000000000"), ("1.5k", "1500"), ("4 K", "4000"), ("2GB", "2000000000"),
        ("1_000", "1000"), ("1,000,000", "1000000"), ("50 257", "50257"), ("1'000", "1000"),
        ("0x10", "16"), ("0o17", "15"), ("064", "64"), ("2^15", "32768"), ("2**10", "1024"),
        ("10^-5", "1e-5"), ("4 * 768", "3072"), ("10%", "0.1"), ("1e-6f", "1e-6"),
        ("64 tokens", "64"), ("many", None), ("", None), ("-", None), ("1e", None), ("0xzz", None),
        ("9" * 500, None), ("1" * 30 + "k", None),
    ],
)  # fmt: skip
def test_numbers_of_elsewhere(text: str, number: str | None) -> None:
    assert plain_number(text) == number


@pytest.mark.parametrize(
    ("start", "what"),
    [
        (b"PK\x03\x04rest", "not a valid PyTorch checkpoint"),
        (b"\x80\x02rest", "not a valid PyTorch checkpoint"),
        (b"GGUFrest", "is a GGUF file"),
        (b"\x89HDF\r\n", "is an HDF5 file"),
        (b"version https://git-lfs.github.com/spec/v1\n", "is a Git LFS pointer"),
        (b"unknown", "not a valid PyTorch checkpoint"),
    ],
)
def test_other_files_of_weights_are_named(folder: Path, start: bytes, what: str) -> None:
    weights, good = folder / "w.pt", folder / "good.yaml"
    weights.write_bytes(start)
    commands = (
        ["verify", good, "--weights", weights],
        ["export", good, "--weights", weights, "-o", folder / "out"],
        [
            "generate",
            good,
            "--weights",
            weights,
            "--tokenizer",
            "bytes",
            "--prompt",
            "a",
            "--set",
            "head=language_model",
            "--set",
            "family=decoder-only",
        ],
    )
    for words in commands:
        result = type_in(*words)
        assert result.exit_code == 2
        assert what in result.stderr


@pytest.mark.parametrize("command", ["visualize", "masks", "diff"])
def test_the_format_is_an_option_or_the_suffix(folder: Path, command: str) -> None:
    good = folder / "good.yaml"
    specs = [good, good] if command == "diff" else [good]
    result = type_in(command, *specs, "-o", "-", "--format", "png")
    assert result.stdout_bytes.startswith(b"\x89PNG")
    assert type_in(command, *specs, "-o", "-").stdout.startswith("<svg")
    assert type_in(command, *specs, "-o", folder / "x", "--format", "png").exit_code == 0
    assert (folder / "x").read_bytes().startswith(b"\x89PNG")
    result = type_in(command, *specs, "-o", folder / "x.jpg")
    assert result.exit_code == 2
    assert "the suffix must name a format" in result.stderr


ROTARY = TINY + "positions: rotary\nmax_positions: 32\n"


@pytest.mark.parametrize(
    ("text", "noted"),
    [
        pytest.param(ROTARY, True, id="rotary"),
        pytest.param(ROTARY.replace("rotary", "alibi"), True, id="alibi"),
        pytest.param(ROTARY.replace("rotary", "learned"), False, id="a table ends"),
        pytest.param(TINY + "positions: rotary\n", False, id="no longest sequence"),
    ],
)
def test_lengths_beyond_training_are_noted(tmp_path: Path, text: str, noted: bool) -> None:
    spec = tmp_path / "spec.yaml"
    spec.write_text(text)
    result = type_in("check", spec, "--strict")  # a note is no warning
    assert (result.stdout, result.exit_code) == (f"{spec}: ok\n", 0)
    said = "`decoder` accepts sequences longer than max_positions (32), the longest in training"
    assert result.stderr == (f"note: {said}\n" if noted else "")
    assert type_in("check", spec, "-q").output == ""
    (file,) = json.loads(type_in("check", spec, "--json").stdout)["files"]
    assert file["notes"] == ([said] if noted else [])
