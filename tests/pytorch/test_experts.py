"""Exported experts, and experts computed by one call of `grouped_mm`."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

import modelwright as mw
from modelwright.backends.pytorch import BuildError, BuildOptions, emit_file
from modelwright.cli import cli

SPEC = """
name: mixture
family: decoder-only
vocab_size: 64
d_model: 32
layers: 2
norm: rmsnorm
positions: rotary
attention: {heads: 4, kv_heads: 2}
feed_forward: {type: moe, experts: 6, top_k: 2, expert: {type: glu, d_ff: 24}, %s}
head: language_model
"""
OPTIONS = {
    "plain": "router: {scale: 2}",
    "biased": "router: {bias: true}, expert: {type: glu, d_ff: 24, bias: true}",
    "groups": "router: {score: sigmoid, selection_bias: true, "
    "groups: {count: 3, top_k: 2, score: top2_sum}}, shared_expert: {type: glu, d_ff: 16}",
    "input": "weigh: input, router: {score: sigmoid, normalize: false}",
    "capacity": "capacity_factor: 0.7",
}
MOSTLY_SLOW = [
    name if name == "plain" else pytest.param(name, marks=pytest.mark.slow) for name in OPTIONS
]
SHAPES = ((1, 2), (1, 3), (2, 2), (3, 1), (5, 1), (3, 2), (2, 6), (13, 1), (7, 5), (1, 60), (4, 33))
"""Batch and length: the rows, 2 * B * T, on both sides of 6 and 12, where blocks change."""


def spec(options: str) -> Any:
    text = SPEC % OPTIONS[options]
    if text.count("expert: {type: glu, d_ff: 24") > 1:
        text = text.replace("expert: {type: glu, d_ff: 24}, ", "", 1)
    return mw.loads(text)


@cache
def model(options: str, **build: Any) -> nn.Module:
    """In eval mode, every weight moved."""
    made = mw.compile(spec(options), **build).eval()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weight in made.parameters():
            weight += 0.2 * torch.randn(weight.shape, generator=generator)
    return made


def ids(batch: int, length: int) -> Tensor:
    generator = torch.Generator().manual_seed(batch * length)
    return torch.randint(0, 64, (batch, length), generator=generator)


def exported(options: str, **build: Any) -> ExportedProgram:
    shapes = {"input_ids": {0: Dim.DYNAMIC, 1: Dim.DYNAMIC}}
    return torch.export.export(model(options, **build), (ids(2, 7),), dynamic_shapes=shapes)


@pytest.mark.parametrize("options", MOSTLY_SLOW)
def test_one_exported_program_serves_any_batch_and_length(options: str) -> None:
    program = exported(options)
    ranges = program.range_constraints.values()
    assert len(ranges) == 2
    assert all(bounds.lower <= 2 and bounds.upper > 2**40 for bounds in ranges)
    for batch, length in SHAPES:
        given = ids(batch, length)
        with torch.no_grad():
            found = program.module()(given)
            torch.testing.assert_close(found, model(options)(given), atol=1e-5, rtol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("options", OPTIONS)
def test_a_mixture_runs_as_onnx_at_any_batch_and_length(options: str, tmp_path: Path) -> None:
    pytest.importorskip("onnxscript")
    runtime = pytest.importorskip("onnxruntime")
    layer = model(options).layers[0].feed_forward
    shapes = {"x": {0: Dim.DYNAMIC, 1: Dim.DYNAMIC}}
    given = (torch.randn(2, 7, 32),)
    program = torch.onnx.export(layer, given, dynamo=True, dynamic_shapes=shapes, verbose=False)
    assert program is not None
    program.save(tmp_path / "mixture.onnx")
    session = runtime.InferenceSession(tmp_path / "mixture.onnx")
    (name,) = [one.name for one in session.get_inputs()]
    for batch, length in SHAPES:
        x = torch.randn(batch, length, 32)
        (found,) = session.run(None, {name: x.numpy()})
        with torch.no_grad():
            np.testing.assert_allclose(found, layer(x), atol=1e-5, rtol=1e-4)


# -- grouped


def gradients(layer: nn.Module, x: Tensor) -> Iterator[Tensor]:
    """The result, its gradient by x and those by the weights."""
    x = x.clone().requires_grad_()
    weights = [weight for weight in layer.parameters() if weight.requires_grad]
    result = layer(x)
    yield result
    yield from torch.autograd.grad(result.float().sin().sum(), (x, *weights))


def pair(options: str, dtype: torch.dtype) -> tuple[nn.Module, nn.Module]:
    """The mixtures of two models with the same weights: the usual one and the grouped one."""
    found = []
    for build in ({}, {"experts": "grouped"}):
        made = mw.compile(spec(options), dtype=dtype, **build)
        made.load_state_dict(model(options).state_dict())
        found.append(made.layers[0].feed_forward)
    return found[0], found[1]


@pytest.mark.sampled(2)
@pytest.mark.parametrize("tokens", [1, 2, 19])
@pytest.mark.parametrize("options", OPTIONS)
def test_grouped_experts_equal_the_others(options: str, tokens: int) -> None:
    """Some experts get no token: their gradients are zeros."""
    usual, grouped = pair(options, torch.float32)
    x = torch.randn(1, tokens, 32)
    for one, other in zip(gradients(usual, x), gradients(grouped, x), strict=True):
        torch.testing.assert_close(one, other, atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_grouped_experts_in_half_precision(dtype: torch.dtype) -> None:
    usual, grouped = pair("plain", dtype)
    x = torch.randn(2, 9, 32, dtype=dtype)
    for one, other in zip(gradients(usual, x), gradients(grouped, x), strict=True):
        scale = float(one.detach().abs().max())
        torch.testing.assert_close(one, other, atol=0.03 * scale, rtol=0)


def test_grouped_experts_train_under_autocast() -> None:
    usual, grouped = pair("plain", torch.float32)
    x = torch.randn(2, 9, 32)
    with torch.autocast("cpu", torch.bfloat16):
        found = list(gradients(grouped, x))
        wanted = list(gradients(usual, x))
    for one, other in zip(wanted, found, strict=True):
        assert one.dtype == other.dtype
        torch.testing.assert_close(one, other, atol=0.05 * float(one.detach().abs().max()), rtol=0)


def test_grouped_experts_in_bfloat16_are_compiled_and_exported_at_any_length() -> None:
    torch._dynamo.reset()
    _, layer = pair("plain", torch.bfloat16)
    compiled = torch.compile(layer, fullgraph=True, backend="aot_eager", dynamic=True)
    shapes = {"x": {0: Dim.DYNAMIC, 1: Dim.DYNAMIC}}
    given = (torch.randn(2, 7, 32, dtype=torch.bfloat16),)
    program = torch.export.export(layer, given, dynamic_shapes=shapes).module()
    for batch, length in SHAPES:
        x = torch.randn(batch, length, 32, dtype=torch.bfloat16)
        with torch.no_grad():
            torch.testing.assert_close(compiled(x), layer(x))
            torch.testing.assert_close(program(x), layer(x))


def test_a_grouped_file_says_what_it_needs() -> None:
    text = emit_file(mw.lower(spec("plain")), BuildOptions(experts="grouped")).text
    assert "in one file (PyTorch >= 2.10)." in text
    assert "--experts grouped" in text
    assert text.count("grouped_expert_linear(") == 4  # its definition, gate, up and down
    assert "def expert_linear" not in text


REFUSED = {
    "without experts": (
        "feed_forward={type: glu, d_ff: 24}",
        "--experts grouped does not apply to mixture: no layer has experts",
    ),
    "odd widths": (
        "feed_forward.expert.d_ff=20",
        "--experts grouped does not apply to mixture: "
        "the widths of experts must be multiples of 8, but one is 20",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_experts_that_cannot_be_grouped_are_refused(name: str, tmp_path: Path) -> None:
    change, message = REFUSED[name]
    path = tmp_path / "mixture.yaml"
    path.write_text(SPEC % OPTIONS["plain"], encoding="utf-8")
    command = ["build", str(path), "-o", "-", "--experts", "grouped", "--set", change]
    result = CliRunner().invoke(cli, command)
    assert result.exit_code == 2
    assert message in result.stderr


def test_dtypes_that_cannot_be_grouped_are_refused() -> None:
    words = "--experts grouped supports float32, bfloat16 or float16, not float64"
    with pytest.raises(BuildError, match=words):
        mw.compile(spec("plain"), dtype="float64", experts="grouped")


def test_a_torch_without_grouped_mm_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(nn.functional, "grouped_mm")
    with pytest.raises(BuildError, match=r"needs PyTorch 2\.10 or later; this is 2\."):
        mw.compile(spec("plain"), experts="grouped")


def test_a_way_that_is_not_known_is_refused() -> None:
    with pytest.raises(BuildError, match="experts must be split or grouped, not fused"):
        mw.emit(spec("plain"), experts="fused")
