"""Placeholder for the file that `modelwright build` writes: a bigram language model."""

from __future__ import annotations

from torch import Tensor, nn


class Model(nn.Module):
    """Predicts the next token from the last one only."""

    def __init__(self, vocab_size: int = 256, d_model: int = 16) -> None:
        super().__init__()
        self.token_embedding = nn.Embedding(vocab_size, d_model)
        self.dropout = nn.Dropout(0.1)
        self.layers = nn.ModuleList([nn.Linear(d_model, d_model)])
        self.head = nn.Linear(d_model, vocab_size)

    def forward(self, input_ids: Tensor) -> Tensor:
        """Logits (B, T, vocab_size) for ids (B, T)."""
        x: Tensor = self.token_embedding(input_ids)
        for layer in self.layers:
            x = x + self.dropout(layer(x).tanh())
        logits: Tensor = self.head(x)
        return logits
