"""Mixtures of experts."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator

from ..branch import Branch
from ..part import NOTHING, Inner, Nothing, OneOf, Part, Tagged, declare
from ..scalars import Count, Flag, Fractional, Maybe, NotNegative, Number, OptionalCount
from .glu import Glu
from .mlp import Mlp


class Groups(Part):
    """Group-limited routing: choose groups of experts first, then experts within these groups
    (DeepSeek-AI, 2024, arXiv:2405.04434).

    count: number of groups
    top_k: number of groups that are chosen
    score: score of a group: that of its best expert, or the sum of its two best, including
        `selection_bias`
    """

    count: Count
    top_k: Count
    score: OneOf[Literal["max", "top2_sum"]] = "max"


def _none(value: Any) -> Any:
    return None if isinstance(value, str) and value == "none" else value


class Router(Part):
    """Chooses top_k experts per token by their scores; logits are computed in float32 or wider.

    score: how logits become weights: `softmax` over all experts, or over the chosen ones if
        `normalize` is true; `sigmoid` of each logit; or `sparsemixer` (Liu et al., 2024,
        arXiv:2409.12136), which uses its inference rule in training too, without sampling
    normalize: divide the weights of the chosen experts by their sum (no effect on `sparsemixer`)
    bias: whether the router's linear layer has a bias
    selection_bias: a number per expert, added to the scores for the choice only. It has no
        gradient: the training loop updates it to balance the load (Wang et al., 2024,
        arXiv:2408.15664)
    choose_by: add `selection_bias` to the `scores`, or to the `logits`, and choose by the sum
    groups: choose groups of experts first
    scale: multiplies the weights of the chosen experts
    jitter: threshold of `sparsemixer`: an expert is left out of the softmax if (best - logit) /
        max(|logit|, best) > 2 · jitter, where best is the largest logit
    """

    score: OneOf[Literal["softmax", "sigmoid", "sparsemixer"]] = "softmax"
    normalize: Flag = True
    bias: Flag = False
    selection_bias: Flag = False
    choose_by: OneOf[Literal["scores", "logits"]] = "scores"
    groups: Annotated[Inner[Groups] | None, BeforeValidator(_none)] = None
    scale: Number = 1
    jitter: Fractional = 0.01


Expert = Annotated[Mlp | Glu, Tagged("expert", "mlp")]
SharedExpert = Annotated[Mlp | Glu | Nothing, Tagged("shared_expert", "mlp")]
declare(Expert)
declare(SharedExpert)


class Moe(Part):
    """Mixture of experts: top_k feed-forward networks per token, chosen by a router (Shazeer et
    al., 2017, arXiv:1701.06538).

    In training mode, `loss` adds the `balance_loss` and `z_loss` of each layer from the last
    forward pass, and clears them. If the model has no `loss`, or the training loop has its own, add
    `auxiliary_loss()`. Both losses are computed over the tokens of the batch that are not padding.

    experts: number of experts
    top_k: number of experts per token
    expert: type and options of each expert; with `inner_norm`, each has its own norm
    shared_expert: an additional expert applied to all tokens
    weigh: multiply the `output` of each chosen expert by its weight, or its `input` (Llama 4)
    shared_gate: multiply the shared expert's output by the sigmoid of a linear layer
    router: how experts are chosen
    capacity: maximum number of tokens of a sequence per expert. If more tokens choose the expert,
        the later ones are dropped: it adds nothing to them (Fedus et al., 2021, arXiv:2101.03961).
        Padding counts as tokens; a decoding step with a cache counts only its own tokens
    capacity_factor: capacity relative to the number of tokens: factor * tokens * top_k / experts,
        rounded up
    balance_loss: multiplies Σ_x experts · f_x · P_x, where f_x is the number of tokens that choose
        expert x divided by the number of tokens, and P_x the mean of its probability: the softmax
        over all experts, or, with `score: sigmoid`, the score divided by the sum of all scores
        (Fedus et al., 2021, arXiv:2101.03961, eq. 4). With equal loads, the sum is `top_k`
    z_loss: multiplies the mean of the squared log-sum-exp of a token's router logits (Zoph et al.,
        2022, arXiv:2202.08906, eq. 5)
    """

    type: Literal["moe"] = "moe"
    experts: Count
    top_k: Count
    expert: Expert = Mlp.model_construct()
    shared_expert: SharedExpert = NOTHING
    weigh: OneOf[Literal["output", "input"]] = "output"
    shared_gate: Flag = False
    router: Inner[Router] = Router.model_construct()
    capacity: OptionalCount = None
    capacity_factor: Maybe = "none"
    balance_loss: NotNegative = 0
    z_loss: NotNegative = 0


class MoeBranch(Moe, Branch):
    __doc__ = Moe.__doc__
