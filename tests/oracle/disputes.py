"""Where what is compiled is not what `docs/language.md` says, each with its smallest spec.

A row is removed when the compiler is mended: until then random specs of that kind are left out, and
`test_oracle_disputes.py` expects the disagreement.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from modelwright.backends.verify.shrink import parts_of
from modelwright.spec import ModelSpec
from modelwright.spec.attention import LinearAttention
from modelwright.spec.embedding import ConvStem, Tokens
from modelwright.spec.model import Block, Stack
from modelwright.spec.norm import LayerNorm
from modelwright.spec.positions import Disentangled, RelativeBias, Rotary, TransformerXl, Yarn
from modelwright.spec.residual import Parallel


@dataclass(frozen=True)
class Dispute:
    """One kind of disagreement.

    says: what is right, and where it is written
    does: what is compiled
    spec: the smallest one
    meets: does it concern this spec?
    refused: there is no right value, and the spec has to be refused
    """

    says: str
    does: str
    spec: str
    meets: Callable[[ModelSpec], bool]
    refused: bool = False


SMALL = """
name: small
family: decoder-only
vocab_size: 20
d_model: 8
layers: 2
attention: {heads: 2}
"""


def every(spec: ModelSpec, cls: type[Any]) -> Iterator[Any]:
    return (part for part in parts_of(spec) if isinstance(part, cls))


def branches(block: Block) -> list[Any]:
    parts = [getattr(block, key) for key in ("attention", "cross_attention", "feed_forward")]
    return [part for part in parts if part.type != "none"]


def parallel_blocks(spec: ModelSpec) -> Iterator[tuple[Block, Parallel]]:
    for block in every(spec, Block):
        if isinstance(block.residual, Parallel):
            yield block, block.residual


def narrow_and_scaled(spec: ModelSpec) -> bool:
    return any(
        source.scale == "sqrt_d_model" and source.width not in (None, stack.d_model)
        for stack in every(spec, Stack)
        for source in stack.input
        if isinstance(source, Tokens)
    )


def odd_lightning(spec: ModelSpec) -> bool:
    return any(
        part.decay == "lightning" and part.heads & (part.heads - 1)
        for part in every(spec, LinearAttention)
    )


def plain_additive(spec: ModelSpec) -> Iterator[Block]:
    """Blocks with additive scores that say no scale."""
    for block in every(spec, Block):
        if getattr(block.attention, "score", "") == "additive" and block.attention.scale is None:
            yield block


def additive_yarn(spec: ModelSpec) -> bool:
    return any(
        isinstance(p, Rotary) and isinstance(p.scaling, Yarn) and p.scaling.mscale_all_dims
        for block in plain_additive(spec)
        for p in block.positions
    )


def additive_alibi(spec: ModelSpec) -> bool:
    return any(
        getattr(p, "before_scale", False) for block in plain_additive(spec) for p in block.positions
    )


def own_norm_behind_a_sum(spec: ModelSpec) -> bool:
    """A norm behind the sum of one branch only, or another than the block's."""
    for block, _ in parallel_blocks(spec):
        for part in branches(block):
            behind = "post" in (part.norm_placement, block.norm_placement)
            own = part.norm_placement != block.norm_placement or part.norm != block.norm
            if behind and own:
                return True
    return False


def normed_stream(spec: ModelSpec) -> bool:
    return any(
        residual.from_ == "normed" and not residual.shared_norm
        for _, residual in parallel_blocks(spec)
    )


def shared_norm_of_nothing(spec: ModelSpec) -> bool:
    return any(r.shared_norm and not branches(block) for block, r in parallel_blocks(spec))


def normed_stem(spec: ModelSpec) -> bool:
    return any(
        source.norm != LayerNorm() and any(layer.normalize is not False for layer in source.layers)
        for source in every(spec, ConvStem)
    )


def stem_without_bias(spec: ModelSpec) -> bool:
    return any(
        source.project is not False and not stack.bias
        for stack in every(spec, Stack)
        for source in stack.input
        if isinstance(source, ConvStem)
    )


def layers_of(stack: Stack) -> list[Block]:
    return [stack.blocks[name] for name in stack.order]


def several_meet_contents(spec: ModelSpec) -> bool:
    """Different positions that meet contents in one stack, of which one is no plain table."""
    for stack in every(spec, Stack):
        meeting = {
            p for block in layers_of(stack) for p in block.positions
            if isinstance(p, (Disentangled, TransformerXl))
        }  # fmt: skip
        plain = all(isinstance(p, Disentangled) and not p.normalize for p in meeting)
        if len(meeting) > 1 and not plain:
            return True
    return False


def two_kinds_of_distances(spec: ModelSpec) -> bool:
    kinds = (Disentangled, RelativeBias)
    return any(
        all(any(isinstance(p, kind) for p in block.positions) for kind in kinds)
        for block in every(spec, Block)
    )


def two_tables_of_a_layer(spec: ModelSpec) -> bool:
    return any(
        sum(getattr(p, "share", "") == "layer" for p in block.positions) > 1
        for block in every(spec, Block)
    )


def nothing_is_scaled_by_depth(spec: ModelSpec) -> bool:
    blocks = [block for stack in every(spec, Stack) for block in layers_of(stack)]
    deep = getattr(spec.init, "depth_scaled", False)
    return deep and any(not branches(block) for block in blocks)


def two_pairs_of_tied_stacks(spec: ModelSpec) -> bool:
    tied = [source.tied for source in every(spec, Tokens) if source.tied != "none"]
    return len(set(tied)) > 1


STEM = """
name: small
family: encoder-only
d_model: 8
layers: 1
attention: {heads: 2}
"""

DISPUTES: dict[str, Dispute] = {
    "scale of a narrow table": Dispute(
        "`scale: sqrt_d_model` multiplies by √d_model, and d_model is the width of the stream",
        "it multiplies by the root of the table's `width`",
        SMALL + "input: {width: 6, scale: sqrt_d_model}\n",
        narrow_and_scaled,
    ),
    "lightning of three heads": Dispute(
        "the rate of a head is its slope in ALiBi, whose slopes for a head count that is no power "
        "of two start from the one below",
        "2^(-8 (h + 1) / heads) for any number of heads",
        SMALL.replace("heads: 2", "type: linear, heads: 3, head_dim: 4, decay: lightning"),
        odd_lightning,
    ),
    "yarn and additive scores": Dispute(
        "`mscale_all_dims` multiplies the scores by m(mscale_all_dims)²",
        "additive scores that say no scale are not multiplied",
        SMALL.replace("heads: 2", "heads: 2, score: additive")
        + "positions: {type: rotary, scaling: {type: yarn, factor: 4, original_max_positions: 16, "
        "mscale_all_dims: 0.7}}\n",
        additive_yarn,
    ),
    "alibi before the scale of additive scores": Dispute(
        "the `scale` of additive scores is 1 when left out, and `before_scale` adds to the scores "
        "before they are scaled",
        "what ALiBi adds is divided by √head_dim",
        SMALL.replace("heads: 2", "heads: 2, score: additive")
        + "positions: {type: alibi, before_scale: true}\n",
        additive_alibi,
    ),
    "a branch's own norm behind a sum": Dispute(
        "`norm_placement` of a branch says where its own norm stands: `post`, behind the add",
        "the norm is left out, because the block says `pre`",
        SMALL.replace("heads: 2", "heads: 2, norm_placement: post")
        + "feed_forward: none\nresidual: parallel\n",
        own_norm_behind_a_sum,
    ),
    "which norm behind a sum": Dispute(
        "`norm` of a branch is its own normalisation",
        "the norm behind the sum is the block's",
        SMALL.replace("heads: 2", "heads: 2, norm: rmsnorm")
        + "feed_forward: none\nresidual: parallel\nnorm_placement: post\n",
        own_norm_behind_a_sum,
    ),
    "different norms behind a sum": Dispute(
        "parallel branches are added together, so there is one norm behind the sum: two are asked "
        "for, and one is dropped in silence",
        "it is accepted",
        SMALL.replace("heads: 2", "heads: 2, norm: rmsnorm")
        + "residual: parallel\nnorm_placement: post\n",
        own_norm_behind_a_sum,
        refused=True,
    ),
    "added to a normed input": Dispute(
        "`from: normed`: the branch is added to its normed input",
        "the one branch of a parallel block is added to its input",
        SMALL + "feed_forward: none\nresidual: {type: parallel, from: normed}\n",
        normed_stream,
    ),
    "added to several normed inputs": Dispute(
        "`from: normed`: two branches with norms of their own have two normed inputs, and one sum",
        "it is accepted, and the sum is added to the input",
        SMALL + "residual: {type: parallel, from: normed}\n",
        normed_stream,
        refused=True,
    ),
    "a shared norm of no branch": Dispute(
        "a norm that serves no branch has no weights",
        "there are weights that nothing reads",
        SMALL.replace("{heads: 2}", "none")
        + "feed_forward: none\nresidual: {type: parallel, shared_norm: true}\n",
        shared_norm_of_nothing,
    ),
    "the norm of a stem": Dispute(
        "`norm` of an input says which normalisation; a norm over the channels may be an RMS norm",
        "it is a layer norm with eps 1e-5",
        STEM + "input: {type: conv, channels: 2, norm: rmsnorm, "
        "layers: [{channels: 8, kernel: 3, normalize: channels}]}\n",
        normed_stem,
    ),
    "the projection of a stem": Dispute(
        "`bias: false` of a stack is for its linear layers, and `project` is one; the `bias` of a "
        "stem is that of the convolutions",
        "the projection has a bias",
        STEM + "bias: false\n"
        "input: {type: conv, channels: 2, layers: [{channels: 4, kernel: 3}], project: true}\n",
        stem_without_bias,
    ),
    "several positions that meet contents": Dispute(
        "named blocks may have positions of their own",
        "the emitted file is no Python: an argument stands twice",
        SMALL + "blocks: {a: {positions: transformer_xl}, b: {positions: disentangled}}\n"
        "pattern: [a, b]\n",
        several_meet_contents,
    ),
    "two kinds of distances": Dispute(
        "a list of `positions` combines several",
        "an AssertionError: one part asks for two values of `buckets`",
        SMALL + "positions: [disentangled, relative_bias]\n",
        two_kinds_of_distances,
    ),
    "two tables of a layer": Dispute(
        "a list of `positions` combines several; each has a table of its own",
        "the layer has one table, which both read",
        STEM + "input: {type: patches, image_size: 8, patch_size: 4}\n"
        "positions: [relative_table, {type: relative_bias, share: layer}]\n",
        two_tables_of_a_layer,
    ),
    "nothing to scale by depth": Dispute(
        "`depth_scaled` makes weights that write to the stream narrower: here are none",
        "a ZeroDivisionError when the model is made",
        SMALL.replace("{heads: 2}", "none")
        + "feed_forward: none\ninit: {type: normal, depth_scaled: true}\n",
        nothing_is_scaled_by_depth,
    ),
    "two pairs of tied stacks": Dispute(
        "`tied` names the stack whose table is used",
        "all four stacks use the table of the first pair",
        """
name: small
d_model: 8
layers: 1
attention: {heads: 2}
stacks:
  a: {vocab_size: 20}
  b: {vocab_size: 20, input: {argument: b_ids, tied: a}, cross_attention: {memory: a}}
  c: {vocab_size: 20, input: {argument: c_ids}, cross_attention: {memory: b}}
  d: {vocab_size: 20, input: {argument: d_ids, tied: c}, cross_attention: {memory: c}}
""",
        two_pairs_of_tied_stacks,
    ),
}


def disputed(spec: ModelSpec) -> str:
    """The first kind of disagreement that concerns a spec; "" if none does."""
    return next((name for name, dispute in DISPUTES.items() if dispute.meets(spec)), "")
