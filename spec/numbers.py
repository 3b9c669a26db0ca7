"""Numbers in other notations: `12B`, `1_000`, `50%`, `2^15`, `4 * 768`."""

from __future__ import annotations

import re
from decimal import Decimal

_UNITS = {"": 0, "k": 3, "m": 6, "b": 9, "g": 9, "t": 12}
_GROUPED = re.compile(r"([-+]?\d{1,3}(?:([_, '’])\d{3})(?:\2\d{3})*|[-+]?\d+(?:_\d+)+)(\.\d+)?\Z")
_WITH_UNIT = re.compile(r"([-+]?\d{1,12}(?:\.\d{1,9})?)\s*([kmbgt]?)(i?b)?\Z", re.IGNORECASE)
_PRODUCT = re.compile(r"(\d{1,9})\s*([*x×])\s*(\d{1,9})\Z")
_POWER = re.compile(r"(\d{1,3})\s*(?:\^|\*\*)\s*([-−]?\d{1,2})\Z")
_BASED = re.compile(r"0[xob][0-9a-f]{1,12}\Z", re.IGNORECASE)
_FLOAT = re.compile(r"[-+]?\d{1,12}(\.\d{0,12})?(e[-+]?\d{1,3})?", re.IGNORECASE)


def plain_number(text: str) -> str | None:
    """The number that a text probably means, in the notation of specs; None if unknown.

    >>> [plain_number(t) for t in ("12B", "1_000", "50%", "2^15", "1e-6f", "many")]
    ['12000000000', '1000', '0.5', '32768', '1e-6', None]
    """
    text = text.strip().replace("−", "-")
    if match := _GROUPED.match(text):
        return re.sub(r"[_, '’]", "", match[1]) + (match[3] or "")
    if text.endswith("%") and _FLOAT.fullmatch(text[:-1].strip()):
        return _written(Decimal(text[:-1].strip()) / 100)
    if _BASED.match(text):
        try:
            return str(int(text, 0))
        except ValueError:
            return None
    if match := _PRODUCT.match(text):
        return str(int(match[1]) * int(match[3]))
    if match := _POWER.match(text):
        return _power(int(match[1]), int(match[2]))
    if re.match(r"[-+]?0\d+\Z", text):
        return str(int(text[:20]))
    if match := _WITH_UNIT.match(text):
        return _written(Decimal(match[1]).scaleb(_UNITS[match[2].lower()]))
    found = _FLOAT.match(text)  # `1e-6f`, `64 tokens`
    rest = text[found.end() :] if found else ""
    return found[0] if found and re.fullmatch(r"[fd]|\s+[a-z]{2,20}", rest, re.IGNORECASE) else None


def _power(base: int, exponent: int) -> str | None:
    if base == 10:
        return f"1e{exponent}"
    return str(base**exponent) if exponent >= 0 else None


def _written(number: Decimal) -> str:
    whole = number.to_integral_value()
    return str(int(whole)) if whole == number else f"{number.normalize():f}"
