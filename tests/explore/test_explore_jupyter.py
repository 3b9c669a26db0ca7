"""The widget in a real JupyterLab: its own front end, kernel and message channel."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from explore_server import SMALL
from explore_view import EDITOR

TOKEN = "0123456789abcdef"
START = 120_000  # milliseconds, in which JupyterLab builds its page and the kernel imports
CELLS = (
    f"import modelwright as mw\npage = mw.explore(mw.loads({SMALL!r}))\npage",
    "mw.loads(page.text).stacks['decoder'].layers",
)
pytestmark = [
    pytest.mark.slow,
    pytest.mark.browser,
    pytest.mark.skipif(
        find_spec("jupyterlab") is None or find_spec("anywidget") is None,
        reason="no JupyterLab here; install it: pip install jupyterlab anywidget",
    ),
]


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[str]:
    """The address of a notebook in a JupyterLab with settings of its own."""
    cells = [
        {"cell_type": "code", "source": text, "metadata": {}, "outputs": [], "id": f"cell{index}"}
        | {"execution_count": None}
        for index, text in enumerate(CELLS)
    ]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    notebook = {"cells": cells, "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}
    (tmp_path / "explore.ipynb").write_text(json.dumps(notebook), encoding="utf-8")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [
        *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", f"--port={port}"),
        *("--ip=127.0.0.1", f"--IdentityProvider.token={TOKEN}", f"--notebook-dir={tmp_path}"),
    ]
    folders = ("JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR", "JUPYTER_DATA_DIR", "IPYTHONDIR")
    own = {name: str(tmp_path / name.lower()) for name in folders}
    with (tmp_path / "log").open("wb") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ, **own})
        try:
            _wait_for(port, server, tmp_path / "log")
            yield f"http://127.0.0.1:{port}/lab/tree/explore.ipynb?token={TOKEN}&reset"
        finally:
            server.terminate()
            server.wait(timeout=30)


def _wait_for(port: int, server: subprocess.Popen[bytes], log: Path) -> None:
    ends = time.monotonic() + START / 1000
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
        except OSError:
            assert server.poll() is None, log.read_text(encoding="utf-8")
            assert time.monotonic() < ends, log.read_text(encoding="utf-8")
            time.sleep(0.2)
        else:
            return


def test_a_cell_shows_the_page_and_python_reads_what_was_edited(browser: Any, lab: str) -> None:
    page = browser.new_page(viewport={"width": 1400, "height": 1000})
    page.set_default_timeout(START)
    page.goto(lab)
    page.locator(".jp-Notebook .jp-Cell").nth(1).wait_for()
    page.locator(".jp-Notebook .jp-Cell").first.click()
    page.keyboard.press("Escape")
    page.keyboard.press("Shift+Enter")
    frame = page.frame_locator("iframe[title='Modelwright explorer']")
    frame.locator("#status:has-text('Small')").wait_for()
    assert frame.locator("html").get_attribute("data-theme") == "light"
    frame.locator(f"{EDITOR} .cm-line", has_text="layers: 2").click()
    page.keyboard.press("End")
    page.keyboard.type("0")
    frame.locator("text.count:has-text('20×')").wait_for()
    page.locator(".jp-Notebook .jp-Cell").nth(1).click()
    page.keyboard.press("Shift+Enter")
    page.locator(".jp-OutputArea-output:has-text('20')").wait_for()
    page.close()
