"""Escape text for XML. (`xml.sax.saxutils` would import network modules.)"""

from __future__ import annotations

import html


def escape(text: str) -> str:
    """Text between tags."""
    return html.escape(text, quote=False)


def quoteattr(text: str) -> str:
    """The quoted value of an attribute."""
    return f'"{html.escape(text)}"'.replace("\n", "&#10;").replace("\t", "&#9;")
