"""Files of models with very many layers and kinds of layers: their build time is bounded."""

from __future__ import annotations

import pytest

from modelwright.backends.pytorch import emit_file
from modelwright.compiler import lower
from modelwright.spec import loads

from .work import within

LAYERS = 40_000
START = f"""
name: x
family: decoder-only
vocab_size: 61
max_positions: 48
d_model: 32
attention: {{heads: 4}}
head: language_model
layers: {LAYERS}
"""
BLOCKS = "".join(f"  b{i}: {{dropout: {i / 1000}, norm: {{eps: 1e-{i % 9}}}}}\n" for i in range(96))
RANGES = "".join(f"  {i}..-{i + 1}: {{norm: {{eps: 1e-{i % 9}}}}}\n" for i in range(96))
MANY = {
    "kinds that repeat": f"blocks:\n{BLOCKS}pattern: [{', '.join(f'b{i}' for i in range(96))}]\n",
    "a kind for each range": f"overrides:\n{RANGES}",
}


@pytest.mark.parametrize("case", MANY)
def test_many_layers_of_many_kinds(case: str) -> None:
    text = within(400, lambda: emit_file(lower(loads(START + MANY[case]))).text)
    compile(text, case, "exec")  # no expression is too deep for Python
