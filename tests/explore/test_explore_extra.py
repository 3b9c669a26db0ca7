"""The command without the extra that it needs."""

from __future__ import annotations

import sys

import pytest
from click.testing import CliRunner

from modelwright.cli import cli


def test_without_a_server_the_command_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in [each for each in sys.modules if each.startswith("modelwright.explorer")]:
        monkeypatch.delitem(sys.modules, name)
    for name in ("starlette", "uvicorn"):
        monkeypatch.setitem(sys.modules, name, None)
    done = CliRunner().invoke(cli, ["explore", "--no-browser"])
    assert done.exit_code == 2
    assert "pip install 'modelwright[explore]'" in done.stderr
