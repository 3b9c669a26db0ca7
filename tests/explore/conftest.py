"""Servers that tests start, and a browser."""

from __future__ import annotations

import shutil
import socket
import threading
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from explore_server import Serve, Served, served_files
from explore_view import View

from modelwright.explorer.static import write_page

BUNDLE = Path(__file__).parents[2] / "explorer" / "bundle"
PYTHON = BUNDLE.parent / "python"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update",
    "--host-resolver-rules=MAP box.test 127.0.0.1",  # a name that is not that of this machine
)  # fmt: skip


@pytest.fixture(scope="module")
def serve() -> Iterator[Serve]:
    """Servers with settings, on free ports of this machine; one for each settings of a module."""
    uvicorn = pytest.importorskip("uvicorn", reason="needs the extra `explore`")
    from modelwright.explorer.server import application
    from modelwright.explorer.settings import Settings

    running: dict[str, tuple[Any, threading.Thread, Served]] = {}

    def start(**settings: Any) -> Served:
        key = repr(sorted(settings.items()))
        if key not in running:
            made = Settings(**settings)
            listener = socket.create_server(("127.0.0.1", 0))
            config = uvicorn.Config(application(made), log_level="error", lifespan="off", ws="none")
            server = uvicorn.Server(config)
            run = threading.Thread(target=server.run, args=([listener],), daemon=True)
            run.start()
            running[key] = server, run, Served(listener.getsockname()[1], made.token)
        return running[key][2]

    yield start
    for server, run, _ in running.values():
        server.should_exit = True
        run.join(timeout=20)


def missing() -> str:
    """What the tests in a browser lack, and how to get it; "" where nothing is missing."""
    if CHROMIUM is None:
        return "no Chromium here; install it: apt-get install chromium"
    if not (BUNDLE / "page.js").is_file():
        return "the page of the explorer is not built; build it: make explore"
    for name in ("playwright", "uvicorn"):
        if find_spec(name) is None:
            return f"no {name} here; install it: pip install {name}"
    return ""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    reason = missing()
    without = reason
    if not reason and not [*PYTHON.glob("pydantic_core-*.whl")]:
        without = "no Python for the browser here; fetch it: make explore-python"
    for item in items:
        in_python = item.get_closest_marker("browser_python") is not None
        in_browser = item.get_closest_marker("browser") is not None
        if in_browser or in_python:
            item.add_marker(pytest.mark.xdist_group("browser"))  # one browser for all
            if why := without if in_python else reason:
                item.add_marker(pytest.mark.skip(reason=why))


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))


@pytest.fixture(scope="session")
def static_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page as files."""
    folder = tmp_path_factory.mktemp("static") / "page"
    write_page(folder, None)
    return folder


STATIC = pytest.param("static", marks=[pytest.mark.slow, pytest.mark.browser_python])


@pytest.fixture(scope="module", params=["server", STATIC])
def served(request: pytest.FixtureRequest) -> Iterator[Served]:
    """The page of a server, and the page as files: tests with it run on both."""
    if request.param == "server":
        yield request.getfixturevalue("serve")()
    else:
        with served_files(request.getfixturevalue("static_folder")) as files:
            yield files


@pytest.fixture
def view(browser: Any, served: Served) -> Iterator[View]:
    """The page with gpt2. What it logs, and what it asks of other hosts, fails the test."""
    shown = View.open(browser, served)
    yield shown
    shown.close()
