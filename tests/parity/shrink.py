"""The examples at a size that runs in no time, with all of their structure; and odd specs."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import torch
from odd_specs import DECODES, ENCODES
from perturb import perturb
from torch import nn

import modelwright as mw
from modelwright.backends.verify import shrink
from modelwright.compiler import ModuleGraph

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
ODD = {**DECODES, **ENCODES}


PLACED = {"llava_like"}
"""Examples in which tokens stand for vectors of an image: see test_parity_llava.py."""


def examples() -> list[str]:
    return sorted({path.stem for path in EXAMPLES.glob("*.yaml")} - PLACED)


@cache
def spec(name: str) -> mw.ModelSpec:
    """Of an example, made small, or an odd one."""
    return mw.loads(ODD[name]) if name in ODD else shrink(mw.load(EXAMPLES / f"{name}.yaml"))


@cache
def graph(name: str) -> ModuleGraph:
    """Its graph."""
    return mw.lower(spec(name))


@cache
def model(name: str) -> nn.Module:
    """Its model in float64, with no weight at rest."""
    return perturb(mw.compile(graph(name), dtype=torch.float64), std=0.3)


def caches(name: str) -> str:
    """The stack that keeps a cache, if one does: such a model decodes."""
    found = graph(name)
    stacks = [found.scopes[op.scope].stack for op in found.keepers()]
    return stacks[0] if stacks else ""
