"""Text widths from a table, independent of installed fonts.

The widths are those of Helvetica (Adobe's published font metrics, in thousandths of the size), with
room for wider substitutes.
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
    """The width of one line in points, slightly overestimated."""
    return sum(map(_sign_width, text)) * size * ROOM / 1000


def _sign_width(sign: str) -> int:
    known = _WIDTHS.get(sign)
    if known is not None:
        return known
    return 1000 if unicodedata.east_asian_width(sign) in "WF" else 600


def shorten(text: str, size: float, width: float) -> str:
    """The text, truncated with an ellipsis if it does not fit."""
    text = clean(text)
    if text_width(text, size) <= width:
        return text
    while text and text_width(text + ELLIPSIS, size) > width:
        text = text[:-1]
    return text.rstrip() + ELLIPSIS


def wrap(text: str, size: float, width: float, lines: int) -> list[str]:
    """Wrap text to at most `lines` lines; the last one may be truncated."""
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
    """One line, without characters that XML forbids."""
    text = text.strip()
    if text.isprintable():
        return text
    return "".join(sign if sign.isprintable() else " " for sign in text)


def words(name: str) -> str:
    """A readable name: `token_embedding` becomes `Token embedding`."""
    spaced = name.replace("_", " ").strip()
    return spaced[:1].upper() + spaced[1:]


def class_words(name: str) -> str:
    """A readable class name: `LanguageModelHead` becomes `Language model head`."""
    spaced = "".join(
        f" {sign.lower()}" if sign.isupper() and (before.islower() or after.islower()) else sign
        for before, sign, after in zip(" " + name, name, name[1:] + " ", strict=False)
    ).strip()
    return spaced[:1].upper() + spaced[1:]


def plain(value: object) -> str:
    """A formatted number: 50257 is `50,257`, 10000.0 is `10,000`, 0.0625 is unchanged."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return str(value)
    if float(value).is_integer() and abs(value) < 1e15:
        return f"{int(value):,}"
    return f"{value:.4g}"
