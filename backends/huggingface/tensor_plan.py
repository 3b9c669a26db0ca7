"""Tensor parallelism of exported folders: the `base_model_tp_plan` of their configuration."""

from __future__ import annotations

from ...compiler.graph import ModuleGraph
from ...compiler.plan.divided import tensor_slots


def tensor_plan(graph: ModuleGraph) -> dict[str, str]:
    """Module -> style of `transformers`; `*` stands for the number of a layer.

    It divides the modules that `parallel.py` of a run divides, except embeddings and heads, and
    those that the library's plans cannot express: modules of some layers only, since `*` means all,
    and attention with a table of biases for each head. The number of devices must divide heads,
    key-value heads and hidden units.
    """
    slots = tensor_slots(graph)
    with_table = {attention for _, attention in slots["TABLES"]}
    plan: dict[str, str] = {}
    for module, columns, row, _ in slots["DIVIDED"]:
        if module in with_table or any(part.isdigit() for part in module.split(".")):
            continue
        shared = [name for name, attention in slots["SHARED"] if attention == module]
        plan |= {f"{module}.{column}": "colwise" for column in columns}
        plan |= dict.fromkeys(shared, "replicated_with_grad_allreduce")
        plan[f"{module}.{row}"] = "rowwise"
    return plan
