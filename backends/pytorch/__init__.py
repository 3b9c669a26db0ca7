"""The PyTorch backend: writes a graph as a Python file that imports only torch."""

from __future__ import annotations

from .compile import compile, emit, graph_of, import_text, instantiate
from .file import Emitted, emit_file, is_ours_unedited
from .options import BuildOptions
from .static import BuildError
from .weights import WeightsError, load_weights, save_weights

__all__ = [
    "BuildError",
    "BuildOptions",
    "Emitted",
    "WeightsError",
    "compile",
    "emit",
    "emit_file",
    "graph_of",
    "import_text",
    "instantiate",
    "is_ours_unedited",
    "load_weights",
    "save_weights",
]
