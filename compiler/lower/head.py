"""Output heads."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import combinations
from typing import Any

from ...spec.embedding import interleaved
from ...spec.head import (
    Classifier,
    Contrastive,
    DenseTransform,
    LanguageModel,
    Maxout,
    PatchesHead,
    ProjectionHead,
)
from ...spec.part import Nothing
from ...spec.pool import FirstPool, MeanPool
from ..axes import ONE, B, Dim, S
from ..sizes import Field, InverseRoot, Size
from .builder import Builder
from .feed_forward import lower_activation
from .norm import has_norm, lower_norm
from .positions import argument
from .reads import consume, peek
from .state import StackState


def lower_language_model(
    b: Builder, state: StackState, name: str, head: LanguageModel, x: str
) -> str:
    """Logits over the vocabulary, (B, T, V)."""
    if head.input_scale != 1:
        x = b.op("scale", x, factor=_input_scale(b, head.input_scale, state.width))
    vocab = Dim("V", _vocab(b, state, head))
    tied = state.table if head.tied else ""
    transform = head.transform if not isinstance(head.transform, Nothing) else None
    if transform is None and not (tied and head.bias):
        logits = _unembed(b, x, name, vocab, tied=tied, bias=head.bias)
    else:
        title = "Language-model head: logits over the vocabulary, from hidden states."
        with b.module(name, noun="LanguageModelHead", title=title):
            if isinstance(transform, Maxout):
                x = _maxout(b, transform, x)
            elif transform is not None:
                width = state.table_width if tied and state.table_width else b.width(x)
                if transform.width not in (None, width.size):
                    width = Dim(
                        "N", b.size("transform_width", transform.width, at=("transform", "width"))
                    )
                with b.at("transform"):
                    if transform.inner is not None:
                        inner = Dim("Ni", b.size("transform_inner", transform.inner, at=("inner",)))
                        x = _dense(b, transform, x, "inner", inner)
                    x = _dense(b, transform, x, "dense", width)
                    x = lower_norm(b, transform.norm, x, "norm", out="x")
            logits = _unembed(b, x, "" if tied else "output", vocab, tied=tied, bias=head.bias)
    if head.scale != 1:
        logits = b.op(
            "scale", logits, factor=b.field("logit_scale", float(head.scale), at=("scale",))
        )
    if head.softcap != "none":
        logits = b.op(
            "softcap", logits, cap=b.field("logit_softcap", float(head.softcap), at=("softcap",))
        )
    return logits


def _input_scale(b: Builder, scale: float | str, width: Dim) -> Field | float:
    if scale == "1/sqrt_d_model":
        assert width.size is not None
        return InverseRoot.of(1, width.size)
    return b.field("head_input_scale", float(scale), at=("input_scale",))


def _dense(b: Builder, transform: DenseTransform, x: str, name: str, width: Dim) -> str:
    x = b.op(
        "linear",
        x,
        name=name,
        in_features=b.width(x).size,
        out_dim=width,
        bias=transform.bias,
        out="x",
    )
    return lower_activation(b, transform.activation, x)


def _maxout(b: Builder, transform: Maxout, x: str) -> str:
    """The maximum of each pair of outputs of a linear layer."""
    with b.at("transform"):
        width = Dim("N", b.size("maxout_width", transform.hidden, at=("hidden",)))
        both = width.times(2)
        y = _linear(b, x, "dense", both, bias=transform.bias)
        return b.op("maxout", y, dim=width, out="x")


def _vocab(b: Builder, state: StackState, head: LanguageModel) -> Size:
    """Number of logits, which may be less than the number of token embeddings."""
    own = getattr(head, "vocab_size", None) or state.stack.vocab_size
    if state.vocab_size is not None and own in (None, state.vocab_size):
        return state.vocab_size
    assert own is not None
    return b.size("vocab_size", own)


def _unembed(b: Builder, x: str, name: str, vocab: Dim, *, tied: str, bias: bool) -> str:
    return b.op(
        "linear",
        x,
        name=name,
        in_features=b.width(x).size,
        out_dim=vocab,
        bias=bias,
        tied=tied,
    )


def lower_pool(b: Builder, state: StackState, pool: Any, x: str, scores: str = "pool_score") -> str:
    """One vector per sequence, (B, D); `none` keeps (B, T, D). `scores`: for attention pooling."""
    if pool.type == "none":
        return x
    if pool.type == "first_and_mean":
        first = lower_pool(b, state, FirstPool(), x)
        mean = lower_pool(b, state, MeanPool(skip=pool.skip), x)
        both = b.width(x).times(2)
        return b.op("concat", b.rename(first, "first"), b.rename(mean, "mean"), dim=both, out="x")
    mask = ""
    if pool.type in ("last", "mean", "max", "attention"):
        mask = argument(b, state, "attention_mask", (B, S))
    extra = ""
    if pool.type == "attention":
        one = Dim("1", Size.of(1))
        extra = b.op(
            "linear",
            x,
            name=scores,
            in_features=b.width(x).size,
            out_dim=one,
            bias=False,
        )
    token = None
    if pool.type == "token":
        extra = state.ids
        token = b.size("pooled_token_id", pool.id, at=("pool", "id"), least=0)
    skip = getattr(pool, "skip", 0)
    tokens = getattr(pool, "tokens", 1)
    if getattr(pool, "joined", False):
        return b.op("join_tokens", x, tokens=tokens, dim=b.width(x).times(tokens), out="x")
    return b.op(
        "pool", x, mask, extra, how=pool.type, token=token, skip=skip, tokens=tokens, out="x"
    )


def lower_classifier(b: Builder, state: StackState, name: str, head: Classifier, x: str) -> str:
    """Logits of the classes, (B, C), or (B, T, C) without a pool."""
    classes = Dim("C", b.size("classes", head.classes))
    with b.module(name, noun="Classifier", title="Classifier: a logit for each class."):
        x = lower_pool(b, state, head.pool, x)
        if has_norm(head, "pooled_norm"):
            x = lower_norm(b, head.norm, x, "norm", out="x")
        if head.hidden is not None:
            hidden = Dim("F", b.size("classifier_hidden", head.hidden, at=("hidden",)))
            x = _linear(b, x, "dense", hidden, bias=head.hidden_bias)
            x = lower_activation(b, head.activation, x)
        if head.hidden_norm:
            x = lower_norm(b, head.norm, x, "hidden_norm", out="x")
        if head.dropout:
            rate = b.field("dropout", head.dropout)
            x = b.op("dropout", x, name="dropout", rate=rate)
        return _linear(b, x, "output", classes, bias=head.bias)


def _linear(b: Builder, x: str, name: str, out: Dim, *, bias: bool = True) -> str:
    features = b.width(x).size
    return b.op("linear", x, name=name, in_features=features, out_dim=out, bias=bias)


def lower_projection(b: Builder, state: StackState, name: str, head: ProjectionHead, x: str) -> str:
    """Vectors of another width, (B, N), or (B, T, N) without a pool."""
    size = Dim("N", b.size("projection_size", head.size, at=("size",)))
    noun = "Pooler" if head.pool.type != "none" else "Projection"
    with b.module(name, noun=noun, title=_projection_title(head)):
        if head.places_of is not None:
            place = interleaved(state.spec.stacks, state.name).index(head.places_of)
            length = Dim(f"T/{state.turn}")
            x = b.op("take_turns", x, place=place, turn=state.turn, length=length, out="x")
        x = lower_pool(b, state, head.pool, x)
        if not peek(head, "hidden"):
            consume(head, "hidden")
        for i, width in enumerate(head.hidden):
            inner = Dim(f"F{i + 1}", b.size(f"{name}_hidden{i + 1}", width, at=("hidden", i)))
            x = _linear(b, x, f"hidden{i + 1}", inner, bias=head.bias)
            x = lower_activation(b, head.hidden_activation, x)
        x = _linear(b, x, "dense", size, bias=head.bias)
        x = lower_activation(b, head.activation, x)
        return b.op("l2_normalize", x) if head.normalize else x


def _projection_title(head: ProjectionHead) -> str:
    """The docstring of a projection: what it returns, and BERT's pooler by its source."""
    if head.places_of is not None:
        return f"One vector per vector of `{head.places_of}`."
    if head.pool.type == "none":
        return "One vector per token."
    activation = getattr(head.activation, "type", "none")
    if (head.pool.type, activation) == ("first", "tanh"):
        return "One vector per sequence, by its first token (Devlin et al. 2018, arXiv:1810.04805)."
    return "One vector per sequence."


def lower_contrastive(
    b: Builder, states: Mapping[str, StackState], name: str, head: Contrastive
) -> str:
    """Similarity logits of all pairs of items of two towers, (B, B), or of each pair of towers."""
    size = _shared_width(b, head)
    several = "two towers" if len(head.towers) == 2 else "each pair of towers"
    title = f"Scaled cosine similarities of {several} ({CONTRASTIVE[head.loss]})."
    with b.module(name, noun="Contrastive", title=title):
        vectors = []
        for stack, tower in head.towers.items():
            with b.at("towers", stack), b.within(stack):
                hidden = b.graph.hidden[stack]
                x = lower_pool(b, states[stack], tower.pool, hidden, f"{stack}_pool_score")
                if tower.project:
                    x = _linear(b, x, stack, size, bias=head.bias)
                vectors.append(b.op("l2_normalize", x, out=stack))
        pairs = [b.op("similarity", *pair) for pair in combinations(vectors, 2)]
        scores = pairs[0]
        if len(pairs) > 1:
            scores = b.op("stack", *pairs, dim=Dim("Pt", Size.of(len(pairs))), out="scores")
        start = -math.log(head.temperature)
        scores = b.op("exp_scale", scores, name="scale", dim=ONE, initial=start, out="scores")
        if head.loss == "sigmoid":
            scores = b.op("add_bias", scores, name="bias", dim=ONE, initial=-10.0, out="scores")
        return scores


def _shared_width(b: Builder, head: Contrastive) -> Dim:
    """The width of the vectors that are compared: that of a stack that is not projected."""
    for stack, tower in head.towers.items():
        if not tower.project:
            consume(head, "size")  # the laws compare it
            return b.width(b.graph.hidden[stack])
    return Dim("N", b.size("projection_size", head.size, at=("size",)))


def lower_image(b: Builder, state: StackState, name: str, head: PatchesHead, x: str) -> str:
    """An image from its patches, (B, channels, height, width)."""
    assert state.image is not None, "refused by the laws"
    sides, patch = state.image
    channels = Dim("channels", b.size("output_channels", head.channels, at=("channels",)))
    assert channels.size is not None
    pixels = Dim("Px", patch**2 * channels.size)
    front = state.registers + (state.front or 0)
    with b.module(name, noun="ImageHead", title="An image from its patches."):
        if state.around is not None and state.patches is not None:
            before, after = state.around
            count = Dim("G", state.patches)
            before = before if after is None else None
            x = b.op("take_part", x, before=before, after=after, length=count, out="x")
        x = b.op(
            "linear",
            x,
            name="output",
            in_features=b.width(x).size,
            out_dim=pixels,
            bias=head.bias,
            zero=head.zero_init,
        )
        return b.op("unpatchify", x, sides=sides, patch=patch, channels=channels, front=front)


CONTRASTIVE = {
    "softmax": "CLIP, Radford et al. 2021, arXiv:2103.00020",
    "sigmoid": "SigLIP, Zhai et al. 2023, arXiv:2303.15343",
}
HEADS: dict[str, Any] = {
    "language_model": lower_language_model,
    "classifier": lower_classifier,
    "projection": lower_projection,
    "patches": lower_image,
}
