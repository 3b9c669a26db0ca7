"""gpt-oss-20b: a 24-layer decoder-only transformer, in one file (PyTorch >= 2.5).

Written by `modelwright build gpt_oss_20b.yaml -o gpt_oss_20b.py` (0.1.0, spec sha256 8ef22b656027).

    part                          weights
    token_embedding           579,133,440
    local x12               9,878,243,712
    global x12              9,878,243,712
    norm                            2,880
    head                      579,133,440
    total                  20,914,757,184

Shapes:  B batch  T new tokens  S all tokens  Q queries of a tile  Sq keys of a tile  D d_model
         H heads  K key/value heads  E head_dim  R head_dim rotated by RoPE  F d_ff  X experts
         A experts per token  J token-expert pairs, B * T * A  V vocabulary
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint


@dataclass(frozen=True)
class Config:
    """Hyperparameters of the model. The defaults are those of the spec."""

    d_model: int = 2880
    vocab_size: int = 201088
    layers: int = 24
    eps: float = 1e-5
    heads: int = 64
    kv_heads: int = 8
    head_dim: int = 64
    rope_theta: float = 150_000.0
    rope_factor: float = 32.0
    rope_original_max_positions: int = 4096
    rope_beta_fast: float = 32.0
    rope_beta_slow: float = 1.0
    window: int = 128
    experts: int = 32
    top_k: int = 4
    d_ff: int = 2880
    clamp: float = 7.0
    beta: float = 1.702
    init_std: float = 0.02

    def __post_init__(self) -> None:
        for name, size in vars(self).items():
            if type(vars(Config)[name]) is int and (type(size) is not int or size < 1):
                raise ValueError(f"{name} must be an int of at least 1: {self}")
        if not (self.eps >= 0 and self.init_std >= 0 and self.rope_theta > 1 and self.clamp > 0):
            raise ValueError(f"eps and init_std must be >= 0, rope_theta > 1, clamp > 0: {self}")
        if not (self.rope_factor > 0 and self.rope_beta_fast > 0 and self.rope_beta_slow > 0):
            raise ValueError(f"rope_factor, rope_beta_fast and rope_beta_slow must be > 0: {self}")
        if not self.beta > 0:
            raise ValueError(f"beta must be > 0: {self}")
        if self.head_dim % 2:
            raise ValueError(f"head_dim ({self.head_dim}) must be even")
        if self.heads % self.kv_heads:
            raise ValueError(f"kv_heads ({self.kv_heads}) must divide heads ({self.heads})")
        if self.top_k > self.experts:
            raise ValueError(f"top_k ({self.top_k}) must be at most experts ({self.experts})")

    @property
    def rope_attention_factor(self) -> float:
        """How much rotated vectors grow (Peng et al. 2023, arXiv:2309.00071)."""
        return 0.1 * math.log(max(self.rope_factor, 1)) + 1


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
TILE = 64  # queries of one tile
STEP = 8  # the number of keys before a tile is a multiple of this, which is faster


def check_shapes(shape: tuple[int, ...], **given: Tensor | None) -> None:
    """Check shapes and integer dtypes. Masks may be bool; positions may have a single row."""
    for name, x in [(name, x) for name, x in given.items() if x is not None]:
        kind, size = ("int or bool", 1) if name.endswith("mask") else ("int64", 4)  # min. bytes
        shapes = [shape, (1, *shape[1:]), shape[1:]] if name.endswith("position_ids") else [shape]
        if x.shape not in shapes or x.is_floating_point() or x.element_size() < size:
            raise ValueError(f"{name} must be {kind} {shape}, not {x.dtype} {(*x.shape,)}")


def rope_frequencies(width: int, theta: float, like: Tensor) -> Tensor:
    """RoPE: radians per position of each pair, (R/2,) (Su et al. 2021, arXiv:2104.09864)."""
    dtype = torch.promote_types(like.dtype, torch.float32)
    exponent = torch.arange(0, width, 2, device=like.device, dtype=dtype) / width
    return theta**-exponent  # (R/2,)


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


def scaled_rope_angles(position_ids: Tensor, frequencies: Tensor) -> tuple[Tensor, Tensor]:
    """RoPE: cosine and sine of position times frequency (Su et al. 2021, arXiv:2104.09864)."""
    angle = position_ids[..., None, :, None].to(frequencies.dtype) * frequencies
    return angle.cos(), angle.sin()  # (1, T, R/2) or (B, 1, T, R/2) each


def apply_rope(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotate each pair (x[i], x[i + E/2]) of a head by the angle of its position."""
    x1, x2 = x.to(cos.dtype).chunk(2, dim=-1)  # (B, H, T, E/2) each
    return torch.cat([x1 * cos - x2 * sin, x2 * cos + x1 * sin], dim=-1).type_as(x)


def swish(x: Tensor, beta: float) -> Tensor:
    """x * sigmoid(beta * x); SiLU if beta is 1 (Ramachandran et al. 2017, arXiv:1710.05941)."""
    return x * torch.sigmoid(beta * x)


def with_sinks(k: Tensor, v: Tensor, bias: Tensor, sinks: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Append a key and a value of zeros, whose score is the attention sink of the head.

    The sink takes part in the softmax, so the weights of the real keys sum to less than 1 (OpenAI
    2025, arXiv:2508.10925).
    """
    column = sinks[:, None, None].type_as(bias).expand(*bias.shape[:-1], 1)  # (B, H, T, 1)
    return F.pad(k, (0, 0, 0, 1)), F.pad(v, (0, 0, 0, 1)), torch.cat([bias, column], dim=-1)


def attention_with_sinks(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    bias: Tensor,
    sinks: Tensor,
    dropout: float = 0.0,
    scale: float | None = None,
) -> Tensor:
    """Attention with a learned sink per head (gpt-oss, OpenAI 2025, arXiv:2508.10925)."""
    bias = bias.expand(q.size(0), q.size(1), q.size(2), k.size(2))
    k, v, bias = with_sinks(k, v, bias, sinks)
    bias = by_group(bias, k.size(1))
    return grouped_attention(q, k, v, attn_mask=bias, dropout_p=dropout, scale=scale)


def by_group(bias: Tensor, kv_heads: int) -> Tensor:
    """The bias of `grouped_attention`, (B or 1, H, T, S); for one query (B or 1, K, H/K, S)."""
    if bias.size(-2) != 1:
        return bias
    return torch.unflatten(bias, -3, (kv_heads, -1)).squeeze(-2)


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


def recomputed(
    tiled: Callable[..., Tensor],
    q: Tensor,
    k: Tensor,
    v: Tensor,
    tiles: list[Tile],
    attend: Callable[..., Tensor],
    when: bool = True,
) -> Tensor:
    """Attention tile by tile; scores are not saved, but computed again in the backward pass.

    tiled: computes the attention from tiles
    """
    if when and tiles[0].keys and torch.is_grad_enabled():
        attend = partial(checkpoint, attend, use_reentrant=False)  # repeats dropout
    return tiled(q, k, v, tiles, attend)


class BiasedRouter(nn.Linear):
    """A linear layer computed in float32 or wider, so that rounding does not change the routing."""

    def forward(self, input: Tensor) -> Tensor:
        dtype = torch.promote_types(input.dtype, torch.float32)
        return F.linear(input.to(dtype), self.weight.to(dtype), self.bias.to(dtype))


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
    q: Tensor,
    k: Tensor,
    v: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    scale: float | None = None,
) -> Tensor:
    """Attention of q (B, H, T, E) over k and v (B, K, S, E), each shared by H/K heads.

    For one query, the heads of a group become its queries: keys and values are read only once.
    """
    if q.size(2) != 1:
        return F.scaled_dot_product_attention(
            q, k, v, attn_mask=attn_mask, dropout_p=dropout_p, scale=scale, enable_gqa=True
        )
    q = torch.unflatten(q, 1, (k.size(1), -1)).squeeze(3)  # H/K queries for each of K heads
    y = F.scaled_dot_product_attention(
        q, k, v, attn_mask=attn_mask, dropout_p=dropout_p, scale=scale
    )
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
    """Tiles of queries `start:end`: causal & window(window)."""
    if torch.compiler.is_compiling() or end - start < DENSE:
        return one_tile(
            end - start, causal_window_mask(start, end, window, attention_mask, like), like
        )
    left = -(-(window - 1) // STEP) * STEP
    near = causal_window_mask(left, left + TILE, window, None, like)  # (Q, Sq)
    return sliding_tiles(start, end, left, near, attention_mask, like)


def causal_tiles(start: int, end: int, attention_mask: Tensor | None, like: Tensor) -> list[Tile]:
    """Tiles of queries `start:end`: causal."""
    return causal_window_tiles(start, end, end, attention_mask, like)


class Attention(nn.Module):
    """Grouped-query attention: K key/value heads (Ainslie et al. 2023, arXiv:2305.13245)."""

    def __init__(self, config: Config, layer: int) -> None:
        super().__init__()
        self.layer, self.head_dim = layer, config.head_dim
        self.kept = config.window - 1 if layer % 2 == 0 else None
        self.query = nn.Linear(config.d_model, config.heads * config.head_dim)
        self.key = nn.Linear(config.d_model, config.kv_heads * config.head_dim)
        self.value = nn.Linear(config.d_model, config.kv_heads * config.head_dim)
        self.sinks = nn.Parameter(torch.zeros(config.heads))
        self.output = nn.Linear(config.heads * config.head_dim, config.d_model)

    def forward(
        self, x: Tensor, cos: Tensor, sin: Tensor, tiles: list[Tile], cache: Cache | None
    ) -> Tensor:
        q = self.query(x).unflatten(-1, (-1, self.head_dim)).transpose(1, 2)  # (B, H, T, E)
        k = self.key(x).unflatten(-1, (-1, self.head_dim)).transpose(1, 2)  # (B, K, T, E)
        v = self.value(x).unflatten(-1, (-1, self.head_dim)).transpose(1, 2)  # (B, K, T, E)
        q, k = apply_rope(q, cos, sin), apply_rope(k, cos, sin)
        if cache is not None:
            k, v = cache.append(self.layer, k, v, self.kept)  # (B, K, S, E) each
        attend = partial(attention_with_sinks, sinks=self.sinks)
        y = recomputed(tiled_attention, q, k, v, tiles, attend)  # (B, H, T, E)
        return self.output(y.transpose(1, 2).flatten(-2))  # (B, T, D)


class Experts(nn.Module):
    """Experts, each a gated linear unit with Swish (Shazeer 2020, arXiv:2002.05202)."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.clamp, self.beta = config.clamp, config.beta
        self.gate = nn.Parameter(torch.empty(config.experts, config.d_ff, config.d_model))
        self.gate_bias = nn.Parameter(torch.empty(config.experts, config.d_ff))
        self.up = nn.Parameter(torch.empty(config.experts, config.d_ff, config.d_model))
        self.up_bias = nn.Parameter(torch.empty(config.experts, config.d_ff))
        self.down = nn.Parameter(torch.empty(config.experts, config.d_model, config.d_ff))
        self.down_bias = nn.Parameter(torch.empty(config.experts, config.d_model))

    def forward(self, x: Tensor, chosen: Tensor, weights: Tensor) -> Tensor:
        expert, order = chosen.flatten().sort()  # (J,) each
        rows = x.flatten(0, 1)[order // chosen.size(-1)]  # (J, D)
        gate = expert_linear(rows, self.gate, expert) + self.gate_bias[expert]  # (J, F)
        up = expert_linear(rows, self.up, expert) + self.up_bias[expert]  # (J, F)
        # (J, F)
        h = swish(gate.clamp(max=self.clamp), self.beta) * (up.clamp(-self.clamp, self.clamp) + 1)
        y = expert_linear(h, self.down, expert) + self.down_bias[expert]  # (J, D)
        y = y[order.argsort()].unflatten(0, weights.shape)  # (B, T, A, D)
        return (y * weights[..., None]).sum(-2).type_as(y)  # (B, T, D)


class MixtureOfExperts(nn.Module):
    """Experts; a router chooses a few for each token (Shazeer et al. 2017, arXiv:1701.06538)."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.top_k = config.top_k
        self.router = BiasedRouter(config.d_model, config.experts)
        self.experts = Experts(config)

    def forward(self, x: Tensor) -> Tensor:
        logits, chosen = self.router(x).topk(self.top_k)  # (B, T, A) each
        weights = logits.softmax(-1)  # (B, T, A)
        return self.experts(x, chosen, weights)  # (B, T, D)


class Block(nn.Module):
    """A layer with a norm before each branch (Xiong et al. 2020, arXiv:2002.04745)."""

    def __init__(self, config: Config, layer: int) -> None:
        super().__init__()
        self.attention_norm = nn.RMSNorm(config.d_model, config.eps)
        self.attention = Attention(config, layer)
        self.feed_forward_norm = nn.RMSNorm(config.d_model, config.eps)
        self.feed_forward = MixtureOfExperts(config)

    def forward(
        self, x: Tensor, cos: Tensor, sin: Tensor, tiles: list[Tile], cache: Cache | None
    ) -> Tensor:
        x = x + self.attention(self.attention_norm(x), cos, sin, tiles, cache)
        return x + self.feed_forward(self.feed_forward_norm(x))


class GptOss20b(nn.Module):
    """Language model with an untied output head."""

    def __init__(self, config: Config | None = None) -> None:
        super().__init__()
        self.config = config = config or Config()
        self.token_embedding = nn.Embedding(config.vocab_size, config.d_model)
        self.layers = nn.ModuleList(Block(config, i) for i in range(config.layers))
        self.norm = nn.RMSNorm(config.d_model, config.eps)
        self.head = nn.Linear(config.d_model, config.vocab_size, bias=False)
        self.init_weights()

    def init_weights(self) -> None:
        """Norms to identity, biases to 0, rest normal(0, std)."""
        for name, weight in self.named_parameters():
            if name.endswith(("norm.weight", "bias", "sinks")):
                nn.init.constant_(weight, 1.0 if name.endswith("norm.weight") else 0.0)
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
        x = self.token_embedding(input_ids)  # (B, T, D)
        if position_ids is None:
            position_ids = torch.arange(start, end, device=input_ids.device)  # (T,)
        frequencies = yarn_frequencies_between_pairs(
            rope_frequencies(self.config.head_dim, self.config.rope_theta, like=x),
            self.config.rope_theta,
            self.config.rope_factor,
            self.config.rope_original_max_positions,
            self.config.rope_beta_fast,
            self.config.rope_beta_slow,
        )  # (R/2,)
        cos, sin = scaled_rope_angles(position_ids, frequencies)  # (B, 1, T, R/2) each
        cos, sin = cos * self.config.rope_attention_factor, sin * self.config.rope_attention_factor
        seen = min(start, self.config.window - 1)  # previous tokens in the cache
        recent = None if attention_mask is None else attention_mask[:, start - seen :]
        local_tiles = causal_window_tiles(seen, seen + length, self.config.window, recent, like=x)
        global_tiles = causal_tiles(start, end, attention_mask, like=x)
        for i, block in enumerate(self.layers):
            tiles = local_tiles if i % 2 == 0 else global_tiles
            x = block(x, cos, sin, tiles, cache)
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
        eos_token_id: int | tuple[int, ...] | Tensor | None = 200002,
        pad_token_id: int | None = 199999,
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


# sha256 of the above: 4d9f24b64ccaddb35bfb35b726420a83b355cc5f32d8415783a80c47ac0a2955
