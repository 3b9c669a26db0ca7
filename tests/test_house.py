"""The house itself: what may import what, what is in the package, how it is started."""

from __future__ import annotations

import ast
import doctest
import importlib
import json
import os
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from collections.abc import Container, Iterator
from pathlib import Path
from types import ModuleType

import pytest

FLOORS = ("spec", "compiler", "backends", "training", "cli")
"""From the ground up: each imports what stands before it, never what stands after."""

HEAVY = {"torch", "transformers", "safetensors", "tokenizers"}


def modules(root: Path) -> Iterator[tuple[str, Path]]:
    """Every module of the package: its dotted name below `modelwright`, and its file."""
    files = [*root.glob("*.py")]
    for floor in FLOORS:
        files += (root / floor).rglob("*.py")
    for file in files:
        parts = file.relative_to(root).with_suffix("").parts
        yield ".".join(part for part in parts if part != "__init__"), file


def imported(name: str, file: Path) -> Iterator[str]:
    """What a module imports, anywhere in it: `spec.model` for ours, `/torch` for others."""
    package = name.split(".") if file.name == "__init__.py" else name.split(".")[:-1]
    package = [part for part in package if part]
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (f"/{alias.name}" for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield f"/{node.module}"
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - (node.level - 1)]
            if node.module:
                yield ".".join([*base, node.module])
            else:
                yield from (".".join([*base, alias.name]) for alias in node.names)


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
    assert above <= {"display", "tables", "version"}
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


OTHERS = {"graph", "part", "norm", "below", "self"}
"""Names of what has inputs and is no op: a graph, the boxes of figures, `Op` itself."""


def by_number(tree: ast.AST) -> Iterator[ast.AST]:
    """What reads the inputs of an op by their order: an index, a slice, several targets, `first`.

    Values in the slots of an op may be counted, searched and exchanged as a whole.
    """
    for node in ast.walk(tree):
        if isinstance(node, ast.Subscript) and _reads_inputs(node.value):
            if isinstance(node.slice, ast.Slice) or _is_number(node.slice):
                yield node
        elif isinstance(node, ast.Assign) and _reads_inputs(node.value):
            if any(isinstance(target, (ast.Tuple, ast.List)) for target in node.targets):
                yield node
        elif isinstance(node, ast.Call):
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            positional = any(
                isinstance(a, ast.Starred) and _reads_inputs(a.value) for a in node.args
            )
            if positional or (name == "iter" and any(map(_reads_inputs, node.args))):
                yield node


def _reads_inputs(node: ast.AST) -> bool:
    found = (n for n in ast.walk(node) if isinstance(n, ast.Attribute) and n.attr == "inputs")
    return any(ast.unparse(n.value).split(".")[-1] not in OTHERS for n in found)


def test_ops_are_read_by_the_names_of_their_slots(root: Path) -> None:
    """`op.arg("mask")`, not `op.inputs[3]`: a number says nothing, and moves when a slot is new."""
    wrong = [
        f"{name}:{getattr(node, 'lineno', 0)}: {ast.unparse(node)}"
        for name, file in modules(root)
        if name.split(".")[0] in ("compiler", "backends")
        for node in by_number(ast.parse(file.read_text(encoding="utf-8")))
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    "code",
    [
        "x = op.inputs[0]",
        "x = op.inputs[-1]",
        "x = self.op.inputs[1:]",
        "k, v = op.inputs",
        "k, v = f.use_all(op.inputs)",
        "k, v = (f.use(value) for value in op.inputs if value)",
        "call('where', *f.use_all(op.inputs))",
        "x = next(iter(op.inputs))",
        "x = list(op.inputs)[0]",
    ],
)
def test_reading_by_number_is_found(code: str) -> None:
    assert list(by_number(ast.parse(code)))


def _is_number(node: ast.expr) -> bool:
    inner = node.operand if isinstance(node, ast.UnaryOp) else node
    return isinstance(inner, ast.Constant) and isinstance(inner.value, int)


def test_spec_and_compiler_never_import_torch(root: Path) -> None:
    wrong = [
        f"{name} imports {other[1:]}"
        for name, file in modules(root)
        if name.split(".")[0] in ("spec", "compiler")
        for other in imported(name, file)
        if other[1:].split(".")[0] in HEAVY
    ]
    assert not wrong, "\n".join(wrong)


def run(*command: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """A command with this interpreter; its output, whatever its exit code."""
    return subprocess.run(
        [sys.executable, *command], cwd=cwd, capture_output=True, text=True, check=False
    )


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


def test_python_dash_m_is_the_command() -> None:
    done = run("-m", "modelwright", "--version")
    assert done.stdout == f"modelwright, version {project_version()}\n"


def project_version() -> str:
    text = (Path(__file__).parent.parent / "pyproject.toml").read_text(encoding="utf-8")
    return str(tomllib.loads(text)["project"]["version"])


def test_version_is_said_once() -> None:
    import modelwright

    assert modelwright.__version__ == project_version()


def test_lint_refuses_top_level_imports_of_our_folders(root: Path) -> None:
    ruff = [sys.executable, "-m", "ruff", "check", "--config", str(root / "pyproject.toml")]
    ruff += ["--select", "TID251", "--stdin-filename", str(root / "tests" / "x.py"), "-"]
    for folder in FLOORS:
        code = f"from {folder} import x\nimport {folder}.y\n"
        done = subprocess.run(ruff, input=code, capture_output=True, text=True, check=False)
        assert done.stdout.count("TID251") == 2, done.stdout + done.stderr


def test_every_folder_of_the_package_is_listed(root: Path) -> None:
    listed = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    found = {
        ".".join(["modelwright", *file.parent.relative_to(root).parts])
        for name, file in modules(root)
        if file.name == "__init__.py"
    }
    assert set(listed["tool"]["setuptools"]["packages"]) == found


@pytest.fixture(scope="module")
def built(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel and the sdist, built from a copy in a folder with a dash."""
    out = tmp_path_factory.mktemp("dist")
    clone = out / "my-clone"
    files = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "-z"],
        cwd=root, capture_output=True, text=True, check=True,
    ).stdout.split("\0")  # fmt: skip
    for name in filter(None, files):
        source = root / name
        if source.is_file():
            (clone / name).parent.mkdir(parents=True, exist_ok=True)
            (clone / name).write_bytes(source.read_bytes())
    done = run("-m", "build", "--no-isolation", "--outdir", str(out), str(clone))
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return out


def test_wheel_holds_the_package_and_nothing_else(root: Path, built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    expected = {f"modelwright/{file.relative_to(root).as_posix()}" for _, file in modules(root)}
    expected |= {f"modelwright/examples/{p.name}" for p in (root / "examples").glob("*.yaml")}
    fonts = root / "backends" / "diagram" / "fonts"
    expected |= {f"modelwright/{p.relative_to(root).as_posix()}" for p in fonts.iterdir()}
    expected |= {"modelwright/py.typed", "modelwright/examples/schema.json"}
    expected |= {"modelwright/backends/huggingface/defaults.json"}
    assert names == expected


def test_wheel_works_where_it_is_installed(built: Path, tmp_path: Path) -> None:
    (wheel,) = built.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(tmp_path)
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
        "import modelwright; assert modelwright.__file__.startswith(sys.path[0])\n"
        "from modelwright.cli import main; sys.argv = ['modelwright', 'new', 'gpt2']; main()"
    )
    done = run("-c", code, cwd=tmp_path)
    assert "name: gpt2" in done.stdout, done.stderr


def test_sdist_can_build_the_package(root: Path, built: Path) -> None:
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    needed = {file.relative_to(root).as_posix() for _, file in modules(root)}
    needed |= {"pyproject.toml", "README.md", "LICENSE", "py.typed", "examples/gpt2.yaml"}
    assert needed <= names


def test_constraints_pin_what_the_project_needs(root: Path) -> None:
    pins = {
        line.split("==")[0].lower().replace("_", "-")
        for line in (root / "constraints.txt").read_text(encoding="utf-8").splitlines()
        if "==" in line
    }
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [project["dependencies"], *project["optional-dependencies"].values()]
    names = {line.split(">")[0].split("=")[0] for lines in wanted for line in lines}
    assert names <= pins


def test_ci_runs_the_tests(root: Path) -> None:
    script = root / ".ci" / "run"
    assert os.access(script, os.X_OK)
    assert "make test" in script.read_text(encoding="utf-8").splitlines()


def doctested(root: Path) -> list[str]:
    return sorted(
        name for name, file in modules(root) if ">>> " in file.read_text(encoding="utf-8")
    )


@pytest.mark.parametrize("name", doctested(Path(__file__).parent.parent))
def test_examples_in_docstrings(name: str) -> None:
    module = importlib.import_module(f"modelwright.{name}" if name else "modelwright")
    result = doctest.testmod(module, optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    assert result.attempted
    assert not result.failed


def test_no_machine_paths_in_the_repository(root: Path) -> None:
    words = ("/work" + "/main", "/tmp" + "/", "/home" + "/")
    for name, file in modules(root):
        text = file.read_text(encoding="utf-8")
        assert not [word for word in words if word in text], name


def test_the_lowest_versions_are_those_of_pyproject(root: Path) -> None:
    """constraints-lowest.txt names the lower bound of each dependency but torch."""
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    bounds = {}
    for requirement in project["dependencies"]:
        found = re.match(r"([\w-]+)>=([\d.]+)", requirement)
        assert found, requirement
        bounds[found[1]] = [int(part) for part in found[2].split(".")]
    text = (root / "constraints-lowest.txt").read_text(encoding="utf-8")
    for name, version in re.findall(r"^([\w-]+)==([\d.]+)$", text, re.MULTILINE):
        numbers = [int(part) for part in version.split(".")]
        bound = bounds.pop(name)
        assert numbers[: len(bound)] == bound, name
        assert not any(numbers[len(bound) :]), name
    assert set(bounds) == {"torch"}
