"""gpt2: a 12-layer decoder-only transformer, in one file (PyTorch >= 2.5).

Written by modelwright 0.1.0 from gpt2.yaml (sha256 c0f8acf3bb51). To rebuild it:
    modelwright build gpt2.yaml -o gpt2.py --static-cache

    part                             weights
    token_embedding               38,597,376
    position_embedding               786,432
    layer x12                     85,054,464
    norm                               1,536
    total                        124,439,808

Shapes:  B batch  T new tokens  S all tokens  D d_model  H heads  E head_dim  V vocabulary
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F


@dataclass(frozen=True)
class Config:
    """Hyperparameters of the model. The defaults are those of the spec."""

    d_model: int = 768
    max_positions: int = 1024
    vocab_size: int = 50257
    dropout: float = 0.1
    layers: int = 12
    eps: float = 1e-5
    heads: int = 12
    init_std: float = 0.02

    def __post_init__(self) -> None:
        for name, size in vars(self).items():
            if type(vars(Config)[name]) is int and (type(size) is not int or size < 1):
                raise ValueError(f"{name} must be an int of at least 1: {self}")
        if not (0 <= self.dropout < 1 and self.eps >= 0 and self.init_std >= 0):
            raise ValueError(f"dropout must be in [0, 1), eps and init_std >= 0: {self}")
        if self.d_model % self.heads:
            raise ValueError(f"heads ({self.heads}) must divide d_model ({self.d_model})")


class Cache:
    """Key-value cache, by layer, allocated for all tokens up front. Not in the state dict."""

    def __init__(self, capacity: int, device: torch.device | None = None) -> None:
        self.capacity = capacity
        self.length = torch.zeros(1, dtype=torch.long, device=device)
        self.positions = self.length  # of the new tokens, (T,)
        self.kv: dict[int, list[Tensor]] = {}

    def begin(self, positions: Tensor) -> Tensor:
        """Positions (T,) of the new tokens, after the cached ones; `append` writes there."""
        fits = self.length + positions.size(0) <= self.capacity  # checked on the device
        torch._assert_async(fits, f"more tokens than the {self.capacity} that the cache holds")
        self.positions = self.length + positions
        return self.positions

    def append(self, layer: int, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Store keys and values (..., T, E) of new tokens; return the whole buffers (..., S, E)."""
        if layer not in self.kv:
            self.kv[layer] = [x.new_zeros(*x.shape[:-2], self.capacity, x.size(-1)) for x in (k, v)]
        keys, values = self.kv[layer]
        if (len(keys), keys.dtype) != (len(k), k.dtype):
            raise ValueError(f"batch {len(k)}, {k.dtype}; the cache has {len(keys)}, {keys.dtype}")
        keys.index_copy_(-2, self.positions, k)
        values.index_copy_(-2, self.positions, v)
        return keys, values


def check_shapes(shape: tuple[int, ...], **given: Tensor | None) -> None:
    """Check shapes and integer dtypes. Masks may be bool; positions may have a single row."""
    for name, x in [(name, x) for name, x in given.items() if x is not None]:
        kind, size = ("int or bool", 1) if name.endswith("mask") else ("int64", 4)  # min. bytes
        shapes = [shape, (1, *shape[1:]), shape[1:]] if name.endswith("position_ids") else [shape]
        if x.shape not in shapes or x.is_floating_point() or x.element_size() < size:
            raise ValueError(f"{name} must be {kind} {shape}, not {x.dtype} {(*x.shape,)}")


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


def causal_mask(
    positions: Tensor, end: int, attention_mask: Tensor | None, like: Tensor
) -> Tensor | None:
    """True where query q may attend to key k: causal. None if `is_causal` is enough."""
    if attention_mask is None and positions.size(0) == end:
        return None
    q = positions[:, None]  # (T, 1)
    mask = torch.arange(end, device=like.device) <= q  # (T, S)
    return mask if attention_mask is None else mask & attention_mask.bool()[:, None, None, :]


class Attention(nn.Module):
    """Multi-head attention (Vaswani et al. 2017, arXiv:1706.03762)."""

    def __init__(self, config: Config, layer: int) -> None:
        super().__init__()
        self.layer, self.dropout = layer, config.dropout
        self.head_dim = config.d_model // config.heads
        self.query = nn.Linear(config.d_model, config.d_model)
        self.key = nn.Linear(config.d_model, config.d_model)
        self.value = nn.Linear(config.d_model, config.d_model)
        self.output = nn.Linear(config.d_model, config.d_model)

    def forward(self, x: Tensor, mask: Tensor | None, cache: Cache | None) -> Tensor:
        q = self.query(x).unflatten(-1, (-1, self.head_dim)).transpose(1, 2)  # (B, H, T, E)
        k = self.key(x).unflatten(-1, (-1, self.head_dim)).transpose(1, 2)  # (B, H, T, E)
        v = self.value(x).unflatten(-1, (-1, self.head_dim)).transpose(1, 2)  # (B, H, T, E)
        if cache is not None:
            k, v = cache.append(self.layer, k, v)  # (B, H, S, E) each
        dropout = self.dropout if self.training else 0.0
        y = F.scaled_dot_product_attention(
            q, k, v, attn_mask=mask, dropout_p=dropout, is_causal=q.size(2) > 1 and mask is None
        )  # (B, H, T, E)
        return self.output(y.transpose(1, 2).flatten(-2))  # (B, T, D)


class FeedForward(nn.Module):
    """Two linear layers with tanh GELU between them (Hendrycks, Gimpel 2016, arXiv:1606.08415)."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.up = nn.Linear(config.d_model, 4 * config.d_model)
        self.down = nn.Linear(4 * config.d_model, config.d_model)

    def forward(self, x: Tensor) -> Tensor:
        return self.down(F.gelu(self.up(x), approximate="tanh"))  # (B, T, D)


class Block(nn.Module):
    """A layer with a norm before each branch (Xiong et al. 2020, arXiv:2002.04745)."""

    def __init__(self, config: Config, layer: int) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(config.d_model, config.eps)
        self.attention = Attention(config, layer)
        self.dropout = nn.Dropout(config.dropout)
        self.feed_forward_norm = nn.LayerNorm(config.d_model, config.eps)
        self.feed_forward = FeedForward(config)

    def forward(self, x: Tensor, mask: Tensor | None, cache: Cache | None) -> Tensor:
        x = x + self.dropout(self.attention(self.attention_norm(x), mask, cache))
        return x + self.dropout(self.feed_forward(self.feed_forward_norm(x)))


class Gpt2(nn.Module):
    """Language model with tied input and output embeddings (Press, Wolf 2016, arXiv:1608.05859)."""

    def __init__(self, config: Config | None = None) -> None:
        super().__init__()
        self.config = config = config or Config()
        self.token_embedding = nn.Embedding(config.vocab_size, config.d_model)
        self.position_embedding = nn.Embedding(config.max_positions, config.d_model)
        self.dropout = nn.Dropout(config.dropout)
        self.layers = nn.ModuleList(Block(config, i) for i in range(config.layers))
        self.norm = nn.LayerNorm(config.d_model, config.eps)
        self.init_weights()

    def init_weights(self) -> None:
        """Norms to identity, biases to 0, rest normal(0, std), smaller in residual projections."""
        for name, weight in self.named_parameters():
            if name.endswith(("norm.weight", "bias")):
                nn.init.constant_(weight, 1.0 if name.endswith("norm.weight") else 0.0)
            elif name.endswith(("output.weight", "down.weight")):
                nn.init.normal_(weight, std=self.config.init_std * (2 * self.config.layers) ** -0.5)
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
        end = length if cache is None else cache.capacity
        check_shapes((batch, length), input_ids=input_ids, position_ids=position_ids)
        check_shapes((batch, end), attention_mask=attention_mask)
        if end > self.config.max_positions:
            raise ValueError(f"{end} tokens, but max_positions is {self.config.max_positions}")
        positions = torch.arange(length, device=input_ids.device)  # (T,)
        if cache is not None:
            positions = cache.begin(positions)
        if position_ids is None:
            position_ids = positions  # (T,)
        x = self.token_embedding(input_ids) + self.position_embedding(position_ids)  # (B, T, D)
        x = self.dropout(x)
        mask = causal_mask(positions, end, attention_mask, like=x)
        for block in self.layers:
            x = block(x, mask, cache)
        if cache is not None:
            cache.length += length
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
        eos_token_id: int | tuple[int, ...] | Tensor | None = 50256,
        pad_token_id: int | None = 50256,
        capacity: int | None = None,
        compile_mode: str | None = None,
    ) -> Tensor:
        """Extend left-padded `input_ids` (B, T) by `max_new_tokens` or until `eos_token_id`.

        With a `compile_mode` such as "reduce-overhead", all steps but the first are compiled, once
        for each `capacity` of the cache.
        """
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
        length = tokens.size(1) + max_new_tokens - 1  # the last new token is not fed back
        if length > self.config.max_positions:
            raise ValueError(f"{length} tokens, but max_positions is {self.config.max_positions}")
        if capacity is not None and capacity < length:
            raise ValueError(f"{length} tokens, but the cache holds {capacity}")
        cache = Cache(capacity or length, tokens.device)
        forward = self.hidden_states
        ends = torch.tensor(stops).to(tokens)
        mask = position_ids = None
        training = [module for module in self.modules() if module.training]
        self.eval()
        try:
            for i in range(max_new_tokens):
                done = torch.isin(tokens[:, input_ids.size(1) :], ends).any(-1)  # (B,)
                if ends.numel() and not torch.compiler.is_compiling() and done.all():
                    break
                if attention_mask is not None:  # new tokens are not padding; positions skip it
                    mask = F.pad(attention_mask, (0, cache.capacity - input_ids.size(1)), value=1)
                    position_ids = (mask.bool().cumsum(-1) - 1).clamp(min=0)[
                        :, tokens.size(1) - step.size(1) : tokens.size(1)
                    ]
                x = forward(step, mask, position_ids, cache=cache)
                token = sample(self.logits(x[:, -1:])[:, -1], temperature, top_k, top_p)  # (B,)
                step = token.masked_fill(done, pad_token_id or 0)[:, None]  # pads finished rows
                tokens = torch.cat([tokens, step], dim=1)
                if i == 0 and compile_mode is not None:
                    forward = torch.compile(forward, fullgraph=True, mode=compile_mode)
        finally:
            for module in training:
                module.training = True
        return tokens


# sha256 of the above: bea6f527985790cdbb7ebe89353de2987f751299f691fa409b245adebf2cf37b
