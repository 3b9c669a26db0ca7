"""What is known of the unchanged importer: folders that `transformers` wrote, and its results.

Each is a tiny model of the library with every weight at random (`tests/parity/tiny`).
"""

from __future__ import annotations

import ast
import json
import pickle
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from .areas import CACHE, ROOT, digest
from .tracing import Line, traced

FAMILIES = "backends/huggingface/families"
TOLERANCE = 2e-5
"""In float32, relative: as in `tests/parity/perturb.py`."""


@dataclass(frozen=True, eq=False)
class Folder:
    """A folder of which the imported model computes what the library's does.

    path: of the folder; it ends in the name that the spec gets
    lines: of the importer, that run when it is read
    words: `file:name` of every table of the families that its own file needs
    data, right: the arguments, and the library's result
    trained: its result in training, where dropout multiplies by 1 + rate; None if ours differs
    exported: the keys of its config that an export of the imported spec gives back
    head: what stands on the hidden states, as `tests/parity/tiny/cases.py` calls it
    """

    name: str
    path: Path
    lines: frozenset[Line]
    words: frozenset[str]
    data: dict[str, Any]
    right: np.ndarray[Any, Any]
    head: str
    trained: np.ndarray[Any, Any] | None = None
    exported: frozenset[str] = frozenset()
    seconds: float = 0.0


def made(case: Any, parent: Path) -> Folder | None:
    """With dropout, if the library and the importer allow it; None where the library cannot build
    the model, or the imported one is not equal.
    """
    from judge.training import dropping

    return _made(dropping(case), parent) or _made(case, parent)


def _made(case: Any, parent: Path) -> Folder | None:
    import time

    import tiny
    import torch
    from judge.calling import distance, ours, theirs

    import modelwright as mw
    from modelwright.backends.huggingface.families import HOMES

    path = parent / f"tiny-{case.model_type}"
    try:
        library = tiny.saved(case, path)
        data = tiny.questions(library, case)
        right = theirs(library, data, case.head)
        begun = time.process_time()
        with traced() as lines:
            model = mw.from_pretrained(path, dtype=torch.float32)
        error = distance(ours(model, data, case.head, right), right)
    except Exception:
        return None
    if not error <= TOLERANCE:
        return None
    words = needed(f"{HOMES[case.model_type]}.py")
    arrays = {
        name: value.numpy() if isinstance(value, torch.Tensor) else value
        for name, value in data.items()
    }
    trained = in_training(library, model, data, case.head)
    spent = time.process_time() - begun
    return Folder(str(case), path, frozenset(lines), words, arrays, right.numpy(), case.head,
                  trained, exported(path), spent)  # fmt: skip


def exported(path: Path) -> frozenset[str]:
    """The keys of a folder's config that an export of its spec to the same class gives back."""
    from modelwright.backends.huggingface.families import FAMILIES as KNOWN
    from modelwright.backends.huggingface.imported import read_model
    from modelwright.backends.huggingface.native import candidates
    from modelwright.spec import loads

    config = json.loads((path / "config.json").read_text(encoding="utf-8"))
    family = KNOWN[config["model_type"]]
    if family.inside:
        return frozenset()
    for native in candidates(loads(read_model(path).text), family):
        if native.class_name in config["architectures"]:
            told = native.config.items()
            return frozenset(key for key, value in told if key in config and config[key] == value)
    return frozenset()


def in_training(library: Any, model: Any, data: dict[str, Any], head: str) -> Any:
    """The library's result, if it draws nothing but dropout and ours is the same; else None."""
    from judge.calling import distance, ours, theirs
    from judge.training import factors

    try:
        with factors():
            right = theirs(library.train(), data, head)
            error = distance(ours(model.train(), data, head, right), right)
    except Exception:
        return None
    return right.numpy() if error <= TOLERANCE else None


def make(parent: Path = CACHE / "folders") -> None:
    """Work out what is known of every case that is not known yet."""
    import tiny

    from modelwright.backends.huggingface import FAMILIES as KNOWN

    for case in tiny.all_cases():
        folder = parent / str(case).replace("/", "+")
        out = folder / "known.pickle"
        if case.model_type not in KNOWN:
            continue
        if out.exists() and pickle.loads(out.read_bytes())[0] == digest():
            continue
        folder.mkdir(parents=True, exist_ok=True)
        found = made(case, folder)
        out.write_bytes(pickle.dumps((digest(), found)))
        print(f"{case}: {'known' if found else 'no'}", flush=True)


def stored(parent: Path = CACHE / "folders") -> list[Folder]:
    """What is known, the quickest first."""
    paths = sorted(parent.glob("*/known.pickle"))
    read = [pickle.loads(path.read_bytes()) for path in paths]
    found = [one for state, one in read if one and state == digest()]
    return sorted(found, key=lambda one: one.seconds)


# -- which tables a family is made of


def needed(file: str) -> frozenset[str]:
    """`file:name` of all that stands in a family's file, and of what that is made of."""
    found: set[str] = set()
    left = [(file, name) for name in tables(file)]
    while left:
        home, name = left.pop()
        if f"{FAMILIES}/{home}:{name}" not in found:
            found.add(f"{FAMILIES}/{home}:{name}")
            left += [others for one in tables(home)[name] for others in origin(home, one)]
    return frozenset(found)


@cache
def tables(file: str) -> dict[str, frozenset[str]]:
    """Top-level name of a family's file -> the names that it is made of."""
    return dict(_definitions(_tree(file)))


def origin(file: str, name: str) -> Iterator[tuple[str, str]]:
    """Where a name of a file is defined: there, or in the file that it is imported from."""
    if name in tables(file):
        yield file, name
    for node in _tree(file).body:
        if isinstance(node, ast.ImportFrom) and node.level == 1 and node.module:
            other = f"{node.module}.py"
            for alias in node.names:
                if name == (alias.asname or alias.name) and alias.name in tables(other):
                    yield other, alias.name


@cache
def _tree(file: str) -> ast.Module:
    return ast.parse((ROOT / FAMILIES / file).read_text(encoding="utf-8"))


def _definitions(tree: ast.Module) -> Iterator[tuple[str, frozenset[str]]]:
    for node in tree.body:
        used = frozenset(one.id for one in ast.walk(node) if isinstance(one, ast.Name))
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            yield node.name, used
        elif isinstance(node, (ast.Assign, ast.AnnAssign, ast.AugAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            yield from ((one.id, used) for one in targets if isinstance(one, ast.Name))
