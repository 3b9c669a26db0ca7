"""One small spec for every option of the language that can be built, and inputs to try it on."""

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
