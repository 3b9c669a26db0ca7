"""The examples at a size that runs in no time, with all of their structure."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from modelwright.compiler import ModuleGraph, lower
from modelwright.spec import load

FOLDER = Path(__file__).resolve().parents[2] / "examples"
NAMES = sorted(path.stem for path in FOLDER.glob("*.yaml"))

SMALL = ("d_model=32", "vocab_size=47", "max_positions=40")
SPECIAL = {"pad": 1, "bos": 2, "eos": 3, "decoder_start": 4}
WIDE_HEADS = ("gpt_oss_20b", "gemma2_2b", "gemma3_1b", "qwen3_8b")
GATED_LAYERS = {"deepseek_v3": 5, "gemma3_1b": 7, "modernbert_base": 5, "gemma2_2b": 3}
MIXTURES = {
    "tiny_lightning": ("feed_forward.expert.hidden=24",),
    "deepseek_v3": (
        "blocks.dense.feed_forward.hidden=40",
        "blocks.sparse.feed_forward.experts=16",
        "blocks.sparse.feed_forward.expert.hidden=24",
        "blocks.sparse.feed_forward.shared_expert.hidden=20",
    ),
    "gpt_oss_20b": ("feed_forward.expert.hidden=24", "feed_forward.expert.clamp=0.5"),
    "mixtral_8x7b": ("feed_forward.expert.hidden=24",),
    "switch_base_8": (
        "blocks.dense.feed_forward.hidden=40",
        "blocks.sparse.feed_forward.expert.hidden=24",
    ),
    "olmoe_1b_7b": ("feed_forward.expert.hidden=24", "feed_forward.experts=12"),
    "qwen1_5_moe_a2_7b": (
        "feed_forward.expert.hidden=24",
        "feed_forward.experts=6",
        "feed_forward.shared_expert.hidden=20",
    ),
}
IMAGE = ("input.image_size=20", "input.patch_size=8")
HEADS = {
    "vit_b16": IMAGE,
    "clip_vit_b32": (
        *(f"stacks.vision.{change}" for change in (*IMAGE, "d_model=32", "attention.heads=4")),
        *("stacks.text.d_model=24", "stacks.text.vocab_size=47", "stacks.text.attention.heads=2"),
        "head.size=12",
        "head.towers.text.pool.id=5",
    ),
    "whisper_tiny": (
        "encoder.input.layers=[{channels: 12, kernel: 3}, {channels: 32, kernel: 3, stride: 2}]",
    ),
    "dinov2_base": IMAGE,
    "bert_pretraining": ("heads.nsp.hidden=32",),
    "bert_base": ("head.size=24",),
    "bert_large": ("head.size=24",),
    "albert_base": ("head.size=24", "input.width=12"),
    "bigbird_base": (
        "head.size=24",
        'mask="blocks(2, 1) | global(0:2) | global(-2:) | random(2, 2)"',
    ),
    "sparse_transformer": ('mask=["causal & window(4)", "causal & strided(3)"]',),
    "longformer_base": ('mask="band(2) | global(given)"',),
    "llama3_1_8b": ("positions.scaling.original_max_positions=16",),
    "deepseek_v3": (
        "positions.scaling.original_max_positions=16",
        "attention.query_rank=12",
        "attention.kv_rank=10",
        "attention.nope_dim=6",
        "attention.rope_dim=4",
        "attention.value_dim=5",
    ),
    "gpt_oss_20b": (
        "positions.scaling.original_max_positions=16",
        'blocks.local.mask="causal & window(4)"',
    ),
    "mistral_7b": ('mask="causal & window(4)"',),
    "gemma2_2b": ('blocks.local.mask="causal & window(4)"',),
    "gemma3_1b": ('blocks.local.mask="causal & window(4)"',),
    "modernbert_base": ('blocks.local.mask="band(2)"',),
}


@cache
def graph(name: str) -> ModuleGraph:
    """The graph of an example as it stands."""
    return lower(load(FOLDER / f"{name}.yaml"))


@cache
def small_graph(name: str) -> ModuleGraph:
    """The graph of an example made small."""
    spec = graph(name).spec
    sets = [*SMALL, f"layers={GATED_LAYERS.get(name, 2)}", "attention.heads=4"]
    sets += [*MIXTURES.get(name, ("feed_forward.hidden=40",)), *HEADS.get(name, ())]
    if name in WIDE_HEADS:
        sets.append("attention.head_dim=6")
    if any(
        getattr(block.attention, "kv_heads", None) not in (None, 1)
        for stack in spec.stacks.values()
        for block in stack.blocks.values()
    ):
        sets.append("attention.kv_heads=2")
    for token, value in SPECIAL.items():
        if getattr(spec.tokens, token) is not None:
            sets.append(f"tokens.{token}={value}")
    return lower(load(FOLDER / f"{name}.yaml", sets=sets))
