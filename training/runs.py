"""Run folders: spec, model, training script and settings; and starting runs.

    spec.yaml settings.json             the spec and the settings
    model.py                            the file of `modelwright build`
    train.py samples.py …               the script; `torchrun RUN/train.py` needs nothing else
    teacher.yaml teacher.py distill.py  with a teacher

The script adds log.jsonl, loss.svg, checkpoints and weights.safetensors.
"""

from __future__ import annotations

import json
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from .. import outputs
from ..compiler.plan.divided import tensor_slots
from .copying import copied, sealed
from .distilling import check_tasks, check_teacher, distill_slots, initial_weights
from .errors import TrainingError
from .run_settings import settings_of
from .tasks import Task, layers_of, task_of
from .undo import undone_if_refused
from .weight_files import check_weights

if TYPE_CHECKING:
    from ..compiler import ModuleGraph
    from ..spec import ModelSpec

REASON = "Error: "
"""Start of the line in which a script says why it ends."""
SHARED = ("files", "log", "checkpoints", "optimizers", "settings")
"""Modules that are equal in all runs."""


@dataclass(frozen=True)
class Prepared:
    """A run folder that is ready for training.

    script: path of its train.py
    kept: files that were modified by hand and not overwritten
    """

    script: Path
    kept: tuple[Path, ...]


def prepare(
    spec: ModelSpec,
    run: Path,
    given: dict[str, Any],
    recipe: str = "gpt",
    teacher: ModelSpec | None = None,
    *,
    start_from_teacher: bool = False,
    devices: int = 1,
) -> Prepared:
    """Write a run folder, or update one whose spec is the same.

    given: settings by name; for an existing run, the others keep their values
    recipe: default settings of a new run
    teacher: spec of a teacher, whose weights are the setting `teacher_weights`; an existing run
        keeps its teacher
    start_from_teacher: the initial weights are the teacher's
    devices: how many will share a batch

    Raises TrainingError for a model that cannot be trained, an unknown recipe or setting, a folder
    of another spec, and missing data; OutputError for a folder that cannot be written.
    """
    from ..backends.pytorch import is_ours_unedited
    from ..compiler.display import to_yaml

    if type(devices) is not int or devices < 1:
        raise TrainingError(f"devices must be a number of at least 1, not {devices!r}")
    student = _Trained.of(spec)
    stored = _stored(spec, run)
    settings = settings_of(student.graph, student.task, stored, given, recipe, devices)
    teacher = teacher or _stored_teacher(run)
    check_teacher(teacher is not None, settings, given, starts=start_from_teacher)
    for name in ("weights", "teacher_weights"):
        if given.get(name):
            check_weights(Path(settings[name]))
    taught = None if teacher is None else _Trained.of(teacher)
    if taught is not None:
        check_tasks(student.task, taught.task)
    texts = _texts(student, taught, settings)
    _make_folder(run)
    if taught is not None and start_from_teacher:
        settings["weights"] = str((run / "initial.safetensors").resolve())
        initial_weights(student.graph, taught.graph, settings)
    kept = [n for n, text in texts.items() if not _written(run / n, text, is_ours_unedited)]
    for name, one in {"spec": student, "teacher": taught}.items():
        if one is not None:
            outputs.write(run / f"{name}.yaml", to_yaml(one.spec).encode(), force=True)
    settings["spec"] = spec.sha
    outputs.write(run / "settings.json", outputs.json_text(settings), force=True)
    return Prepared(run / "train.py", tuple(run / name for name in kept))


@dataclass(frozen=True)
class _Trained:
    """A student or a teacher."""

    spec: ModelSpec
    graph: ModuleGraph
    task: Task
    layers: tuple[str, ...]

    @classmethod
    def of(cls, spec: ModelSpec) -> _Trained:
        from ..backends.pytorch import compile as compile_model
        from ..compiler import lower

        graph = lower(spec)
        model = compile_model(graph, device="meta")
        return cls(spec, graph, task_of(graph, model), layers_of(model))


def _texts(student: _Trained, teacher: _Trained | None, settings: dict[str, Any]) -> dict[str, str]:
    """The Python files of a run: name -> text."""
    from ..backends.pytorch import emit_file

    task, model = student.task, emit_file(student.graph)
    modules, made = {task.module: "samples", "text": "samples"}, {"model.py": model.text}
    texts = {name: copied(name) for name in SHARED}
    texts["parallel"] = copied("parallel", slots=tensor_slots(student.graph))
    texts["samples"] = copied(task.module, slots=task.slots)
    if teacher is None:
        modules["objective"] = task.objective
        texts[task.objective] = copied(task.objective)
    else:
        modules["objective"] = "distill"
        slots = distill_slots(student.graph, teacher.graph, settings)
        file = emit_file(teacher.graph)
        classes = {"Model": file.class_name}
        texts["distill"] = copied(
            "distill", slots=slots | {"SPEC": teacher.spec.sha}, classes=classes
        )
        made["teacher.py"] = file.text
    slots, classes = {"LAYERS": student.layers}, {"Model": model.class_name}
    texts["train"] = copied("train", slots=slots, modules=modules, classes=classes)
    return made | {f"{name}.py": sealed(text) for name, text in texts.items()}


def _make_folder(run: Path) -> None:
    try:
        run.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TrainingError(f"{run} cannot be created: {error.strerror}") from None


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


def _stored_teacher(run: Path) -> ModelSpec | None:
    """The teacher of an existing run."""
    from ..spec import load

    return load(run / "teacher.yaml") if (run / "teacher.yaml").is_file() else None


def command(script: Path, devices: int = 1) -> list[str]:
    """The command that runs a script on several devices of this machine, and has its exit code."""
    if devices == 1:
        return [sys.executable, str(script)]
    return [sys.executable, "-m", f"{__package__}.launcher", str(devices), str(script)]


def run_script(
    script: Path, devices: int = 1, *, silent: bool = False, heard: list[str] | None = None
) -> int:
    """Run a training script and wait for it, also after Ctrl-C, which reaches the script, too.

    SIGTERM is passed on to the script, which saves and ends.

    silent: print errors only
    heard: a list, to which the lines of errors are appended
    """
    import subprocess

    stdout = subprocess.DEVNULL if silent else None
    stderr = None if heard is None else subprocess.PIPE
    process = subprocess.Popen(
        command(script, devices), stdout=stdout, stderr=stderr, text=True, errors="replace"
    )
    with _passed_on(signal.SIGTERM, process.send_signal), _copied_to(heard, process.stderr):
        while True:
            try:
                return process.wait()
            except KeyboardInterrupt:
                continue


@contextmanager
def _copied_to(heard: list[str] | None, stream: IO[str] | None) -> Iterator[None]:
    """Context: lines of a process are printed as errors and appended to a list."""
    if heard is None or stream is None:
        yield
        return

    def copy() -> None:
        for line in stream:
            heard.append(line.rstrip())
            sys.stderr.write(line)

    reader = threading.Thread(target=copy, daemon=True)
    reader.start()
    try:
        yield
    finally:
        reader.join()


@contextmanager
def _passed_on(number: int, send: Callable[[int], None]) -> Iterator[None]:
    """Context: send a signal elsewhere. Other threads than the main one cannot receive signals."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(number, lambda received, _: send(received))
    try:
        yield
    finally:
        signal.signal(number, before)


def train(
    source: ModelSpec,
    data: Path | str,
    output: Path | str,
    *,
    weights: Path | str | None = None,
    teacher: ModelSpec | None = None,
    teacher_weights: Path | str | None = None,
    start_from_teacher: bool = False,
    recipe: str = "gpt",
    devices: int = 1,
    **settings: Any,
) -> Path:
    """Train a model, or resume a run. Returns the run folder.

    data: folder written by `modelwright data`
    output: folder of the run
    weights: safetensors file with the initial weights
    teacher, teacher_weights: a model that the trained one learns from, and its safetensors file
    start_from_teacher: the initial weights are the teacher's
    recipe: default settings: "gpt", or "vaswani" for those of the original Transformer
    devices: number of processes on this machine, one per GPU
    settings: fields of `Settings`, such as steps, batch and lr

    Raises TrainingError when the run cannot be prepared, or fails.
    """
    paths = {"weights": weights, "teacher_weights": teacher_weights}
    given = {"data": str(data), **settings}
    given |= {name: str(path) for name, path in paths.items() if path is not None}
    run = Path(output)
    with undone_if_refused(run):
        script = prepare(
            source,
            run,
            given,
            recipe,
            teacher,
            start_from_teacher=start_from_teacher,
            devices=devices,
        ).script
        heard: list[str] = []
        code = run_script(script, devices, heard=heard)
        if code:
            reasons = [line for line in heard if line.startswith(REASON)]
            reason = f": {reasons[-1].removeprefix(REASON)}" if reasons else ""
            raise TrainingError(f"{script} ended with exit code {code}{reason}")
    return run
