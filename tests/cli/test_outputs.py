"""Output files: whole or not at all, and never over somebody's own work."""

from __future__ import annotations

import json
import stat
import struct
import zlib
from pathlib import Path

import pytest

from modelwright.outputs import OutputError, is_unedited, json_text, stamp, write


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
    with pytest.raises(OutputError, match="--force overwrites it"):
        write(path, b"theirs")
    with pytest.raises(OutputError, match="left alone"):
        write(path, b"theirs", is_ours=lambda there: there == b"ours")
    assert path.read_bytes() == b"mine"
    assert [p.name for p in tmp_path.iterdir()] == ["out.txt"]


def test_what_may_be_replaced(tmp_path: Path) -> None:
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


def test_places_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="is a folder"):
        write(tmp_path, b"")
    with pytest.raises(OutputError, match="there is no folder"):
        write(tmp_path / "a" / "b.txt", b"")
    with pytest.raises(OutputError, match="cannot be written: File name too long"):
        write(tmp_path / ("x" * 300), b"")
