"""A small spec for every supported option of the language, and inputs to run it."""

from .arrays import Arrays, arguments, emitted, graph_of, inputs_of, spec_of
from .base import DECODER, FIRST_WORD, HEADLESS, MARK, VOCABULARY
from .every import VARIATIONS
from .stacks import TWO_MEMORIES

__all__ = [
    "DECODER",
    "FIRST_WORD",
    "HEADLESS",
    "MARK",
    "TWO_MEMORIES",
    "VARIATIONS",
    "VOCABULARY",
    "Arrays",
    "arguments",
    "emitted",
    "graph_of",
    "inputs_of",
    "spec_of",
]
