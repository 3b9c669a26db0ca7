"""The settings of a run: those stored or given, a recipe's, and the defaults of a model."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from .distilling import PARTS
from .emitted.settings import Settings, checked
from .errors import TrainingError
from .recipes import RECIPES
from .sampling import check_length, longest
from .tasks import Task

if TYPE_CHECKING:
    from ..compiler import ModuleGraph

LONGEST = 1024
"""Maximum of the default sequence length."""
FOLDERS = ("data", "weights", "teacher_weights")
"""Settings that are paths, which are stored as absolute paths."""


def settings_of(
    graph: ModuleGraph,
    task: Task,
    stored: dict[str, Any],
    given: dict[str, Any],
    recipe: str,
    devices: int = 1,
) -> dict[str, Any]:
    """All settings of a run.

    stored: those of an existing run, which stay; empty for a new one
    given: settings that were chosen now, by name
    devices: how many will share a batch; without a chosen micro_batch, it divides their shares

    Raises TrainingError for an unknown recipe or setting, and without data.
    """
    if recipe not in RECIPES:
        raise TrainingError(f"unknown recipe `{recipe}`; expected one of: {', '.join(RECIPES)}")
    known = [one.name for one in fields(Settings)]
    for name in given:
        if name not in known:
            raise TrainingError(f"unknown setting `{name}`; expected one of: {', '.join(known)}")
    start: dict[str, Any] = {one.name: one.default for one in fields(Settings)}
    checked(start | stored | given)  # before anything is computed from them
    for name in FOLDERS:
        if given.get(name):
            given = {**given, name: os.path.realpath(given[name])}
    made = start | (stored or _defaults(graph, task, given, recipe)) | given
    if not made["data"]:
        raise TrainingError("a new run needs --data, a folder written by `modelwright data`")
    if task.kind == "text":
        check_length(graph, made["length"])
    checked(made)
    if "batch" in given and "micro_batch" not in given:
        group = (made["tensor_size"] or devices) if made["parallel"] == "tp" else 1
        share = made["batch"] // max(1, devices // max(1, group))  # samples of a group of devices
        made["micro_batch"] = math.gcd(share, made["micro_batch"]) or 1
    refuse_useless(given, made, task)
    return made


def refuse_useless(given: Mapping[str, Any], made: Mapping[str, Any], task: Task) -> None:
    """Raise TrainingError for a setting that was chosen and has no effect beside the others."""
    parts = made["distill"].split(",")
    reasons = {
        "final_lr": (made["schedule"] != "cosine", f"with --schedule {made['schedule']}"),
        "length": (task.kind == "images", "for images"),
        "label_smoothing": (task.objective == "squares", "without classes or tokens to predict"),
        **{
            f"{part}_weight": (part not in parts, f"without `{part}` in --distill")
            for part in PARTS
        },
        "temperature": ("logits" not in parts, "without `logits` in --distill"),
    }
    for name, (useless, reason) in reasons.items():
        if name in given and useless:
            raise TrainingError(f"--{name.replace('_', '-')} has no effect {reason}")


def _defaults(graph: ModuleGraph, task: Task, given: dict[str, Any], recipe: str) -> dict[str, Any]:
    made = {one.name: one.default for one in fields(Settings)}
    length = int(given.get("length", longest(graph, LONGEST)))
    if task.kind == "text":
        check_length(graph, length)
    made |= {"length": length, "flops": training_flops(graph, task, length)}
    d_model = max(stack.d_model for stack in graph.stack_facts.values())
    return made | RECIPES[recipe](d_model, made | given, given)


def training_flops(graph: ModuleGraph, task: Task, length: int) -> float:
    """Training FLOPs per token; 0 if samples are not sequences of equal length."""
    from ..compiler.report import report

    if task.kind != "text":
        return 0.0
    return 3.0 * report(graph, batch=1, sequence=length).forward / length
