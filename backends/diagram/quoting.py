"""Text made safe for XML. (`xml.sax.saxutils` would bring the network's modules along.)"""

from __future__ import annotations

import html


def escape(text: str) -> str:
    """Text between tags."""
    return html.escape(text, quote=False)


def quoteattr(text: str) -> str:
    """The value of an attribute, in its quotes."""
    return f'"{html.escape(text)}"'.replace("\n", "&#10;").replace("\t", "&#9;")
