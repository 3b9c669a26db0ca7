"""Load a checkpoint with both libraries, in fresh processes: time and peak memory.

    python -m benchmarks.load                 # GPT-2's 124M and a Llama of 1B
    python -m benchmarks.load --only "GPT-2 124M" --rounds 5

Modelwright and `transformers` read the same folder of random weights. Imports are not timed. Two
peaks of memory are measured, as multiples of the size of the weights: the private memory while
loading (`RssAnon`, without mapped pages of the file, which may not have been read yet), and the
resident memory up to the first logits (`VmRSS`, which includes mapped pages).
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

MODELS: dict[str, dict[str, Any]] = {
    "GPT-2 124M": {"model_type": "gpt2"},
    "a Llama of 1.2B": {
        "model_type": "llama",
        "vocab_size": 128256,
        "hidden_size": 2048,
        "intermediate_size": 8192,
        "num_hidden_layers": 16,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "tie_word_embeddings": True,
    },
}
SIDES = ("modelwright", "transformers")


def checkpoint(name: str, folder: Path) -> None:
    """A folder of random weights in float32, written by `transformers`."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    config = dict(MODELS[name])
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(
        AutoConfig.for_model(config.pop("model_type"), **config)
    )
    model.save_pretrained(folder)


def memory(kind: str) -> int:
    """Bytes of this process: `RssAnon` is private memory, `VmRSS` includes mapped files."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{kind}:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"this system does not report {kind}")


class Peak:
    """The peak of a kind of memory within the context, minus its value at the start."""

    def __init__(self, kind: str) -> None:
        self.kind = kind

    def __enter__(self) -> Peak:
        self.start = self.most = memory(self.kind)
        self.running = True
        self.thread = threading.Thread(target=self._watch)
        self.thread.start()
        return self

    def _watch(self) -> None:
        while self.running:
            self.most = max(self.most, memory(self.kind))
            time.sleep(0.002)

    def __exit__(self, *_: object) -> None:
        self.running = False
        self.thread.join()
        self.bytes = max(self.most, memory(self.kind)) - self.start


def loader(side: str) -> Callable[[str], Any]:
    """The function that loads a folder; imports are already done."""
    import torch

    torch.set_grad_enabled(False)
    if side == "modelwright":
        import modelwright as mw
        from modelwright.backends import huggingface, pytorch  # noqa: F401
        from modelwright.backends.huggingface import weights  # noqa: F401

        return mw.from_pretrained
    import transformers

    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    load: Callable[[str], Any] = transformers.AutoModelForCausalLM.from_pretrained
    return load


def measure(side: str, folder: str) -> dict[str, float]:
    """Load once in this process: seconds, bytes, and seconds including one forward pass."""
    import torch

    load = loader(side)
    ids = torch.arange(8)[None]
    with Peak("VmRSS") as resident:
        with Peak("RssAnon") as own:
            start = time.perf_counter()
            model = load(folder)
            loaded = time.perf_counter() - start
        model(ids)
        total = time.perf_counter() - start
    size = sum(weight.nbytes for weight in model.parameters())
    return {
        "load, s": loaded,
        "load and first logits, s": total,
        "own memory while loading, x the weights": own.bytes / size,
        "resident memory to the first logits, x the weights": resident.bytes / size,
    }


def compare(name: str, rounds: int) -> dict[str, dict[str, list[float]]]:
    """Measurements of both libraries, in fresh processes, alternately."""
    found: dict[str, dict[str, list[float]]] = {side: {} for side in SIDES}
    with tempfile.TemporaryDirectory() as folder:
        checkpoint(name, Path(folder))
        for number in range(rounds + 1):
            for side in SIDES[:: 1 if number % 2 else -1]:
                command = [sys.executable, "-m", "benchmarks.load", "--one", side, folder]
                output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
                for key, value in json.loads(output.splitlines()[-1]).items():
                    if number:  # the first round fills the system's cache of files
                        found[side].setdefault(key, []).append(value)
    return found


HEAD = ("checkpoint, measure", "emitted", "transformers", "transformers / emitted")


def lines(name: str, found: Mapping[str, Mapping[str, list[float]]]) -> list[tuple[str, ...]]:
    """The medians of both libraries, and of the ratio (theirs / ours) within each round."""
    made = []
    for key in found[SIDES[0]]:
        ours, theirs = (found[side][key] for side in SIDES)
        ratio = statistics.median(b / a for a, b in zip(ours, theirs, strict=True))
        medians = (f"{statistics.median(values):.2f}" for values in (ours, theirs))
        made.append((f"{name}, {key}", *medians, f"{ratio:.2f}"))
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", choices=MODELS, help="one model")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--one", nargs=2, metavar=("SIDE", "FOLDER"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measure(*options.one)))
        return
    for name in [options.only] if options.only else MODELS:
        for line in lines(name, compare(name, options.rounds)):
            print("  ".join(line))


if __name__ == "__main__":
    main()
