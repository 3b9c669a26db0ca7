"""Plug-ins in the explorer: those of the command line, in the server and where models run."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from modelwright.cli import cli
from modelwright.explorer import answer, server
from modelwright.explorer.page_files import PageMissingError
from modelwright.explorer.questions import Questions
from modelwright.explorer.request import Request, Run
from modelwright.explorer.runner import NO_PLUGINS, Runner
from modelwright.explorer.settings import Settings
from modelwright.explorer.start import start
from modelwright.plugins import load_plugin
from modelwright.spec.installed import SEARCH

PAGE = (Path(__file__).parents[2] / "docs/extending.md").read_text(encoding="utf-8")


def block(language: str) -> str:
    """The first block of this language in docs/extending.md."""
    found = re.search(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    assert found is not None
    return found[1]


SPEC = block("yaml")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "shared_qk.py"
    path.write_text(block("python"), encoding="utf-8")
    return path


@pytest.fixture
def loaded(file: Path) -> Iterator[Path]:
    plugin = load_plugin(file)
    yield file
    plugin.unregister()


def test_a_type_of_a_plugin_is_answered_and_completed(loaded: Path) -> None:
    found = answer({"ask": "figure", "text": SPEC})
    assert found["problems"] == []
    assert "--plugin shared_qk.py" in answer({"ask": "code", "text": SPEC})["code"]
    assert "shared_qk" in json.dumps(start()["schema"]["$defs"])


def test_without_it_the_type_is_an_error() -> None:
    text = f"{SPEC}# another text: answers to the same one are kept\n"
    [problem] = answer({"ask": "figure", "text": text})["problems"]
    assert "unknown type `shared_qk`" in problem["message"]


def test_no_question_can_name_a_plugin() -> None:
    assert not {key for kind in (Request, Run) for key in kind.model_fields if "plug" in key}


def run(arguments: list[str]) -> dict[str, Any]:
    runner = Runner(arguments=arguments)
    asked = {"text": SPEC, "name": "a.yaml", "prompt": "ab", "target": None}
    try:
        return runner.run({**asked, "folder": None, "weights": None, "tokenizer": None})
    finally:
        runner.stop()


@pytest.mark.slow
def test_the_process_that_runs_models_loads_it(file: Path) -> None:
    found = run([str(file)])
    assert [each["name"] for each in found["maps"]] == ["layers.0.attention", "layers.1.attention"]
    assert "unknown type `shared_qk`" in run([NO_PLUGINS])["error"]


@pytest.fixture
def invoked() -> Iterator[Any]:
    """Runs a command in this process; the plug-in that it loads is removed after it."""

    def run_command(*words: str) -> Any:
        done = CliRunner().invoke(cli, ["explore", *words])
        sys.modules["modelwright_plugin_shared_qk"].PLUGIN.unregister()
        return done

    enabled = SEARCH.enabled
    yield run_command
    SEARCH.enabled = enabled


def test_the_command_line_says_which_plugins_are_loaded(
    file: Path, invoked: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[Settings] = []

    def stop(settings: Settings) -> None:
        given.append(settings)
        raise PageMissingError("stop here")

    monkeypatch.setattr(server, "application", stop)
    done = invoked("--no-browser", "--no-plugins", "--plugin", str(file))
    assert "stop here" in done.stderr
    [settings] = given
    assert settings.plugins == (file.absolute(),)
    assert not settings.installed
    command = Questions(settings).runner.command
    assert command[-2:] == [NO_PLUGINS, str(file.absolute())]


def test_the_static_page_has_no_plugins(file: Path, invoked: Any, tmp_path: Path) -> None:
    done = invoked("--static", str(tmp_path / "page"), "--plugin", str(file))
    assert done.exit_code == 2
    assert "--plugin has no effect with --static" in done.stderr
