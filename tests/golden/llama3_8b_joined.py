"""llama-3-8b: a 32-layer decoder-only transformer, in one file (PyTorch >= 2.5).

Written by modelwright 0.1.0 from llama3_8b.yaml (sha256 4097a3a86026). To rebuild it:
    modelwright build llama3_8b.yaml -o llama_3_8b.py --join-projections

    part                          weights
    token_embedding           525,336,576
    layer x32               6,979,584,000
    norm                            4,096
    head                      525,336,576
    total                   8,030,261,248

Shapes:  B batch  T new tokens  S all tokens  D d_model  H heads  K key/value heads  E head_dim
         R head_dim rotated by RoPE  F d_ff  V vocabulary
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F


@dataclass(frozen=True)
class Config:
    """Hyperparameters of the model. The defaults are those of the spec."""

    d_model: int = 4096
    vocab_size: int = 128256
    layers: int = 32
    eps: float = 1e-5
    heads: int = 32
    kv_heads: int = 8
    rope_theta: float = 500_000.0
    d_ff: int = 14336
    init_std: float = 0.02

    def __post_init__(self) -> None:
        for name, size in vars(self).items():
            if type(vars(Config)[name]) is int and (type(size) is not int or size < 1):
                raise ValueError(f"{name} must be an int of at least 1: {self}")
        if not (self.eps >= 0 and self.init_std >= 0 and self.rope_theta > 1):
            raise ValueError(f"eps and init_std must be >= 0, rope_theta > 1: {self}")
        if self.d_model % (2 * self.heads):
            raise ValueError(f"d_model / heads must be even, not {self.d_model} / {self.heads}")
        if self.heads % self.kv_heads:
            raise ValueError(f"kv_heads ({self.kv_heads}) must divide heads ({self.heads})")


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


class JoinedLinear(nn.Linear):
    """Linear layers with the same input, fused. State dicts contain them as separate layers."""

    def __init__(self, d_in: int, parts: dict[str, int], bias: bool = True) -> None:
        super().__init__(d_in, sum(parts.values()), bias)
        self.names = list(parts)
        self.sizes = list(parts.values())

    def each(self, x: Tensor) -> tuple[Tensor, ...]:
        """The outputs of all layers for x (..., D)."""
        return torch.split(self(x), self.sizes, dim=-1)


def joined_names(model: nn.Module, prefix: str) -> list[tuple[str, list[str], list[int]]]:
    """Each fused weight or bias: its name, and the names and sizes of the parts in state dicts."""
    found = []
    for name, module in model.named_modules(prefix=prefix.removesuffix(".")):
        if isinstance(module, JoinedLinear):
            for kind, _ in module.named_parameters():
                names = [f"{name.rpartition('.')[0]}.{part}.{kind}" for part in module.names]
                found.append((f"{name}.{kind}", names, module.sizes))
    return found


def take_apart(model: nn.Module, state: dict[str, Tensor], prefix: str, *_: object) -> None:
    """Hook after `state_dict`: replace each fused weight by views of its parts."""
    for joined, names, sizes in joined_names(model, prefix):
        if joined in state:
            state.update(zip(names, torch.split(state.pop(joined), sizes), strict=True))


def put_together(
    model: nn.Module,
    state: dict[str, Tensor],
    prefix: str,
    metadata: object,
    strict: bool,
    missing: list[str],
    *_: object,
) -> None:
    """Hook before `load_state_dict`: fuse the parts of each weight. Parts that are missing are
    reported and keep their values.
    """
    for joined, names, sizes in joined_names(model, prefix):
        weight = model.get_parameter(joined.removeprefix(prefix))
        there = [name for name in names if name in state]
        if there and len(there) < len(names) and not weight.is_meta:
            kept = dict(zip(names, torch.split(weight.detach(), sizes), strict=True))
            state.update({name: kept[name] for name in names if name not in there})
            state.update({name: state[name].to(weight) for name in there})
            missing.extend(name for name in names if name not in there)
        if [len(state.get(name, ())) for name in names] == sizes:
            state[joined] = torch.cat([state.pop(name) for name in names])


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
    """Grouped-query attention: K key/value heads (Ainslie et al. 2023, arXiv:2305.13245)."""

    def __init__(self, config: Config, layer: int) -> None:
        super().__init__()
        self.layer = layer
        self.head_dim = config.d_model // config.heads
        self.query_key_value = JoinedLinear(
            config.d_model,
            {
                "query": config.d_model,
                "key": config.kv_heads * self.head_dim,
                "value": config.kv_heads * self.head_dim,
            },
            bias=False,
        )
        self.output = nn.Linear(config.d_model, config.d_model, bias=False)

    def forward(
        self, x: Tensor, cos: Tensor, sin: Tensor, mask: Tensor | None, cache: Cache | None
    ) -> Tensor:
        q, k, v = self.query_key_value.each(x)  # (B, T, H*E) and (B, T, K*E) and (B, T, K*E)
        q = q.unflatten(-1, (-1, self.head_dim)).transpose(1, 2)  # (B, H, T, E)
        k = k.unflatten(-1, (-1, self.head_dim)).transpose(1, 2)  # (B, K, T, E)
        v = v.unflatten(-1, (-1, self.head_dim)).transpose(1, 2)  # (B, K, T, E)
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


class FeedForward(nn.Module):
    """SwiGLU (Shazeer 2020, arXiv:2002.05202)."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.gate_up = JoinedLinear(
            config.d_model, {"gate": config.d_ff, "up": config.d_ff}, bias=False
        )
        self.down = nn.Linear(config.d_ff, config.d_model, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        gate, up = self.gate_up.each(x)  # (B, T, F) each
        return self.down(F.silu(gate) * up)  # (B, T, D)


class Block(nn.Module):
    """A layer with a norm before each branch (Xiong et al. 2020, arXiv:2002.04745)."""

    def __init__(self, config: Config, layer: int) -> None:
        super().__init__()
        self.attention_norm = nn.RMSNorm(config.d_model, config.eps)
        self.attention = Attention(config, layer)
        self.feed_forward_norm = nn.RMSNorm(config.d_model, config.eps)
        self.feed_forward = FeedForward(config)

    def forward(
        self, x: Tensor, cos: Tensor, sin: Tensor, mask: Tensor | None, cache: Cache | None
    ) -> Tensor:
        x = x + self.attention(self.attention_norm(x), cos, sin, mask, cache)
        return x + self.feed_forward(self.feed_forward_norm(x))


class Llama3_8b(nn.Module):
    """Language model with an untied output head."""

    def __init__(self, config: Config | None = None) -> None:
        super().__init__()
        self.config = config = config or Config()
        self.token_embedding = nn.Embedding(config.vocab_size, config.d_model)
        self.layers = nn.ModuleList(Block(config, i) for i in range(config.layers))
        self.norm = nn.RMSNorm(config.d_model, config.eps)
        self.head = nn.Linear(config.d_model, config.vocab_size, bias=False)
        self.init_weights()
        self.register_state_dict_post_hook(take_apart)
        self.register_load_state_dict_pre_hook(put_together)

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
        batch, length = (1, 1, *input_ids.shape)[-2:]  # check_shapes rejects other ranks
        start, end = (0, length) if cache is None else (cache.length, cache.length + length)
        check_shapes((batch, length), input_ids=input_ids, position_ids=position_ids)
        check_shapes((batch, end), attention_mask=attention_mask)
        x = self.token_embedding(input_ids)  # (B, T, D)
        if position_ids is None:
            position_ids = torch.arange(start, end, device=input_ids.device)  # (T,)
        cos, sin = rope_angles(
            position_ids, self.config.d_model // self.config.heads, self.config.rope_theta, like=x
        )  # (B, 1, T, R/2) each
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


# sha256 of the above: 6500aa6b5a80036d560beab05d1addd9ca5b13dba0093fa359d6b2f20d7f12da
