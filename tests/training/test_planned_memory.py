"""The memory computed by `plan` equals the measured memory of training processes."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

import modelwright as mw
from modelwright.compiler.plan.layout import parse
from modelwright.compiler.plan.memory import Sizes, memory_of
from modelwright.compiler.plan.split import split_of
from modelwright.compiler.tile_counts import TileCounts
from modelwright.training.runs import command, prepare

SPECS = {
    "gpt": """
name: gpt
family: decoder-only
vocab_size: 256
max_positions: 32
d_model: 48
layers: 3
positions: learned
dropout: 0.1
attention: {heads: 4}
head: {type: language_model, tied: true}
""",
    "llama": """
name: llama
family: decoder-only
vocab_size: 257
max_positions: 64
d_model: 64
layers: 2
norm: rmsnorm
positions: rotary
attention: {heads: 4, kv_heads: 2}
feed_forward: {type: glu, activation: silu, d_ff: 150}
head: language_model
""",
}
LEDGER = Path(__file__).with_name("ledger.py")
CASES = [
    ("gpt", "ddp", 1, {}),
    ("gpt", "ddp", 2, {}),
    ("gpt", "fsdp", 2, {}),
    ("gpt", "tp2", 2, {}),
    ("gpt", "tp2", 4, {}),
    ("llama", "tp2", 2, {}),
    ("llama", "fsdp", 4, {}),
    ("llama", "ddp", 4, {"recompute": True}),
    ("llama", "ddp", 1, {"optimizer": "muon"}),
]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "parallel", "devices", "changes"), CASES)
def test_planned_memory_is_measured(
    name: str,
    parallel: str,
    devices: int,
    changes: dict[str, object],
    tokens: Path,
    tmp_path: Path,
) -> None:
    """Within 2 %; 10 % for activations. AdamW also has the number of the step for each weight.

    Of recomputed layers, the ledger sees only the inputs.
    """
    spec = mw.loads(SPECS[name])
    settings = {"data": str(tokens), "steps": 2, "batch": 8, "micro_batch": 2, "length": 24}
    group = int(parallel.removeprefix("tp")) if parallel.startswith("tp") else 1
    divided = {"parallel": "tp", "tensor_size": group} if group > 1 else {"parallel": parallel}
    settings |= {"eval_every": 0, **divided, **changes}
    prepare(spec, tmp_path / "run", settings)
    words = [*command(LEDGER, devices), str(tmp_path / "run")]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    files = [tmp_path / "run" / f"memory-{rank}.json" for rank in range(devices)]
    measured = [json.loads(file.read_text()) for file in files]
    most = {part: max(one[part] for one in measured) for part in measured[0]}
    graph = mw.lower(spec)
    optimizer, recompute = str(changes.get("optimizer", "adamw")), "recompute" in changes
    sizes = Sizes(2, 24, "float32", optimizer, recompute, fused=False)
    layout, split = parse(parallel, devices), split_of(graph, group)
    planned = memory_of(graph, layout, split, sizes, TileCounts(graph, 24))
    assert planned.weights == pytest.approx(most["weights"], rel=0.02)
    assert planned.gradients == pytest.approx(most["gradients"], rel=0.02)
    assert planned.optimizer == pytest.approx(most["optimizer"], rel=0.02)
    kept = mw.report(graph, batch=2, sequence=24).activations
    if group == 1:
        whole = kept.checkpointed + kept.recomputed if recompute else kept.cpu
        assert planned.activations == whole
    inputs = kept.checkpointed if recompute else planned.activations
    assert inputs == pytest.approx(most["activations"], rel=0.1)
