"""whisper-tiny: a 4-layer encoder-decoder transformer, in one file (PyTorch >= 2.5).

Written by modelwright 0.1.0 from whisper_tiny.yaml (sha256 6348c013297d). To rebuild it:
    modelwright build whisper_tiny.yaml -o whisper_tiny.py

    part                                     weights
    encoder.conv1                             92,544
    encoder.conv2                            442,752
    encoder.layer x4                       7,096,320
    encoder.norm                                 768
    decoder.token_embedding               19,916,160
    decoder.position_embedding               172,032
    decoder.layer x4                       9,463,296
    decoder.norm                                 768
    total                                 37,184,640

Shapes:  B batch  T new tokens  S all tokens  M memory  D d_model  H heads  E head_dim  V vocabulary
         Z1 channels after convolution 1
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F


@dataclass(frozen=True)
class Config:
    """Hyperparameters of the model. The defaults are those of the spec."""

    d_model: int = 384
    encoder_max_positions: int = 1500
    channels: int = 80
    conv1_channels: int = 384
    kernel: int = 3
    stride: int = 2
    layers: int = 4
    eps: float = 1e-5
    heads: int = 6
    decoder_max_positions: int = 448
    vocab_size: int = 51865
    init_std: float = 0.02

    def __post_init__(self) -> None:
        for name, size in vars(self).items():
            if type(vars(Config)[name]) is int and (type(size) is not int or size < 1):
                raise ValueError(f"{name} must be an int of at least 1: {self}")
        if not (self.eps >= 0 and self.init_std >= 0):
            raise ValueError(f"eps and init_std must be >= 0: {self}")
        if self.kernel % 2 == 0:
            raise ValueError(f"kernel ({self.kernel}) must be odd")
        if self.d_model % 2:
            raise ValueError(f"d_model ({self.d_model}) must be even")
        if self.d_model % self.heads:
            raise ValueError(f"heads ({self.heads}) must divide d_model ({self.d_model})")


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


def check_vectors(shape: tuple[int | str, ...], **given: Tensor) -> None:
    """Check shapes of images, signals and vectors. An axis with a name may have any length."""
    for name, x in given.items():
        if not isinstance(x, Tensor):
            raise ValueError(f"{name} must be a tensor {shape}, not a {type(x).__name__}")
        sizes = zip(x.shape, shape, strict=False)
        if x.dim() != len(shape) or any(n != m and not isinstance(m, str) for n, m in sizes):
            wanted = str(shape).replace("'", "")  # names of axes are not quoted
            raise ValueError(f"{name} must have the shape {wanted}, not {(*x.shape,)}")


def sinusoids(position_ids: Tensor, width: int, denominator: int, like: Tensor) -> Tensor:
    """Sines, then cosines, of the positions (Vaswani et al. 2017, arXiv:1706.03762)."""
    dtype = torch.promote_types(like.dtype, torch.float32)
    exponent = torch.arange(width // 2, device=like.device, dtype=dtype) / denominator
    angle = position_ids[..., None].to(dtype) * 10_000.0**-exponent
    return torch.cat([angle.sin(), angle.cos()], dim=-1).type_as(like)  # (T, D) or (B, T, D)


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


class Attention(nn.Module):
    """Multi-head attention over tokens or a memory (Vaswani et al. 2017, arXiv:1706.03762)."""

    def __init__(self, config: Config, layer: int = 0) -> None:
        super().__init__()
        self.layer = layer
        self.head_dim = config.d_model // config.heads
        self.query = nn.Linear(config.d_model, config.d_model)
        self.key = nn.Linear(config.d_model, config.d_model, bias=False)
        self.value = nn.Linear(config.d_model, config.d_model)
        self.output = nn.Linear(config.d_model, config.d_model)

    def forward(
        self,
        x: Tensor,
        mask: Tensor | None = None,
        causal: bool = False,
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
        # (B, H, T, E)
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=causal)
        return self.output(y.transpose(1, 2).flatten(-2))  # (B, T, D)


class FeedForward(nn.Module):
    """Two linear layers with GELU between them (Hendrycks, Gimpel 2016, arXiv:1606.08415)."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.up = nn.Linear(config.d_model, 4 * config.d_model)
        self.down = nn.Linear(4 * config.d_model, config.d_model)

    def forward(self, x: Tensor) -> Tensor:
        return self.down(F.gelu(self.up(x)))  # (B, T, D)


class EncoderBlock(nn.Module):
    """A layer with a norm before each branch (Xiong et al. 2020, arXiv:2002.04745)."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(config.d_model, config.eps)
        self.attention = Attention(config)
        self.feed_forward_norm = nn.LayerNorm(config.d_model, config.eps)
        self.feed_forward = FeedForward(config)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attention(self.attention_norm(x))
        return x + self.feed_forward(self.feed_forward_norm(x))


class Encoder(nn.Module):
    """The encoder stack."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.channels, self.d_model = config.channels, config.d_model
        self.max_positions = config.encoder_max_positions
        self.conv1 = nn.Conv1d(
            config.channels, config.conv1_channels, config.kernel, padding=config.kernel // 2
        )
        self.conv2 = nn.Conv1d(
            config.conv1_channels,
            config.d_model,
            config.kernel,
            stride=config.stride,
            padding=config.kernel // 2,
        )
        self.layers = nn.ModuleList(EncoderBlock(config) for _ in range(config.layers))
        self.norm = nn.LayerNorm(config.d_model, config.eps)

    def forward(self, input_features: Tensor) -> Tensor:
        """Hidden states (B, T, D) of `input_features` (B, channels, 2*T)."""
        check_vectors(("B", self.channels, "frames"), input_features=input_features)
        if input_features.size(-1) == 0:
            raise ValueError("input_features has no frames; at least one is needed")
        x = F.gelu(self.conv1(input_features))  # (B, Z1, 2*T)
        x = F.gelu(self.conv2(x)).transpose(1, 2)  # (B, T, D)
        length = x.size(1)
        if length > self.max_positions:
            raise ValueError(f"{length} tokens, but max_positions is {self.max_positions}")
        position_ids = torch.arange(length, device=input_features.device)  # (T,)
        x = x + sinusoids(position_ids, self.d_model, self.d_model // 2 - 1, like=x)
        for block in self.layers:
            x = block(x)
        return self.norm(x)


class DecoderBlock(nn.Module):
    """A layer with a norm before each branch (Xiong et al. 2020, arXiv:2002.04745)."""

    def __init__(self, config: Config, layer: int) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(config.d_model, config.eps)
        self.attention = Attention(config, layer)
        self.cross_attention_norm = nn.LayerNorm(config.d_model, config.eps)
        self.cross_attention = Attention(config, layer)
        self.feed_forward_norm = nn.LayerNorm(config.d_model, config.eps)
        self.feed_forward = FeedForward(config)

    def forward(
        self, x: Tensor, mask: Tensor | None, memory: Tensor, causal: bool, cache: Cache | None
    ) -> Tensor:
        x = x + self.attention(self.attention_norm(x), mask, causal, cache)
        x = x + self.cross_attention(self.cross_attention_norm(x), cache=cache, memory=memory)
        return x + self.feed_forward(self.feed_forward_norm(x))


class Decoder(nn.Module):
    """The decoder stack, which attends to the encoder."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.max_positions = config.decoder_max_positions
        self.token_embedding = nn.Embedding(config.vocab_size, config.d_model)
        self.position_embedding = nn.Embedding(config.decoder_max_positions, config.d_model)
        self.layers = nn.ModuleList(DecoderBlock(config, i) for i in range(config.layers))
        self.norm = nn.LayerNorm(config.d_model, config.eps)

    def forward(
        self,
        decoder_input_ids: Tensor,
        memory: Tensor,
        decoder_attention_mask: Tensor | None = None,
        decoder_position_ids: Tensor | None = None,
        cache: Cache | None = None,
    ) -> Tensor:
        """Hidden states (B, T, D) of `decoder_input_ids` (B, T), given `memory` (B, M, D)."""
        batch, length = (1, 1, *decoder_input_ids.shape)[-2:]  # check_shapes rejects other ranks
        start, end = (0, length) if cache is None else (cache.length, cache.length + length)
        check_shapes((batch, length), decoder_input_ids=decoder_input_ids)
        check_shapes((batch, length), decoder_position_ids=decoder_position_ids)
        check_shapes((batch, end), decoder_attention_mask=decoder_attention_mask)
        if end > self.max_positions:
            raise ValueError(f"{end} tokens, but max_positions is {self.max_positions}")
        if decoder_position_ids is None:
            decoder_position_ids = torch.arange(start, end, device=decoder_input_ids.device)  # (T,)
        # (B, T, D)
        x = self.token_embedding(decoder_input_ids) + self.position_embedding(decoder_position_ids)
        mask = causal_mask(start, end, decoder_attention_mask, like=x)
        causal = x.size(1) > 1 and mask is None
        for block in self.layers:
            x = block(x, mask, memory, causal, cache)
        if cache is not None:
            cache.length = end
        return self.norm(x)


class WhisperTiny(nn.Module):
    """Language model with tied input and output embeddings (Press, Wolf 2016, arXiv:1608.05859)."""

    def __init__(self, config: Config | None = None) -> None:
        super().__init__()
        self.config = config = config or Config()
        self.encoder = Encoder(config)
        self.decoder = Decoder(config)
        self.init_weights()

    def init_weights(self) -> None:
        """Norms to identity, biases to 0, rest normal(0, std)."""
        for name, weight in self.named_parameters():
            if name.endswith(("norm.weight", "bias")):
                nn.init.constant_(weight, 1.0 if name.endswith("norm.weight") else 0.0)
            else:
                nn.init.normal_(weight, std=self.config.init_std)

    def logits(self, x: Tensor) -> Tensor:
        """Logits over the vocabulary."""
        return F.linear(x, self.decoder.token_embedding.weight)  # (B, T, V)

    def forward(
        self,
        input_features: Tensor,
        decoder_input_ids: Tensor,
        decoder_attention_mask: Tensor | None = None,
        decoder_position_ids: Tensor | None = None,
    ) -> Tensor:
        """Logits (B, T, V) for `decoder_input_ids` (B, T)."""
        memory = self.encoder(input_features)  # (B, M, D)
        x = self.decoder(decoder_input_ids, memory, decoder_attention_mask, decoder_position_ids)
        return self.logits(x)  # (B, T, V)

    @staticmethod
    def loss(logits: Tensor, labels: Tensor) -> Tensor:
        """Mean cross-entropy of the labels; -100 in `labels` is ignored."""
        logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
        return F.cross_entropy(logits.flatten(0, -2), labels.flatten())

    @torch.inference_mode()
    def generate(
        self,
        input_features: Tensor,
        max_new_tokens: int,
        *,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        decoder_start_token_id: int = 50258,
        eos_token_id: int | tuple[int, ...] | Tensor | None = 50257,
        pad_token_id: int | None = 50257,
    ) -> Tensor:
        """Generate up to `max_new_tokens` tokens after the start token, given `input_features`."""
        start = torch.tensor(decoder_start_token_id, device=input_features.device)
        tokens = step = start.expand(input_features.size(0), 1)  # (B, 1)
        if not (0 <= (top_p or 0) <= 1 and (temperature == 0 or 1e-6 <= temperature <= 1000)):
            raise ValueError(f"{temperature=} must be 0 or 1e-6 to 1000, {top_p=} in [0, 1]")
        if any(type(n) is not int or n < 0 for n in (max_new_tokens, top_k or 0)):
            raise ValueError(f"max_new_tokens, top_k must be ints >= 0: {max_new_tokens}, {top_k}")
        stop = eos_token_id.tolist() if isinstance(eos_token_id, Tensor) else eos_token_id
        stops = stop if isinstance(stop, (tuple, list)) else () if stop is None else (stop,)
        ids = decoder_start_token_id, *stops, pad_token_id if stops else 0
        if any(type(i) is not int or not 0 <= i < self.config.vocab_size for i in ids):
            raise ValueError(f"token ids must be ints in [0, {self.config.vocab_size}), not {ids}")
        length = tokens.size(1) + max_new_tokens - 1  # the last new token is not fed back
        if length > self.config.decoder_max_positions:
            raise ValueError(
                f"{length} tokens, but max_positions is {self.config.decoder_max_positions}"
            )
        cache = Cache(length)
        ends = torch.tensor(stops).to(tokens)
        memory = self.encoder(input_features)  # (B, M, …)
        for _ in range(max_new_tokens):
            done = torch.isin(tokens[:, 1:], ends).any(-1)  # (B,)
            if ends.numel() and not torch.compiler.is_compiling() and done.all():
                break
            x = self.decoder(step, memory, cache=cache)
            token = sample(self.logits(x[:, -1:])[:, -1], temperature, top_k, top_p)  # (B,)
            step = token.masked_fill(done, pad_token_id or 0)[:, None]  # pads finished rows
            tokens = torch.cat([tokens, step], dim=1)
        return tokens


# sha256 of the above: ea2e9d4901441725326a98c2373bffc7440e6d992c2a71cd905e834c1f3ddc9f
