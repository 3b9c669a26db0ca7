"""Stream text files, JSONL and Parquet.

A text file is one document. A line of JSONL and a row of Parquet are a document each.
"""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import TrainingError

PIECE = 1 << 20
"""Maximum number of characters of a piece of a text file."""


@dataclass(frozen=True)
class Row:
    """A document, or a piece of one.

    fields     column -> value; text files have `text`
    source     file and, in JSONL, line, for errors
    ends       whether the document ends here
    position   bytes of the file up to the end of this row, for progress and the held-out split
    is_text    whether it is from a text file, which can be split anywhere
    """

    fields: Mapping[str, Any]
    source: str
    ends: bool = True
    position: int = 0
    is_text: bool = False

    def text(self, column: str) -> str:
        """The text of a column. Raises TrainingError if there is none."""
        if column not in self.fields:
            known = ", ".join(map(str, self.fields)) or "none"
            raise TrainingError(f"{self.source}: no field `{column}`; its fields: {known}")
        value = self.fields[column]
        if not isinstance(value, str):
            kind = type(value).__name__
            raise TrainingError(f"{self.source}: `{column}` is not a string but {kind}")
        if any("\ud800" <= sign <= "\udfff" for sign in value):
            raise TrainingError(f"{self.source}: `{column}` contains half of a surrogate pair")
        return value


def total_bytes(paths: Sequence[Path]) -> int:
    """The total size of files. Raises TrainingError if a path is not a file."""
    for path in paths:
        if path.is_dir():
            raise TrainingError(f"{path} is a folder; give its files, such as `{path}/*`")
        if not path.is_file():
            raise TrainingError(f"{path}: no such file")
    return sum(path.stat().st_size for path in paths)


def read_rows(path: Path, columns: Sequence[str] = ("text",)) -> Iterator[Row]:
    """The documents of a file, by its suffix: `.jsonl`, `.parquet`, or else text in UTF-8.

    columns: the needed columns; Parquet reads no others

    Raises TrainingError with the file and the line or byte of an error.
    """
    read = READERS.get(path.suffix.lower(), _read_text)
    try:
        yield from read(path, columns)
    except OSError as error:
        raise TrainingError(f"{path}: {error.strerror or error}") from None


def _read_text(path: Path, _columns: Sequence[str]) -> Iterator[Row]:
    """The file in pieces that end at line ends, unless lines are too long."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    rest, given, position, size = "", 0, 0, path.stat().st_size
    with path.open("rb") as file:
        while data := file.read(PIECE):
            rest += _decoded(decoder, data, path, position)
            position += len(data)
            if position >= size:
                continue
            cut = rest.rfind("\n") + 1 if len(rest) < 2 * PIECE else len(rest)
            if cut:
                given += len(rest[:cut].encode())
                yield Row({"text": rest[:cut]}, str(path), ends=False, position=given, is_text=True)
                rest = rest[cut:]
    _decoded(decoder, b"", path, position, final=True)
    if size:
        yield Row({"text": rest}, str(path), position=size, is_text=True)


def _decoded(
    decoder: codecs.IncrementalDecoder, data: bytes, path: Path, start: int, *, final: bool = False
) -> str:
    pending = len(decoder.getstate()[0])
    try:
        return decoder.decode(data, final)
    except UnicodeDecodeError as error:
        at = start - pending + error.start
        raise TrainingError(f"{path}: byte {at} is not valid UTF-8 ({error.reason})") from None


def _read_jsonl(path: Path, _columns: Sequence[str]) -> Iterator[Row]:
    position = 0
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            position += len(line)
            if not line.strip():
                continue
            place = f"{path}:{number}"
            try:
                value = json.loads(line)
            except UnicodeDecodeError:
                raise TrainingError(f"{place}: not valid UTF-8") from None
            except RecursionError:
                raise TrainingError(f"{place}: lists or objects are nested too deeply") from None
            except ValueError as error:
                raise TrainingError(f"{place}: not valid JSON ({error})") from None
            if not isinstance(value, dict):
                raise TrainingError(f'{place}: a line must be a JSON object, such as {{"text": …}}')
            yield Row(value, place, position=position)


def _read_parquet(path: Path, columns: Sequence[str]) -> Iterator[Row]:
    try:
        from pyarrow import ArrowException, parquet
    except ImportError:
        raise TrainingError(
            f"{path}: reading Parquet needs pyarrow; install modelwright[data]"
        ) from None
    try:
        with parquet.ParquetFile(path) as file:
            missing = [name for name in columns if name not in file.schema_arrow.names]
            if missing:
                known = ", ".join(file.schema_arrow.names)
                raise TrainingError(f"{path}: no column `{missing[0]}`; its columns: {known}")
            yield from _parquet_rows(file, path, columns)
    except (ArrowException, OSError) as error:
        raise TrainingError(f"{path} is not a valid Parquet file: {error}") from None


def _parquet_rows(file: Any, path: Path, columns: Sequence[str]) -> Iterator[Row]:
    size, count = path.stat().st_size, max(1, file.metadata.num_rows)
    number = 0
    for batch in file.iter_batches(batch_size=1024, columns=list(columns)):
        for fields in batch.to_pylist():
            number += 1
            yield Row(fields, f"{path}, row {number}", position=size * number // count)


READERS = {".jsonl": _read_jsonl, ".ndjson": _read_jsonl, ".parquet": _read_parquet}
"""Suffix -> reader."""
