"""The oracle: a second judge, from the resolved spec straight to numbers, in NumPy and float64.

    from modelwright.backends.oracle import run

    outputs = run(spec, weights, inputs)  # stack or head -> array

It never sees the graph, so it judges what lowering makes of a spec; the interpreter in
`backends/reference` judges what backends make of the graph. It was written from `docs/language.md`
and the papers that each function names, and imports nothing but `spec` and NumPy. It computes one
sequence at a time, with plain loops, and is meant for small models.
"""

from .model import run
from .weights import OracleError, UnknownOptionError

__all__ = ["OracleError", "UnknownOptionError", "run"]
