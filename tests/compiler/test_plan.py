"""`plan`: published runs, what tensor parallelism divides, and the formulas by hand."""

from __future__ import annotations

from math import prod
from pathlib import Path
from typing import Any

import pytest

import modelwright as mw
from modelwright.compiler.plan import DEVICES, Plan, PlanError
from modelwright.compiler.plan.devices import OPTIONS
from modelwright.compiler.plan.layout import Layout
from modelwright.compiler.plan.memory import Sizes, activations, stored
from modelwright.compiler.plan.split import split_of
from modelwright.compiler.plan.step_time import bandwidth
from modelwright.compiler.tile_counts import TileCounts

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
P100 = {"peak": 9.5e12}
"""FLOP/s that Vaswani et al. 2017 assume for a P100, in float32."""


def example(name: str) -> Any:
    return mw.lower(EXAMPLES / f"{name}.yaml")


def planned(name: str, **options: Any) -> Plan:
    return mw.plan(EXAMPLES / f"{name}.yaml", **{"device": "h100", "tokens": 1e9, **options})


# -- published runs


def test_flops_of_gpt3() -> None:
    """3.14e23 is 6 N D (Brown et al. 2020, table D.1), which leaves out attention and positions."""
    made = planned("gpt3_175b", tokens=300e9, sequence=2048, devices=1024, device="a100")
    assert made.kaplan == pytest.approx(3.14e23, rel=0.003)
    assert made.flops == pytest.approx(3.14e23, rel=0.03)
    assert made.flops > made.kaplan


@pytest.mark.parametrize(
    ("name", "tokens", "mfu", "hours", "published"),
    [("transformer_base", 2.5e9, 0.29, 12, 3.3e18), ("transformer_big", 7.5e9, 0.42, 84, 2.3e19)],
)
def test_the_original_transformers(
    name: str, tokens: float, mfu: float, hours: float, published: float
) -> None:
    """100,000 and 300,000 steps of 25,000 tokens on 8 P100 (Vaswani et al. 2017, section 5).

    The FLOPs of their Table 2 are hours x devices x 9.5 TFLOP/s: the capacity, not the work.
    """
    made = planned(
        name, tokens=tokens, device="p100", numbers=P100, devices=8, precision="float32",
        parallel=["ddp"], batch=512, sequence=50, mfu=mfu,
    )  # fmt: skip
    (run,) = made.layouts
    assert run.hours == pytest.approx(hours, rel=0.05)
    assert run.capacity == pytest.approx(published, rel=0.05)
    assert made.flops == pytest.approx(mfu * published, rel=0.05)
    assert run.fits


def test_llama3_8b() -> None:
    """1.3 million H100 hours (model card) for 15e12 tokens of 8,192: 17 % of the peak."""
    made = planned(
        "llama3_8b", tokens=15e12, sequence=8192, devices=1024, mfu=0.17, recompute=False
    )
    assert made.kaplan == pytest.approx(7.2e23, rel=0.01)
    assert made.flops / made.kaplan == pytest.approx(1.07, abs=0.02)
    hours = made.flops / (0.17 * 989e12) / 3600
    assert hours == pytest.approx(1.3e6, rel=0.05)
    assert made.best is not None
    assert made.best.hours * 1024 == pytest.approx(hours, rel=0.02)


# -- memory by hand


def test_memory_of_ddp_and_fsdp() -> None:
    """16 bytes per weight in ddp (4 + 4 + 8), of which fsdp stores a share (Rajbhandari 2020)."""
    weights = 124_439_808
    ddp, fsdp = planned("gpt2", devices=8, parallel=["ddp", "fsdp"]).layouts
    parts = ddp.memory.weights, ddp.memory.gradients, ddp.memory.optimizer
    assert parts == (4 * weights, 4 * weights, 8 * weights)
    assert ddp.memory.working == 2 * weights
    assert fsdp.memory.weights == pytest.approx(4 * weights / 8, rel=1e-3)
    assert fsdp.memory.optimizer == pytest.approx(8 * weights / 8, rel=1e-3)
    assert ddp.memory.activations == fsdp.memory.activations
    assert ddp.memory.total == sum(parts) + ddp.memory.activations + ddp.memory.working


def test_muon_has_one_number_per_matrix() -> None:
    (adamw,) = planned("gpt2", parallel=["ddp"]).layouts
    (muon,) = planned("gpt2", parallel=["ddp"], optimizer="muon").layouts
    matrices = 12 * (4 * 768 * 768 + 2 * 768 * 3072)
    assert adamw.memory.optimizer - muon.memory.optimizer == 4 * matrices


def test_rows_are_rounded_up() -> None:
    """The first device has ceil(rows / devices) of them, as `torch.chunk` gives it."""
    graph = example("tiny_gpt")
    whole = sum(weight.weight.count for weight in graph.weights())
    count = stored(graph, Layout(1, 7, True), split_of(graph, 1))
    by_hand = sum(-(-w.shape[0] // 7) * prod(w.shape[1:]) for w in graph.weights())
    assert count.weights == whole
    assert count.local == by_hand > whole / 7


# -- tensor parallelism


def test_gpt2_is_divided_by_columns_and_rows() -> None:
    graph = example("gpt2")
    split = split_of(graph, 4)
    names = {graph.op(n).name: axis for n, axis in split.axes.items()}
    layer = {"query": 0, "key": 0, "value": 0, "output": 1, "up": 0, "down": 1}
    assert names == layer | {"token_embedding": 0, "head": 0}
    assert split.replicated == ()
    layers = 12 * (4 * 768 * 768 + 3 * 768 + 2 * 768 * 3072 + 3072)
    count = stored(graph, Layout(4, 1, False), split)
    others = 768 * (50_257 - 12_565)  # tokens of other devices: the parts are unequal
    assert count.weights == 124_439_808 - layers * 3 // 4 - others


def test_llama_is_divided_with_its_vocabulary() -> None:
    graph = example("llama3_8b")
    split = split_of(graph, 8)
    assert split.replicated == ()
    names = sorted(graph.op(n).name for n in split.vocabulary)
    assert names == ["head", "token_embedding"]
    count = stored(graph, Layout(8, 1, False), split)
    assert count.weights == pytest.approx(8_030_261_248 / 8, rel=1e-3)


def test_activations_follow_korthikanti() -> None:
    """Of 34 s b h bytes per layer, 24 are divided and 10 are not (Korthikanti et al. 2022,
    equation 2), without the scores, which a fused kernel does not save.
    """
    text = "vocab_size: 64\nmax_positions: 512\nd_model: 256\nlayers: {}\ndropout: 0.1\n" + (
        "family: decoder-only\npositions: learned\nattention: {{heads: 8, dropout: 0}}\n"
        "feed_forward: {{activation: gelu}}\nhead: language_model\nname: small\n"
    )
    sizes = Sizes(4, 512, "bfloat16", "adamw", recompute=False)
    found = []
    for size in (1, 8):
        totals = []
        for layers in (2, 3):
            graph = mw.lower(mw.loads(text.format(layers)))
            split = split_of(graph, size)
            totals.append(activations(graph, split, sizes, TileCounts(graph, 512)))
        found.append((totals[1] - totals[0]) / (4 * 512 * 256))
    divided = (found[0] - found[1]) * 8 / 7
    assert divided == pytest.approx(24, rel=0.02)
    assert found[0] - divided == pytest.approx(10, rel=0.1)


REPLICATED = {
    "bloom_560m": (4, "layers.attention: ALiBi slopes are numbered over all heads"),
    "tiny_deepseek": (2, "layers.attention: latent attention shares one rotated key"),
    "mixtral_8x7b": (8, "layers.feed_forward.experts: experts are not divided"),
    "mixtral_8x7b/16": (16, "layers.attention: kv_heads (8) is not a multiple of 16"),
    "olmo2_7b": (2, "layers.attention: a norm covers all heads"),
    "gpt_oss_20b": (2, "layers.attention: each head has a sink"),
    "bigbird_base": (5, "layers.attention: heads (12) is not a multiple of 5"),
}


@pytest.mark.parametrize("case", REPLICATED)
def test_parts_that_are_not_divided_are_named(case: str) -> None:
    size, reason = REPLICATED[case]
    split = split_of(example(case.split("/")[0]), size)
    assert any(line.startswith(reason) for line in split.replicated), split.replicated


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.yaml"))[::3], ids=lambda path: path.stem)
def test_every_matrix_of_a_layer_is_divided_or_named(path: Path) -> None:
    graph = mw.lower(path)
    split = split_of(graph, 2)
    for op in graph.ops():
        matrix = any(len(weight.shape) > 1 for weight in op.weights)
        if matrix and graph.block_of(op.scope) is not None and op.number not in split.axes:
            place = graph.scopes[op.scope].weights.replace(".{layer}", "")
            assert any(line.startswith(place) for line in split.replicated), (op.name, place)


@pytest.mark.parametrize("name", ["gpt2", "llama3_8b", "t5_base", "bert_base", "vit_b16"])
def test_divided_values_have_a_divided_axis(name: str) -> None:
    """Heads, hidden units or the vocabulary; the hidden states between layers are whole."""
    graph = example(name)
    for value in split_of(graph, 4).values(graph):
        letters = {part for dim in graph.values[value].shape for part in dim.label.split("*")}
        assert letters & {"H", "K", "F", "V"}, graph.values[value]


# -- communication and time


def test_bytes_that_are_sent() -> None:
    """ddp sends 2 (n - 1) / n, fsdp 1.5 times as much for equal widths (Rajbhandari 2020, 7.2)."""
    weights = 124_439_808
    options = {"devices": 4, "precision": "float32", "numbers": {"peak": 67e12}, "micro": 8}
    ddp, fsdp = planned("gpt2", parallel=["ddp", "fsdp"], **options).layouts
    assert sum(each.bytes for each in ddp.transfers) == pytest.approx(2 * 3 / 4 * 4 * weights)
    outside = (50257 + 1024 + 2) * 768
    sent = {each.kind: each.bytes for each in fsdp.transfers}
    assert sent["reduce-scatter"] == pytest.approx(3 / 4 * 4 * weights)
    assert sent["all-gather"] == pytest.approx(3 / 4 * 4 * (2 * weights - outside))


@pytest.mark.parametrize(("recompute", "times"), [(False, 4), (True, 6)])
def test_reduced_activations(recompute: bool, times: int) -> None:
    """Four all-reduces of (B, T, D) per layer, two for each pass (Shoeybi et al. 2019), and those
    of embedding and head.
    """
    made = planned("llama3_8b", devices=8, parallel=["tp8"], batch=2, micro=2, recompute=recompute)
    (sent,) = made.layouts[0].transfers
    numbers = 2 * 1024 * 4096 * (32 * times + 2)
    assert sent.bytes == pytest.approx(2 * 7 / 8 * 2 * numbers)
    assert not sent.overlaps


def test_the_slowest_link_decides() -> None:
    h100 = DEVICES["h100"]
    layouts = planned("llama3_8b", devices=16, parallel=["fsdp", "tp8"], batch=128).layouts
    used = {
        (each.layout.name, sent.what): bandwidth(sent, each.layout, h100)
        for each in layouts
        for sent in each.transfers
    }
    assert used["fsdp", "weights"] == h100.network
    assert used["tp8 x fsdp2", "weights"] == h100.network
    assert used["tp8 x fsdp2", "activations"] == h100.link


def test_recomputation_takes_a_third_more_and_saves_memory() -> None:
    (once,) = planned("gpt2", parallel=["ddp"], micro=8).layouts
    (twice,) = planned("gpt2", parallel=["ddp"], micro=8, recompute=True).layouts
    assert twice.time.compute == pytest.approx(4 / 3 * once.time.compute)
    assert twice.memory.activations < 0.6 * once.memory.activations
    assert once.mfu == pytest.approx(0.4)
    assert twice.mfu == pytest.approx(0.3)


# -- choices


def test_the_fastest_layout_that_fits_is_the_best() -> None:
    made = planned("llama3_8b", devices=64, batch=512, sequence=4096, price=2.0)
    assert [each.layout.name for each in made.layouts] == [
        "ddp", "fsdp", "tp2 x fsdp32", "tp4 x fsdp16", "tp8 x fsdp8"
    ]  # fmt: skip
    assert not made.layouts[0].fits
    fitting = [each for each in made.layouts if each.fits]
    assert made.best is min(fitting, key=lambda each: each.hours)
    assert made.best.memory.total <= made.usable == 72e9
    assert made.best.cost == pytest.approx(2.0 * 64 * made.best.hours)
    text = made.render()
    assert f"{made.best.layout.name} *" in text
    assert "arXiv:1910.02054" in text


def test_nothing_fits() -> None:
    made = planned("gpt3_175b", devices=8, device="rtx4090")
    assert made.best is None
    assert made.to_json()["best"] is None
    assert "none fits into 20.1 GiB" in made.render()


def test_layouts_that_are_not_possible_are_named() -> None:
    made = planned("gpt_oss_20b", devices=2)
    assert [each.layout.name for each in made.layouts] == ["ddp", "fsdp"]
    assert made.refused[0].startswith("tp2: no layer can be divided (layers.attention: each head")


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "device": ({"device": "h10"}, "unknown device `h10`; did you mean `h100`?"),
    "none": ({"device": None}, "no device: give --device (one of b200, h200"),
    "numbers": ({"device": None, "numbers": {"peak": 1e12}}, "with --device-memory, --memory-b"),
    "zero": ({"numbers": {"peak": 0.0}}, "--peak must be above 0, not 0"),
    "tokens": ({"tokens": 0}, "--tokens must be at least 1, not 0"),
    "nan": ({"tokens": float("nan")}, "--tokens must be at least 1, not nan"),
    "devices": ({"devices": 0}, "--devices must be at least 1, not 0"),
    "mfu": ({"mfu": 1.5}, "--mfu must be above 0 and at most 1, not 1.5"),
    "headroom": ({"headroom": 1.0}, "--headroom must be at least 0 and below 1, not 1"),
    "price": ({"price": -1.0}, "--price must be at least 0, not -1"),
    "layout": ({"parallel": ["zero3"]}, "unknown layout `zero3` in --parallel; expected ddp, fsdp"),
    "group": ({"parallel": ["tp3"], "devices": 8}, "--devices (8) must be a multiple of it"),
    "one": ({"parallel": ["tp1"]}, "`tp1` in --parallel: groups have at least 2 devices"),
    "batch": ({"devices": 8, "batch": 12, "parallel": ["ddp"]}, "ddp: --batch (12) must be a mult"),
    "micro": ({"batch": 12, "micro": 8}, "must be a multiple of 1 data-parallel devices x --micro"),
    "precision": (
        {"device": "p100", "precision": "bfloat16"},
        "the peak of p100 is known for floa",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_bad_values_are_refused(case: str) -> None:
    options, message = REFUSED[case]
    with pytest.raises(PlanError) as error:
        planned("gpt2", **options)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("name", "size", "reason"),
    [("gpt_oss_20b", 2, "each head has a sink"), ("gpt2", 5, "heads (12) is not a multiple of 5")],
)
def test_a_layout_that_divides_nothing_is_refused(name: str, size: int, reason: str) -> None:
    with pytest.raises(PlanError, match="no layer can be divided") as error:
        planned(name, devices=size, parallel=[f"tp{size}"])
    assert reason in str(error.value)


def test_a_device_may_be_described() -> None:
    numbers = {"memory": 24e9, "peak": 100e12, "read": 900e9, "link": 30e9}
    made = planned("gpt2", device=None, numbers=numbers, devices=2)
    assert made.device.peak == {"bfloat16": 100e12}
    assert (made.device.network, made.device.node) == (30e9, 8)
    changed = planned("gpt2", numbers={"memory": 10e9})
    assert changed.device.memory == 10e9
    assert changed.device.read == DEVICES["h100"].read
    assert set(OPTIONS) == {"memory", "peak", "read", "link", "network", "node"}


@pytest.mark.sampled(2)
@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.yaml"))[::6], ids=lambda path: path.stem)
def test_every_example_can_be_planned(path: Path) -> None:
    made = mw.plan(path, tokens=1e9, devices=4, device="a100")
    assert made.layouts
    for each in made.layouts:
        assert 0 < each.mfu <= made.request.mfu * 1.001
        assert each.memory.total > 0
    assert made.to_json()["layouts"]
