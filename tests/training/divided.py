"""Compares divided models with whole ones: `torchrun divided.py GROUPS SPEC…`.

GROUPS: groups of devices; their weights are sharded over the groups, which here have equal inputs

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
from torch.distributed.device_mesh import init_device_mesh

import modelwright as mw
from modelwright.compiler.plan.divided import tensor_slots
from modelwright.training.emitted import parallel
from modelwright.training.tasks import layers_of

torch.set_num_threads(1)
dist.init_process_group("gloo")
groups = int(sys.argv[1])
shape = (groups, dist.get_world_size() // groups)
mesh = init_device_mesh("cpu", shape, mesh_dim_names=("groups", "tensor"))
for path in sys.argv[2:]:
    graph = mw.lower(Path(path))
    models = [mw.compile(graph, dtype="float64", seed=1).eval() for _ in range(2)]
    for name, value in tensor_slots(graph).items():
        setattr(parallel, name, value)
    torch.manual_seed(0)
    ids = [op.name for op in graph.ops("") if op.name.endswith("input_ids")]
    inputs = {name: torch.randint(10, (2, 9)) for name in ids}
    if not ids:
        inputs = {"pixel_values": torch.randn(2, 3, 16, 16, dtype=torch.float64)}
    parallel.divide(models[1], mesh["tensor"])
    if groups > 1:
        layers = [x for path in layers_of(models[1]) for x in models[1].get_submodule(path)]
        parallel.shard(models[1], layers, mesh["groups"], bfloat16=False)
    outputs = [model(**inputs) for model in models]
    torch.manual_seed(0)
    direction = torch.randn_like(outputs[0])
    for output in outputs:
        (output * direction).sum().backward()
    parallel.sum_gradients(models[1])
    differences = [(outputs[0] - outputs[1]).abs().max().item()]
    named = zip(models[0].named_parameters(), models[1].parameters(), strict=True)
    differences += [
        (whole.grad - parallel.whole(part.grad)).abs().max().item()
        for (_, whole), part in named
        if whole.grad is not None and part.grad is not None
    ]
    meshes = [parallel.mesh_of(weight) for weight in models[1].parameters()]
    count = sum("tensor" in mesh.mesh_dim_names for mesh in meshes if mesh)
    if dist.get_rank() == 0:
        told = {"name": graph.name, "divided": count, "difference": max(differences)}
        print(json.dumps(told), flush=True)
dist.barrier()
os._exit(0)
