"""The explorer: a page that shows a spec with its figure, code, weights and masks, linked.

    from modelwright.explorer import answer

    answer({"ask": "figure", "text": "name: …"})["svg"]

`answer` is a pure function of its request and imports neither torch nor a server. `server.py` puts
it behind a page; the page itself is in `page/` and built by `make explore`.
"""

from __future__ import annotations

from .answer import answer
from .request import RequestError

__all__ = ["RequestError", "answer"]
