"""Laws of feed-forwards, residuals, norms and the total size."""

from __future__ import annotations

from collections.abc import Iterator

from ..attention import Collaborative, Fastformer, LinearAttention, Mla
from ..feed_forward import Hidden, Mlp, Moe, Router
from ..model import Block, ModelSpec, Stack
from ..norm import RmsNorm
from ..part import Nothing
from ..residual import Joining, Parallel
from ..scalars import size_of
from .attention import Headed, collaborative_width, head_width, latent_width, query_count
from .findings import Finding, Path
from .linear import head_width as linear_width

MOST_WEIGHTS = 10**16


def d_ff_is_whole(spec: ModelSpec, stack: Stack, path: Path, block: Block) -> Iterator[Finding]:
    for place, part in hidden_parts(block):
        size = size_of(part.d_ff, stack.d_model)
        if size.denominator != 1:
            yield Finding(
                (*path, *place, "d_ff"),
                f"{part.d_ff} is {float(size):g} with d_model {stack.d_model}, not an integer; "
                "write an integer",
            )


def hidden_parts(block: Block) -> Iterator[tuple[Path, Hidden]]:
    """The mlps and glus of a block, including those of experts, with their paths."""
    part = block.feed_forward
    if isinstance(part, Hidden):
        yield ("feed_forward",), part
    if isinstance(part, Moe):
        for key in ("expert", "shared_expert"):
            inner = getattr(part, key)
            if isinstance(inner, Hidden):
                yield ("feed_forward", key), inner


def experts_enough(spec: ModelSpec, stack: Stack, path: Path, block: Block) -> Iterator[Finding]:
    part = block.feed_forward
    if not isinstance(part, Moe):
        return
    if part.top_k > part.experts:
        yield Finding(
            (*path, "feed_forward", "top_k"),
            f"top_k ({part.top_k}) must be at most experts ({part.experts})",
        )
    if part.shared_gate and isinstance(part.shared_expert, Nothing):
        yield Finding(
            (*path, "feed_forward", "shared_gate"), "`shared_gate` needs a `shared_expert`"
        )


def groups_fit(spec: ModelSpec, stack: Stack, path: Path, block: Block) -> Iterator[Finding]:
    part = block.feed_forward
    if not isinstance(part, Moe) or part.router.groups is None:
        return
    groups, place = part.router.groups, (*path, "feed_forward", "router", "groups")
    if part.experts % groups.count:
        yield Finding(
            (*place, "count"),
            f"experts ({part.experts}) must be a multiple of groups ({groups.count})",
        )
        return
    members = part.experts // groups.count
    if groups.top_k > groups.count:
        yield Finding(
            (*place, "top_k"),
            f"top_k of the groups ({groups.top_k}) must be at most the number of groups "
            f"({groups.count})",
        )
    elif part.top_k > groups.top_k * members:
        yield Finding(
            (*place, "top_k"),
            f"the selected groups ({groups.top_k}) have {groups.top_k * members} experts, fewer "
            f"than top_k ({part.top_k})",
        )
    elif groups.top_k == groups.count:
        yield Finding(
            place, f"all {groups.count} groups are chosen, so `groups` has no effect; remove it"
        )
    if groups.score == "top2_sum" and members < 2:
        yield Finding((*place, "score"), "`top2_sum` needs groups of at least two experts")


def sparse_mixer_alone(
    spec: ModelSpec, stack: Stack, path: Path, block: Block
) -> Iterator[Finding]:
    """Options that cannot be combined with `sparsemixer`, and those that need it."""
    part = block.feed_forward
    if not isinstance(part, Moe):
        return
    router, place = part.router, (*path, "feed_forward", "router")
    if router.score != "sparsemixer":
        if router.jitter != Router.model_fields["jitter"].default:
            yield Finding((*place, "jitter"), "`jitter` needs `score: sparsemixer`")
        return
    if router.groups is not None:
        yield Finding((*place, "groups"), "`score: sparsemixer` cannot be combined with `groups`")
    if router.selection_bias:
        yield Finding(
            (*place, "selection_bias"),
            "`score: sparsemixer` cannot be combined with `selection_bias`",
        )


def routers_keep_one_loss(
    spec: ModelSpec, stack: Stack, path: Path, block: Block
) -> Iterator[Finding]:
    """A router keeps the loss of one call, but that of shared layers is called several times."""
    part = block.feed_forward
    if not isinstance(part, Moe) or not block.share:
        return
    for key in ("balance_loss", "z_loss"):
        if getattr(part, key):
            yield Finding(
                (*path, "feed_forward", key),
                f"`{key}` cannot be combined with `share: true`: a router keeps the loss of one "
                "layer, and here all layers have the same router",
            )


def one_capacity(spec: ModelSpec, stack: Stack, path: Path, block: Block) -> Iterator[Finding]:
    part = block.feed_forward
    if isinstance(part, Moe) and part.capacity is not None and part.capacity_factor != "none":
        yield Finding(
            (*path, "feed_forward", "capacity_factor"),
            "`capacity` and `capacity_factor` are mutually exclusive; keep one",
        )


def weighed_where(spec: ModelSpec, stack: Stack, path: Path, block: Block) -> Iterator[Finding]:
    """`weigh: input` cannot be combined with a capacity."""
    part = block.feed_forward
    if not isinstance(part, Moe):
        return
    limited = part.capacity is not None or part.capacity_factor != "none"
    if part.weigh == "input" and limited:
        yield Finding(
            (*path, "feed_forward", "weigh"),
            "`weigh: input` cannot be combined with a capacity: the input of a dropped "
            "token would be zero",
        )
    router = part.router
    if router.choose_by == "logits" and not router.selection_bias:
        yield Finding(
            (*path, "feed_forward", "router", "choose_by"),
            "`choose_by: logits` needs a `selection_bias`; without it the selection is the same",
        )
    elif router.choose_by == "logits" and router.groups is not None:
        yield Finding(
            (*path, "feed_forward", "router", "choose_by"),
            "`choose_by: logits` cannot be combined with `groups`, which are chosen by score",
        )


def plain_without_gate(
    spec: ModelSpec, stack: Stack, path: Path, block: Block
) -> Iterator[Finding]:
    part, place = block.feed_forward, (*path, "feed_forward")
    inner = [(part, place)]
    if isinstance(part, Moe):
        inner = [(getattr(part, key), (*place, key)) for key in ("expert", "shared_expert")]
    for each, where in inner:
        if isinstance(each, Mlp) and isinstance(each.bias, tuple) and "gate" in each.bias:
            yield Finding(
                (*where, "bias"), "type `mlp` has no `gate` layer; its layers are `up` and `down`"
            )


def placements(block: Block) -> Iterator[tuple[str, str]]:
    """The norm placement of each branch."""
    for key in ("attention", "cross_attention", "feed_forward"):
        part = getattr(block, key)
        placement = getattr(part, "norm_placement", None)
        if placement is not None:
            yield key, placement


def shared_norm_shared(
    spec: ModelSpec, stack: Stack, path: Path, block: Block
) -> Iterator[Finding]:
    if not isinstance(block.residual, Parallel) or not block.residual.shared_norm:
        return
    norms = []
    for key, placement in placements(block):
        norms.append(getattr(block, key).norm)
        if placement != "pre":
            yield Finding(
                (*path, "residual", "shared_norm"),
                f"`shared_norm` needs `norm_placement: pre` in each branch, but that of {key} is "
                f"`{placement}`",
            )
            return
    if any(norm != norms[0] for norm in norms):
        yield Finding(
            (*path, "residual", "shared_norm"),
            "`shared_norm` needs the same `norm` in all branches, but they differ",
        )


def normed_is_there(spec: ModelSpec, stack: Stack, path: Path, block: Block) -> Iterator[Finding]:
    if not isinstance(block.residual, Joining) or block.residual.from_ != "normed":
        return
    for key, placement in placements(block):
        if placement not in ("pre", "sandwich"):
            yield Finding(
                (*path, "residual", "from"),
                f"`from: normed` needs a norm before each branch, but `norm_placement` of {key} "
                f"is `{placement}`",
            )
            return
    several = len(list(placements(block))) > 1
    if several and isinstance(block.residual, Parallel) and not block.residual.shared_norm:
        yield Finding(
            (*path, "residual", "from"),
            "`from: normed` needs one normalised input, but each of the parallel branches has "
            "its own norm; add `shared_norm: true`",
        )


def gates_fit(spec: ModelSpec, stack: Stack, path: Path, block: Block) -> Iterator[Finding]:
    """Options of a residual that a gate replaces."""
    residual = block.residual
    if not isinstance(residual, Joining) or residual.gate == "none":
        return
    gate = residual.gate
    if gate in ("rezero", "tanh") and residual.layer_scale != "none":
        yield Finding(
            (*path, "residual", "layer_scale"),
            f"`layer_scale` and `gate: {gate}` both multiply the branch's output; keep one",
        )
    whole = gate in ("highway", "gru")
    if whole and residual.stream_scale != 1:
        yield Finding(
            (*path, "residual", "stream_scale"),
            f"`gate: {gate}` replaces `stream_scale`; keep one of them",
        )
    if whole and isinstance(residual, Parallel):
        yield Finding(
            (*path, "residual", "gate"),
            f"`gate: {gate}` combines one branch with the residual stream, so the residual must be "
            "of type `sequential`",
        )


def float32_is_computed(
    spec: ModelSpec, stack: Stack, path: Path, block: Block
) -> Iterator[Finding]:
    """`float32` needs norms before all branches, which cast the stream to the weights' dtype."""
    residuals = [b.residual for b in stack.blocks.values()]
    if not isinstance(block.residual, Joining) or not block.residual.float32:
        return
    norms = [getattr(block, key).norm for key, _ in placements(block)]
    dense = isinstance(block.feed_forward, (Nothing, Hidden))
    reasons = {
        "`residual: {float32: true}` in every block of the stack": all(
            getattr(r, "float32", False) for r in residuals
        ),
        "a residual without a `gate`": block.residual.gate == "none",
        "a residual of type `sequential` with `from: input`": not isinstance(
            block.residual, Parallel
        )
        and block.residual.from_ == "input",
        "`norm_placement: pre` in each branch": all(
            found == "pre" for _, found in placements(block)
        ),
        "`norm: rmsnorm` with a weight everywhere, and a `final_norm`": stack.final_norm
        and all(_plain(norm) for norm in [*norms, stack.norm]),
        "a feed-forward without biases or experts": dense
        and not getattr(block.feed_forward, "bias", False),
    }
    for reason, holds in reasons.items():
        if not holds:
            yield Finding((*path, "residual", "float32"), f"`float32` needs {reason}")
            return


def _plain(norm: object) -> bool:
    return isinstance(norm, RmsNorm) and norm.affine and not norm.weight_offset


def one_norm_behind_a_sum(
    spec: ModelSpec, stack: Stack, path: Path, block: Block
) -> Iterator[Finding]:
    """Parallel branches have one sum, so there can be only one norm after it."""
    found = dict(placements(block))
    if not isinstance(block.residual, Parallel) or "post" not in found.values():
        return
    for key, placement in found.items():
        others = [other for other in found if found[other] != placement]
        if others and placement != block.norm_placement:
            yield Finding(
                (*path, key, "norm_placement"),
                "parallel branches are summed, and `post` normalises this sum, so all branches "
                f"must have the same `norm_placement`; that of {key} is `{placement}`, that of "
                f"{others[0]} is `{found[others[0]]}`",
            )
            return
    for key in found:
        norm = getattr(block, key).norm
        others = [other for other in found if getattr(block, other).norm != norm]
        if others and norm != block.norm:
            yield Finding(
                (*path, key, "norm"),
                "parallel branches are summed, and `norm_placement: post` normalises this sum "
                f"once, so all branches must have the same `norm`; those of {key} and {others[0]} "
                "differ",
            )
            return


def bounded(spec: ModelSpec, stack: Stack, path: Path, block: Block) -> Iterator[Finding]:
    width = 0
    if isinstance(block.attention, Headed):
        width += 4 * query_count(block.attention) * (head_width(block.attention, stack) or 1)
    if isinstance(block.attention, (LinearAttention, Fastformer)):
        width += 5 * block.attention.heads * (linear_width(block.attention, stack) or 1)
    if isinstance(block.attention, Collaborative):
        wide = collaborative_width(block.attention, stack.d_model)
        width += 2 * wide + 2 * block.attention.heads * (block.attention.value_dim or 1)
    if isinstance(block.attention, Mla):
        width += 4 * block.attention.heads * latent_width(block.attention)
    experts = getattr(block.feed_forward, "experts", 1)
    for place, part in hidden_parts(block):
        many = experts if place[-1] == "expert" else 1
        width += 3 * many * int(size_of(part.d_ff, stack.d_model))
    weights = stack.layers * stack.d_model * width
    if weights > MOST_WEIGHTS:
        yield Finding(
            (*path[:2], "d_model"),
            f"{stack.layers:,} layers of width {stack.d_model:,} have about {weights:.0e} "
            f"parameters; at most {MOST_WEIGHTS:.0e}",
        )


LAWS = (
    d_ff_is_whole,
    experts_enough,
    groups_fit,
    sparse_mixer_alone,
    routers_keep_one_loss,
    one_capacity,
    weighed_where,
    plain_without_gate,
    shared_norm_shared,
    normed_is_there,
    gates_fit,
    one_norm_behind_a_sum,
    float32_is_computed,
    bounded,
)
