"""Train a tokenizer with the library `tokenizers`.

bpe        byte-level byte-pair encoding (Sennrich et al. 2016, arXiv:1508.07909; GPT-2)
wordpiece  words and their continuations, lower case (Schuster & Nakajima 2012; BERT)
unigram    a unigram language model of pieces (Kudo 2018, arXiv:1804.10959; T5)

The library gives the first ids to special tokens. Afterwards, ids are reassigned: special tokens
get the ids of the spec, all other tokens keep their order.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import TrainingError
from .specials import NAMES, check_ids
from .texts import Row, read_rows, total_bytes

SAMPLE = 4 << 20
"""Bytes of text for measuring bytes per token."""


@dataclass(frozen=True)
class Made:
    """A trained tokenizer.

    text             content of tokenizer.json
    vocabulary       number of tokens
    bytes_per_token  on the beginning of the training text
    """

    text: str
    vocabulary: int
    bytes_per_token: float


def train_tokenizer(
    paths: Sequence[Path],
    *,
    vocabulary: int,
    type_: str,
    specials: dict[str, int],
    columns: Sequence[str] = ("text",),
    on_progress: Callable[[float], None] = lambda done: None,
) -> Made:
    """Train a tokenizer on text files.

    vocabulary: maximum number of tokens, including special tokens
    type_: bpe, wordpiece or unigram
    specials: special tokens and their ids
    columns: fields of JSONL and Parquet files that contain text
    on_progress: called with the fraction of the text that has been read

    Raises TrainingError when a file cannot be read, or the text is too short.
    """
    check_ids(specials, vocabulary)
    total = total_bytes(paths)
    if not total:
        raise TrainingError("the text is empty; a tokenizer cannot be trained on it")
    possible = 2 * total + 256 + len(specials)  # pieces of this text, bytes and special tokens
    names = sorted(specials, key=specials.__getitem__)
    empty, trainer = KINDS[type_](min(vocabulary, possible), names)  # memory is taken for all
    try:
        empty.train_from_iterator(_pieces(paths, columns, total, on_progress), trainer)
    except TrainingError:
        raise
    except Exception as error:  # the library raises plain Exceptions
        raise TrainingError(f"the tokenizer cannot be trained: {error}") from None
    text = _with_ids(json.loads(empty.to_str()), specials)
    return _measured(text, paths, columns)


def _pieces(
    paths: Sequence[Path], columns: Sequence[str], total: int, on_progress: Callable[[float], None]
) -> Iterator[str]:
    before = 0
    for path in paths:
        for row in read_rows(path, columns):
            yield from (row.text(column) for column in _columns(row, columns))
            on_progress((before + row.position) / total)
        before += path.stat().st_size


def _columns(row: Row, columns: Sequence[str]) -> Sequence[str]:
    """The columns of a row; a text file has only one."""
    return ("text",) if row.is_text else columns


def _bpe(vocabulary: int, specials: list[str]) -> tuple[Any, Any]:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    alphabet = pre_tokenizers.ByteLevel.alphabet()
    least = len(alphabet) + len(specials)
    if vocabulary < least:
        raise TrainingError(
            f"byte-level BPE needs a vocabulary of at least {least}: 256 bytes and the special "
            f"tokens {', '.join(specials)}"
        )
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=specials,
        initial_alphabet=alphabet,
        show_progress=False,
    )
    return made, trainer


def _wordpiece(vocabulary: int, specials: list[str]) -> tuple[Any, Any]:
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

    made = Tokenizer(models.WordPiece(unk_token=NAMES["wordpiece"]["unk"]))
    made.normalizer = normalizers.BertNormalizer(lowercase=True)
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.decoder = decoders.WordPiece()
    trainer = trainers.WordPieceTrainer(
        vocab_size=vocabulary, special_tokens=specials, show_progress=False
    )
    return made, trainer


def _unigram(vocabulary: int, specials: list[str]) -> tuple[Any, Any]:
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

    made = Tokenizer(models.Unigram())
    made.normalizer = normalizers.NFKC()
    made.pre_tokenizer = pre_tokenizers.Metaspace()
    made.decoder = decoders.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=vocabulary,
        special_tokens=specials,
        unk_token=NAMES["unigram"]["unk"],
        show_progress=False,
    )
    return made, trainer


KINDS: dict[str, Callable[[int, list[str]], tuple[Any, Any]]] = {
    "bpe": _bpe,
    "wordpiece": _wordpiece,
    "unigram": _unigram,
}
"""Type -> an untrained tokenizer and its trainer."""


def _with_ids(content: dict[str, Any], specials: dict[str, int]) -> str:
    """The tokenizer.json with the requested ids of special tokens."""
    model = content["model"]
    pieces = model["vocab"]
    listed = isinstance(pieces, list)  # unigram: pieces and scores by id
    by_id = [p[0] for p in pieces] if listed else sorted(pieces, key=pieces.__getitem__)
    ids = _assigned(by_id, specials)
    if listed:
        unknown = by_id[model["unk_id"]]
        model["vocab"] = sorted(pieces, key=lambda piece: ids[piece[0]])
        model["unk_id"] = ids[unknown]
    else:
        model["vocab"] = dict(sorted(ids.items(), key=lambda item: item[1]))
    for token in content["added_tokens"]:
        token["id"] = ids[token["content"]]
    content["added_tokens"].sort(key=lambda token: token["id"])
    return json.dumps(content, ensure_ascii=False, indent=1) + "\n"


def _assigned(pieces: Iterable[str], specials: dict[str, int]) -> dict[str, int]:
    """Piece -> id. Raises TrainingError if there are too few pieces for a special id."""
    ordinary = [piece for piece in pieces if piece not in specials]
    size = len(ordinary) + len(specials)
    if beyond := {name: number for name, number in specials.items() if number >= size}:
        name, number = max(beyond.items(), key=lambda item: item[1])
        raise TrainingError(
            f"the text gives a vocabulary of only {size} tokens, but in the spec {name} has id "
            f"{number}; use more text, or a spec with a smaller vocabulary"
        )
    taken = set(specials.values())
    free = (number for number in range(size) if number not in taken)
    return {**specials, **dict(zip(ordinary, free, strict=True))}


def _measured(text: str, paths: Sequence[Path], columns: Sequence[str]) -> Made:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_str(text)
    size = tokens = 0
    for path in paths:
        for row in read_rows(path, columns):
            piece = "\n".join(row.text(column) for column in _columns(row, columns))
            size += len(piece.encode())
            tokens += len(tokenizer.encode(piece).ids)
            if size >= SAMPLE:
                break
    return Made(text, tokenizer.get_vocab_size(), size / max(1, tokens))
