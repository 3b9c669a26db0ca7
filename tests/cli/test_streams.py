"""Standard streams that are full, closed or unread, and encodings of the environment."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SPEC = """name: x
description: "größe → ∞ 日本語"
family: decoder-only
vocab_size: 9
max_positions: 9
d_model: 8
layers: 1
positions: learned
attention: {heads: 2}
head: language_model
"""
COMMANDS = [
    "check x.yaml",
    "check x.yaml --json",
    "show x.yaml",
    "build x.yaml -o -",
    "build x.yaml -o /dev/stdout",
    "inspect x.yaml",
    "visualize x.yaml -o -",
    "masks x.yaml -o - --format png",
    "diff x.yaml x.yaml --set layers=2",
    "schema",
    "new",
    "--help",
]
ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "x.yaml").write_text(SPEC, encoding="utf-8")
    return tmp_path


def shell(folder: Path, command: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    """Run a shell command in which `MW` is modelwright."""
    words = command.replace("MW", f"{sys.executable} -m modelwright")
    return subprocess.run(
        ["bash", "-c", words],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        check=False,
        timeout=60,
    )


@pytest.mark.sampled(8)
@pytest.mark.parametrize("command", COMMANDS)
def test_lost_output_is_an_error(folder: Path, command: str) -> None:
    for where, reason in (("> /dev/full", b"No space left on device"), (">&-", b"")):
        done = shell(folder, f"MW {command} {where}")
        assert done.returncode == 2
        assert reason in done.stderr
        assert done.stderr.startswith(b"Error: ")
        assert b"Traceback" not in done.stderr


@pytest.mark.sampled(8)
@pytest.mark.parametrize("command", COMMANDS[:-1])
def test_a_closed_reader_ends_a_command_silently(folder: Path, command: str) -> None:
    done = shell(folder, f"set -o pipefail; MW {command} | true")
    assert (done.returncode, done.stdout, done.stderr) == (141, b"", b"")


@pytest.mark.parametrize("where", ["2>&-", "2> /dev/full"])
def test_without_stderr_the_exit_code_remains(folder: Path, where: str) -> None:
    (folder / "wrong.yaml").write_text("name: x\n")
    assert shell(folder, f"MW check x.yaml {where}").returncode == 0
    for command in ("check wrong.yaml", "biuld", "check"):
        done = shell(folder, f"MW {command} {where}")
        assert (done.returncode, done.stdout) == (2, b"")


def test_all_streams_may_be_closed(folder: Path) -> None:
    assert shell(folder, "MW build x.yaml -o x.py >&- 2>&- <&-").returncode == 0
    assert "class X" in (folder / "x.py").read_text()
    assert shell(folder, "MW check - <&-").returncode == 2


@pytest.mark.sampled(2)
@pytest.mark.parametrize(
    "command", ["show x.yaml", "build x.yaml -o -", "visualize x.yaml -o -", "schema"]
)
def test_files_are_utf8_whatever_the_locale(folder: Path, command: str) -> None:
    plain, ascii_only = shell(folder, f"MW {command}"), shell(folder, f"MW {command}", **ASCII)
    assert ascii_only.returncode == 0
    assert ascii_only.stdout == plain.stdout


@pytest.mark.sampled(2)
@pytest.mark.parametrize(
    "command", ["inspect x.yaml", "diff x.yaml x.yaml", "check wrong.yaml", "new", "verify --help"]
)
def test_texts_for_people_are_printed_in_any_locale(folder: Path, command: str) -> None:
    (folder / "wrong.yaml").write_text("name: größe\n", encoding="utf-8")
    done = shell(folder, f"MW {command}", **ASCII)
    assert b"Traceback" not in done.stderr
    assert done.returncode in (0, 2)
    assert done.stdout + done.stderr


@pytest.mark.sampled(8)
@pytest.mark.parametrize("name", [b"n\xff.yaml", b"l\nf.yaml", b"e\x1b[31m.yaml"])
def test_file_names_of_any_bytes(folder: Path, name: bytes) -> None:
    path = os.path.join(os.fsencode(folder), name)
    with open(path, "wb") as file:
        file.write(SPEC.encode())
    for words in (["check"], ["check", "--json"], ["show"], ["build", "-o", "-"], ["inspect"]):
        done = subprocess.run(
            [sys.executable, "-m", "modelwright", *words, path], capture_output=True, check=False
        )
        assert done.returncode == 0, done.stderr
        assert done.stderr == b""


def test_every_command_reads_stdin(folder: Path) -> None:
    (folder / "base.yaml").write_text(SPEC, encoding="utf-8")
    (folder / "y.yaml").write_text("name: y\nextends: base.yaml\n", encoding="utf-8")
    for command in ("check -", "show -", "build - -o -", "inspect -", "diff x.yaml -"):
        done = shell(folder, f"MW {command} < y.yaml")
        assert done.returncode == 0, done.stderr
        assert done.stdout
    twice = shell(folder, "MW diff - - < y.yaml")
    assert twice.returncode == 2
    assert b"standard input can be read only once" in twice.stderr
    wrong = shell(folder, "echo 'name: [a' | MW check - --json")
    assert wrong.returncode == 2
    (problem,) = json.loads(wrong.stdout)["problems"]
    assert (problem["file"], problem["line"]) == ("<stdin>", 1)


FOLDERS = {
    "export": "x.yaml --weights w.safetensors",
    "data": "x.yaml --tokenizer bytes",
    "train": "x.yaml --data tokens",
    "explore": "x.yaml --no-browser",
}


@pytest.mark.parametrize("command", FOLDERS)
def test_a_folder_is_not_written_to_stdout(folder: Path, command: str) -> None:
    (folder / "w.safetensors").write_bytes(b"")
    option = "--static" if command == "explore" else "-o"
    done = shell(folder, f"MW {command} {FOLDERS[command]} {option} -")
    assert done.returncode == 2
    assert b"a folder cannot be written to stdout" in done.stderr
    assert not (folder / "-").exists()


@pytest.mark.parametrize("output", ["-", "/dev/null", "/dev/stdout"])
def test_weights_beside_a_spec_need_a_file(folder: Path, output: str) -> None:
    """The weights of `prune -o /dev/stdout` were written to /dev/stdout.safetensors."""
    (folder / "w.safetensors").write_bytes(b"")
    done = shell(folder, f"MW prune x.yaml --weights w.safetensors --data tokens -o {output}")
    assert done.returncode == 2
    assert b"written beside the spec" in done.stderr


@pytest.mark.parametrize("command", ["check {} --json", "diff {} {} --set layers=2 -o -"])
def test_names_of_files_are_read_as_utf8(folder: Path, command: str) -> None:
    (folder / "größe.yaml").write_text(SPEC, encoding="utf-8")
    (folder / os.fsdecode(b"n\xff.yaml")).write_text(SPEC, encoding="utf-8")
    words = command.replace("{}", "größe.yaml")
    plain, ascii_only = shell(folder, f"MW {words}"), shell(folder, f"MW {words}", **ASCII)
    assert (ascii_only.returncode, ascii_only.stdout) == (0, plain.stdout)
    assert "größe" in plain.stdout.decode()
    done = shell(folder, "MW " + command.replace("{}", "n*.yaml"))
    assert done.returncode == 0
    assert "n�.yaml" in done.stdout.decode()
