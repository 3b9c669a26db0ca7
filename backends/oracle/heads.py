"""Output heads."""

from collections.abc import Callable
from typing import Any

import numpy as np

from ...spec.embedding import Patches, interleaved
from ...spec.head import (
    Classifier,
    Contrastive,
    DenseTransform,
    LanguageModel,
    Maxout,
    PatchesHead,
    ProjectionHead,
)
from ...spec.model import ModelSpec
from ...spec.part import Nothing
from .context import Memory, Tokens
from .inputs import length_of, sources_of, table_of
from .pointwise import activate, normalize, softmax
from .scores import softcapped, unit
from .weights import Array, Weights

Hidden = dict[str, list[Memory]]
"""Stack -> its output for each sequence of the batch."""


def language_model(
    spec: ModelSpec, head: LanguageModel, weights: Weights, own: Weights, row: Memory
) -> Array:
    """Logits, (T, V): softcap(scale · (W h + b)).

    Tied: Press and Wolf, 2016 (arXiv:1608.05859). Transform: Devlin et al., 2018, their code.
    """
    scale, width = head.input_scale, spec.stacks[str(head.stack)].d_model
    x = row.x * (width**-0.5 if scale == "1/sqrt_d_model" else scale)
    table = table_of(spec, weights, str(head.stack)) if head.tied else None
    if isinstance(head.transform, DenseTransform):
        x = transformed(head.transform, own, x, None if table is None else table.shape[1])
    if isinstance(head.transform, Maxout):
        x = maxout(head.transform, own, x)
    inner = own
    if table is None:
        assert head.vocab_size is not None
        inner = own if isinstance(head.transform, Nothing) else own.below("output")
        table = inner("weight", head.vocab_size, x.shape[-1])
    scores: Array = x @ table.T
    if head.bias:
        scores = scores + inner("bias", len(table))
    return softcapped(head.softcap, scores * head.scale)


def transformed(part: DenseTransform, own: Weights, x: Array, table: int | None) -> Array:
    """(linear, activation,) linear, activation, norm."""
    width = part.width or table or x.shape[-1]
    if part.inner is not None:
        x = activate(part.activation, own.linear("inner", x, part.inner, bias=part.bias))
    x = activate(part.activation, own.linear("dense", x, width, bias=part.bias))
    return normalize(part.norm, own, "norm", x)


def maxout(part: Maxout, own: Weights, x: Array) -> Array:
    """t_j = max(u_2j-1, u_2j) of u = U x + b (Goodfellow et al., 2013, arXiv:1302.4389, section 3;
    Bahdanau et al., 2014, arXiv:1409.0473, appendix A.2.2).
    """
    y = own.linear("dense", x, 2 * part.hidden, bias=part.bias)
    return np.maximum(y[..., ::2], y[..., 1::2])


def classifier(head: Classifier, own: Weights, row: Memory) -> Array:
    """pool, norm, (linear, activation, norm,) dropout, linear."""
    x = pooled(head.pool, own, "pool_score", row)
    if head.pooled_norm:
        x = normalize(head.norm, own, "norm", x)
    if head.hidden is not None:
        x = activate(head.activation, own.linear("dense", x, head.hidden, bias=head.hidden_bias))
    if head.hidden_norm:
        x = normalize(head.norm, own, "hidden_norm", x)
    x = row.tokens.dropped(x, head.dropout)
    return own.linear("output", x, head.classes, bias=head.bias)


def projection(spec: ModelSpec, head: ProjectionHead, own: Weights, row: Memory) -> Array:
    """pool or places of one input, hidden layers, linear, activation, length 1."""
    x = pooled(head.pool, own, "pool_score", row)
    if (names := interleaved(spec.stacks, str(head.stack))) and head.places_of:
        x = x[names.index(head.places_of) :: len(names)]
    for i, width in enumerate(head.hidden, start=1):
        x = activate(head.hidden_activation, own.linear(f"hidden{i}", x, width, bias=head.bias))
    x = activate(head.activation, own.linear("dense", x, head.size, bias=head.bias))
    return unit(x) if head.normalize else x


def contrastive(head: Contrastive, own: Weights, hidden: Hidden) -> Array:
    """exp(t) · cosine (+ b), (B, B): Radford et al., 2021, arXiv:2103.00020, figure 3; the bias:
    Zhai et al., 2023, arXiv:2303.15343, algorithm 1.
    """
    sides = []
    for name, tower in head.towers.items():
        x = np.stack([pooled(tower.pool, own, f"{name}_pool_score", row) for row in hidden[name]])
        sides.append(unit(own.linear(name, x, head.size, bias=head.bias) if tower.project else x))
    pairs = [left @ right.T for i, left in enumerate(sides) for right in sides[i + 1 :]]
    scores: Array = np.exp(own("scale", 1)) * (pairs[0] if len(pairs) == 1 else np.stack(pairs))
    return scores + own("bias", 1) if head.loss == "sigmoid" else scores


def run_head(spec: ModelSpec, name: str, weights: Weights, inputs: Any, hidden: Hidden) -> Array:
    """The output of a head for the whole batch."""
    head, own = spec.heads[name], weights.below(name)
    if isinstance(head, Contrastive):
        return contrastive(head, own, hidden)
    rows = hidden[str(getattr(head, "stack", ""))]
    if isinstance(head, LanguageModel):
        return np.stack([language_model(spec, head, weights, own, row) for row in rows])
    if isinstance(head, Classifier):
        return np.stack([classifier(head, own, row) for row in rows])
    if isinstance(head, PatchesHead):
        return np.stack([drawn(spec, head, own, inputs, hidden, i) for i in range(len(rows))])
    assert isinstance(head, ProjectionHead)
    return np.stack([projection(spec, head, own, row) for row in rows])


def drawn(spec: ModelSpec, head: Any, own: Weights, inputs: Any, hidden: Hidden, i: int) -> Array:
    """(channels, H, W) from the tokens (Peebles and Xie, 2022, arXiv:2212.09748, section 3.2)."""
    sources, x = sources_of(spec, head.stack), hidden[head.stack][i].x
    image, *later = sources[[isinstance(one, Patches) for one in sources].index(True) :]
    size, (rows, columns) = image.patch_size, image.grid
    end = len(x) - sum(length_of(one, inputs, i, hidden) for one in later)
    tokens = x[end - rows * columns : end]
    pixels = own.linear("output", tokens, size * size * head.channels, bias=head.bias)
    patches = pixels.reshape(rows, columns, size, size, head.channels)
    whole = [np.concatenate(list(line), axis=1) for line in patches]
    return np.moveaxis(np.concatenate(whole, axis=0), -1, 0)


def mean(pool: Any, tokens: Tokens, x: Array) -> Array:
    """Mean over real tokens, without the first `skip`."""
    return x[tokens.admitted & (tokens.index >= pool.skip)].mean(axis=0)


POOLS: dict[str, Callable[[Any, Tokens, Array], Array]] = {
    # token 0 even if it is padding; for several tokens the mean, or the concatenation
    "first": lambda pool, tokens, x: (
        x[: pool.tokens].ravel() if pool.joined else x[: pool.tokens].mean(axis=0)
    ),
    "last": lambda pool, tokens, x: x[tokens.admitted][-1],
    "mean": mean,
    "first_and_mean": lambda pool, tokens, x: np.concatenate([x[0], mean(pool, tokens, x)]),
    "max": lambda pool, tokens, x: x[tokens.admitted].max(axis=0),
    # first index of an id; 0 if it does not occur, as in CLIP's argmax
    "token": lambda pool, tokens, x: x[int(np.argmax(tokens.ids == pool.id))],
}
"""Type of a pool -> function from (T, D) to (D,) or wider."""


def pooled(pool: Any, weights: Weights, name: str, row: Memory) -> Array:
    """One vector per sequence; unchanged without a pool. name: weight of attention pooling."""
    if isinstance(pool, Nothing):
        return row.x
    if pool.type == "attention":
        scores = weights.linear(name, row.x, 1, bias=False)[:, 0]
        return softmax(np.where(row.tokens.admitted, scores, -np.inf)) @ row.x
    return POOLS[pool.type](pool, row.tokens, row.x)
