"""Output files are complete or absent, and never overwrite a user's work."""

from __future__ import annotations

import json
import os
import socket
import stat
import struct
import threading
import zlib
from pathlib import Path

import pytest
from click.testing import CliRunner

from modelwright.cli import cli
from modelwright.explorer.start import EXAMPLES
from modelwright.outputs import (
    OutputError,
    is_stream,
    is_unedited,
    json_text,
    stamp,
    write,
    write_folder,
)


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


PNG = (
    b"\x89PNG\r\n\x1a\n"
    + chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0))
    + chunk(b"IDAT", zlib.compress(b"\0\0"))
    + chunk(b"IEND", b"")
)
SAMPLES = {
    ".svg": b"<svg/>\n",
    ".dot": b"digraph {}",
    ".mmd": b"flowchart BT\n",
    ".pdf": b"%PDF-1.4\n%%EOF\n\n",
    ".yaml": "name: größe\n".encode(),
    ".json": json_text({"b": 1, "a": [2]}),
    ".png": PNG,
}


@pytest.mark.parametrize("suffix", SAMPLES)
def test_a_stamped_file_is_recognised_until_it_is_edited(suffix: str) -> None:
    stamped = stamp(SAMPLES[suffix], suffix)
    assert is_unedited(stamped, suffix)
    assert not is_unedited(SAMPLES[suffix], suffix)
    place = len(stamped) // 3
    edited = stamped[:place] + bytes([stamped[place] ^ 1]) + stamped[place + 1 :]
    assert not is_unedited(edited, suffix)


@pytest.mark.parametrize("suffix", SAMPLES)
def test_stamping_is_deterministic(suffix: str) -> None:
    assert stamp(SAMPLES[suffix], suffix) == stamp(SAMPLES[suffix], suffix)


def test_a_stamped_json_holds_the_same_data() -> None:
    content = json.loads(stamp(SAMPLES[".json"], ".json"))
    assert content.pop("$comment").startswith("Written by modelwright")
    assert content == {"b": 1, "a": [2]}


def test_a_stamped_png_is_still_a_png() -> None:
    data, kinds = stamp(PNG, ".png"), []
    place = 8
    while place < len(data):
        (length,) = struct.unpack(">I", data[place : place + 4])
        whole = data[place + 4 : place + 8 + length]
        assert zlib.crc32(whole) == struct.unpack(">I", data[place + 8 + length :][:4])[0]
        kinds.append(whole[:4])
        place += 12 + length
    assert kinds == [b"IHDR", b"IDAT", b"tEXt", b"IEND"]


@pytest.mark.sampled(2)
@pytest.mark.parametrize("text", [b"", b"\n", b"[1]", b"{", b"\xff\xfe", b'{"$comment": 3}'])
@pytest.mark.parametrize("suffix", [*SAMPLES, ".txt"])
def test_foreign_bytes_are_never_ours(text: bytes, suffix: str) -> None:
    assert not is_unedited(text, suffix)


def test_a_new_file_has_the_usual_permissions_and_leaves_nothing_beside(tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.write_text("x")
    write(tmp_path / "out.txt", b"hello")
    assert (tmp_path / "out.txt").read_bytes() == b"hello"
    assert (tmp_path / "out.txt").stat().st_mode == plain.stat().st_mode
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out.txt", "plain"]


def test_foreign_and_edited_files_stay(tmp_path: Path) -> None:
    path = tmp_path / "out.txt"
    path.write_bytes(b"mine")
    with pytest.raises(OutputError, match="not overwritten"):
        write(path, b"theirs")
    with pytest.raises(OutputError, match="use --force"):
        write(path, b"theirs", is_ours=lambda there: there == b"ours")
    assert path.read_bytes() == b"mine"
    assert [p.name for p in tmp_path.iterdir()] == ["out.txt"]


def test_files_that_may_be_replaced(tmp_path: Path) -> None:
    path = tmp_path / "out.txt"
    path.write_bytes(b"one")
    path.chmod(0o640)
    write(path, b"one")
    write(path, b"two", is_ours=lambda there: there == b"one")
    assert path.read_bytes() == b"two"
    write(path, b"three", force=True)
    assert path.read_bytes() == b"three"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real.txt").write_bytes(b"one")
    (tmp_path / "link.txt").symlink_to("real.txt")
    write(tmp_path / "link.txt", b"two", force=True)
    assert (tmp_path / "link.txt").is_symlink()
    assert (tmp_path / "real.txt").read_bytes() == b"two"


class Reader:
    """Reads a pipe to its end in a thread; the pipe is open before `write` begins."""

    def __init__(self, path: Path) -> None:
        self.descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        os.set_blocking(self.descriptor, True)
        self.data = b""
        self.thread = threading.Thread(target=self.read)

    def read(self) -> None:
        while block := os.read(self.descriptor, 65_536):
            self.data += block
        os.close(self.descriptor)


def test_a_pipe_is_written_to_and_kept(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.txt"
    os.mkfifo(pipe)
    (tmp_path / "link.txt").symlink_to(pipe)
    for path in (pipe, tmp_path / "link.txt"):
        reader = Reader(pipe)
        writer = os.open(pipe, os.O_WRONLY)  # the reader sees no end before `write` is done
        reader.thread.start()
        write(path, b"x" * 200_000)
        os.close(writer)
        reader.thread.join()
        assert reader.data == b"x" * 200_000
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["link.txt", "pipe.txt"]


@pytest.mark.parametrize("force", [False, True])
def test_only_regular_files_are_replaced(tmp_path: Path, force: bool) -> None:
    os.mkfifo(tmp_path / "pipe.txt")
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(tmp_path / "socket.txt"))
    (tmp_path / "loop.txt").symlink_to("loop.txt")
    (tmp_path / "folder.txt").mkdir()
    before = {p.name: p.lstat().st_mode for p in tmp_path.iterdir()}
    reasons = {
        "pipe.txt": "is a pipe that no process reads",
        "socket.txt": "is neither a file nor a pipe",
        "loop.txt": "is a symbolic link that leads back to itself",
        "folder.txt": "is a folder",
    }
    for name, reason in reasons.items():
        with pytest.raises(OutputError, match=reason):
            write(tmp_path / name, b"data", force=force)
    with pytest.raises(OutputError, match="leads back to itself"):
        write_folder(tmp_path / "loop.txt", lambda folder: None, force=force)
    server.close()
    assert {p.name: p.lstat().st_mode for p in tmp_path.iterdir()} == before


def test_a_terminal_is_written_to(tmp_path: Path) -> None:
    leader, follower = os.openpty()
    (tmp_path / "tty.txt").symlink_to(os.ttyname(follower))
    assert is_stream(tmp_path / "tty.txt")
    write(tmp_path / "tty.txt", b"hello")
    assert os.read(leader, 10) == b"hello"
    os.close(leader)
    os.close(follower)
    with pytest.raises(OutputError):
        write(tmp_path / "tty.txt", b"hello")


@pytest.mark.parametrize("name", ["/dev/fd/{}", "/proc/self/fd/{}", "link.txt"])
def test_an_open_descriptor_is_written_at_its_offset(tmp_path: Path, name: str) -> None:
    with open(tmp_path / "log.txt", "ab") as log:
        log.write(b"before\n")
        log.flush()
        path = Path(name.format(log.fileno()))
        if name == "link.txt":
            path = tmp_path / name
            path.symlink_to(f"/dev/fd/{log.fileno()}")
        write(path, b"data\n")
        log.write(b"after\n")
    assert (tmp_path / "log.txt").read_bytes() == b"before\ndata\nafter\n"
    with pytest.raises(OutputError, match="cannot be written"):
        write(path, b"data")


def test_weights_reach_a_pipe(tmp_path: Path) -> None:
    import torch
    from safetensors.torch import load

    import modelwright as mw

    os.mkfifo(tmp_path / "pipe")
    reader = Reader(tmp_path / "pipe")
    writer = os.open(tmp_path / "pipe", os.O_WRONLY)
    reader.thread.start()
    mw.save_weights(torch.nn.Linear(2, 3), tmp_path / "pipe")
    os.close(writer)
    reader.thread.join()
    assert load(reader.data)["weight"].shape == (3, 2)


def test_places_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="is a folder"):
        write(tmp_path, b"")
    with pytest.raises(OutputError, match="there is no folder"):
        write(tmp_path / "a" / "b.txt", b"")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere" / "b.txt")
    with pytest.raises(OutputError, match=r"link: there is no folder .*nowhere"):
        write(tmp_path / "link", b"")
    with pytest.raises(OutputError, match="cannot be written: File name too long"):
        write(tmp_path / ("x" * 300), b"")


@pytest.mark.parametrize("command", ["build", "visualize", "masks"])
def test_what_a_command_reads_is_not_overwritten(tmp_path: Path, command: str) -> None:
    """Even with --force, and by another path to the same file."""
    spec = tmp_path / "a.yaml"
    text = (EXAMPLES / "tiny_gpt.yaml").read_text(encoding="utf-8")
    spec.write_text(text, encoding="utf-8")
    (tmp_path / "link.svg").symlink_to(spec)
    output = tmp_path / ("a.yaml" if command == "build" else "link.svg")
    arguments = [command, str(spec), "-o", str(output), "--force"]
    done = CliRunner().invoke(cli, arguments)
    assert done.exit_code == 2
    assert "is read by this command" in done.stderr
    assert spec.read_text(encoding="utf-8") == text
