"""The import hook: a module of a mutant is made from the changed text, all others as they stand."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import spec_from_file_location
from pathlib import PurePosixPath
from types import CodeType, ModuleType
from typing import Any

from .areas import ROOT
from .mutants import Mutant

COPIES = "modelwright.backends.pytorch.helpers"
"""The module that reads the runtime's files as text, for files that are built."""


class Changed(SourceFileLoader):
    """Loads a file with another text than it has."""

    def __init__(self, name: str, path: str, text: str) -> None:
        super().__init__(name, path)
        self.text = text

    def get_code(self, fullname: str) -> CodeType:
        return compile(self.text, self.path, "exec", dont_inherit=True)


class Copying(SourceFileLoader):
    """Loads the module that reads the runtime, and has it read the changed text."""

    def __init__(self, name: str, path: str, file: str, text: str) -> None:
        super().__init__(name, path)
        self.file, self.text = file, text

    def exec_module(self, module: ModuleType) -> None:
        super().exec_module(module)
        before, made = module.source, module
        made.source = lambda file: self.text if file == self.file else before(file)  # type: ignore[attr-defined]


class Finder(MetaPathFinder):
    """Finds the module of one mutant; leaves all others to those that come after it."""

    def __init__(self, mutant: Mutant) -> None:
        self.mutant, self.text = mutant, mutant.source()

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        file = str(ROOT / self.mutant.path)
        if name == self.mutant.module:
            inside = [str(ROOT / self.mutant.path.removesuffix("/__init__.py"))]
            folder: Any = inside if file.endswith("__init__.py") else None
            loader: SourceFileLoader = Changed(name, file, self.text)
            return spec_from_file_location(
                name, file, loader=loader, submodule_search_locations=folder
            )
        runtime = "backends/pytorch/runtime/"
        if name == COPIES and self.mutant.path.startswith(runtime):
            copied = str(ROOT / "backends/pytorch/helpers.py")
            stem = PurePosixPath(self.mutant.path).stem
            loader = Copying(name, copied, stem, self.text)
            return spec_from_file_location(name, copied, loader=loader)
        return None


def install(mutant: Mutant) -> None:
    """Plant a fault. Raises RuntimeError where its module is imported already."""
    if mutant.module in sys.modules:
        raise RuntimeError(f"{mutant.module} was imported before its fault was planted")
    sys.meta_path.insert(0, Finder(mutant))
