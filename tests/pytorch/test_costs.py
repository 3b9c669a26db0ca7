"""The cost report against PyTorch: saved tensors, the FLOP counter, and caches after a step."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from saved_tensors import BATCH, EXAMPLES, Measured, example, measured
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode
from variations import VARIATIONS, spec_of

import modelwright as mw
from modelwright.backends.pytorch.calls import hidden_states_of, memories_of
from modelwright.backends.verify import measured as measured_costs

NAMES = sorted(path.stem for path in EXAMPLES.glob("*.yaml"))
SAMPLE = (
    "bloom_560m",
    "clip_vit_b32",
    "deberta_v3_base",
    "deepseek_v3",
    "gemma2_2b",
    "gpt2",
    "gpt_oss_20b",
    "llama3_8b",
    "longformer_base",
    "mixtral_8x7b",
    "t5_small",
    "tiny_additive",
    "tiny_fastformer",
    "tiny_gpt",
    "tiny_lightning",
    "tiny_linear",
    "wav2vec2_base",
    "whisper_tiny",
    "xlnet_base",
)
EACH = [
    pytest.param(name, marks=() if name in SAMPLE else pytest.mark.slow, id=name) for name in NAMES
]
DTYPES = ("float32", "bfloat16")


def report_of(measured: Measured, **options: Any) -> mw.compiler.report.Report:
    decided = measured.graph.decided()
    sequence = None if decided else measured.tokens
    return mw.report(measured.graph, batch=BATCH, sequence=sequence, **options)


# -- activations


@pytest.mark.sampled(2)
@pytest.mark.parametrize("name", EACH)
@pytest.mark.parametrize("dtype", DTYPES)
def test_activations_are_what_autograd_keeps(name: str, dtype: str) -> None:
    measured = example(name, dtype=dtype)
    counted = report_of(measured, dtype=dtype).activations.cpu
    assert counted == pytest.approx(measured.kept(), rel=0.02)


@pytest.mark.sampled(2)
@pytest.mark.parametrize("name", EACH)
def test_checkpointing_keeps_what_enters_layers(name: str) -> None:
    measured = example(name, gradient_checkpointing=True)
    counted = report_of(measured).activations.checkpointed
    assert counted == pytest.approx(measured.kept(), rel=0.02)


@pytest.mark.slow
@pytest.mark.parametrize("name", VARIATIONS)
def test_activations_of_every_option(name: str) -> None:
    one = measured(spec_of(name), tokens=20)
    assert report_of(one).activations.cpu == pytest.approx(one.kept(), rel=0.02)


@pytest.mark.parametrize("sets", [("layers=2",), ("layers=2", "dropout=0.0")], ids=str)
def test_activations_at_full_width(sets: tuple[str, ...]) -> None:
    """GPT-2 with two layers as wide as they are: nothing depends on the small sizes."""
    one = measured(mw.load(EXAMPLES / "gpt2.yaml", sets=list(sets)), tokens=80)
    assert report_of(one).activations.cpu == pytest.approx(one.kept(), rel=1e-4)


def test_estimates_for_gpus_keep_less() -> None:
    """No scores, and booleans for what dropout chose."""
    for name in ("gpt2", "t5_small", "tiny_gpt"):
        kept = mw.report(EXAMPLES / f"{name}.yaml").activations
        assert kept.checkpointed < kept.gpu <= kept.cpu


# -- FLOPs


TOLERANCE = {"wav2vec2_base": 5e-3}
"""Frames of a stem without padding are a whole number for each token."""


@pytest.mark.sampled(2)
@pytest.mark.parametrize("name", EACH)
def test_flops_are_those_of_the_flop_counter(name: str) -> None:
    one = example(name)
    counted = report_of(one).flops_dense
    assert counted == pytest.approx(one.flops(), rel=TOLERANCE.get(name, 0.0))


@pytest.mark.slow
@pytest.mark.parametrize("name", VARIATIONS)
def test_flops_of_every_option(name: str) -> None:
    one = measured(spec_of(name), tokens=20)
    near = 0.01 if name.startswith("stem") else 0.0
    assert report_of(one).flops_dense == pytest.approx(one.flops(), rel=near)


@pytest.mark.sampled(2)
@pytest.mark.parametrize("name", ["tiny_linear", "tiny_lightning"])
@pytest.mark.parametrize("tokens", [1, 95, 96, 128])
def test_flops_of_chunks(name: str, tokens: int) -> None:
    """The pairs of a chunk, and one sum for all chunks before it."""
    one = measured(mw.load(EXAMPLES / f"{name}.yaml"), tokens=tokens)
    assert report_of(one).flops_dense == one.flops()
    assert "B*P" in report_of(one).flops_formula


@pytest.mark.parametrize("decay", ["none", "lightning"])
@pytest.mark.parametrize("tokens", [97, 192, 300])
def test_costs_of_several_chunks(decay: str, tokens: int) -> None:
    attention = f"attention={{type: linear, heads: 2, head_dim: 32, decay: {decay}}}"
    sets = [attention, "max_positions=512", "positions=none", "d_model=64", "vocab_size=99"]
    one = measured(mw.load(EXAMPLES / "tiny_gpt.yaml", sets=sets), tokens=tokens)
    assert report_of(one).flops_dense == one.flops()
    assert report_of(one).activations.cpu == pytest.approx(one.kept(), rel=0.02)


TILED = {
    "window": ("causal & window(40)", ()),
    "window, causal layers": (
        "causal & window(40)",
        ("blocks={a: {mask: causal}, b: {}}", "pattern=[a, b]"),
    ),
    "window over all tokens": ("causal & window(1200)", ()),
    "softcap": ("causal & window(40)", ("attention.softcap=5.0",)),
    "sinks": ("causal & window(40)", ("attention.sinks=true", "attention.kv_heads=2")),
    "alibi": ("causal & window(40)", ("positions=alibi",)),
    "alibi, sinks and shared keys": (
        "causal & window(40)",
        ("positions=alibi", "attention.sinks=true", "attention.kv_heads=2"),
    ),
    "softcap and sinks": (
        "causal & window(40)",
        ("attention.softcap=5.0", "attention.sinks=true"),
    ),
    "relative bias": ("band(20, 30)", ("positions={type: relative_bias}",)),
    "relative bias, several ranges": (
        "band(20) | global(0:1)",
        ("positions={type: relative_bias}",),
    ),
    "relative bias of each layer": (
        "band(20, 30)",
        ("positions={type: relative_bias, share: layer}",),
    ),
    "dropout": ("causal & window(40)", ("attention.dropout=0.1",)),
    "band": ("band(20, 30)", ()),
    "global": ("band(20) | global(0:1)", ("attention.separate_global=true",)),
    "bigbird": ("blocks(64, 1) | global(0:64) | global(-64:) | random(64, 1)", ()),
    "fixed": ("causal & fixed(64, 4)", ()),
    "strided": ("causal & strided(16)", ("attention.kv_heads=2",)),
    "strided, causal layers": (
        "causal & strided(4)",
        ("blocks={a: {mask: causal}, b: {}}", "pattern=[a, b]"),
    ),
    "strided and several ranges": ("strided(8) & (band(200) | keys(0:64))", ()),
    "beside a stride": ("causal & (window(20) | strided(300))", ()),
    "by head": ("causal & window(40)", ('mask=["causal & window(40)", "causal & strided(16)"]',)),
    "by head, causal and softcap": (
        "causal & window(40)",
        ('mask=[causal, "causal & window(40)"]', "attention={heads: 4, kv_heads: 2, softcap: 5}"),
    ),
    "softcap, several ranges": ("blocks(9, 1) | keys(0:2)", ("attention={heads: 4, softcap: 5}",)),
    "dropout by head": (
        "causal & window(40)",
        (
            'mask=["causal & window(40)", "causal & strided(16)"]',
            "attention={heads: 4, dropout: 0.1}",
        ),
    ),
    "by head, causal": ("causal & window(40)", ('mask=[causal, "causal & window(40)"]',)),
}
"""Masks that are computed in tiles: the formula, and options."""


@pytest.mark.sampled(6)
@pytest.mark.parametrize("name", TILED)
def test_costs_of_tiles(name: str) -> None:
    """From 1,024 tokens on: FLOPs of the scores that tiles compute, and what they save."""
    mask, sets = TILED[name]
    family = "decoder-only" if mask.startswith("causal") else "encoder-only"
    text = (
        f"{{name: tiny, family: {family}, vocab_size: 40, d_model: 32, layers: 2, "
        f'positions: rotary, mask: "{mask}", attention: {{heads: 4}}, head: language_model}}'
    )
    one = measured(mw.loads(text, sets=sets), tokens=1100)
    counted = report_of(one)
    assert counted.flops_dense == pytest.approx(one.flops(), rel=1e-12)
    assert counted.activations.cpu == pytest.approx(one.kept(), rel=0.002)


SHORT = {
    "strided": ("causal & strided(3)", ()),
    "strided of an encoder": ("strided(3)", ()),
    "by head": ("causal", ('mask=["causal & window(4)", "causal & strided(3)"]',)),
    "by head, causal": ("causal", ('mask=["causal & window(4)", causal]',)),
    "fastformer": ("full", ("attention={type: fastformer, heads: 4}",)),
    "linear of softmax": ("causal", ("attention={type: linear, heads: 4, feature_map: softmax}",)),
}
"""Masks too short for tiles, and sums in chunks: the formula, and options."""


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("name", SHORT)
def test_bytes_saved_of_short_sequences(
    name: str, batch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exact, also for one sequence, of which some copies are views."""
    monkeypatch.setattr(measured_costs, "BATCH", batch)
    mask, sets = SHORT[name]
    family = "decoder-only" if mask.startswith("causal") else "encoder-only"
    text = (
        f"{{name: tiny, family: {family}, vocab_size: 40, d_model: 32, layers: 2, max_positions: "
        f'128, positions: learned, mask: "{mask}", attention: {{heads: 4}}, head: language_model}}'
    )
    one = measured(mw.loads(text, sets=sets), tokens=100)
    counted = mw.report(one.graph, batch=batch, sequence=100).activations.cpu
    assert counted == one.kept()


# -- one step, and the cache behind it


def stepped(measured: Measured) -> tuple[int, Any]:
    """FLOPs of a step after which `tokens` are cached, and the cache."""
    model, data, graph = measured.model.eval(), dict(measured.data), measured.graph
    cache = measured.module.Cache(measured.tokens)
    ids = "decoder_input_ids" if "decoder_input_ids" in data else "input_ids"
    tokens = data.pop(ids)
    with torch.no_grad():
        if len(graph.hidden) > 1:
            *_, stack = graph.hidden
            decode = hidden_states_of(model, graph, stack)
            states = memories_of(model, graph, stack, measured.data)
            model.logits(decode(**{ids: tokens[:, :-1]}, **states, cache=cache))
            kept = {name: state for name, state in states.items() if name.endswith("memory")}
            last = {ids: tokens[:, -1:], **kept, "cache": cache}  # vectors among tokens are cached
            step = lambda: model.logits(decode(**last))  # noqa: E731
        else:
            model(tokens[:, :-1], cache=cache)
            step = lambda: model(tokens[:, -1:], cache=cache)  # noqa: E731
        with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
            step()
    return counter.get_total_flops(), cache


@pytest.mark.sampled(2)
@pytest.mark.parametrize("name", EACH)
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_step_and_its_cache(name: str, dtype: str) -> None:
    measured = example(name, dtype=dtype, tokens=32)
    if not measured.graph.keepers():
        assert report_of(measured, dtype=dtype).decoding is None
        return
    flops, cache = stepped(measured)
    step = report_of(measured, dtype=dtype).decoding
    assert step is not None
    assert step.flops == flops
    parts = (getattr(cache, part, {}).values() for part in ("kv", "memory", "states"))
    held = [each if isinstance(each, (tuple, list)) else (each,) for part in parts for each in part]
    assert step.cache_bytes == sum(tensor.nbytes for each in held for tensor in each)
    assert step.cache_length == measured.tokens
