"""Mixtures of experts: emitted with and without `grouped_mm`, compared with `transformers`.

    python -m benchmarks.experts
    git worktree add /tmp/older COMMIT
    python -m benchmarks.experts --before /tmp/older     # also the file of that commit

Forward, training step and greedy decoding, alternately in one run, with the same weights.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import torch
from torch import Tensor, nn

import modelwright as mw
from modelwright.backends.huggingface import import_folder
from modelwright.backends.pytorch.compile import import_text

from .__main__ import CLOCKS, quiet_libraries
from .measure import alternate
from .models import BEFORE, GROUPED, LIBRARY, OURS, Rivals, agreeing
from .pages import text_table
from .peers import CASES, LLAMA, Case, called_by_library, saved
from .tasks import tasks_of

MIXTURES = {
    "mixtral": CASES["moe"],
    "qwen3-moe": Case(
        "Qwen3-MoE-like, 64 experts",
        "AutoModelForCausalLM",
        {
            **LLAMA,
            "model_type": "qwen3_moe",
            "hidden_size": 256,
            "num_hidden_layers": 4,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "head_dim": 64,
            "moe_intermediate_size": 128,
            "num_experts": 64,
            "num_experts_per_tok": 8,
            "norm_topk_prob": True,
        },
        experts=True,
    ),
}


@click.command()
@click.option("--only", default="", help="Tasks of models whose name holds this.")
@click.option("--before", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--rounds", default=5, show_default=True, type=click.IntRange(min=3))
@click.option("--dtype", type=click.Choice(["float32", "bfloat16"]), default="float32")
@click.option("--threads", default=1, show_default=True, type=click.IntRange(min=1))
@click.option("--clock", type=click.Choice(list(CLOCKS)), default="wall", show_default=True)
def main(only: str, before: Path | None, rounds: int, dtype: str, threads: int, clock: str) -> None:
    """Time emitted experts and those of `transformers`; print the median of ratios over rounds."""
    quiet_libraries()
    torch.set_num_threads(threads)
    click.echo(f"{dtype}, threads: {threads}, clock: {clock}, rounds: {rounds}")
    for key, case in MIXTURES.items():
        if only.lower() not in f"{key} {case.name}".lower():
            continue
        rivals = rivals_of(case, before)
        models = {name: model.to(getattr(torch, dtype)) for name, model in rivals.models.items()}
        for name, candidates in tasks_of(case, Rivals(models, rivals.call)):
            start = time.monotonic()
            timed = alternate(name, candidates, rounds=rounds, clock=CLOCKS[clock])
            click.echo(f"{name}: {time.monotonic() - start:.0f} s", err=True)
            click.echo(text_table([timed]))


def rivals_of(case: Case, before: Path | None) -> Rivals:
    """The models of a case, after a check that their results are equal."""
    with tempfile.TemporaryDirectory() as folder:
        theirs = saved(case, folder)
        ours = mw.from_pretrained(folder)
        spec = mw.loads(import_folder(folder))
        models: dict[str, nn.Module] = {
            OURS: ours,
            GROUPED: mw.compile(spec, experts="grouped", seed=None),
        }
        if before is not None:
            models[BEFORE] = emitted_before(before, folder)
    for name in models:
        models[name].load_state_dict(ours.state_dict())
    call: dict[str, Callable[..., Tensor]] = {**models, LIBRARY: called_by_library(theirs, case)}
    return agreeing({**models, LIBRARY: theirs}, call, *case.inputs(2, 16))


def emitted_before(checkout: Path, folder: str) -> nn.Module:
    """The model that another version of Modelwright emits for the same folder."""
    with tempfile.TemporaryDirectory() as place:
        (Path(place) / "modelwright").symlink_to(checkout.resolve())
        spec, file = Path(place) / "spec.yaml", Path(place) / "before.py"
        environment = {**os.environ, "PYTHONPATH": place}
        for words in (["import", folder, "-o", str(spec)], ["build", str(spec), "-o", str(file)]):
            command = [sys.executable, "-m", "modelwright", *words]
            subprocess.run(command, check=True, env=environment, cwd=place)
        made: Any = import_text(file.read_text(encoding="utf-8"), "before")
    kinds = [kind for kind in vars(made).values() if hasattr(kind, "init_weights")]
    (kind,) = [kind for kind in kinds if kind.__module__ == made.__name__]
    model: nn.Module = kind()
    return model


if __name__ == "__main__":
    main()
