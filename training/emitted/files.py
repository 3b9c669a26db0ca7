"""Reading folders of token files: memory-mapped flat arrays, and shuffling by a seed.

data.json               data type, tokenizer, vocabulary; the sizes of each split
train.bin, val.bin      token ids of all documents
train.ends, val.ends    int64: end index of each document
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

FORMAT = 1  # of data.json


class TrainingError(Exception):
    """Text, a tokenizer, token files or settings are invalid; the message says which and why."""


def fail(message: str) -> NoReturn:
    """Refuse the input; `train.py` prints the message and ends with exit code 2."""
    raise TrainingError(message)


class Folder:
    """A folder of token files, checked against its data.json.

    kind: what the documents are: text, pairs, labelled
    vocabulary: vocab_size of the model

    Raises TrainingError for a folder that is missing, damaged, or of another kind.
    """

    def __init__(self, path: Path, kind: str, vocabulary: int) -> None:
        self.path, self.vocabulary = path, vocabulary
        try:
            self.about: dict[str, Any] = json.loads((path / "data.json").read_text("utf-8"))
            known, found = self.about["vocabulary"], self.about["kind"]
            self.counts = {split: self.about[split]["documents"] for split in ("train", "val")}
            sizes = [size for split in self.counts for size in self.about[split].values()]
            if any(type(n) is not int or n < 0 for n in (known, *sizes)):
                raise ValueError("its sizes are not whole numbers")
            form, _ = self.about["format"], np.dtype(self.about.get("dtype", "uint16"))
        except OSError:
            fail(f"no {path / 'data.json'}; `modelwright data` writes it")
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            fail(f"{path / 'data.json'} is damaged: {error}")
        if form != FORMAT:
            fail(f"{path} has data of format {form}, but this script reads format {FORMAT}")
        if found != kind:
            fail(f"{path} has data of kind `{found}`, but this model needs kind `{kind}`")
        if known > vocabulary:
            fail(f"{path} has a vocabulary of {known}, but the model has vocab_size {vocabulary}")

    def array(self, name: str, dtype: str, count: int | None = None) -> Any:
        """A file as an array (count,). Raises TrainingError if it is missing or of another size."""
        path, kind = self.path / name, np.dtype(dtype)
        if not path.is_file():
            fail(f"{path} is missing; `modelwright data` writes it")
        size = path.stat().st_size
        if size % kind.itemsize or (count is not None and size != count * kind.itemsize):
            wanted = f"{count * kind.itemsize:,} bytes" if count is not None else f"whole {kind}s"
            fail(f"{path} has {size:,} bytes instead of {wanted}: it is truncated or damaged")
        return np.memmap(path, kind, mode="r") if size else np.empty(0, kind)

    def documents(self, stem: str, documents: int, count: int | None = None) -> tuple[Any, Any]:
        """The tokens of a file, (tokens,), and the end index of each document, (documents,).

        count: number of tokens, if it is known
        """
        tokens = self.array(f"{stem}.bin", self.about["dtype"], count)
        ends = self.array(f"{stem}.ends", "int64", documents)
        last = ends[-1] if documents else 0
        if last != len(tokens) or (documents and (ends[0] < 0 or (np.diff(ends) < 0).any())):
            fail(f"{self.path / stem}.ends does not fit {stem}.bin: one of them is damaged")
        return tokens, ends

    def check(self, name: str, ids: Any, starts: Iterable[int]) -> None:
        """Raise TrainingError if an id in `ids` (B, T) is outside the vocabulary.

        starts: for each row, the index of its first token, or the number of its document
        """
        if ids.size and ids.max() >= self.vocabulary:
            row, column = np.argwhere(ids >= self.vocabulary)[0]
            fail(
                f"{self.path / name}: token {column} of the sequence from {list(starts)[row]} on "
                f"is {ids[row, column]}, but vocab_size of the model is {self.vocabulary}"
            )

    def check_read(self, name: str, ids: Any, real: Any, token: int, places: list[int]) -> None:
        """Raise TrainingError if a document has not the token at which the head reads it.

        ids, real: documents and a mask, (B, T) each
        places: the number of each document
        """
        found = ((ids == token) & (real == 1)).any(1)
        if not found.all():
            fail(
                f"{self.path / name}: document {places[found.argmin()]} has no token {token}, at "
                "which the head reads it, within the sequence length; `data --end` appends a token"
            )


def padded(tokens: Any, ends: Any, places: list[int], length: int, pad: int) -> tuple[Any, Any]:
    """Documents as ids (B, T), padded on the right, and a mask (B, T) that is 1 at real tokens.

    T is the length of the longest document, at most `length`; an empty document is one padding
    token.
    """
    begins = [int(ends[n - 1]) if n else 0 for n in places]
    rows = [tokens[a : min(int(ends[n]), a + length)] for n, a in zip(places, begins, strict=True)]
    width = max(1, *map(len, rows))
    ids, real = np.full((len(rows), width), pad, np.int64), np.zeros((len(rows), width), np.int64)
    for n, row in enumerate(rows):
        ids[n, : len(row)] = row
        real[n, : max(1, len(row))] = 1
    return ids, real


def shuffled(sample: int, count: int, seed: int) -> tuple[int, int, int]:
    """The epoch of a sample, its index among `count` in that epoch, and a random number of the
    epoch.

    The result depends only on the sample's number and the seed, so no state is stored for resuming,
    and no permutation is held in memory: a Feistel network (Luby & Rackoff 1988) permutes a square
    number of indices, and is applied again if the result is not below `count`.
    """
    epoch, place = divmod(sample, count)

    def random(*key: int) -> int:
        digest = hashlib.blake2b(repr((seed, epoch, *key)).encode(), digest_size=8)
        return int.from_bytes(digest.digest(), "little")

    side = 1 << (max(1, (count - 1).bit_length()) + 1) // 2
    while True:
        left, right = divmod(place, side)
        for turn in range(4):
            left, right = right, left ^ random(turn, right) % side
        place = left * side + right
        if place < count:
            return epoch, place, random()
