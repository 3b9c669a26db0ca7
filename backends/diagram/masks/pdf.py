"""Write a sheet of masks as a PDF with one page and the embedded font.

PDF 1.7 (ISO 32000-1): a page, its content, and composite fonts with glyph numbers.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from pathlib import Path

from ..svg import number
from ..text import clean
from ..truetype import Font, read_font
from .colours import HOLES, TONES, tone
from .grid import Cell
from .sheet import Group, Sheet, Words

FOLDER = Path(__file__).parent.parent / "fonts"
STEMS = {"F1": "figure-sans-regular", "F2": "figure-sans-bold"}
CALLED = {"F1": "FigureSans", "F2": "FigureSans-Bold"}


def pdf(sheet: Sheet, theme: str) -> bytes:
    """The document. Equal sheets give equal bytes."""
    fonts = {name: read_font(FOLDER / f"{stem}.ttf") for name, stem in STEMS.items()}
    content = "\n".join(_content(sheet, theme, fonts)).encode("ascii")
    every = [words for group in sheet.groups for words in group.words]
    used = {
        name: {sign for words in every if _face(words) == name for sign in clean(words.text)}
        for name in fonts
    }
    names = " ".join(f"/{name} {6 + 5 * i} 0 R" for i, name in enumerate(fonts))
    size = f"{number(sheet.width)} {number(sheet.height)}"
    objects = [
        b"<</Type/Catalog/Pages 2 0 R/Lang(en)>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        f"<</Type/Page/Parent 2 0 R/MediaBox[0 0 {size}]/Contents 4 0 R"
        f"/Resources<</Font<<{names}>>>>>>".encode(),
        _stream(content),
        f"<</Title<{_hex(sheet.title)}>/Producer(modelwright)>>".encode(),
    ]
    for index, (name, font) in enumerate(fonts.items()):
        objects += _font(font, CALLED[name], 6 + 5 * index, used[name])
    return _file(objects)


# -- the page


def _content(sheet: Sheet, theme: str, fonts: dict[str, Font]) -> Iterator[str]:
    if theme == "dark":
        size = f"{number(sheet.width)} {number(sheet.height)}"
        yield f"{_fill(TONES[theme].page)} 0 0 {size} re f"
    for group in sheet.groups:
        yield from _group(group, sheet.height, theme, fonts)


def _group(group: Group, height: float, theme: str, fonts: dict[str, Font]) -> Iterator[str]:
    for patch in group.patches:
        yield _fill(tone(patch.tone, theme))
        yield from (_cell(cell, patch.hole, height) for cell in patch.cells)
        yield "f*"
    for words in group.words:
        yield _words(words, height, theme, fonts)


def _fill(tone: str) -> str:
    parts = (int(tone[i : i + 2], 16) / 255 for i in (1, 3, 5))
    return " ".join(f"{part:.4g}" for part in parts) + " rg"


def _cell(cell: Cell, hole: str, height: float) -> str:
    """A rectangle with a hole, filled by the even-odd rule."""
    x, y, wide, high = cell
    shape = " ".join(map(number, (x, height - y - high, wide, high))) + " re"
    if hole:
        first, *rest = (
            f"{number(x + a * wide)} {number(height - y - b * high)}" for a, b in HOLES[hole]
        )
        shape += f" {first} m {' '.join(f'{point} l' for point in rest)} h"
    return shape


def _face(words: Words) -> str:
    return "F2" if words.bold else "F1"


def _words(words: Words, height: float, theme: str, fonts: dict[str, Font]) -> str:
    text, name = clean(words.text), _face(words)
    font = fonts[name]
    share = {"start": 0.0, "middle": 0.5, "end": 1.0}[words.anchor]
    before = share * font.width(text, words.size)
    x, y = words.x, height - words.y
    place = (0, 1, -1, 0, x, y - before) if words.turned else (1, 0, 0, 1, x - before, y)
    glyphs = "".join(f"{font.glyph(sign):04X}" for sign in text)
    matrix = " ".join(map(number, place))
    fill = _fill(tone(words.tone, theme))
    return f"{fill} BT /{name} {number(words.size)} Tf {matrix} Tm <{glyphs}> Tj ET"


# -- fonts and the file


def _font(font: Font, name: str, first: int, signs: set[str]) -> list[bytes]:
    """The five objects of a font: composite font, glyphs, descriptor, file, Unicode map."""
    widths = " ".join(f"{font.glyph(s)}[{font.widths[font.glyph(s)]}]" for s in sorted(signs))
    box = " ".join(map(str, font.box))
    texts = [
        f"<</Type/Font/Subtype/Type0/BaseFont/{name}/Encoding/Identity-H"
        f"/DescendantFonts[{first + 1} 0 R]/ToUnicode {first + 4} 0 R>>",
        f"<</Type/Font/Subtype/CIDFontType2/BaseFont/{name}/CIDToGIDMap/Identity"
        "/CIDSystemInfo<</Registry(Adobe)/Ordering(Identity)/Supplement 0>>"
        f"/FontDescriptor {first + 2} 0 R/W[{widths}]>>",
        f"<</Type/FontDescriptor/FontName/{name}/Flags 4/ItalicAngle 0/StemV 80"
        f"/FontBBox[{box}]/Ascent {font.ascent}/Descent {font.descent}"
        f"/CapHeight {font.ascent}/FontFile2 {first + 3} 0 R>>",
    ]
    return [
        *(text.encode() for text in texts),
        _stream(font.data, f"/Length1 {len(font.data)}"),
        _stream(_to_unicode(font, signs)),
    ]


def _to_unicode(font: Font, signs: set[str]) -> bytes:
    """The map from glyphs to Unicode, for searching and copying text (section 9.10.3)."""
    pairs = sorted({font.glyph(sign): sign for sign in sorted(signs)}.items())
    lines = [f"<{glyph:04X}> <{_utf16(sign)}>" for glyph, sign in pairs]
    runs = [lines[i : i + 100] for i in range(0, len(lines), 100)]
    blocks = [f"{len(run)} beginbfchar\n" + "\n".join(run) + "\nendbfchar" for run in runs]
    return "\n".join(
        [
            "/CIDInit /ProcSet findresource begin 12 dict begin begincmap",
            "/CMapName /FigureSans def /CMapType 2 def",
            "1 begincodespacerange <0000> <FFFF> endcodespacerange",
            *blocks,
            "endcmap CMapName currentdict /CMap defineresource pop end end",
        ]
    ).encode("ascii")


def _utf16(text: str) -> str:
    return text.encode("utf-16-be").hex().upper()


def _hex(text: str) -> str:
    return "FEFF" + _utf16(clean(text))


def _stream(data: bytes, more: str = "") -> bytes:
    packed = zlib.compress(data, 9)
    head = f"<</Length {len(packed)}/Filter/FlateDecode{more}>>"
    return head.encode() + b"\nstream\n" + packed + b"\nendstream"


def _file(objects: list[bytes]) -> bytes:
    """The file: objects, cross-reference table and trailer (section 7.5)."""
    data = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n"
    places = []
    for index, body in enumerate(objects, 1):
        places.append(len(data))
        data += b"%d 0 obj\n%b\nendobj\n" % (index, body)
    table = "".join(f"{place:010d} 00000 n \n" for place in places)
    count = len(objects) + 1
    trailer = f"trailer\n<</Size {count}/Root 1 0 R/Info 5 0 R>>\nstartxref\n{len(data)}\n%%EOF\n"
    return data + f"xref\n0 {count}\n0000000000 65535 f \n{table}{trailer}".encode()
