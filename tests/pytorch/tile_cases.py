"""Specs whose attention is computed in tiles, and inputs for them."""

from __future__ import annotations

import inspect
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

import modelwright as mw

EXACT = 1e-12
EXAMPLES = Path(__file__).parents[2] / "examples"
DECODER = """
name: tiny
family: decoder-only
vocab_size: 40
d_model: 16
layers: 2
positions: rotary
mask: causal & window(4)
attention: {heads: 4}
head: language_model
"""
ENCODER = DECODER.replace("decoder-only", "encoder-only").replace("causal & window(4)", "band(2)")
BIAS = "{type: relative_bias, buckets: 6, max_distance: 9, bidirectional: false}"
BIAS_OF_LAYER = f"positions={BIAS[:-1]}, share: layer}}"
# A pattern is repeated, so that a loop over the layers returns to its first kind.
DECODERS: dict[str, tuple[str, ...]] = {
    "window": (),
    "window of one": ("mask=causal & window(1)",),
    "wider than the text": ("mask=causal & window(99)",),
    "window without causal": ("mask=window(5)",),
    "two windows": ("mask=causal & (window(2) | window(6) & ~strided(2))",),
    "shared keys": ("attention.kv_heads=2",),
    "softcap": ("attention.softcap=5.0",),
    "softcap and sinks": ("attention.softcap=2.0", "attention.sinks=true"),
    "softcap, sinks and shared keys": (
        "attention={heads: 4, kv_heads: 2, softcap: 2.0, sinks: true}",
    ),
    "alibi": ("positions=alibi",),
    "alibi with causal layers": (
        "positions=alibi",
        "blocks={a: {mask: causal}, b: {}}",
        "pattern=[a, b]",
        "layers=3",
    ),
    "alibi of some layers": (
        "blocks={a: {positions: alibi}, b: {}}",
        "pattern=[a, b]",
        "layers=3",
    ),
    "alibi and shared keys": ("positions=alibi", "attention.kv_heads=2"),
    "alibi and sinks": ("positions=alibi", "attention.sinks=true"),
    "alibi, sinks, softcap and one key head": (
        "positions=alibi",
        "attention={heads: 4, kv_heads: 1, softcap: 2.0, sinks: true}",
    ),
    "alibi and additive": ("positions=alibi", "attention.score=additive"),
    "alibi and distance": ("positions=alibi", "attention.score=distance"),
    "relative bias": (f"positions={BIAS}",),
    "relative bias and shared keys": (f"positions={BIAS}", "attention.kv_heads=2"),
    "relative bias, softcap and sinks": (
        f"positions={BIAS}",
        "attention={heads: 4, softcap: 2.0, sinks: true}",
    ),
    "relative bias of two kinds of layers": (
        f"positions={BIAS}",
        "blocks={a: {mask: causal}, b: {}, c: {mask: causal & documents}}",
        "pattern=[a, b, c]",
        "layers=4",
    ),
    "relative bias of each layer": (BIAS_OF_LAYER,),
    "relative bias of each layer, causal layers and shared keys": (
        BIAS_OF_LAYER,
        "blocks={a: {mask: causal}, b: {mask: causal & blocks(3)}, c: {}}",
        "pattern=[a, b, c]",
        "layers=4",
        "attention={heads: 4, kv_heads: 2, softcap: 2.0, sinks: true}",
    ),
    "alibi and blocks": ("positions={type: alibi, slopes: ceil}", "mask=causal & blocks(3)"),
    "sinks": ("attention.sinks=true",),
    "sinks and shared keys": ("attention.sinks=true", "attention.kv_heads=1"),
    "distance": ("attention.score=distance",),
    "additive": ("attention.score=additive",),
    "latent": (
        "attention={type: mla, heads: 2, kv_rank: 6, nope_dim: 4, rope_dim: 2, value_dim: 3}",
    ),
    "blocks": ("mask=causal & blocks(3)",),
    "blocks and causal layers": (
        "blocks={a: {mask: causal}, b: {mask: causal & blocks(3)}, c: {}}",
        "pattern=[a, b, c]",
        "layers=4",
    ),
    "fixed": ("mask=causal & fixed(4, 1)",),
    "strided": ("mask=causal & strided(3)",),
    "strided, shared keys, softcap and sinks": (
        "mask=causal & strided(2)",
        "attention={heads: 4, kv_heads: 2, softcap: 2.0, sinks: true}",
    ),
    "strided documents": ("mask=causal & strided(2) & (documents | keys(0:2))",),
    "strided and causal layers": (
        "blocks={a: {mask: causal}, b: {mask: causal & strided(3)}, c: {}}",
        "pattern=[a, b, c]",
        "layers=4",
    ),
    "strided beside a window": ("mask=causal & (window(2) | strided(5))",),
    "dilated window": ("mask=causal & window(200) & strided(2)",),
    "strided alibi": ("positions=alibi", "mask=causal & strided(3)"),
    "documents": ("mask=causal & documents",),
    "masks of heads": ('mask=["causal & window(3)", "causal & strided(4)"]',),
    "masks of heads and shared keys": (
        'mask=["causal & window(3)", causal]',
        "attention={heads: 8, kv_heads: 2, softcap: 2.0}",
    ),
    "masks of heads in some layers": (
        "blocks={a: {mask: [causal & blocks(3), causal & window(2)]}, b: {mask: causal}, c: {}}",
        "pattern=[a, b, c]",
        "layers=4",
        "attention={heads: 4, kv_heads: 2}",
    ),
    "masks of heads and a mask of another layer": (
        'blocks={a: {mask: ["causal & documents", "causal & window(4)", causal, causal]}, b: {}}',
        "pattern=[a, b]",
        "layers=3",
    ),
    "with causal layers": ("blocks={a: {mask: causal}, b: {}}", "pattern=[a, b]", "layers=3"),
    "shared layers": ("share=true",),
}
ENCODERS: dict[str, tuple[str, ...]] = {
    "band": (),
    "alibi": ("positions=alibi",),
    "relative bias": (
        "positions={type: relative_bias, buckets: 8, max_distance: 9}",
        "mask=band(3, 2)",
    ),
    "relative bias of each layer and global tokens": (
        "positions={type: relative_bias, buckets: 8, max_distance: 9, share: layer}",
        "mask=band(1) | global(0:1)",
    ),
    "relative bias of some layers": (
        "positions={type: relative_bias, buckets: 8, max_distance: 9}",
        "blocks={a: {mask: full}, b: {mask: blocks(3) | global(0:1)}}",
        "pattern=[a, b]",
        "layers=3",
    ),
    "alibi and global tokens": ("positions=alibi", "mask=band(1) | global(0:1)"),
    "lopsided": ("mask=band(1, 4)",),
    "intersection": ("mask=band(4, 1) & strided(2)",),
    "band with a hole": ("mask=band(3, 2) & ~band(1)",),
    "union": ("mask=band(0) | band(2, 1)",),
    "with full layers": ("blocks={a: {mask: full}, b: {}}", "pattern=[a, b]", "layers=3"),
    "global tokens": ("mask=band(1) | global(0:1)",),
    "given tokens": ("mask=band(1) | global(given)",),
    "global tokens with projections": (
        "mask=band(1) | global(0:1) | global(-2:)",
        "attention.separate_global=true",
    ),
    "given tokens with projections": (
        "mask=band(1) | global(given)",
        "attention={heads: 4, kv_heads: 2, separate_global: true, qk_norm: head}",
        "positions=rotary",
    ),
    "strided": ("mask=strided(4)",),
    "strided, blocks and full layers": (
        "blocks={a: {mask: full}, b: {mask: strided(3)}, c: {mask: blocks(3) | keys(0:1)}}",
        "pattern=[a, b, c]",
        "layers=4",
    ),
    "random blocks": ("mask=blocks(2) | random(3, 1) | global(0:1)",),
    "masks of heads": ('mask=["band(2)", full]',),
    "masks of heads with global tokens": (
        'mask=["band(1) | global(given)", "blocks(3) | global(0:1)", "strided(4)", documents]',
    ),
    "blocks, shared keys": ("mask=blocks(2, 1)", "attention.kv_heads=2"),
    "blocks, softcap": ("mask=blocks(3)", "attention.softcap=4.0"),
    "blocks, sinks": ("mask=blocks(3)", "attention.sinks=true"),
    "blocks, band and full": (
        "blocks={a: {mask: full}, b: {}, c: {mask: blocks(3)}}",
        "pattern=[a, b, c]",
        "layers=4",
    ),
    "with full and causal layers": (
        "blocks={a: {mask: full}, b: {}, c: {mask: causal}}",
        "pattern=[a, b, c]",
        "layers=4",
    ),
}
CASES = {name: (DECODER, sets) for name, sets in DECODERS.items()} | {
    f"encoder: {name}": (ENCODER, sets) for name, sets in ENCODERS.items()
}
LENGTH = 13


def built(name: str) -> tuple[Any, nn.Module, ModuleType]:
    text, sets = CASES[name]
    spec = mw.loads(text, sets=sets)
    model = mw.compile(spec, dtype="float64").eval()
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(0.2 * torch.randn(weight.shape, generator=generator, dtype=weight.dtype))
    return spec, model, sys.modules[type(model).__module__]


def arguments(padding: str, model: nn.Module | None = None) -> dict[str, Tensor]:
    found = padded(padding)
    names = () if model is None else inspect.signature(model.forward).parameters
    if "document_ids" in names:
        found["document_ids"] = torch.arange(LENGTH).div(5, rounding_mode="floor").repeat(2, 1)
    if "global_mask" in names:
        found["global_mask"] = torch.zeros(2, LENGTH, dtype=torch.long)
        found["global_mask"][0, 3] = found["global_mask"][1, 8] = 1
    return found


def padded(padding: str) -> dict[str, Tensor]:
    ids = torch.randint(0, 40, (2, LENGTH), generator=torch.Generator().manual_seed(2))
    if padding == "none":
        return {"input_ids": ids}
    mask = torch.ones_like(ids)
    if padding != "all real":
        mask[1, slice(0, 5) if padding == "left" else slice(LENGTH - 5, LENGTH)] = 0
    return {"input_ids": ids, "attention_mask": mask}
