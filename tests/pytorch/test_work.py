"""The work of emitting a file grows with the number of kinds of layers, not with its square.

Work is the number of calls of functions, so that the tests do not depend on the clock.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

import pytest

from modelwright.backends.pytorch import emit_file
from modelwright.compiler import lower
from modelwright.spec import loads

SPEC = """\
name: many
family: decoder-only
vocab_size: 100
max_positions: 64
d_model: 16
layers: {count}
positions: rotary
attention: {{heads: 4}}
head: language_model
blocks:
{blocks}
pattern: [{names}]
"""
KINDS: dict[str, Callable[[int], str]] = {
    "sizes": lambda i: f"{{feed_forward: {{d_ff: {16 + i}}}}}",
    "masks": lambda i: f"{{mask: causal & window({2 + i})}}",
    "both": lambda i: f"{{mask: causal & window({2 + i}), feed_forward: {{d_ff: {16 + i}}}}}",
}


def work(kind: str, count: int) -> int:
    """The number of calls that emitting a model of so many kinds of layers takes."""
    names = [f"b{i}" for i in range(count)]
    blocks = "\n".join(f"  {name}: {KINDS[kind](i)}" for i, name in enumerate(names))
    graph = lower(loads(SPEC.format(count=count, blocks=blocks, names=", ".join(names))))
    calls = 0

    def tally(frame: object, event: str, arg: object) -> None:
        nonlocal calls
        calls += event == "call"

    before = sys.getprofile()
    sys.setprofile(tally)
    try:
        emit_file(graph)
    finally:
        sys.setprofile(before)
    return calls


@pytest.mark.parametrize("kind", KINDS)
def test_work_grows_with_the_kinds_of_layers(kind):
    work(kind, 2)  # fills the caches of templates
    assert work(kind, 96) < 2.25 * work(kind, 48)
