"""What compiling makes is freed at once, without the garbage collector.

Reference cycles, such as those of nested functions that call themselves, would keep the trees and
graphs of earlier models in memory until a collection, which also makes the next model slower.
"""

from __future__ import annotations

import gc
from pathlib import Path

import pytest

from modelwright.backends.pytorch import emit_file
from modelwright.compiler import lower
from modelwright.spec import load

LARGE = ("gpt2", "llama4_scout", "deepseek_v3")
EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.mark.parametrize(
    "name", ["t5_small", *(pytest.param(name, marks=pytest.mark.slow) for name in LARGE)]
)
def test_compiling_leaves_no_reference_cycles(name):
    def compiled() -> None:
        emit_file(lower(load(EXAMPLES / f"{name}.yaml")))

    compiled()  # fills the caches of templates
    gc.collect()
    gc.freeze()  # what is alive now need not be looked at again
    gc.disable()
    try:
        compiled()
        assert gc.collect() == 0
    finally:
        gc.enable()
        gc.unfreeze()
