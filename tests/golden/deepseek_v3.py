"""deepseek-v3: a 61-layer decoder-only transformer, in one file (PyTorch >= 2.5).

Written by `modelwright build deepseek_v3.yaml -o deepseek_v3.py` (0.1.0, spec sha256 4aeb844ead6a).

    part                          weights
    token_embedding           926,679,040
    dense x3                1,750,450,176
    sparse x58            667,422,603,776
    norm                            7,168
    head                      926,679,040
    total                 671,026,419,200

Shapes:  B batch  T new tokens  S all tokens  D d_model  H heads  E head_dim  Ev value_dim
         En nope_dim  Er rope_dim  L kv_rank  R head_dim rotated by RoPE  F d_ff  X experts
         A experts per token  J token-expert pairs, B * T * A  V vocabulary
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F


@dataclass(frozen=True)
class Config:
    """Hyperparameters of the model. The defaults are those of the spec."""

    d_model: int = 7168
    vocab_size: int = 129280
    layers: int = 61
    dense_layers: int = 3  # the first layers
    eps: float = 1e-6
    nope_dim: int = 128
    rope_dim: int = 64
    heads: int = 128
    value_dim: int = 128
    kv_rank: int = 512
    query_rank: int = 1536
    latent_eps: float = 1e-6
    rope_theta: float = 10_000.0
    rope_factor: float = 40.0
    rope_original_max_positions: int = 4096
    rope_beta_fast: float = 32.0
    rope_beta_slow: float = 1.0
    dense_d_ff: int = 18432
    experts: int = 256
    top_k: int = 8
    groups: int = 8
    top_groups: int = 4
    router_scale: float = 2.5
    sparse_d_ff: int = 2048
    init_std: float = 0.02

    def __post_init__(self) -> None:
        for name, size in vars(self).items():
            if type(vars(Config)[name]) is int and (type(size) is not int or size < 1):
                raise ValueError(f"{name} must be an int of at least 1: {self}")
        if not (self.eps >= 0 and self.latent_eps >= 0 and self.init_std >= 0):
            raise ValueError(f"eps, latent_eps and init_std must be >= 0: {self}")
        if not (self.rope_theta > 1 and self.rope_factor > 0 and self.rope_beta_fast > 0):
            raise ValueError(f"rope_theta must be > 1, rope_factor and rope_beta_fast > 0: {self}")
        if not (self.rope_beta_slow > 0 and abs(self.router_scale) < torch.inf):
            raise ValueError(f"rope_beta_slow must be > 0, router_scale finite: {self}")
        if self.rope_dim % 2:
            raise ValueError(f"rope_dim ({self.rope_dim}) must be even")
        if self.experts % self.groups:
            raise ValueError(f"groups ({self.groups}) must divide experts ({self.experts})")
        if self.top_groups > self.groups:
            raise ValueError(f"top_groups must be at most groups: {self}")
        if self.experts // self.groups < 2:
            raise ValueError(f"experts // groups must be at least 2: {self}")
        if self.top_k > self.top_groups * (self.experts // self.groups):
            raise ValueError(f"top_k must be at most top_groups * (experts // groups): {self}")

    @property
    def scale(self) -> float:
        """The attention scale, with YaRN's factor (Peng et al. 2023, arXiv:2309.00071)."""
        growth = 0.1 * math.log(max(self.rope_factor, 1)) + 1
        return (self.nope_dim + self.rope_dim) ** -0.5 * growth**2


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


def scaled_rope_angles(position_ids: Tensor, frequencies: Tensor) -> tuple[Tensor, Tensor]:
    """RoPE: cosine and sine of position times frequency (Su et al. 2021, arXiv:2104.09864)."""
    angle = position_ids[..., None, :, None].to(frequencies.dtype) * frequencies
    return angle.cos(), angle.sin()  # (1, T, R/2) or (B, 1, T, R/2) each


def apply_rope_interleaved(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotate each pair (x[2i], x[2i + 1]) of a head by the angle of its position."""
    x1, x2 = x[..., 0::2].to(cos.dtype), x[..., 1::2].to(cos.dtype)  # (B, H, T, E/2) each
    turned = torch.stack([x1 * cos - x2 * sin, x2 * cos + x1 * sin], dim=-1)
    return turned.flatten(-2).type_as(x)


class Router(nn.Linear):
    """A linear layer computed in float32 or wider, so that rounding does not change the routing."""

    def forward(self, input: Tensor) -> Tensor:
        dtype = torch.promote_types(input.dtype, torch.float32)
        return F.linear(input.to(dtype), self.weight.to(dtype))


def best_groups(scores: Tensor, groups: int, kept: int, members: int = 2) -> Tensor:
    """Scores, -inf outside the `kept` best groups (DeepSeek-AI 2024, arXiv:2412.19437)."""
    grouped = torch.unflatten(scores, -1, (groups, -1))
    best = grouped.topk(members).values.sum(-1).topk(kept).indices  # by their `members` best scores
    out = torch.ones_like(grouped[..., 0], dtype=torch.bool).scatter(-1, best, False)
    return grouped.masked_fill(out[..., None], -torch.inf).flatten(-2)


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


def causal_mask(start: int, end: int, attention_mask: Tensor | None, like: Tensor) -> Tensor | None:
    """True where query q may attend to key k: causal. None if `is_causal` is enough."""
    if attention_mask is None and (start == 0 or end - start == 1):
        return None
    q = torch.arange(start, end, device=like.device)[:, None]  # (T, 1)
    mask = torch.arange(end, device=like.device) <= q  # (T, S)
    return mask if attention_mask is None else mask & attention_mask.bool()[:, None, None, :]


class LatentAttention(nn.Module):
    """Multi-head latent attention: k, v from one vector (DeepSeek-AI 2024, arXiv:2405.04434)."""

    def __init__(self, config: Config, layer: int) -> None:
        super().__init__()
        self.layer, self.nope_dim, self.rope_dim = layer, config.nope_dim, config.rope_dim
        self.value_dim, self.heads, self.scale = config.value_dim, config.heads, config.scale
        self.head_dim = config.nope_dim + config.rope_dim
        self.query_down = nn.Linear(config.d_model, config.query_rank, bias=False)
        self.query_norm = nn.RMSNorm(config.query_rank, config.latent_eps)
        self.query_up = nn.Linear(config.query_rank, config.heads * self.head_dim, bias=False)
        self.kv_down = nn.Linear(config.d_model, config.kv_rank, bias=False)
        self.kv_norm = nn.RMSNorm(config.kv_rank, config.latent_eps)
        self.key_rope = nn.Linear(config.d_model, config.rope_dim, bias=False)
        self.key_up = nn.Linear(config.kv_rank, config.heads * config.nope_dim, bias=False)
        self.value_up = nn.Linear(config.kv_rank, config.heads * config.value_dim, bias=False)
        self.output = nn.Linear(config.heads * config.value_dim, config.d_model, bias=False)

    def forward(
        self, x: Tensor, cos: Tensor, sin: Tensor, mask: Tensor | None, cache: Cache | None
    ) -> Tensor:
        q = self.query_up(self.query_norm(self.query_down(x)))  # (B, T, H*E)
        q = q.unflatten(-1, (-1, self.head_dim)).transpose(1, 2)  # (B, H, T, E)
        kv = self.kv_norm(self.kv_down(x))  # (B, T, L)
        q_nope, q_rope = q.split([self.nope_dim, self.rope_dim], dim=-1)
        q = torch.cat([q_nope, apply_rope_interleaved(q_rope, cos, sin)], dim=-1)
        k_rope = apply_rope_interleaved(self.key_rope(x).unsqueeze(1), cos, sin)  # (B, 1, T, Er)
        if cache is not None:
            kv, k_rope = cache.append(self.layer, kv, k_rope)  # (B, S, L) and (B, 1, S, Er)
        k_nope = self.key_up(kv).unflatten(-1, (-1, self.nope_dim)).transpose(1, 2)  # (B, H, S, En)
        v = self.value_up(kv).unflatten(-1, (-1, self.value_dim)).transpose(1, 2)  # (B, H, S, Ev)
        k = torch.cat([k_nope, k_rope.expand(-1, self.heads, -1, -1)], dim=-1)  # (B, H, S, E)
        y = F.scaled_dot_product_attention(
            q, k, v, attn_mask=mask, is_causal=q.size(2) > 1 and mask is None, scale=self.scale
        )  # (B, H, T, Ev)
        return self.output(y.transpose(1, 2).flatten(-2))  # (B, T, D)


class FeedForward(nn.Module):
    """SwiGLU (Shazeer 2020, arXiv:2002.05202)."""

    def __init__(self, config: Config, d_ff: int) -> None:
        super().__init__()
        self.gate = nn.Linear(config.d_model, d_ff, bias=False)
        self.up = nn.Linear(config.d_model, d_ff, bias=False)
        self.down = nn.Linear(d_ff, config.d_model, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.down(F.silu(self.gate(x)) * self.up(x))  # (B, T, D)


class Experts(nn.Module):
    """Experts, each a SwiGLU (Shazeer 2020, arXiv:2002.05202)."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.gate = nn.Parameter(torch.empty(config.experts, config.sparse_d_ff, config.d_model))
        self.up = nn.Parameter(torch.empty(config.experts, config.sparse_d_ff, config.d_model))
        self.down = nn.Parameter(torch.empty(config.experts, config.d_model, config.sparse_d_ff))

    def forward(self, x: Tensor, chosen: Tensor, weights: Tensor) -> Tensor:
        expert, order = chosen.flatten().sort()  # (J,) each
        rows = x.flatten(0, 1)[order // chosen.size(-1)]  # (J, D)
        gate = F.silu(expert_linear(rows, self.gate, expert))  # (J, F)
        y = expert_linear(gate * expert_linear(rows, self.up, expert), self.down, expert)  # (J, D)
        y = y[order.argsort()].unflatten(0, weights.shape)  # (B, T, A, D)
        return (y * weights[..., None]).sum(-2).type_as(y)  # (B, T, D)


class MixtureOfExperts(nn.Module):
    """Experts; a router chooses a few for each token (Shazeer et al. 2017, arXiv:1701.06538)."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.groups, self.top_groups, self.top_k = config.groups, config.top_groups, config.top_k
        self.router_scale = config.router_scale
        self.router = Router(config.d_model, config.experts, bias=False)
        self.selection_bias = nn.Parameter(torch.zeros(config.experts), requires_grad=False)
        self.experts = Experts(config)
        self.shared_expert = FeedForward(config, config.sparse_d_ff)

    def forward(self, x: Tensor) -> Tensor:
        scores = torch.sigmoid(self.router(x))  # (B, T, X)
        best = best_groups(scores + self.selection_bias, self.groups, self.top_groups)  # (B, T, X)
        chosen = best.topk(self.top_k).indices  # (B, T, A)
        weights = scores.gather(-1, chosen)  # (B, T, A)
        weights = weights / (weights.sum(-1, keepdim=True) + 1e-20) * self.router_scale
        return self.experts(x, chosen, weights) + self.shared_expert(x)  # (B, T, D)


class Block(nn.Module):
    """A layer with a norm before each branch (Xiong et al. 2020, arXiv:2002.04745)."""

    def __init__(self, config: Config, layer: int, feed_forward: nn.Module) -> None:
        super().__init__()
        self.attention_norm = nn.RMSNorm(config.d_model, config.eps)
        self.attention = LatentAttention(config, layer)
        self.feed_forward_norm = nn.RMSNorm(config.d_model, config.eps)
        self.feed_forward = feed_forward

    def forward(
        self, x: Tensor, cos: Tensor, sin: Tensor, mask: Tensor | None, cache: Cache | None
    ) -> Tensor:
        x = x + self.attention(self.attention_norm(x), cos, sin, mask, cache)
        return x + self.feed_forward(self.feed_forward_norm(x))


class DeepseekV3(nn.Module):
    """Language model with an untied output head."""

    def __init__(self, config: Config | None = None) -> None:
        super().__init__()
        self.config = config = config or Config()
        self.token_embedding = nn.Embedding(config.vocab_size, config.d_model)
        self.layers = nn.ModuleList()
        for i in range(config.layers):
            dense = i < config.dense_layers
            branch = FeedForward(config, config.dense_d_ff) if dense else MixtureOfExperts(config)
            self.layers.append(Block(config, i, branch))
        self.norm = nn.RMSNorm(config.d_model, config.eps)
        self.head = nn.Linear(config.d_model, config.vocab_size, bias=False)
        self.init_weights()

    def init_weights(self) -> None:
        """Norms to identity, biases to 0, rest normal(0, std)."""
        for name, weight in self.named_parameters():
            if name.endswith(("norm.weight", "bias")):
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
        frequencies = yarn_frequencies(
            rope_frequencies(self.config.rope_dim, self.config.rope_theta, like=x),
            self.config.rope_theta,
            self.config.rope_factor,
            self.config.rope_original_max_positions,
            self.config.rope_beta_fast,
            self.config.rope_beta_slow,
        )  # (R/2,)
        cos, sin = scaled_rope_angles(position_ids, frequencies)  # (B, 1, T, R/2) each
        mask = causal_mask(start, end, attention_mask, like=x)
        for block in self.layers:
            x = block(x, cos, sin, mask, cache)
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
        eos_token_id: int | tuple[int, ...] | Tensor | None = None,
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


# sha256 of the above: 5534ba419bc8670fe2276e6d663a96953f39dabf80e2afce85005318dfbea56a
