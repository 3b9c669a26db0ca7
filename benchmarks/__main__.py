"""Speed of emitted models compared with other implementations: all tables of docs/benchmarks.md.

python -m benchmarks --write                       # every table of docs/benchmarks.md
python -m benchmarks --table bfloat16 --json build/bf16.json
python -m benchmarks --only tiny --rounds 3        # a part of the tables
"""

from __future__ import annotations

import gc
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import torch

from . import load
from .first import first_logits
from .floor import matrix_rate, read_rate
from .measure import Timed, alternate
from .models import OURS
from .pages import conditions, text_table, write_part, write_rows
from .peers import CASES
from .plans import PLANS, Plan
from .tasks import timed_tasks

CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}
STARTS, LOADS = "first-logits", "load"
TABLES = (*PLANS, STARTS, LOADS)


@click.command()
@click.option("--table", "tables", multiple=True, type=click.Choice(TABLES), help="[default: all]")
@click.option("--only", default="", help="Tasks of models whose name holds this.")
@click.option("--rounds", default=5, show_default=True, type=click.IntRange(min=3))
@click.option("--threads", type=click.IntRange(min=1), help="[default: what the table says]")
@click.option(
    "--clock",
    type=click.Choice(list(CLOCKS)),
    default="wall",
    show_default=True,
    help="`cpu`, with one thread, holds on a machine that is busy with other things.",
)
@click.option("--json", "path", type=click.Path(path_type=Path), help="Write the numbers there.")
@click.option("--write", is_flag=True, help="Write the tables into docs/benchmarks.md.")
def main(
    tables: tuple[str, ...],
    only: str,
    rounds: int,
    threads: int | None,
    clock: str,
    path: Path | None,
    write: bool,
) -> None:
    """Time emitted models and other implementations alternately in one run, on the CPU."""
    if write and only:
        raise click.UsageError("a part of a table is not written: leave --only out")
    quiet_libraries()
    data: dict[str, Any] = {}
    for key in tables or TABLES:
        if key == LOADS:
            if not only:
                data[key] = loads(rounds, write=write)
            continue
        facts: dict[str, object] = {**conditions(), "rounds": rounds}
        if key == STARTS:
            results = [] if only else [first_logits(rounds)]
        else:
            plan = PLANS[key]
            torch.set_num_threads(threads or plan.threads)
            results = measured(plan, only, rounds, clock)
            facts |= {"threads": torch.get_num_threads(), "clock": clock, **rates(plan)}
        if not results:
            continue
        click.echo(f"\n{key}\n{text_table(results)}")
        data[key] = {**facts, "results": [timed.to_json(OURS) for timed in results]}
        if write:
            write_part(key, facts, results)
    if not data:
        raise click.BadParameter(f"no model's name holds `{only}`")
    click.echo("\n± is half the distance of the quartiles; ratios are medians over the rounds")
    if path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(data, indent=2) + "\n", encoding="utf-8")


def quiet_libraries() -> None:
    import transformers

    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()


def measured(plan: Plan, only: str, rounds: int, clock: str) -> list[Timed]:
    """The tasks of a table, grouped by model."""
    results = []
    for key, case in CASES.items():
        if not plan.has_case(key) or only.lower() not in f"{key} {case.name}".lower():
            continue
        for name, candidates in timed_tasks(plan, case):
            start = time.monotonic()
            results.append(
                alternate(
                    name,
                    candidates,
                    rounds=rounds,
                    warm_up=2 if plan.compiled else 1,
                    repeat=case.repeat,
                    clock=CLOCKS[clock],
                )
            )
            took = time.monotonic() - start
            click.echo(f"{plan.title}: {name}: {rounds} rounds in {took:.0f} s", err=True)
        gc.collect()
    return results


def rates(plan: Plan) -> Mapping[str, object]:
    """The peak speed of the machine: matrix products and memory."""
    rate = matrix_rate(getattr(torch, plan.dtype)) / 1e9
    return {
        f"{plan.dtype} matrix products, GFLOP/s:": round(rate, 1),
        "reading memory, GB/s:": round(read_rate() / 1e9, 1),
    }


def loads(rounds: int, *, write: bool) -> dict[str, object]:
    """Times and memory of loading checkpoints, with few rounds: they are slow and vary little."""
    rounds = min(rounds, 3)
    facts: dict[str, object] = {**conditions(), "rounds": rounds}
    found = {name: load.compare(name, rounds) for name in load.MODELS}
    table = [load.HEAD, *(line for name in found for line in load.lines(name, found[name]))]
    for line in table:
        click.echo("  ".join(line))
    if write:
        write_rows(LOADS, facts, table)
    return {**facts, "results": found}


if __name__ == "__main__":
    main()
