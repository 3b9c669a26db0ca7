"""`--kernel flex`: FlexAttention, whose tables and predicates are those of one dense mask.

It runs on CUDA. On the CPU, torch computes it without a kernel and without gradients.
"""

from __future__ import annotations

import inspect
import sys
from types import ModuleType
from typing import Any

import pytest
import torch
from test_tile_ranges import LENGTH as TOKENS
from test_tile_ranges import MASKS, SPEC, data_of, defined
from tile_cases import CASES, DECODER, DECODERS, ENCODER, EXACT, LENGTH, arguments
from torch import Tensor, nn
from torch._dynamo.testing import CompileCounter

import modelwright as mw
from modelwright.backends.pytorch import BuildError, BuildOptions, emit_file
from modelwright.compiler.other_kernels import lacks

pytest.importorskip("torch", minversion="2.9")
pytestmark = pytest.mark.filterwarnings("ignore:flex_attention called without torch.compile")

REFUSED = {
    "additive": "FlexAttention has no additive scores",
    "distance": "FlexAttention has no distance scores",
    "masks of heads": "its heads have different masks",
}
"""The end of a case's name -> why it is refused."""
USABLE = [
    name
    for name in CASES
    if not name.endswith(("additive", "distance")) and "masks of heads" not in name
]


def built(name: str) -> tuple[nn.Module, nn.Module]:
    """The model of a case with FlexAttention and with one dense mask, with the same weights."""
    text, sets = CASES[name]
    spec = mw.loads(text, sets=sets)
    flex, dense = (
        mw.compile(spec, dtype="float64", kernel=kernel).eval() for kernel in ("flex", "dense")
    )
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for weight in dense.parameters():
            weight.add_(0.2 * torch.randn(weight.shape, generator=generator, dtype=weight.dtype))
    flex.load_state_dict(dense.state_dict())
    return flex, dense


@pytest.mark.sampled(20)
@pytest.mark.parametrize("name", USABLE)
def test_flex_equals_one_dense_mask(name: str) -> None:
    flex, dense = built(name)
    for padding in ("none", "left", "right"):
        data = arguments(padding, dense)
        with torch.no_grad():
            assert torch.allclose(flex(**data), dense(**data), rtol=0, atol=EXACT), padding


@pytest.mark.sampled(30)
@pytest.mark.parametrize("name", [name for name in USABLE if name in DECODERS])
def test_pieces_with_a_cache_equal_the_whole(name: str) -> None:
    flex, dense = built(name)
    data = arguments("left", dense)
    if "position_ids" in inspect.signature(dense.forward).parameters:
        data["position_ids"] = (data["attention_mask"].cumsum(1) - 1).clamp(min=0)
    with torch.no_grad():
        whole, start = dense(**data), 0
        cache = sys.modules[type(flex).__module__].Cache(LENGTH)  # type: ignore[attr-defined]
        for size in (5, 1, 7):
            piece = {key: value[:, start : start + size] for key, value in data.items()}
            for seen in data.keys() & {"attention_mask", "document_ids"}:
                piece[seen] = data[seen][:, : start + size]
            found = flex(**piece, cache=cache)
            assert torch.allclose(found, whole[:, start : start + size], rtol=0, atol=EXACT)
            start += size


# -- tables and predicates


def file_of(mask: str) -> tuple[ModuleType, Any]:
    spec = mw.loads(SPEC.format(family="encoder-only", mask=mask))
    model = mw.compile(spec, kernel="flex")
    return sys.modules[type(model).__module__], model.config


def block_mask_of(module: ModuleType, config: Any, data: dict[str, Tensor], size: int) -> Any:
    """The block mask of a file for two sequences, in blocks of `size`."""
    vars(module)["BLOCK"] = size
    (name,) = (n for n in vars(module) if n.endswith("_mask") and n != "block_mask")
    function = getattr(module, name)
    names = list(function.__annotations__)[2:-2]  # start, end … like, result
    given = [getattr(config, n) if hasattr(config, n) else data.get(n) for n in names]
    return function(0, TOKENS, *given, torch.zeros(2, TOKENS, 8))


def pairs_of(block_mask: Any) -> Tensor:
    """What the predicate says of every pair (B, T, S)."""
    b, q, k = torch.meshgrid(*map(torch.arange, (2, TOKENS, TOKENS)), indexing="ij")
    found: Tensor = block_mask.mask_mod(b, torch.zeros_like(b), q, k)
    return found


def missing(block_mask: Any, seen: Tensor, size: int) -> Tensor:
    """Pairs that the mask admits in blocks that the table lacks (B, T, S)."""
    table = block_mask.to_dense()[0, 0].bool()
    place = torch.arange(TOKENS) // size
    return seen & ~table[place][:, place]


@pytest.mark.sampled(30)
@pytest.mark.parametrize("mask", MASKS)
def test_predicates_and_tables_are_the_mask(mask: str) -> None:
    module, config = file_of(mask)
    for padding in ("none", "left", "right"):
        data = data_of(padding)
        expected = torch.from_numpy(defined(mask, data).copy())
        for size in (1, 4):
            made = block_mask_of(module, config, data, size)
            assert made.seq_lengths == (TOKENS, TOKENS)
            assert torch.equal(pairs_of(made), expected), padding
            assert not missing(made, expected, size).any(), padding


@pytest.mark.parametrize(
    ("mask", "most"),
    [("window(3)", 10), ("blocks(4)", 5), ("causal & blocks(8)", 9), ("band(1) | keys(0:2)", 16)],
)
def test_tables_read_few_blocks(mask: str, most: int) -> None:
    made = block_mask_of(*file_of(mask), data_of("none"), 4)
    assert int(made.kv_num_blocks.sum()) <= most < 25


def test_a_block_missing_in_the_table_is_detected() -> None:
    module, config = file_of("window(6)")
    whole = module.merge_ranges
    vars(module)["merge_ranges"] = lambda ranges, end: whole(ranges[-1:], end)[-1:]
    vars(module)["intersect_ranges"] = lambda some, others: others
    data = data_of("none")
    expected = torch.from_numpy(defined("window(6)", data).copy())
    assert not missing(block_mask_of(module, config, data, 4), expected, 4).any()
    vars(module)["merge_ranges"] = lambda ranges, end: (slice(ranges[-1][1] - 1, ranges[-1][1]),)
    assert missing(block_mask_of(module, config, data, 4), expected, 4).any()


# -- the choice


@pytest.mark.parametrize("name", REFUSED)
def test_models_that_flex_cannot_compute_are_refused(name: str) -> None:
    text, sets = CASES[name]
    with pytest.raises(BuildError, match=REFUSED[name]):
        emit_file(mw.lower(mw.loads(text, sets=sets)), BuildOptions(kernel="flex"))


@pytest.mark.parametrize(
    ("sets", "reason"),
    [
        (("dropout=0.1",), "FlexAttention has no dropout; add --set dropout=0"),
        (
            ("attention={type: linear, heads: 4}", "mask=causal", "positions=none"),
            "no attention has",
        ),
        (("attention={heads: 4, talking_heads: both}",), "FlexAttention has no talking heads"),
    ],
)
def test_other_refusals(sets: tuple[str, ...], reason: str) -> None:
    with pytest.raises(BuildError, match=reason):
        emit_file(mw.lower(mw.loads(DECODER, sets=sets)), BuildOptions(kernel="flex"))


@pytest.mark.parametrize("option", ["static_cache", "attention_weights"])
def test_other_options_do_not_go_with_flex(option: str) -> None:
    with pytest.raises(BuildError, match="--kernel flex does not apply to --"):
        BuildOptions(kernel="flex", **{option: True})  # type: ignore[arg-type]


def test_kernels_say_what_flex_lacks() -> None:
    graph = mw.lower(mw.loads(ENCODER))
    (attend,) = (op for op in graph.ops() if op.kind == "attend")
    assert "needs CUDA" in lacks(graph, attend, crosses=False)["flex"]
    graph = mw.lower(mw.loads(ENCODER, sets=("dropout=0.1",)))
    (attend,) = (op for op in graph.ops() if op.kind == "attend")
    assert "no dropout" in lacks(graph, attend, crosses=False)["flex"]


def test_the_file_says_what_it_needs() -> None:
    text = emit_file(mw.lower(mw.loads(DECODER)), BuildOptions(kernel="flex")).text
    assert "PyTorch >= 2.9" in text.splitlines()[0]
    assert "--kernel flex" in text
    assert "Tile" not in text


# -- on CUDA


@pytest.mark.gpu
@pytest.mark.parametrize("name", USABLE)
def test_flex_on_cuda_equals_one_dense_mask(name: str) -> None:
    """Outputs and gradients, in float32."""
    flex, dense = (model.float().cuda() for model in built(name))
    data = {key: value.cuda() for key, value in arguments("left", dense).items()}
    found = []
    for model in (flex, dense):
        y = model(**data)
        y.sin().sum().backward()
        found.append([y, *(w.grad for w in model.parameters() if w.grad is not None)])
    for one, other in zip(*found, strict=True):
        assert torch.allclose(one, other, rtol=1e-4, atol=1e-4)


# -- a kernel that reads the table


@pytest.mark.slow
@pytest.mark.parametrize(
    "mask", ["causal & window(100)", "causal & documents", "causal & (window(60) | keys(0:2))"]
)
def test_a_compiled_kernel_reads_the_table(mask: str) -> None:
    """`torch.compile` makes one for the CPU too (without sinks), which skips what the table lacks.

    It needs a C++ compiler.
    """
    torch._dynamo.reset()
    spec = mw.loads(DECODER, sets=(f"mask={mask}", "attention.kv_heads=2", "d_model=64"))
    flex, dense = (mw.compile(spec, kernel=kernel).eval() for kernel in ("flex", "dense"))
    dense.load_state_dict(flex.state_dict())
    ids = torch.randint(0, 40, (2, 400), generator=torch.Generator().manual_seed(2))
    data = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    data["attention_mask"][1, :140] = 0
    if "documents" in mask:
        data["document_ids"] = torch.arange(400).div(150, rounding_mode="floor").repeat(2, 1)
    file = vars(sys.modules[type(flex).__module__])
    file["flex_attention"] = file["compiled_flex_attention"]
    with torch.no_grad():
        expected = dense(**data)
        assert torch.allclose(flex(**data), expected, atol=1e-5)
        file["merge_ranges"] = lambda ranges, end: (slice(0, 1),)
        assert not torch.allclose(flex(**data), expected, atol=1e-2)


@pytest.mark.slow
def test_steps_and_lengths_share_compiled_kernels() -> None:
    torch._dynamo.reset()
    spec = mw.loads(DECODER, sets=("mask=causal & window(100)",))
    model = mw.compile(spec, kernel="flex").eval()
    file, count = vars(sys.modules[type(model).__module__]), CompileCounter()
    file["flex_attention"] = torch.compile(file["flex_attention"], backend=count)
    cache = file["Cache"](320)
    with torch.no_grad():
        for size in (300, *[1] * 12):
            model(torch.zeros(2, size, dtype=torch.long), cache=cache)
        for size in range(200, 1200, 100):
            model(torch.zeros(2, size, dtype=torch.long))
    assert count.frame_count <= 3
