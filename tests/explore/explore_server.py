"""A running server, and its answers about the examples."""

from __future__ import annotations

import http.client
import http.server
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

from modelwright.explorer import answer

EXAMPLES = Path(__file__).parents[2] / "examples"
NAMES = sorted(path.stem for path in EXAMPLES.glob("*.yaml"))
SMALL = """\
name: small
family: decoder-only
vocab_size: 32
max_positions: 16
d_model: 16
layers: 2
positions: learned
attention: {heads: 2}
head: language_model
"""


@cache
def asked(name: str, ask: str, depth: str = "block") -> dict[str, Any]:
    """The answer about an example."""
    text = (EXAMPLES / f"{name}.yaml").read_text(encoding="utf-8")
    return answer({"ask": ask, "text": text, "name": f"{name}.yaml", "depth": depth}, EXAMPLES)


@dataclass
class Served:
    """A running server. `wait` is the time that its page may need to start, in milliseconds."""

    port: int
    token: str
    wait: int = 15_000

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def ask(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        headers: dict[str, str | None] | None = None,
    ) -> tuple[int, dict[str, str], bytes]:
        """Status, headers in lower case, and body. A header of None is left out."""
        sent: dict[str, str | None] = {"Host": f"127.0.0.1:{self.port}"}
        if method == "POST":
            sent |= {"Content-Type": "application/json", "X-Modelwright-Token": self.token}
            sent |= {"Content-Length": str(len(body))}
        sent |= headers or {}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        for name, value in sent.items():
            if value is not None:
                connection.putheader(name, value)
        connection.endheaders(body or None)
        response = connection.getresponse()
        found = {name.lower(): value for name, value in response.getheaders()}
        content = response.read()
        connection.close()
        return response.status, found, content

    def post(self, path: str, data: Any, **headers: str | None) -> tuple[int, Any]:
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        status, _, content = self.ask("POST", path, json.dumps(data).encode(), names)
        return status, json.loads(content)


Serve = Callable[..., Served]


@contextmanager
def served_files(folder: Path) -> Iterator[Served]:
    """A folder behind Python's own web server; a page in it has no token and starts slowly."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            pass

    handler = partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield Served(server.server_port, "", 180_000)
        server.shutdown()
