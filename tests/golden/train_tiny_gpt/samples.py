"""Samples of text for next-token prediction."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from files import Folder, fail, shuffled

# vocab_size, and the arguments of the model that a batch provides.
VOCABULARY = 256
INPUTS = ("input_ids",)
UNIT = "tokens"


class Samples:
    """The sequences of a split; each depends only on its number and the seed.

    In each epoch the text is cut into sequences of `length` tokens, from a random offset, and these
    are shuffled.
    """

    def __init__(self, path: Path, split: str, length: int, seed: int) -> None:
        self.folder, self.length, self.seed = Folder(path, "text", VOCABULARY), length, seed
        self.about = self.folder.about[split]
        self.name, self.size = f"{split}.bin", length
        documents, tokens = self.folder.counts[split], self.about["tokens"]
        self.tokens, self.ends = self.folder.documents(split, documents, tokens)
        self.count = len(self.tokens) // length - 1
        if len(self.tokens) and self.count < 1:
            fail(
                f"{path / self.name} has {len(self.tokens)} tokens, fewer than two sequences of "
                f"{length}; take a smaller length, or more text"
            )

    def start(self, sample: int) -> int:
        """Index of the first token of a sample."""
        _, place, offset = shuffled(sample, self.count, self.seed)
        return place * self.length + offset % self.length

    def batch(self, first: int, count: int) -> tuple[dict[str, Tensor], Tensor]:
        """Arguments of the model and labels, (count, length) each, of `count` samples from `first`
        on.

        The label of a token is the next token, or -100, which the loss ignores, if that begins
        another document.
        """
        starts = [self.start(sample) for sample in range(first, first + count)]
        rows = [self.tokens[start : start + self.length + 1] for start in starts]
        ids = np.stack(rows).astype(np.int64)
        self.folder.check(self.name, ids, starts)
        labels, documents = ids[:, 1:].copy(), np.zeros_like(ids[:, 1:])
        for label, document, start in zip(labels, documents, starts, strict=True):
            a, b = np.searchsorted(self.ends, (start, start + self.length), "right")
            last = self.ends[a:b] - start - 1  # of each document
            label[last] = -100
            np.add.at(document, last[last + 1 < self.length] + 1, 1)
        inputs = {"input_ids": ids[:, :-1], "document_ids": documents.cumsum(1)}
        made = {name: torch.from_numpy(inputs[name]) for name in INPUTS}
        return made, torch.from_numpy(labels)

    def measures(self, loss: float) -> dict[str, float]:
        """Bits per byte, from the mean loss in nats per token: independent of the tokenizer."""
        bits = loss * self.about["tokens"] / max(1, self.about["bytes"]) / math.log(2)
        return {"bits_per_byte": bits}


# sha256 of the above: 6d3404d1c0dc1990ac757daa2b39c65f87f411d1a3671536bd73666f1e475e0c
