"""`modelwright train`: train a model on token files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import Field, fields
from pathlib import Path
from typing import Any

import click

from ..training.emitted.settings import Settings
from .console import note
from .options import FOLDER, SPEC, WEIGHTS, Number, load_spec, quiet, reads_spec

OWN = ("data", "weights", "teacher_weights", "out", "spec", "flops")
"""Settings without an option, or with a separately defined one."""


def settings_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add one command-line option per setting."""
    for one in reversed(fields(Settings)):
        if one.name in OWN:
            continue
        name = one.name.replace("_", "-")
        meaning = one.metadata["help"]
        shown = f"{meaning[0].upper()}{meaning[1:]}."
        if isinstance(one.default, bool):
            command = click.option(f"--{name}/--no-{name}", default=None, help=shown)(command)
            continue
        shown += "" if one.default == "" else f" [default: {one.default}]"
        command = click.option(f"--{name}", type=_type(one), help=shown)(command)
    return command


def _type(setting: Field[Any]) -> Any:
    """What an option of a setting accepts."""
    limits = setting.metadata
    if limits["words"]:
        return click.Choice(limits["words"])
    if isinstance(setting.default, str):
        return str
    range_ = Number if isinstance(setting.default, float) else click.IntRange
    most = limits["below"] if limits["most"] is None else limits["most"]
    return range_(limits["least"], most, max_open=limits["below"] is not None)


@click.command()
@reads_spec
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    help="Folder written by `modelwright data`. Not needed to resume a run.",
)
@click.option("-o", "--output", required=True, type=FOLDER, help="Folder of the run.")
@click.option("--weights", type=WEIGHTS, help="Safetensors file with the initial weights.")
@click.option(
    "--teacher",
    type=SPEC,
    metavar="SPEC",
    help="Spec of a trained model that this one learns from (distillation).",
)
@click.option("--teacher-weights", type=WEIGHTS, help="Safetensors file of the teacher.")
@click.option(
    "--start-from-teacher",
    is_flag=True,
    help="Copy the initial weights from the teacher; --layer-pairs sets from which layers.",
)
@click.option(
    "--recipe",
    type=click.Choice(("gpt", "vaswani")),
    default="gpt",
    show_default=True,
    help="Default settings of a new run: gpt is AdamW with a cosine schedule, vaswani those of the "
    "original Transformer.",
)
@click.option(
    "--devices",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Number of processes on this machine, one per GPU (torchrun).",
)
@click.option("--write-only", is_flag=True, help="Write the folder without training.")
@settings_options
@quiet
def train(
    spec: Path,
    sets: tuple[str, ...],
    data: Path | None,
    output: Path,
    weights: Path | None,
    teacher: Path | None,
    teacher_weights: Path | None,
    start_from_teacher: bool,
    recipe: str,
    devices: int,
    write_only: bool,
    **settings: Any,
) -> None:
    """Train a model, or resume a run from its last checkpoint.

    SPEC is a YAML file; `-` is stdin.

    \b
      modelwright tokenizer corpus/*.txt --spec gpt.yaml -o tokenizer.json
      modelwright data corpus/*.txt --tokenizer tokenizer.json -o tokens
      modelwright train gpt.yaml --data tokens -o run --steps 5000 --batch 64 --lr 6e-4
      modelwright generate gpt.yaml --weights run/weights.safetensors --tokenizer tokenizer.json …

    The folder contains the model and a training script that does not import modelwright:
    `torchrun --nproc-per-node 8 run/train.py` resumes the run on eight GPUs.
    """
    read = load_spec(spec, sets)
    taught = None if teacher is None else load_spec(teacher, ())
    from ..training.runs import prepare, run_script
    from ..training.undo import undone_if_refused

    paths = {"data": data, "weights": weights, "teacher_weights": teacher_weights}
    given = {name: str(path) for name, path in paths.items() if path is not None}
    given |= {name: value for name, value in settings.items() if value is not None}
    with undone_if_refused(output):
        made = prepare(
            read,
            output,
            given,
            recipe,
            taught,
            start_from_teacher=start_from_teacher,
            devices=devices,
        )
        for path in made.kept:
            note(f"{path} was modified by hand; it is used as it is")
        if write_only:
            note(f"wrote {output}; train with `torchrun {made.script}`")
            return
        silent = bool(click.get_current_context().meta.get("quiet"))
        code = run_script(made.script, devices, silent=silent)
        if code:
            raise click.exceptions.Exit(code if code > 0 else 1)
    note(f"wrote {output / 'weights.safetensors'}")
