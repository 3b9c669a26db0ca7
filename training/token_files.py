"""Folders of token files, written by `modelwright data` and read by the training script.

data.json               kind, data type, tokenizer, vocabulary, special tokens; sizes of each split
tokenizer.json          the tokenizer, unless tokens are bytes
train.bin, val.bin      concatenated tokens
train.ends, val.ends    int64: end index of each document

Pairs have two such files, `train.source.bin` and `train.target.bin`, each with its ends. Labelled
documents have `train.labels` (int64).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any

from ..outputs import write_folder
from .emitted.files import FORMAT
from .encoding import TokenizerFile, encode_in_order
from .errors import TrainingError
from .texts import Row, read_rows, total_bytes

CLASSES = 1 << 31
"""What class numbers must be below."""
SPLITS = ("train", "val")
OWN = r"data\.json|tokenizer\.json|(train|val)(\.(source|target|text))?\.(bin|ends|labels)"
"""Names of the files of a folder."""
BATCH_CHARACTERS = 1 << 20
"""Amount of text per batch of a process."""


@dataclass(frozen=True)
class Kind:
    """A kind of document.

    columns  its text fields, each of which becomes a file of tokens
    label    the field of its class, or ""
    """

    columns: tuple[str, ...]
    label: str = ""

    def stem(self, column: str) -> str:
        """Infix of a column's file names; "" if there is only one column."""
        return "" if len(self.columns) == 1 else f".{column}"


KINDS = {
    "text": Kind(("text",)),
    "pairs": Kind(("source", "target")),
    "labelled": Kind(("text",), "label"),
}


@dataclass
class Request:
    """What to write.

    paths      text, JSONL or Parquet
    kind       `text`, `pairs` or `labelled`
    fields     our name of a column -> name in the input, if it differs
    end        id that is appended to every text, or None
    held_out   fraction for `val`: the end of each text file, and evenly spaced documents of JSONL
               and Parquet
    """

    paths: Sequence[Path]
    kind: str
    tokenizer: TokenizerFile
    end: int | None
    held_out: float = 0.05
    fields: dict[str, str] = field(default_factory=dict)
    processes: int = 1

    def called(self, column: str) -> str:
        return self.fields.get(column, column)


@dataclass
class Sizes:
    """Sizes of a split: documents, tokens and bytes."""

    documents: int = 0
    tokens: int = 0
    bytes: int = 0


def write_data(
    request: Request,
    output: Path,
    *,
    force: bool = False,
    on_progress: Callable[[float], None] = lambda done: None,
) -> dict[str, Sizes]:
    """Write a folder of token files. It is written under a temporary name and renamed when
    complete.

    on_progress: called with the fraction of the text that has been read

    Raises TrainingError for text that cannot be read, OutputError for a folder that cannot be
    written. In both cases, and when interrupted, nothing is left behind.
    """
    total = total_bytes(request.paths)
    sizes: dict[str, Sizes] = {}

    def fill(folder: Path) -> None:
        with ExitStack() as opened:
            splits = {split: _Split(folder, split, request, opened) for split in SPLITS}
            labels = _write_all(request, splits, total, on_progress)
        sizes.update({split: writer.sizes for split, writer in splits.items()})
        if not sizes["train"].tokens:
            raise TrainingError("there is no text to train on: all documents are empty")
        if request.tokenizer.source:
            tokenizer = folder / "tokenizer.json"
            tokenizer.write_text(request.tokenizer.source, encoding="utf-8")
        about = _about(request, sizes, labels)
        (folder / "data.json").write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")

    write_folder(output, fill, force=force, is_ours=is_ours, is_own=is_own)
    return sizes


def is_ours(folder: Path) -> bool:
    """Whether a folder was written by `modelwright data`."""
    try:
        about = json.loads((folder / "data.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(about, dict) and about.keys() >= {"format", "kind", "tokenizer", *SPLITS}


def is_own(path: Path) -> bool:
    """Whether a path is that of a file of such a folder."""
    return re.fullmatch(OWN, path.name) is not None and path.is_file()


def _about(request: Request, sizes: dict[str, Sizes], labels: int) -> dict[str, Any]:
    tokenizer = request.tokenizer
    about: dict[str, Any] = {
        "format": FORMAT,
        "kind": request.kind,
        "dtype": dtype_of(tokenizer.vocabulary),
        "tokenizer": tokenizer.digest,
        "vocabulary": tokenizer.vocabulary,
        "specials": tokenizer.roles,
        "end": request.end,
    }
    if KINDS[request.kind].label:
        about["classes"] = labels
    return about | {split: vars(size) for split, size in sizes.items()}


def end_id(tokenizer: TokenizerFile, name: str | None) -> int | None:
    """The id of the token that ends a document, or None.

    name: name of a token; `none` for no end token; None for the tokenizer's end token

    Raises TrainingError for an unknown token.
    """
    if name == "none":
        return None
    if name is None:
        return tokenizer.roles.get("eos")
    if name not in tokenizer.tokens:
        known = [
            token
            for token, number in tokenizer.tokens.items()
            if number in tokenizer.roles.values()
        ]
        hint = f"; its special tokens: {', '.join(known)}" if known else ""
        raise TrainingError(f"the tokenizer has no token `{name}`{hint}")
    return tokenizer.tokens[name]


def dtype_of(vocabulary: int) -> str:
    """The narrowest NumPy dtype for all ids."""
    return "uint16" if vocabulary <= 1 << 16 else "uint32"


class _Split:
    """The open files of a split, and their sizes so far."""

    def __init__(self, folder: Path, split: str, request: Request, opened: ExitStack) -> None:
        self.sizes = Sizes()
        self.kind = KINDS[request.kind]
        self.dtype = dtype_of(request.tokenizer.vocabulary)
        self.end = request.end

        def new(name: str) -> IO[bytes]:
            return opened.enter_context((folder / f"{split}{name}").open("wb"))

        stems = [self.kind.stem(column) for column in self.kind.columns]
        self.tokens = [new(f"{stem}.bin") for stem in stems]
        self.ends = [new(f"{stem}.ends") for stem in stems]
        self.labels = new(".labels") if self.kind.label else None
        self.counts = [0] * len(stems)

    def add(self, row: _Encoded, ids: list[list[int]]) -> None:
        """Add a document, or a piece of one."""
        import numpy as np  # its `tofile` can lose a part and raise no error

        for n, (tokens, file) in enumerate(zip(ids, self.tokens, strict=True)):
            if row.ends and self.end is not None:
                tokens.append(self.end)
            file.write(np.asarray(tokens, self.dtype).tobytes())
            self.counts[n] += len(tokens)
            if row.ends:
                self.ends[n].write(np.asarray([self.counts[n]], np.int64).tobytes())
        if self.labels is not None:
            self.labels.write(np.asarray([row.label], np.int64).tobytes())
        self.sizes.documents += row.ends
        self.sizes.bytes += row.bytes
        self.sizes.tokens = sum(self.counts)


@dataclass(frozen=True)
class _Encoded:
    """Metadata of a row while its texts are encoded."""

    split: str
    ends: bool
    bytes: int
    done: float
    label: int = 0


def _write_all(
    request: Request,
    splits: dict[str, _Split],
    total: int,
    on_progress: Callable[[float], None],
) -> int:
    """Encode and write everything. Returns the number of classes."""
    labels = 0
    batches = _batches(request, total)
    width = len(KINDS[request.kind].columns)
    for rows, ids in encode_in_order(batches, request.tokenizer, request.processes):
        for number, row in enumerate(rows):
            splits[row.split].add(row, ids[number * width : (number + 1) * width])
            labels = max(labels, row.label + 1)
        on_progress(rows[-1].done)
    return labels


def _batches(request: Request, total: int) -> Iterator[tuple[list[_Encoded], list[str]]]:
    """Batches of rows and their texts."""
    kind = KINDS[request.kind]
    rows: list[_Encoded] = []
    texts: list[str] = []
    size = 0
    for row, split, done in _split_rows(request, total):
        found = [row.text(request.called(column)) for column in kind.columns]
        label = _label(row, request.called(kind.label)) if kind.label else 0
        length = sum(len(text.encode(errors="replace")) for text in found)
        rows.append(_Encoded(split, row.ends, length, done, label))
        texts += found
        size += length
        if size >= BATCH_CHARACTERS:
            yield rows, texts
            rows, texts, size = [], [], 0
    if rows:
        yield rows, texts


def _split_rows(request: Request, total: int) -> Iterator[tuple[Row, str, float]]:
    """Each row, whether it is held out, and the fraction of bytes read so far."""
    kind = KINDS[request.kind]
    columns = [request.called(name) for name in (*kind.columns, *filter(None, [kind.label]))]
    before = number = 0
    for path in request.paths:
        size = path.stat().st_size
        for row in read_rows(path, columns):
            done = (before + row.position) / max(1, total)
            if row.is_text:
                yield from ((part, split, done) for part, split in _cut(row, size, request))
            else:
                number += 1
                held = int(number * request.held_out) > int((number - 1) * request.held_out)
                yield row, SPLITS[held], done
        before += size


def _cut(row: Row, size: int, request: Request) -> Iterator[tuple[Row, str]]:
    """Split a piece of a text file where the held-out part begins."""
    border = round(size * (1 - request.held_out))
    text = row.fields["text"]
    length = len(text.encode(errors="replace"))
    start = row.position - length
    if row.position <= border:
        yield replace(row, ends=row.ends or row.position == border), "train"
        return
    if start >= border:
        yield row, "val"
        return
    head = text.encode()[: border - start].decode(errors="ignore")
    head = head[: head.rfind("\n") + 1] or head
    yield Row({"text": head}, row.source, ends=True, is_text=True), "train"
    yield Row({"text": text[len(head) :]}, row.source, ends=row.ends, is_text=True), "val"


def _label(row: Row, column: str) -> int:
    value = row.fields.get(column)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < CLASSES:
        shown = repr(value) if len(repr(value)) < 50 else f"{repr(value)[:50]}…"
        raise TrainingError(
            f"{row.source}: `{column}` must be a class number from 0 to {CLASSES - 1}, not {shown}"
        )
    return value
