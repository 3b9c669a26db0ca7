"""Embed a figure in a page or another figure, with unique ids and scoped styles."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

SVG = "http://www.w3.org/2000/svg"
REFERENCES = ("aria-labelledby", "aria-describedby")


def embedded(svg: bytes, name: str) -> ET.Element:
    """The figure with the id `name`, which also prefixes all other ids, rules and references."""
    root = ET.fromstring(svg)
    for element in root.iter():
        if (own := element.get("id")) is not None:
            element.set("id", f"{name}-{own}")
        for key in REFERENCES:
            if (ids := element.get(key)) is not None:
                element.set(key, " ".join(f"{name}-{one}" for one in ids.split()))
        if element.tag == f"{{{SVG}}}style":
            element.text = _scoped(element.text or "", name)
    root.set("id", name)
    return root


def written(root: ET.Element) -> bytes:
    """The element as a separate document."""
    ET.register_namespace("", SVG)
    text: str = ET.tostring(root, encoding="unicode")
    return text.encode() + b"\n"


def _scoped(css: str, name: str) -> str:
    """Restrict rules to the element with that id: `a,b{…}` becomes `#n a,#n b{…}`."""

    def within(rule: re.Match[str]) -> str:
        selectors = ",".join(f"#{name} {one.strip()}" for one in rule[1].split(","))
        return f"{selectors}{{{rule[2]}}}"

    return re.sub(r"([^{}@]+)\{([^{}]*)\}", within, css)
