"""Samples of images and their texts, for a contrastive head (CLIP; Radford et al. 2021,
arXiv:2103.00020).
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from .files import Folder, fail, padded, shuffled

# Name of the argument; channels, height and width of an image; vocab_size; id of padding;
# the token at which the head reads a text, if there is one.
INPUT = "pixel_values"
SHAPE = (3, 32, 32)
VOCABULARY = 256
PAD = 0
READ: int | None = None
UNIT = "pairs"


class Samples:
    """The pairs of a split, each once per epoch; texts are truncated to `length` tokens, of which
    the last one stays.
    """

    size = 1

    def __init__(self, path: Path, split: str, length: int, seed: int) -> None:
        self.folder, self.length, self.seed = Folder(path, "captions", VOCABULARY), length, seed
        self.split, self.count = split, self.folder.counts[split]
        if split == "train" and not self.count:
            fail(f"{path} has no images to learn from")
        if (shape := tuple(self.folder.about["shape"])) != SHAPE:
            fail(f"{path} has images of shape {shape}, but the model reads {SHAPE}")
        channels, height, width = SHAPE
        pixels = self.folder.array(f"{split}.bin", "uint8", self.count * channels * height * width)
        self.images = pixels.reshape(-1, *SHAPE)
        self.texts = self.folder.documents(f"{split}.text", self.count)

    def batch(self, first: int, count: int) -> tuple[dict[str, Tensor], Tensor]:
        """Images (count, channels, height, width) in [-1, 1], ids and mask, (count, T) each, and
        the number of each text in the batch, (count,), which is the class of its image.
        """
        places = [shuffled(n, self.count, self.seed)[1] for n in range(first, first + count)]
        tokens, ends = self.texts
        ids, mask = padded(tokens, ends, places, self.length, PAD)
        for row, place in enumerate(places):
            begin = int(ends[place - 1]) if place else 0
            if ends[place] - begin > self.length:
                ids[row, -1] = tokens[ends[place] - 1]
        self.folder.check(f"{self.split}.text.bin", ids, places)
        if READ is not None:
            self.folder.check_read(f"{self.split}.text.bin", ids, mask, READ, places)
        images = torch.from_numpy(self.images[places]) / 127.5 - 1
        texts = {"input_ids": torch.from_numpy(ids), "attention_mask": torch.from_numpy(mask)}
        return {INPUT: images, **texts}, torch.arange(count)

    def measures(self, _loss: float) -> dict[str, float]:
        """No metrics besides loss and accuracy."""
        return {}
