"""llava-like: an 11 + 32-layer 2-stack transformer, in one file (PyTorch >= 2.5).

Vectors of images stand in the text where it has the reserved token 128002.

Written by `modelwright build llava_like.yaml -o llava_like.py` (0.1.0, spec sha256 b5ea450b206e).

    part                                     weights
    vision.patch_embedding                 2,359,296
    vision.prefix_tokens                         768
    vision.position_embedding                 38,400
    vision.embedding_norm                      1,536
    vision.layer x11                      77,966,592
    text.token_embedding                 525,336,576
    text.vision_projector.up               3,149,824
    text.vision_projector.down            16,781,312
    text.layer x32                     6,979,584,000
    text.norm                                  4,096
    head                                 525,336,576
    total                              8,130,558,976

Shapes:  B batch  T new tokens  S all tokens  M memory  D d_model  H heads  K key/value heads
         E head_dim  R head_dim rotated by RoPE  V vocabulary  G patches
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F


@dataclass(frozen=True)
class Config:
    """Hyperparameters of the model. The defaults are those of the spec."""

    vision_d_model: int = 768
    image_size: int = 224
    patch_size: int = 32
    channels: int = 3
    prefix_tokens: int = 1
    eps: float = 1e-5
    vision_layers: int = 11
    vision_heads: int = 12
    text_d_model: int = 4096
    vocab_size: int = 128256
    vision_skip: int = 1
    vision_projector_d_ff: int = 4096
    vision_token_id: int = 128002
    text_layers: int = 32
    text_heads: int = 32
    kv_heads: int = 8
    rope_theta: float = 500_000.0
    rope_factor: float = 8.0
    rope_low_freq_factor: float = 1.0
    rope_high_freq_factor: float = 4.0
    rope_original_max_positions: int = 8192
    d_ff: int = 14336
    init_std: float = 0.02

    def __post_init__(self) -> None:
        may_be_zero = ("vision_token_id",)
        for name, size in vars(self).items():
            least = 0 if name in may_be_zero else 1
            if type(vars(Config)[name]) is int and (type(size) is not int or size < least):
                raise ValueError(f"{name} must be an int of at least {least}: {self}")
        if not (self.eps >= 0 and self.init_std >= 0 and self.rope_theta > 1):
            raise ValueError(f"eps and init_std must be >= 0, rope_theta > 1: {self}")
        if not (self.rope_factor > 0 and self.rope_low_freq_factor > 0):
            raise ValueError(f"rope_factor and rope_low_freq_factor must be > 0: {self}")
        if not self.rope_high_freq_factor > 0:
            raise ValueError(f"rope_high_freq_factor must be > 0: {self}")
        if self.patch_size > self.image_size:
            raise ValueError(f"patch_size must be at most image_size: {self}")
        if self.vision_d_model % self.vision_heads:
            raise ValueError(f"vision_heads must divide vision_d_model: {self}")
        if self.vocab_size <= self.vision_token_id:
            raise ValueError(f"vocab_size must be above vision_token_id: {self}")
        if self.text_d_model % (2 * self.text_heads):
            raise ValueError(f"text_d_model / text_heads must be even: {self}")
        if self.text_heads % self.kv_heads:
            raise ValueError(f"kv_heads must divide text_heads: {self}")


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


def check_vectors(shape: tuple[int | str, ...], **given: Tensor) -> None:
    """Check shapes of images, signals and vectors. An axis with a name may have any length."""
    for name, x in given.items():
        if not isinstance(x, Tensor):
            raise ValueError(f"{name} must be a tensor {shape}, not a {type(x).__name__}")
        sizes = zip(x.shape, shape, strict=False)
        if x.dim() != len(shape) or any(n != m and not isinstance(m, str) for n, m in sizes):
            wanted = str(shape).replace("'", "")  # names of axes are not quoted
            raise ValueError(f"{name} must have the shape {wanted}, not {(*x.shape,)}")


def place_rows(x: Tensor, places: Tensor, rows: Tensor) -> Tensor:
    """Replace x (B, T, D) where `places` (B, T) is true with the vectors of `rows` (N, M, D)."""
    if not torch.compiler.is_compiling() and places.sum() != rows[..., 0].numel():
        count = int(places.sum())
        raise ValueError(f"{count} placeholders for {rows.size(0)} x {rows.size(1)} vectors")
    return x.masked_scatter(places[..., None], rows.type_as(x))


def check_unplaced(places: Tensor) -> None:
    """Raise ValueError if `places` (B, T) has placeholders; there are no vectors for them."""
    if not torch.compiler.is_compiling() and places.any():
        raise ValueError(f"{int(places.sum())} placeholders, but no vectors for them")


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


def scaled_rope_angles(position_ids: Tensor, frequencies: Tensor) -> tuple[Tensor, Tensor]:
    """RoPE: cosine and sine of position times frequency (Su et al. 2021, arXiv:2104.09864)."""
    angle = position_ids[..., None, :, None].to(frequencies.dtype) * frequencies
    return angle.cos(), angle.sin()  # (1, T, R/2) or (B, 1, T, R/2) each


def apply_rope(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotate each pair (x[i], x[i + E/2]) of a head by the angle of its position."""
    x1, x2 = x.to(cos.dtype).chunk(2, dim=-1)  # (B, H, T, E/2) each
    return torch.cat([x1 * cos - x2 * sin, x2 * cos + x1 * sin], dim=-1).type_as(x)


def quick_gelu(x: Tensor) -> Tensor:
    """GELU approximated by a sigmoid (Hendrycks, Gimpel 2016, arXiv:1606.08415)."""
    return x * torch.sigmoid(1.702 * x)


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


class VisionAttention(nn.Module):
    """Multi-head attention (Vaswani et al. 2017, arXiv:1706.03762)."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.head_dim = config.vision_d_model // config.vision_heads
        self.query = nn.Linear(config.vision_d_model, config.vision_d_model)
        self.key = nn.Linear(config.vision_d_model, config.vision_d_model)
        self.value = nn.Linear(config.vision_d_model, config.vision_d_model)
        self.output = nn.Linear(config.vision_d_model, config.vision_d_model)

    def forward(self, x: Tensor) -> Tensor:
        q = self.query(x).unflatten(-1, (-1, self.head_dim)).transpose(1, 2)  # (B, H, T, E)
        k = self.key(x).unflatten(-1, (-1, self.head_dim)).transpose(1, 2)  # (B, H, T, E)
        v = self.value(x).unflatten(-1, (-1, self.head_dim)).transpose(1, 2)  # (B, H, T, E)
        y = F.scaled_dot_product_attention(q, k, v)  # (B, H, T, E)
        return self.output(y.transpose(1, 2).flatten(-2))  # (B, T, D)


class VisionFeedForward(nn.Module):
    """Two linear layers with quick GELU between them (Hendrycks, Gimpel 2016, arXiv:1606.08415)."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.up = nn.Linear(config.vision_d_model, 4 * config.vision_d_model)
        self.down = nn.Linear(4 * config.vision_d_model, config.vision_d_model)

    def forward(self, x: Tensor) -> Tensor:
        return self.down(quick_gelu(self.up(x)))  # (B, T, D)


class VisionBlock(nn.Module):
    """A layer with a norm before each branch (Xiong et al. 2020, arXiv:2002.04745)."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(config.vision_d_model, config.eps)
        self.attention = VisionAttention(config)
        self.feed_forward_norm = nn.LayerNorm(config.vision_d_model, config.eps)
        self.feed_forward = VisionFeedForward(config)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attention(self.attention_norm(x))
        return x + self.feed_forward(self.feed_forward_norm(x))


class Vision(nn.Module):
    """The vision stack."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.channels, self.image_size = config.channels, config.image_size
        patch = config.patch_size
        self.patch_embedding = nn.Conv2d(
            config.channels, config.vision_d_model, patch, stride=patch, bias=False
        )
        self.prefix_tokens = nn.Parameter(torch.zeros(config.prefix_tokens, config.vision_d_model))
        rows = (config.image_size // config.patch_size) ** 2 + config.prefix_tokens
        self.position_embedding = nn.Embedding(rows, config.vision_d_model)
        self.embedding_norm = nn.LayerNorm(config.vision_d_model, config.eps)
        self.layers = nn.ModuleList(VisionBlock(config) for _ in range(config.vision_layers))

    def forward(self, pixel_values: Tensor) -> Tensor:
        """Hidden states (B, T, D) of `pixel_values` (B, channels, height, width)."""
        size = self.image_size
        check_vectors(("B", self.channels, size, size), pixel_values=pixel_values)
        x = self.patch_embedding(pixel_values).flatten(2).transpose(1, 2)  # (B, G, D)
        x = torch.cat([self.prefix_tokens.expand(x.size(0), -1, -1), x], dim=1)  # (B, T, D)
        x = self.embedding_norm(x + self.position_embedding.weight)
        for block in self.layers:
            x = block(x)
        return x


class Projector(nn.Module):
    """Two linear layers with GELU between them (Hendrycks, Gimpel 2016, arXiv:1606.08415), from
    the vision stack to this width.
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.up = nn.Linear(config.vision_d_model, config.vision_projector_d_ff)
        self.down = nn.Linear(config.vision_projector_d_ff, config.text_d_model)

    def forward(self, x: Tensor) -> Tensor:
        return self.down(F.gelu(self.up(x)))  # (B, M, D)


class TextAttention(nn.Module):
    """Grouped-query attention: K key/value heads (Ainslie et al. 2023, arXiv:2305.13245)."""

    def __init__(self, config: Config, layer: int) -> None:
        super().__init__()
        self.layer = layer
        self.head_dim = config.text_d_model // config.text_heads
        self.query = nn.Linear(config.text_d_model, config.text_d_model, bias=False)
        self.key = nn.Linear(config.text_d_model, config.kv_heads * self.head_dim, bias=False)
        self.value = nn.Linear(config.text_d_model, config.kv_heads * self.head_dim, bias=False)
        self.output = nn.Linear(config.text_d_model, config.text_d_model, bias=False)

    def forward(
        self, x: Tensor, cos: Tensor, sin: Tensor, mask: Tensor | None, cache: Cache | None
    ) -> Tensor:
        q = self.query(x).unflatten(-1, (-1, self.head_dim)).transpose(1, 2)  # (B, H, T, E)
        k = self.key(x).unflatten(-1, (-1, self.head_dim)).transpose(1, 2)  # (B, K, T, E)
        v = self.value(x).unflatten(-1, (-1, self.head_dim)).transpose(1, 2)  # (B, K, T, E)
        q, k = apply_rope(q, cos, sin), apply_rope(k, cos, sin)
        if cache is not None:
            k, v = cache.append(self.layer, k, v)  # (B, K, S, E) each
        shape, causal = q.shape, q.size(2) > 1 and mask is None
        if q.size(2) == 1:  # the heads of a group become its queries: k and v are read only once
            q = q.unflatten(1, (k.size(1), -1)).squeeze(3)  # (B, K, H/K, E)
        y = F.scaled_dot_product_attention(
            q, k, v, attn_mask=mask, is_causal=causal, enable_gqa=q.size(1) > k.size(1)
        ).reshape(shape)  # (B, H, T, E)
        return self.output(y.transpose(1, 2).flatten(-2))  # (B, T, D)


class TextFeedForward(nn.Module):
    """SwiGLU (Shazeer 2020, arXiv:2002.05202)."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.gate = nn.Linear(config.text_d_model, config.d_ff, bias=False)
        self.up = nn.Linear(config.text_d_model, config.d_ff, bias=False)
        self.down = nn.Linear(config.d_ff, config.text_d_model, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.down(F.silu(self.gate(x)) * self.up(x))  # (B, T, D)


class TextBlock(nn.Module):
    """A layer with a norm before each branch (Xiong et al. 2020, arXiv:2002.04745)."""

    def __init__(self, config: Config, layer: int) -> None:
        super().__init__()
        self.attention_norm = nn.RMSNorm(config.text_d_model, config.eps)
        self.attention = TextAttention(config, layer)
        self.feed_forward_norm = nn.RMSNorm(config.text_d_model, config.eps)
        self.feed_forward = TextFeedForward(config)

    def forward(
        self, x: Tensor, cos: Tensor, sin: Tensor, mask: Tensor | None, cache: Cache | None
    ) -> Tensor:
        x = x + self.attention(self.attention_norm(x), cos, sin, mask, cache)
        return x + self.feed_forward(self.feed_forward_norm(x))


class Text(nn.Module):
    """The text stack."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.token_embedding = nn.Embedding(config.vocab_size, config.text_d_model)
        self.vision_projector = Projector(config)
        self.layers = nn.ModuleList(TextBlock(config, i) for i in range(config.text_layers))
        self.norm = nn.RMSNorm(config.text_d_model, config.eps)

    def forward(
        self,
        input_ids: Tensor,
        vision_states: Tensor | None = None,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        cache: Cache | None = None,
    ) -> Tensor:
        """Hidden states (B, T, D) of `input_ids` (B, T).

        `vision_states` (N, M, D) replace the tokens `vision_token_id`, row by row.
        """
        batch, length = (1, 1, *input_ids.shape)[-2:]  # check_shapes rejects other ranks
        start, end = (0, length) if cache is None else (cache.length, cache.length + length)
        check_shapes((batch, length), input_ids=input_ids, position_ids=position_ids)
        check_shapes((batch, end), attention_mask=attention_mask)
        x = self.token_embedding(input_ids)  # (B, T, D)
        places = input_ids == self.config.vision_token_id  # (B, T)
        if vision_states is not None:
            x = place_rows(
                x, places, self.vision_projector(vision_states[:, self.config.vision_skip :])
            )
        elif start == 0:
            check_unplaced(places)
        if position_ids is None:
            position_ids = torch.arange(start, end, device=input_ids.device)  # (T,)
        frequencies = llama3_frequencies(
            rope_frequencies(
                self.config.text_d_model // self.config.text_heads, self.config.rope_theta, like=x
            ),
            self.config.rope_factor,
            self.config.rope_low_freq_factor,
            self.config.rope_high_freq_factor,
            self.config.rope_original_max_positions,
        )  # (R/2,)
        cos, sin = scaled_rope_angles(position_ids, frequencies)  # (B, 1, T, R/2) each
        mask = causal_mask(start, end, attention_mask, like=x)
        for block in self.layers:
            x = block(x, cos, sin, mask, cache)
        if cache is not None:
            cache.length = end
        return self.norm(x)


class LlavaLike(nn.Module):
    """Language model with an untied output head."""

    def __init__(self, config: Config | None = None) -> None:
        super().__init__()
        self.config = config = config or Config()
        self.vision = Vision(config)
        self.text = Text(config)
        self.head = nn.Linear(config.text_d_model, config.vocab_size, bias=False)
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
        return self.head(x)  # (B, T, V)

    def forward(
        self,
        input_ids: Tensor,
        pixel_values: Tensor | None = None,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
    ) -> Tensor:
        """Logits (B, T, V) for `input_ids` (B, T) and `pixel_values`."""
        vision_states = None if pixel_values is None else self.vision(pixel_values)
        return self.logits(self.text(input_ids, vision_states, attention_mask, position_ids))

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
        pixel_values: Tensor | None = None,
        attention_mask: Tensor | None = None,
        *,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        eos_token_id: int | tuple[int, ...] | Tensor | None = 128001,
        pad_token_id: int | None = 128001,
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
        vision_states = None if pixel_values is None else self.vision(pixel_values)
        for _ in range(max_new_tokens):
            done = torch.isin(tokens[:, input_ids.size(1) :], ends).any(-1)  # (B,)
            if ends.numel() and not torch.compiler.is_compiling() and done.all():
                break
            if attention_mask is not None:  # new tokens are not padding; positions skip it
                mask = F.pad(attention_mask, (0, tokens.size(1) - input_ids.size(1)), value=1)
                position_ids = (mask.bool().cumsum(-1) - 1).clamp(min=0)[:, -step.size(1) :]
            x = self.text(step, vision_states, mask, position_ids, cache=cache)
            vision_states = None  # now in the cache
            token = sample(self.logits(x[:, -1:])[:, -1], temperature, top_k, top_p)  # (B,)
            step = token.masked_fill(done, pad_token_id or 0)[:, None]  # pads finished rows
            tokens = torch.cat([tokens, step], dim=1)
        return tokens


# sha256 of the above: fff0355b3ce1cd1dc36b8b64d8c29982042b97e38e03ab65e38476685833777f
