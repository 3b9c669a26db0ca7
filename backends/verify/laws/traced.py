"""The law `traced`: the code that runs only under `torch.compile` computes the same.

Emitted files ask `torch.compiler.is_compiling()` where a program must not depend on the data. The
law answers yes and runs the model without the compiler, which takes minutes for many shapes.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

import torch

from ..measure import Largest, Measured, NotHere
from ..subject import Subject
from .cached import pieces, reading_stream
from .choice import tied_at
from .lengths import chosen, of_length
from .padding import first_length

CASES = ("plain", "padded left", "padded right", "every argument, padded")
ASKED = "torch.compiler.is_compiling()"


def traced(subject: Subject) -> Measured | NotHere:
    """Compare outputs and steps with those of the code that runs without the compiler."""
    if ASKED not in subject.text:
        return NotHere("no code depends on whether `torch.compile` traces it")
    largest = Largest()
    cases = [(case, subject.data(case)) for case in CASES]
    if subject.arguments.streams():
        lengths = chosen(subject)
        for rows, length in ((3, 1), (1, 1), (2, lengths[len(lengths) // 2]), (1, lengths[-1])):
            cases.append((f"{rows} of {length} tokens", of_length(subject, rows, length)))
    for case, data in cases:
        expected = subject.results(data)
        with tracing():
            found = subject.results(data)
        if not tied_at(subject, data):
            for name, value in expected.items():
                largest.compare(found[name], value, f"{case}: {name}")
    _steps(subject, largest)
    return largest.measured()


def _steps(subject: Subject, largest: Largest) -> None:
    """Chunks of the longest sequence, around the 96 tokens of a chunk of linear attention."""
    if not subject.cached:
        return
    data = of_length(subject, 1, chosen(subject)[-1])
    length = data[reading_stream(subject).ids].shape[1]
    if first_length(subject) < length or tied_at(subject, data):
        return
    sizes = (95, 1, 1, length)
    expected = pieces(subject, data, sizes)
    with tracing():
        found = pieces(subject, data, sizes)
    largest.compare(found, expected, f"pieces of {', '.join(map(str, sizes))}")


@contextmanager
def tracing() -> Iterator[None]:
    """Emitted code runs as it does under `torch.compile`."""
    with patch.object(torch.compiler, "is_compiling", lambda: True):
        yield
