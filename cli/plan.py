"""`modelwright plan`: memory, time and cost of a training run on many devices."""

from __future__ import annotations

from pathlib import Path

import click

from .console import fail, print_result
from .options import Number, load_graph, quiet, reads_spec

DEVICES = ("b200", "h200", "h100", "a100", "a100-40", "l40s", "rtx4090", "v100", "p100", "mi300x")
"""Names of `compiler.plan.DEVICES`, which is imported when the command runs."""
UNITS = {
    "memory": 1e9,
    "peak": 1e12,
    "read": 1e9,
    "link": 1e9,
    "network": 1e9,
    "node": 1,
}


@click.command()
@reads_spec
@click.option(
    "--tokens",
    type=Number(),
    required=True,
    help="Tokens of the whole run, such as 1e12; with several stacks, tokens of each stack.",
)
@click.option("--devices", type=int, default=1, show_default=True, help="Number of devices.")
@click.option(
    "--device",
    metavar="NAME",
    shell_complete=lambda _ctx, _parameter, start: [n for n in DEVICES if n.startswith(start)],
    help=f"One of: {', '.join(DEVICES)}. Without it, describe a device with the options below.",
)
@click.option(
    "--parallel",
    multiple=True,
    metavar="LAYOUT",
    shell_complete=lambda _ctx, _parameter, start: [
        n for n in ("ddp", "fsdp", "tp2", "tp4", "tp8") if n.startswith(start)
    ],
    help="ddp (a copy on each device), fsdp (weights, gradients and optimizer state divided over "
    "all devices), or tp8 (tensor parallelism in groups of 8, FSDP over the groups). Repeatable. "
    "[default: all]",
)
@click.option("--batch", type=int, help="Samples per step on all devices. [default: 8 per device]")
@click.option(
    "--micro-batch",
    "micro",
    type=int,
    help="Samples per device in one forward pass. [default: the largest power of two that fits]",
)
@click.option(
    "--sequence",
    type=int,
    help="Sequence length in tokens. [default: max_positions, at most 1024]",
)
@click.option(
    "--precision",
    type=click.Choice(("bfloat16", "float32")),
    help="Data type of the computation; weights, gradients and optimizer state are float32. "
    "[default: bfloat16 if the device has it]",
)
@click.option(
    "--optimizer", type=click.Choice(("adamw", "muon")), default="adamw", show_default=True
)
@click.option(
    "--recompute", is_flag=True, help="Recompute activations in the backward pass to save memory."
)
@click.option(
    "--mfu",
    type=Number(),
    default=0.4,
    show_default=True,
    help="Assumed fraction of the peak FLOP/s that matrix products reach.",
)
@click.option(
    "--headroom",
    type=Number(),
    default=0.1,
    show_default=True,
    help="Fraction of a device's memory that stays free.",
)
@click.option("--price", type=Number(), help="Price of one device for one hour.")
@click.option("--device-memory", "memory", type=Number(), help="Memory of a device in GB.")
@click.option(
    "--peak", type=Number(), help="Peak TFLOP/s in the given --precision, without sparsity."
)
@click.option("--memory-bandwidth", "read", type=Number(), help="Memory bandwidth in GB/s.")
@click.option(
    "--bandwidth",
    "link",
    type=Number(),
    help="Bandwidth between devices of a node in GB/s, in one direction.",
)
@click.option(
    "--network",
    type=Number(),
    help="Bandwidth between nodes in GB/s per device, in one direction. [default for other "
    "devices: --bandwidth]",
)
@click.option("--node", type=int, help="Devices of a node. [default: 8]")
@click.option("--json", "as_json", is_flag=True, help="Print the plan as JSON.")
@quiet
def plan(
    spec: Path,
    sets: tuple[str, ...],
    tokens: float,
    devices: int,
    device: str | None,
    parallel: tuple[str, ...],
    batch: int | None,
    micro: int | None,
    sequence: int | None,
    precision: str | None,
    optimizer: str,
    recompute: bool,
    mfu: float,
    headroom: float,
    price: float | None,
    as_json: bool,
    **numbers: float | None,
) -> None:
    """Estimate memory, communication, time and cost of a training run, without running it.

    SPEC is a YAML file; `-` is stdin. Layouts of the model on the devices are compared; the fastest
    that fits is marked.

    \b
      modelwright plan llama3_8b.yaml --devices 64 --device h100 --tokens 1e12 --price 2.5
      modelwright plan gpt2.yaml --devices 8 --device a100 --tokens 10e9 --parallel ddp
      modelwright plan gpt2.yaml --tokens 1e9 --device-memory 24 --peak 100 \\
          --memory-bandwidth 900 --bandwidth 30
      modelwright plan gpt2.yaml --devices 8 --device h100 --tokens 1e10 --json | jq .best

    Weights, gradients and optimizer state are those of `modelwright train`.
    """
    graph = load_graph(spec, sets)
    from ..compiler.plan import PlanError, Request, make_plan

    request = Request(
        tokens=tokens,
        devices=devices,
        parallel=parallel,
        batch=batch,
        micro=micro,
        sequence=sequence,
        precision=precision,
        optimizer=optimizer,
        recompute=recompute,
        mfu=mfu,
        headroom=headroom,
        price=price,
    )
    given = {name: value * UNITS[name] for name, value in numbers.items() if value is not None}
    try:
        made = make_plan(graph, request, device, given)
    except PlanError as error:
        fail(str(error))
    if as_json:
        from ..outputs import json_text

        print_result(json_text(made.to_json()))
    else:
        print_result(made.render())
