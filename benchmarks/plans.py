"""The tables of docs/benchmarks.md: models, tasks and conditions of each."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Plan:
    """A table; with all cases and all tasks unless some are named."""

    title: str
    dtype: str = "float32"
    compiled: bool = False
    threads: int = 1
    cases: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ()  # parts of their names
    all_peers: bool = False  # else `transformers` alone

    def has_case(self, key: str) -> bool:
        return not self.cases or key in self.cases

    def has_task(self, name: str) -> bool:
        return not self.tasks or any(part in name for part in self.tasks)


LARGE = ("gpt2", "llama", "bert")
PLANS = {
    "float32": Plan("float32, one thread", all_peers=True),
    "bfloat16": Plan(
        "bfloat16, one thread",
        dtype="bfloat16",
        cases=LARGE,
        tasks=("forward, 1 x 256", "training", "decode, 1 x"),
    ),
    "compiled": Plan(
        "float32, one thread, both through torch.compile",
        compiled=True,
        cases=("gpt2", "bert", "tiny-gpt2"),
        tasks=("forward, 1 x",),
    ),
    "threads": Plan(
        "float32, two threads",
        threads=2,
        cases=("gpt2", "bert"),
        tasks=("forward, 1 x 256", "decode, 1 x"),
    ),
}
