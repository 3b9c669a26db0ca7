"""Positions: RoPE angles, sinusoids, ALiBi slopes, relative buckets, positions without padding."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def rope_frequencies(width: int, theta: float, like: Tensor) -> Tensor:
    """RoPE: radians per position of each pair, (R/2,) (Su et al. 2021, arXiv:2104.09864)."""
    dtype = torch.promote_types(like.dtype, torch.float32)
    exponent = torch.arange(0, width, 2, device=like.device, dtype=dtype) / width
    return theta**-exponent  # (R/2,)


def llama3_frequencies(
    frequencies: Tensor, factor: float, low: float, high: float, original_max_positions: int
) -> Tensor:
    """RoPE frequencies of Llama 3.1 (Grattafiori et al. 2024, arXiv:2407.21783).

    Pairs that turn more than `high` times over the original length keep their frequency; below
    `low` times it is divided by `factor`; in between it is interpolated.
    """
    turns = original_max_positions * frequencies / (2 * math.pi)
    keep = ((turns - low) / (high - low)).clamp(0, 1)
    return frequencies * (keep + (1 - keep) / factor)  # (R/2,)


def dynamic_frequencies(
    frequencies: Tensor, position_ids: Tensor, factor: float, original_max_positions: int
) -> Tensor:
    """Dynamic NTK: RoPE frequencies for a larger theta, which grows with the sequence.

    Up to the original length they are unchanged. Beyond it the highest frequency is kept and the
    lowest is reduced most (Peng et al. 2023, arXiv:2309.00071, section 3.3).
    """
    last = F.pad(position_ids.flatten(), (0, 1)).max()  # 0 if there are no tokens
    length = (last + 1).clamp(min=original_max_positions).to(frequencies.dtype)
    growth = factor * length / original_max_positions - (factor - 1)
    share = torch.linspace(0, 1, frequencies.size(0), device=growth.device, dtype=growth.dtype)
    return frequencies * growth**-share  # (R/2,)


def yarn_frequencies(
    frequencies: Tensor, theta: float, factor: float, length: int, fast: float, slow: float
) -> Tensor:
    """YaRN: frequencies for contexts `factor` times as long (Peng et al. 2023, arXiv:2309.00071).

    Pairs that turn more than `fast` times over the original `length` keep their frequency; below
    `slow` times it is divided by `factor`; a linear ramp over whole pairs joins the two.
    """
    pairs = frequencies.size(0)
    ends = [
        pairs * math.log(length / (2 * math.pi * turns)) / math.log(theta) for turns in (fast, slow)
    ]  # index of the pair with this many rotations
    first, last = max(math.floor(ends[0]), 0), min(math.ceil(ends[1]), 2 * pairs - 1)
    pair = torch.arange(pairs, device=frequencies.device, dtype=frequencies.dtype)
    slowed = ((pair - first) / ((last - first) or 0.001)).clamp(0, 1)
    return frequencies * (1 - slowed + slowed / factor)  # (R/2,)


def yarn_frequencies_between_pairs(
    frequencies: Tensor, theta: float, factor: float, length: int, fast: float, slow: float
) -> Tensor:
    """YaRN: frequencies for contexts `factor` times as long (Peng et al. 2023, arXiv:2309.00071).

    Pairs that turn more than `fast` times over the original `length` keep their frequency; below
    `slow` times it is divided by `factor`; a linear ramp joins the two, whose ends are not rounded
    to whole pairs.
    """
    pairs = frequencies.size(0)
    ends = [
        pairs * math.log(length / (2 * math.pi * turns)) / math.log(theta) for turns in (fast, slow)
    ]  # index of the pair with this many rotations
    first, last = max(ends[0], 0), min(ends[1], 2 * pairs - 1)
    pair = torch.arange(pairs, device=frequencies.device, dtype=frequencies.dtype)
    slowed = ((pair - first) / ((last - first) or 0.001)).clamp(0, 1)
    return frequencies * (1 - slowed + slowed / factor)  # (R/2,)


def by_length(
    position_ids: Tensor,
    short: float | tuple[float, ...],
    long: float | tuple[float, ...],
    original_max_positions: int,
    like: Tensor,
) -> Tensor:
    """LongRoPE: `long` beyond the original length, else `short` (Ding et al. 2024,
    arXiv:2402.13753).
    """
    dtype = torch.promote_types(like.dtype, torch.float32)
    either = torch.tensor([short, long], device=like.device, dtype=dtype)
    last = F.pad(position_ids.flatten(), (0, 1)).max()  # 0 if there are no tokens
    return torch.where(last < original_max_positions, either[0], either[1])


def growing_sharpness(position_ids: Tensor, length: int, slope: float, like: Tensor) -> Tensor:
    """Factor for queries, 1 + slope * log(1 + position // length), which keeps attention sharp in
    long contexts (Nakanishi 2025, arXiv:2501.19399).
    """
    dtype = torch.promote_types(like.dtype, torch.float32)
    steps = (position_ids[..., None, :, None] // length).to(dtype)  # (1, T, 1) or (B, 1, T, 1)
    return 1 + slope * torch.log1p(steps)


def rope_angles(positions: Tensor, width: int, theta: float, like: Tensor) -> tuple[Tensor, Tensor]:
    """RoPE: cosine and sine of the angles at each position (Su et al. 2021, arXiv:2104.09864)."""
    dtype = torch.promote_types(like.dtype, torch.float32)
    exponent = torch.arange(0, width, 2, device=like.device, dtype=dtype) / width
    angle = positions[..., None, :, None].to(dtype) * theta**-exponent
    return angle.cos(), angle.sin()  # (1, T, R/2) or (B, 1, T, R/2) each


def scaled_rope_angles(position_ids: Tensor, frequencies: Tensor) -> tuple[Tensor, Tensor]:
    """RoPE: cosine and sine of position times frequency (Su et al. 2021, arXiv:2104.09864)."""
    angle = position_ids[..., None, :, None].to(frequencies.dtype) * frequencies
    return angle.cos(), angle.sin()  # (1, T, R/2) or (B, 1, T, R/2) each


def grid_angles(rows: int, columns: int, front: int, frequencies: Tensor) -> tuple[Tensor, Tensor]:
    """RoPE on a grid: half of the pairs rotate with the row of a patch, half with its column.

    Returns cosine and sine. The `front` tokens before the patches are not rotated (Heo et al. 2024,
    arXiv:2403.13298).
    """
    positions = torch.arange(rows * columns, device=frequencies.device)
    row, column = (
        n[:, None].to(frequencies.dtype) for n in (positions // columns, positions % columns)
    )
    angle = torch.cat([row * frequencies, column * frequencies], dim=-1)
    angle = F.pad(angle, (0, 0, front, 0))  # (T, R/2)
    return angle.cos()[None], angle.sin()[None]  # (1, T, R/2) each


def centred_grid_angles(
    rows: int, columns: int, front: int, frequencies: Tensor
) -> tuple[Tensor, Tensor]:
    """RoPE on a grid of patches: half of the pairs rotate with the row, half with the column.

    Rows and columns are coordinates from -1 to 1, frequencies are in full turns. Returns cosine and
    sine. The `front` tokens before the patches are not rotated (DINOv3, Siméoni et al. 2025,
    arXiv:2508.10104).
    """
    positions = torch.arange(rows * columns, device=frequencies.device)
    row, column = (
        n[:, None].to(frequencies.dtype) for n in (positions // columns, positions % columns)
    )
    down, right = (2 * row + 1) / rows - 1, (2 * column + 1) / columns - 1
    angle = 2 * math.pi * torch.cat([down * frequencies, right * frequencies], dim=-1)
    angle = F.pad(angle, (0, 0, front, 0))  # (T, R/2)
    return angle.cos()[None], angle.sin()[None]  # (1, T, R/2) each


def video_angles(
    grid: tuple[int, int, int],
    widths: tuple[int, int, int],
    front: int,
    theta: float,
    like: Tensor,
) -> tuple[Tensor, Tensor]:
    """RoPE of the patches of a video: `widths` features rotate with frame, row and column.

    Returns cosine and sine. The `front` tokens before the patches are not rotated (CogVideoX, Yang
    et al. 2024, arXiv:2408.06072).
    """
    places = video_places(*grid, like=like)
    frequencies = [rope_frequencies(width, theta, like) for width in widths]
    axes = zip(places, frequencies, strict=True)
    angle = torch.cat([place[:, None] * frequency for place, frequency in axes], dim=-1)
    angle = F.pad(angle, (0, 0, front, 0))  # (T, R/2)
    return angle.cos()[None], angle.sin()[None]  # (1, T, R/2) each


def apply_rope(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotate each pair (x[i], x[i + E/2]) of a head by the angle of its position."""
    x1, x2 = x.to(cos.dtype).chunk(2, dim=-1)  # (B, H, T, E/2) each
    return torch.cat([x1 * cos - x2 * sin, x2 * cos + x1 * sin], dim=-1).type_as(x)


def apply_rope_interleaved(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotate each pair (x[2i], x[2i + 1]) of a head by the angle of its position."""
    x1, x2 = x[..., 0::2].to(cos.dtype), x[..., 1::2].to(cos.dtype)  # (B, H, T, E/2) each
    turned = torch.stack([x1 * cos - x2 * sin, x2 * cos + x1 * sin], dim=-1)
    return turned.flatten(-2).type_as(x)


def apply_partial_rope(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotate the first R features of each head, in pairs (x[i], x[i + R/2]); keep the rest."""
    width = 2 * cos.size(-1)
    return torch.cat([apply_rope(x[..., :width], cos, sin), x[..., width:]], dim=-1)


def apply_partial_rope_interleaved(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotate the first R features of each head, in pairs (x[2i], x[2i + 1]); keep the rest."""
    width = 2 * cos.size(-1)
    turned = apply_rope_interleaved(x[..., :width], cos, sin)
    return torch.cat([turned, x[..., width:]], dim=-1)


def sinusoids(position_ids: Tensor, width: int, denominator: int, like: Tensor) -> Tensor:
    """Sines, then cosines, of the positions (Vaswani et al. 2017, arXiv:1706.03762)."""
    dtype = torch.promote_types(like.dtype, torch.float32)
    exponent = torch.arange(width // 2, device=like.device, dtype=dtype) / denominator
    angle = position_ids[..., None].to(dtype) * 10_000.0**-exponent
    return torch.cat([angle.sin(), angle.cos()], dim=-1).type_as(like)  # (T, D) or (B, T, D)


def sinusoid_pairs(position_ids: Tensor, width: int, denominator: int, like: Tensor) -> Tensor:
    """A sine, then a cosine, of each frequency (Vaswani et al. 2017, arXiv:1706.03762)."""
    dtype = torch.promote_types(like.dtype, torch.float32)
    exponent = torch.arange(width // 2, device=like.device, dtype=dtype) / denominator
    angle = position_ids[..., None].to(dtype) * 10_000.0**-exponent
    table = torch.stack([angle.sin(), angle.cos()], dim=-1)
    return table.flatten(-2).type_as(like)  # (T, D) or (B, T, D)


def cosines_and_sines(times: Tensor, width: int, denominator: int, like: Tensor) -> Tensor:
    """Cosines, then sines, of times (B,) (Ho et al. 2020, arXiv:2006.11239)."""
    dtype = torch.promote_types(like.dtype, torch.float32)
    exponent = torch.arange(width // 2, device=like.device, dtype=dtype) / denominator
    angle = times[..., None].to(dtype) * 10_000.0**-exponent
    return torch.cat([angle.cos(), angle.sin()], dim=-1).type_as(like)  # (B, width)


def grid_places(rows: int, columns: int, like: Tensor) -> tuple[Tensor, Tensor]:
    """The row and the column of each patch, row by row: (G,) each."""
    places = torch.arange(rows * columns, device=like.device)
    return places // columns, places % columns


def grid_turns(rows: int, columns: int, like: Tensor) -> tuple[Tensor, Tensor]:
    """The row and the column of each patch as angles up to 2 pi, row by row: (G,) each.

    Row i of n is at 2 pi (i + 1) / (n + 1e-6) (DETR, Carion et al. 2020, arXiv:2005.12872).
    """
    dtype = torch.promote_types(like.dtype, torch.float32)
    row, column = (2 * math.pi * (i.to(dtype) + 1) for i in grid_places(rows, columns, like))
    return row / (rows + 1e-6), column / (columns + 1e-6)


def video_places(
    frames: int, rows: int, columns: int, like: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """The frame, the row and the column of each patch, frame by frame: (G,) each."""
    places = torch.arange(frames * rows * columns, device=like.device)
    return places // (rows * columns), places // columns % rows, places % columns


def alibi_bias(positions: Tensor, end: int, heads: int, scale: float, like: Tensor) -> Tensor:
    """ALiBi: -slope * |q - k| for each head, (H, T, S) (Press et al. 2021, arXiv:2108.12409).

    The slopes are 2^(-8 i / n) for i = 1 … n, where n is the largest power of two up to `heads`;
    the remaining heads use every other slope of 2 n heads.
    """
    dtype = torch.promote_types(like.dtype, torch.float32)
    power = 2 ** math.floor(math.log2(heads))
    slopes = [2 ** (-8 * (i + 1) / power) for i in range(power)]
    slopes += [2 ** (-4 * (i + 1) / power) for i in range(0, 2 * (heads - power), 2)]
    distance = (positions[:, None] - torch.arange(end, device=like.device)).abs()  # (T, S)
    slope = torch.tensor(slopes, device=like.device, dtype=dtype)[:, None, None]
    return (-scale * slope * distance).type_as(like)  # (H, T, S)


def alibi_bias_ceil(positions: Tensor, end: int, heads: int, scale: float, like: Tensor) -> Tensor:
    """ALiBi: -slope * |q - k| for each head, (H, T, S) (Press et al. 2021, arXiv:2108.12409).

    The slopes are those of the next power of two of heads: every other one first, then the rest.
    """
    dtype = torch.promote_types(like.dtype, torch.float32)
    power = 2 ** math.ceil(math.log2(heads))
    every = [2 ** (-8 * (i + 1) / power) for i in range(power)]
    slopes = every if power == heads else (every[1::2] + every[::2])[:heads]
    distance = (positions[:, None] - torch.arange(end, device=like.device)).abs()  # (T, S)
    slope = torch.tensor(slopes, device=like.device, dtype=dtype)[:, None, None]
    return (-scale * slope * distance).type_as(like)  # (H, T, S)


def log_buckets(distance: Tensor, buckets: int, max_distance: int) -> Tensor:
    """Bucket of distances >= 0: half exact, half log (Raffel et al. 2019, arXiv:1910.10683)."""
    exact = buckets // 2
    growth = (distance.clamp(min=1).float() / exact).log() / math.log(max_distance / exact)
    far = exact + (growth * (buckets - exact)).long()
    return torch.where(distance < exact, distance, far.clamp(max=buckets - 1))


def bucket_bias(positions: Tensor, end: int, table: nn.Embedding, max_distance: int) -> Tensor:
    """A learned bias for each bucket of distances, (H, T, S) (Raffel et al. 2019,
    arXiv:1910.10683); half of the buckets are for keys after the query.
    """
    distance = torch.arange(end, device=positions.device) - positions[:, None]  # (T, S)
    half = table.num_embeddings // 2
    buckets = log_buckets(distance.abs(), half, max_distance) + half * (distance > 0)
    bias: Tensor = table(buckets)
    return bias.permute(2, 0, 1)  # (H, T, S)


def causal_bucket_bias(
    positions: Tensor, end: int, table: nn.Embedding, max_distance: int
) -> Tensor:
    """A learned bias for each bucket of distances, (H, T, S) (Raffel et al. 2019,
    arXiv:1910.10683); keys after the query share that of distance 0.
    """
    distance = positions[:, None] - torch.arange(end, device=positions.device)  # (T, S)
    buckets = log_buckets(distance.clamp(min=0), table.num_embeddings, max_distance)
    bias: Tensor = table(buckets)
    return bias.permute(2, 0, 1)  # (H, T, S)


def relative_places(positions: Tensor, end: int, max_distance: int) -> Tensor:
    """Index of each distance q - k in a table, (T, S) (Shaw et al. 2018, arXiv:1803.02155)."""
    distance = positions[:, None] - torch.arange(end, device=positions.device)  # (T, S)
    return distance.clamp(-max_distance, max_distance - 1) + max_distance


def clipped_places(positions: Tensor, end: int, max_distance: int) -> Tensor:
    """Index of each distance k - q in a table of 2 * max_distance + 1 rows, (T, S) (Shaw et al.
    2018, arXiv:1803.02155).
    """
    distance = torch.arange(end, device=positions.device) - positions[:, None]  # (T, S)
    return distance.clamp(-max_distance, max_distance) + max_distance


def scores_of_places(q: Tensor, vectors: Tensor, places: Tensor) -> Tensor:
    """Products of queries (B, H, T, E) and the vectors (U, E) of their places (T, S), (B, H, T, S)
    (Shaw et al. 2018, arXiv:1803.02155).
    """
    scores = q @ vectors.T  # (B, H, T, U)
    return scores.gather(-1, places.expand(*scores.shape[:2], -1, -1))


def sum_of_places(weights: Tensor, vectors: Tensor, places: Tensor) -> Tensor:
    """The sum of the vectors (U, E) of all places (T, S), with these attention weights
    (B, H, T, S): (B, H, T, E) (Shaw et al. 2018, arXiv:1803.02155).
    """
    totals = weights.new_zeros(*weights.shape[:-1], len(vectors))  # (B, H, T, U)
    return totals.scatter_add(-1, places.expand_as(weights), weights) @ vectors


def relative_log_places(positions: Tensor, end: int, buckets: int, max_distance: int) -> Tensor:
    """Index of each distance q - k in a table, (T, S). In each direction, half of the buckets hold
    one distance, the others grow logarithmically (DeBERTa v3, He et al. 2021, arXiv:2111.09543).
    """
    distance = positions[:, None] - torch.arange(end, device=positions.device)  # (T, S)
    half = buckets // 2
    growth = (distance.abs().clamp(min=half) / half).log() / math.log((max_distance - 1) / half)
    far = half + (growth * (half - 1) - 1e-4).ceil().long()  # integers are unchanged
    bucket = torch.where(distance.abs() <= half, distance, far * distance.sign())
    return bucket.clamp(-buckets, buckets - 1) + buckets


def content_to_position(q: Tensor, position_key: Tensor, places: Tensor) -> Tensor:
    """DeBERTa's scores (B, H, T, S) of content and key position (He et al. 2020,
    arXiv:2006.03654).
    """
    scores = q @ position_key.transpose(-2, -1)  # (B, H, T, U)
    return scores.gather(-1, places.expand(*scores.shape[:2], -1, -1))  # (B, H, T, S)


def position_to_content(k: Tensor, position_query: Tensor, places: Tensor) -> Tensor:
    """DeBERTa's scores (B, H, T, S) of query position and content (He et al. 2020,
    arXiv:2006.03654).
    """
    scores = k @ position_query.transpose(-2, -1)  # (B, H, S, U)
    columns = places.transpose(0, 1).expand(*scores.shape[:2], -1, -1)  # (B, H, S, T)
    return scores.gather(-1, columns).transpose(-2, -1)  # (B, H, T, S)


def positions_past_padding(attention_mask: Tensor | None, positions: Tensor) -> Tensor:
    """Position of each new token, counting only tokens that are not padding; -1 at padding."""
    if attention_mask is None:
        return positions  # (T,)
    real = attention_mask.bool().long()
    return (real.cumsum(-1) * real - 1)[:, positions]  # (B, T)


def positions_of_tokens(input_ids: Tensor, pad_token_id: int) -> Tensor:
    """Position of each token, counting tokens other than padding; -1 at padding."""
    real = (input_ids != pad_token_id).long()
    return real.cumsum(-1) * real - 1  # (B, T)


def grid_offsets(grid: int, device: torch.device) -> Tensor:
    """Index of the offset (rows, columns) between two patches of a square grid, (T, T) (BEiT, Bao
    et al. 2021, arXiv:2106.08254).
    """
    positions = torch.arange(grid * grid, device=device)
    row, column = positions // grid, positions % grid
    down = row[:, None] - row + grid - 1  # (T, T)
    right = column[:, None] - column + grid - 1  # (T, T)
    return down * (2 * grid - 1) + right


def grid_offsets_behind(grid: int, front: int, device: torch.device) -> Tensor:
    """As `grid_offsets`, with three more indices for pairs with the `front` tokens before them."""
    last = (2 * grid - 1) ** 2
    offsets = F.pad(grid_offsets(grid, device), (front, 0, front, 0), value=last)
    offsets[front:, :front] = last + 1
    offsets[:front, :front] = last + 2
    return offsets


def video_offsets(frames: int, rows: int, columns: int, device: torch.device) -> Tensor:
    """Index of the offset (frames, rows, columns) between two patches of a video, (T, T) (Video
    Swin, Liu et al. 2021, arXiv:2106.13230).
    """
    place = torch.arange(frames * rows * columns, device=device)
    axes = place // (rows * columns), place // columns % rows, place % columns
    later, down, right = (axis[:, None] - axis for axis in axes)  # (T, T) each
    offsets = (later + frames - 1) * (2 * rows - 1) + down + rows - 1
    return offsets * (2 * columns - 1) + right + columns - 1


def video_offsets_behind(
    frames: int, rows: int, columns: int, front: int, device: torch.device
) -> Tensor:
    """As `video_offsets`, with three more indices for pairs with the `front` tokens before them."""
    last = (2 * frames - 1) * (2 * rows - 1) * (2 * columns - 1)
    offsets = video_offsets(frames, rows, columns, device)
    offsets = F.pad(offsets, (front, 0, front, 0), value=last)
    offsets[front:, :front] = last + 1
    offsets[:front, :front] = last + 2
    return offsets
