"""Compares divided models with whole ones: `torchrun divided.py SPEC…`.

Prints for each spec the largest differences of the outputs and of the gradients (in float64), and
how many weights are divided, as JSON.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import torch
import torch.distributed as dist
from torch.distributed.tensor import DTensor

import modelwright as mw
from modelwright.compiler.plan.divided import tensor_slots
from modelwright.training.emitted import parallel

torch.set_num_threads(1)
dist.init_process_group("gloo")
for path in sys.argv[1:]:
    graph = mw.lower(Path(path))
    models = [mw.compile(graph, dtype="float64", seed=1).eval() for _ in range(2)]
    for name, value in tensor_slots(graph).items():
        setattr(parallel, name, value)
    parallel.SUMMED.clear()
    torch.manual_seed(0)
    ids = [op.name for op in graph.ops("") if op.name.endswith("input_ids")]
    inputs = {name: torch.randint(10, (2, 9)) for name in ids}
    parallel.divide(models[1], torch.device("cpu"))
    outputs = [model(**inputs) for model in models]
    torch.manual_seed(0)
    direction = torch.randn_like(outputs[0])
    for output in outputs:
        (output * direction).sum().backward()
    parallel.clip(models[1].parameters(), 0.0)
    differences = [(outputs[0] - outputs[1]).abs().max().item()]
    named = zip(models[0].named_parameters(), models[1].parameters(), strict=True)
    differences += [
        (whole.grad - parallel.whole(part.grad)).abs().max().item()
        for (_, whole), part in named
        if whole.grad is not None and part.grad is not None
    ]
    count = sum(isinstance(weight, DTensor) for weight in models[1].parameters())
    if dist.get_rank() == 0:
        told = {"name": graph.name, "divided": count, "difference": max(differences)}
        print(json.dumps(told), flush=True)
dist.barrier()
os._exit(0)
