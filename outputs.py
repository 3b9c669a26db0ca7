"""Write output files atomically, without overwriting files that a user has edited.

Where the format allows, a file contains the SHA-256 of the rest of its content: in a comment on the
last line, a JSON `$comment` or a PNG text chunk. A file without a matching hash was edited or not
written by Modelwright. Emitted Python has its hash in the docstring, which its emitter reads.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import shutil
import socket
import stat
import struct
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

_COMMENT = {  # suffix -> start and end of a comment
    ".dot": (b"// ", b""),
    ".mmd": (b"%% ", b""),
    ".pdf": (b"% ", b""),
    ".py": (b"# ", b""),
    ".svg": (b"<!-- ", b" -->"),
    ".yaml": (b"# ", b""),
    ".yml": (b"# ", b""),
}
STAMPED = frozenset(_COMMENT) | {".json", ".png"}
"""Suffixes of files that contain their hash."""
_PNG_END = struct.pack(">I", 0) + b"IEND" + struct.pack(">I", zlib.crc32(b"IEND"))


class OutputError(Exception):
    """A file cannot be written or must not be overwritten; the message says which and why."""


def write(
    path: Path,
    data: bytes,
    *,
    force: bool = False,
    is_ours: Callable[[bytes], bool] | None = None,
) -> None:
    """Write `data` to a temporary file and rename it to `path`.

    An existing file is replaced if `force`, if it has the same bytes, or if `is_ours(its bytes)`. A
    pipe, a device or an open descriptor such as `/dev/stdout` is written to and never replaced.
    Raises OutputError otherwise, and if the path cannot be written.
    """
    try:
        if is_stream(path):
            _write_to_stream(path, data)
            return
        with replacing(path) as fresh:
            target = Path(os.path.realpath(path))
            if target.exists() and not force:
                _refuse_to_lose(path, target.read_bytes(), data, is_ours)
            with open(fresh, "xb") as file:
                file.write(data)
    except BrokenPipeError:
        raise
    except (OSError, ValueError) as error:
        raise _cannot_write(path, error) from None


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Context: a temporary name; the file that the block writes there is renamed to `path`.

    If the block raises, the file is removed. For a pipe or a device, the name is in a temporary
    folder, and the file is copied. Raises OutputError for a path that cannot be written.
    """
    if is_stream(path):
        with TemporaryDirectory() as folder:
            fresh = Path(folder) / "output"
            yield fresh
            _write_to_stream(path, fresh.read_bytes())
        return
    target = Path(os.path.realpath(path))
    _check_place(path, target)
    fresh = _beside(target)
    try:
        yield fresh
        if target.exists():
            shutil.copymode(target, fresh)
        os.replace(fresh, target)
    except OSError as error:
        raise _cannot_write(path, error) from None
    finally:
        fresh.unlink(missing_ok=True)


def check(path: Path, *, force: bool, is_ours: Callable[[bytes], bool]) -> None:
    """Raise OutputError where `write` would, whatever it is to write."""
    if is_stream(path):
        return
    target = Path(os.path.realpath(path))
    _check_place(path, target)
    if target.exists() and not force:
        _refuse_to_lose(path, target.read_bytes(), None, is_ours)


def _check_place(path: Path, target: Path) -> None:
    """Raise OutputError unless a regular file can be created or replaced at `target`."""
    if target.is_symlink():  # still a link after resolving: a circular link
        raise OutputError(f"{path} is a symbolic link that leads back to itself")
    if target.is_dir():
        raise OutputError(f"{path} is a folder")
    if target.exists() and not target.is_file():
        raise OutputError(f"{path} is neither a file nor a pipe; not overwritten")
    if not target.parent.is_dir():
        raise OutputError(f"{path}: there is no folder {_parent(path, target)}")


def _parent(path: Path, target: Path) -> Path:
    """The folder of an output: as it was given, or that of the target of a link."""
    return target.parent if path.is_symlink() else path.parent


def _cannot_write(path: Path, error: OSError | ValueError) -> OutputError:
    reason = getattr(error, "strerror", None) or str(error)
    return OutputError(f"{path} cannot be written: {reason}")


_DESCRIPTORS = re.compile(r"(?:/dev|/proc/(?:self|\d+))/fd/(\d{1,4})\Z")
_NOT_WAITING = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0)  # 0 on Windows
_STANDARD = {"/dev/stdin": 0, "/dev/stdout": 1, "/dev/stderr": 2}


def is_stream(path: Path) -> bool:
    """Whether the path is a pipe, a character device or an open descriptor."""
    if _descriptor(path) is not None:
        return True
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError):
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISCHR(mode)


def _descriptor(path: Path) -> int | None:
    """The open descriptor of a path such as `/dev/stdout`."""
    name = os.path.abspath(path)
    for _ in range(40):  # maximum number of links, as in Linux
        if name in _STANDARD:
            return _STANDARD[name]
        if found := _DESCRIPTORS.match(name):
            return int(found[1])
        try:
            name = os.path.abspath(os.path.join(os.path.dirname(name), os.readlink(name)))
        except OSError:
            return None
    return None


def _write_to_stream(path: Path, data: bytes) -> None:
    """Write to a pipe or device. A pipe without a reader is an error."""
    number = _descriptor(path)
    standard = {1: sys.stdout, 2: sys.stderr}
    try:
        if number in standard:
            stream = standard[number]
            if stream is None:
                raise OutputError(f"{path} is closed")
            stream.flush()
        if number is not None:
            opened = os.dup(number)
        else:
            opened = os.open(path, os.O_WRONLY | _NOT_WAITING)
            if _NOT_WAITING:
                os.set_blocking(opened, True)
        with open(opened, "wb", closefd=True) as file:
            file.write(data)
    except OSError as error:
        if isinstance(error, BrokenPipeError) and number == 1:
            raise  # as in printing: the command ends silently
        if error.errno == errno.ENXIO:
            raise OutputError(f"{path} is a pipe that no process reads") from None
        raise _cannot_write(path, error) from None


def write_folder(
    path: Path,
    fill: Callable[[Path], None],
    *,
    force: bool = False,
    is_ours: Callable[[Path], bool] = lambda _: False,
    is_own: Callable[[Path], bool] = lambda _: True,
) -> None:
    """Let `fill` write into a temporary folder, and rename it to `path` when complete.

    An existing folder is replaced if it is empty, or if `force` and `is_ours(it)` and
    `is_own(entry)` for all its entries.
    Raises OutputError otherwise, and if the folder cannot be written.
    """
    target = Path(os.path.realpath(path))
    try:
        _refuse_to_lose_folder(path, target, force=force, is_ours=is_ours)
        _refuse_to_lose_others(path, target, is_own)
        fresh = _beside(target)
        fresh.mkdir()
        try:
            fill(fresh)
            _swap_into_place(fresh, target)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
    except (OSError, ValueError) as error:
        raise _cannot_write(path, error) from None


def _refuse_to_lose_folder(
    path: Path, target: Path, *, force: bool, is_ours: Callable[[Path], bool]
) -> None:
    if target.is_symlink():
        raise OutputError(f"{path} is a symbolic link that leads back to itself")
    if not target.parent.is_dir():
        raise OutputError(f"{path}: there is no folder {_parent(path, target)}")
    if not target.exists():
        return
    if not target.is_dir():
        raise OutputError(f"{path} exists and is not a folder")
    if not any(target.iterdir()):
        return
    if not is_ours(target):
        raise OutputError(f"{path} exists and was not created by Modelwright; not overwritten")
    if not force:
        raise OutputError(f"{path} exists; not overwritten (use --force)")


def _refuse_to_lose_others(path: Path, target: Path, is_own: Callable[[Path], bool]) -> None:
    """Raise OutputError for files of others in a folder that is to be replaced."""
    there = sorted(target.iterdir()) if target.is_dir() else []
    others = [one.name for one in there if not is_own(one)]
    if others:
        more = f" and {len(others) - 1} more" if len(others) > 1 else ""
        raise OutputError(
            f"{path} contains {others[0]}{more}, not written by this command; move it away to "
            "replace the folder"
        )


def _swap_into_place(fresh: Path, target: Path) -> None:
    """Rename a folder; an existing one is exchanged atomically if possible."""
    if not target.exists():
        fresh.rename(target)
        return
    if _exchanged(fresh, target):
        return  # the old folder is now at `fresh`, which the caller removes
    old = _beside(target)
    target.rename(old)
    try:
        fresh.rename(target)
    except BaseException:
        old.rename(target)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _exchanged(one: Path, other: Path) -> bool:
    """Exchange two names atomically (Linux: renameat2); False if it is not supported."""
    if sys.platform != "linux":
        return False
    import ctypes

    call = getattr(ctypes.CDLL(None), "renameat2", None)
    here, exchange = -100, 2  # AT_FDCWD, RENAME_EXCHANGE
    return call is not None and not call(here, os.fsencode(one), here, os.fsencode(other), exchange)


_LEFT = re.compile(r"\.(\d{1,10})-([0-9a-f]{4})[0-9a-f]{8}\..+")
"""`.1234-ab12cd34ef56.name`: process, machine (4 characters), random (8 characters), target."""


def _beside(target: Path) -> Path:
    """An unused temporary name next to the target; leftovers of killed processes are removed."""
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
    """Whether a process with this id exists; True in case of doubt."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True


def _refuse_to_lose(
    path: Path, there: bytes, data: bytes | None, is_ours: Callable[[bytes], bool] | None
) -> None:
    if there == data or (is_ours is not None and is_ours(there)):
        return
    how = "exists" if is_ours is None else "was modified or not created by Modelwright"
    raise OutputError(f"{path} {how}; not overwritten (use --force)")


def stamp(data: bytes, suffix: str) -> bytes:
    """The bytes with their hash added; unchanged for other suffixes."""
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
    """Whether `data` is exactly the output of `stamp`."""
    rest = _without_stamp(data, suffix)
    return rest is not None and stamp(rest, suffix) == data


def _without_stamp(data: bytes, suffix: str) -> bytes | None:
    """The bytes before stamping; None if there is no stamp."""
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
    """Indented JSON in UTF-8, also where the locale is not: file names are read as UTF-8."""
    text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
    try:
        data = text.encode(errors="surrogateescape")  # how Python decodes file names
    except UnicodeEncodeError:
        data = text.encode(errors="replace")
    return data.decode(errors="replace").encode()


def _note(data: bytes) -> str:
    return "Written by modelwright; sha256 of the rest: " + hashlib.sha256(data).hexdigest()


def _png_text(note: str) -> bytes:
    """A tEXt chunk (PNG, RFC 2083, section 4.2.3)."""
    body = b"tEXt" + b"Comment\0" + note.encode()
    return struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
