"""The files of the page, which node builds."""

from __future__ import annotations

from pathlib import Path

BUNDLE = Path(__file__).parent / "bundle"
PAGE = "index.html"
WIDGET = "widget.js"
FILES = {"page.js": "text/javascript", "page.css": "text/css"}
"""What is served besides the page; nothing else in the folder is."""


class PageMissingError(Exception):
    """The page is not built; the message names the command that builds it."""


def bundle(*more: str) -> dict[str, bytes]:
    """The files of the page, and more of its folder. Raises PageMissingError."""
    names = (PAGE, *FILES, *more)
    missing = [name for name in names if not (BUNDLE / name).is_file()]
    if missing:
        raise PageMissingError(
            f"the page of the explorer is not built ({', '.join(missing)} missing in {BUNDLE}); "
            "run `make explore` in the clone"
        )
    return {name: (BUNDLE / name).read_bytes() for name in names}
