"""Attentions that hold the same weights and differ in what they do get them from one base."""

from __future__ import annotations

from dataclasses import replace

from .structure import ClassText
from .text import Line

TITLE = '"""The weights that attention and cross-attention both have."""'
LENIENT, STRICT = "layer: int = 0", "layer: int"


def with_bases(texts: list[ClassText]) -> list[ClassText]:
    """The classes to write, and before those that are made alike the class that makes them."""
    alike: dict[str, list[ClassText]] = {}
    for text in texts:
        if text.noun.endswith("Attention") and text.scope.role == "module":
            alike.setdefault(made_by(text), []).append(text)
    groups = [group for group in alike.values() if len(group) > 1]
    bases = {id(text): base_of(group, len(groups)) for group in groups for text in group}
    firsts = {id(group[0]) for group in groups}
    found: list[ClassText] = []
    for text in texts:
        base = bases.get(id(text))
        if base is not None and id(text) in firsts:
            found.append(base)
        found.append(text if base is None else based(text, base.name))
    return found


def made_by(text: ClassText) -> str:
    """The text of its constructor, whether the layer may be left out or not."""
    lines = "\n".join(f"{line.indent}{line.text}" for line in text.constructor)
    return lines.replace(LENIENT, STRICT)


def base_of(group: list[ClassText], groups: int) -> ClassText:
    """The class that makes what these hold; of several, each is called after its first."""
    lenient = [text for text in group if LENIENT in text.constructor[0].text]
    constructor = (lenient or group)[0].constructor
    name = "Projections" if groups == 1 else f"{group[0].name}Projections"
    return ClassText(
        group[0].scope, "Projections", [Line(TITLE), Line(""), *constructor], name, constructor
    )


def based(text: ClassText, base: str) -> ClassText:
    """This class without the constructor that its base has."""
    start = text.lines.index(text.constructor[0])
    rest = text.lines[start + len(text.constructor) + 1 :]
    return replace(text, lines=[*text.lines[:start], *rest], base=base)
