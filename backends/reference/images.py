"""Images: patches (Dosovitskiy et al. 2020, arXiv:2010.11929) and learned tokens.

As in the paper, patches are cut out, flattened and multiplied.
"""

from __future__ import annotations

import numpy as np

from .call import Array, Call


def patchify(call: Call) -> Array:
    """The patches of each image, row by row, (B, G, D), or of each frame of a video.

    Raises ValueError for another size.
    """
    images, width = call.given("image"), call.value("patch")
    sides, (down, across) = ([int(size) for size in call.attrs[key]] for key in ("sides", "steps"))
    if images.shape[2:] != tuple(sides):
        raise ValueError(f"patchify: an image is {images.shape[2:]}, not {tuple(sides)}")
    *_, rows, columns = sides
    matrix = call.weights["weight"].reshape(len(call.weights["weight"]), -1)
    deep = call.value("tubelet") if call.attrs["tubelet"] else 1
    videos = images.reshape(*images.shape[:2], -1, rows, columns)
    found = []
    for first in range(0, videos.shape[2] - deep + 1, deep):
        for top in range(0, rows - width + 1, down):
            for left in range(0, columns - width + 1, across):
                patch = videos[:, :, first : first + deep, top : top + width, left : left + width]
                found.append(patch.reshape(len(images), -1) @ matrix.T)
    result = np.stack(found, axis=1)
    return result + call.weights["bias"] if "bias" in call.weights else result


def unpatchify(call: Call) -> Array:
    """(B, T, patch * patch * channels) to (B, channels, H, W): each patch is put in its place."""
    x, width, front = call.given("x"), call.value("patch"), call.value("front")
    (down, across), channels = map(int, call.attrs["sides"]), int(call.attrs["channels"].size)
    image = np.zeros((len(x), channels, down, across))
    for index in range(x.shape[1] - front):
        top, left = (width * place for place in divmod(index, across // width))
        for row in range(width):
            for column in range(width):
                start = (row * width + column) * channels
                pixel = x[:, front + index, start : start + channels]
                image[:, :, top + row, left + column] = pixel
    return image


def learned_tokens(call: Call) -> Array:
    """The learned vectors, for each sequence of another stack."""
    return np.stack([call.weights[""]] * len(call.given("batch_of")))


def zero_tokens(call: Call) -> Array:
    """Zeros, for each sequence of another stack."""
    rows, width = call.value("rows"), int(call.attrs["out_dim"].size)
    return np.zeros((len(call.given("batch_of")), rows, width))


def skip_tokens(call: Call) -> Array:
    """Each sequence without its first vectors."""
    return call.given("x")[:, call.value("count") :]


def take_part(call: Call) -> Array:
    """The vectors of one input of a joined sequence, counted from its start or its end."""
    x, count = call.given("x"), int(call.attrs["length"].size)
    if call.attrs["before"] is None:
        start = x.shape[1] - count - call.value("after")
    else:
        start = call.value("before")
    return x[:, start : start + count]


def place_rows(call: Call) -> Array:
    """The vectors of `rows`, one after the other, in the places of the token id, row by row."""
    x, rows = call.given("x").copy(), call.optional("rows")
    places = np.argwhere(call.given("ids") == call.value("token"))
    vectors = np.zeros((0, x.shape[-1])) if rows is None else rows.reshape(-1, x.shape[-1])
    if len(places) != len(vectors):
        raise ValueError(f"place_rows: {len(places)} places for {len(vectors)} vectors")
    for (sequence, token), vector in zip(places, vectors, strict=True):
        x[sequence, token] = vector
    return x


def join_inputs(call: Call) -> Array:
    """The vectors of all inputs that are given, one after the other."""
    given = [x for x in call.inputs if x is not None]
    if not given or len({len(x) for x in given}) > 1:
        raise ValueError(f"join_inputs: inputs of {[len(x) for x in given]} sequences")
    return np.concatenate(given, axis=1)


def take_turns(call: Call) -> Array:
    """The vectors of one of several interleaved inputs."""
    x, turn = call.given("x"), call.value("turn")
    return x.reshape(len(x), -1, turn, x.shape[-1])[:, :, call.value("place")]


def interleave_inputs(call: Call) -> Array:
    """The vectors of all inputs in turn (Chen et al. 2021, arXiv:2106.01345, section 3)."""
    parts = [part for part in call.inputs if part is not None]
    steps = {part.shape[1] for part in parts}
    if len(parts) < len(call.inputs) or len(steps) > 1:
        raise ValueError(f"interleave_inputs: inputs of {steps} vectors")
    rows = [part[:, step] for step in range(steps.pop()) for part in parts]
    return np.stack(rows, axis=1)


def insert_tokens(call: Call) -> Array:
    """Insert the tokens of the weight into every sequence at index `at`."""
    x, at = call.given("x"), call.value("at")
    tokens = np.broadcast_to(call.weights[""], (len(x), *call.weights[""].shape))
    return np.concatenate([x[:, :at], tokens, x[:, at:]], axis=1)


def grid_offsets(call: Call) -> Array:
    """The row of the table for each pair of tokens, (T, T) (Bao et al. 2021, arXiv:2106.08254)."""
    if isinstance(call.attrs["grid"], tuple):
        return _video_offsets([int(size) for size in call.attrs["grid"]], call.value("front"))
    grid, front = call.value("grid"), call.value("front")
    span = 2 * grid - 1
    rows = np.empty((front + grid**2, front + grid**2), dtype=np.int64)
    for query in range(len(rows)):
        for key in range(len(rows)):
            if query < front or key < front:
                case = 2 if query < front and key < front else 0 if query < front else 1
                rows[query, key] = span**2 + case
                continue
            (down, right), (below, beside) = divmod(query - front, grid), divmod(key - front, grid)
            rows[query, key] = (down - below + grid - 1) * span + right - beside + grid - 1
    return rows


def _video_offsets(grid: list[int], front: int) -> Array:
    """The same for a video: one row for each offset of frames, rows and columns, in this order."""
    numbers: dict[tuple[int, ...], int] = {}
    for offset in np.ndindex(*(2 * size - 1 for size in grid)):
        numbers[tuple(at + 1 - size for at, size in zip(offset, grid, strict=True))] = len(numbers)
    places = [*np.ndindex(*grid)]
    count = front + len(places)
    rows = np.full((count, count), len(numbers) + 2, dtype=np.int64)
    rows[:front, front:], rows[front:, :front] = len(numbers), len(numbers) + 1
    for q, query in enumerate(places):
        for k, key in enumerate(places):
            offset = tuple(a - b for a, b in zip(query, key, strict=True))
            rows[front + q, front + k] = numbers[offset]
    return rows
