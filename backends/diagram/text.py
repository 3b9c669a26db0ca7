"""How wide text is, and how to make it fit: no font is asked, so every machine draws the same.

Widths are those of Helvetica (Adobe's published font metrics, in thousandths of the size), with
room for the wider fonts that stand in for it.
"""

from __future__ import annotations

import unicodedata

ROOM = 1.13  # DejaVu Sans is about that much wider
_GROUPS = {
    191: "'",
    222: "ijl",
    260: "|",
    278: " !,./:;I[\\]ft·",
    333: "()-`r",
    334: "{}",
    355: '"',
    389: "*",
    469: "^",
    500: "Jckvsxyz",
    556: "#$0123456789?L_abdeghnopquθ√",
    584: "+<=>~×→≤",
    611: "FTZ",
    667: "&ABEKPSVXY",
    722: "CDHNRUw",
    778: "GOQ",
    833: "Mm",
    889: "%",
    944: "W",
    1015: "@",
}
_WIDTHS = {sign: width for width, signs in _GROUPS.items() for sign in signs}
ELLIPSIS = "…"


def text_width(text: str, size: float) -> float:
    """The width in points of one line, a little generous."""
    return sum(map(_sign_width, text)) * size * ROOM / 1000


def _sign_width(sign: str) -> int:
    known = _WIDTHS.get(sign)
    if known is not None:
        return known
    return 1000 if unicodedata.east_asian_width(sign) in "WF" else 600


def shorten(text: str, size: float, width: float) -> str:
    """The text itself where it fits, else its beginning and an ellipsis."""
    text = clean(text)
    if text_width(text, size) <= width:
        return text
    while text and text_width(text + ELLIPSIS, size) > width:
        text = text[:-1]
    return text.rstrip() + ELLIPSIS


def wrap(text: str, size: float, width: float, lines: int) -> list[str]:
    """The text on at most `lines` lines, broken at spaces; the last is shortened if it must be."""
    words = clean(text).split(" ")
    found: list[str] = []
    while words and len(found) < lines - 1:
        line = words.pop(0)
        while words and text_width(f"{line} {words[0]}", size) <= width:
            line = f"{line} {words.pop(0)}"
        found.append(shorten(line, size, width))
    if words:
        found.append(shorten(" ".join(words), size, width))
    return found


def clean(text: str) -> str:
    """On one line, without signs that no XML document may hold."""
    return "".join(sign if sign.isprintable() else " " for sign in text.strip())


def words(name: str) -> str:
    """A name as a reader says it: `token_embedding` is `Token embedding`."""
    spaced = name.replace("_", " ").strip()
    return spaced[:1].upper() + spaced[1:]


def class_words(name: str) -> str:
    """A class name as a reader says it: `LanguageModelHead` is `Language model head`."""
    spaced = "".join(
        f" {sign.lower()}" if sign.isupper() and before.islower() else sign
        for before, sign in zip(" " + name, name, strict=False)
    )
    return spaced[:1].upper() + spaced[1:]


def plain(value: object) -> str:
    """A number as a reader writes it: 50257 is `50,257`, 10000.0 is `10,000`, 0.0625 itself."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return str(value)
    if float(value).is_integer() and abs(value) < 1e15:
        return f"{int(value):,}"
    return f"{value:.4g}"
