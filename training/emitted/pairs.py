"""Samples of source and target texts for an encoder-decoder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from .files import Folder, fail, padded, shuffled

# vocab_size; id of padding; start token of the decoder.
VOCABULARY = 256
PAD = 0
DECODER_START = 0
UNIT = "pairs"


class Samples:
    """The pairs of a split, each once per epoch; texts are truncated to `length` tokens."""

    size = 1

    def __init__(self, path: Path, split: str, length: int, seed: int) -> None:
        self.folder, self.length, self.seed = Folder(path, "pairs", VOCABULARY), length, seed
        self.split, self.count = split, self.folder.counts[split]
        if split == "train" and not self.count:
            fail(f"{path} has no pairs to learn from")
        self.sources = self.folder.documents(f"{split}.source", self.count)
        self.targets = self.folder.documents(f"{split}.target", self.count)

    def batch(self, first: int, count: int) -> tuple[dict[str, Tensor], Tensor]:
        """Arguments of the model, (count, S) and (count, T), and labels (count, T).

        S and T are the lengths of the longest texts; padding has the label -100, which the loss
        ignores.
        """
        places = [shuffled(n, self.count, self.seed)[1] for n in range(first, first + count)]
        ids, mask = padded(*self.sources, places, self.length, PAD)
        targets, real = padded(*self.targets, places, self.length, PAD)
        self.folder.check(f"{self.split}.source.bin", ids, places)
        self.folder.check(f"{self.split}.target.bin", targets, places)
        begin = np.full_like(targets[:, :1], DECODER_START)
        inputs = {
            "input_ids": ids,
            "attention_mask": mask,
            "decoder_input_ids": np.concatenate([begin, targets[:, :-1]], axis=1),
        }
        labels = np.where(real, targets, -100)
        return {k: torch.from_numpy(x) for k, x in inputs.items()}, torch.from_numpy(labels)

    def measures(self, _loss: float) -> dict[str, float]:
        """No metrics besides loss and accuracy per token."""
        return {}
