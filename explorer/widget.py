"""The page in a notebook: `mw.explore(spec)`.

The page is a frame in the output of a cell. Its questions come as messages of the widget, and are
answered by the kernel.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anywidget
import traitlets

from .page_files import PAGE, WIDGET, bundle
from .questions import Questions
from .request import RequestError
from .settings import Settings

if TYPE_CHECKING:
    from ..spec import ModelSpec

THEMES = ("light", "dark")


class Explorer(anywidget.AnyWidget):
    """The page of a spec as a widget; `text` is the spec as it was edited last.

    source: a spec, the path of its file, or None for an example
    weights, tokenizer: a checkpoint and a tokenizer.json for the attention tab
    height: of the page, in pixels

    Raises PageMissingError, and OSError for a file that is missing or cannot be read.
    """

    height = traitlets.Int().tag(sync=True)
    text = traitlets.Unicode(read_only=True)
    _questions: Questions | None = None

    def __init__(
        self,
        source: str | Path | ModelSpec | None = None,
        *,
        weights: str | Path | None = None,
        tokenizer: str | Path | None = None,
        height: int = 720,
    ) -> None:
        files = bundle(WIDGET)
        self._page = notebook_page(files)
        given = [None if path is None else Path(path).absolute() for path in (weights, tokenizer)]
        for each in given:
            if each is not None and not each.is_file():
                raise FileNotFoundError(f"{each}: no such file")
        path = Path(source).absolute() if isinstance(source, (str, Path)) else None
        settings = Settings(spec=path, weights=given[0], tokenizer=given[1])
        self._questions = questions = Questions(settings, _opened(source))
        super().__init__(height=height, _esm=files[WIDGET].decode())
        started = questions.start()
        opened = started["file"] or {"text": started["examples"][started["first"]]}
        self.set_trait("text", opened["text"])
        self.on_msg(self._take)

    def _take(self, _: Any, message: Mapping[str, Any], buffers: Any) -> None:
        """Answer a message of the page: `view`, `path`, and `id` and `body` of a question."""
        view, path = message.get("view"), message.get("path")
        if path == "page":
            self.send({"view": view, "page": themed(self._page, message.get("theme"))})
            return
        reply = {"view": view, "id": message.get("id")}
        try:
            self.send({**reply, "said": self._reply(path, json.loads(message.get("body", "")))})
        except Exception as error:
            self.send({**reply, "failed": f"{type(error).__name__}: {error}"})
            raise

    def _reply(self, path: Any, asked: dict[str, Any]) -> str:
        """The answer to a question as JSON; `refused` says what is wrong with the question."""
        questions = self._questions
        assert questions is not None
        try:
            if path == "answer":
                found = questions.answer(asked)
                self.set_trait("text", asked["text"])
            elif path == "run":
                found = questions.run(asked)
            elif path == "start":
                found = questions.start()
            else:
                raise RequestError(f"there is no question `{path}`")
        except RequestError as error:
            found = {"refused": str(error)}
        return json.dumps(found)

    def close(self) -> None:
        """End the widget and the process of its models."""
        if self._questions is not None:
            self._questions.runner.stop()
        super().close()


def _opened(source: str | Path | ModelSpec | None) -> dict[str, str] | None:
    """Name, text and digest of a spec that is no file."""
    from ..compiler.display import to_yaml
    from ..spec import ModelSpec

    if isinstance(source, ModelSpec):
        text = to_yaml(source)
        digest = hashlib.sha256(text.encode()).hexdigest()
        return {"name": f"{source.name}.yaml", "text": text, "digest": digest}
    if source is not None:
        Path(source).read_text(encoding="utf-8")  # an error here, not an example in its place
    return None


def notebook_page(files: Mapping[str, bytes]) -> str:
    """The HTML of the page with its script and sheet inside, for a frame without an address."""
    nonce = secrets.token_urlsafe(16)
    policy = (
        f"default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )
    text, script, sheet = (files[name].decode() for name in (PAGE, "page.js", "page.css"))
    for old, new in (
        ("<head>", f'<head>\n<meta http-equiv="Content-Security-Policy" content="{policy}">'),
        ('<html lang="en">', '<html lang="en" data-place="notebook">'),
        (
            '<link rel="stylesheet" href="page.css" nonce="{nonce}">',
            f'<style nonce="{nonce}">{_inside(sheet, "style")}</style>',
        ),
        (
            '<script type="module" src="page.js" nonce="{nonce}"></script>',
            f'<script type="module" nonce="{nonce}">{_inside(script, "script")}</script>',
        ),
    ):
        before, found, after = text.partition(old)
        if not found:
            raise AssertionError(f"the page has no {old}")
        text = before + new + after
    return text


def _inside(text: str, tag: str) -> str:
    """A script or a sheet as the content of a tag, which it must not end."""
    if f"</{tag}" in text.lower():
        raise AssertionError(f"the page's {tag} contains its own end tag")
    return text


def themed(page: str, theme: Any) -> str:
    """The page in the notebook's theme."""
    place = 'data-place="notebook"'
    return page.replace(place, f'{place} data-given="{theme}"', 1) if theme in THEMES else page
