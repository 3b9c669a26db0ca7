"""Train the model in `model.py` on token files. This script is yours to change.

    python train.py                          on one device
    torchrun --nproc-per-node 8 train.py     on eight devices; see `parallel.py`

Settings are read from settings.json; command-line options such as `--lr 3e-4` override them
(`--help` lists them). Run the script again, on any number of devices, to resume from the last
checkpoint.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor

import checkpoints
from files import TrainingError, fail
from log import Log
from model import TinyGpt as Model
from objective import Objective
from optimizers import learning_rate, make_optimizers
from parallel import (
    SIGNALS,
    agreed,
    clip,
    distribute,
    end_processes,
    first_to_fail,
    group_and_groups,
    local,
    record_signals,
    say_why,
    start_processes,
    sum_gradients,
    synchronise,
    total,
    whole,
)
from samples import UNIT, Samples
from settings import Settings, read_settings

# Lists of layers; each layer is compiled and recomputed separately.
LAYERS = ("layers",)
# Peak FLOP/s in bfloat16, without sparsity, according to the manufacturers; for MFU.
PEAKS = {"H200": 989e12, "H100": 989e12, "A100": 312e12, "L40S": 362e12, "4090": 165e12}

# The label of what the loss leaves out.
IGNORED = -100


class Run:
    """A model, its optimizers and data, on one of `ranks` devices."""

    def __init__(self, settings: Settings, out: Path) -> None:
        self.settings, self.out = settings, out
        self.device, self.rank, self.ranks = start_processes()
        self.group, groups = group_and_groups(settings)
        self.together = settings.micro_batch * groups  # in one forward pass of all devices
        if settings.batch % self.together:
            fail(
                f"batch ({settings.batch}) must be a multiple of micro_batch "
                f"({settings.micro_batch}) x groups of devices ({groups})"
            )
        data, length, seed = Path(settings.data), settings.length, settings.seed
        if self.rank == 0:
            checkpoints.reserve(out)
        self.data = Samples(data, "train", length, seed)
        self.held_out = Samples(data, "val", length, seed)
        torch.manual_seed(seed)
        self.model = Model()
        if settings.weights:
            checkpoints.load_weights(self.model, checkpoints.Stored(Path(settings.weights)))
        layers = [layer for path in LAYERS for layer in self.model.get_submodule(path).children()]
        self.call = distribute(self.model, layers, self.device, settings)
        self.objective = Objective(self.model, self.call, self.device, settings)
        self.optimizers = make_optimizers(self.model, layers, settings)
        self.identity = {
            "spec": settings.spec,
            "tokenizer": self.data.folder.about["tokenizer"],
            "batch": settings.batch,
            "length": length,
            "optimizer": settings.optimizer,
            "seed": seed,
            **self.objective.identity(),
        }
        self.start = self.resume()
        self.log = Log(out / "log.jsonl", self.start, writes=self.rank == 0)

    def resume(self) -> int:
        """Load the last checkpoint, if there is one. Returns the number of completed steps."""
        found = checkpoints.find(self.out)
        if not found:
            return 0
        try:
            about = dict(json.loads((found[-1] / "run.json").read_text(encoding="utf-8")))
        except (ValueError, TypeError) as error:
            fail(f"{found[-1] / 'run.json'} is damaged ({error}); remove this checkpoint")
        for key in self.identity.keys() | about.keys() - {"step"}:
            before, now = about.get(key), self.identity.get(key)
            if before != now:
                fail(
                    f"{found[-1]} was trained with another {key} ({before}, not {now}); "
                    "choose another folder to start a new run"
                )
        checkpoints.load(found[-1], self.model, self.optimizers)
        if self.rank == 0:
            checkpoints.remove_old(self.out, self.settings.keep)  # left by a killed process
        return int(about["step"])

    def share(self, data: Samples, step: int) -> Iterator[tuple[int, dict[str, Tensor], Tensor]]:
        """This device's micro-batches of a step: first sample, arguments of the model, labels."""
        begin, size = step * self.settings.batch, self.settings.micro_batch
        for first in range(begin, begin + self.settings.batch, self.together):
            yield (first + self.group * size, *data.batch(first + self.group * size, size))

    def step(self, step: int) -> tuple[Tensor, bool]:
        """One optimizer step. Returns this device's part of the loss, the gradient norm, and
        whether a signal was received.

        The loss is the mean over all labels of the step, on all devices.
        """
        batches = list(self.share(self.data, step))
        counted = sum(int((labels != IGNORED).sum()) for _, _, labels in batches)
        count, stopped = total(counted, len(SIGNALS))
        losses = torch.zeros((), device=self.device)
        auxiliary = getattr(self.model, "auxiliary_loss", None)
        for number, (first, inputs, labels) in enumerate(batches, 1):
            torch.manual_seed(self.settings.seed + first)  # dropout depends on the sample only
            synchronise(self.call, last=number == len(batches))
            loss = self.objective(inputs, labels)[0]
            if auxiliary is not None:  # of routers, a mean over tokens
                loss = loss + (labels != IGNORED).sum() * auxiliary()
            loss = loss / max(1.0, count)
            torch.autograd.backward(loss * self.ranks)  # gradients are averaged over devices
            losses += loss.detach()
        sum_gradients(self.model)
        norm = clip(self.model, self.settings.clip)
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(step, self.settings)
            optimizer.step()
            optimizer.zero_grad()
        return torch.stack([losses, norm / self.ranks]), stopped > 0

    def run(self) -> None:
        """Run the remaining steps, with log, evaluations and checkpoints."""
        settings, pending, clock = self.settings, [], time.perf_counter()
        for step in range(self.start, settings.steps):
            numbers, stopped = self.step(step)
            pending.append(numbers)
            done = step + 1
            last = stopped or done == settings.steps
            saves = last or done % settings.save_every == 0
            evaluates = settings.eval_every and done % settings.eval_every == 0
            if not (saves or evaluates or done % settings.log_every == 0):
                continue
            self.report(done, pending, time.perf_counter() - clock)
            pending = []
            if saves or evaluates:
                self.check_weights(done)
            if (evaluates or done == settings.steps) and not stopped and self.held_out.count > 0:
                self.evaluate(done)
            if saves:
                self.save(done, last=last)
            if stopped:
                self.log.say(
                    f"stopped by a signal after {done} steps; run the command again to continue"
                )
                raise SystemExit(1)
            clock = time.perf_counter()
        self.finish()

    def report(self, done: int, pending: list[Tensor], seconds: float) -> None:
        """Log the steps up to `done`. Raises TrainingError if a loss is not finite."""
        settings = self.settings
        numbers = total(*torch.cat(pending).tolist())
        speed = len(pending) * settings.batch * self.data.size / seconds
        steps = zip(range(done - len(pending), done), numbers[::2], numbers[1::2], strict=True)
        lines = [
            {"step": n, "loss": x, "norm": y, "lr": learning_rate(n, settings)} for n, x, y in steps
        ]
        lines[-1]["speed"] = round(speed)
        self.log.write(lines)
        for line in lines:
            if not math.isfinite(line["loss"] + line["norm"]):
                fail(
                    f"step {line['step']}: the loss is {line['loss']}, the norm of the gradient "
                    f"{line['norm']}; {self.kept()}"
                )
        left = (settings.steps - done) * seconds / len(pending)
        self.log.say(
            f"{done}/{settings.steps}  loss {lines[-1]['loss']:.4f}  {speed:,.0f} {UNIT}/s"
            f"{self.utilization(speed)}  {left:,.0f} s left",
            stays=False,
        )

    def check_weights(self, done: int) -> None:
        """Raise TrainingError, before saving, if a weight is not finite after a step."""
        wrong = (n for n, w in self.model.named_parameters() if not local(w).isfinite().all())
        if name := agreed(next(wrong, "")):
            fail(f"step {done - 1}: numbers of {name} are not finite any more; {self.kept()}")

    def kept(self) -> str:
        """What is left when training fails."""
        found = checkpoints.find(self.out)
        return f"{found[-1]} is kept" if found else "nothing was saved"

    def utilization(self, speed: float) -> str:
        """Model FLOPs utilization (Chowdhery et al. 2022), if the peak is known."""
        name = torch.cuda.get_device_name() if self.device.type == "cuda" else ""
        peak = next((peak for key, peak in PEAKS.items() if key in name), 0.0)
        known = peak * self.settings.flops * self.settings.bfloat16
        return f"  {speed * self.settings.flops / peak / self.ranks:.1%} MFU" if known else ""

    @torch.no_grad()
    def evaluate(self, done: int) -> None:
        """Log mean loss and accuracy, if there is one, on the same held-out data each time."""
        self.model.eval()
        steps = min(self.settings.eval_steps, max(1, self.held_out.count // self.settings.batch))
        sums = torch.zeros(3, dtype=torch.float64, device=self.device)
        for step in range(steps):
            for _, inputs, labels in self.share(self.held_out, step):
                counted = (labels != IGNORED).sum().to(self.device)
                sums += torch.stack([*self.objective(inputs, labels), counted])
        self.model.train()
        loss, right, count = total(*sums.tolist())
        if not count:
            self.log.say("the held-out data have no labels; they are not evaluated")
            return
        measures = {"val_loss": loss / count}
        measures |= {"val_accuracy": right / count} if self.objective.accuracy else {}
        measures |= self.held_out.measures(loss / count)
        self.log.write([{"step": done - 1, **measures}])
        words = "  ".join(f"{name} {value:.4f}" for name, value in measures.items())
        self.log.say(f"{done}/{self.settings.steps}  {words}")

    def save(self, done: int, *, last: bool) -> None:
        """Write a checkpoint. If it fails, training continues; after the last step, raises
        TrainingError.
        """
        path, about = self.out / f"step-{done:08d}", {"step": done, **self.identity}
        keep = self.settings.keep
        wrong = checkpoints.save(path, self.model, self.optimizers, about, keep=keep)
        self.log.draw()
        if wrong and last:
            fail(wrong)
        if wrong:
            self.log.say(wrong)

    def finish(self) -> None:
        """Write weights.safetensors."""
        weights: dict[str, Tensor] = {}
        for name, weight in self.model.state_dict().items():
            tensor = whole(weight)
            if self.rank == 0:
                weights[name] = tensor.cpu()
        if self.rank == 0:
            if wrong := checkpoints.write_weights(self.out / "weights.safetensors", weights):
                fail(f"weights.safetensors was not written, but the checkpoint was: {wrong}")
            self.log.draw()


def main() -> None:
    """Train with the settings of settings.json and the command line."""
    record_signals()
    here, code = Path(__file__).resolve().parent, 0
    try:
        settings = read_settings(here / "settings.json")
        out = Path(settings.out or here)
        out.mkdir(parents=True, exist_ok=True)
        Run(settings, out).run()
    except (TrainingError, OSError) as error:
        code = 2
        if first_to_fail():
            say_why(f"Error: {error}")
    except RuntimeError:
        code = 1
        if first_to_fail():
            raise
    end_processes(code)


if __name__ == "__main__":
    main()


# sha256 of the above: b488727378278b96938c05ea0930c1032d8bacb231fb96777fa68b48e455ca81
