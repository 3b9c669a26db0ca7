"""Every benchmark of speed in one run: emitted models against their peers, in turns.

python -m benchmarks                          # all, about an hour on two cores
python -m benchmarks --only tiny --rounds 5
python -m benchmarks --dtype bfloat16 --json build/bf16.json
python -m benchmarks --write                  # docs/benchmarks.md and its figure
"""

from __future__ import annotations

import gc
import json
import time
from pathlib import Path

import click
import torch

from .first import first_logits
from .floor import matrix_rate, read_rate
from .measure import Timed, alternate
from .models import OURS
from .pages import conditions, page, text_table, write_pages
from .peers import CASES, rivals_of
from .tasks import tasks_of

CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}


@click.command()
@click.option("--only", default="", help="Tasks whose case or name holds this.")
@click.option("--rounds", default=5, show_default=True, type=click.IntRange(min=3))
@click.option("--dtype", "dtypes", multiple=True, type=click.Choice(("float32", "bfloat16")))
@click.option("--compiled", is_flag=True, help="Through torch.compile too (needs a C++ compiler).")
@click.option("--threads", type=int, help="[default: torch's]")
@click.option(
    "--clock",
    type=click.Choice(list(CLOCKS)),
    default="wall",
    show_default=True,
    help="`cpu` with --threads 1 holds on a machine that is busy with other things.",
)
@click.option("--json", "path", type=click.Path(path_type=Path), help="Write the numbers there.")
@click.option("--write", is_flag=True, help="Write docs/benchmarks.md.")
def main(
    only: str,
    rounds: int,
    dtypes: tuple[str, ...],
    compiled: bool,
    threads: int | None,
    clock: str,
    path: Path | None,
    write: bool,
) -> None:
    """Time emitted models next to their peers: one run, alternating, on the CPU."""
    if threads:
        torch.set_num_threads(threads)
    import transformers

    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    results: dict[str, list[Timed]] = {}
    for dtype in dtypes or ("float32",):
        for key, case in CASES.items():
            if only and only.lower() not in f"{key} {case.name}".lower():
                continue
            for made_fast in (False, True) if compiled else (False,):
                kind = f"{dtype}, compiled" if made_fast else dtype
                results.setdefault(kind, [])
                rivals = rivals_of(case, getattr(torch, dtype))
                for name, candidates in tasks_of(case, rivals, compiled=made_fast):
                    start = time.monotonic()
                    timed = alternate(
                        name,
                        candidates,
                        rounds=rounds,
                        warm_up=2 if made_fast else 1,
                        repeat=case.repeat,
                        clock=CLOCKS[clock],
                    )
                    results[kind].append(timed)
                    took = time.monotonic() - start
                    click.echo(f"{kind}: {name}: {rounds} rounds in {took:.0f} s", err=True)
                del rivals
                gc.collect()
    if not only or only in "first":
        results["first logits"] = [first_logits(rounds)]
    if not any(results.values()):
        raise click.BadParameter(f"no case holds `{only}`")
    facts = {
        **conditions(),
        "threads": torch.get_num_threads(),
        "clock": clock,
        "rounds": rounds,
        **{
            f"matrix product in {dtype}, GFLOP/s": round(
                matrix_rate(getattr(torch, dtype)) / 1e9, 1
            )
            for dtype in dtypes or ("float32",)
        },
        "reading memory, GB/s": round(read_rate() / 1e9, 1),
    }
    for kind, timed_ones in results.items():
        click.echo(f"\n{kind}\n{text_table(timed_ones)}")
    click.echo("\n± is half the distance of the quartiles; ratios are medians over the rounds")
    if path:
        data = {**facts, "results": {k: [t.to_json(OURS) for t in ts] for k, ts in results.items()}}
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(data, indent=2) + "\n", encoding="utf-8")
    if write:
        write_pages(page(facts, results), results)


if __name__ == "__main__":
    main()
