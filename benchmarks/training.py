"""The training script: runs that are killed, its speed beside a loop as short as nanoGPT's, and the
losses of its optimizers.

    python -m benchmarks.training                  # all tables: some minutes
    python -m benchmarks.training --only killed
    python -m benchmarks.training --write          # all, into docs/benchmarks.md

Killed: a process that trains is killed (SIGKILL) at random moments, of which half are while a
checkpoint is written, and started again each time, until it has finished. Its losses and weights
are compared with those of a run that was never interrupted.

Loop: examples/tiny_gpt.yaml without dropout, batches of 8 x 128 bytes of Python's documentation. In
each round, the script and the loop take 20 steps each in one process, with equal initial weights.
Times are CPU times, since other programs share the machine. One loop reads the samples in the
script's order, another at random places, as nanoGPT does (Karpathy 2022).

Optimizers: the same spec with two layers of width 64, 150 steps of 8 x 64 bytes with each learning
rate.
"""

from __future__ import annotations

import io
import math
import os
import random
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from importlib import import_module
from pathlib import Path
from pydoc_data import topics
from typing import Any

import click
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import modelwright as mw
from modelwright.training.emitted.log import read
from modelwright.training.encoding import read_tokenizer
from modelwright.training.runs import prepare
from modelwright.training.token_files import Request, write_data

from .pages import conditions, write_rows
from .smaller import last_loss

SPEC = Path(mw.__file__).parent / "examples" / "tiny_gpt.yaml"
KILLS = 50
ROUNDS, STEPS = 10, 20
LENGTH, BATCH = 128, 8
RATES = (2e-3, 4e-3, 8e-3, 1.6e-2, 3.2e-2)
SHORT = {
    "steps": 150, "warmup": 15, "length": 64, "batch": 8, "micro_batch": 8, "save_every": 1000,
    "eval_every": 0, "eval_steps": 16, "log_every": 150,
}  # fmt: skip
Row = list[str]


def tokens(folder: Path) -> Path:
    """Token files of Python's documentation, in bytes."""
    (folder / "text.txt").write_text("\n".join(topics.topics.values()), encoding="utf-8")
    data = folder / "tokens"
    write_data(Request([folder / "text.txt"], "text", read_tokenizer("bytes"), None), data)
    return data


def script(run: Path, sets: list[str], **settings: Any) -> tuple[Any, Any]:
    """The emitted train.py of a new run as a module, and its settings."""
    prepare(mw.load(SPEC, sets=sets), run, settings)
    sys.path.insert(0, str(run))
    module = import_module("train")
    return module, module.read_settings(run / "settings.json", [])


# -- killed


def killed_runs(folder: Path) -> Iterator[Row]:
    """How often a run was killed, and whether it has the numbers of one that was not."""
    settings = {"batch": BATCH, "micro_batch": 4, "length": 32, "steps": 600, "save_every": 4}
    sets = ["layers=2", "d_model=32", "dropout=0.1"]
    given = {"data": str(tokens(folder)), "eval_every": 50, "eval_steps": 1, "log_every": 2}
    train, chosen = script(folder / "run", sets, **settings, **given)
    whole, broken = folder / "whole", folder / "broken"
    weight = nn.Parameter(torch.ones(2, 2))  # imports what a step needs, before processes fork
    torch.autograd.backward(weight.sum())
    torch.optim.AdamW([weight]).step()
    _wait(_start(train, chosen, whole))
    draw, kills, writing = random.Random(0), 0, 0
    resumed: set[str] = set()
    while not (broken / "weights.safetensors").exists():
        resumed |= {path.name for path in broken.glob("step-*")}
        process = _start(train, chosen, broken)
        if kills < KILLS:
            during = _until(draw, broken, process)
            os.kill(process, signal.SIGKILL)
            kills, writing = kills + 1, writing + during
        _wait(process)
    logs = [[{**line, "speed": 0} for line in read(out / "log.jsonl")] for out in (whole, broken)]
    steps = len([line for line in logs[0] if "loss" in line])
    difference = max(
        abs(a.get("loss", 0.0) - b.get("loss", 0.0)) for a, b in zip(*logs, strict=True)
    )
    weights = [(out / "weights.safetensors").read_bytes() for out in (whole, broken)]
    equal = "equal" if weights[0] == weights[1] and logs[0] == logs[1] else "different"
    yield [str(kills), str(writing), str(len(resumed)), str(steps), f"{difference:g}", equal]


def _start(train: Any, settings: Any, out: Path) -> int:
    """A process that trains; the id of the process."""
    process = os.fork()
    if process:
        return process
    out.mkdir(exist_ok=True)
    with redirect_stdout(io.StringIO()):
        train.Run(settings, out).run()
    os._exit(0)


def _until(draw: random.Random, out: Path, process: int) -> bool:
    """Wait until the moment of a kill. Returns whether a checkpoint is being written then."""
    fresh, start = out / "unfinished", time.perf_counter()
    pause = draw.uniform(0.05, 0.8)
    watches = draw.random() < 0.5
    while time.perf_counter() - start < (3 if watches else pause):
        if watches and time.perf_counter() - start > pause / 2 and fresh.exists():
            time.sleep(draw.uniform(0, 0.002))
            break
        time.sleep(0.0002)
    os.kill(process, signal.SIGSTOP)  # so that what is seen is what the kill leaves
    return fresh.exists()


def _wait(process: int) -> None:
    os.waitpid(process, 0)


# -- loop


class Loop:
    """Step, as nanoGPT's train.py does.

    batch: ids and labels of a micro-batch
    """

    def __init__(self, model: nn.Module, s: Any, batch: Callable[[int], tuple[Tensor, Tensor]]):
        self.model, self.settings, self.batch = model, s, batch
        decay = [w for w in model.parameters() if w.dim() >= 2]
        rest = [w for w in model.parameters() if w.dim() < 2]
        groups = [
            {"params": decay, "weight_decay": s.weight_decay},
            {"params": rest, "weight_decay": 0.0},
        ]
        self.optimizer = torch.optim.AdamW(groups, lr=s.lr, betas=(s.beta1, s.beta2))

    def step(self, rate: float, step: int) -> float:
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        total, parts = 0.0, self.settings.batch // self.settings.micro_batch
        for part in range(parts):
            ids, labels = self.batch(step * self.settings.batch + part * self.settings.micro_batch)
            logits = self.model(ids)
            loss = F.cross_entropy(logits.view(-1, logits.size(-1)), labels.reshape(-1)) / parts
            torch.autograd.backward(loss)
            total += loss.item()
        nn.utils.clip_grad_norm_(self.model.parameters(), self.settings.clip)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return total


def bits_per_byte(model: nn.Module, held_out: Any) -> float:
    """Of held-out bytes, always the same."""
    model.eval()
    with torch.no_grad():
        losses = []
        for first in range(0, 64, 8):
            inputs, labels = held_out.batch(first, 8)
            logits = model(**inputs)
            losses.append(F.cross_entropy(logits.flatten(0, 1), labels.flatten()).item())
    model.train()
    return statistics.mean(losses) / math.log(2)


def compared(folder: Path) -> Iterator[Row]:
    """CPU time of a step, bits per byte, and the largest difference of a loss."""
    given: dict[str, Any] = {"data": str(tokens(folder)), "batch": BATCH, "micro_batch": 4}
    given |= {"length": LENGTH, "lr": 4e-3, "steps": ROUNDS * STEPS, "warmup": 10}
    train, s = script(folder / "run", [], **given)
    run = train.Run(s, folder / "run")

    def same(first: int) -> tuple[Tensor, Tensor]:
        inputs, labels = run.data.batch(first, s.micro_batch)
        return inputs["input_ids"], labels

    places = torch.Generator().manual_seed(1)
    stream = torch.from_numpy(run.data.tokens.astype("int64"))

    def anywhere(_first: int) -> tuple[Tensor, Tensor]:
        starts = torch.randint(len(stream) - LENGTH, (s.micro_batch,), generator=places).tolist()
        ids = torch.stack([stream[n : n + LENGTH + 1] for n in starts])
        return ids[:, :-1], ids[:, 1:]

    loops = {}
    for name, batch in {"loop, same order": same, "loop, own order": anywhere}.items():
        torch.manual_seed(s.seed)
        loops[name] = Loop(train.Model(), s, batch)
    ways: dict[str, Callable[[int], float]] = {
        "train.py": lambda step: float(run.step(step)[0][0]),
        **{
            name: lambda step, loop=loop: loop.step(train.learning_rate(step, s), step)  # type: ignore[misc]
            for name, loop in loops.items()
        },
    }
    times: dict[str, list[float]] = {name: [] for name in ways}
    losses: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(ROUNDS):
        order = [*ways][number % 3 :] + [*ways][: number % 3]
        for name in order:
            start = time.process_time()
            losses[name] += [ways[name](number * STEPS + n) for n in range(STEPS)]
            times[name].append((time.process_time() - start) / STEPS)
    for name, seconds in times.items():
        model = run.model if name == "train.py" else loops[name].model
        ratios = [a / b for a, b in zip(seconds, times["train.py"], strict=True)]
        gap = max(abs(a - b) for a, b in zip(losses[name], losses["train.py"], strict=True))
        bits, ratio = bits_per_byte(model, run.held_out), f"{statistics.median(ratios):.3f}"
        yield [
            name,
            f"{1000 * statistics.median(seconds):.1f} ms",
            "" if name == "train.py" else ratio,
            f"{bits:.4f}",
            "" if name != "loop, same order" else f"{gap:.1g}",
        ]


# -- optimizers


def optimizers(folder: Path) -> Iterator[Row]:
    """The loss of held-out text after equally many steps: mean of three seeds, and their range."""
    data, spec = tokens(folder), mw.load(SPEC, sets=["layers=2", "d_model=64"])
    for name in ("adamw", "muon"):
        row = [name]
        for rate in RATES:
            losses = []
            for seed in range(3):
                run = folder / f"{name}-{rate}-{seed}"
                settings = {"optimizer": name, "lr": rate, "seed": seed, **SHORT}
                losses.append(last_loss(mw.train(spec, data, run, **settings)))
            row.append(f"{statistics.mean(losses):.3f} ({min(losses):.3f} to {max(losses):.3f})")
        yield row


LARGEST = "largest difference of a loss"
TABLES: dict[str, tuple[Callable[[Path], Iterator[Row]], Row]] = {
    "killed": (
        killed_runs,
        ["kills", "while a checkpoint was written", "checkpoints resumed from", "steps", LARGEST,
         "log and weights"],
    ),
    "loop": (
        compared,
        ["200 steps", "CPU time per step", "loop / train.py", "bits per byte", LARGEST],
    ),
    "optimizers": (optimizers, ["learning rate", *map(str, RATES)]),
}  # fmt: skip


@click.command()
@click.option("--only", type=click.Choice(list(TABLES)), help="One of the tables.")
@click.option("--write", is_flag=True, help="Write the tables into docs/benchmarks.md.")
def main(*, only: str | None, write: bool) -> None:
    """Measure runs that are killed, the speed of the training script, and its optimizers."""
    torch.set_num_threads(1)
    for name in [only] if only else TABLES:
        if only is None:  # each in a process of its own: both import a module `train`
            words = ["-m", "benchmarks.training", "--only", name, *(["--write"] if write else [])]
            os.spawnv(os.P_WAIT, sys.executable, [sys.executable, *words])
            continue
        make, head = TABLES[name]
        with tempfile.TemporaryDirectory() as folder:
            table = [head, *make(Path(folder))]
        print("\n".join("  ".join(row) for row in table), file=sys.stderr, flush=True)
        if write:
            write_rows(f"training, {name}", conditions(), table)


if __name__ == "__main__":
    main()
