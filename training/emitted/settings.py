"""The settings of a run: `settings.json`, and for each an option such as `--lr 3e-4`."""

from __future__ import annotations

import argparse
import json
import math
import operator
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from .files import fail


def option(
    default: Any,
    meaning: str,
    *,
    least: float | None = None,
    most: float | None = None,
    below: float | None = None,
    words: tuple[str, ...] = (),
) -> Any:
    """A setting: default, help text, allowed words.

    least, most: smallest and largest allowed number
    below: what numbers must be below
    """
    limits = {"least": least, "most": most, "below": below, "words": words}
    return field(default=default, metadata={"help": meaning, **limits})


@dataclass(frozen=True)
class Settings:
    """The settings of a run."""

    data: str = option("", "folder written by `modelwright data`")
    out: str = option("", "folder for the log and checkpoints; empty: that of train.py")
    weights: str = option("", "safetensors file with the initial weights")
    steps: int = option(1000, "number of optimizer steps", least=1)
    batch: int = option(32, "batch size: samples per step, over all devices", least=1)
    micro_batch: int = option(8, "samples per device in one forward pass", least=1)
    length: int = option(128, "sequence length in tokens", least=1)
    optimizer: str = option(
        "adamw",
        "optimizer; muon uses AdamW for all but matrices in layers",
        words=("adamw", "muon"),
    )
    lr: float = option(1e-3, "peak learning rate", least=0)
    schedule: str = option(
        "cosine",
        "learning-rate schedule; wsd: constant, then linear to 0 in the last fifth",
        words=("cosine", "wsd", "inverse_sqrt", "constant"),
    )
    warmup: int = option(100, "steps of linear learning-rate warm-up", least=0)
    final_lr: float = option(
        0.1, "final learning rate of `cosine`, as a fraction of `lr`", least=0, most=1
    )
    beta1: float = option(0.9, "AdamW beta1: decay rate of the mean gradient", least=0, below=1)
    beta2: float = option(
        0.95, "AdamW beta2: decay rate of the mean squared gradient", least=0, below=1
    )
    epsilon: float = option(1e-8, "AdamW epsilon", least=0)
    weight_decay: float = option(0.1, "weight decay of matrices; vectors have none", least=0)
    clip: float = option(1.0, "maximum gradient norm; 0: no clipping", least=0)
    label_smoothing: float = option(0.0, "label smoothing", least=0, most=1)
    seed: int = option(0, "random seed of weights, data order and dropout", least=0, below=2**62)
    bfloat16: bool = option(False, "compute in bfloat16 (autocast); weights stay float32")
    parallel: str = option(
        "ddp",
        "on several devices, ddp copies the model, fsdp shards weights and optimizer state, tp "
        "divides heads, hidden units and the vocabulary",
        words=("ddp", "fsdp", "tp"),
    )
    tensor_size: int = option(
        0,
        "with tp, number of devices over which each layer is divided; weights are sharded over "
        "the groups of devices, as with fsdp; 0: all devices",
        least=0,
    )
    compile: bool = option(False, "compile each layer with torch.compile")
    recompute: bool = option(False, "recompute activations in the backward pass to save memory")
    teacher_weights: str = option("", "safetensors file with the teacher's weights")
    distill: str = option("logits", "what the student learns: some of logits,relations,hidden")
    layer_pairs: str = option(
        "", "layers of student and teacher, from 1, such as 1:4,2:8; empty: evenly spaced"
    )
    temperature: float = option(2.0, "temperature of the teacher's probabilities", least=1e-3)
    logits_weight: float = option(
        0.5, "weight of `logits`; 1 minus this is that of the labels", least=0, most=1
    )
    relations_weight: float = option(0.1, "weight of `relations`", least=0)
    hidden_weight: float = option(0.1, "weight of `hidden`", least=0)
    log_every: int = option(10, "steps between lines on the terminal", least=1)
    eval_every: int = option(100, "steps between evaluations; 0: none", least=0)
    eval_steps: int = option(8, "batches per evaluation", least=1)
    save_every: int = option(100, "steps between checkpoints", least=1)
    keep: int = option(1, "number of checkpoints to keep", least=1)
    spec: str = option("", "SHA-256 of the spec that model.py was built from")
    flops: float = option(0.0, "training FLOPs per token; 0: unknown", least=0)


LIMITS: dict[str, tuple[str, Callable[[float, float], bool]]] = {
    "least": ("at least", operator.ge),
    "most": ("at most", operator.le),
    "below": ("below", operator.lt),
}
"""Limit of a number -> its words, and whether a number keeps to it."""


def read_settings(path: Path, words: list[str] | None = None) -> Settings:
    """Settings from a JSON file and command-line options, which take precedence."""
    parser = argparse.ArgumentParser(allow_abbrev=False)
    for one in fields(Settings):
        choices = one.metadata["words"] or None
        kind: dict[str, Any] = {"type": type(one.default), "choices": choices}
        if isinstance(one.default, bool):
            kind = {"action": argparse.BooleanOptionalAction}
        meaning = f"{one.metadata['help']} [{one.default}]".replace("%", "%%")
        parser.add_argument(f"--{one.name.replace('_', '-')}", help=meaning, **kind)
    given = {k: v for k, v in vars(parser.parse_args(words)).items() if v is not None}
    return checked({**_stored(path), **given})


def _stored(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        fail(f"{path} is not valid JSON: {error}")
    if not isinstance(stored, dict):
        fail(f"{path} must be a JSON object")
    return stored


def checked(values: dict[str, Any]) -> Settings:
    """Settings of these values; TrainingError for an unknown name or a value out of range."""
    known = {one.name: one for one in fields(Settings)}
    for name, value in values.items():
        if name not in known:
            fail(f"unknown setting `{name}`; expected one of: {', '.join(known)}")
        default, limits = known[name].default, known[name].metadata
        number = isinstance(default, float) and type(value) is int
        if type(value) is not type(default) and not number:
            fail(f"{name} must be of type {type(default).__name__}, not {value!r}")
        if limits["words"] and value not in limits["words"]:
            fail(f"{name} must be one of {', '.join(limits['words'])}, not {value}")
        if isinstance(value, float) and not math.isfinite(value):
            fail(f"{name} must be a finite number, not {value}")
        for limit, (words, holds) in LIMITS.items():
            if limits[limit] is not None and not holds(value, limits[limit]):
                fail(f"{name} must be {words} {limits[limit]}, not {value}")
    made = Settings(**values)
    if made.tensor_size and made.parallel != "tp":
        fail(f"tensor_size has no effect with {made.parallel}; choose --tensor-size 0")
    return made
