"""llama4-scout: a 48-layer decoder-only transformer, in one file (PyTorch >= 2.5).

Written by modelwright 0.1.0 from llama4_scout.yaml (sha256 1042c4fd797c). To rebuild it:
    modelwright build llama4_scout.yaml -o llama4_scout.py

    part                          weights
    token_embedding         1,034,485,760
    local x36              79,275,663,360
    global x12             26,425,221,120
    norm                            5,120
    head                    1,034,485,760
    total                 107,769,861,120

Shapes:  B batch  T new tokens  S all tokens  Q queries of a tile  Sq keys of a tile  D d_model
         H heads  K key/value heads  E head_dim  R head_dim rotated by RoPE  F d_ff  X experts
         A experts per token  J token-expert pairs, B * T * A  V vocabulary
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F


@dataclass(frozen=True)
class Config:
    """Hyperparameters of the model. The defaults are those of the spec."""

    d_model: int = 5120
    vocab_size: int = 202048
    layers: int = 48
    eps: float = 1e-5
    heads: int = 40
    kv_heads: int = 8
    rope_theta: float = 500_000.0
    block_size: int = 8192
    experts: int = 16
    top_k: int = 1
    d_ff: int = 8192
    temperature_length: int = 8192
    temperature_slope: float = 0.1
    init_std: float = 0.02

    def __post_init__(self) -> None:
        for name, size in vars(self).items():
            if type(vars(Config)[name]) is int and (type(size) is not int or size < 1):
                raise ValueError(f"{name} must be an int of at least 1: {self}")
        if not (self.eps >= 0 and self.init_std >= 0 and self.rope_theta > 1):
            raise ValueError(f"eps and init_std must be >= 0, rope_theta > 1: {self}")
        if not self.temperature_slope > 0:
            raise ValueError(f"temperature_slope must be > 0: {self}")
        if self.d_model % (2 * self.heads):
            raise ValueError(f"d_model / heads must be even, not {self.d_model} / {self.heads}")
        if self.heads % self.kv_heads:
            raise ValueError(f"kv_heads ({self.kv_heads}) must divide heads ({self.heads})")
        if self.top_k > self.experts:
            raise ValueError(f"top_k ({self.top_k}) must be at most experts ({self.experts})")


class Cache:
    """Key-value cache of a decoder, by layer. Not part of the state dict."""

    def __init__(self, capacity: int) -> None:
        self.capacity, self.length = capacity, 0
        self.kv: dict[int, list[Tensor]] = {}

    def append(self, layer: int, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Store new keys and values (..., T, E); return those of all tokens (..., S, E)."""
        end = self.length + k.size(-2)
        if end > self.capacity:
            raise ValueError(f"{end} tokens, but the cache holds {self.capacity}")
        if layer not in self.kv:
            self.kv[layer] = [x.new_empty(*x.shape[:-2], self.capacity, x.size(-1)) for x in (k, v)]
        keys, values = self.kv[layer]
        if (len(keys), keys.dtype) != (len(k), k.dtype):
            raise ValueError(f"batch {len(k)}, {k.dtype}; the cache has {len(keys)}, {keys.dtype}")
        keys[..., self.length : end, :], values[..., self.length : end, :] = k, v
        return keys[..., :end, :], values[..., :end, :]


DENSE = 1024  # one tile for fewer queries than this
TILE = 512  # queries of one tile


def check_shapes(shape: tuple[int, ...], **given: Tensor | None) -> None:
    """Check shapes and integer dtypes. Masks may be bool; positions may have a single row."""
    for name, x in [(name, x) for name, x in given.items() if x is not None]:
        kind, size = ("int or bool", 1) if name.endswith("mask") else ("int64", 4)  # min. bytes
        shapes = [shape, (1, *shape[1:]), shape[1:]] if name.endswith("position_ids") else [shape]
        if x.shape not in shapes or x.is_floating_point() or x.element_size() < size:
            raise ValueError(f"{name} must be {kind} {shape}, not {x.dtype} {(*x.shape,)}")


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


def apply_rope_interleaved(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotate each pair (x[2i], x[2i + 1]) of a head by the angle of its position."""
    x1, x2 = x[..., 0::2].to(cos.dtype), x[..., 1::2].to(cos.dtype)  # (B, H, T, E/2) each
    turned = torch.stack([x1 * cos - x2 * sin, x2 * cos + x1 * sin], dim=-1)
    return turned.flatten(-2).type_as(x)


def first_token_index(attention_mask: Tensor | None, device: torch.device) -> Tensor:
    """Index of each sequence's first token that is not padding, (B, 1, 1, 1)."""
    if attention_mask is None:
        return torch.zeros(1, 1, 1, 1, dtype=torch.long, device=device)
    real = F.pad(attention_mask.bool().long(), (0, 1))  # an empty mask has no largest element
    return real.argmax(-1)[:, None, None, None]


class Tile(NamedTuple):
    """Consecutive queries and the keys that they read.

    Without `mask`, the queries attend to all these keys, or causally (by SDPA) if `keys` is empty.
    """

    queries: int  # number of queries, which follow those of the previous tile
    keys: tuple[slice, ...]  # ranges of keys; empty: all keys
    mask: Tensor | None  # added to the scores: 0 where a query may attend to a key, else -inf


class KeysOfTile(torch.autograd.Function):
    """Select the keys or values (B, K, S, E) of a tile; return all of them too, for the next tile.

    In the backward pass, the tiles add to one gradient of all keys. Plain slices would allocate
    such a gradient for each tile.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, keys: tuple[slice, ...]) -> tuple[Tensor, Tensor]:
        ctx.set_materialize_grads(False)
        ctx.size, ctx.keys = x.size(2), keys
        return x.view_as(x), x[:, :, keys[0]] if len(keys) == 1 else copied_keys(x, keys)

    @staticmethod
    def backward(
        ctx: Any, total: Tensor | None, gradient: Tensor | None
    ) -> tuple[Tensor | None, None]:
        if gradient is None:
            return total, None
        if total is None:  # laid out as (B, S, K, E), like the results of projections
            B, K, _, E = gradient.shape
            total = gradient.new_zeros(B, ctx.size, K, E).transpose(1, 2)
        sizes = [len(range(*part.indices(total.size(2)))) for part in ctx.keys]
        for part, own in zip(ctx.keys, gradient.split(sizes, dim=2), strict=True):
            total[:, :, part].add_(own)  # `+=` would also copy the slice onto itself
        return total, None


def copied_keys(x: Tensor, keys: tuple[slice, ...]) -> Tensor:
    """The keys or values (B, K, S, E) in these ranges, laid out as (B, S, K, E)."""
    tokens = x.transpose(1, 2)
    return torch.cat([tokens[:, part] for part in keys], dim=1).transpose(1, 2)


def one_tile(queries: int, mask: Tensor | None, like: Tensor) -> list[Tile]:
    """One tile of all queries and keys, from a boolean mask."""
    return [Tile(queries, (), None if mask is None else added_mask(mask, like))]


def added_mask(mask: Tensor, like: Tensor) -> Tensor:
    """Convert a boolean mask to numbers that are added to the scores, once for all layers."""
    return torch.zeros_like(mask, dtype=like.dtype).masked_fill(~mask, -torch.inf)


def tiles_of_blocks(
    start: int, end: int, size: int, near: Tensor, attention_mask: Tensor | None, like: Tensor
) -> list[Tile]:
    """Tiles of the queries `start` to `end`, each with the keys of its block of `size` tokens.

    The first block begins with the first token that is not padding. A tile ends where a block of
    some sequence does.

    near: True where a query of a tile may attend to a key, (Q, Sq); the first query has index
        `size` among the keys
    """
    real = torch.ones(1, end) if attention_mask is None else attention_mask.cpu()
    real = real.bool()  # (B or 1, S)
    origin = F.pad(real.long(), (0, 1)).argmax(1, keepdim=True)  # (B or 1, 1)
    edges = [edge for row in origin[:, 0].tolist() for edge in range(row % size, end, size)]
    near = added_mask(near, like)
    tiles: list[Tile] = []
    for first, last in query_runs(start, end, near.size(0), edges):
        block = first - (first - origin) % size  # start of the query's block, (B or 1, 1)
        begin = max(0, int(block.min()))
        stop = min(int(block.max()) + size, first + near.size(1) - size, end)
        mask = near[: last - first, begin - first + size : stop - first + size]
        k = torch.arange(begin, stop)
        hidden = (k < block) | (k >= block + size) | ~real[:, begin:stop]  # (B or 1, Sq)
        if hidden.any():
            mask = mask.masked_fill(hidden[:, None, None].to(like.device), -torch.inf)
        tiles.append(Tile(last - first, (slice(begin, stop),), mask))
    return tiles


def tiled_attention(
    q: Tensor, k: Tensor, v: Tensor, tiles: list[Tile], attend: Callable[..., Tensor]
) -> Tensor:
    """Attention of q (B, H, T, E) to k and v (B, K, S, E) tile by tile, (B, H, T, E)."""
    if not tiles[0].keys:
        return attend(q, k, v, tiles[0].mask)
    outputs = []
    for own, tile in zip(q.split([tile.queries for tile in tiles], dim=2), tiles, strict=True):
        k, near_k = KeysOfTile.apply(k, tile.keys)
        v, near_v = KeysOfTile.apply(v, tile.keys)
        outputs.append(attend(own, near_k, near_v, tile.mask).transpose(1, 2))
    return torch.cat(outputs, dim=1).transpose(1, 2)


def causal_tiled_attention(
    q: Tensor, k: Tensor, v: Tensor, tiles: list[Tile], attend: Callable[..., Tensor]
) -> Tensor:
    """Causal attention tile by tile; a single tile without a mask uses `is_causal`."""
    if q.size(2) > 1 and not tiles[0].keys and tiles[0].mask is None:
        return attend(q, k, v, is_causal=True)
    return tiled_attention(q, k, v, tiles, attend)


def query_runs(start: int, end: int, size: int, edges: list[int]) -> list[tuple[int, int]]:
    """The queries `start` to `end` in runs of at most `size`, cut at the `edges` too."""
    cuts = {start, end, *range(start, end, size)}
    cuts.update(edge for edge in edges if start < edge < end)
    return list(pairwise(sorted(cuts)))


class Router(nn.Linear):
    """A linear layer computed in float32 or wider, so that rounding does not change the routing."""

    def forward(self, input: Tensor) -> Tensor:
        dtype = torch.promote_types(input.dtype, torch.float32)
        return F.linear(input.to(dtype), self.weight.to(dtype))


def expert_linear(x: Tensor, weight: Tensor, expert: Tensor) -> Tensor:
    """Multiply each row by the matrix of its expert: x (J, in), weight (X, out, in) -> (J, out).

    `expert` (J,) is the expert of each row, in ascending order. Compiled code must not have shapes
    that depend on the routing; it copies the rows into blocks of equal size, each for one expert.
    """
    rows, experts = x.size(0), weight.size(0)
    if not torch.compiler.is_compiling():
        runs = zip(torch.split(x, expert.bincount(minlength=experts).tolist()), weight, strict=True)
        return torch.cat([F.linear(part, w) for part, w in runs if len(part) or not rows])
    size = rows // experts + 2  # rows of a block, at least 2; at most 2 X blocks
    counts = F.one_hot(expert, experts).sum(0)  # rows per expert
    rank = torch.arange(rows, device=x.device) - (counts.cumsum(0) - counts)[expert]
    row = rank - rank // size * size  # rank % size, which ONNX export does not support
    index = (row == 0).cumsum(0) - 1, row  # block, and row in the block
    owner = expert.new_zeros(min(rows, 2 * experts)).index_put(index[:1], expert)  # by block
    padded = x.new_zeros(owner.size(0), size, x.size(-1)).index_put(index, x)
    return (padded @ weight[owner].mT)[index]


def sample(logits: Tensor, temperature: float, top_k: int | None, top_p: float | None) -> Tensor:
    """Sample one token per row of `logits` (B, V). Temperature 0 takes the most likely one."""
    if temperature == 0:
        return logits.argmax(-1)  # (B,)
    logits = logits.float() / temperature
    if top_k:
        kth = logits.topk(min(top_k, logits.size(-1))).values[:, -1:]
        logits = logits.masked_fill(logits < kth, -torch.inf)
    if top_p is not None and top_p < 1:  # fewest tokens with probability >= top_p
        ranked, order = logits.sort(descending=True)
        mass = ranked.softmax(-1).cumsum(-1) - ranked.softmax(-1)  # 0 for the most likely token
        logits = logits.scatter(-1, order, ranked.masked_fill(mass >= max(top_p, 1e-9), -torch.inf))
    return torch.multinomial(logits.softmax(-1), 1).squeeze(-1)


def grouped_attention(
    q: Tensor, k: Tensor, v: Tensor, attn_mask: Tensor | None = None, is_causal: bool = False
) -> Tensor:
    """Attention of q (B, H, T, E) over k and v (B, K, S, E), each shared by H/K heads.

    For one query, the heads of a group become its queries: keys and values are read only once.
    """
    if q.size(2) != 1:
        return F.scaled_dot_product_attention(
            q, k, v, attn_mask=attn_mask, is_causal=is_causal, enable_gqa=True
        )
    q = torch.unflatten(q, 1, (k.size(1), -1)).squeeze(3)  # H/K queries for each of K heads
    y = F.scaled_dot_product_attention(q, k, v, attn_mask=attn_mask)
    return y.flatten(1, 2).unsqueeze(2)  # (B, H, 1, E)


def causal_blocks_mask(
    start: int, end: int, block_size: int, attention_mask: Tensor | None, like: Tensor
) -> Tensor:
    """True where query q may attend to key k: causal & blocks(block_size)."""
    q = torch.arange(start, end, device=like.device)[:, None]  # (T, 1)
    k = torch.arange(end, device=like.device)  # (S,)
    first = first_token_index(attention_mask, like.device)  # (B or 1, 1, 1, 1)
    mask = (k <= q) & ((q - first) // block_size == (k - first) // block_size)  # (B or 1, 1, T, S)
    return mask if attention_mask is None else mask & attention_mask.bool()[:, None, None, :]


def causal_blocks_tiles(
    start: int, end: int, block_size: int, attention_mask: Tensor | None, like: Tensor
) -> list[Tile]:
    """Tiles of queries `start:end`: causal & blocks(block_size). No mask if `is_causal` is
    enough.
    """
    compiling = torch.compiler.is_compiling()  # one graph for sequences of any length
    if (
        not compiling
        and attention_mask is None
        and end <= block_size
        and (start == 0 or end - start == 1)
    ):
        return one_tile(end - start, None, like)
    if compiling or end - start < DENSE:
        return one_tile(
            end - start, causal_blocks_mask(start, end, block_size, attention_mask, like), like
        )
    # (Q, Sq)
    near = torch.ones(TILE, block_size + TILE, device=like.device).tril(block_size).bool()
    return tiles_of_blocks(start, end, block_size, near, attention_mask, like)


def causal_tiles(start: int, end: int, attention_mask: Tensor | None, like: Tensor) -> list[Tile]:
    """Tiles of queries `start:end`: causal. No mask if `is_causal` is enough."""
    if attention_mask is None and (start == 0 or end - start == 1):
        return one_tile(end - start, None, like)
    return causal_blocks_tiles(start, end, end, attention_mask, like)


class LocalAttention(nn.Module):
    """Grouped-query attention: K key/value heads (Ainslie et al. 2023, arXiv:2305.13245)."""

    def __init__(self, config: Config, layer: int) -> None:
        super().__init__()
        self.layer = layer
        self.head_dim = config.d_model // config.heads
        self.query = nn.Linear(config.d_model, config.d_model, bias=False)
        self.key = nn.Linear(config.d_model, config.kv_heads * self.head_dim, bias=False)
        self.value = nn.Linear(config.d_model, config.kv_heads * self.head_dim, bias=False)
        self.query_norm = nn.RMSNorm(
            config.d_model // config.heads, config.eps, elementwise_affine=False
        )
        self.key_norm = nn.RMSNorm(
            config.d_model // config.heads, config.eps, elementwise_affine=False
        )
        self.output = nn.Linear(config.d_model, config.d_model, bias=False)

    def forward(
        self, x: Tensor, cos: Tensor, sin: Tensor, tiles: list[Tile], cache: Cache | None
    ) -> Tensor:
        q = self.query(x).unflatten(-1, (-1, self.head_dim)).transpose(1, 2)  # (B, H, T, E)
        k = self.key(x).unflatten(-1, (-1, self.head_dim)).transpose(1, 2)  # (B, K, T, E)
        v = self.value(x).unflatten(-1, (-1, self.head_dim)).transpose(1, 2)  # (B, K, T, E)
        q, k = apply_rope_interleaved(q, cos, sin), apply_rope_interleaved(k, cos, sin)
        q = self.query_norm(q)
        k = self.key_norm(k)
        if cache is not None:
            k, v = cache.append(self.layer, k, v)  # (B, K, S, E) each
        y = causal_tiled_attention(q, k, v, tiles, grouped_attention)  # (B, H, T, E)
        return self.output(y.transpose(1, 2).flatten(-2))  # (B, T, D)


class Experts(nn.Module):
    """Experts, each a SwiGLU (Shazeer 2020, arXiv:2002.05202)."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.gate = nn.Parameter(torch.empty(config.experts, config.d_ff, config.d_model))
        self.up = nn.Parameter(torch.empty(config.experts, config.d_ff, config.d_model))
        self.down = nn.Parameter(torch.empty(config.experts, config.d_model, config.d_ff))

    def forward(self, x: Tensor, chosen: Tensor, weights: Tensor) -> Tensor:
        expert, order = chosen.flatten().sort()  # (J,) each
        rows = x.flatten(0, 1)[order // chosen.size(-1)]  # (J, D)
        rows = (rows * weights.flatten()[order, None]).type_as(rows)
        gate = F.silu(expert_linear(rows, self.gate, expert))  # (J, F)
        y = expert_linear(gate * expert_linear(rows, self.up, expert), self.down, expert)  # (J, D)
        y = y[order.argsort()].unflatten(0, weights.shape)  # (B, T, A, D)
        return y.sum(-2)  # (B, T, D)


class FeedForward(nn.Module):
    """SwiGLU (Shazeer 2020, arXiv:2002.05202)."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.gate = nn.Linear(config.d_model, config.d_ff, bias=False)
        self.up = nn.Linear(config.d_model, config.d_ff, bias=False)
        self.down = nn.Linear(config.d_ff, config.d_model, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.down(F.silu(self.gate(x)) * self.up(x))  # (B, T, D)


class MixtureOfExperts(nn.Module):
    """Experts; a router chooses a few for each token (Shazeer et al. 2017, arXiv:1701.06538)."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.top_k = config.top_k
        self.router = Router(config.d_model, config.experts, bias=False)
        self.experts = Experts(config)
        self.shared_expert = FeedForward(config)

    def forward(self, x: Tensor) -> Tensor:
        weights, chosen = torch.sigmoid(self.router(x)).topk(self.top_k)  # (B, T, A) each
        return self.experts(x, chosen, weights) + self.shared_expert(x)  # (B, T, D)


class GlobalAttention(nn.Module):
    """Grouped-query attention: K key/value heads (Ainslie et al. 2023, arXiv:2305.13245)."""

    def __init__(self, config: Config, layer: int) -> None:
        super().__init__()
        self.layer = layer
        self.head_dim = config.d_model // config.heads
        self.query = nn.Linear(config.d_model, config.d_model, bias=False)
        self.key = nn.Linear(config.d_model, config.kv_heads * self.head_dim, bias=False)
        self.value = nn.Linear(config.d_model, config.kv_heads * self.head_dim, bias=False)
        self.output = nn.Linear(config.d_model, config.d_model, bias=False)

    def forward(
        self, x: Tensor, sharpness: Tensor, tiles: list[Tile], cache: Cache | None
    ) -> Tensor:
        q = self.query(x).unflatten(-1, (-1, self.head_dim)).transpose(1, 2)  # (B, H, T, E)
        k = self.key(x).unflatten(-1, (-1, self.head_dim)).transpose(1, 2)  # (B, K, T, E)
        v = self.value(x).unflatten(-1, (-1, self.head_dim)).transpose(1, 2)  # (B, K, T, E)
        q = (q * sharpness).type_as(q)
        if cache is not None:
            k, v = cache.append(self.layer, k, v)  # (B, K, S, E) each
        y = causal_tiled_attention(q, k, v, tiles, grouped_attention)  # (B, H, T, E)
        return self.output(y.transpose(1, 2).flatten(-2))  # (B, T, D)


class Block(nn.Module):
    """A layer with a norm before each branch (Xiong et al. 2020, arXiv:2002.04745)."""

    def __init__(self, config: Config, attention: nn.Module) -> None:
        super().__init__()
        self.attention_norm = nn.RMSNorm(config.d_model, config.eps)
        self.attention = attention
        self.feed_forward_norm = nn.RMSNorm(config.d_model, config.eps)
        self.feed_forward = MixtureOfExperts(config)

    def forward(self, x: Tensor, attention_inputs: tuple[Any, ...], cache: Cache | None) -> Tensor:
        x = x + self.attention(self.attention_norm(x), *attention_inputs, cache)
        return x + self.feed_forward(self.feed_forward_norm(x))


class Llama4Scout(nn.Module):
    """Language model with an untied output head."""

    def __init__(self, config: Config | None = None) -> None:
        super().__init__()
        self.config = config = config or Config()
        self.token_embedding = nn.Embedding(config.vocab_size, config.d_model)
        self.layers = nn.ModuleList()
        for i in range(config.layers):
            attention = LocalAttention(config, i) if i % 4 < 3 else GlobalAttention(config, i)
            self.layers.append(Block(config, attention))
        self.norm = nn.RMSNorm(config.d_model, config.eps)
        self.head = nn.Linear(config.d_model, config.vocab_size, bias=False)
        self.init_weights()

    def init_weights(self) -> None:
        """Norms to identity, rest normal(0, std)."""
        for name, weight in self.named_parameters():
            if name.endswith("norm.weight"):
                nn.init.ones_(weight)
            else:
                nn.init.normal_(weight, std=self.config.init_std)

    def hidden_states(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        cache: Cache | None = None,
    ) -> Tensor:
        """Hidden states (B, T, D) of `input_ids` (B, T), which follow the tokens in `cache`."""
        config = self.config
        batch, length = (1, 1, *input_ids.shape)[-2:]  # check_shapes rejects other ranks
        start, end = (0, length) if cache is None else (cache.length, cache.length + length)
        check_shapes((batch, length), input_ids=input_ids, position_ids=position_ids)
        check_shapes((batch, end), attention_mask=attention_mask)
        x = self.token_embedding(input_ids)  # (B, T, D)
        if position_ids is None:
            position_ids = torch.arange(start, end, device=input_ids.device)  # (T,)
        cos, sin = rope_angles(
            position_ids, config.d_model // config.heads, config.rope_theta, like=x
        )  # (B, 1, T, R/2) each
        local_tiles = causal_blocks_tiles(start, end, config.block_size, attention_mask, like=x)
        sharpness = growing_sharpness(
            position_ids + 1, config.temperature_length, config.temperature_slope, like=x
        )  # (T, 1) or (B, 1, T, 1)
        global_tiles = causal_tiles(start, end, attention_mask, like=x)
        local = cos, sin, local_tiles
        global_ = sharpness, global_tiles
        for i, block in enumerate(self.layers):
            attention_inputs = local if i % 4 < 3 else global_
            x = block(x, attention_inputs, cache)
        if cache is not None:
            cache.length = end
        return self.norm(x)

    def logits(self, x: Tensor) -> Tensor:
        """Logits over the vocabulary."""
        return self.head(x)  # (B, T, V)

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        cache: Cache | None = None,
    ) -> Tensor:
        """Logits (B, T, V) for `input_ids` (B, T)."""
        return self.logits(self.hidden_states(input_ids, attention_mask, position_ids, cache))

    @staticmethod
    def loss(logits: Tensor, labels: Tensor) -> Tensor:
        """Mean cross-entropy of the next token; -100 in `labels` is ignored."""
        logits = logits[:, :-1].to(torch.promote_types(logits.dtype, torch.float32))
        return F.cross_entropy(logits.flatten(0, -2), labels[:, 1:].flatten())

    @torch.inference_mode()
    def generate(
        self,
        input_ids: Tensor,
        max_new_tokens: int,
        attention_mask: Tensor | None = None,
        *,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        eos_token_id: int | tuple[int, ...] | Tensor | None = 200001,
        pad_token_id: int | None = 200001,
    ) -> Tensor:
        """Extend left-padded `input_ids` (B, T) by `max_new_tokens` or until `eos_token_id`."""
        tokens = step = input_ids
        check_shapes((1, 1, *step.shape)[-2:], input_ids=step, attention_mask=attention_mask)
        if tokens.size(1) == 0 or (attention_mask is not None and not attention_mask[:, -1].all()):
            raise ValueError("prompts must not be empty or end in padding: pad them on the left")
        if not (attention_mask is None or torch.compiler.is_compiling()) and attention_mask.all():
            attention_mask = None  # nothing is padding
        if not (0 <= (top_p or 0) <= 1 and (temperature == 0 or 1e-6 <= temperature <= 1000)):
            raise ValueError(f"{temperature=} must be 0 or 1e-6 to 1000, {top_p=} in [0, 1]")
        if any(type(n) is not int or n < 0 for n in (max_new_tokens, top_k or 0)):
            raise ValueError(f"max_new_tokens, top_k must be ints >= 0: {max_new_tokens}, {top_k}")
        stop = eos_token_id.tolist() if isinstance(eos_token_id, Tensor) else eos_token_id
        stops = stop if isinstance(stop, (tuple, list)) else () if stop is None else (stop,)
        ids = *stops, pad_token_id if stops else 0
        if any(type(i) is not int or not 0 <= i < self.config.vocab_size for i in ids):
            raise ValueError(f"token ids must be ints in [0, {self.config.vocab_size}), not {ids}")
        cache = Cache(tokens.size(1) + max_new_tokens - 1)  # the last new token is not fed back
        ends = torch.tensor(stops).to(tokens)
        mask = position_ids = None
        for _ in range(max_new_tokens):
            done = torch.isin(tokens[:, input_ids.size(1) :], ends).any(-1)  # (B,)
            if ends.numel() and not torch.compiler.is_compiling() and done.all():
                break
            if attention_mask is not None:  # new tokens are not padding; positions skip it
                mask = F.pad(attention_mask, (0, tokens.size(1) - input_ids.size(1)), value=1)
                position_ids = (mask.bool().cumsum(-1) - 1).clamp(min=0)[:, -step.size(1) :]
            x = self.hidden_states(step, mask, position_ids, cache=cache)
            token = sample(self.logits(x[:, -1:])[:, -1], temperature, top_k, top_p)  # (B,)
            step = token.masked_fill(done, pad_token_id or 0)[:, None]  # pads finished rows
            tokens = torch.cat([tokens, step], dim=1)
        return tokens


# sha256 of the above: 1c542b997a109031dce99d4c42129d30354d7c7bd1468a7f612b0b17d5a362b8
