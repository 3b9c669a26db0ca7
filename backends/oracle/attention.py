"""Multi-head and latent attention of one sequence."""

from typing import Any

import numpy as np

from ...spec.attention import LinearAttention, Mha, Mla
from ...spec.norm import RmsNorm
from ...spec.part import Nothing
from ...spec.positions import Rotary, Shaw
from .context import Layer, Memory
from .masks import global_rows, visible
from .pointwise import normalize, sigmoid, softmax, softplus
from .relative import pair_vectors
from .rotary import query_growth, rotated
from .scores import added, scale_of, scores, unit
from .weights import Array, Weights, has_bias

GATES = {"sigmoid": sigmoid, "softplus": softplus}


def clip(part: Mha, x: Array) -> Array:
    """Clamp on both sides (Groeneveld et al., 2024, arXiv:2402.00838)."""
    return x if part.clip_qkv == "none" else np.clip(x, -part.clip_qkv, part.clip_qkv)


def projected(part: Mha, weights: Weights, x: Array, name: str, heads: int, width: int) -> Array:
    """x W, normalised and clipped in the order of the spec: (T, H, E).

    name: `query` or `key`, with the suffix `_global` for global tokens. The norm is over each head
    (Henry et al., 2020, arXiv:2010.04245) or over the whole projection.
    """
    y = weights.linear(name, x, heads * width, bias=has_bias(part, name.split("_")[0]))
    rule, shape = part.qk_norm, (len(x), heads, width)
    if isinstance(rule, Nothing):
        return clip(part, y).reshape(shape)
    if not rule.before_clip:
        y = clip(part, y)
    if rule.type != "projection":
        y = y.reshape(shape)
    if not getattr(rule, "after_positions", False):
        y = normalize(rule.norm, weights, f"{name}_norm", y)
    return (clip(part, y) if rule.before_clip else y).reshape(shape)


def turned(layer: Layer, x: Array) -> Array:
    """(T, H, E) with rotary positions."""
    for position in layer.positions:
        if isinstance(position, Rotary):
            heads, longest = x.transpose(1, 0, 2), layer.stack.max_positions
            x = np.stack([rotated(position, layer.tokens, h, longest) for h in heads], axis=1)
    return x


def placed(layer: Layer, part: Mha, weights: Weights, x: Array, name: str) -> Array:
    """Queries or keys (T, H, E) with rotary positions, followed by an optional norm.

    For cosine scores they are normalised to length 1 first (Liu et al., 2021, arXiv:2111.09883, eq.
    2), so that factors of YaRN and temperature multiply the cosines.
    """
    if part.score == "cosine":
        x = unit(x)
    x = turned(layer, x)
    norm: Any = part.qk_norm
    if getattr(norm, "after_positions", False):
        x = normalize(norm.norm, weights, f"{name}_norm", x)
    return x


def taken(
    layer: Layer, part: Mha, weights: Weights, x: Array, source: Memory, suffix: str
) -> Array:
    """The attention output: (T, H, V).

    softmax(scores) values (Vaswani et al., 2017, arXiv:1706.03762, eq. 1). Key heads are shared by
    equal groups of query heads (Ainslie et al., 2023, arXiv:2305.13245). A sink is an additional
    score per head, without a value (Xiao et al., 2023, arXiv:2309.17453; learned in gpt-oss). With
    `zero`, e^score is divided by 1 + the sum over the keys (Miller, 2023).
    """
    heads, kv_heads = part.heads, part.kv_heads or part.heads
    width = part.head_dim or layer.width // heads
    value_width = part.value_dim or width
    names = [f"{which}{suffix}" for which in ("query", "key", "value")]
    q = projected(part, weights, x + layer.places, names[0], heads, width)
    k = projected(part, weights, source.x + source.places, names[1], kv_heads, width)
    if part.value == "none":  # the annotations themselves (Bahdanau et al., 2014, eq. 5)
        v = source.x[:, None]
    else:
        size = kv_heads * value_width
        values = weights.linear(names[2], source.x, size, bias=has_bias(part, "value"))
        v = clip(part, values).reshape(-1, kv_heads, value_width)
    q = placed(layer, part, weights, q, names[0])
    k = placed(layer, part, weights, k, names[1])
    run = heads // kv_heads
    k, v = np.repeat(k, run, axis=1), np.repeat(v, run, axis=1)
    seen = visible(layer, source, heads)
    found = np.where(seen, scores(layer, part, weights, q, k), -np.inf)
    if part.sinks:
        sinks = np.zeros(heads) if part.sinks == "zero" else weights("sinks", heads)
        sinks = np.broadcast_to(sinks[:, None, None], (heads, len(x), 1))
        found = np.concatenate([found, sinks], axis=-1)
    shares = layer.tokens.dropped(softmax(found), part.dropout)[..., : len(v)]
    if part.talking_heads in ("weights", "both"):
        shares = np.einsum("gh,hts->gts", weights("mix_weights", heads, heads), shares)
    y = np.einsum("hts,shv->thv", shares, v)
    for position in layer.positions:
        if isinstance(position, Shaw) and position.values:  # Shaw et al., 2018, eq. 3
            table = weights("relative_values.weight", 2 * position.max_distance + 1, v.shape[-1])
            y += np.einsum("hts,tsv->thv", shares, pair_vectors(position, layer.tokens, table))
    return y


def mha(layer: Layer, part: Mha, weights: Weights, x: Array, memory: Memory | None) -> Array:
    """The branch, (T, D) -> (T, D); keys and values are computed from a memory if there is one."""
    source = memory or Memory(x, layer.tokens, own=True, places=layer.places)
    y = taken(layer, part, weights, x, source, "")
    if part.separate_global:  # Beltagy et al., 2020, arXiv:2004.05150, section 3.1
        rows = global_rows(layer.mask, layer.tokens)
        y[rows] = taken(layer, part, weights, x, source, "_global")[rows]
    y = gated(part, weights, x, y)
    if part.output_norm:
        y = normalize(part.norm, weights, "output_norm", y)
    if part.output == "none":
        return y
    return weights.linear("output", y, layer.width, bias=has_bias(part, "output"))


def gated(part: Mha | LinearAttention, weights: Weights, x: Array, y: Array) -> Array:
    """y (T, H, V) -> (T, H · V), gated by the layer's input x (Qiu et al., 2025,
    arXiv:2505.06708, eq. 5).
    """
    flat = y.reshape(len(y), -1)
    if part.output_gate == "none":
        return flat
    size = {"elementwise": flat.shape[-1], "headwise": y.shape[1]}[part.output_gate]
    logits = weights.linear("output_gate", x, size, bias=part.bias is True)
    gate = GATES[getattr(part, "gate", "sigmoid")](logits)
    return flat * np.repeat(gate, flat.shape[-1] // size, axis=-1)


def mla(layer: Layer, part: Mla, weights: Weights, x: Array, memory: Memory | None) -> Array:
    """Multi-head latent attention (DeepSeek-AI, 2024, arXiv:2405.04434, eq. 9 to 19).

    A head's query is [content; rotated]; its key [content of the latent vector; a rotated key that
    all heads share]; its value is projected from the latent vector.
    """
    source = memory or Memory(x, layer.tokens, own=True)
    heads, still, turning = part.heads, part.nope_dim, part.rope_dim
    bias = part.bias is True
    norm = RmsNorm(eps=part.latent_eps)
    if part.query_rank is None:
        q = weights.linear("query", x, heads * (still + turning), bias=False)
    else:
        down = weights.linear("query_down", x, part.query_rank, bias=bias)
        down = normalize(norm, weights, "query_norm", down)
        q = weights.linear("query_up", down, heads * (still + turning), bias=False)
    q = q.reshape(len(x), heads, still + turning)
    latent = weights.linear("kv_down", source.x, part.kv_rank, bias=bias)
    latent = normalize(norm, weights, "kv_norm", latent)
    k = weights.linear("key_up", latent, heads * still, bias=False).reshape(-1, heads, still)
    v = weights.linear("value_up", latent, heads * part.value_dim, bias=False)
    v = v.reshape(-1, heads, part.value_dim)
    shared = turned(layer, weights.linear("key_rope", source.x, turning, bias=bias)[:, None])[:, 0]
    asked = turned(layer, q[:, :, still:])
    growth = query_growth(layer.positions, layer.tokens)[:, None, None]
    content = np.einsum("the,she->hts", growth * q[:, :, :still], k)
    place = np.einsum("the,se->hts", growth * asked, shared)
    scale = scale_of(layer, part, still + turning)
    found = scale * (content + place) + added(layer, weights, heads, scale)
    seen = visible(layer, source, heads)
    shares = layer.tokens.dropped(softmax(np.where(seen, found, -np.inf)), part.dropout)
    y = np.einsum("hts,shv->thv", shares, v).reshape(len(x), -1)
    return weights.linear("output", y, layer.width, bias=bias)
