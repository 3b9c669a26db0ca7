"""Multi-head attention and its options."""

from typing import Annotated, Literal

from ..branch import Branch
from ..norm import Norm
from ..part import NOTHING, Many, Nothing, OneOf, Part, Tagged, declare
from ..scalars import Bias, Flag, Heads, Maybe, Rate, ScoreScale
from .kernel import Kernel
from .memory import Memory
from .score_bias import ScoreBias


class QkNorm(Part):
    """A norm on queries and keys (Henry et al., 2020, arXiv:2010.04245).

    norm: which normalisation
    before_clip: apply `clip_qkv` after this norm instead of before it
    """

    norm: Norm | None = None
    before_clip: Flag = False


class HeadQkNorm(QkNorm):
    """Over each head, with one weight for all heads (Qwen 3).

    after_positions: normalise after rotary positions are applied
    """

    type: Literal["head"] = "head"
    after_positions: Flag = False


class ProjectionQkNorm(QkNorm):
    """Over the whole projection, before heads are split (OLMo 2)."""

    type: Literal["projection"] = "projection"


class PerHeadQkNorm(QkNorm):
    """Over each head, with a separate weight for each head (StableLM).

    after_positions: normalise after rotary positions are applied
    """

    type: Literal["per_head"] = "per_head"
    after_positions: Flag = False


QkNorms = Annotated[
    Nothing | HeadQkNorm | ProjectionQkNorm | PerHeadQkNorm, Tagged("qk_norm", "none")
]
declare(QkNorms)


class Mha(Branch):
    """Multi-head, multi-query (`kv_heads: 1`) and grouped-query attention (Vaswani et al., 2017,
    arXiv:1706.03762; Shazeer, 2019, arXiv:1911.02150; Ainslie et al., 2023, arXiv:2305.13245).

    heads: number of query heads
    kv_heads: number of key and value heads; default: `heads`
    head_dim: width of a head; default: d_model / heads
    value_dim: width of a head's values; default: `head_dim`
    bias: which of the projections have a bias: all, none, or a list of `query`, `key`, `value`,
        `output` and `output_gate`
    scale: multiplies the scores; default: 1/√head_dim; `by_layer`: 1/√head_dim divided by the
        layer's number, counted from 1 (an option of GPT-2)
    score: score of a query and a key: `dot` product; `cosine` similarity, which needs a `scale` and
        is multiplied by the factors of yarn and `temperature` positions (Swin 2; Liu et al., 2021,
        arXiv:2111.09883); negative squared Euclidean `distance` (Nadaraya, 1964; Watson, 1964); or
        `additive`, a learned vector · tanh(q + k), with a default scale of 1 (Bahdanau et al.,
        2014, arXiv:1409.0473)
    qk_norm: normalisation of queries and keys
    softcap: replace scaled scores by softcap · tanh(scores / softcap), before position biases are
        added (Gemma 2)
    sinks: attention sinks: `true`: one learned score per head that takes part in the softmax and
        has no value (gpt-oss); `zero`: the same with the score 0, which adds 1 to the denominator
        of the softmax, so that a head can attend to nothing (softmax1; Miller, 2023, "Attention Is
        Off By One")
    talking_heads: mix the heads with learned matrices (Shazeer et al., 2020, arXiv:2003.02436): the
        scaled `scores`, before position biases are added; the attention `weights`, after their
        dropout; or `both`. Head g becomes the sum over heads h of matrix[g, h] times head h
    clip_qkv: clamp queries, keys and values to ± this, after the projection (OLMo); with
        `qk_norm.before_clip`, after the norm (OLMoE)
    output_gate: multiply the attention output by a sigmoid of a linear projection of the layer's
        input, `elementwise` or with one value per head (`headwise`; Qiu et al., 2025,
        arXiv:2505.06708)
    gate: activation of the output gate; `softplus` can exceed 1
    output_norm: apply the branch's `norm` before the output projection, after the output gate
        (BitNet)
    value: `none`: no projection; the values are the vectors that are attended to. Needs one head
    output: `none`: no projection of the heads' outputs
    score_bias: biases computed from data
    separate_global: separate query, key and value projections for the tokens of `global(…)` in
        the simplified mask (Longformer; Beltagy et al., 2020, arXiv:2004.05150); all tokens share
        the `sinks`. The stack then has no cache
    kernel: how sparse masks are computed in self-attention: as one `dense` mask, in `tiles` of
        queries with the keys that they may attend to, or `auto`: in tiles for long sequences where
        they are faster; the same in all layers of a stack. `build --kernel` overrides it
    dropout: rate on the attention weights
    """

    type: Literal["mha"] = "mha"
    heads: Heads
    kv_heads: Heads | None = None
    head_dim: Heads | None = None
    value_dim: Heads | None = None
    bias: Bias | None = None
    scale: ScoreScale | None = None
    score: OneOf[Literal["dot", "additive", "cosine", "distance"]] = "dot"
    qk_norm: QkNorms = NOTHING
    softcap: Maybe = "none"
    sinks: OneOf[Literal[True, False, "zero"]] = False
    talking_heads: OneOf[Literal["none", "scores", "weights", "both"]] = "none"
    clip_qkv: Maybe = "none"
    output_gate: OneOf[Literal["none", "elementwise", "headwise"]] = "none"
    gate: OneOf[Literal["sigmoid", "softplus"]] = "sigmoid"
    output_norm: Flag = False
    value: OneOf[Literal["linear", "none"]] = "linear"
    output: OneOf[Literal["linear", "none"]] = "linear"
    score_bias: Many[ScoreBias] = ()
    separate_global: Flag = False
    kernel: Kernel = "auto"
    dropout: Rate | None = None


class CrossMha(Mha, Memory):
    __doc__ = f"{Mha.__doc__}\n    {Memory.__doc__}"
