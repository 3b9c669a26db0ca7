"""The answers of the static page, where Python runs in a worker of the browser."""

from __future__ import annotations

import json
from typing import Any

from .answer import answer
from .process import collect_less
from .request import RequestError
from .start import EXAMPLES, start

NO_TORCH = "Attention maps need PyTorch: run `modelwright explore` on your own machine."
NO_GRAPHVIZ = "PNG and PDF need Graphviz: run `modelwright explore` on your own machine"


def ask(path: str, body: str, file: str = "null") -> str:
    """The answer to a question, as JSON; `refused` says what is wrong with the question.

    path: `start`, `answer` or `run`
    body: the question, as JSON
    file: the spec to open, as JSON
    """
    try:
        return json.dumps(_answer(path, json.loads(body), json.loads(file)))
    except RequestError as error:
        return json.dumps({"refused": str(error)})


def _answer(path: str, asked: dict[str, Any], file: dict[str, str] | None) -> dict[str, Any]:
    if path == "start":
        collect_less()
        return start(file)
    if path == "run":
        return {"error": NO_TORCH}
    if path == "answer" and asked.get("ask") == "export":
        return {"problems": [], "data": "", "note": NO_GRAPHVIZ}
    if path == "answer":
        asked.pop("folder", None)  # a spec can extend only the examples: there are no other files
        return answer(asked, EXAMPLES)
    raise RequestError(f"there is no question `{path}`")
