"""Run folders: spec, model, training script and settings; and starting runs.

    spec.yaml settings.json             the spec and the settings
    model.py                            the file of `modelwright build`
    train.py samples.py …               the script; `torchrun RUN/train.py` needs nothing else

The script adds log.jsonl, loss.svg, checkpoints and weights.safetensors.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import outputs
from .copying import copied, sealed
from .emitted.settings import Settings
from .errors import TrainingError
from .recipes import RECIPES
from .tasks import Task, layers_of, task_of

if TYPE_CHECKING:
    from ..compiler import ModuleGraph
    from ..spec import ModelSpec

SHARED = ("files", "log", "checkpoints", "optimizers", "settings")
"""Modules that are equal in all runs."""
LONGEST = 1024
"""Maximum of the default sequence length."""
FOLDERS = ("data", "weights")
"""Settings that are paths, which are stored as absolute paths."""


@dataclass(frozen=True)
class Prepared:
    """A run folder that is ready for training.

    script: path of its train.py
    kept: files that were modified by hand and not overwritten
    """

    script: Path
    kept: tuple[Path, ...]


def prepare(spec: ModelSpec, run: Path, given: dict[str, Any], recipe: str = "gpt") -> Prepared:
    """Write a run folder, or update one whose spec is the same.

    given: settings by name; for an existing run, the others keep their values
    recipe: default settings of a new run

    Raises TrainingError for a model that cannot be trained, an unknown recipe or setting, a folder
    of another spec, and missing data; OutputError for a folder that cannot be written.
    """
    from ..backends.pytorch import compile as compile_model
    from ..backends.pytorch import emit_file, is_ours_unedited
    from ..compiler import lower

    graph = lower(spec)
    model = compile_model(graph, device="meta")
    task = task_of(graph, model)
    stored = _stored(spec, run)
    settings = _settings(graph, task, stored, given, recipe) | {"spec": spec.sha}
    emitted = emit_file(graph)
    texts = {f"{name}.py": copied(name) for name in SHARED}
    texts["samples.py"] = copied(task.module, slots=task.slots)
    texts["train.py"] = copied(
        "train",
        slots={"LAYERS": layers_of(model)},
        modules={task.module: "samples", "text": "samples"},
        classes={"Model": emitted.class_name},
    )
    _make_folder(run)
    sealed_texts = {name: sealed(text) for name, text in texts.items()} | {"model.py": emitted.text}
    kept = [n for n, text in sealed_texts.items() if not _written(run / n, text, is_ours_unedited)]
    _write_spec(spec, run)
    outputs.write(run / "settings.json", outputs.json_text(settings), force=True)
    return Prepared(run / "train.py", tuple(run / name for name in kept))


def _make_folder(run: Path) -> None:
    try:
        run.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TrainingError(f"{run} cannot be created: {error.strerror}") from None


def _write_spec(spec: ModelSpec, run: Path) -> None:
    from ..spec import to_yaml

    outputs.write(run / "spec.yaml", to_yaml(spec).encode(), force=True)


def _written(path: Path, text: str, is_ours: Callable[[str], bool]) -> bool:
    """Write a file, unless it was modified by hand."""
    if path.is_file():
        there = path.read_text(encoding="utf-8", errors="replace")
        if there != text and not is_ours(there):
            return False
    outputs.write(path, text.encode(), force=True)
    return True


def _stored(spec: ModelSpec, run: Path) -> dict[str, Any]:
    """The settings of an existing run; empty for a new one."""
    if not (run / "spec.yaml").is_file():
        if run.is_dir() and any(run.iterdir()):
            raise TrainingError(
                f"{run} is not empty and not a run of `modelwright train`; choose another folder"
            )
        return {}
    from ..spec import load

    if load(run / "spec.yaml").sha != spec.sha:
        raise TrainingError(
            f"{run} is a run of another spec ({run / 'spec.yaml'}); choose another folder"
        )
    try:
        stored: dict[str, Any] = json.loads((run / "settings.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise TrainingError(f"{run / 'settings.json'} is missing or not valid JSON") from None
    return stored


def _settings(
    graph: ModuleGraph, task: Task, stored: dict[str, Any], given: dict[str, Any], recipe: str
) -> dict[str, Any]:
    if recipe not in RECIPES:
        raise TrainingError(f"unknown recipe `{recipe}`; expected one of: {', '.join(RECIPES)}")
    known = [one.name for one in fields(Settings)]
    for name in given:
        if name not in known:
            raise TrainingError(f"unknown setting `{name}`; expected one of: {', '.join(known)}")
    for name in FOLDERS:
        if given.get(name):
            given = {**given, name: str(Path(given[name]).resolve())}
    start = stored or _defaults(graph, task, given, recipe)
    made = start | given
    if "batch" in given and "micro_batch" not in given:
        made["micro_batch"] = math.gcd(made["batch"], made["micro_batch"])
    if not made["data"]:
        raise TrainingError("a new run needs --data, a folder written by `modelwright data`")
    return made


def _defaults(graph: ModuleGraph, task: Task, given: dict[str, Any], recipe: str) -> dict[str, Any]:
    limits = [s.max_positions for s in graph.stack_facts.values() if s.max_positions is not None]
    made = {one.name: one.default for one in fields(Settings)}
    length = int(given.get("length", min([LONGEST, *limits])))
    made |= {"length": length, "flops": training_flops(graph, task, length)}
    d_model = max(stack.d_model for stack in graph.stack_facts.values())
    return made | RECIPES[recipe](d_model, made | given, given)


def training_flops(graph: ModuleGraph, task: Task, length: int) -> float:
    """Training FLOPs per token; 0 if samples are not sequences of equal length."""
    from ..compiler.report import report

    if task.kind != "text":
        return 0.0
    return 3.0 * report(graph, batch=1, sequence=length).forward / length


def command(script: Path, devices: int = 1) -> list[str]:
    """The command that runs a script on several devices of this machine."""
    if devices == 1:
        return [sys.executable, str(script)]
    launcher = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={devices}"]
    return [sys.executable, *launcher, str(script)]


def run_script(script: Path, devices: int = 1) -> int:
    """Run a training script and wait for it, also after Ctrl-C, which the script handles."""
    import subprocess

    process = subprocess.Popen(command(script, devices))
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:
            continue


def train(
    source: ModelSpec,
    data: Path | str,
    output: Path | str,
    *,
    weights: Path | str | None = None,
    recipe: str = "gpt",
    devices: int = 1,
    **settings: Any,
) -> Path:
    """Train a model, or resume a run. Returns the run folder.

    data: folder written by `modelwright data`
    output: folder of the run
    weights: safetensors file with the initial weights
    recipe: default settings: "gpt", or "vaswani" for those of the original Transformer
    devices: number of processes on this machine, one per GPU
    settings: fields of `Settings`, such as steps, batch and lr

    Raises TrainingError when the run cannot be prepared, or fails.
    """
    given = {"data": str(data), **settings}
    if weights is not None:
        given["weights"] = str(weights)
    prepared = prepare(source, Path(output), given, recipe)
    code = run_script(prepared.script, devices)
    if code:
        raise TrainingError(f"{prepared.script} ended with exit code {code}")
    return Path(output)
