"""Samples for a text classifier."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from .files import Folder, fail, padded, shuffled

# vocab_size; id of padding; number of classes; the token at which the head reads
# a text, if there is one.
VOCABULARY = 256
PAD = 0
CLASSES = 2
READ: int | None = None
UNIT = "texts"


class Samples:
    """The texts of a split, each once per epoch, truncated to `length` tokens."""

    size = 1

    def __init__(self, path: Path, split: str, length: int, seed: int) -> None:
        self.folder, self.length, self.seed = Folder(path, "labelled", VOCABULARY), length, seed
        self.split, self.count = split, self.folder.counts[split]
        if split == "train" and not self.count:
            fail(f"{path} has no texts to learn from")
        if (found := self.folder.about["classes"]) > CLASSES:
            fail(f"{path} has labels up to {found - 1}, but the model has {CLASSES} classes")
        self.texts = self.folder.documents(split, self.count)
        self.labels = self.folder.array(f"{split}.labels", "int64", self.count)

    def batch(self, first: int, count: int) -> tuple[dict[str, Tensor], Tensor]:
        """Ids and mask, (count, T) each, where T is the longest text, and classes (count,)."""
        places = [shuffled(n, self.count, self.seed)[1] for n in range(first, first + count)]
        ids, mask = padded(*self.texts, places, self.length, PAD)
        self.folder.check(f"{self.split}.bin", ids, places)
        if READ is not None:
            self.folder.check_read(f"{self.split}.bin", ids, mask, READ, places)
        inputs = {"input_ids": torch.from_numpy(ids), "attention_mask": torch.from_numpy(mask)}
        return inputs, torch.from_numpy(self.labels[places])

    def measures(self, _loss: float) -> dict[str, float]:
        """No metrics besides loss and accuracy."""
        return {}
