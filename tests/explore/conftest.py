"""Servers that tests start."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from explore_server import Serve, Served


@pytest.fixture(scope="module")
def serve() -> Iterator[Serve]:
    """Servers with settings, on free ports of this machine; one for each settings of a module."""
    uvicorn = pytest.importorskip("uvicorn", reason="needs the extra `explore`")
    from modelwright.explore.server import application
    from modelwright.explore.settings import Settings

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
