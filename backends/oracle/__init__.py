"""The oracle: computes a model directly from its resolved spec, in NumPy and float64.

    from modelwright.backends.oracle import run

    outputs = run(spec, weights, inputs)  # stack or head -> array

It does not use the graph, so it tests lowering; the interpreter in `backends/reference` tests the
backends. It was written from `docs/language.md` and the cited papers, and imports only `spec` and
NumPy. It computes one sequence at a time with plain loops, and is meant for small models.
"""

from .model import run
from .weights import OracleError, UnknownOptionError

__all__ = ["OracleError", "UnknownOptionError", "run"]
