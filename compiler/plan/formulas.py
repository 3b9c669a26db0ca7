"""The formulas of a plan and where they were published."""

from __future__ import annotations

FORMULAS = (
    (
        "training FLOPs",
        "3 x forward: matrix products, without masked scores",
        "Kaplan et al. 2020, arXiv:2001.08361, section 2.1",
    ),
    (
        "6 N D",
        "6 x weights used per token x tokens",
        "Kaplan et al. 2020; Chowdhery et al. 2022, arXiv:2204.02311, appendix B, adds attention",
    ),
    (
        "weights, gradients",
        "4 P each; P: weights of a device, 1 / (n t) of those that are divided",
        "Rajbhandari et al. 2020, arXiv:1910.02054, section 3; t: Shoeybi et al. 2019",
    ),
    (
        "optimizer",
        "8 P for AdamW; 4 P for matrices of Muon",
        "Rajbhandari et al. 2020; Jordan et al. 2024",
    ),
    (
        "activations",
        "saved tensors of each op (as `inspect`), 1 / t of those between divided layers",
        "Korthikanti et al. 2022, arXiv:2205.05198, section 4",
    ),
    (
        "working",
        "FSDP: 2 (P_other + P_layer) + P_layer gathered numbers; others: weights in bfloat16",
        "Zhao et al. 2023, arXiv:2304.11277",
    ),
    (
        "all-reduce of X bytes",
        "2 (n - 1) / n X sent per device; all-gather, reduce-scatter: (n - 1) / n X",
        "Patarasuk & Yuan 2009, J. Parallel Distrib. Comput. 69(2)",
    ),
    (
        "tensor parallelism",
        "an all-reduce after each attention and feed-forward, and of their input gradients",
        "Shoeybi et al. 2019, arXiv:1909.08053, section 3",
    ),
    (
        "step time",
        "max(FLOPs / (mfu x peak), bytes / memory bandwidth, overlapped communication) + waiting",
        "Williams, Waterman & Patterson 2009, CACM 52(4)",
    ),
    (
        "recomputation",
        "4 x forward; activations: inputs of layers, and one layer",
        "Chen et al. 2016, arXiv:1604.06174",
    ),
)
"""Quantity, formula, source."""
