"""GPT-2 and BERT written by hand for speed: fused projections, few modules.

Emitted models are compared with them. The architecture is that of the papers (GPT-2:
Radford et al., 2019; BERT: Devlin et al., 2018, arXiv:1810.04805).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Memory:
    """Key-value cache of all layers: two tensors, allocated once."""

    def __init__(self, *shape: int, like: Tensor) -> None:
        self.keys = like.new_empty(shape)  # layers, batch, heads, capacity, width
        self.values = like.new_empty(shape)
        self.length = 0

    def extend(self, layer: int, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        end = self.length + k.size(2)
        self.keys[layer, :, :, self.length : end] = k
        self.values[layer, :, :, self.length : end] = v
        return self.keys[layer, :, :, :end], self.values[layer, :, :, :end]


class GptBlock(nn.Module):
    def __init__(self, d_model: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.norm_1 = nn.LayerNorm(d_model)
        self.qkv = nn.Linear(d_model, 3 * d_model)
        self.out = nn.Linear(d_model, d_model)
        self.norm_2 = nn.LayerNorm(d_model)
        self.up = nn.Linear(d_model, 4 * d_model)
        self.down = nn.Linear(4 * d_model, d_model)
        self.drop = nn.Dropout(dropout)

    def forward(self, x: Tensor, layer: int, memory: Memory | None) -> Tensor:
        B, T, D = x.shape
        q, k, v = self.qkv(self.norm_1(x)).split(D, dim=2)
        q = q.view(B, T, self.heads, -1).transpose(1, 2)
        k = k.view(B, T, self.heads, -1).transpose(1, 2)
        v = v.view(B, T, self.heads, -1).transpose(1, 2)
        if memory is not None:
            k, v = memory.extend(layer, k, v)
        dropout = self.dropout if self.training else 0.0
        y = F.scaled_dot_product_attention(q, k, v, dropout_p=dropout, is_causal=T > 1)
        x = x + self.drop(self.out(y.transpose(1, 2).reshape(B, T, D)))
        return x + self.drop(self.down(F.gelu(self.up(self.norm_2(x)), approximate="tanh")))


class Gpt2(nn.Module):
    """GPT-2, 124M. The cache may contain a prompt; then tokens are added one at a time."""

    def __init__(
        self,
        vocab_size: int = 50257,
        positions: int = 1024,
        d_model: int = 768,
        layers: int = 12,
        heads: int = 12,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        self.heads = heads
        self.tokens = nn.Embedding(vocab_size, d_model)
        self.positions = nn.Embedding(positions, d_model)
        self.drop = nn.Dropout(dropout)
        self.blocks = nn.ModuleList(GptBlock(d_model, heads, dropout) for _ in range(layers))
        self.norm = nn.LayerNorm(d_model)

    def forward(self, ids: Tensor, memory: Memory | None = None, last: bool = False) -> Tensor:
        start = 0 if memory is None else memory.length
        places = torch.arange(start, start + ids.size(1))
        x = self.drop(self.tokens(ids) + self.positions(places))
        for layer, block in enumerate(self.blocks):
            x = block(x, layer, memory)
        if memory is not None:
            memory.length += ids.size(1)
        x = self.norm(x[:, -1:] if last else x)
        return F.linear(x, self.tokens.weight)

    @torch.inference_mode()
    def generate(self, ids: Tensor, new: int) -> Tensor:
        """Greedy decoding."""
        width = self.norm.normalized_shape[0] // self.heads
        shape = len(self.blocks), len(ids), self.heads, ids.size(1) + new, width
        memory = Memory(*shape, like=self.tokens.weight)
        step = ids
        for _ in range(new):
            step = self(step, memory, last=True)[:, -1].argmax(-1, keepdim=True)
            ids = torch.cat([ids, step], dim=1)
        return ids


class BertBlock(nn.Module):
    def __init__(self, d_model: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.qkv = nn.Linear(d_model, 3 * d_model)
        self.out = nn.Linear(d_model, d_model)
        self.norm_1 = nn.LayerNorm(d_model, eps=1e-12)
        self.up = nn.Linear(d_model, 4 * d_model)
        self.down = nn.Linear(4 * d_model, d_model)
        self.norm_2 = nn.LayerNorm(d_model, eps=1e-12)
        self.drop = nn.Dropout(dropout)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        B, T, D = x.shape
        q, k, v = self.qkv(x).split(D, dim=2)
        q = q.view(B, T, self.heads, -1).transpose(1, 2)
        k = k.view(B, T, self.heads, -1).transpose(1, 2)
        v = v.view(B, T, self.heads, -1).transpose(1, 2)
        dropout = self.dropout if self.training else 0.0
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, dropout_p=dropout)
        x = self.norm_1(x + self.drop(self.out(y.transpose(1, 2).reshape(B, T, D))))
        return self.norm_2(x + self.drop(self.down(F.gelu(self.up(x)))))


class Bert(nn.Module):
    """BERT, base, with its pooler: (B, D)."""

    def __init__(
        self,
        vocab_size: int = 30522,
        positions: int = 512,
        d_model: int = 768,
        layers: int = 12,
        heads: int = 12,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        self.tokens = nn.Embedding(vocab_size, d_model)
        self.types = nn.Embedding(2, d_model)
        self.positions = nn.Embedding(positions, d_model)
        self.norm = nn.LayerNorm(d_model, eps=1e-12)
        self.drop = nn.Dropout(dropout)
        self.blocks = nn.ModuleList(BertBlock(d_model, heads, dropout) for _ in range(layers))
        self.pool = nn.Linear(d_model, d_model)

    def forward(self, ids: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        x = self.tokens(ids) + self.types.weight[0] + self.positions.weight[: ids.size(1)]
        x = self.drop(self.norm(x))
        mask = None if attention_mask is None else attention_mask.bool()[:, None, None, :]
        for block in self.blocks:
            x = block(x, mask)
        return torch.tanh(self.pool(x[:, 0]))
