"""Images of two classes, as a file for `modelwright data`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np


def write_images(folder: Path, count: int = 200, **changes: Any) -> Path:
    """Images of noise, of which one class is brighter on the left and one on the right."""
    draw = np.random.default_rng(0)
    images = draw.integers(0, 100, (count, 1, 8, 8), dtype=np.uint8)
    labels = np.arange(count) % 2
    images[labels == 0, :, :, :4] += 120
    images[labels == 1, :, :, 4:] += 120
    np.savez(folder / "images.npz", **{"images": images, "labels": labels, **changes})
    return folder / "images.npz"
