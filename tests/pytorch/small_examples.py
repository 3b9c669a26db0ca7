"""The examples at a size that runs in no time, with all of their structure."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from modelwright.backends.verify import shrink
from modelwright.compiler import ModuleGraph, lower
from modelwright.spec import ModelSpec, load

FOLDER = Path(__file__).resolve().parents[2] / "examples"
NAMES = sorted(path.stem for path in FOLDER.glob("*.yaml"))
DECODER = """
name: small
family: decoder-only
vocab_size: 40
max_positions: 32
d_model: 16
layers: 2
positions: rotary
attention: {heads: 4, kv_heads: 2}
head: language_model
"""
"""The text of a decoder with two layers; further lines may follow."""


@cache
def spec(name: str) -> ModelSpec:
    """An example as it stands."""
    return load(FOLDER / f"{name}.yaml")


@cache
def graph(name: str) -> ModuleGraph:
    """Its graph."""
    return lower(spec(name))


@cache
def small_graph(name: str) -> ModuleGraph:
    """The graph of an example made small."""
    return lower(shrink(spec(name)))
