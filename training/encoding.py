"""Encode text in several processes, in order and with bounded read-ahead."""

from __future__ import annotations

import hashlib
import json
import os
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from .errors import TrainingError
from .specials import roles_of

BYTES = "bytes"
"""Name of the tokenizer whose tokens are UTF-8 bytes."""


@dataclass(frozen=True)
class TokenizerFile:
    """A tokenizer.

    source      content of tokenizer.json; "" for bytes
    digest      SHA-256 of it, or `bytes`
    vocabulary  one more than the largest id
    roles       role of a special token -> its id: pad, bos, eos, mask, …
    tokens      token -> id; empty for bytes
    names       whether names of special tokens in a text, such as `</s>`, stand for these tokens;
                otherwise they are ordinary text
    """

    source: str
    digest: str
    vocabulary: int
    roles: dict[str, int]
    tokens: dict[str, int] = field(default_factory=dict, repr=False)
    names: bool = False


def read_tokenizer(name: str) -> TokenizerFile:
    """Read a tokenizer.json file, or `bytes`. Raises TrainingError if it is not a tokenizer."""
    if name == BYTES:
        return TokenizerFile("", BYTES, 256, {})
    if not Path(name).is_file():
        raise TrainingError(
            f"{name}: no such file; --tokenizer takes a tokenizer.json file or `bytes`"
        )
    from tokenizers import Tokenizer

    try:
        text = Path(name).read_text(encoding="utf-8")
        vocabulary = Tokenizer.from_str(text).get_vocab(with_added_tokens=True)
    except OSError as error:
        raise TrainingError(f"{name}: {error.strerror}") from None
    except Exception as error:  # the library raises plain Exceptions
        raise TrainingError(f"{name} is not a valid tokenizer.json: {error}") from None
    digest = hashlib.sha256(text.encode()).hexdigest()
    size = max(vocabulary.values(), default=-1) + 1
    return TokenizerFile(text, digest, size, roles_of(vocabulary), vocabulary)


Encode = Callable[[list[str]], list[list[int]]]


def encoder(file: TokenizerFile) -> Encode:
    """A function from texts to ids. No special tokens are added."""
    if not file.source:
        return lambda texts: [list(text.encode()) for text in texts]
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_str(file.source if file.names else _without_names(file.source))
    tokenizer.encode_special_tokens = not file.names

    def encode(texts: list[str]) -> list[list[int]]:
        return [made.ids for made in tokenizer.encode_batch(texts, add_special_tokens=False)]

    return encode


def _without_names(source: str) -> str:
    """A tokenizer.json that finds no special token in a text. A unigram model has these tokens
    among its pieces, where a name that texts cannot contain replaces theirs.
    """
    content = json.loads(source)
    if content["model"].get("type") != "Unigram":
        return source
    special = {token["content"] for token in content["added_tokens"] if token["special"]}
    pieces = content["model"]["vocab"]
    content["model"]["vocab"] = [
        [f"\0{number}" if piece in special else piece, score]
        for number, (piece, score) in enumerate(pieces)
    ]
    content["added_tokens"] = [t for t in content["added_tokens"] if not t["special"]]
    content["post_processor"] = None  # it may name special tokens
    return json.dumps(content)


_encode: Encode | None = None
"""The encoder of a worker process."""


def _begin(file: TokenizerFile) -> None:
    global _encode
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # handled by the parent process
    os.environ["TOKENIZERS_PARALLELISM"] = "false"  # each process has one core
    _encode = encoder(file)


def _work(texts: list[str]) -> list[list[int]]:
    assert _encode is not None
    return _encode(texts)


def encode_in_order(
    batches: Iterable[tuple[Any, list[str]]], tokenizer: TokenizerFile, processes: int
) -> Iterator[tuple[Any, list[list[int]]]]:
    """Yield each batch with the ids of its texts, in order.

    batches: pairs of arbitrary data and texts
    processes: number of processes; 1 uses only this one

    At most four batches per process are read ahead.
    """
    if processes == 1:
        encode = encoder(tokenizer)
        yield from ((kept, encode(texts)) for kept, texts in batches)
        return
    waiting: deque[tuple[Any, Future[list[list[int]]]]] = deque()
    pool = ProcessPoolExecutor(processes, get_context("spawn"), _begin, (tokenizer,))
    try:
        for kept, texts in batches:
            waiting.append((kept, pool.submit(_work, texts)))
            if len(waiting) >= 4 * processes:
                first, made = waiting.popleft()
                yield first, made.result()
        while waiting:
            first, made = waiting.popleft()
            yield first, made.result()
    except BrokenProcessPool:
        raise TrainingError(
            "an encoding process was killed, possibly out of memory; try fewer --processes"
        ) from None
    finally:
        pool.shutdown(cancel_futures=True)
