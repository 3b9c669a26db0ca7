"""evoformer: a 48-layer transformer, in one file (PyTorch >= 2.5).

Written by `modelwright build evoformer.yaml -o evoformer.py` (0.1.0, spec sha256 7dab77cda698).

    part                weights
    layer x48        87,837,696
    total            87,837,696

Shapes:  B batch  D d_model  H heads  E head_dim  F d_ff
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F


@dataclass(frozen=True)
class Config:
    """Hyperparameters of the model. The defaults are those of the spec."""

    msa_d_model: int = 256
    pair_d_model: int = 128
    layers: int = 48
    eps: float = 1e-5
    attention1_heads: int = 8
    head_dim: int = 32
    outer_product_mean_hidden: int = 32
    hidden: int = 128
    attention3_heads: int = 4
    init_std: float = 0.02

    def __post_init__(self) -> None:
        for name, size in vars(self).items():
            if type(vars(Config)[name]) is int and (type(size) is not int or size < 1):
                raise ValueError(f"{name} must be an int of at least 1: {self}")
        if not (self.eps >= 0 and self.init_std >= 0):
            raise ValueError(f"eps and init_std must be >= 0: {self}")


def check_vectors(shape: tuple[int | str, ...], **given: Tensor) -> None:
    """Check shapes of images, signals and vectors. An axis with a name may have any length."""
    for name, x in given.items():
        if not isinstance(x, Tensor):
            raise ValueError(f"{name} must be a tensor {shape}, not a {type(x).__name__}")
        sizes = zip(x.shape, shape, strict=False)
        if x.dim() != len(shape) or any(n != m and not isinstance(m, str) for n, m in sizes):
            wanted = str(shape).replace("'", "")  # names of axes are not quoted
            raise ValueError(f"{name} must have the shape {wanted}, not {(*x.shape,)}")


def check_lengths(axis: str, *lengths: int) -> None:
    """Raise ValueError unless an axis has the same length in all inputs."""
    for length in lengths[1:]:
        if length != lengths[0]:
            raise ValueError(f"the sizes of the axis {axis} differ: {lengths[0]} and {length}")


def outer_product_mean(left: Tensor, right: Tensor) -> Tensor:
    """Outer products (B, second, second, F*F) of (B, first, second, F), averaged over `first`."""
    total = torch.einsum("bsic,bsjd->bijcd", left, right)
    return total.flatten(-2) / left.size(1)


class Attention1(nn.Module):
    """Multi-head attention along the axis residue (Vaswani et al. 2017, arXiv:1706.03762)."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.head_dim = config.head_dim
        self.query = nn.Linear(
            config.msa_d_model, config.attention1_heads * config.head_dim, bias=False
        )
        self.key = nn.Linear(
            config.msa_d_model, config.attention1_heads * config.head_dim, bias=False
        )
        self.value = nn.Linear(
            config.msa_d_model, config.attention1_heads * config.head_dim, bias=False
        )
        self.pair_norm = nn.LayerNorm(config.pair_d_model, config.eps)
        self.pair_bias = nn.Linear(config.pair_d_model, config.attention1_heads, bias=False)
        self.output_gate = nn.Linear(config.msa_d_model, config.attention1_heads * config.head_dim)
        self.output = nn.Linear(config.attention1_heads * config.head_dim, config.msa_d_model)

    def forward(self, x: Tensor, pair: Tensor) -> Tensor:
        # (B, sequence, H, residue, E)
        q = self.query(x).unflatten(-1, (-1, self.head_dim)).transpose(2, 3)
        # (B, sequence, H, residue, E)
        k = self.key(x).unflatten(-1, (-1, self.head_dim)).transpose(2, 3)
        # (B, sequence, H, residue, E)
        v = self.value(x).unflatten(-1, (-1, self.head_dim)).transpose(2, 3)
        # (B, 1, H, residue, residue)
        bias = self.pair_bias(self.pair_norm(pair)).permute(0, 3, 1, 2).unsqueeze(1)
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=bias)  # (B, sequence, H, residue, E)
        # (B, sequence, residue, H*E)
        y = y.transpose(2, 3).flatten(-2) * torch.sigmoid(self.output_gate(x))
        return self.output(y)  # (B, sequence, residue, D)


class Attention2(nn.Module):
    """Multi-head attention along the axis sequence (Vaswani et al. 2017, arXiv:1706.03762)."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.head_dim = config.head_dim
        self.query = nn.Linear(
            config.msa_d_model, config.attention1_heads * config.head_dim, bias=False
        )
        self.key = nn.Linear(
            config.msa_d_model, config.attention1_heads * config.head_dim, bias=False
        )
        self.value = nn.Linear(
            config.msa_d_model, config.attention1_heads * config.head_dim, bias=False
        )
        self.output_gate = nn.Linear(config.msa_d_model, config.attention1_heads * config.head_dim)
        self.output = nn.Linear(config.attention1_heads * config.head_dim, config.msa_d_model)

    def forward(self, x: Tensor) -> Tensor:
        x = x.transpose(1, 2)  # (B, residue, sequence, D)
        # (B, residue, H, sequence, E)
        q = self.query(x).unflatten(-1, (-1, self.head_dim)).transpose(2, 3)
        # (B, residue, H, sequence, E)
        k = self.key(x).unflatten(-1, (-1, self.head_dim)).transpose(2, 3)
        # (B, residue, H, sequence, E)
        v = self.value(x).unflatten(-1, (-1, self.head_dim)).transpose(2, 3)
        y = F.scaled_dot_product_attention(q, k, v)  # (B, residue, H, sequence, E)
        # (B, residue, sequence, H*E)
        y = y.transpose(2, 3).flatten(-2) * torch.sigmoid(self.output_gate(x))
        return self.output(y).transpose(1, 2)  # (B, sequence, residue, D)


class FeedForward1(nn.Module):
    """Two linear layers with ReLU between them (Vaswani et al. 2017, arXiv:1706.03762)."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.up = nn.Linear(config.msa_d_model, 4 * config.msa_d_model)
        self.down = nn.Linear(4 * config.msa_d_model, config.msa_d_model)

    def forward(self, x: Tensor) -> Tensor:
        return self.down(F.relu(self.up(x)))  # (B, sequence, residue, D)


class OuterProductMean(nn.Module):
    """Outer product mean (Jumper et al. 2021, supplement, algorithm 10)."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.left = nn.Linear(config.msa_d_model, config.outer_product_mean_hidden)
        self.right = nn.Linear(config.msa_d_model, config.outer_product_mean_hidden)
        self.output = nn.Linear(
            config.outer_product_mean_hidden * config.outer_product_mean_hidden, config.pair_d_model
        )

    def forward(self, x: Tensor) -> Tensor:
        left = self.left(x)  # (B, sequence, residue, F)
        right = self.right(x)  # (B, sequence, residue, F)
        return self.output(outer_product_mean(left, right))  # (B, residue, residue, Dp)


class OutgoingTriangleMultiplication(nn.Module):
    """Triangle multiplication, outgoing edges (Jumper et al. 2021, supplement, algorithm 11)."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.left_gate = nn.Linear(config.pair_d_model, config.hidden)
        self.left = nn.Linear(config.pair_d_model, config.hidden)
        self.right_gate = nn.Linear(config.pair_d_model, config.hidden)
        self.right = nn.Linear(config.pair_d_model, config.hidden)
        self.product_norm = nn.LayerNorm(config.hidden, config.eps)
        self.output = nn.Linear(config.hidden, config.pair_d_model)
        self.output_gate = nn.Linear(config.pair_d_model, config.pair_d_model)

    def forward(self, x: Tensor) -> Tensor:
        left = torch.sigmoid(self.left_gate(x)) * self.left(x)  # (B, residue, residue, F)
        right = torch.sigmoid(self.right_gate(x)) * self.right(x)  # (B, residue, residue, F)
        y = torch.einsum("bikc,bjkc->bijc", left, right)  # (B, residue, residue, F)
        return torch.sigmoid(self.output_gate(x)) * self.output(self.product_norm(y))


class IncomingTriangleMultiplication(nn.Module):
    """Triangle multiplication, incoming edges (Jumper et al. 2021, supplement, algorithm 12)."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.left_gate = nn.Linear(config.pair_d_model, config.hidden)
        self.left = nn.Linear(config.pair_d_model, config.hidden)
        self.right_gate = nn.Linear(config.pair_d_model, config.hidden)
        self.right = nn.Linear(config.pair_d_model, config.hidden)
        self.product_norm = nn.LayerNorm(config.hidden, config.eps)
        self.output = nn.Linear(config.hidden, config.pair_d_model)
        self.output_gate = nn.Linear(config.pair_d_model, config.pair_d_model)

    def forward(self, x: Tensor) -> Tensor:
        left = torch.sigmoid(self.left_gate(x)) * self.left(x)  # (B, residue, residue, F)
        right = torch.sigmoid(self.right_gate(x)) * self.right(x)  # (B, residue, residue, F)
        y = torch.einsum("bkic,bkjc->bijc", left, right)  # (B, residue, residue, F)
        return torch.sigmoid(self.output_gate(x)) * self.output(self.product_norm(y))


class Projections(nn.Module):
    """Base class of `Attention3` and `Attention4`: their projections. No weights are shared."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.head_dim = config.head_dim
        self.query = nn.Linear(
            config.pair_d_model, config.attention3_heads * config.head_dim, bias=False
        )
        self.key = nn.Linear(
            config.pair_d_model, config.attention3_heads * config.head_dim, bias=False
        )
        self.value = nn.Linear(
            config.pair_d_model, config.attention3_heads * config.head_dim, bias=False
        )
        self.pair_bias = nn.Linear(config.pair_d_model, config.attention3_heads, bias=False)
        self.output_gate = nn.Linear(config.pair_d_model, config.attention3_heads * config.head_dim)
        self.output = nn.Linear(config.attention3_heads * config.head_dim, config.pair_d_model)


class Attention3(Projections):
    """Multi-head attention along the axis residue (Vaswani et al. 2017, arXiv:1706.03762)."""

    def forward(self, x: Tensor) -> Tensor:
        # (B, residue, H, residue, E)
        q = self.query(x).unflatten(-1, (-1, self.head_dim)).transpose(2, 3)
        # (B, residue, H, residue, E)
        k = self.key(x).unflatten(-1, (-1, self.head_dim)).transpose(2, 3)
        # (B, residue, H, residue, E)
        v = self.value(x).unflatten(-1, (-1, self.head_dim)).transpose(2, 3)
        bias = self.pair_bias(x).permute(0, 3, 1, 2).unsqueeze(1)  # (B, 1, H, residue, residue)
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=bias)  # (B, residue, H, residue, E)
        # (B, residue, residue, H*E)
        y = y.transpose(2, 3).flatten(-2) * torch.sigmoid(self.output_gate(x))
        return self.output(y)  # (B, residue, residue, Dp)


class Attention4(Projections):
    """Multi-head attention along the axis residue (Vaswani et al. 2017, arXiv:1706.03762)."""

    def forward(self, x: Tensor) -> Tensor:
        x2 = x.transpose(1, 2)
        # (B, residue, H, residue, E)
        q = self.query(x2).unflatten(-1, (-1, self.head_dim)).transpose(2, 3)
        # (B, residue, H, residue, E)
        k = self.key(x2).unflatten(-1, (-1, self.head_dim)).transpose(2, 3)
        # (B, residue, H, residue, E)
        v = self.value(x2).unflatten(-1, (-1, self.head_dim)).transpose(2, 3)
        bias = self.pair_bias(x).permute(0, 3, 2, 1).unsqueeze(1)  # (B, 1, H, residue, residue)
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=bias)  # (B, residue, H, residue, E)
        # (B, residue, residue, H*E)
        y = y.transpose(2, 3).flatten(-2) * torch.sigmoid(self.output_gate(x2))
        return self.output(y).transpose(1, 2)  # (B, residue, residue, Dp)


class FeedForward2(nn.Module):
    """Two linear layers with ReLU between them (Vaswani et al. 2017, arXiv:1706.03762)."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.up = nn.Linear(config.pair_d_model, 4 * config.pair_d_model)
        self.down = nn.Linear(4 * config.pair_d_model, config.pair_d_model)

    def forward(self, x: Tensor) -> Tensor:
        return self.down(F.relu(self.up(x)))  # (B, residue, residue, Dp)


class Block(nn.Module):
    """A layer with a norm before each branch (Xiong et al. 2020, arXiv:2002.04745)."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.attention1_norm = nn.LayerNorm(config.msa_d_model, config.eps)
        self.attention1 = Attention1(config)
        self.attention2_norm = nn.LayerNorm(config.msa_d_model, config.eps)
        self.attention2 = Attention2(config)
        self.feed_forward1_norm = nn.LayerNorm(config.msa_d_model, config.eps)
        self.feed_forward1 = FeedForward1(config)
        self.outer_product_mean_norm = nn.LayerNorm(config.msa_d_model, config.eps)
        self.outer_product_mean = OuterProductMean(config)
        self.triangle_multiplication1_norm = nn.LayerNorm(config.pair_d_model, config.eps)
        self.triangle_multiplication1 = OutgoingTriangleMultiplication(config)
        self.triangle_multiplication2_norm = nn.LayerNorm(config.pair_d_model, config.eps)
        self.triangle_multiplication2 = IncomingTriangleMultiplication(config)
        self.attention3_norm = nn.LayerNorm(config.pair_d_model, config.eps)
        self.attention3 = Attention3(config)
        self.attention4_norm = nn.LayerNorm(config.pair_d_model, config.eps)
        self.attention4 = Attention4(config)
        self.feed_forward2_norm = nn.LayerNorm(config.pair_d_model, config.eps)
        self.feed_forward2 = FeedForward2(config)

    def forward(self, msa: Tensor, pair: Tensor) -> tuple[Tensor, Tensor]:
        msa = msa + self.attention1(self.attention1_norm(msa), pair)
        msa = msa + self.attention2(self.attention2_norm(msa))
        msa = msa + self.feed_forward1(self.feed_forward1_norm(msa))
        pair = pair + self.outer_product_mean(self.outer_product_mean_norm(msa))
        pair = pair + self.triangle_multiplication1(self.triangle_multiplication1_norm(pair))
        pair = pair + self.triangle_multiplication2(self.triangle_multiplication2_norm(pair))
        pair = pair + self.attention3(self.attention3_norm(pair))
        pair = pair + self.attention4(self.attention4_norm(pair))
        pair = pair + self.feed_forward2(self.feed_forward2_norm(pair))
        return msa, pair


class Evoformer(nn.Module):
    """A stack of several streams. It returns the hidden states of each."""

    def __init__(self, config: Config | None = None) -> None:
        super().__init__()
        self.config = config = config or Config()
        self.layers = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.init_weights()

    def init_weights(self) -> None:
        """Norms to identity, biases to 0, rest normal(0, std)."""
        for name, weight in self.named_parameters():
            if name.endswith(("norm.weight", "bias")):
                nn.init.constant_(weight, 1.0 if name.endswith("norm.weight") else 0.0)
            else:
                nn.init.normal_(weight, std=self.config.init_std)

    def hidden_states(self, msa: Tensor, pair: Tensor) -> tuple[Tensor, Tensor]:
        """Hidden states of each stream."""
        check_vectors(("B", "sequence", "residue", self.config.msa_d_model), msa=msa)
        check_vectors(("B", "residue", "residue", self.config.pair_d_model), pair=pair)
        check_lengths("batch", msa.size(0), pair.size(0))
        check_lengths("residue", msa.size(2), pair.size(1), pair.size(2))
        for block in self.layers:
            msa, pair = block(msa, pair)
        return msa, pair

    def forward(self, msa: Tensor, pair: Tensor) -> dict[str, Tensor]:
        """Final hidden states of each stream."""
        msa, pair = self.hidden_states(msa, pair)
        return {"msa": msa, "pair": pair}


# sha256 of the above: 1c098869e1a355693307ff0f4bebd2e9648c67e54bf29e5b40629542b506f5d2
