"""The costs of the ops add up to those of the report."""

from __future__ import annotations

from pathlib import Path

import pytest

from modelwright import load, lower, report
from modelwright.compiler.op_costs import op_costs

FOLDER = Path(__file__).resolve().parent.parent.parent / "examples"
EXAMPLES = (
    "gpt2",
    "gemma2_2b",
    "t5_small",
    "albert_base",
    "mixtral_8x7b",
    "bigbird_base",
    "vit_b16",
)


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_ops_cost_what_the_model_costs(name):
    graph = lower(load(FOLDER / f"{name}.yaml"))
    costs, whole = op_costs(graph), report(graph)
    assert costs.total[0] == whole.weights_total
    assert costs.total[1] == pytest.approx(whole.forward, rel=1e-12)
    assert costs.sequence == whole.sequence
    assert costs.of(graph.ops()) == costs.total
