"""Time of reading, lowering and emitting examples, compared with another checkout.

    python -m benchmarks.emit --before /tmp/older

Each checkout runs in a process of its own and reads its own examples. The processes are asked in
turn, and measure their processor time. The first file of a process, which loads modules and
templates, is not counted.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

import click

from .measure import Timed

ROOT = Path(__file__).resolve().parent.parent
NAMES = ("gpt2", "t5_small", "llama4_scout", "deepseek_v3")
NOW, BEFORE = "now", "before"
WORKER = """
import sys, time
sys.path.insert(0, sys.argv[1])
import modelwright as mw
for path in sys.stdin:
    begun = time.process_time()
    mw.emit(mw.lower(mw.load(path.strip())))
    print(time.process_time() - begun, flush=True)
"""
"""It calls `load` and `lower` too, since `emit` of older versions takes a graph only."""


class Emitter:
    """A process that emits the examples of a checkout."""

    def __init__(self, checkout: Path, folder: Path, stack: ExitStack) -> None:
        link = folder / "modelwright"  # the name of the package, whatever that of the checkout
        folder.mkdir()
        link.symlink_to(checkout.resolve())
        self.examples = link / "examples"
        command = [sys.executable, "-E", "-c", WORKER, str(folder)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        self.process = stack.enter_context(
            subprocess.Popen(command, text=True, cwd=folder, **pipes)  # type: ignore[call-overload]
        )

    def seconds(self, name: str) -> float:
        """Processor time of one file."""
        self.process.stdin.write(f"{self.examples / name}.yaml\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())


@click.command()
@click.option(
    "--before",
    required=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder of another version.",
)
@click.option("--rounds", default=15, show_default=True, type=click.IntRange(min=3))
def main(before: Path, rounds: int) -> None:
    """Print milliseconds and ratios of medians, for both versions."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        emitters = {
            name: Emitter(checkout, folder / name, stack)
            for name, checkout in ((BEFORE, before), (NOW, ROOT))
        }
        for name in NAMES:
            for emitter in (*emitters.values(), *emitters.values()):
                emitter.seconds(name)
            times: dict[str, list[float]] = {version: [] for version in emitters}
            for _ in range(rounds):
                for version, emitter in emitters.items():
                    times[version].append(emitter.seconds(name))
            timed = Timed(name, times)
            shown = "  ".join(f"{v} {timed.median(v) * 1000:6.1f} ms" for v in (BEFORE, NOW))
            click.echo(f"{name:<14}{shown}  {timed.ratio(BEFORE, NOW):.2f} x")


if __name__ == "__main__":
    main()
