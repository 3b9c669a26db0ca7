"""Mixtures of experts."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator

from ..branch import Branch
from ..part import NOTHING, Inner, Nothing, OneOf, Part, Tagged, declare
from ..scalars import Count, Flag, Maybe, Number
from .glu import Glu
from .mlp import Mlp


class Groups(Part):
    """Experts are chosen in two steps: groups, then experts of these (DeepSeek).

    count: how many groups
    top_k: how many of them are kept
    score: of a group: its best expert, or the sum of its two best
    """

    count: Count
    top_k: Count
    score: OneOf[Literal["max", "top2_sum"]] = "max"


def _none(value: Any) -> Any:
    return None if isinstance(value, str) and value == "none" else value


class Router(Part):
    """Chooses the experts of a token.

    score: how logits become weights
    normalize: the weights of the chosen sum to 1
    bias: of the router's linear layer
    selection_bias: a learned number per expert that affects the choice only
    groups: choose groups first
    scale: multiplies the weights
    """

    score: OneOf[Literal["softmax", "sigmoid", "sparsemixer"]] = "softmax"
    normalize: Flag = True
    bias: Flag = False
    selection_bias: Flag = False
    groups: Annotated[Inner[Groups] | None, BeforeValidator(_none)] = None
    scale: Number = 1


Expert = Annotated[Mlp | Glu, Tagged("expert", "mlp")]
SharedExpert = Annotated[Mlp | Glu | Nothing, Tagged("shared_expert", "mlp")]
declare(Expert)
declare(SharedExpert)


class Moe(Part):
    """A few of many feed-forwards, chosen for each token (Shazeer et al., 2017, arXiv:1701.06538).

    experts: how many there are
    top_k: how many serve a token
    expert: what one is
    shared_expert: one that serves every token
    shared_gate: the shared expert's output is gated
    router: how the experts are chosen
    capacity_factor: tokens beyond this share of an expert are dropped
    """

    type: Literal["moe"] = "moe"
    experts: Count
    top_k: Count
    expert: Expert = Mlp.model_construct()
    shared_expert: SharedExpert = NOTHING
    shared_gate: Flag = False
    router: Inner[Router] = Router.model_construct()
    capacity_factor: Maybe = "none"


class MoeBranch(Moe, Branch):
    __doc__ = Moe.__doc__
