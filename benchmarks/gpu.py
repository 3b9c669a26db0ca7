"""Training steps on a GPU: GPT-2 124M and a Llama of 1.2B, in bfloat16, eager and compiled.

    python -m benchmarks.gpu                 # at most five minutes; needs CUDA
    python -m benchmarks.gpu --tiny          # tiny models, also on the CPU: a test of this script

Each piece runs the emitted train.py in a process of its own, on Python's documentation, a token per
byte: AdamW, autocast to bfloat16, four micro-batches a step. Its line has the median time of a step
after the first ones, tokens per second, model FLOPs utilization (Chowdhery et al. 2022) where the
peak of the device is known, and the peak of allocated memory. The records are appended to
benchmarks/results/gpu.jsonl.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from importlib import import_module
from pathlib import Path
from typing import Any

import click
import torch

import modelwright as mw
from modelwright.training.runs import prepare

from .pages import conditions
from .results import FOLDER, Record, append
from .training import tokens

EXAMPLES = Path(mw.__file__).parent / "examples"
LLAMA = (
    "d_model=2048", "layers=16", "feed_forward.d_ff=8192", "head.tied=true", "attention.heads=32",
)  # fmt: skip
MODELS = {
    "GPT-2 124M": ("gpt2", (), {"length": 1024, "micro_batch": 8}),
    "Llama 1.2B": ("llama3_8b", LLAMA, {"length": 1024, "micro_batch": 4}),
}
"""Name -> example, changes, settings; the changes of the second make a Llama 3.2 1B."""
TINY = {
    "GPT-2, tiny": ("tiny_gpt", ("layers=2",), {"length": 32, "micro_batch": 2}),
    "Llama, tiny": ("tiny_llama", ("vocab_size=256",), {"length": 32, "micro_batch": 2}),
}
WAYS = ("eager", "compiled")
WARM_UP, STEPS, LONGEST = 3, 20, 20.0
"""Steps that are not measured, those that are, and seconds after which no more are measured."""
HEAD = ("model", "first step", "step", "tokens/s", "MFU", "memory")


def measured(run: Path) -> Record:
    """Train in a run folder: times of steps, in this process."""
    sys.path.insert(0, str(run))
    train: Any = import_module("train")
    s = train.read_settings(run / "settings.json", [])
    made, times = train.Run(s, run), []
    begin = time.perf_counter()
    for number in range(WARM_UP + STEPS):
        start = time.perf_counter()
        loss = made.step(number)[0].tolist()[0]  # waits for the device
        times.append(time.perf_counter() - start)
        if number > WARM_UP + 2 and time.perf_counter() - begin > LONGEST:
            break
    seconds, cuda = statistics.median(times[WARM_UP:]), made.device.type == "cuda"
    device = torch.cuda.get_device_name() if cuda else str(conditions()["processor"])
    speed = s.batch * s.length / seconds
    peak = next((peak for name, peak in train.PEAKS.items() if cuda and name in device), None)
    return {
        "device": device,
        "first": round(times[0], 3),
        "seconds": round(seconds, 5),
        "steps": len(times) - WARM_UP,
        "tokens_per_second": round(speed),
        "mfu": None if peak is None else round(speed * s.flops / peak, 4),
        "bytes": torch.cuda.max_memory_allocated() if cuda else None,
        "loss": round(loss, 4),
    }


def in_a_process(run: Path, seconds: float) -> Record:
    """`measured` in a process of its own; why there is no result, if there is none."""
    words = [sys.executable, "-m", "benchmarks.gpu", "--run", str(run)]
    try:
        done = subprocess.run(
            words, capture_output=True, text=True, check=False, timeout=max(1.0, seconds)
        )
    except subprocess.TimeoutExpired:
        return {"failed": "the time was over"}
    if done.returncode:
        return {"failed": done.stderr.strip().splitlines()[-1]}
    made: Record = json.loads(done.stdout.splitlines()[-1])
    return made


def line(model: str, found: Record) -> tuple[str, ...]:
    """The line of a piece in the table."""
    if "failed" in found:
        return (model, f"not measured: {found['failed']}")
    mfu = "unknown" if found["mfu"] is None else f"{found['mfu']:.1%}"
    memory = "" if found["bytes"] is None else f"{found['bytes'] / 2**30:.1f} GiB"
    times = (f"{found['first']:.1f} s", f"{1000 * found['seconds']:.1f} ms")
    return (model, *times, f"{found['tokens_per_second']:,}", mfu, memory)


@click.command()
@click.option("--tiny", is_flag=True, help="Tiny models, also on the CPU: a test of this script.")
@click.option("--way", "ways", multiple=True, type=click.Choice(WAYS), help="[default: both]")
@click.option("--seconds", default=300.0, show_default=True, help="Time for all of it.")
@click.option("--out", type=click.Path(path_type=Path), help="[default: results/gpu.jsonl]")
@click.option("--run", type=click.Path(path_type=Path), hidden=True)
def main(
    *, tiny: bool, ways: tuple[str, ...], seconds: float, out: Path | None, run: Path | None
) -> None:
    """Measure training steps on a GPU."""
    if run:
        click.echo(json.dumps(measured(run)))
        return
    if not (tiny or torch.cuda.is_available()):
        raise click.ClickException(
            "this benchmark needs a GPU with CUDA, and torch finds none here; --tiny runs tiny "
            "models on the CPU, to test the script"
        )
    path = out or (None if tiny else FOLDER / "gpu.jsonl")
    end = time.monotonic() + seconds
    click.echo("  ".join(HEAD))
    with tempfile.TemporaryDirectory() as folder:
        data = tokens(Path(folder))
        for number, (model, (example, sets, settings)) in enumerate(
            (TINY if tiny else MODELS).items()
        ):
            for way in ways or WAYS:
                given = {**settings, "data": str(data), "batch": 4 * settings["micro_batch"]}
                given |= {"bfloat16": True, "compile": way == "compiled", "eval_every": 0}
                place = Path(folder) / f"{number}-{way}"
                prepare(mw.load(EXAMPLES / f"{example}.yaml", sets=sets), place, given)
                found = in_a_process(place, end - time.monotonic())
                click.echo("  ".join(line(f"{model}, {way}", found)))
                if path and "failed" not in found:
                    where = {key: conditions()[key] for key in ("date", "torch")}
                    append(path, {"model": model, "way": way, **found, **where})


if __name__ == "__main__":
    main()
