"""The reference: an interpreter of graphs in NumPy float64, written from the definitions of the
ops.

It is used to test other backends, so it shares no code with them.
"""

from __future__ import annotations

from .interpreter import run
from .masks import Pairs, admits
from .ops import COMPUTE
from .weights import random_weights, weight_shapes

__all__ = ["COMPUTE", "Pairs", "admits", "random_weights", "run", "weight_shapes"]
