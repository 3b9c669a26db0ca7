"""t5-small: a 6-layer encoder-decoder transformer, in one file (PyTorch >= 2.5).

Written by `modelwright build t5_small.yaml -o t5_small.py` (0.1.0, spec sha256 ad649ff1c960).

    part                                weights
    token_embedding                  16,449,536
    encoder.layer x6                 18,880,512
    encoder.relative_bias                   256
    encoder.norm                            512
    decoder.layer x6                 25,175,040
    decoder.relative_bias                   256
    decoder.norm                            512
    total                            60,506,624

Shapes:  B batch  T new tokens  S all tokens  M memory  D d_model  H heads  E head_dim  V vocabulary
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F


@dataclass(frozen=True)
class Config:
    """Hyperparameters of the model. The defaults are those of the spec."""

    d_model: int = 512
    vocab_size: int = 32128
    dropout: float = 0.1
    layers: int = 6
    eps: float = 1e-6
    heads: int = 8
    buckets: int = 32
    max_distance: int = 128
    d_ff: int = 2048
    hidden_dropout: float = 0.1
    init_std: float = 0.02

    def __post_init__(self) -> None:
        for name, size in vars(self).items():
            if type(vars(Config)[name]) is int and (type(size) is not int or size < 1):
                raise ValueError(f"{name} must be an int of at least 1: {self}")
        if not (0 <= self.dropout < 1 and 0 <= self.hidden_dropout < 1 and self.eps >= 0):
            raise ValueError(f"dropout and hidden_dropout must be in [0, 1), eps >= 0: {self}")
        if not self.init_std >= 0:
            raise ValueError(f"init_std must be >= 0: {self}")
        if self.d_model % self.heads:
            raise ValueError(f"heads ({self.heads}) must divide d_model ({self.d_model})")
        if self.buckets % 4 or self.max_distance <= self.buckets // 2:
            raise ValueError(f"buckets % 4 must be 0, max_distance > buckets // 2: {self}")


class Cache:
    """Key-value cache of self- and cross-attention, by layer. Not in the state dict."""

    def __init__(self, capacity: int) -> None:
        self.capacity, self.length = capacity, 0
        self.kv: dict[int, list[Tensor]] = {}
        self.memory: dict[int, tuple[Tensor, Tensor]] = {}

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


def log_buckets(distance: Tensor, buckets: int, max_distance: int) -> Tensor:
    """Bucket of distances >= 0: half exact, half log (Raffel et al. 2019, arXiv:1910.10683)."""
    exact = buckets // 2
    growth = (distance.clamp(min=1).float() / exact).log() / math.log(max_distance / exact)
    far = exact + (growth * (buckets - exact)).long()
    return torch.where(distance < exact, distance, far.clamp(max=buckets - 1))


class NarrowingRMSNorm(nn.RMSNorm):
    """RMS norm, computed in the dtype of `x` and returned in that of the weight."""

    def forward(self, x: Tensor) -> Tensor:
        return F.rms_norm(x, x.shape[-1:], self.weight.to(x.dtype), self.eps).type_as(self.weight)


class WideningLinear(nn.Linear):
    """A linear layer that computes in float32 if `x` is float16, whose range T5 exceeds."""

    def forward(self, x: Tensor) -> Tensor:
        x = x.float() if x.dtype == torch.float16 else x
        return F.linear(x, self.weight.to(x.dtype))


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


def causal_mask(start: int, end: int, attention_mask: Tensor | None, like: Tensor) -> Tensor:
    """True where query q may attend to key k: causal."""
    q = torch.arange(start, end, device=like.device)[:, None]  # (T, 1)
    mask = torch.arange(end, device=like.device) <= q  # (T, S)
    return mask if attention_mask is None else mask & attention_mask.bool()[:, None, None, :]


class Attention(nn.Module):
    """Multi-head attention over tokens or a memory (Vaswani et al. 2017, arXiv:1706.03762)."""

    def __init__(self, config: Config, layer: int = 0) -> None:
        super().__init__()
        self.layer, self.dropout = layer, config.dropout
        self.head_dim = config.d_model // config.heads
        self.query = nn.Linear(config.d_model, config.d_model, bias=False)
        self.key = nn.Linear(config.d_model, config.d_model, bias=False)
        self.value = nn.Linear(config.d_model, config.d_model, bias=False)
        self.output = nn.Linear(config.d_model, config.d_model, bias=False)

    def forward(
        self,
        x: Tensor,
        mask: Tensor | None,
        cache: Cache | None = None,
        memory: Tensor | None = None,
    ) -> Tensor:
        q = self.query(x).unflatten(-1, (-1, self.head_dim)).transpose(1, 2)  # (B, H, T, E)
        if memory is None:
            k = self.key(x).unflatten(-1, (-1, self.head_dim)).transpose(1, 2)  # (B, H, T, E)
            v = self.value(x).unflatten(-1, (-1, self.head_dim)).transpose(1, 2)  # (B, H, T, E)
            if cache is not None:
                k, v = cache.append(self.layer, k, v)  # (B, H, S, E) each
        elif cache is not None and self.layer in cache.memory:
            k, v = cache.memory[self.layer]  # (B, H, M, E) each
        else:
            k = self.key(memory).unflatten(-1, (-1, self.head_dim)).transpose(1, 2)  # (B, H, M, E)
            v = self.value(memory).unflatten(-1, (-1, self.head_dim)).transpose(1, 2)
            if cache is not None:
                cache.memory[self.layer] = k, v
        dropout = self.dropout if self.training else 0.0
        # (B, H, T, E)
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, dropout_p=dropout, scale=1.0)
        return self.output(y.transpose(1, 2).flatten(-2))  # (B, T, D)


class FeedForward(nn.Module):
    """Two linear layers with ReLU between them (Vaswani et al. 2017, arXiv:1706.03762)."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.up = nn.Linear(config.d_model, config.d_ff, bias=False)
        self.hidden_dropout = nn.Dropout(config.hidden_dropout)
        self.down = WideningLinear(config.d_ff, config.d_model, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.down(self.hidden_dropout(F.relu(self.up(x))))  # (B, T, D)


class EncoderBlock(nn.Module):
    """A layer with a norm before each branch (Xiong et al. 2020, arXiv:2002.04745)."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.attention_norm = NarrowingRMSNorm(config.d_model, config.eps)
        self.attention = Attention(config)
        self.dropout = nn.Dropout(config.dropout)
        self.feed_forward_norm = NarrowingRMSNorm(config.d_model, config.eps)
        self.feed_forward = FeedForward(config)

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        x = x + self.dropout(self.attention(self.attention_norm(x), bias))
        return x + self.dropout(self.feed_forward(self.feed_forward_norm(x)))


class Encoder(nn.Module):
    """The encoder stack."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.buckets, self.max_distance = config.buckets, config.max_distance
        self.dropout = nn.Dropout(config.dropout)
        self.relative_bias = nn.Embedding(config.buckets, config.heads)
        self.layers = nn.ModuleList(EncoderBlock(config) for _ in range(config.layers))
        self.norm = NarrowingRMSNorm(config.d_model, config.eps)

    def forward(self, x: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        """Hidden states (B, T, D) of embedded tokens `x` (B, T, D)."""
        batch, length, _ = x.shape
        check_shapes((batch, length), attention_mask=attention_mask)
        x = self.dropout(x)
        positions = torch.arange(length, device=x.device)  # (T,)
        distance = positions - positions[:, None]  # (T, T)
        half = self.buckets // 2
        buckets = log_buckets(distance.abs(), half, self.max_distance)  # (T, T)
        buckets = buckets + half * (distance > 0)  # the other half is for keys after the query
        bias = self.relative_bias(buckets).permute(2, 0, 1)  # (H, T, T)
        # (B, 1, 1, T): True at tokens that are not padding
        mask = None if attention_mask is None else attention_mask.bool()[:, None, None, :]
        bias = bias if mask is None else bias.masked_fill(~mask, -torch.inf)  # (B, H, T, T)
        for block in self.layers:
            x = block(x, bias)
        return self.norm(x)


class DecoderBlock(nn.Module):
    """A layer with a norm before each branch (Xiong et al. 2020, arXiv:2002.04745)."""

    def __init__(self, config: Config, layer: int) -> None:
        super().__init__()
        self.attention_norm = NarrowingRMSNorm(config.d_model, config.eps)
        self.attention = Attention(config, layer)
        self.dropout = nn.Dropout(config.dropout)
        self.cross_attention_norm = NarrowingRMSNorm(config.d_model, config.eps)
        self.cross_attention = Attention(config, layer)
        self.feed_forward_norm = NarrowingRMSNorm(config.d_model, config.eps)
        self.feed_forward = FeedForward(config)

    def forward(
        self, x: Tensor, bias: Tensor, memory: Tensor, mask: Tensor | None, cache: Cache | None
    ) -> Tensor:
        x = x + self.dropout(self.attention(self.attention_norm(x), bias, cache))
        h = self.cross_attention_norm(x)
        x = x + self.dropout(self.cross_attention(h, mask, cache=cache, memory=memory))
        return x + self.dropout(self.feed_forward(self.feed_forward_norm(x)))


class Decoder(nn.Module):
    """The decoder stack, which attends to the encoder."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.buckets, self.max_distance = config.buckets, config.max_distance
        self.dropout = nn.Dropout(config.dropout)
        self.relative_bias = nn.Embedding(config.buckets, config.heads)
        self.layers = nn.ModuleList(DecoderBlock(config, i) for i in range(config.layers))
        self.norm = NarrowingRMSNorm(config.d_model, config.eps)

    def forward(
        self,
        x: Tensor,
        memory: Tensor,
        attention_mask: Tensor | None = None,
        decoder_attention_mask: Tensor | None = None,
        cache: Cache | None = None,
    ) -> Tensor:
        """Hidden states (B, T, D) of embedded tokens `x` (B, T, D), given `memory` (B, M, D)."""
        batch, length, _ = x.shape
        start, end = (0, length) if cache is None else (cache.length, cache.length + length)
        check_shapes((batch, memory.size(1)), attention_mask=attention_mask)
        check_shapes((batch, end), decoder_attention_mask=decoder_attention_mask)
        x = self.dropout(x)
        positions = torch.arange(start, end, device=x.device)  # (T,)
        distance = torch.arange(end, device=x.device) - positions[:, None]  # (T, S)
        buckets = log_buckets(-distance.clamp(max=0), self.buckets, self.max_distance)  # (T, S)
        bias = self.relative_bias(buckets).permute(2, 0, 1)  # (H, T, S)
        mask = causal_mask(start, end, decoder_attention_mask, like=x)
        bias = bias.masked_fill(~mask, -torch.inf)  # (B, H, T, S)
        # (B, 1, 1, M): True at tokens that are not padding
        memory_mask = None if attention_mask is None else attention_mask.bool()[:, None, None, :]
        for block in self.layers:
            x = block(x, bias, memory, memory_mask, cache)
        if cache is not None:
            cache.length = end
        return self.norm(x)


class T5Small(nn.Module):
    """Language model with tied input and output embeddings (Press, Wolf 2016, arXiv:1608.05859)."""

    def __init__(self, config: Config | None = None) -> None:
        super().__init__()
        self.config = config = config or Config()
        self.token_embedding = nn.Embedding(config.vocab_size, config.d_model)
        self.encoder = Encoder(config)
        self.decoder = Decoder(config)
        self.init_weights()

    def init_weights(self) -> None:
        """Norms to identity, rest normal(0, std)."""
        for name, weight in self.named_parameters():
            if name.endswith("norm.weight"):
                nn.init.ones_(weight)
            else:
                nn.init.normal_(weight, std=self.config.init_std)

    def logits(self, x: Tensor) -> Tensor:
        """Logits over the vocabulary."""
        return F.linear(x * self.config.d_model**-0.5, self.token_embedding.weight)  # (B, T, V)

    def forward(
        self,
        input_ids: Tensor,
        decoder_input_ids: Tensor,
        attention_mask: Tensor | None = None,
        decoder_attention_mask: Tensor | None = None,
    ) -> Tensor:
        """Logits (B, T, V) for `decoder_input_ids` (B, T)."""
        memory = self.encoder(self.token_embedding(input_ids), attention_mask)  # (B, M, D)
        x = self.token_embedding(decoder_input_ids)  # (B, T, D)
        return self.logits(self.decoder(x, memory, attention_mask, decoder_attention_mask))

    @staticmethod
    def loss(logits: Tensor, labels: Tensor) -> Tensor:
        """Mean cross-entropy of the labels; -100 in `labels` is ignored."""
        logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
        return F.cross_entropy(logits.flatten(0, -2), labels.flatten())

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
        decoder_start_token_id: int = 0,
        eos_token_id: int | tuple[int, ...] | Tensor | None = 1,
        pad_token_id: int | None = 0,
    ) -> Tensor:
        """Generate up to `max_new_tokens` tokens after the start token, given `input_ids`."""
        tokens = step = input_ids.new_full((input_ids.size(0), 1), decoder_start_token_id)  # (B, 1)
        if not (attention_mask is None or torch.compiler.is_compiling()) and attention_mask.all():
            attention_mask = None  # nothing is padding
        if not (0 <= (top_p or 0) <= 1 and (temperature == 0 or 1e-6 <= temperature <= 1000)):
            raise ValueError(f"{temperature=} must be 0 or 1e-6 to 1000, {top_p=} in [0, 1]")
        if any(type(n) is not int or n < 0 for n in (max_new_tokens, top_k or 0)):
            raise ValueError(f"max_new_tokens, top_k must be ints >= 0: {max_new_tokens}, {top_k}")
        stop = eos_token_id.tolist() if isinstance(eos_token_id, Tensor) else eos_token_id
        stops = stop if isinstance(stop, (tuple, list)) else () if stop is None else (stop,)
        ids = decoder_start_token_id, *stops, pad_token_id if stops else 0
        if any(type(i) is not int or not 0 <= i < self.config.vocab_size for i in ids):
            raise ValueError(f"token ids must be ints in [0, {self.config.vocab_size}), not {ids}")
        cache = Cache(max_new_tokens)  # the start token and all new tokens but the last
        ends = torch.tensor(stops).to(tokens)
        training = [module for module in self.modules() if module.training]
        self.eval()
        try:
            memory = self.encoder(self.token_embedding(input_ids), attention_mask)  # (B, M, …)
            for _ in range(max_new_tokens):
                done = torch.isin(tokens[:, 1:], ends).any(-1)  # (B,)
                if ends.numel() and not torch.compiler.is_compiling() and done.all():
                    break
                x = self.decoder(self.token_embedding(step), memory, attention_mask, cache=cache)
                token = sample(self.logits(x[:, -1:])[:, -1], temperature, top_k, top_p)  # (B,)
                step = token.masked_fill(done, pad_token_id or 0)[:, None]  # pads finished rows
                tokens = torch.cat([tokens, step], dim=1)
        finally:
            for module in training:
                module.training = True
        return tokens


# sha256 of the above: 48d038ca063332aee75d4299baf0c89c377c96ff004eb197f6c88f50c21399cd
