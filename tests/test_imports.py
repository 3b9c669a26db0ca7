"""Which packages may import which, and what commands load."""

from __future__ import annotations

import ast
import importlib
import json
import re
from collections.abc import Container
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import pytest
from package_files import FLOORS, HEAVY, imported, modules, run


def test_imports_go_one_way(root: Path) -> None:
    wrong = [
        f"{name} imports {other}"
        for name, file in modules(root)
        if (floor := name.split(".")[0]) in FLOORS
        for other in imported(name, file)
        if other.split(".")[0] in FLOORS[FLOORS.index(floor) + 1 :]
    ]
    assert not wrong, "\n".join(wrong)


def test_spec_and_compiler_know_of_notebooks_only_that_there_are_some(root: Path) -> None:
    """They import `display`, which imports nothing; who draws is said by the root, above all."""
    low = [(n, f) for n, f in modules(root) if n.split(".")[0] in ("spec", "compiler")]
    ours = {other for name, file in low for other in imported(name, file) if other[0] != "/"}
    above = {other.split(".")[0] for other in ours} - {"spec", "compiler"}
    assert above <= {"display", "records", "tables", "version"}
    for module in sorted(above):
        assert all(other[0] == "/" for other in imported(module, root / f"{module}.py")), module


def test_imports_inside_the_package_are_relative(root: Path) -> None:
    wrong = [
        f"{name} imports {other[1:]}"
        for name, file in modules(root)
        for other in imported(name, file)
        if other.startswith("/") and other[1:].split(".")[0] in {*FLOORS, "modelwright"}
    ]
    assert not wrong, "\n".join(wrong)


def test_imports_form_no_circles(root: Path) -> None:
    """Not even inside functions, or for the sake of types: a reader can begin at an end."""
    files = dict(modules(root))
    needs = {name: needed(name, file, files) for name, file in files.items()}
    found = circles({name: others for name, others in needs.items() if name})
    assert found == []


def needed(name: str, file: Path, files: Container[str]) -> set[str]:
    """The modules of the package whose names one imports; of a package, the one it names."""
    package = name.split(".") if file.name == "__init__.py" else name.split(".")[:-1]
    package = [part for part in package if part]
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = package[: len(package) - (node.level - 1)] + (node.module or "").split(".")
            whole = ".".join(filter(None, base))
            inside = {f"{whole}.{alias.name}".lstrip(".") for alias in node.names}
            found |= {one if one in files else whole for one in inside}
    return found - {name, ""}


def circles(needs: dict[str, set[str]]) -> list[set[str]]:
    """Modules that need each other, those of one circle together."""
    read = {name: _reached(name, needs) for name in needs}
    found: list[set[str]] = []
    for name in needs:
        circle = {other for other in read[name] if name in read.get(other, ())}
        if circle and circle not in found:
            found.append(circle)
    return found


def _reached(name: str, needs: dict[str, set[str]]) -> set[str]:
    """All that a module needs, however far away."""
    found: set[str] = set()
    new = {name}
    while new:
        new = {other for each in new for other in needs.get(each, ())} - found
        found |= new
    return found


def test_a_circle_is_found() -> None:
    needs = {"a": {"b"}, "b": {"c"}, "c": {"b", "d"}, "d": set(), "e": {"a"}, "f": {"f.g"}}
    assert circles(needs) == [{"b", "c"}]
    assert circles({**needs, "d": {"a"}}) == [{"a", "b", "c", "d"}]
    assert circles({"a": {"b"}, "b": set()}) == []


FORGETFUL = ("backends.reference", "backends.diagram", "backends.pytorch")
"""Backends that know a graph and its facts, and no spec."""
READS_SPECS = {"backends.pytorch.compile"}
"""It takes the path of a spec, and reads it."""


def test_backends_import_no_spec(root: Path) -> None:
    reads = {
        name
        for name, file in modules(root)
        if name.startswith(FORGETFUL)
        and any(other.split(".")[0] == "spec" for other in imported(name, file))
    }
    assert reads == READS_SPECS


def test_backends_get_no_spec_from_others(root: Path) -> None:
    """Not by way of a module between, and not by a name that is known only when it runs."""
    from modelwright.compiler import words

    named, made = [], []
    about_words = [getattr(words, name) for name in words.__all__]  # which any text may use
    for name, file in modules(root):
        if not name.startswith(FORGETFUL) or name in READS_SPECS:
            continue
        if name == "backends.pytorch.int8_weights" and find_spec("torchao") is None:
            continue  # an extra
        for key, value in vars(importlib.import_module(f"modelwright.{name}")).items():
            if str(getattr(value, "__module__", value)).startswith("modelwright.spec"):
                named += [] if value in about_words else [f"{name}.{key}"]
            if isinstance(value, ModuleType) and value.__name__.startswith("modelwright.spec"):
                named.append(f"{name}.{key}")
        made += [
            f"{name}:{getattr(node, 'lineno', 0)}: {ast.unparse(node)}"
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
            if isinstance(node, (ast.Name, ast.Attribute))
            and re.search(r"__import__|import_module|^sys\.modules$", ast.unparse(node))
        ]
    assert named == []
    assert made == []


def test_a_graph_holds_no_spec(examples: Path) -> None:
    """Facts stand for it, in a graph as it is lowered, after the passes, and in a copy."""
    from modelwright.compiler import ModuleGraph, lower
    from modelwright.compiler.lower import lower_spec
    from modelwright.spec import load
    from modelwright.spec.part import Part
    from modelwright.spec.source import Node

    spec = load(examples / "t5_small.yaml")
    first = lower_spec(spec)
    for graph in (first, first.copy(), lower(spec), lower(spec).copy()):
        kept = [name for name, value in vars(graph).items() if isinstance(value, (Part, Node))]
        assert kept == []
        assert not hasattr(graph, "spec")
    assert "spec" not in ModuleGraph.__annotations__


def test_the_oracle_knows_specs_and_no_graph(root: Path) -> None:
    """It judges lowering, so it must not share a line with it."""
    floors = {
        other.split(".")[0] if not other.startswith("backends.oracle") else "itself"
        for name, file in modules(root)
        if name.startswith("backends.oracle")
        for other in imported(name, file)
        if not other.startswith("/")
    }
    assert floors == {"spec", "itself"}


def test_spec_and_compiler_never_import_torch(root: Path) -> None:
    wrong = [
        f"{name} imports {other[1:]}"
        for name, file in modules(root)
        if name.split(".")[0] in ("spec", "compiler")
        for other in imported(name, file)
        if other[1:].split(".")[0] in HEAVY
    ]
    assert not wrong, "\n".join(wrong)


def loaded_after(command: list[str]) -> set[str]:
    """The top-level modules that are loaded when a command line has been carried out."""
    code = (
        "import json, sys\n"
        "from modelwright.cli import cli\n"
        f"cli({command!r}, standalone_mode=False)\n"
        "print('LOADED', json.dumps(sorted({name.split('.')[0] for name in sys.modules})))\n"
    )
    done = run("-c", code)
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.rpartition("LOADED ")[2]))


@pytest.mark.parametrize(
    ("command", "without"),
    [
        ("check {spec}", HEAVY | {"networkx", "numpy", "rich"}),
        ("show {spec}", HEAVY | {"networkx", "numpy"}),
        ("new", HEAVY | {"networkx", "pydantic", "yaml", "rich"}),
        ("schema", HEAVY | {"networkx", "rich"}),
        ("inspect {spec}", HEAVY | {"networkx", "numpy"}),
        ("visualize {spec} -o {out}", HEAVY | {"networkx", "numpy"}),
        ("masks {spec} -o {out}", HEAVY | {"networkx", "numpy"}),
        ("diff {spec} {spec} -o {out}", HEAVY | {"networkx", "numpy"}),
    ],
)
def test_commands_load_no_more_than_they_need(
    command: str, without: set[str], examples: Path, tmp_path: Path
) -> None:
    words = command.format(spec=examples / "gpt2.yaml", out=tmp_path / "gpt2.svg").split()
    assert not loaded_after(words) & without


def test_import_modelwright_loads_nothing_else() -> None:
    code = "import sys, modelwright; print(*sys.modules)"
    names = set(run("-c", code).stdout.split())
    assert "modelwright" in names
    assert not {name.split(".")[0] for name in names} & (HEAVY | {"networkx", "pydantic", "numpy"})


def test_every_public_name_is_there() -> None:
    import modelwright

    for name in modelwright.__all__:
        value = getattr(modelwright, name)
        assert isinstance(value, str) or callable(value), name
    assert set(modelwright.__all__) <= set(dir(modelwright))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        modelwright.nothing  # noqa: B018
