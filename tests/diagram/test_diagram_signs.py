"""The signs of figures are in the included font, which PNG and PDF use."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from modelwright.backends.diagram import look
from modelwright.backends.diagram.raster import FONTS
from modelwright.backends.diagram.truetype import read_font


def strings(path: Path) -> Iterator[str]:
    """The string literals of a module, without docstrings."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    alone = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in alone:
            yield node.value


def test_the_font_has_every_sign_of_a_figure() -> None:
    assert FONTS
    files = sorted(Path(look.__file__).parent.glob("*.py"))
    signs = {
        sign for path in files for text in strings(path) for sign in text if sign.isprintable()
    }
    assert {"×", "→"} <= signs
    for font in FONTS:
        lacking = {sign for sign in signs if ord(sign) not in read_font(font).glyphs}
        assert not lacking, f"{font.name} has no {' '.join(sorted(lacking))}"
