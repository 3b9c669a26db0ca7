"""Mixtures of experts alone: other models, compiled ones, and which experts run."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import transformers as hf
from perturb import TOLERANCE, perturb, relative_error
from torch import Tensor, nn
from torch.autograd import gradcheck, gradgradcheck
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode
from transformers.models.deepseek_v2.modeling_deepseek_v2 import DeepseekV2Moe
from transformers.models.deepseek_v3.modeling_deepseek_v3 import DeepseekV3MoE
from transformers.models.ernie4_5_moe.modeling_ernie4_5_moe import Ernie4_5_MoeSparseMoeBlock
from transformers.models.hunyuan_v1_moe.modeling_hunyuan_v1_moe import HunYuanMoEV1Moe

import modelwright as mw
from modelwright.backends.pytorch.runtime.experts import expert_linear

EXPERTS, TOP_K, WIDTH, HIDDEN = 8, 3, 32, 24
SPEC = """
name: mixture
family: decoder-only
vocab_size: 8
d_model: 32
layers: 1
bias: false
activation: silu
attention: {heads: 4}
feed_forward: {type: moe, experts: 8, top_k: 3, expert: {type: glu, d_ff: 24}, %s}
"""
SHARED = "shared_expert: {type: glu, d_ff: 24}"
SIZES: dict[str, Any] = {
    "hidden_size": WIDTH,
    "num_experts_per_tok": TOP_K,
    "moe_intermediate_size": HIDDEN,
}
GROUPS: dict[str, Any] = {"n_routed_experts": EXPERTS, "n_group": 4, "topk_group": 2}


def deepseek_v2() -> nn.Module:
    config = hf.DeepseekV2Config(
        **SIZES,
        **GROUPS,
        n_shared_experts=1,
        topk_method="group_limited_greedy",
        routed_scaling_factor=2.5,
    )
    return DeepseekV2Moe(config)


def deepseek_v3() -> nn.Module:
    config = hf.DeepseekV3Config(
        **SIZES, **GROUPS, n_shared_experts=1, norm_topk_prob=True, routed_scaling_factor=2.5
    )
    return DeepseekV3MoE(config)


def ernie() -> nn.Module:
    config = hf.Ernie4_5_MoeConfig(
        hidden_size=WIDTH,
        moe_k=TOP_K,
        moe_intermediate_size=HIDDEN,
        moe_num_experts=EXPERTS,
        moe_num_shared_experts=1,
    )
    return Ernie4_5_MoeSparseMoeBlock(config)


def hunyuan() -> nn.Module:
    config = hf.HunYuanMoEV1Config(
        hidden_size=WIDTH, intermediate_size=HIDDEN, num_experts=EXPERTS, moe_topk=TOP_K
    )
    return HunYuanMoEV1Moe(config, 0)


CASES = {
    "deepseek_v2": (
        deepseek_v2,
        "router: {normalize: false, scale: 2.5, groups: {count: 4, top_k: 2}}, " + SHARED,
    ),
    "deepseek_v3": (
        deepseek_v3,
        "router: {score: sigmoid, selection_bias: true, scale: 2.5, "
        "groups: {count: 4, top_k: 2, score: top2_sum}}, " + SHARED,
    ),
    "ernie4_5_moe": (ernie, "router: {selection_bias: true}, " + SHARED),
    "hunyuan_v1_moe": (hunyuan, SHARED),
}


def mixture(options: str, dtype: str = "float32") -> nn.Module:
    """The feed-forward of a small decoder, all weights moved."""
    torch.manual_seed(0)
    module = mw.compile(mw.loads(SPEC % options), dtype=dtype).layers[0].feed_forward
    return perturb(module, std=0.2)


def weights_of(theirs: nn.Module) -> dict[str, Tensor]:
    """Their weights by our names."""
    found = {}
    for name, tensor in theirs.state_dict().items():
        last = name.rsplit(".", 1)[-1]
        if last == "gate_up_proj":
            found["experts.gate"], found["experts.up"] = tensor.chunk(2, dim=1)
        elif last == "down_proj":
            found["experts.down"] = tensor
        elif "bias" in last:
            found["selection_bias"] = tensor.flatten()
        elif "shared" in name:
            kind = name.rsplit(".", 2)[-2].removesuffix("_proj")
            found[f"shared_expert.{kind}.weight"] = tensor
        else:
            found["router.weight"] = tensor
    return found


@pytest.mark.parametrize("name", CASES)
def test_equals_the_mixture_of(name: str) -> None:
    make, options = CASES[name]
    theirs = make().float()
    for tensor in theirs.state_dict().values():  # a module by itself is not initialised
        tensor.zero_()
    perturb(theirs, std=0.2)
    ours = mixture(options)
    ours.load_state_dict(weights_of(theirs))
    x = torch.randn(2, 21, WIDTH, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        assert relative_error(ours(x), theirs(x).view_as(x)) <= TOLERANCE


ROUTERS = ("router: {scale: 1}", CASES["deepseek_v3"][1], "router: {score: sparsemixer}")


@pytest.mark.parametrize("options", ROUTERS)
@pytest.mark.parametrize("tokens", [1, 19])  # any length: below
def test_compiled_equals_eager_and_so_do_its_gradients(options: str, tokens: int) -> None:
    torch._dynamo.reset()
    module = mixture(options, "float64")
    compiled = torch.compile(module, fullgraph=True, backend="aot_eager")
    x = torch.randn(2, tokens, WIDTH, dtype=torch.float64, requires_grad=True)
    results = []
    for function in (module, compiled):
        module.zero_grad()
        x.grad = None
        y = function(x)
        y.sin().sum().backward()
        weights = [weight for weight in module.parameters() if weight.requires_grad]
        results.append([y, x.grad.clone(), *(w.grad.clone() for w in weights)])
    for eager, other in zip(*results, strict=True):
        torch.testing.assert_close(other, eager)


def test_one_compiled_mixture_serves_any_length() -> None:
    torch._dynamo.reset()
    module = mixture("router: {scale: 1}")
    compiled = torch.compile(module, fullgraph=True, backend="aot_eager", dynamic=True)
    for tokens in (40, 5, 33, 1, 12):
        x = torch.randn(2, tokens, WIDTH)
        with torch.no_grad():
            torch.testing.assert_close(compiled(x), module(x))


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_rounding_does_not_choose(dtype: str) -> None:
    """In half precision, the logits are those of the rounded weights, not rounded themselves."""
    module = mixture("router: {bias: true}", dtype)
    x = torch.randn(1, 50, WIDTH).to(getattr(torch, dtype))
    logits = module.router(x)
    exact = x.double() @ module.router.weight.double().T + module.router.bias.double()
    assert logits.dtype == torch.float32
    torch.testing.assert_close(logits.double(), exact, atol=1e-5, rtol=1e-5)
    assert module(x).dtype == x.dtype


def test_only_the_chosen_experts_run() -> None:
    """A token costs the router and its own experts' three matrices."""
    module = mixture("router: {scale: 1}")
    with torch.no_grad(), FlopCounterMode(display=False) as counted:
        module(torch.randn(1, 1, WIDTH))
    assert counted.get_total_flops() == 2 * WIDTH * (EXPERTS + TOP_K * 3 * HIDDEN)


CHOSEN = (
    [0, 1],
    [2, 2, 3, 3, 3],
    [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1],
    [0, 0, 0, 1, 1, 2, 3, 3, 3, 3, 3, 3],
    [3],
    [],
)


@pytest.mark.sampled(2)
@pytest.mark.parametrize("expert", CHOSEN, ids=len)
@pytest.mark.parametrize("compiled", [False, True], ids=["eager", "compiled"])
def test_each_row_meets_the_matrix_of_its_expert(expert: list[int], compiled: bool) -> None:
    numbers = torch.tensor(expert, dtype=torch.long)
    x = torch.randn(len(expert), 5, requires_grad=True)
    weight = torch.randn(4, 3, 5, requires_grad=True)
    torch._dynamo.reset()
    function = expert_linear
    if compiled:
        function = torch.compile(expert_linear, fullgraph=True, backend="aot_eager")
    found = function(x, weight, numbers)
    wanted = torch.einsum("ji,joi->jo", x, weight[numbers])
    torch.testing.assert_close(found, wanted)
    step = torch.randn_like(wanted)
    theirs = torch.autograd.grad(wanted, (x, weight), step)
    torch.testing.assert_close(torch.autograd.grad(found, (x, weight), step), theirs)


def test_gradients_of_experts_and_their_gradients() -> None:
    """As central differences have them; an expert that nobody chose gets zeros."""
    x = torch.randn(5, 3, dtype=torch.double, requires_grad=True)
    weight = torch.randn(3, 2, 3, dtype=torch.double, requires_grad=True)
    expert = torch.tensor([0, 0, 2, 2, 2])
    assert gradcheck(expert_linear, (x, weight, expert))
    assert gradgradcheck(expert_linear, (x, weight, expert))
    (grad,) = torch.autograd.grad(expert_linear(x, weight, expert).sum(), weight)
    assert grad[1].eq(0).all()


def test_gradients_of_all_matrices_are_put_together_once() -> None:
    """A gradient of all matrices for each of them would be experts times too much."""
    weight = torch.randn(3, 5, 4, requires_grad=True)
    result = expert_linear(torch.randn(4, 4), weight, torch.tensor([0, 1, 1, 2]))
    with profile(activities=[ProfilerActivity.CPU]) as profiled:
        result.sum().backward()
    calls = {event.key: event.count for event in profiled.key_averages()}
    assert calls["aten::stack"] == 1
    assert "aten::select_backward" not in calls


@pytest.mark.parametrize("within", [True, False], ids=["backward within", "backward after"])
def test_experts_train_under_autocast(within: bool) -> None:
    module = mixture("router: {scale: 1}")
    x = torch.randn(2, 5, WIDTH)
    module(x).sum().backward()
    wanted = {name: weight.grad for name, weight in module.named_parameters()}
    module.zero_grad()
    with torch.autocast("cpu", torch.bfloat16):
        loss = module(x).sum()
        if within:
            loss.backward()
    if not within:
        loss.backward()
    for name, weight in module.named_parameters():
        assert weight.grad.dtype == torch.float32, name
        assert relative_error(weight.grad, wanted[name]) < 0.1, name
