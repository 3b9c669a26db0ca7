"""Folders of labelled images, from NumPy's `.npz` files.

data.json                   kind, tokenizer (none), shape of an image, classes; sizes of each split
train.bin, val.bin          uint8: channels x height x width of each image
train.labels, val.labels    int64: the class of each image
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ..outputs import write_folder
from .errors import TrainingError
from .texts import total_bytes
from .token_files import FORMAT, SPLITS, Sizes


def write_images(
    paths: Sequence[Path],
    output: Path,
    *,
    held_out: float = 0.05,
    force: bool = False,
    told: Callable[[float], None] = lambda done: None,
) -> dict[str, Sizes]:
    """Write a folder of images. It is written under a temporary name and renamed when complete.

    paths: `.npz` files with `images`, uint8 (N, channels, height, width), and `labels`, (N,)

    Raises TrainingError for other files, OutputError for a folder that cannot be written.
    """
    total_bytes(paths)
    sizes = {split: Sizes() for split in SPLITS}

    def fill(folder: Path) -> None:
        shape, classes = (0, 0, 0), 0
        for number, path in enumerate(paths, 1):
            images, labels = _read(path)
            if number > 1 and images.shape[1:] != shape:
                raise TrainingError(f"{path} has images of shape {images.shape[1:]}, not {shape}")
            shape, classes = images.shape[1:], max(classes, int(labels.max()) + 1)
            _append(folder, images, labels, sizes, held_out)
            told(number / len(paths))
        about = {
            "format": FORMAT, "kind": "images", "tokenizer": "none", "vocabulary": 0,
            "shape": list(shape), "classes": classes,
            **{split: vars(size) for split, size in sizes.items()},
        }  # fmt: skip
        (folder / "data.json").write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")

    write_folder(output, fill, force=force, is_ours=lambda there: (there / "data.json").is_file())
    return sizes


def _append(
    folder: Path, images: Any, labels: Any, sizes: dict[str, Sizes], held_out: float
) -> None:
    """Add the images of a file to both splits; held-out images are evenly spaced."""
    import numpy as np

    number = sum(size.documents for size in sizes.values()) + np.arange(len(images))
    held = ((number + 1) * held_out).astype(int) > (number * held_out).astype(int)
    for split, chosen in zip(SPLITS, (~held, held), strict=True):
        with (folder / f"{split}.bin").open("ab") as file:
            images[chosen].tofile(file)
        with (folder / f"{split}.labels").open("ab") as file:
            labels[chosen].astype(np.int64).tofile(file)
        sizes[split].documents += int(chosen.sum())
        sizes[split].bytes += int(images[chosen].nbytes)


def _read(path: Path) -> tuple[Any, Any]:
    """The images and labels of a file. Raises TrainingError if they are not as described above."""
    import numpy as np

    try:
        with np.load(path, allow_pickle=False) as file:
            images, labels = file["images"], file["labels"]
    except KeyError as error:
        raise TrainingError(f"{path}: {error.args[0]}; it needs `images` and `labels`") from None
    except Exception as error:  # zipfile, zlib and numpy raise different exceptions
        raise TrainingError(f"{path} is not a valid .npz file: {error}") from None
    if images.dtype != np.uint8 or images.ndim != 4 or not len(images):
        raise TrainingError(
            f"{path}: `images` must be uint8 of shape (N, channels, height, width), not "
            f"{images.dtype} {images.shape}"
        )
    if labels.shape != images.shape[:1] or labels.dtype.kind not in "iu" or labels.min() < 0:
        raise TrainingError(f"{path}: `labels` must be one class number (0 or more) per image")
    return images, labels
