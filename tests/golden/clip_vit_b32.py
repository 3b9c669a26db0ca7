"""clip-vit-b-32: a 12-layer 2-stack transformer, in one file (PyTorch >= 2.5).

Written by modelwright 0.1.0 from clip_vit_b32.yaml (sha256 fda1d005943d). To rebuild it:
    modelwright build clip_vit_b32.yaml -o clip_vit_b_32.py

    part                                    weights
    vision.patch_embedding                2,359,296
    vision.prefix_tokens                        768
    vision.position_embedding                38,400
    vision.embedding_norm                     1,536
    vision.layer x12                     85,054,464
    vision.norm                               1,536
    text.token_embedding                 25,296,896
    text.position_embedding                  39,424
    text.layer x12                       37,828,608
    text.norm                                 1,024
    head.vision                             393,216
    head.text                               262,144
    head.scale                                    1
    total                               151,277,313

Shapes:  B batch  T tokens  S tokens (keys)  D d_model  H heads  E head_dim  N projection size
         G patches
"""

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
    layers: int = 12
    vision_heads: int = 12
    text_d_model: int = 512
    max_positions: int = 77
    vocab_size: int = 49408
    text_heads: int = 8
    projection_size: int = 512
    pooled_token_id: int = 49407
    init_std: float = 0.02

    def __post_init__(self) -> None:
        may_be_zero = ("pooled_token_id",)
        for name, size in vars(self).items():
            least = 0 if name in may_be_zero else 1
            if type(vars(Config)[name]) is int and (type(size) is not int or size < least):
                raise ValueError(f"{name} must be an int of at least {least}: {self}")
        if not (self.eps >= 0 and self.init_std >= 0):
            raise ValueError(f"eps and init_std must be >= 0: {self}")
        if self.patch_size > self.image_size:
            raise ValueError(f"patch_size must be at most image_size: {self}")
        if self.vision_d_model % self.vision_heads:
            raise ValueError(f"vision_heads must divide vision_d_model: {self}")
        if self.text_d_model % self.text_heads:
            raise ValueError(f"text_heads must divide text_d_model: {self}")
        if self.vocab_size <= self.pooled_token_id:
            raise ValueError(f"vocab_size must be above pooled_token_id: {self}")


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


def quick_gelu(x: Tensor) -> Tensor:
    """GELU approximated by a sigmoid (Hendrycks, Gimpel 2016, arXiv:1606.08415)."""
    return x * torch.sigmoid(1.702 * x)


def token_pool(x: Tensor, input_ids: Tensor, token_id: int) -> Tensor:
    """The vector at the first occurrence of `token_id` in each sequence, (B, D)."""
    position = (input_ids == token_id).int().argmax(-1)
    return x[torch.arange(x.size(0), device=x.device), position]  # (B, D)


def causal_mask(start: int, end: int, attention_mask: Tensor | None, like: Tensor) -> Tensor | None:
    """True where query q may attend to key k: causal. None if `is_causal` is enough."""
    if attention_mask is None and (start == 0 or end - start == 1):
        return None
    q = torch.arange(start, end, device=like.device)[:, None]  # (T, 1)
    mask = torch.arange(end, device=like.device) <= q  # (T, S)
    return mask if attention_mask is None else mask & attention_mask.bool()[:, None, None, :]


class Attention(nn.Module):
    """Multi-head attention (Vaswani et al. 2017, arXiv:1706.03762)."""

    def __init__(self, d_model: int, heads: int) -> None:
        super().__init__()
        self.head_dim = d_model // heads
        self.query = nn.Linear(d_model, d_model)
        self.key = nn.Linear(d_model, d_model)
        self.value = nn.Linear(d_model, d_model)
        self.output = nn.Linear(d_model, d_model)

    def forward(self, x: Tensor, mask: Tensor | None = None, causal: bool = False) -> Tensor:
        q = self.query(x).unflatten(-1, (-1, self.head_dim)).transpose(1, 2)  # (B, H, T, E)
        k = self.key(x).unflatten(-1, (-1, self.head_dim)).transpose(1, 2)  # (B, H, T, E)
        v = self.value(x).unflatten(-1, (-1, self.head_dim)).transpose(1, 2)  # (B, H, T, E)
        # (B, H, T, E)
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=causal)
        return self.output(y.transpose(1, 2).flatten(-2))  # (B, T, D)


class FeedForward(nn.Module):
    """Two linear layers with quick GELU between them (Hendrycks, Gimpel 2016, arXiv:1606.08415)."""

    def __init__(self, d_model: int) -> None:
        super().__init__()
        self.up = nn.Linear(d_model, 4 * d_model)
        self.down = nn.Linear(4 * d_model, d_model)

    def forward(self, x: Tensor) -> Tensor:
        return self.down(quick_gelu(self.up(x)))  # (B, T, D)


class Block(nn.Module):
    """A layer with a norm before each branch (Xiong et al. 2020, arXiv:2002.04745)."""

    def __init__(self, config: Config, d_model: int, heads: int) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(d_model, config.eps)
        self.attention = Attention(d_model, heads)
        self.feed_forward_norm = nn.LayerNorm(d_model, config.eps)
        self.feed_forward = FeedForward(d_model)

    def forward(self, x: Tensor, mask: Tensor | None = None, causal: bool = False) -> Tensor:
        x = x + self.attention(self.attention_norm(x), mask, causal)
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
        self.layers = nn.ModuleList(
            Block(config, config.vision_d_model, config.vision_heads) for _ in range(config.layers)
        )
        self.norm = nn.LayerNorm(config.vision_d_model, config.eps)

    def forward(self, pixel_values: Tensor) -> Tensor:
        """Hidden states (B, T, D) of `pixel_values` (B, channels, height, width)."""
        size = self.image_size
        check_vectors(("B", self.channels, size, size), pixel_values=pixel_values)
        x = self.patch_embedding(pixel_values).flatten(2).transpose(1, 2)  # (B, G, D)
        x = torch.cat([self.prefix_tokens.expand(x.size(0), -1, -1), x], dim=1)  # (B, T, D)
        x = self.embedding_norm(x + self.position_embedding.weight)
        for block in self.layers:
            x = block(x)
        return self.norm(x)


class Text(nn.Module):
    """The text stack."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.max_positions = config.max_positions
        self.token_embedding = nn.Embedding(config.vocab_size, config.text_d_model)
        self.position_embedding = nn.Embedding(config.max_positions, config.text_d_model)
        self.layers = nn.ModuleList(
            Block(config, config.text_d_model, config.text_heads) for _ in range(config.layers)
        )
        self.norm = nn.LayerNorm(config.text_d_model, config.eps)

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
    ) -> Tensor:
        """Hidden states (B, T, D) of `input_ids` (B, T)."""
        batch, length = (1, 1, *input_ids.shape)[-2:]  # check_shapes rejects other ranks
        check_shapes((batch, length), input_ids=input_ids, attention_mask=attention_mask)
        check_shapes((batch, length), position_ids=position_ids)
        if length == 0:
            raise ValueError("input_ids has no tokens; at least one is needed")
        if length > self.max_positions:
            raise ValueError(f"{length} tokens, but max_positions is {self.max_positions}")
        if position_ids is None:
            position_ids = torch.arange(length, device=input_ids.device)  # (T,)
        x = self.token_embedding(input_ids) + self.position_embedding(position_ids)  # (B, T, D)
        mask = causal_mask(0, length, attention_mask, like=x)
        causal = mask is None
        for block in self.layers:
            x = block(x, mask, causal)
        return self.norm(x)


class Contrastive(nn.Module):
    """Scaled cosine similarities of two towers (CLIP, Radford et al. 2021, arXiv:2103.00020)."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.pooled_token_id = config.pooled_token_id
        self.vision = nn.Linear(config.vision_d_model, config.projection_size, bias=False)
        self.text = nn.Linear(config.text_d_model, config.projection_size, bias=False)
        self.scale = nn.Parameter(torch.full((1,), 2.659260036932778))  # log(1 / 0.07)

    def forward(self, vision: Tensor, text: Tensor, input_ids: Tensor) -> Tensor:
        x = vision[:, 0]  # (B, D)
        vision = F.normalize(self.vision(x), dim=-1)  # (B, N)
        x = token_pool(text, input_ids, token_id=self.pooled_token_id)
        text = F.normalize(self.text(x), dim=-1)  # (B, N)
        return vision @ text.T * self.scale.exp()  # (B, B)


class ClipVitB32(nn.Module):
    """Two encoders. The head compares their vectors."""

    def __init__(self, config: Config | None = None) -> None:
        super().__init__()
        self.config = config = config or Config()
        self.vision = Vision(config)
        self.text = Text(config)
        self.head = Contrastive(config)
        self.init_weights()

    def init_weights(self) -> None:
        """Norms to identity, biases to 0, rest normal(0, std)."""
        for name, weight in self.named_parameters():
            if name.endswith(("norm.weight", "bias")):
                nn.init.constant_(weight, 1.0 if name.endswith("norm.weight") else 0.0)
            elif name.endswith("scale"):
                nn.init.constant_(weight, 2.659260036932778)  # log(1 / 0.07)
            else:
                nn.init.normal_(weight, std=self.config.init_std)

    def forward(
        self,
        pixel_values: Tensor,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
    ) -> Tensor:
        """Logits (B, B) of `pixel_values` (B, channels, height, width) with `input_ids` (B, T)."""
        vision = self.vision(pixel_values)
        text = self.text(input_ids, attention_mask, position_ids)
        return self.head(vision, text, input_ids)  # (B, B)

    @staticmethod
    def loss(scores: Tensor) -> Tensor:
        """Mean cross-entropy over rows and over columns; pairs with equal index match."""
        scores = scores.to(torch.promote_types(scores.dtype, torch.float32))
        labels = torch.arange(scores.size(0), device=scores.device)
        return (F.cross_entropy(scores, labels) + F.cross_entropy(scores.T, labels)) / 2


# sha256 of the above: 00cd50a8956bcefbdc2a4980614478ce1ecc2e6111b97d4d460c6edf42f001a9
