"""The reference shares no code with what it is compared with, and needs no torch."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

ALLOWED = ("__future__", "numpy", "compiler", "spec", *sys.stdlib_module_names)


def test_it_imports_numpy_the_graph_and_the_spec_alone(root: Path) -> None:
    wrong = []
    for file in sorted((root / "backends" / "reference").glob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.level in (0, 3):
                names = [node.module or ""]
            elif isinstance(node, ast.ImportFrom) and node.level == 2:
                wrong.append(f"{file.name}: from ..{node.module}")  # another backend
            wrong += [f"{file.name}: {n}" for n in names if n.split(".")[0] not in ALLOWED]
    assert not wrong


def test_it_runs_where_torch_cannot_be_imported(examples: Path) -> None:
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "import numpy as np, modelwright as mw\n"
        "from modelwright.backends.reference import random_weights, run\n"
        f"graph = mw.lower(mw.load({str(examples / 'tiny_gpt.yaml')!r}))\n"
        "ids = np.arange(12).reshape(2, 6)\n"
        "print(run(graph, random_weights(graph, 0), {'input_ids': ids})['head'].shape[:2])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout == "(2, 6)\n", done.stderr
