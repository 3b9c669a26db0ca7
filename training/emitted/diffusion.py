"""Samples for a diffusion model: images with noise, of which the model predicts the noise (DDPM;
Ho et al. 2020, arXiv:2006.11239).

At time t of 1000, an image x becomes sqrt(a[t]) x + sqrt(1 - a[t]) noise, where a[t] is the product
of 1 - b up to t, and b grows linearly from 0.0001 to 0.02.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from .files import Folder, fail, shuffled

# Names of the arguments for images, times and, if there is one, classes; channels, height and width
# of an image; number of classes.
INPUT = "pixel_values"
TIMES = "timesteps"
LABELS: str | None = "labels"
SHAPE = (3, 32, 32)
CLASSES = 10
UNIT = "images"
BETAS = np.linspace(0.0001, 0.02, 1000)
KEPT = np.cumprod(1 - BETAS)


class Samples:
    """The images of a split, each once per epoch; the noise of a sample depends only on its number
    and the seed.
    """

    size = 1

    def __init__(self, path: Path, split: str, _length: int, seed: int) -> None:
        self.folder, self.seed = Folder(path, "images", 0), seed
        self.count = self.folder.counts[split]
        if split == "train" and not self.count:
            fail(f"{path} has no images to learn from")
        if (shape := tuple(self.folder.about["shape"])) != SHAPE:
            fail(f"{path} has images of shape {shape}, but the model reads {SHAPE}")
        if LABELS and (found := self.folder.about["classes"]) > CLASSES:
            fail(f"{path} has labels up to {found - 1}, but the model has {CLASSES} classes")
        channels, height, width = SHAPE
        pixels = self.folder.array(f"{split}.bin", "uint8", self.count * channels * height * width)
        self.images = pixels.reshape(-1, *SHAPE)
        self.labels = self.folder.array(f"{split}.labels", "int64", self.count)

    def batch(self, first: int, count: int) -> tuple[dict[str, Tensor], Tensor]:
        """Noisy images (count, channels, height, width), times and classes (count,), and the noise,
        in the shape of the images. Without noise, images are in [-1, 1].
        """
        places = [shuffled(n, self.count, self.seed)[1] for n in range(first, first + count)]
        draws = [np.random.default_rng((self.seed, n)) for n in range(first, first + count)]
        times = np.array([draw.integers(len(KEPT)) for draw in draws])
        noise = np.stack([draw.standard_normal(SHAPE, np.float32) for draw in draws])
        kept = KEPT[times].astype(np.float32).reshape(-1, 1, 1, 1)
        noisy = np.sqrt(kept) * (self.images[places] / np.float32(127.5) - 1)
        noisy += np.sqrt(1 - kept) * noise
        inputs = {INPUT: torch.from_numpy(noisy), TIMES: torch.from_numpy(times)}
        if LABELS:
            inputs[LABELS] = torch.from_numpy(self.labels[places])
        return inputs, torch.from_numpy(noise)

    def measures(self, _loss: float) -> dict[str, float]:
        """No metrics besides the loss."""
        return {}
