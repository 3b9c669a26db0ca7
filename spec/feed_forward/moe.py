"""Mixtures of experts."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator

from ..branch import Branch
from ..part import NOTHING, Inner, Nothing, OneOf, Part, Tagged, declare
from ..scalars import Count, Flag, Fractional, Maybe, Number, OptionalCount
from .glu import Glu
from .mlp import Mlp


class Groups(Part):
    """Experts are chosen in two steps: groups, then experts of these (DeepSeek-AI, 2024,
    arXiv:2405.04434).

    count: how many groups
    top_k: how many of them are kept
    score: of a group: its best expert, or the sum of its two best, `selection_bias` included
    """

    count: Count
    top_k: Count
    score: OneOf[Literal["max", "top2_sum"]] = "max"


def _none(value: Any) -> Any:
    return None if isinstance(value, str) and value == "none" else value


class Router(Part):
    """Chooses the experts of a token, from logits in float32 or wider: those with the best scores.

    score: how logits become weights: `softmax` over all experts (over the chosen, when normalised),
        `sigmoid` of each, or `sparsemixer` (Liu et al., 2024, arXiv:2409.12136; in training too
        by its rule for inference, without sampling)
    normalize: the weights of the chosen sum to 1 (not with `sparsemixer`, whose weights stay)
    bias: of the router's linear layer
    selection_bias: a stored number per expert that affects the choice only; it gets no gradient,
        what balances the load sets it (Wang et al., 2024, arXiv:2408.15664)
    choose_by: what is compared, with that number added: the `scores`, or the `logits`
    groups: choose groups first
    scale: multiplies the weights
    jitter: of `sparsemixer`: experts whose logit is further than twice this share below the best
        one's are left out of its softmax
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
    """Mixture of experts: top_k feed-forwards, selected for each token (Shazeer et al., 2017,
    arXiv:1701.06538). Nothing balances their load by itself: no auxiliary loss is added to `loss`.

    experts: number of experts
    top_k: number of experts per token
    expert: type and options of each expert
    shared_expert: an additional expert applied to all tokens
    weigh: where the weights of the chosen experts stand: on their `output`, or on the `input` that
        they read (Llama 4)
    shared_gate: multiply the shared expert's output by the sigmoid of a linear layer
    router: how experts are selected
    capacity: the most tokens of a sequence that an expert serves, the first that choose it; the
        others get nothing from it (Fedus et al., 2021, arXiv:2101.03961). Padding takes places
        too, and a cached step counts its own tokens alone
    capacity_factor: capacity relative to the number of tokens: factor * tokens * top_k / experts,
        rounded up
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


class MoeBranch(Moe, Branch):
    __doc__ = Moe.__doc__
