"""Read glyphs and widths of a TrueType font, for PDF.

Tables follow Apple's TrueType reference manual and the OpenType specification.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import cache
from pathlib import Path


@dataclass(frozen=True)
class Font:
    """A font file: bytes, glyphs by character, widths in thousandths of the size."""

    data: bytes
    glyphs: dict[int, int]
    widths: tuple[int, ...]
    box: tuple[int, int, int, int]
    ascent: int
    descent: int

    def glyph(self, sign: str) -> int:
        """The glyph of a character; that of `?` if the font has none."""
        return self.glyphs.get(ord(sign)) or self.glyphs.get(ord("?"), 0)

    def width(self, text: str, size: float) -> float:
        return sum(self.widths[self.glyph(sign)] for sign in text) * size / 1000


@cache
def read_font(path: Path) -> Font:
    data = path.read_bytes()
    tables = _tables(data)
    head, hhea = tables["head"], tables["hhea"]
    (units,) = struct.unpack_from(">H", data, head + 18)
    box = struct.unpack_from(">4h", data, head + 36)
    ascent, descent = struct.unpack_from(">2h", data, hhea + 4)
    (count,) = struct.unpack_from(">H", data, hhea + 34)
    (glyphs,) = struct.unpack_from(">H", data, tables["maxp"] + 4)
    metrics = struct.unpack_from(f">{2 * count}H", data, tables["hmtx"])[::2]
    metrics += metrics[-1:] * (glyphs - count)

    def scaled(number: int) -> int:
        thousandths: int = round(number * 1000 / units)
        return thousandths

    return Font(
        data=data,
        glyphs=_characters(data, tables["cmap"]),
        widths=tuple(map(scaled, metrics)),
        box=(scaled(box[0]), scaled(box[1]), scaled(box[2]), scaled(box[3])),
        ascent=scaled(ascent),
        descent=scaled(descent),
    )


def _tables(data: bytes) -> dict[str, int]:
    """Offset of each table."""
    (count,) = struct.unpack_from(">H", data, 4)
    records = (struct.unpack_from(">4sIII", data, 12 + 16 * i) for i in range(count))
    return {tag.decode(): offset for tag, _, offset, _ in records}


def _characters(data: bytes, start: int) -> dict[int, int]:
    """Character -> glyph, from the table of Unicode characters below 65536 (format 4)."""
    (count,) = struct.unpack_from(">H", data, start + 2)
    records = (struct.unpack_from(">HHI", data, start + 4 + 8 * i) for i in range(count))
    table = next(start + offset for platform, kind, offset in records if (platform, kind) == (3, 1))
    (twice,) = struct.unpack_from(">H", data, table + 6)
    segments = twice // 2
    ends, starts, deltas, offsets = (
        struct.unpack_from(f">{segments}H", data, table + 14 + place)
        for place in (0, twice + 2, 2 * twice + 2, 3 * twice + 2)
    )
    found = {}
    for index in range(segments):
        for sign in range(starts[index], min(ends[index], 0xFFFE) + 1):
            glyph = sign
            if offsets[index]:
                place = table + 16 + 3 * twice + 2 * index + offsets[index]
                (glyph,) = struct.unpack_from(">H", data, place + 2 * (sign - starts[index]))
            if glyph:
                found[sign] = (glyph + deltas[index]) & 0xFFFF
    return found
