"""Distillation: which modules of a student and a teacher are compared, and initial weights.

A layer of the student is paired with one of the teacher, counted from 1. By default, layer m of l
learns from layer m * L / l of L (TinyBERT; Jiao et al. 2019, arXiv:1909.10351), and relations are
those of the last layers (MiniLMv2; Wang et al. 2020, arXiv:2012.15828).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from .errors import TrainingError
from .layer_names import layer_names
from .sampling import vectors_in_front
from .tasks import Task
from .weight_files import load_float_weights

if TYPE_CHECKING:
    from ..compiler import ModuleGraph

PARTS = ("logits", "relations", "hidden")
"""Parts of the loss besides the cross-entropy with the labels."""
SETTINGS = (
    "distill",
    "layer_pairs",
    "temperature",
    "logits_weight",
    "relations_weight",
    "hidden_weight",
)
"""Settings that need a teacher."""

Pairs = list[tuple[int, int]]
Names = tuple[tuple[str, str], ...]


def distill_slots(
    student: ModuleGraph, teacher: ModuleGraph, settings: Mapping[str, Any]
) -> dict[str, Any]:
    """The constants of `emitted/distill.py`.

    Raises TrainingError if the models cannot be compared as the settings say.
    """
    for graph in (student, teacher):
        if vectors_in_front(graph, _head(graph).stack):
            raise TrainingError(
                f"{graph.name}: distillation with `prefix_tokens` is not supported yet"
            )
    parts = _parts(settings["distill"])
    given = layer_pairs(student, teacher, settings["layer_pairs"])
    slots: dict[str, Any] = {
        "DISTILL": (settings["distill"], settings["layer_pairs"]),
        "PARTS": parts,
        "RELATIONS": (),
        "RELATION_HEADS": 1,
        "HIDDEN": (),
        "CAUSAL": student.heads and _head(student).stack in student.predicts_next,
    }
    if "relations" in parts:
        pairs = given if settings["layer_pairs"] else given[-1:]
        slots["RELATIONS"], slots["RELATION_HEADS"] = _relations(student, teacher, pairs)
    if "hidden" in parts:
        slots["HIDDEN"] = _hidden(student, teacher, given)
    return slots


def check_tasks(student: Task, teacher: Task) -> None:
    """Raise TrainingError if a teacher has other inputs or outputs than its student."""
    if student.objective != "objective":
        kind = {"contrastive": "contrastive", "squares": "patches"}[student.objective]
        raise TrainingError(f"distillation of a head of type `{kind}` is not supported yet")
    if (student.module, student.kind) != (teacher.module, teacher.kind):
        raise TrainingError(
            f"the teacher learns from {teacher.module} samples, but the student from "
            f"{student.module}; they need heads of one type"
        )
    for name, value in student.slots.items():
        if teacher.slots[name] != value:
            raise TrainingError(
                f"the teacher's {name.lower()} is {teacher.slots[name]}, but the student's {value}"
            )


def check_teacher(
    taught: bool, settings: Mapping[str, Any], given: Mapping[str, Any], *, starts: bool
) -> None:
    """Raise TrainingError for settings of a teacher without one, and for one without weights.

    starts: whether the initial weights are the teacher's
    """
    if starts and "weights" in given:
        raise TrainingError(
            "--weights and --start-from-teacher both give the initial weights; choose one"
        )
    if taught:
        if not settings["teacher_weights"]:
            raise TrainingError("a teacher needs --teacher-weights")
        if "layer_pairs" in given and not starts and settings["distill"] == "logits":
            raise TrainingError(
                "--layer-pairs has no effect without `relations` or `hidden` in --distill, or "
                "--start-from-teacher"
            )
        return
    without = [name for name in ("teacher_weights", *SETTINGS) if name in given]
    without += ["start_from_teacher"] * starts
    if without:
        option = without[0].replace("_", "-")
        raise TrainingError(f"--{option} has no effect without --teacher")


def _parts(text: str) -> tuple[str, ...]:
    parts = tuple(text.split(","))
    for part in parts:
        if part not in PARTS:
            raise TrainingError(
                f"--distill {text}: unknown part `{part}`; expected some of: {', '.join(PARTS)}"
            )
    return tuple(part for part in PARTS if part in parts)


def layer_pairs(student: ModuleGraph, teacher: ModuleGraph, text: str) -> Pairs:
    """Pairs of layers, counted from 0: those given, such as `1:4,2:8`, or the default."""
    ours, theirs = _depth(student), _depth(teacher)
    if not text:
        return [(n, (n + 1) * theirs // ours - 1) for n in range(ours) if (n + 1) * theirs >= ours]
    pairs = []
    for word in text.split(","):
        a, colon, b = word.partition(":")
        if not (colon and a.isdecimal() and b.isdecimal()):
            raise TrainingError(f"--layer-pairs {text}: expected pairs such as 1:4,2:8")
        if not (1 <= int(a) <= ours and 1 <= int(b) <= theirs):
            raise TrainingError(
                f"--layer-pairs {text}: {word} is outside the student's {ours} and the teacher's "
                f"{theirs} layers"
            )
        pairs.append((int(a) - 1, int(b) - 1))
    return pairs


def _head(graph: ModuleGraph) -> Any:
    (head,) = graph.heads.values()
    return head


def _depth(graph: ModuleGraph) -> int:
    """Number of layers of the stack that the head reads."""
    return graph.stack_facts[_head(graph).stack].layers


def _relations(student: ModuleGraph, teacher: ModuleGraph, pairs: Pairs) -> tuple[Names, int]:
    """Pairs of the projections of queries, keys and values, and a number of heads that divides
    their widths.
    """
    ours, theirs = _projections(student), _projections(teacher)
    names, widths = [], []
    for a, b in pairs:
        for n in range(3):
            (name, width), (other, other_width) = ours[a][n], theirs[b][n]
            names.append((name, other))
            widths += [width, other_width]
    heads = student.stack_facts[_head(student).stack].heads or 1
    return tuple(names), math.gcd(heads, *widths)


def _projections(graph: ModuleGraph) -> dict[int, list[tuple[str, int]]]:
    """Layer -> name and width of the linear layers that make its queries, keys and values."""
    layer_names(graph, "`relations`")
    found: dict[int, list[tuple[str, int]]] = {}
    for op in graph.ops():
        if op.kind not in ("attend", "attend_linearly"):
            continue
        for slot in ("q", "k", "v"):
            for layer, name, width in _linear_of(graph, op.arg(slot)):
                found.setdefault(layer, []).append((name, width))
    layers = range(_depth(graph))
    if any(len(found.get(layer, ())) != 3 for layer in layers):
        raise TrainingError(
            f"{graph.name}: `relations` needs one attention in each layer, with linear projections "
            "of queries, keys and values"
        )
    return found


def _linear_of(graph: ModuleGraph, value: str) -> Iterator[tuple[int, str, int]]:
    """Each layer with the name and the width of the linear layer that computes a value."""
    op = graph.producer(value)
    while op is not None and op.kind != "linear":
        value = list(op.inputs)[op.outputs.index(value)] if op.kind == "cache" else op.first
        op = graph.producer(value)
    block = None if op is None else graph.block_of(op.scope)
    if op is None or block is None:
        return
    name = f"{graph.scopes[op.scope].weights}.{op.name}"
    width = int(op.weights[0].shape[0])
    for layer in block.layer_indices:
        yield layer, name.replace("{layer}", str(layer)), width


def _hidden(student: ModuleGraph, teacher: ModuleGraph, pairs: Pairs) -> Names:
    ours, theirs = (layer_names(graph, "`hidden`") for graph in (student, teacher))
    widths = [graph.stack_facts[_head(graph).stack].d_model for graph in (student, teacher)]
    if widths[0] != widths[1]:
        raise TrainingError(
            f"`hidden` needs equal widths, but d_model is {widths[0]} in the student and "
            f"{widths[1]} in the teacher; use `relations`"
        )
    return tuple((ours[a], theirs[b]) for a, b in pairs)


def initial_weights(
    student: ModuleGraph, teacher: ModuleGraph, settings: Mapping[str, Any]
) -> None:
    """Write initial weights of a student, the setting `weights`: those of the teacher, with the
    layers of its pairs (DistilBERT; Sanh et al. 2019, arXiv:1910.01108).

    Raises TrainingError unless all shapes are equal.
    """
    from safetensors.torch import save_file

    from ..backends.pytorch import compile as compile_model

    ours, theirs = (layer_names(graph, "--start-from-teacher") for graph in (student, teacher))
    model = compile_model(teacher)
    load_float_weights(model, settings["teacher_weights"])
    stored, pairs = model.state_dict(), layer_pairs(student, teacher, settings["layer_pairs"])
    renamed = {ours[n]: theirs[m] for n, m in pairs}
    made = {}
    for weight in student.weights():
        prefix = next((name for name in ours if weight.name.startswith(f"{name}.")), "")
        source = renamed.get(prefix, prefix) + weight.name.removeprefix(prefix)
        found = stored.get(source)
        if found is None or tuple(found.shape) != weight.shape:
            has = "is missing" if found is None else f"has shape {tuple(found.shape)}"
            raise TrainingError(
                f"--start-from-teacher: {source} of the teacher {has}, but {weight.name} of the "
                f"student has {weight.shape}"
            )
        made[weight.name] = found.contiguous()
    save_file(made, settings["weights"])
