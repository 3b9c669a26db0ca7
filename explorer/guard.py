"""Who may ask the server, and what a browser may do with its answers.

The rules follow the threats of a server on one's own machine: other pages in the same browser
(cross-site requests, DNS rebinding), other users of the machine, and long requests.
"""

from __future__ import annotations

import re

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .settings import Settings

LONGEST_BODY = 256 * 1024
"""Bytes of a question: two specs of the greatest length, quoted as JSON."""
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Frame-Options": "DENY",
}
HOST = re.compile(
    r"(?:\[(?P<address>[0-9a-fA-F:.]+)\]|(?P<name>[A-Za-z0-9.-]+))(?::(?P<port>[0-9]{1,5}))?"
)
"""A name or an address, and a port."""
NOTHING = "default-src 'none'; frame-ancestors 'none'"


def page_policy(nonce: str) -> str:
    """The Content-Security-Policy of the page: its own script and sheet, and questions to us."""
    return (
        f"default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; "
        "img-src data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    )


class Guard:
    """Refuses what does not come from our page, and adds the headers that protect it."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self.app, self.settings = app, settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return  # no web sockets
        headers = Headers(scope=scope)

        async def protected(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    given[name] = value
                given.setdefault("Content-Security-Policy", NOTHING)
            await send(message)

        refused = self._refusal(scope, headers)
        if refused is not None:
            await refused(scope, receive, protected)
            return
        await self.app(scope, receive, protected)

    def _refusal(self, scope: Scope, headers: Headers) -> JSONResponse | None:
        if not self._is_ours(headers.get("host", ""), scope.get("server")):
            return refusal(403, "wrong Host header")
        if "origin" in headers and not self._is_same(headers["origin"], headers["host"]):
            return refusal(403, "wrong Origin header")
        site = headers.get("sec-fetch-site", "none")
        if site not in ("same-origin", "none") and not is_visit(scope, headers):
            return refusal(403, "a request of another site")
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > LONGEST_BODY:
            return refusal(413, f"a request can have at most {LONGEST_BODY:,} bytes")
        return None

    def _is_ours(self, host: str, server: tuple[str, int | None] | None) -> bool:
        """Whether a request names this server; on this machine alone, with the port of it.

        A server that others reach may have another port in front of it.
        """
        found = HOST.fullmatch(host)
        if found is None or not self.settings.answers_to(found["address"] or found["name"]):
            return False
        port = int(found["port"] or 80)
        return not self.settings.is_local or server is None or port == server[1]

    def _is_same(self, origin: str, host: str) -> bool:
        return origin == f"http://{host}"


def is_visit(scope: Scope, headers: Headers) -> bool:
    """Whether the page is opened by a link; it contains no secret and cannot be framed."""
    return (
        scope["method"] == "GET"
        and scope["path"] == "/"
        and headers.get("sec-fetch-mode") == "navigate"
        and headers.get("sec-fetch-dest") == "document"
    )


def refusal(status: int, message: str) -> JSONResponse:
    """An error response; the connection is closed without reading the body."""
    return JSONResponse({"error": message}, status, {"Connection": "close"})
