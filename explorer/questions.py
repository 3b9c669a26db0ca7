"""What the page may ask, answered for a server or a notebook."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .answer import answer
from .request import RequestError, read_run
from .runner import NO_PLUGINS, Runner
from .settings import Settings
from .spec_file import spec_file
from .start import EXAMPLES, start


class Questions:
    """The answers to the questions of a page that was started with some settings.

    settings: the files of the command line, or of the notebook
    file: name, text and digest of the spec to open; None: `settings.spec`, or an example
    """

    def __init__(self, settings: Settings, file: dict[str, str] | None = None) -> None:
        self.settings, self._given = settings, file
        self.folders = {"examples": EXAMPLES}
        if settings.spec is not None:
            self.folders["spec"] = settings.spec.parent
        off = () if settings.installed else (NO_PLUGINS,)
        self.runner = Runner(arguments=[*off, *map(str, settings.plugins)])

    def start(self) -> dict[str, Any]:
        """What the page needs once."""
        return start(self._file(), watch=self.settings.watch)

    def answer(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """The answer about a spec. Raises RequestError."""
        asked, folder = self._folder(asked)
        return answer(asked, folder)

    def run(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """A run of a model in the child process; its files are those of the settings alone."""
        asked, folder = self._folder(asked)
        run = read_run(asked)
        files = {
            "folder": folder,
            "weights": self.settings.weights,
            "tokenizer": self.settings.tokenizer,
        }
        given = {key: None if path is None else str(path) for key, path in files.items()}
        return self.runner.run({**run.model_dump(), **given})

    def changed(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """The file, if its text is not the one with this digest, and whether it can be read.

        Raises RequestError.
        """
        if not self.settings.watch:
            raise RequestError("no file is watched; start with --watch")
        found = self._file()
        same = found is None or found["digest"] == asked.get("digest")
        return {"file": None if same else found, "readable": found is not None}

    def _folder(self, asked: Mapping[str, Any]) -> tuple[dict[str, Any], Path | None]:
        """A question, and the folder from which its spec may extend others."""
        rest = dict(asked)
        return rest, self.folders.get(str(rest.pop("folder", "examples")))

    def _file(self) -> dict[str, str] | None:
        return self._given or spec_file(self.settings.spec)
