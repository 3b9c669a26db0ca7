"""A block: branches, norms and residual connections."""

from dataclasses import replace
from typing import Any

import numpy as np

from ...spec.attention import Collaborative, Differential, Fastformer, LinearAttention, Mha, Mla
from ...spec.condition import AdaLnZero
from ...spec.feed_forward import Glu, Mlp, Moe
from ...spec.masks import Atom
from ...spec.model import Block
from ...spec.part import Nothing
from ...spec.positions import Coordinate
from ...spec.residual import Joining, Parallel
from ...spec.sublayers import Conv, Recurrence
from .attention import mha, mla
from .branches import branches, own
from .collaborative import collaborative
from .condition import Modulation, modulation
from .context import Layer
from .convolution import convolution
from .differential import differential
from .feed_forward import feed_forward
from .gates import joined_by, through, weighed
from .pointwise import normalize
from .pooled_attention import fastformer, linear
from .positions import sinusoids
from .recurrent import recurrence
from .weights import Array, Weights, unknown

ATTENTIONS: dict[type[Any], Any] = {Mha: mha, Mla: mla, LinearAttention: linear}
ATTENTIONS |= {Collaborative: collaborative}
ATTENTIONS |= {Fastformer: fastformer, Differential: differential}
OTHERS: dict[type[Any], Any] = {Conv: convolution, Recurrence: recurrence}
BEFORE, ON_OUTPUT = ("pre", "sandwich"), ("sandwich", "output")


def branch(key: str, part: Any, layer: Layer, weights: Weights, x: Array, memory: Any) -> Array:
    """The output of a branch for its input x (T, D), without norms."""
    inside = weights.below(key)
    if isinstance(part, (Mlp, Glu, Moe)):
        return feed_forward(part, inside, x, layer.tokens)
    compute = next(
        compute for kind, compute in {**ATTENTIONS, **OTHERS}.items() if isinstance(part, kind)
    )
    found: Array = compute(layer, part, inside, x, memory)
    return found


def vectors(block: Block, parts: dict[str, Any]) -> int:
    """The number of vectors that a layer takes from its condition: two per norm, one per gate."""
    several = len(parts) > 1 and isinstance(block.residual, Parallel)
    joint = isinstance(block.residual, Parallel) and several and block.residual.shared_norm
    joint |= several and any(part.norm_placement == "post" for part in parts.values())
    norms = {"pre": 1, "post": 1, "output": 1, "sandwich": 2, "none": 0}
    found = [
        0 if isinstance(part.norm, Nothing) else norms[part.norm_placement]
        for part in parts.values()
    ]
    count = min(1, sum(found)) if joint else sum(found)
    return 2 * count + (len(parts) if isinstance(block.condition, AdaLnZero) else 0)


def with_norms(
    key: str, part: Any, layer: Layer, weights: Weights, x: Array, memory: Any, m: Modulation
) -> tuple[Array, Array]:
    """Input and output of a branch, each normalised if the placement says so.

    `pre`: Xiong et al., 2020, arXiv:2002.04745. `sandwich`: Ding et al., 2021, arXiv:2105.13290.
    `output`: OLMo Team, 2025, arXiv:2501.00656, section 3.2.
    """
    read = x
    if part.norm_placement in BEFORE:
        read = modulated(part.norm, m, normalize(part.norm, weights, f"{key}_norm", x))
    gave = branch(key, part, layer, weights, read, memory)
    if part.norm_placement in ON_OUTPUT:
        gave = normalize(part.norm, weights, f"{key}_output_norm", gave)
        gave = modulated(part.norm, m, gave)
    return read, m.gated(layer.tokens.dropped(gave, layer.dropout))


def modulated(norm: Any, m: Modulation, x: Array) -> Array:
    """x after a norm, shifted and scaled by the condition; without a norm it stays as it is."""
    return x if isinstance(norm, Nothing) else m.normed(x)


def scaled(residual: Joining, layer: Layer, weights: Weights, key: str, gave: Array) -> Array:
    """scale · output, times a learned vector or number."""
    gave = weighed(residual, weights, key, gave)
    return residual.scale * layer.tokens.dropped(gave, residual.drop_path, (1, 1))


def run_block(block: Block, layer: Layer, weights: Weights, x: Array, memories: Any) -> Array:
    """One layer, (T, D) -> (T, D). memories: stack -> its output."""
    parts = branches(block)
    for position in block.positions:
        if isinstance(position, Coordinate):  # Dehghani et al., 2018, arXiv:1807.03819, eq. 6, 7
            kind = {"layout": position.layout, "denominator": position.denominator}
            for numbers in (layer.tokens.positions, np.array([layer.number + 1])):
                x = x + sinusoids(numbers, x.shape[-1], **kind)

    def view(key: str) -> tuple[Layer, Any]:
        part = parts[key]
        if isinstance(part, Recurrence):
            return layer, memories
        if getattr(part, "memory", None) is None:
            mask, positions = own(block, part, "mask"), own(block, part, "positions")
            return replace(layer, mask=mask, positions=positions), None
        here = replace(layer, positions=(), mask=Atom("full"))
        return here, memories[part.memory]

    m = modulation(block.condition, vectors(block, parts), weights, "modulation", layer.condition)
    if isinstance(block.residual, Parallel) and len(parts) > 1:
        return parallel(block, parts, view, weights, x, m)
    start = x
    for key, part in parts.items():
        residual = own(block, part, "residual")
        normed = part.norm_placement == "post" and not isinstance(part.norm, Nothing)
        held = [m.values.pop(0) for _ in range(2)] if normed and m.values else []
        read, gave = with_norms(key, part, view(key)[0], weights, x, view(key)[1], m)
        x = joined(residual, layer, weights, key, (start, x, read), gave)
        if part.norm_placement == "post":  # Vaswani et al., 2017, section 3.1
            x = normalize(part.norm, weights, f"{key}_norm", x)
            x = Modulation(held).normed(x)
    return x


def joined(
    residual: Any, layer: Layer, weights: Weights, key: str, inputs: tuple[Array, ...], gave: Array
) -> Array:
    """The stream with the output of a branch. inputs: of the block, of the branch, and after the
    branch's norm.
    """
    if isinstance(residual, Nothing):
        return gave
    stream = inputs[("block", "input", "normed").index(residual.from_)]
    gave = scaled(residual, layer, weights, key, gave)
    return joined_by(residual, weights, key, stream, gave)


def parallel(
    block: Block, parts: dict[str, Any], view: Any, weights: Weights, x: Array, m: Modulation
) -> Array:
    """α · stream + Σ scale · branch(norm(stream)) (Wang and Komatsuzaki, 2021, GPT-J; Chowdhery et
    al., 2022, arXiv:2204.02311, section 2).

    There is one sum, so there is one norm after it. Cases that the language reference
    leaves open are errors: different norms after the sum, and several normalised inputs.
    """
    residual = block.residual
    assert isinstance(residual, Parallel)
    posts = [part.norm for part in parts.values() if part.norm_placement == "post"]
    if posts and (len(posts) < len(parts) or any(norm != posts[0] for norm in posts)):
        raise unknown("different norms after the sum of parallel branches")
    stream, gated = x, []
    if residual.shared_norm:
        norms = [part.norm for part in parts.values()]
        stream = normalize(norms[0], weights, "norm", x) if norms else x
        stream = modulated(norms[0], m, stream) if norms else stream
    reads = []
    for key, part in parts.items():
        layer, memory = view(key)
        if residual.shared_norm:
            gave = branch(key, part, layer, weights, stream, memory)
            gave = m.gated(layer.tokens.dropped(gave, layer.dropout))
        else:
            read, gave = with_norms(key, part, layer, weights, x, memory, m)
            reads.append(read)
        gated.append((key, scaled(residual, layer, weights, key, gave)))
    if residual.from_ == "normed" and len(reads) > 1:
        raise unknown("several normalised inputs of parallel branches")
    stream = reads[0] if reads else stream
    base = stream if residual.from_ == "normed" else x
    y: Array = residual.stream_scale * base
    for key, gave in gated:
        y = y + through(residual, weights, key, base, gave)
    return modulated(posts[0], m, normalize(posts[0], weights, "norm", y)) if posts else y
