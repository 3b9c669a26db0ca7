"""Files that modelwright writes: moved into place whole, and never over somebody's own work.

What is written carries the sha256 of the rest of itself in the way its format allows: a last
comment line, a `$comment`, a text chunk. So a file that was edited since is recognised, and a file
of somebody else's too. Emitted Python carries its hash in its docstring, which its emitter reads.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import socket
import struct
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

_COMMENT = {  # suffix -> what stands around a comment on the last line
    ".dot": (b"// ", b""),
    ".mmd": (b"%% ", b""),
    ".pdf": (b"% ", b""),
    ".py": (b"# ", b""),
    ".svg": (b"<!-- ", b" -->"),
    ".yaml": (b"# ", b""),
    ".yml": (b"# ", b""),
}
_PNG_END = struct.pack(">I", 0) + b"IEND" + struct.pack(">I", zlib.crc32(b"IEND"))


class OutputError(Exception):
    """A file that cannot be written, or must not be; the message says which and why."""


def write(
    path: Path,
    data: bytes,
    *,
    force: bool = False,
    is_ours: Callable[[bytes], bool] | None = None,
) -> None:
    """Write `data` to a new file beside `path` and move it there.

    A file that is there already is replaced if `force`, if it holds the same bytes, or if
    `is_ours(its bytes)`. Raises OutputError otherwise, and when the place cannot be written.
    """
    try:
        with replacing(path) as fresh:
            target = Path(os.path.realpath(path))
            if target.exists() and not force:
                _refuse_to_lose(path, target.read_bytes(), data, is_ours)
            with open(fresh, "xb") as file:
                file.write(data)
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror or error}") from None


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A name that no file has, beside `path`; what is written there is moved to its place.

    Nothing is moved, and nothing is left, where the block raises. Raises OutputError for a place
    that cannot be written.
    """
    target = Path(os.path.realpath(path))
    if target.is_dir():
        raise OutputError(f"{path} is a folder")
    if not target.parent.is_dir():
        raise OutputError(f"{path}: there is no folder {path.parent}")
    fresh = _beside(target)
    try:
        yield fresh
        if target.exists():
            shutil.copymode(target, fresh)
        os.replace(fresh, target)
    finally:
        fresh.unlink(missing_ok=True)


def write_folder(
    path: Path,
    fill: Callable[[Path], None],
    *,
    force: bool = False,
    is_ours: Callable[[Path], bool] = lambda _: False,
) -> None:
    """Let `fill` write into a new folder beside `path` and move that there when it is whole.

    A folder that is there already is replaced if it is empty, or if `force` and `is_ours(it)`.
    Raises OutputError otherwise, and when the place cannot be written.
    """
    target = Path(os.path.realpath(path))
    try:
        _refuse_to_lose_folder(path, target, force=force, is_ours=is_ours)
        fresh = _beside(target)
        fresh.mkdir()
        try:
            fill(fresh)
            _swap_into_place(fresh, target)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror or error}") from None


def _refuse_to_lose_folder(
    path: Path, target: Path, *, force: bool, is_ours: Callable[[Path], bool]
) -> None:
    if not target.parent.is_dir():
        raise OutputError(f"{path}: there is no folder {path.parent}")
    if not target.exists():
        return
    if not target.is_dir():
        raise OutputError(f"{path} is a file, not a folder")
    if not any(target.iterdir()):
        return
    if not is_ours(target):
        raise OutputError(f"{path} is there already, and not modelwright's: it is left alone")
    if not force:
        raise OutputError(f"{path} is there already: it is left alone; --force replaces it")


def _swap_into_place(fresh: Path, target: Path) -> None:
    """Move a folder to its place. Where one is, the two change places in one step if they can."""
    if not target.exists():
        fresh.rename(target)
        return
    if _exchanged(fresh, target):
        return  # what was there is now called `fresh`, and its maker removes that
    old = _beside(target)
    target.rename(old)
    try:
        fresh.rename(target)
    except BaseException:
        old.rename(target)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _exchanged(one: Path, other: Path) -> bool:
    """Exchange two names in one step (Linux: renameat2); False where that is not to be had."""
    if sys.platform != "linux":
        return False
    import ctypes

    call = getattr(ctypes.CDLL(None), "renameat2", None)
    here, exchange = -100, 2  # AT_FDCWD, RENAME_EXCHANGE
    return call is not None and not call(here, os.fsencode(one), here, os.fsencode(other), exchange)


_LEFT = re.compile(r"\.(\d{1,10})-([0-9a-f]{4})[0-9a-f]{8}\..+")
"""`.1234-ab12cd34ef56.name`: process, four signs of the machine, eight of chance, the target."""


def _beside(target: Path) -> Path:
    """A name of nothing, beside the target; what a process that was killed here left is removed."""
    machine = hashlib.sha256(socket.gethostname().encode()).hexdigest()[:4]
    name = os.fsdecode(os.fsencode(target.name)[-100:])
    for left in target.parent.glob(".*"):
        found = _LEFT.fullmatch(left.name)
        if found is None or found[2] != machine or not left.name.endswith(f".{name}"):
            continue
        if not _runs(int(found[1])):
            shutil.rmtree(left, ignore_errors=True) if left.is_dir() else left.unlink(True)
    return target.with_name(f".{os.getpid()}-{machine}{os.urandom(4).hex()}.{name}")


def _runs(pid: int) -> bool:
    """Is there a process of this number? Yes, if in doubt."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True


def _refuse_to_lose(
    path: Path, there: bytes, data: bytes, is_ours: Callable[[bytes], bool] | None
) -> None:
    if there == data or (is_ours is not None and is_ours(there)):
        return
    raise OutputError(
        f"{path} was edited, or is not modelwright's: it is left alone; --force overwrites it"
    )


def stamp(data: bytes, suffix: str) -> bytes:
    """The bytes with a note that holds their hash; unchanged for a suffix that has no place."""
    if suffix == ".json":
        content = json.loads(data)
        return json_text({"$comment": _note(json_text(content)), **content})
    if suffix == ".png":
        return data.removesuffix(_PNG_END) + _png_text(_note(data)) + _PNG_END
    if suffix in _COMMENT:
        before, after = _COMMENT[suffix]
        data = data.rstrip(b"\n") + b"\n"
        return data + before + _note(data).encode() + after + b"\n"
    return data


def is_unedited(data: bytes, suffix: str) -> bool:
    """Whether `data` is what `stamp` made, to the byte."""
    rest = _without_stamp(data, suffix)
    return rest is not None and stamp(rest, suffix) == data


def _without_stamp(data: bytes, suffix: str) -> bytes | None:
    """What was stamped; None where no stamp can be."""
    if suffix == ".json":
        try:
            content = json.loads(data)
        except ValueError:
            return None
        if not isinstance(content, dict):
            return None
        return json_text({key: value for key, value in content.items() if key != "$comment"})
    if suffix == ".png":
        return data[: -len(_png_text(_note(b"")) + _PNG_END)] + _PNG_END
    if suffix in _COMMENT:
        return data.rstrip(b"\n").rpartition(b"\n")[0] + b"\n"
    return None


def json_text(content: dict[str, object]) -> bytes:
    """JSON as modelwright writes it."""
    return (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode()


def _note(data: bytes) -> str:
    return "Written by modelwright; sha256 of the rest: " + hashlib.sha256(data).hexdigest()


def _png_text(note: str) -> bytes:
    """A tEXt chunk (PNG, RFC 2083, section 4.2.3)."""
    body = b"tEXt" + b"Comment\0" + note.encode()
    return struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
