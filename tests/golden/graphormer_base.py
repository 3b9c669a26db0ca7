"""graphormer_base: a 12-layer encoder-only transformer, in one file (PyTorch >= 2.5).

Written by modelwright 0.1.0 from graphormer_base.yaml (sha256 2169939011c7). To rebuild it:
    modelwright build graphormer_base.yaml -o graphormer_base.py

    part                               weights
    token_embedding                  3,539,712
    in_degree_embedding                393,216
    out_degree_embedding               393,216
    layer x12                       42,559,488
    spatial_pos_bias                    16,384
    edge_input_embedding                49,184
    edge_input_places                    5,120
    head.output                          1,538
    total                           46,957,858

Shapes:  B batch  T tokens  D d_model  H heads  E head_dim  W width of the token embedding
         C classes
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F


@dataclass(frozen=True)
class Config:
    """Hyperparameters of the model. The defaults are those of the spec."""

    d_model: int = 768
    vocab_size: int = 4609
    in_degree_entries: int = 512
    out_degree_entries: int = 512
    dropout: float = 0.1
    layers: int = 12
    eps: float = 1e-5
    heads: int = 32
    spatial_pos_entries: int = 512
    max_distance: int = 5
    edge_input_entries: int = 1536
    d_ff: int = 768
    classes: int = 2
    init_std: float = 0.02

    def __post_init__(self) -> None:
        for name, size in vars(self).items():
            if type(vars(Config)[name]) is int and (type(size) is not int or size < 1):
                raise ValueError(f"{name} must be an int of at least 1: {self}")
        if not (0 <= self.dropout < 1 and self.eps >= 0 and self.init_std >= 0):
            raise ValueError(f"dropout must be in [0, 1), eps and init_std >= 0: {self}")
        if self.d_model % self.heads:
            raise ValueError(f"heads ({self.heads}) must divide d_model ({self.d_model})")


def check_shapes(shape: tuple[int, ...], **given: Tensor | None) -> None:
    """Check shapes and integer dtypes. Masks may be bool; positions may have a single row."""
    for name, x in [(name, x) for name, x in given.items() if x is not None]:
        kind, size = ("int or bool", 1) if name.endswith("mask") else ("int64", 4)  # min. bytes
        shapes = [shape, (1, *shape[1:]), shape[1:]] if name.endswith("position_ids") else [shape]
        if x.shape not in shapes or x.is_floating_point() or x.element_size() < size:
            raise ValueError(f"{name} must be {kind} {shape}, not {x.dtype} {(*x.shape,)}")


def path_bias(vectors: Tensor, edges: Tensor, weight: Tensor) -> Tensor:
    """Mean over a path's edges of vector . weight[place], (B, H, T, T); 0 for paths without edges.

    Ying et al. 2021, arXiv:2106.05234, eq. 7. vectors: (B, T, T, N, W) of the edges (B, T, T, N),
    which are 0 after the end of the path; weight: (N, W, H).
    """
    there = edges > 0
    vectors = vectors * there[..., None]
    total = torch.einsum("bqknw,nwh->bhqk", vectors, weight)
    return total / there.sum(-1).clamp(min=1)[:, None]


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

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        q = self.query(x).unflatten(-1, (-1, self.head_dim)).transpose(1, 2)  # (B, H, T, E)
        k = self.key(x).unflatten(-1, (-1, self.head_dim)).transpose(1, 2)  # (B, H, T, E)
        v = self.value(x).unflatten(-1, (-1, self.head_dim)).transpose(1, 2)  # (B, H, T, E)
        dropout = self.dropout if self.training else 0.0
        # (B, H, T, E)
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=bias, dropout_p=dropout)
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
    """A layer with a norm before each branch (Xiong et al. 2020, arXiv:2002.04745)."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(config.d_model, config.eps)
        self.attention = Attention(config)
        self.dropout = nn.Dropout(config.dropout)
        self.feed_forward_norm = nn.LayerNorm(config.d_model, config.eps)
        self.feed_forward = FeedForward(config)

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        x = x + self.dropout(self.attention(self.attention_norm(x), bias))
        return x + self.dropout(self.feed_forward(self.feed_forward_norm(x)))


class Classifier(nn.Module):
    """Classifier: a logit for each class."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.dropout = nn.Dropout(config.dropout)
        self.output = nn.Linear(config.d_model, config.classes)

    def forward(self, x: Tensor) -> Tensor:
        x = x[:, 0]  # (B, D)
        return self.output(self.dropout(x))  # (B, C)


class GraphormerBase(nn.Module):
    """A classifier. Its head returns a logit per class for each sequence."""

    def __init__(self, config: Config | None = None) -> None:
        super().__init__()
        self.config = config = config or Config()
        self.token_embedding = nn.Embedding(config.vocab_size, config.d_model)
        self.in_degree_embedding = nn.Embedding(config.in_degree_entries, config.d_model)
        self.out_degree_embedding = nn.Embedding(config.out_degree_entries, config.d_model)
        self.dropout = nn.Dropout(config.dropout)
        self.spatial_pos_bias = nn.Embedding(config.spatial_pos_entries, config.heads)
        self.edge_input_embedding = nn.Embedding(config.edge_input_entries + 1, config.heads)
        self.edge_input_places = nn.Parameter(
            torch.empty(config.max_distance, config.heads, config.heads)
        )
        self.layers = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.head = Classifier(config)
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
        node_ids: Tensor,
        spatial_pos: Tensor,
        edge_input: Tensor,
        node_attention_mask: Tensor | None = None,
        in_degree: Tensor | None = None,
        out_degree: Tensor | None = None,
    ) -> Tensor:
        """Hidden states (B, T, D) of `node_ids` (B, T)."""
        batch, length = (1, 1, *node_ids.shape)[-2:]  # check_shapes rejects other ranks
        check_shapes((batch, length), node_ids=node_ids, node_attention_mask=node_attention_mask)
        check_shapes((batch, length), in_degree=in_degree, out_degree=out_degree)
        check_shapes((batch, length, length), spatial_pos=spatial_pos)
        check_shapes((batch, length, length, self.config.max_distance), edge_input=edge_input)
        if length == 0:
            raise ValueError("node_ids has no tokens; at least one is needed")
        if in_degree is None:
            in_degree = torch.zeros_like(node_ids)
        x = self.token_embedding(node_ids) + self.in_degree_embedding(in_degree)  # (B, T, D)
        if out_degree is None:
            out_degree = torch.zeros_like(node_ids)
        x = self.dropout(x + self.out_degree_embedding(out_degree))
        spatial_pos_bias = self.spatial_pos_bias(spatial_pos).permute(0, 3, 1, 2)  # (B, H, T, T)
        edge_input_bias = path_bias(
            self.edge_input_embedding(edge_input), edge_input, self.edge_input_places
        )  # (B, H, T, T)
        bias = spatial_pos_bias + edge_input_bias  # (B, H, T, T)
        # (B, 1, 1, T): True at tokens that are not padding
        mask = None if node_attention_mask is None else node_attention_mask.bool()[:, None, None, :]
        bias = bias if mask is None else bias.masked_fill(~mask, -torch.inf)
        for block in self.layers:
            x = block(x, bias)
        return x

    def forward(
        self,
        node_ids: Tensor,
        spatial_pos: Tensor,
        edge_input: Tensor,
        node_attention_mask: Tensor | None = None,
        in_degree: Tensor | None = None,
        out_degree: Tensor | None = None,
    ) -> Tensor:
        """Logits of the classes (B, C) for `node_ids` (B, T)."""
        x = self.hidden_states(
            node_ids, spatial_pos, edge_input, node_attention_mask, in_degree, out_degree
        )  # (B, T, D)
        return self.head(x)  # (B, C)

    @staticmethod
    def loss(logits: Tensor, labels: Tensor) -> Tensor:
        """Mean cross-entropy of the labels; -100 in `labels` is ignored."""
        logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
        return F.cross_entropy(logits.flatten(0, -2), labels.flatten())


# sha256 of the above: ca9f81d014f81250a9ea75389051415925bc7a8365a8763df1366750b6e1858e
