"""The oracle shares no code with lowering, and needs neither graph nor torch."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ALLOWED = ("__future__", "numpy", *sys.stdlib_module_names)


def modules(root: Path) -> list[Path]:
    return sorted((root / "backends" / "oracle").glob("*.py"))


def foreign(file: Path) -> Iterator[str]:
    """What a module imports beside the oracle itself, `spec`, NumPy and the standard library."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (a.name for a in node.names if a.name.split(".")[0] not in ALLOWED)
        elif isinstance(node, ast.ImportFrom):
            name = node.module or ""
            inside = node.level == 1 or (node.level == 3 and name.split(".")[0] == "spec")
            if not inside and not (node.level == 0 and name.split(".")[0] in ALLOWED):
                yield f"{'.' * node.level}{name}"
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
            yield ast.unparse(node)


def test_it_imports_numpy_and_the_spec_alone(root: Path) -> None:
    wrong = [f"{file.name}: {name}" for file in modules(root) for name in foreign(file)]
    assert modules(root)
    assert not wrong


def test_it_runs_where_the_graph_and_torch_cannot_be_imported(examples: Path) -> None:
    code = (
        "import sys\n"
        "for name in ('torch', 'modelwright.compiler', 'modelwright.backends.reference',\n"
        "             'modelwright.backends.pytorch'): sys.modules[name] = None\n"
        "import numpy as np, modelwright as mw\n"
        "from modelwright.backends.oracle import OracleError, run\n"
        f"spec = mw.load({str(examples / 'tiny_gpt.yaml')!r})\n"
        "try: run(spec, {}, {'input_ids': np.arange(12).reshape(2, 6)})\n"
        "except OracleError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    said = "the weight `token_embedding.weight` of the spec is missing\n"
    assert done.stdout == said, done.stderr


def test_it_is_small(root: Path) -> None:
    """It has to be read beside the papers."""
    counts = [len(file.read_text(encoding="utf-8").splitlines()) for file in modules(root)]
    assert sum(counts) <= 3200
    assert max(counts) <= 300
