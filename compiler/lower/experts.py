"""Mixtures of experts: a router chooses a few of many feed-forwards for each token.

sparse mixtures     Shazeer et al. 2017, arXiv:1701.06538
softmax of the top  Jiang et al. 2024, "Mixtral of Experts", arXiv:2401.04088
shared expert       Dai et al. 2024, "DeepSeekMoE", arXiv:2401.06066
groups of experts   DeepSeek-AI 2024, "DeepSeek-V2", arXiv:2405.04434
selection bias      Wang et al. 2024, arXiv:2408.15664
capacity            Fedus et al. 2021, "Switch Transformers", arXiv:2101.03961
sparse mixer        Liu et al. 2024, "GRIN", arXiv:2409.12136
balance loss        Fedus et al. 2021, "Switch Transformers", arXiv:2101.03961
z-loss              Zoph et al. 2022, "ST-MoE", arXiv:2202.08906
"""

from __future__ import annotations

from typing import Any

from ...spec.feed_forward import Glu, Mlp, MoeBranch, Router
from ...spec.norm import LayerNorm
from ...spec.part import Nothing
from ..axes import ONE, B, Dim, S, T
from ..sizes import Size
from .builder import Builder
from .feed_forward import has_bias, hidden_of, lower_dense, lower_hidden, title_of
from .norm import Norm, lower_norm
from .positions import argument
from .reads import peek
from .state import StackState

TITLE = "Experts; a router chooses a few for each token (Shazeer et al. 2017, arXiv:1701.06538)."


def lower_experts(b: Builder, state: StackState, part: MoeBranch, x: str) -> str:
    """The output of the branch, (B, T, D)."""
    experts = b.size("experts", part.experts)
    top_k = b.size("top_k", part.top_k)
    with b.module(state.branch, noun="MixtureOfExperts", title=TITLE):
        with b.at("router"), b.within("router"):
            x_dim, trained = Dim("X", experts), bool(part.balance_loss or part.z_loss)
            logits, weights, chosen = lower_router(b, part.router, x, x_dim, top_k, named=trained)
        if trained:
            weights = _with_losses(b, state, part, (weights, logits, chosen))
        weights = _limited(b, part, weights, chosen, (experts, top_k))
        with b.at("expert"), b.within("expert"):
            before = part.weigh == "input"
            y = _routed(b, part, x, weights, chosen, (experts, top_k), before=before)
        if isinstance(part.shared_expert, Nothing):
            return y
        with b.at("shared_expert"), b.within("shared_expert"):
            return b.op("add", y, _shared(b, part, x))


def lower_router(
    b: Builder, router: Router, x: str, experts: Dim, top_k: Size, *, named: bool
) -> tuple[str, str, str]:
    """The logits (B, T, X), and weights and indices of the chosen experts, both (B, T, A), best
    first.

    A softmax that is renormalised over the chosen experts equals the softmax of their logits. If
    logits and scores have the same order, logits are compared.

    named: whether the logits are used again
    """
    if router.score == "sparsemixer":
        logits = _logits(b, router, x, experts, name="logits")
        jitter = b.field("jitter", router.jitter)
        weights, chosen = b.ops(
            "sparse_mixer", logits, top_k=top_k, jitter=jitter, out=("weights", "chosen")
        )
        return logits, _scaled(b, router, weights), chosen
    last = router.score == "softmax" and router.normalize
    sums = router.groups is not None and router.groups.score == "top2_sum"
    by_logits = router.choose_by == "logits"
    scored = not last or (router.selection_bias and not by_logits) or sums
    compared = "scores" if scored and not by_logits else "logits"
    source = "logits" if last else "scores"
    gathered = router.selection_bias or router.groups is not None or compared != source
    uses = [compared, *(["logits"] if scored else []), *([source] if gathered else [])]
    uses += ["logits"] if named else []
    names = {value: value if uses.count(value) > 1 else "" for value in ("logits", "scores")}
    found = {"logits": _logits(b, router, x, experts, name=names["logits"])}
    if scored:
        found["scores"] = _scores(b, router, found["logits"], name=names["scores"])
    choice = _choice(b, router, found[compared], experts)
    final = "weights" if router.scale == 1 else ""
    best = "logits" if last and not gathered else "weights"
    best = "best" if named and best == "logits" else best
    weights, chosen = b.ops("top_k", choice, top_k=top_k, out=(best, "chosen"))
    if gathered:
        weights = b.op("gather", found[source], chosen, out="weights")
    if last:
        weights = b.op("softmax", weights, out=final)
    elif router.normalize:
        weights = b.op("sum_to_one", weights, out=final)
    return found["logits"], _scaled(b, router, weights), chosen


def _with_losses(
    b: Builder, state: StackState, part: MoeBranch, routed: tuple[str, str, str]
) -> str:
    """The weights; in training, the router keeps the losses of this forward pass.

    routed: the weights, logits and chosen experts
    """

    def factor(name: str) -> Any:
        value = float(getattr(part, name))
        return b.field(name, value) if value else None

    padding = argument(b, state, "attention_mask", (B, S if state.cached else T))
    score = "sigmoid" if part.router.score == "sigmoid" else "softmax"
    return b.op(
        "router_loss",
        *routed,
        padding,
        out="weights",
        score=score,
        balance=factor("balance_loss"),
        z=factor("z_loss"),
    )


def _logits(b: Builder, router: Router, x: str, experts: Dim, *, name: str) -> str:
    return b.op(
        "linear",
        x,
        name="router",
        in_features=b.width(x).size,
        out_dim=experts,
        bias=router.bias,
        wide=True,
        out=name,
    )


def _limited(
    b: Builder, part: MoeBranch, weights: str, chosen: str, counts: tuple[Size, Size]
) -> str:
    """The weights, 0 where the capacity of an expert is exceeded."""
    factor = None if part.capacity_factor == "none" else float(part.capacity_factor)
    if part.capacity is None and factor is None:
        return weights
    experts, top_k = counts
    return b.op(
        "within_capacity",
        weights,
        chosen,
        experts=experts,
        top_k=top_k,
        capacity=None if part.capacity is None else b.size("capacity", part.capacity),
        factor=None if factor is None else b.field("capacity_factor", factor),
        out="weights",
    )


def _scores(b: Builder, router: Router, logits: str, *, name: str) -> str:
    if router.score == "softmax":
        return b.op("softmax", logits, out=name)
    return b.op("activation", logits, function="sigmoid", beta=None, out=name)


def _choice(b: Builder, router: Router, scores: str, experts: Dim) -> str:
    """The scores by which experts are chosen."""
    choice = scores
    if router.selection_bias:
        choice = b.op("add_bias", choice, name="selection_bias", dim=experts, trained=False)
    if router.groups is not None:
        choice = b.op(
            "best_groups",
            choice,
            groups=b.size("groups", router.groups.count, at=("groups", "count")),
            kept=b.size("top_groups", router.groups.top_k, at=("groups", "top_k")),
            members=2 if router.groups.score == "top2_sum" else 1,
            out="best",
        )
    return choice


def _scaled(b: Builder, router: Router, weights: str) -> str:
    if router.scale == 1:
        return weights
    factor = b.field("router_scale", float(router.scale), at=("scale",))
    return b.op("scale", weights, factor=factor, out="weights")


def _routed(
    b: Builder,
    whole: MoeBranch,
    x: str,
    weights: str,
    chosen: str,
    counts: tuple[Size, Size],
    *,
    before: bool,
) -> str:
    """The weighted outputs of a token's experts; with `before`, their inputs are weighted."""
    part: Glu | Mlp = whole.expert
    experts, top_k = counts
    width = b.width(x)
    hidden = hidden_of(b, part, width)
    many = {"experts": experts, "top_k": top_k}
    title = title_of(part)
    each = f"{title[0].lower()}{title[1:]}" if isinstance(part, Mlp) else f"a {title}"
    title = f"Experts, each {each.replace('a Gated', 'a gated')}."
    with b.module("experts", noun="Experts", title=title):
        expert, order = b.ops("assign", chosen, out=("expert", "order"))
        rows = b.op("rows", x, order, chosen, out="rows")
        if before:
            rows = b.op("weigh_rows", rows, order, weights, out="rows")

        def project(name: str, h: str) -> str:
            down = name == "down"
            if down:
                _name_inner(b, part, h)
            out = {"in_features": (hidden if down else width).size}
            shape = {**out, "out_dim": width if down else hidden, **many}
            biased = has_bias(part, name)
            title = "y" if down and not biased else ""
            y = b.op("expert_linear", h, expert, name=name, residual=down, out=title, **shape)
            if not biased:
                return y
            title = "y" if down else name
            return b.op("expert_bias", y, expert, name=f"{name}_bias", out=title, **shape)

        def normed(h: str) -> str:
            with b.outside():
                return _normed(b, whole.norm, h, expert, many)

        y = lower_hidden(b, part, rows, project, None if _has_no_norm(whole) else normed)
        return b.op("sum_pairs" if before else "combine", y, order, weights)


def _has_no_norm(part: MoeBranch) -> bool:
    return isinstance(peek(part, "norm"), Nothing)


def _normed(b: Builder, norm: Norm | None, h: str, expert: str, many: dict[str, Size]) -> str:
    """The hidden units of each pair, normalised; each expert has its own weight and bias."""
    assert norm is not None, "the levels fill in every norm"
    assert not isinstance(norm, Nothing)
    bias = isinstance(norm, LayerNorm) and norm.affine and norm.bias
    affine, offset = norm.affine, norm.weight_offset if norm.affine else 0
    width = b.width(h)
    h = lower_norm(b, norm, h, "inner_norm", affine=False)
    if affine:
        scaled: dict[str, Any] = {"out_dim": width, "weight_offset": offset, **many}
        h = b.op("expert_scale", h, expert, name="inner_norm_weight", **scaled)
    if bias:
        moved: dict[str, Any] = {"in_features": width.size, "out_dim": width, **many}
        h = b.op("expert_bias", h, expert, name="inner_norm_bias", **moved)
    return h


def _name_inner(b: Builder, part: Glu | Mlp, h: str) -> None:
    """Name the activated gate of experts without biases, else the input of the last layer."""
    product = b.graph.producer(h)
    assert product is not None
    gated = isinstance(part, Glu) and product.kind == "multiply"
    if gated and not any(has_bias(part, name) for name in ("gate", "up", "down")):
        b.rename(product.first, "gate")
    else:
        b.rename(h, "h")


def _shared(b: Builder, part: MoeBranch, x: str) -> str:
    """The shared expert, with an optional gate."""
    shared = part.shared_expert
    assert not isinstance(shared, Nothing)

    def normed(h: str) -> str:
        with b.outside():
            return lower_norm(b, part.norm, h, "inner_norm")

    with b.module("shared_expert", noun="FeedForward", title=f"{title_of(shared)}."):
        y = lower_dense(b, shared, x, None if _has_no_norm(part) else normed)
    if not part.shared_gate:
        return y
    gate = b.op(
        "linear", x, name="shared_gate", in_features=b.width(x).size, out_dim=ONE, bias=False
    )
    gate = b.op("activation", gate, function="sigmoid", beta=None, out="gate")
    return b.op("multiply", gate, y)
