"""Lower bounds of time on this machine: the matrix products of a model alone."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .measure import Candidate


def products(model: nn.Module, rows: list[int], head_rows: list[int]) -> Candidate:
    """Call every linear layer of a model once per entry of `rows`, the head per `head_rows`.

    A head that is tied to the token embedding is found by its shape. The matrix products of
    attention and all other work are left out.
    """
    layers = [layer for layer in model.modules() if isinstance(layer, nn.Linear)]
    table = next((m for m in model.modules() if isinstance(m, nn.Embedding)), None)
    vocab = table.num_embeddings if table is not None else 0
    heads = [layer for layer in layers if layer.out_features == vocab]
    inner = [(layer.weight, layer.bias) for layer in layers if layer not in heads]
    if heads:
        outer: list[tuple[Tensor, Tensor | None]] = [(heads[0].weight, heads[0].bias)]
    else:
        outer = [(table.weight, None)] if table is not None and head_rows else []
    width = {weight.size(1) for weight, _ in [*inner, *outer]}
    dtype = next(model.parameters()).dtype
    given = {(n, w): torch.randn(1, n, w, dtype=dtype) for n in {*rows, *head_rows} for w in width}

    @torch.inference_mode()
    def run() -> None:
        for n in rows:
            for weight, bias in inner:
                F.linear(given[n, weight.size(1)], weight, bias)
        for n in head_rows:
            for weight, bias in outer:
                F.linear(given[n, weight.size(1)], weight, bias)

    return run


def matrix_rate(dtype: torch.dtype, size: int = 1536, rounds: int = 7) -> float:
    """FLOP/s of a square matrix product, the best of several runs."""
    import time

    a, b = torch.randn(size, size, dtype=dtype), torch.randn(size, size, dtype=dtype)
    best = float("inf")
    for _ in range(rounds):
        start = time.perf_counter()
        torch.mm(a, b)
        best = min(best, time.perf_counter() - start)
    return 2 * size**3 / best


def read_rate(megabytes: int = 512, rounds: int = 7) -> float:
    """Bytes per second at which memory is read, the best of several runs."""
    import time

    block = torch.ones(megabytes * 2**18)
    best = float("inf")
    for _ in range(rounds):
        start = time.perf_counter()
        block.sum()
        best = min(best, time.perf_counter() - start)
    return block.nbytes / best
