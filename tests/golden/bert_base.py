"""bert-base: a 12-layer encoder-only transformer, in one file (PyTorch >= 2.5).

Written by `modelwright build bert_base.yaml -o bert_base.py` (0.1.0, spec sha256 6955534535bc).

    part                               weights
    token_embedding                 23,440,896
    token_type_embedding                 1,536
    position_embedding                 393,216
    embedding_norm                       1,536
    layer x12                       85,054,464
    head.dense                         590,592
    total                          109,482,240

Shapes:  B batch  T tokens  D d_model  H heads  E head_dim  N projection size
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F


@dataclass(frozen=True)
class Config:
    """Hyperparameters of the model. The defaults are those of the spec."""

    d_model: int = 768
    max_positions: int = 512
    vocab_size: int = 30522
    token_types: int = 2
    eps: float = 1e-12
    dropout: float = 0.1
    layers: int = 12
    heads: int = 12
    d_ff: int = 3072
    projection_size: int = 768
    init_std: float = 0.02

    def __post_init__(self) -> None:
        for name, size in vars(self).items():
            if type(vars(Config)[name]) is int and (type(size) is not int or size < 1):
                raise ValueError(f"{name} must be an int of at least 1: {self}")
        if not (self.eps >= 0 and self.init_std >= 0 and 0 <= self.dropout < 1):
            raise ValueError(f"eps and init_std must be >= 0, dropout in [0, 1): {self}")
        if self.d_model % self.heads:
            raise ValueError(f"heads ({self.heads}) must divide d_model ({self.d_model})")


def check_shapes(shape: tuple[int, ...], **given: Tensor | None) -> None:
    """Check shapes and integer dtypes. Masks may be bool; positions may have a single row."""
    for name, x in [(name, x) for name, x in given.items() if x is not None]:
        kind, size = ("int or bool", 1) if name.endswith("mask") else ("int64", 4)  # min. bytes
        shapes = [shape, (1, *shape[1:]), shape[1:]] if name.endswith("position_ids") else [shape]
        if x.shape not in shapes or x.is_floating_point() or x.element_size() < size:
            raise ValueError(f"{name} must be {kind} {shape}, not {x.dtype} {(*x.shape,)}")


class Attention(nn.Module):
    """Multi-head attention (Vaswani et al. 2017, arXiv:1706.03762)."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.head_dim = config.d_model // config.heads
        self.dropout = config.dropout
        self.query = nn.Linear(config.d_model, config.d_model)
        self.key = nn.Linear(config.d_model, config.d_model)
        self.value = nn.Linear(config.d_model, config.d_model)
        self.output = nn.Linear(config.d_model, config.d_model)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        q = self.query(x).unflatten(-1, (-1, self.head_dim)).transpose(1, 2)  # (B, H, T, E)
        k = self.key(x).unflatten(-1, (-1, self.head_dim)).transpose(1, 2)  # (B, H, T, E)
        v = self.value(x).unflatten(-1, (-1, self.head_dim)).transpose(1, 2)  # (B, H, T, E)
        dropout = self.dropout if self.training else 0.0
        # (B, H, T, E)
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, dropout_p=dropout)
        return self.output(y.transpose(1, 2).flatten(-2))  # (B, T, D)


class FeedForward(nn.Module):
    """Two linear layers with GELU between them (Hendrycks, Gimpel 2016, arXiv:1606.08415)."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.up = nn.Linear(config.d_model, config.d_ff)
        self.down = nn.Linear(config.d_ff, config.d_model)

    def forward(self, x: Tensor) -> Tensor:
        return self.down(F.gelu(self.up(x)))  # (B, T, D)


class Block(nn.Module):
    """A layer with a norm after each sum (Vaswani et al. 2017, arXiv:1706.03762)."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.attention = Attention(config)
        self.dropout = nn.Dropout(config.dropout)
        self.attention_norm = nn.LayerNorm(config.d_model, config.eps)
        self.feed_forward = FeedForward(config)
        self.feed_forward_norm = nn.LayerNorm(config.d_model, config.eps)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        x = self.attention_norm(x + self.dropout(self.attention(x, mask)))
        return self.feed_forward_norm(x + self.dropout(self.feed_forward(x)))


class Pooler(nn.Module):
    """One vector per sequence, by its first token (Devlin et al. 2018, arXiv:1810.04805)."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.dense = nn.Linear(config.d_model, config.projection_size)

    def forward(self, x: Tensor) -> Tensor:
        x = x[:, 0]  # (B, D)
        return torch.tanh(self.dense(x))  # (B, N)


class BertBase(nn.Module):
    """An encoder. Its head returns one vector for each sequence."""

    def __init__(self, config: Config | None = None) -> None:
        super().__init__()
        self.config = config = config or Config()
        self.token_embedding = nn.Embedding(config.vocab_size, config.d_model)
        self.token_type_embedding = nn.Embedding(config.token_types, config.d_model)
        self.position_embedding = nn.Embedding(config.max_positions, config.d_model)
        self.embedding_norm = nn.LayerNorm(config.d_model, config.eps)
        self.dropout = nn.Dropout(config.dropout)
        self.layers = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.head = Pooler(config)
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
        token_type_ids: Tensor | None = None,
    ) -> Tensor:
        """Hidden states (B, T, D) of `input_ids` (B, T)."""
        batch, length = (1, 1, *input_ids.shape)[-2:]  # check_shapes rejects other ranks
        check_shapes((batch, length), input_ids=input_ids, attention_mask=attention_mask)
        check_shapes((batch, length), position_ids=position_ids, token_type_ids=token_type_ids)
        if length == 0:
            raise ValueError("input_ids has no tokens; at least one is needed")
        if length > self.config.max_positions:
            raise ValueError(f"{length} tokens, but max_positions is {self.config.max_positions}")
        if token_type_ids is None:
            token_type_ids = torch.zeros_like(input_ids)
        x = self.token_embedding(input_ids) + self.token_type_embedding(token_type_ids)  # (B, T, D)
        if position_ids is None:
            position_ids = torch.arange(length, device=input_ids.device)  # (T,)
        x = self.dropout(self.embedding_norm(x + self.position_embedding(position_ids)))
        # (B, 1, 1, T): True at tokens that are not padding
        mask = None if attention_mask is None else attention_mask.bool()[:, None, None, :]
        for block in self.layers:
            x = block(x, mask)
        return x

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        token_type_ids: Tensor | None = None,
    ) -> Tensor:
        """Vectors (B, N) for `input_ids` (B, T)."""
        x = self.hidden_states(input_ids, attention_mask, position_ids, token_type_ids)  # (B, T, D)
        return self.head(x)  # (B, N)


# sha256 of the above: df38891120a8b7d842c3e7e8adc1886c4cd1fe1f53145de9ed1fa8965a80e151
