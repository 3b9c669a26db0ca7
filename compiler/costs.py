"""The costs of a model as data; `report` computes them, `report_text` prints them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any

from .count import Attend
from .layer_rows import LayerRow
from .weight_rows import WeightRow

BYTES = {"float64": 8, "float32": 4, "bfloat16": 2, "float16": 2}
TRAINING = 3
LAYER_PARTS = ("attention", "feed_forward", "norm", "other")
LETTERS = {
    "B": "batch",
    "T": "new tokens",
    "S": "tokens seen so far",
    "M": "tokens of the memory",
    "Tg": "queries of global tokens",
    "Q": "chunks of 96 tokens",
    "P": "pairs of tokens in the same chunk",
    "C": "tokens of the longest chunk",
    "W": "1 if there are several chunks, else 0",
}


@dataclass(frozen=True)
class Activations:
    """Bytes that a training step saves for the backward pass, including the loss.

    cpu           with the kernels of the CPU; tested against autograd's saved tensors
    gpu           with fused attention kernels and boolean dropout masks; an estimate
    checkpointed  on the CPU, for a file built with `--gradient-checkpointing`
    recomputed    in addition to `checkpointed`, while one layer of the largest kind is recomputed
    """

    cpu: int
    gpu: int
    checkpointed: int
    recomputed: int


@dataclass(frozen=True)
class Decoding:
    """One decoding step: one new token per sequence, after which `cache_length` tokens are cached.

    flops         over all cached keys, whatever the mask
    weight_bytes  bytes of weights that are read; with experts, the expected number (see `Step`)
    cache_bytes   bytes of the cache that are read
    exact         False if `weight_bytes` depends on which experts are chosen
    """

    cache_length: int
    flops: float
    weight_bytes: int
    cache_bytes: int
    exact: bool


@dataclass(frozen=True)
class Costs:
    """The costs of one model at one batch size, sequence length and dtype.

    sequence            tokens of each stack (T = S = M), except stacks that read an image
    weights             number of parameters by part; tied and shared ones once
    weight_rows         every weight by its logical name; those of layers once (see `WeightRow`)
    layer_rows          every module by its name, each kind of layer once (see `LayerRow`),
                        computed on first access
    weights_active      parameters used for one token: without the experts that it does not choose
    flops               of one forward pass, by part, without masked scores
    flops_dense         of one forward pass, with every score that the emitted file computes
    flops_formula       of one forward pass that computes all scores, in B, T, S and M
    attention_flops     of scores and weighted sums only, without masked scores
    attention_formula   of all scores and weighted sums, in B, T, S and M
    density             fraction of allowed pairs, for each distinct mask
    activations         bytes saved for the backward pass (see `kept.kept_by_training`)
    cache_bytes         size of the cache, with cross-attention, after `sequence` tokens
    decoding            one step with a cache of `sequence` tokens; None without a cache
    computed            for each of `attends`, the share of all scores that its kernel computes
    computed_by_head    the same for each of its groups of heads; empty if they have one mask
    """

    name: str
    stacks: tuple[str, ...]  # one line about each stack
    batch: int
    sequence: int
    dtype: str
    weights: dict[str, int]
    weight_rows: tuple[WeightRow, ...]
    _layer_rows: Callable[[], tuple[LayerRow, ...]] = field(repr=False, compare=False)
    weights_active: int
    flops: dict[str, float]
    flops_dense: float
    flops_formula: str
    attention_flops: float
    attention_formula: str
    density: dict[str, float]
    activations: Activations
    cache_bytes: int
    decoding: Decoding | None
    attends: tuple[Attend, ...]
    computed: tuple[float, ...]
    computed_by_head: tuple[tuple[float, ...], ...]

    @property
    def weights_total(self) -> int:
        return sum(self.weights.values())

    @property
    def layer_weights(self) -> int:
        """Parameters of the layers: without embeddings, positions and heads."""
        return sum(self.weights.get(part, 0) for part in LAYER_PARTS)

    @property
    def activation_bytes(self) -> int:
        """Bytes that a training step saves, with the kernels of the CPU."""
        return self.activations.cpu

    @property
    def weights_bytes(self) -> int:
        return self.weights_total * BYTES[self.dtype]

    @property
    def forward(self) -> float:
        """FLOPs of a forward pass of the whole batch."""
        return sum(self.flops.values())

    @cached_property
    def layer_rows(self) -> tuple[LayerRow, ...]:
        return self._layer_rows()

    def to_json(self, *, layers: bool = True) -> dict[str, Any]:
        """The report as plain data, with the costs of modules or not; densities are fractions."""
        return {
            "name": self.name,
            "batch": self.batch,
            "sequence": self.sequence,
            "dtype": self.dtype,
            "weights": {
                "total": self.weights_total,
                "active": self.weights_active,
                "parts": self.weights,
                "layers": self.layer_weights,
                "bytes": self.weights_bytes,
                "rows": [row.to_json() for row in self.weight_rows],
            },
            "flops": {
                "forward": round(self.forward),
                "training": round(TRAINING * self.forward),
                "per_token": round(self.forward / (self.batch * self.sequence)),
                "parts": {part: round(flops) for part, flops in self.flops.items()},
                "forward_dense": round(self.flops_dense),
                "formula": self.flops_formula,
            },
            **({"layers": [row.to_json() for row in self.layer_rows]} if layers else {}),
            "activation_bytes": self.activation_bytes,
            "activations": asdict(self.activations),
            "cache_bytes": self.cache_bytes,
            "decoding": None if self.decoding is None else asdict(self.decoding),
            "attention": {
                "flops": round(self.attention_flops),
                "formula": self.attention_formula,
                "density": self.density,
                "kernels": [
                    _kernel(attend, share, shares)
                    for attend, share, shares in zip(
                        self.attends, self.computed, self.computed_by_head, strict=True
                    )
                ],
            },
        }


def _kernel(attend: Attend, share: float, shares: tuple[float, ...]) -> dict[str, Any]:
    return {
        "scope": attend.scope,
        "layers": list(attend.layers),
        "mask": attend.formula,
        "kernel": attend.kernel,
        "scores": share,
        "reason": attend.reason,
        "lacks": attend.lacks,
        "heads": [
            {
                "first": each.group.first,
                "last": each.group.last,
                "mask": each.formula,
                "tiles": each.tiles,
                "scores": part,
                "reason": each.reason,
                "lacks": each.lacks,
            }
            for each, part in zip(attend.groups, shares, strict=True)
        ],
    }
