"""dit-xl-2: a 28-layer encoder-only transformer, in one file (PyTorch >= 2.5).

A diffusion model of images. A time and a class modulate every layer.

Written by `modelwright build dit_xl_2.yaml -o dit_xl_2.py` (0.1.0, spec sha256 8032fa91ad4c).

    part                                    weights
    patch_embedding                          19,584
    condition.timestep.up                   296,064
    condition.timestep.down               1,328,256
    condition.label_embedding             1,153,152
    layer x28                           669,344,256
    norm_modulation                       2,656,512
    head.output                              36,896
    total                               674,834,720

Shapes:  B batch  T tokens  D d_model  H heads  E head_dim  P positions in the table  G patches
         Wt width of the sinusoids of a time  Px numbers of a patch of the output
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F


@dataclass(frozen=True)
class Config:
    """Hyperparameters of the model. The defaults are those of the spec."""

    d_model: int = 1152
    image_size: int = 32
    patch_size: int = 2
    channels: int = 4
    timestep_width: int = 256
    classes: int = 1000
    label_dropout: float = 0.1
    layers: int = 28
    eps: float = 1e-6
    heads: int = 16
    output_channels: int = 8

    def __post_init__(self) -> None:
        for name, size in vars(self).items():
            if type(vars(Config)[name]) is int and (type(size) is not int or size < 1):
                raise ValueError(f"{name} must be an int of at least 1: {self}")
        if not (0 <= self.label_dropout < 1 and self.eps >= 0):
            raise ValueError(f"label_dropout must be in [0, 1), eps >= 0: {self}")
        if self.patch_size > self.image_size:
            raise ValueError(f"patch_size must be at most image_size: {self}")
        if self.d_model % 4:
            raise ValueError(f"d_model ({self.d_model}) must be a multiple of 4")
        if self.timestep_width % 2:
            raise ValueError(f"timestep_width ({self.timestep_width}) must be even")
        if self.d_model % self.heads:
            raise ValueError(f"heads ({self.heads}) must divide d_model ({self.d_model})")
        if self.image_size % self.patch_size:
            raise ValueError(f"patch_size must divide image_size: {self}")


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


def cosines_and_sines(times: Tensor, width: int, denominator: int, like: Tensor) -> Tensor:
    """Cosines, then sines, of times (B,) (Ho et al. 2020, arXiv:2006.11239)."""
    dtype = torch.promote_types(like.dtype, torch.float32)
    exponent = torch.arange(width // 2, device=like.device, dtype=dtype) / denominator
    angle = times[..., None].to(dtype) * 10_000.0**-exponent
    return torch.cat([angle.cos(), angle.sin()], dim=-1).type_as(like)  # (B, width)


def grid_places(rows: int, columns: int, like: Tensor) -> tuple[Tensor, Tensor]:
    """The row and the column of each patch, row by row: (G,) each."""
    places = torch.arange(rows * columns, device=like.device)
    return places // columns, places % columns


def drop_labels(labels: Tensor, rate: float, no_class: int, training: bool) -> Tensor:
    """In training, replace labels by `no_class` with probability `rate`, for classifier-free
    guidance (Ho, Salimans 2022, arXiv:2207.12598).
    """
    if not training:
        return labels
    kept = torch.empty(labels.shape, device=labels.device).bernoulli_(1 - rate)
    return torch.where(kept.bool(), labels, no_class)  # (B,)


def modulate(x: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
    """x (B, T, D), scaled and shifted by vectors (B, D) (Peebles, Xie 2022, arXiv:2212.09748)."""
    return x * (1 + scale[:, None]) + shift[:, None]


class Timestep(nn.Module):
    """Embedding of a timestep."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.timestep_width = config.timestep_width
        self.up = nn.Linear(config.timestep_width, config.d_model)
        self.down = nn.Linear(config.d_model, config.d_model)

    def forward(self, timesteps: Tensor) -> Tensor:
        x = cosines_and_sines(
            timesteps, self.timestep_width, self.timestep_width // 2, like=self.up.weight
        )  # (B, Wt)
        return self.down(F.silu(self.up(x)))  # (B, D)


class Condition(nn.Module):
    """The vector that modulates all layers, from a time and a label. The label `classes` means
    no class.
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.label_dropout, self.classes = config.label_dropout, config.classes
        self.timestep = Timestep(config)
        self.label_embedding = nn.Embedding(config.classes + 1, config.d_model)

    def forward(self, timesteps: Tensor, labels: Tensor) -> Tensor:
        labels = drop_labels(labels, self.label_dropout, self.classes, self.training)
        return F.silu(self.timestep(timesteps) + self.label_embedding(labels))  # (B, D)


class Attention(nn.Module):
    """Multi-head attention (Vaswani et al. 2017, arXiv:1706.03762)."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.head_dim = config.d_model // config.heads
        self.query = nn.Linear(config.d_model, config.d_model)
        self.key = nn.Linear(config.d_model, config.d_model)
        self.value = nn.Linear(config.d_model, config.d_model)
        self.output = nn.Linear(config.d_model, config.d_model)

    def forward(self, h: Tensor) -> Tensor:
        q = self.query(h).unflatten(-1, (-1, self.head_dim)).transpose(1, 2)  # (B, H, T, E)
        k = self.key(h).unflatten(-1, (-1, self.head_dim)).transpose(1, 2)  # (B, H, T, E)
        v = self.value(h).unflatten(-1, (-1, self.head_dim)).transpose(1, 2)  # (B, H, T, E)
        y = F.scaled_dot_product_attention(q, k, v)  # (B, H, T, E)
        return self.output(y.transpose(1, 2).flatten(-2))  # (B, T, D)


class FeedForward(nn.Module):
    """Two linear layers with tanh GELU between them (Hendrycks, Gimpel 2016, arXiv:1606.08415)."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.up = nn.Linear(config.d_model, 4 * config.d_model)
        self.down = nn.Linear(4 * config.d_model, config.d_model)

    def forward(self, h: Tensor) -> Tensor:
        return self.down(F.gelu(self.up(h), approximate="tanh"))  # (B, T, D)


class Block(nn.Module):
    """A layer with a norm before each branch (Xiong et al. 2020, arXiv:2002.04745). The
    condition shifts and scales its norms and gates its branches (adaLN-Zero; Peebles, Xie 2022,
    arXiv:2212.09748).
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.modulation = nn.Linear(config.d_model, 6 * config.d_model)
        self.attention_norm = nn.LayerNorm(config.d_model, config.eps, elementwise_affine=False)
        self.attention = Attention(config)
        self.feed_forward_norm = nn.LayerNorm(config.d_model, config.eps, elementwise_affine=False)
        self.feed_forward = FeedForward(config)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        modulation = self.modulation(condition)  # (B, 6*D)
        shift, scale, gate, ff_shift, ff_scale, ff_gate = modulation.chunk(6, dim=-1)  # (B, D) each
        h = modulate(self.attention_norm(x), shift, scale)  # (B, T, D)
        x = x + gate.unsqueeze(1) * self.attention(h)
        h = modulate(self.feed_forward_norm(x), ff_shift, ff_scale)
        return x + ff_gate.unsqueeze(1) * self.feed_forward(h)


class ImageHead(nn.Module):
    """An image from its patches."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.patch_size = config.patch_size
        self.columns = config.image_size // config.patch_size
        self.output = nn.Linear(config.d_model, config.patch_size**2 * config.output_channels)

    def forward(self, x: Tensor) -> Tensor:
        x = self.output(x)  # (B, T, Px)
        x = x.unflatten(-1, (self.patch_size, self.patch_size, -1)).unflatten(1, (-1, self.columns))
        x = x.permute(0, 5, 1, 3, 2, 4)  # channels, rows of patches and pixels, then columns
        return x.flatten(4).flatten(2, 3)  # (B, channels, height, width)


class DitXl2(nn.Module):
    """An encoder of images. Its head returns an image of the same size."""

    def __init__(self, config: Config | None = None) -> None:
        super().__init__()
        self.config = config = config or Config()
        patch = config.patch_size
        self.patch_embedding = nn.Conv2d(config.channels, config.d_model, patch, stride=patch)
        self.condition = Condition(config)
        self.layers = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.norm = nn.LayerNorm(config.d_model, config.eps, elementwise_affine=False)
        self.norm_modulation = nn.Linear(config.d_model, 2 * config.d_model)
        self.head = ImageHead(config)
        self.init_weights()

    def init_weights(self) -> None:
        """Biases, `modulation`, `norm_modulation` and `head.output` to 0, rest Xavier uniform."""
        for name, weight in self.named_parameters():
            if name.endswith(("bias", "modulation.weight", "head.output.weight")):
                nn.init.zeros_(weight)
            else:
                nn.init.xavier_uniform_(weight)

    def hidden_states(self, pixel_values: Tensor, timesteps: Tensor, labels: Tensor) -> Tensor:
        """Hidden states (B, T, D) of `pixel_values` (B, channels, height, width)."""
        size = self.config.image_size
        check_vectors(("B", self.config.channels, size, size), pixel_values=pixel_values)
        x = self.patch_embedding(pixel_values).flatten(2).transpose(1, 2)  # (B, T, D)
        batch, length, _ = x.shape
        check_vectors((batch,), timesteps=timesteps)
        check_shapes((batch,), labels=labels)
        side = self.config.image_size // self.config.patch_size
        row, column = grid_places(side, side, like=x)  # (G,) each
        places = torch.cat(
            [
                sinusoids(axis, self.config.d_model // 2, self.config.d_model // 4, like=x)
                for axis in (column, row)
            ],
            dim=-1,
        )  # (P, D)
        x = x + places
        condition = self.condition(timesteps, labels)  # (B, D)
        for block in self.layers:
            x = block(x, condition)
        x = self.norm(x)
        shift, scale = self.norm_modulation(condition).chunk(2, dim=-1)  # (B, D) each
        return modulate(x, shift, scale)

    def forward(self, pixel_values: Tensor, timesteps: Tensor, labels: Tensor) -> Tensor:
        """Images (B, channels, height, width) for `pixel_values` (B, channels, height, width)."""
        x = self.hidden_states(pixel_values, timesteps, labels)  # (B, T, D)
        return self.head(x)  # (B, channels, height, width)

    @staticmethod
    def loss(images: Tensor, target: Tensor) -> Tensor:
        """Mean squared error of each pixel and channel."""
        images = images.to(torch.promote_types(images.dtype, torch.float32))
        return F.mse_loss(images, target.to(images.dtype))


# sha256 of the above: dfaea92e6b4f1ba4fb8f810a706a9146d124d552dc9b9a411f0c00c3b5bfaddb
