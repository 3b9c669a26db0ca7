"""Folders of images with labels or texts, from NumPy's `.npz` files.

data.json                   kind, tokenizer, shape of an image, classes; sizes of each split
train.bin, val.bin          uint8: channels x height x width of each image
train.labels, val.labels    int64: the class of each image
train.text.bin, .text.ends  in place of labels: token ids of all texts, and their end indices
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..outputs import write_folder
from .emitted.files import FORMAT
from .encoding import TokenizerFile, encoder
from .errors import TrainingError
from .texts import total_bytes
from .token_files import CLASSES, SPLITS, Sizes, dtype_of, is_ours, is_own

NO_TOKENIZER = TokenizerFile("", "none", 0, {})


@dataclass(frozen=True)
class ImageRequest:
    """What to write.

    paths      `.npz` files with `images`, uint8 (N, channels, height, width), and `labels`, (N,),
               or `texts`, strings (N,)
    kind       `images` for labels, `captions` for texts
    tokenizer  of the texts
    end        id that is appended to every text, or None
    held_out   fraction for `val`: evenly spaced images
    """

    paths: Sequence[Path]
    kind: str = "images"
    tokenizer: TokenizerFile = NO_TOKENIZER
    end: int | None = None
    held_out: float = 0.05


def write_images(
    request: ImageRequest,
    output: Path,
    *,
    force: bool = False,
    on_progress: Callable[[float], None] = lambda done: None,
) -> dict[str, Sizes]:
    """Write a folder of images. It is written under a temporary name and renamed when complete.

    Raises TrainingError for files of other content, OutputError for a folder that cannot be
    written.
    """
    total_bytes(request.paths)
    sizes = {split: Sizes() for split in SPLITS}

    def fill(folder: Path) -> None:
        shape, classes = (0, 0, 0), 0
        for number, path in enumerate(request.paths, 1):
            images, other = _read(path, request.kind)
            if number > 1 and images.shape[1:] != shape:
                raise TrainingError(f"{path} has images of shape {images.shape[1:]}, not {shape}")
            shape = images.shape[1:]
            if request.kind == "images":
                classes = max(classes, int(other.max()) + 1)
            _append(folder, images, other, sizes, request)
            on_progress(number / len(request.paths))
        tokenizer = request.tokenizer
        about = {
            "format": FORMAT, "kind": request.kind, "tokenizer": tokenizer.digest,
            "vocabulary": tokenizer.vocabulary, "dtype": dtype_of(tokenizer.vocabulary),
            "shape": list(shape), "classes": classes,
            **{split: vars(size) for split, size in sizes.items()},
        }  # fmt: skip
        (folder / "data.json").write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")

    write_folder(output, fill, force=force, is_ours=is_ours, is_own=is_own)
    return sizes


def _append(
    folder: Path, images: Any, other: Any, sizes: dict[str, Sizes], request: ImageRequest
) -> None:
    """Add the images of a file to both splits; held-out images are evenly spaced."""
    import numpy as np

    number = sum(size.documents for size in sizes.values()) + np.arange(len(images))
    share = request.held_out
    held = ((number + 1) * share).astype(int) > (number * share).astype(int)
    for split, chosen in zip(SPLITS, (~held, held), strict=True):
        with (folder / f"{split}.bin").open("ab") as file:
            file.write(images[chosen].data)
        if request.kind == "images":
            with (folder / f"{split}.labels").open("ab") as file:
                file.write(other[chosen].astype(np.int64).tobytes())
        else:
            sizes[split].tokens = _append_texts(
                folder / f"{split}.text", other[chosen].tolist(), sizes[split].tokens, request
            )
        sizes[split].documents += int(chosen.sum())
        sizes[split].bytes += int(images[chosen].nbytes)


def _append_texts(stem: Path, texts: list[str], before: int, request: ImageRequest) -> int:
    """Add texts; returns the number of tokens so far."""
    import numpy as np

    rows = encoder(request.tokenizer)(texts) if texts else []
    rows = [row if request.end is None else [*row, request.end] for row in rows]
    ends = before + np.cumsum([len(row) for row in rows], dtype=np.int64)
    with stem.with_name(f"{stem.name}.bin").open("ab") as file:
        for row in rows:
            file.write(np.asarray(row, dtype_of(request.tokenizer.vocabulary)).tobytes())
    with stem.with_name(f"{stem.name}.ends").open("ab") as file:
        file.write(ends.tobytes())
    return int(ends[-1]) if rows else before


def _read(path: Path, kind: str) -> tuple[Any, Any]:
    """The images and labels, or texts, of a file. Raises TrainingError if they are not as described
    above.
    """
    import numpy as np

    column = "labels" if kind == "images" else "texts"
    try:
        with np.load(path, allow_pickle=False) as file:
            images, other = file["images"], file[column]
    except KeyError as error:
        raise TrainingError(f"{path}: {error.args[0]}; it needs `images` and `{column}`") from None
    except Exception as error:  # zipfile, zlib and numpy raise different exceptions
        raise TrainingError(f"{path} is not a valid .npz file: {error}") from None
    if images.dtype != np.uint8 or images.ndim != 4 or not len(images):
        raise TrainingError(
            f"{path}: `images` must be uint8 of shape (N, channels, height, width), not "
            f"{images.dtype} {images.shape}"
        )
    if kind == "captions":
        if other.shape != images.shape[:1] or other.dtype.kind != "U":
            raise TrainingError(f"{path}: `texts` must be one string per image")
    elif other.shape != images.shape[:1] or other.dtype.kind not in "iu" or other.min() < 0:
        raise TrainingError(f"{path}: `labels` must be one class number (0 or more) per image")
    elif other.max() >= CLASSES:
        raise TrainingError(f"{path}: `labels` must be below {CLASSES}, not {other.max()}")
    return images, other
