"""Samples for an image classifier."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from .files import Folder, fail, shuffled

# Name of the argument; channels, height and width of an image; number of classes.
INPUT = "pixel_values"
SHAPE = (3, 32, 32)
CLASSES = 10
UNIT = "images"


class Samples:
    """The images of a split, each once per epoch."""

    size = 1

    def __init__(self, path: Path, split: str, _length: int, seed: int) -> None:
        self.folder, self.seed = Folder(path, "images", 0), seed
        self.count = self.folder.counts[split]
        if split == "train" and not self.count:
            fail(f"{path} has no images to learn from")
        if (shape := tuple(self.folder.about["shape"])) != SHAPE:
            fail(f"{path} has images of shape {shape}, but the model reads {SHAPE}")
        if (found := self.folder.about["classes"]) > CLASSES:
            fail(f"{path} has labels up to {found - 1}, but the model has {CLASSES} classes")
        channels, height, width = SHAPE
        pixels = self.folder.array(f"{split}.bin", "uint8", self.count * channels * height * width)
        self.images = pixels.reshape(-1, *SHAPE)
        self.labels = self.folder.array(f"{split}.labels", "int64", self.count)

    def batch(self, first: int, count: int) -> tuple[dict[str, Tensor], Tensor]:
        """Images (count, channels, height, width) in [-1, 1], and classes (count,)."""
        places = [shuffled(n, self.count, self.seed)[1] for n in range(first, first + count)]
        images = torch.from_numpy(self.images[places])
        return {INPUT: images / 127.5 - 1}, torch.from_numpy(self.labels[places])

    def measures(self, _loss: float) -> dict[str, float]:
        """No metrics besides loss and accuracy."""
        return {}
