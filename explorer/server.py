"""The server of the explorer: one page, its files, and questions answered as JSON.

GET  /                 the page, beside it /page.js and /page.css
POST /api/start        schema, examples, and the spec to open
POST /api/answer       one `Request`; the answer to it
POST /api/run          one `Run`: attention maps and next tokens, from a child process
POST /api/file         the spec file, if it changed
"""

from __future__ import annotations

import json
import secrets
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.requests import Request as HttpRequest
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from .guard import LONGEST_BODY, Guard, page_policy, refusal
from .page_files import FILES, PAGE, bundle
from .questions import Questions
from .request import RequestError
from .settings import Settings


def application(settings: Settings) -> Starlette:
    """The server as an ASGI application. Raises PageMissingError."""
    server = _Server(settings, bundle())
    routes = [
        Route("/", server.page),
        *(Route(f"/{name}", server.file) for name in FILES),
        Route("/api/start", server.asked(server.start), methods=["POST"]),
        Route("/api/answer", server.asked(server.answer), methods=["POST"]),
        Route("/api/run", server.asked(server.run), methods=["POST"]),
        Route("/api/file", server.asked(server.changed), methods=["POST"]),
    ]
    return Starlette(routes=routes, middleware=[Middleware(Guard, settings=settings)])


class _Server:
    def __init__(self, settings: Settings, files: dict[str, bytes]) -> None:
        self.settings, self.files = settings, files
        self.queue, self.runs, self.questions = Queue(), Queue(), Questions(settings)

    # -- the page

    async def page(self, _: HttpRequest) -> Response:
        nonce = secrets.token_urlsafe(16)
        text = self.files[PAGE].decode().replace("{nonce}", nonce)
        return HTMLResponse(text, headers={"Content-Security-Policy": page_policy(nonce)})

    async def file(self, request: HttpRequest) -> Response:
        name = request.url.path.removeprefix("/")
        return Response(self.files[name], media_type=FILES[name])

    # -- questions

    def asked(self, work: Callable[[Any], dict[str, Any]]) -> Callable[..., Any]:
        """A route for questions with the token, as JSON, of limited length."""

        async def route(request: HttpRequest) -> Response:
            given = request.headers.get("x-modelwright-token", "")
            if not secrets.compare_digest(given.encode(), self.settings.token.encode()):
                return refusal(
                    403, "wrong token; open the address that `modelwright explore` printed"
                )
            if request.headers.get("content-type", "").partition(";")[0] != "application/json":
                return refusal(415, "a question must be application/json")
            body = b""
            async for part in request.stream():
                body += part
                if len(body) > LONGEST_BODY:
                    return refusal(413, f"a request can have at most {LONGEST_BODY:,} bytes")
            try:
                return await run_in_threadpool(answered, body)
            except RequestError as error:
                return refusal(400, str(error))

        def answered(body: bytes) -> Response:
            return JSONResponse(work(parsed(body)))

        return route

    def start(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """What the page needs once."""
        return self.questions.start()

    def answer(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """One answer at a time; a question that a newer one of the same page overtook has none."""
        asked, page, number = numbered(data)
        with self.queue.turn(page, f"{asked.get('ask')}", number) as is_last:
            return self.questions.answer(asked) if is_last else {"superseded": True}

    def run(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """One run at a time."""
        asked, page, number = numbered(data)
        with self.runs.turn(page, "run", number) as is_last:
            return self.questions.run(asked) if is_last else {"superseded": True}

    def changed(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """The file, if its text is not the one with this digest."""
        return self.questions.changed(data)


def numbered(data: Mapping[str, Any]) -> tuple[dict[str, Any], str, int]:
    """A question, the page that asks it, and its number there. Raises RequestError."""
    asked = dict(data)
    page, number = asked.pop("page", ""), asked.pop("number", 0)
    if not isinstance(page, str) or not isinstance(number, int):
        raise RequestError("page must be a text and number a number")
    return asked, page, number


def parsed(body: bytes) -> dict[str, Any]:
    """The object that a question is. Raises RequestError."""
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        raise RequestError("a question must be JSON") from None
    if not isinstance(data, dict):
        raise RequestError("a question must be a JSON object")
    return data


class Queue:
    """One question at a time; of several that wait for one page, only the last is answered."""

    MOST_PAGES = 256

    def __init__(self) -> None:
        self._work = threading.Lock()
        self._newest: dict[tuple[str, str], int] = {}

    @contextmanager
    def turn(self, page: str, ask: str, number: int) -> Iterator[bool]:
        """Wait for a question's turn; whether it is still the page's last one of its kind."""
        key = page[:64], ask[:16]
        if len(self._newest) > self.MOST_PAGES:
            self._newest.clear()
        self._newest[key] = max(number, self._newest.get(key, 0))
        with self._work:
            yield number >= self._newest.get(key, 0)
