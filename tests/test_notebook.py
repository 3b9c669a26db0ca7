"""Display of specs, graphs and masks in notebooks."""

from __future__ import annotations

import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from modelwright import load, lower
from modelwright.backends import diagram
from modelwright.backends.diagram import DrawError
from modelwright.spec import support
from modelwright.spec.masks import parse_mask

GPT2 = Path(__file__).resolve().parent.parent / "examples" / "gpt2.yaml"


def ids(svg: str) -> set[str]:
    return set(re.findall(r' id="([^"]+)"', svg))


@pytest.mark.parametrize("what", ["spec", "graph", "mask", "masks"])
def test_each_shows_its_figure(what: str) -> None:
    spec = load(GPT2)
    shown = {
        "spec": spec,
        "graph": lower(spec),
        "mask": parse_mask("causal"),
        "masks": parse_mask("causal & (window(4) | strided(4))"),
    }[what]
    svg = shown._repr_svg_()
    assert svg is not None
    assert ET.fromstring(svg).tag.endswith("svg")
    bundle = shown._repr_mimebundle_()
    assert bundle["text/plain"] == repr(shown)
    assert bundle["image/svg+xml"].startswith("<svg")
    assert list(shown._repr_mimebundle_(include=["text/plain"])) == ["text/plain"]
    assert list(shown._repr_mimebundle_(exclude={"text/plain"})) == ["image/svg+xml"]


def test_figures_of_one_page_share_no_id_and_no_style() -> None:
    spec = load(GPT2)
    mask = parse_mask("causal")
    page = [spec._repr_svg_(), spec._repr_svg_(), lower(spec)._repr_svg_(), mask._repr_svg_()]
    page += [mask._repr_svg_(), parse_mask("window(3)")._repr_svg_()]
    found = [ids(svg or "") for svg in page]
    assert len(set.union(*found)) == sum(map(len, found))
    for svg, own in zip(page, found, strict=True):
        (name,) = re.findall(r"<svg[^>]* id=\"([^\"]+)\"", svg or "")
        assert all(one.startswith(name) for one in own)
        style = re.findall(r"<style>(.*?)</style>", svg or "", re.S)[0]
        rules = re.findall(r"([^{}@]+)\{[^{}]*\}", style.partition("{")[2])
        assert rules
        assert all(one.startswith(f"#{name} ") for rule in rules for one in rule.split(","))


def test_it_needs_no_torch_and_is_there_for_who_imports_the_parts_alone() -> None:
    code = (
        "import sys\n"
        "from modelwright.spec import load\n"
        f"assert load({str(GPT2)!r})._repr_svg_().startswith('<svg')\n"
        "assert not {'torch', 'numpy'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_objects_that_cannot_be_drawn_show_their_text(monkeypatch: pytest.MonkeyPatch) -> None:
    """A spec of the language that this version does not build."""
    spec = load(GPT2)
    monkeypatch.setattr(support, "refusals", lambda part: iter([((), "what is yet to come")]))
    assert spec._repr_svg_() is None
    assert list(spec._repr_mimebundle_()) == ["text/plain"]


def test_a_graph_that_cannot_be_drawn_shows_its_text(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(graph: object) -> bytes:
        raise DrawError("no")

    monkeypatch.setattr(diagram, "draw", refuse)
    assert lower(load(GPT2))._repr_svg_() is None
