"""gemma-3-1b: a 26-layer decoder-only transformer, in one file (PyTorch >= 2.5).

Written by `modelwright build gemma3_1b.yaml -o gemma_3_1b.py` (0.1.0, spec sha256 7cb201062126).

    part                          weights
    token_embedding           301,989,888
    local x22                 590,526,464
    global x4                 107,368,448
    norm                            1,152
    total                     999,885,952

Shapes:  B batch  T new tokens  S all tokens  Q queries of a tile  Sq keys of a tile  D d_model
         H heads  K key/value heads  E head_dim  R head_dim rotated by RoPE  V vocabulary
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F


@dataclass(frozen=True)
class Config:
    """Hyperparameters of the model. The defaults are those of the spec."""

    d_model: int = 1152
    vocab_size: int = 262144
    layers: int = 26
    eps: float = 1e-6
    heads: int = 4
    kv_heads: int = 1
    head_dim: int = 256
    local_rope_theta: float = 10_000.0
    window: int = 512
    scale: float = 0.0625
    d_ff: int = 6912
    global_rope_theta: float = 1_000_000.0
    init_std: float = 0.02

    def __post_init__(self) -> None:
        for name, size in vars(self).items():
            if type(vars(Config)[name]) is int and (type(size) is not int or size < 1):
                raise ValueError(f"{name} must be an int of at least 1: {self}")
        if not (self.eps >= 0 and self.init_std >= 0 and self.local_rope_theta > 1):
            raise ValueError(f"eps and init_std must be >= 0, local_rope_theta > 1: {self}")
        if not (self.global_rope_theta > 1 and abs(self.scale) < torch.inf):
            raise ValueError(f"global_rope_theta must be > 1, scale finite: {self}")
        if self.head_dim % 2:
            raise ValueError(f"head_dim ({self.head_dim}) must be even")
        if self.heads % self.kv_heads:
            raise ValueError(f"kv_heads ({self.kv_heads}) must divide heads ({self.heads})")


class Cache:
    """Key-value cache of a decoder, by layer. A layer with a window keeps its last tokens."""

    def __init__(self, capacity: int) -> None:
        self.capacity, self.length = capacity, 0
        self.kv: dict[int, list[Tensor]] = {}
        self.first: dict[int, int] = {}  # index of the first token stored in a layer

    def append(self, layer: int, k: Tensor, v: Tensor, kept: int | None) -> tuple[Tensor, Tensor]:
        """Store new keys and values (..., T, E); return them after those of `kept` previous tokens.

        None keeps all tokens. Full buffers are replaced; there is room for 1/16 more than `kept`.
        """
        end = self.length + k.size(-2)
        if end > self.capacity:
            raise ValueError(f"{end} tokens, but the cache holds {self.capacity}")
        kept = self.capacity if kept is None else kept
        keys, values = self.kv[layer] if layer in self.kv else [k[..., :0, :], v[..., :0, :]]
        if (len(keys), keys.dtype) != (len(k), k.dtype):
            raise ValueError(f"batch {len(k)}, {k.dtype}; the cache has {len(keys)}, {keys.dtype}")
        first = self.first.get(layer, 0)
        old, new, last = max(0, self.length - kept) - first, self.length - first, end - first
        if last <= keys.size(-2):
            keys[..., new:last, :], values[..., new:last, :] = k, v
            return keys[..., old:last, :], values[..., old:last, :]
        k = torch.cat([keys[..., old:new, :], k], dim=-2)
        v = torch.cat([values[..., old:new, :], v], dim=-2)
        room = min(self.capacity, kept + kept // 16 + 1)
        kept = min(kept, k.size(-2))  # a negative padding crops
        self.kv[layer] = [F.pad(x, (0, 0, kept - x.size(-2), room - kept)) for x in (k, v)]
        self.first[layer] = end - kept
        return k, v


DENSE = 1024  # one tile for fewer queries than this
TILE = 128  # queries of one tile
STEP = 8  # the number of keys before a tile is a multiple of this, which is faster


def check_shapes(shape: tuple[int, ...], **given: Tensor | None) -> None:
    """Check shapes and integer dtypes. Masks may be bool; positions may have a single row."""
    for name, x in [(name, x) for name, x in given.items() if x is not None]:
        kind, size = ("int or bool", 1) if name.endswith("mask") else ("int64", 4)  # min. bytes
        shapes = [shape, (1, *shape[1:]), shape[1:]] if name.endswith("position_ids") else [shape]
        if x.shape not in shapes or x.is_floating_point() or x.element_size() < size:
            raise ValueError(f"{name} must be {kind} {shape}, not {x.dtype} {(*x.shape,)}")


def rope_angles(positions: Tensor, width: int, theta: float, like: Tensor) -> tuple[Tensor, Tensor]:
    """RoPE: cosine and sine of the angles at each position (Su et al. 2021, arXiv:2104.09864)."""
    dtype = torch.promote_types(like.dtype, torch.float32)
    exponent = torch.arange(0, width, 2, device=like.device, dtype=dtype) / width
    angle = positions[..., None, :, None].to(dtype) * theta**-exponent
    return angle.cos(), angle.sin()  # (1, T, R/2) or (B, 1, T, R/2) each


def apply_rope(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotate each pair (x[i], x[i + E/2]) of a head by the angle of its position."""
    x1, x2 = x.to(cos.dtype).chunk(2, dim=-1)  # (B, H, T, E/2) each
    return torch.cat([x1 * cos - x2 * sin, x2 * cos + x1 * sin], dim=-1).type_as(x)


class OffsetRMSNorm(nn.RMSNorm):
    """RMS norm that multiplies by `1 + weight` (Zhang, Sennrich 2019, arXiv:1910.07467)."""

    def forward(self, x: Tensor) -> Tensor:
        return F.rms_norm(x, self.normalized_shape, 1 + self.weight, self.eps)


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


def sliding_tiles(
    start: int, end: int, left: int, near: Tensor, attention_mask: Tensor | None, like: Tensor
) -> list[Tile]:
    """Tiles of the queries `start` to `end`, each with the keys from `left` before its first query.

    near: True where a query of a tile may attend to a key of it, (Q, Sq)
    """
    tiles: list[Tile] = []
    hidden = [True] * end  # keys that may be padding in some sequence
    if attention_mask is not None and attention_mask.device.type == "cpu":
        hidden = (~attention_mask.bool()).any(0).tolist()  # on a GPU, this would synchronise
    near = added_mask(near, like)
    for first in range(start, end, near.size(0)):
        last, before = min(first + near.size(0), end), first - left
        begin, stop = max(0, before), min(before + near.size(1), end)
        mask = near[: last - first, begin - before : stop - before]
        if attention_mask is not None and any(hidden[begin:stop]):
            padding = ~attention_mask.bool()[:, None, None, begin:stop]
            mask = mask.masked_fill(padding, -torch.inf)
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
    q: Tensor,
    k: Tensor,
    v: Tensor,
    attn_mask: Tensor | None = None,
    is_causal: bool = False,
    scale: float | None = None,
) -> Tensor:
    """Attention of q (B, H, T, E) over k and v (B, K, S, E), each shared by H/K heads.

    For one query, the heads of a group become its queries: keys and values are read only once.
    """
    if q.size(2) != 1:
        return F.scaled_dot_product_attention(
            q, k, v, attn_mask=attn_mask, is_causal=is_causal, scale=scale, enable_gqa=True
        )
    q = torch.unflatten(q, 1, (k.size(1), -1)).squeeze(3)  # H/K queries for each of K heads
    y = F.scaled_dot_product_attention(q, k, v, attn_mask=attn_mask, scale=scale)
    return y.flatten(1, 2).unsqueeze(2)  # (B, H, 1, E)


def causal_window_mask(
    start: int, end: int, window: int, attention_mask: Tensor | None, like: Tensor
) -> Tensor:
    """True where query q may attend to key k: causal & window(window)."""
    q = torch.arange(start, end, device=like.device)[:, None]  # (T, 1)
    k = torch.arange(end, device=like.device)  # (S,)
    mask = (k <= q) & (k > q - window)  # (T, S)
    return mask if attention_mask is None else mask & attention_mask.bool()[:, None, None, :]


def causal_window_tiles(
    start: int, end: int, window: int, attention_mask: Tensor | None, like: Tensor
) -> list[Tile]:
    """Tiles of queries `start:end`: causal & window(window). No mask if `is_causal` is enough."""
    compiling = torch.compiler.is_compiling()  # one graph for sequences of any length
    if (
        not compiling
        and attention_mask is None
        and end <= window
        and (start == 0 or end - start == 1)
    ):
        return one_tile(end - start, None, like)
    if compiling or end - start < DENSE:
        return one_tile(
            end - start, causal_window_mask(start, end, window, attention_mask, like), like
        )
    left = -(-(window - 1) // STEP) * STEP
    near = causal_window_mask(left, left + TILE, window, None, like)  # (Q, Sq)
    return sliding_tiles(start, end, left, near, attention_mask, like)


def causal_tiles(start: int, end: int, attention_mask: Tensor | None, like: Tensor) -> list[Tile]:
    """Tiles of queries `start:end`: causal. No mask if `is_causal` is enough."""
    if attention_mask is None and (start == 0 or end - start == 1):
        return one_tile(end - start, None, like)
    return causal_window_tiles(start, end, end, attention_mask, like)


class Attention(nn.Module):
    """Multi-query attention: one key/value head (Shazeer 2019, arXiv:1911.02150)."""

    def __init__(self, config: Config, layer: int) -> None:
        super().__init__()
        self.layer, self.head_dim, self.scale = layer, config.head_dim, config.scale
        self.kept = config.window - 1 if layer % 6 < 5 else None
        self.query = nn.Linear(config.d_model, config.heads * config.head_dim, bias=False)
        self.query_norm = OffsetRMSNorm(config.head_dim, config.eps)
        self.key = nn.Linear(config.d_model, config.kv_heads * config.head_dim, bias=False)
        self.key_norm = OffsetRMSNorm(config.head_dim, config.eps)
        self.value = nn.Linear(config.d_model, config.kv_heads * config.head_dim, bias=False)
        self.output = nn.Linear(config.heads * config.head_dim, config.d_model, bias=False)

    def forward(
        self, x: Tensor, cos: Tensor, sin: Tensor, tiles: list[Tile], cache: Cache | None
    ) -> Tensor:
        q = self.query(x).unflatten(-1, (-1, self.head_dim)).transpose(1, 2)  # (B, H, T, E)
        k = self.key(x).unflatten(-1, (-1, self.head_dim)).transpose(1, 2)  # (B, K, T, E)
        v = self.value(x).unflatten(-1, (-1, self.head_dim)).transpose(1, 2)  # (B, K, T, E)
        q, k = apply_rope(self.query_norm(q), cos, sin), apply_rope(self.key_norm(k), cos, sin)
        if cache is not None:
            k, v = cache.append(self.layer, k, v, self.kept)  # (B, K, S, E) each
        attend = partial(grouped_attention, scale=self.scale)
        y = causal_tiled_attention(q, k, v, tiles, attend)  # (B, H, T, E)
        return self.output(y.transpose(1, 2).flatten(-2))  # (B, T, D)


class FeedForward(nn.Module):
    """GEGLU (Shazeer 2020, arXiv:2002.05202)."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.gate = nn.Linear(config.d_model, config.d_ff, bias=False)
        self.up = nn.Linear(config.d_model, config.d_ff, bias=False)
        self.down = nn.Linear(config.d_ff, config.d_model, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.down(F.gelu(self.gate(x), approximate="tanh") * self.up(x))  # (B, T, D)


class Block(nn.Module):
    """A layer with norms before and after each branch (Ding et al. 2021, arXiv:2105.13290)."""

    def __init__(self, config: Config, layer: int) -> None:
        super().__init__()
        self.attention_norm = OffsetRMSNorm(config.d_model, config.eps)
        self.attention = Attention(config, layer)
        self.attention_output_norm = OffsetRMSNorm(config.d_model, config.eps)
        self.feed_forward_norm = OffsetRMSNorm(config.d_model, config.eps)
        self.feed_forward = FeedForward(config)
        self.feed_forward_output_norm = OffsetRMSNorm(config.d_model, config.eps)

    def forward(
        self, x: Tensor, cos: Tensor, sin: Tensor, tiles: list[Tile], cache: Cache | None
    ) -> Tensor:
        y = self.attention(self.attention_norm(x), cos, sin, tiles, cache)
        x = x + self.attention_output_norm(y)
        return x + self.feed_forward_output_norm(self.feed_forward(self.feed_forward_norm(x)))


class Gemma3_1b(nn.Module):
    """Language model with tied input and output embeddings (Press, Wolf 2016, arXiv:1608.05859)."""

    def __init__(self, config: Config | None = None) -> None:
        super().__init__()
        self.config = config = config or Config()
        self.token_embedding = nn.Embedding(config.vocab_size, config.d_model)
        self.layers = nn.ModuleList(Block(config, i) for i in range(config.layers))
        self.norm = OffsetRMSNorm(config.d_model, config.eps)
        self.init_weights()

    def init_weights(self) -> None:
        """Norms to identity, rest normal(0, std)."""
        for name, weight in self.named_parameters():
            if name.endswith("norm.weight"):
                nn.init.zeros_(weight)
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
        batch, length = (1, 1, *input_ids.shape)[-2:]  # check_shapes rejects other ranks
        start, end = (0, length) if cache is None else (cache.length, cache.length + length)
        check_shapes((batch, length), input_ids=input_ids, position_ids=position_ids)
        check_shapes((batch, end), attention_mask=attention_mask)
        x = self.token_embedding(input_ids) * math.sqrt(self.config.d_model)  # (B, T, D)
        if position_ids is None:
            position_ids = torch.arange(start, end, device=input_ids.device)  # (T,)
        local_cos, local_sin = rope_angles(
            position_ids, self.config.head_dim, self.config.local_rope_theta, like=x
        )  # (B, 1, T, R/2) each
        seen = min(start, self.config.window - 1)  # previous tokens in the cache
        recent = None if attention_mask is None else attention_mask[:, start - seen :]
        local_tiles = causal_window_tiles(seen, seen + length, self.config.window, recent, like=x)
        global_cos, global_sin = rope_angles(
            position_ids, self.config.head_dim, self.config.global_rope_theta, like=x
        )  # (B, 1, T, R/2) each
        global_tiles = causal_tiles(start, end, attention_mask, like=x)
        local = local_cos, local_sin, local_tiles
        global_ = global_cos, global_sin, global_tiles
        for i, block in enumerate(self.layers):
            cos, sin, tiles = local if i % 6 < 5 else global_
            x = block(x, cos, sin, tiles, cache)
        if cache is not None:
            cache.length = end
        return self.norm(x)

    def logits(self, x: Tensor) -> Tensor:
        """Logits over the vocabulary."""
        return F.linear(x, self.token_embedding.weight)  # (B, T, V)

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
        eos_token_id: int | tuple[int, ...] | Tensor | None = 1,
        pad_token_id: int | None = 0,
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


# sha256 of the above: b602e485f2b868b0adbc2decef8456a95e3f0286c625a9aa6927f98b20582945
