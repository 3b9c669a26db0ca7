"""The text of a box that represents a whole module, from its ops."""

from __future__ import annotations

from dataclasses import dataclass

from ...compiler.graph import ModuleGraph, Op, Scope
from .look import JOINS, activation, capacity, figure, look_of
from .text import class_words, plain, words

ATTENDS = ("attend", "attend_linearly")
NORMS = ("layer_norm", "rms_norm", "group_norm")
LINEAR = ("linear", "expert_linear")


@dataclass(frozen=True)
class Said:
    look: str
    title: str
    lines: tuple[str, ...]


def say(
    graph: ModuleGraph, scope: Scope, ops: list[Op], *, crossed: bool, inner: bool = False
) -> Said:
    """Title and lines of a module; `crossed`: it reads another stack.

    `inner`: it is inside an opened module, whose frame already has part of the text.
    """
    if inner:
        return _part_of_module(graph, scope, ops)
    attends = [op for op in ops if op.kind in ATTENDS]
    if attends:
        return _attention(graph, scope, ops, attends[0], crossed=crossed)
    if any(op.kind == "expert_linear" for op in ops):
        return _experts(graph, ops)
    chain = " → ".join(plain(width) for width in _widths(graph, ops))
    if any(op.kind == "similarity" for op in ops):
        return _compared(graph, scope, ops)
    if any(op.kind == "lerp" for op in ops):  # a gate between a branch and the stream
        return Said("linear", class_words(scope.noun).replace("Gru", "GRU"), _lines(chain))
    products = [op for op in ops if op.kind in ("outer_mean", "triangle")]
    if products:
        factors = figure(graph.values[products[0].arg("left")].shape[-1].size)
        edges = "outgoing" if products[0].attrs.get("outgoing") else "incoming"
        kind = "mean over sequences" if products[0].kind == "outer_mean" else f"{edges} edges"
        return Said(
            "feed_forward", words(scope.name.rstrip("0123456789")), (kind, f"width {factors}")
        )
    loops = [op for op in ops if op.kind == "recur"]
    if loops:
        return _recurrence(graph, loops)
    convolutions = [op for op in ops if op.kind == "convolve"]
    if convolutions and graph.block_of(scope.path) is not None:
        return _convolution(graph, ops, convolutions)
    pooled = [op for op in ops if op.kind == "pool_heads"]
    if pooled:
        heads, width = (int(pooled[0].attrs[key].size) for key in ("heads", "width"))
        lines = (f"{heads} {'head' if heads == 1 else 'heads'} × {width}", "queries, keys pooled")
        return Said("attention", class_words(scope.noun), lines)
    activations = [activation(op, graph) for op in ops if op.kind == "activation"]
    if scope.parent is not None and graph.block_of(scope.path) is not None and activations:
        gated = any(op.kind == "multiply" for op in ops)
        title = "Gated feed-forward" if gated else "Feed-forward"
        if scope.name.rstrip("0123456789") != "feed_forward":
            title = words(scope.name)
        return Said("feed_forward", title, _lines(chain, *activations))
    pools = [look_of(op).detail(op, graph) for op in ops if op.kind == "pool"]
    tied = any(weight.tied for op in ops for weight in op.weights)
    title, ends = class_words(scope.noun or scope.name), ["tied"] if tied else []
    if any(reader.kind in JOINS for op in ops for reader in graph.consumers(op.outputs[0])):
        first, extras = _of_data(graph, ops), [*dict.fromkeys(activations), *ends]
        return Said("embedding" if first else "linear", title, (*first, *_lines(chain, *extras)))
    return Said("linear", title, _lines(chain, *pools, *activations, *ends))


def _of_data(graph: ModuleGraph, ops: list[Op]) -> tuple[str, ...]:
    """What a module makes of its data: patches, convolutions or rows of a table."""
    named = [op for op in ops if op.kind in ("embedding", "patchify", "learned_tokens")]
    steps = [op for op in ops if op.kind in ("convolve", "convolve_image")]
    steps = [op for op in steps if not op.name.endswith("depthwise")]  # a part of a step
    found = [look_of(op).detail(op, graph) for op in named]
    if steps:
        ends = int(steps[0].attrs["channels"]), int(steps[-1].attrs["out_dim"].size)
        count = f"{plain(len(steps))} convolution{'s' * (len(steps) > 1)}"
        found.append(f"{count}, {' → '.join(map(plain, ends))}")
    return tuple(found)


def _recurrence(graph: ModuleGraph, loops: list[Op]) -> Said:
    """A recurrent layer: its cell, the width of its state, and its attention."""
    first, width = loops[0], plain(int(loops[0].attrs["hidden"].size))
    cell = first.attrs["cell"].partition("_")[0].upper()
    both = ("in both directions",) if len(loops) > 1 else ()
    if first.attrs["query"] is None:
        return Said("feed_forward", cell, (f"state of {width}", *both))
    score = "additive" if first.arg("vector") else "dot-product"
    lines = (f"state of {width}", f"{score} attention by the state")
    return Said("attention", f"{cell} with attention", lines)


def _convolution(graph: ModuleGraph, ops: list[Op], convolutions: list[Op]) -> Said:
    """A convolution along the sequence: its width and kind, and its activation."""
    first = convolutions[0]
    kinds = (("separable", len(convolutions) > 1), ("causal", first.attrs.get("causal")))
    dilation = int(first.attrs["dilation"])
    words_of = [f"{plain(int(first.attrs['kernel']))} wide", *(w for w, there in kinds if there)]
    words_of += [f"dilation {plain(dilation)}"] * (dilation > 1)
    activations = [activation(op, graph) for op in ops if op.kind == "activation"]
    return Said("feed_forward", "Convolution", (", ".join(words_of), *activations))


def _part_of_module(graph: ModuleGraph, scope: Scope, ops: list[Op]) -> Said:
    """A module inside an opened one, such as experts."""
    experts = [int(op.attrs["experts"]) for op in ops if op.kind == "expert_linear"]
    chosen = [f"{figure(op.attrs['top_k'])} for each token" for op in ops if "experts" in op.attrs]
    chain = " → ".join(plain(width) for width in _widths(graph, ops))
    activations = [activation(op, graph) for op in ops if op.kind == "activation"]
    named = scope.noun == "FeedForward"  # the class; its name identifies it
    title = words(scope.name) if named else class_words(scope.noun or scope.name)
    title = f"{plain(experts[0])} experts" if experts else title
    return Said("feed_forward", title, (*chosen[:1], *_lines(chain, *activations)))


def _compared(graph: ModuleGraph, scope: Scope, ops: list[Op]) -> Said:
    """The projections of both towers."""
    pools = [look_of(op).detail(op, graph) for op in ops if op.kind == "pool"]
    widths = [
        f"{plain(int(op.attrs['in_features']))} → {plain(int(op.attrs['out_dim'].size))}"
        for op in ops
        if op.kind == "linear"
    ]
    lines = (" · ".join(widths), ", ".join(pools), "scaled cosines")
    return Said("linear", class_words(scope.noun), lines)


def _experts(graph: ModuleGraph, ops: list[Op]) -> Said:
    """Number and type of experts, and the shared expert."""
    inner = [op for op in ops if graph.scopes[op.scope].name == "experts"]
    attrs = next(op.attrs for op in inner if op.kind == "expert_linear")
    chain = " → ".join(plain(width) for width in _widths(graph, inner))
    activations = [activation(op, graph) for op in inner if op.kind == "activation"]
    shared = any(graph.scopes[op.scope].name == "shared_expert" for op in ops)
    counts = f"{figure(attrs['top_k'])} of {figure(attrs['experts'])} experts"
    limits = [capacity(op, graph) for op in ops if op.kind == "within_capacity"]
    lines = (counts + (" + shared" if shared else ""), *limits, *_lines(chain, *activations))
    return Said("feed_forward", "Mixture of experts", lines)


def _lines(chain: str, *extras: str) -> tuple[str, ...]:
    """One line if it is short, else two."""
    joined = " · ".join(part for part in (chain, *extras) if part)
    if not joined:
        return ()
    if chain and extras and len(joined) > 30:
        return (chain, " · ".join(extras))
    return (joined,)


def _widths(graph: ModuleGraph, ops: list[Op]) -> list[int]:
    """The widths from the module's input to the last linear op."""
    linears = {op.number: op for op in ops if op.kind in LINEAR}
    if not linears:
        return []
    op = list(linears.values())[-1]
    found = [int(op.attrs["out_dim"].size)]
    while True:
        found.append(int(op.attrs["in_features"]))
        before = _linear_before(graph, op, {o.number: o for o in ops})
        if before is None:
            return found[::-1]
        op = before


def _linear_before(graph: ModuleGraph, op: Op, inside: dict[int, Op]) -> Op | None:
    current: Op | None = op
    while current is not None:
        producer = graph.producer(current.first)
        if producer is None or producer.number not in inside:
            return None
        if producer.kind in LINEAR:
            return producer
        current = producer
    return None


def _attention(
    graph: ModuleGraph, scope: Scope, ops: list[Op], attend: Op, *, crossed: bool
) -> Said:
    queries, keys, values = (graph.values[attend.arg(slot)].shape for slot in ("q", "k", "v"))
    heads, kv_heads = _size(queries[-3]), _size(keys[-3])
    if scope.noun not in ("", "Attention", "CrossAttention"):
        title = class_words(scope.noun)
    elif crossed:
        title = "Cross-attention"
    elif kv_heads == heads:
        title = "Multi-head attention"
    else:
        title = "Multi-query attention" if kv_heads == 1 else "Grouped-query attention"
    width, value_width = _size(queries[-1]), _size(values[-1])
    if attend.kind == "attend_linearly":  # linear attention may append a column of ones
        value_width = width
    shared = "" if kv_heads == heads else f" · {kv_heads} kv {'head' if kv_heads == 1 else 'heads'}"
    wide = f"{width}" if value_width == width else f"{width}/{value_width}"
    lines = [f"{heads} {'head' if heads == 1 else 'heads'} × {wide}{shared}"]
    formula = str(attend.attrs["formula"])
    extras = _extras(graph, attend, ops)
    if len(queries) > 4:  # of a stream, along one of its axes
        lines.append(f"along {queries[-2].label}")
    elif formula != "full" or not crossed:
        lines.append(f"mask: {formula}")
    return Said("attention", title, (*lines, *([" · ".join(extras)] if extras else [])))


def _extras(graph: ModuleGraph, attend: Op, ops: list[Op]) -> list[str]:
    before = ops[: ops.index(attend)]
    if attend.kind == "attend_linearly":
        return _of_sums(graph, attend, before, ops)
    found = []
    latent = [op for op in before if op.kind == "linear" and op.name == "kv_down"]
    if latent:
        found.append(f"latent {plain(_size(latent[0].attrs['out_dim']))}")
    elif any(op.kind in NORMS and op.name != "pair_norm" for op in before):
        found.append("query and key norm")
    biases = [op for op in before if op.kind == "pair_scores"]
    if biases:
        found.append(
            "biases of pairs (k, q)" if biases[0].attrs["transposed"] else "biases of pairs"
        )
    if attend.attrs.get("softcap") is not None:
        found.append(f"softcap {figure(attend.attrs['softcap'])}")
    if any(op.kind == "multiply" for op in ops[ops.index(attend) :]):
        found.append("gated")
    sinks = graph.producer(attend.arg("sinks"))
    if sinks is not None:
        found.append("softmax1" if sinks.kind == "zero_sinks" else "sinks")
    if attend.arg("mix_scores") or attend.arg("mix_weights"):
        found.append("talking heads")
    if attend.arg("vectors"):
        found.append("values of distances")
    if attend.attrs.get("score"):
        found.append(f"{attend.attrs['score']} scores")
    if any(op.kind == "l2_normalize" for op in before):
        found.append("cosine scores")
    if any(op.kind == "select" for op in ops):
        found.append("global rows apart")
    if any(op.kind == "by_layer" for op in ops):
        found.append("scale ÷ layer")
    scale = attend.attrs.get("scale")
    if scale is not None:
        found.append("unscaled" if scale == 1 else f"scale {figure(scale)}")
    return found


def _of_sums(graph: ModuleGraph, attend: Op, before: list[Op], ops: list[Op]) -> list[str]:
    """The lines of linear attention: feature map, normalisation and decay."""
    maps = [activation(op, graph) for op in before if op.kind == "activation"]
    maps += ["softmax"] if any(op.kind == "softmax" for op in before) else []
    found = [f"{maps[0]} features"] if maps else []
    found += ["fading"] if attend.arg("rates") else []
    found += ["gated"] if any(op.kind == "multiply" for op in ops) else []
    return found


def _size(dim: object) -> int:
    size = getattr(dim, "size", None)
    assert size is not None
    return int(size)
