"""Multi-head attention with all that checkpoints do to it."""

from typing import Annotated, Literal

from ..branch import Branch
from ..norm import Norm
from ..part import NOTHING, Many, Nothing, OneOf, Part, Tagged, declare
from ..scalars import Bias, Flag, Heads, Maybe, Rate, ScoreScale
from .memory import Memory
from .score_bias import ScoreBias


class QkNorm(Part):
    """A norm on queries and keys (Henry et al., 2020, arXiv:2010.04245).

    norm: which normalisation
    before_clip: it stands before `clip_qkv`, which otherwise comes right after the projections
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
    """Over each head, with a weight of its own for each (StableLM).

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
    bias: of the four projections: all, none, or a list of query, key, value, output
    scale: multiplies the scores; 1/√head_dim when left out; `by_layer`: that, divided by the number
        of the layer, from 1 (an option of GPT-2)
    score: of a query and a key: their product; the `cosine` of their angle (Swin 2; Liu et al.,
        2021, arXiv:2111.09883), which needs a `scale`, and which yarn and `temperature` positions
        multiply; minus their squared `distance` (kernel
        regression; Nadaraya, 1964; Watson, 1964); or `additive`, a learned vector · tanh(q + k)
        (Bahdanau et al., 2014, arXiv:1409.0473), whose scale is 1 when left out
    qk_norm: a norm on queries and keys
    softcap: scaled scores become softcap · tanh(scores / softcap) (Gemma 2); what positions add to
        them is not bounded
    sinks: a learned score per head in the softmax, without a value (gpt-oss)
    clip_qkv: bounds queries, keys and values after their projections (OLMo; `before_clip` of
        `qk_norm`: after that norm, as OLMoE does)
    output_gate: a sigmoid of the layer's input multiplies what is taken from the values, number by
        number or head by head (Qiu et al., 2025, arXiv:2505.06708); with a bias if `bias` is true
    gate: activation of the output gate; `softplus` can exceed 1
    output_norm: a norm, this branch's `norm`, before the output projection, after the gate (BitNet)
    score_bias: biases computed from data
    separate_global: the rows of `global(…)` have query, key and value projections of their own
        (Longformer; Beltagy et al., 2020, arXiv:2004.05150); such a stack keeps no cache
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
    sinks: Flag = False
    clip_qkv: Maybe = "none"
    output_gate: OneOf[Literal["none", "elementwise", "headwise"]] = "none"
    gate: OneOf[Literal["sigmoid", "softplus"]] = "sigmoid"
    output_norm: Flag = False
    score_bias: Many[ScoreBias] = ()
    separate_global: Flag = False
    dropout: Rate | None = None


class CrossMha(Mha, Memory):
    __doc__ = f"{Mha.__doc__}\n    {Memory.__doc__}"
