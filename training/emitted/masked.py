"""Samples of text for a masked language model (BERT; Devlin et al. 2018, arXiv:1810.04805).

15 % of the tokens are predicted. Of these, 80 % are replaced by the mask token, 10 % by a random
one, and 10 % are unchanged. Each epoch chooses other tokens.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from .files import Folder, fail, shuffled

# vocab_size of the model.
VOCABULARY = 256
UNIT = "tokens"
PREDICTED, MASKED, EXCHANGED = 0.15, 0.8, 0.1


class Samples:
    """The sequences of a split; each depends only on its number and the seed."""

    def __init__(self, path: Path, split: str, length: int, seed: int) -> None:
        self.folder, self.length, self.seed = Folder(path, "text", VOCABULARY), length, seed
        specials = self.folder.about["specials"]
        if "mask" not in specials:
            fail(f"the tokenizer of {path} has no mask token, such as [MASK]")
        self.mask, self.specials = specials["mask"], list(specials.values())
        self.name, self.size = f"{split}.bin", length
        count = self.folder.about[split]["tokens"]
        self.tokens = self.folder.array(self.name, self.folder.about["dtype"], count)
        self.count = len(self.tokens) // length - 1
        if len(self.tokens) and self.count < 1:
            fail(
                f"{path / self.name} has {len(self.tokens)} tokens, fewer than two sequences of "
                f"{length}; take a smaller length, or more text"
            )

    def batch(self, first: int, count: int) -> tuple[dict[str, Tensor], Tensor]:
        """Ids and labels, (count, length) each, of `count` samples from `first` on.

        Labels are the original ids of the tokens to predict, and -100, which the loss ignores,
        elsewhere.
        """
        made = [self.sample(number) for number in range(first, first + count)]
        starts, rows, labels = zip(*made, strict=True)
        self.folder.check(self.name, np.stack(rows), starts)
        ids = torch.from_numpy(np.stack(rows))
        return {"input_ids": ids}, torch.from_numpy(np.stack(labels))

    def sample(self, number: int) -> tuple[int, np.ndarray, np.ndarray]:
        """The start of a sample, its ids with some tokens masked, and its labels."""
        _, place, offset = shuffled(number, self.count, self.seed)
        start = place * self.length + offset % self.length
        ids = self.tokens[start : start + self.length].astype(np.int64)
        draw = np.random.default_rng((self.seed, number))
        predicted = (draw.random(self.length) < PREDICTED) & ~np.isin(ids, self.specials)
        labels = np.where(predicted, ids, -100)
        kind, other = draw.random(self.length), draw.integers(0, VOCABULARY, self.length)
        ids[predicted & (kind < MASKED)] = self.mask
        exchanged = predicted & (kind >= MASKED) & (kind < MASKED + EXCHANGED)
        ids[exchanged] = other[exchanged]
        return start, ids, labels

    def measures(self, _loss: float) -> dict[str, float]:
        """No metrics besides loss and accuracy of the predicted tokens."""
        return {}
