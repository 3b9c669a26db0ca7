"""The examples at a size that runs in no time, with all of their structure; and odd specs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import torch
import yaml
from odd_specs import DECODES, ENCODES
from perturb import perturb
from torch import nn

import modelwright as mw
from modelwright.compiler import ModuleGraph

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
SMALL: dict[str, int] = {
    "vocab_size": 64,
    "max_positions": 64,
    "original_max_positions": 16,
    "d_model": 32,
    "width": 24,
    "heads": 4,
    "kv_heads": 2,
    "head_dim": 12,
    "query_rank": 12,
    "kv_rank": 10,
    "nope_dim": 6,
    "rope_dim": 4,
    "value_dim": 5,
    "hidden": 48,
    "experts": 8,
    "count": 4,
    "top_k": 2,
    "size": 24,
    "buckets": 8,
    "image_size": 20,
    "patch_size": 8,
    "max_distance": 20,
}
SPANS = {"window": 5, "band": 3, "blocks": 4, "random": 4, "strided": 3}
"""How wide the atoms of a formula are here: all narrower than a sequence of the tests."""


ODD = {**DECODES, **ENCODES}
SPECIAL = {"pad": 0, "bos": 1, "eos": 2, "decoder_start": 1}


def examples() -> list[str]:
    return sorted(path.stem for path in EXAMPLES.glob("*.yaml"))


def document(path: Path) -> dict[str, Any]:
    """What an example says, and below it what it extends."""
    own: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    if "extends" not in own:
        return own
    return _over(document(path.with_name(own["extends"])), own)


def _over(low: dict[str, Any], high: dict[str, Any]) -> dict[str, Any]:
    merged = dict(low)
    for key, value in high.items():
        below = merged.get(key)
        both = isinstance(below, dict) and isinstance(value, dict)
        merged[key] = _over(below, value) if both else value
    return merged


def sets(path: Path) -> tuple[str, ...]:
    """The `--set`s that make an example small: only what it says is said anew."""
    return tuple(f"{key}={value}" for key, value in _changes("", document(path)))


def _changes(prefix: str, part: dict[str, Any]) -> Iterator[tuple[str, object]]:
    for key, value in part.items():
        place = f"{prefix}{key}"
        if isinstance(value, dict):
            yield from _changes(f"{place}.", value)
        elif key == "layers" and isinstance(value, list):  # of a stem
            narrow = [{**layer, "channels": SMALL["d_model"]} for layer in value]
            yield place, yaml.safe_dump(narrow, default_flow_style=True, width=1000).strip()
        elif key == "layers":
            yield place, min(value, _period(part) + 1)
        elif key == "mask":
            masks = [f'"{_narrow(one)}"' for one in ([value] if isinstance(value, str) else value)]
            yield place, masks[0] if isinstance(value, str) else f"[{', '.join(masks)}]"
        elif prefix == "tokens.":
            yield place, SPECIAL[key]
        elif key == "id":  # of a pool
            yield place, 5
        elif key in SMALL and isinstance(value, int):
            yield place, min(value, SMALL[key])


def _period(part: dict[str, Any]) -> int:
    """After how many layers a pattern comes again."""
    counts = [int(str(name).partition("*")[2] or 1) for name in part.get("pattern", ["block"])]
    return sum(counts)


def _narrow(formula: str) -> str:
    for atom, span in SPANS.items():
        formula = re.sub(rf"\b{atom}\((\d+)", f"{atom}({span}", formula)
    return re.sub(r"\b64\b", "4", formula)


@cache
def graph(name: str) -> ModuleGraph:
    """Of an example, made small, or of an odd spec."""
    if name in ODD:
        return mw.lower(mw.loads(ODD[name]))
    path = EXAMPLES / f"{name}.yaml"
    return mw.lower(mw.load(path, sets=sets(path)))


@cache
def model(name: str) -> nn.Module:
    """Its model in float64, with no weight at rest."""
    return perturb(mw.compile(graph(name), dtype=torch.float64), std=0.3)


def caches(name: str) -> str:
    """The stack that keeps a cache, if one does: such a model decodes."""
    found = graph(name)
    stacks = [found.scopes[op.scope].stack for op in found.keepers()]
    return stacks[0] if stacks else ""
