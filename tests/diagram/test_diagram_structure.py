"""The structure of figures, golden: every group of the SVG with its class, id, place and source."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from diagram_reading import FOLDER

from modelwright import DrawOptions, draw, load, lower

GOLDEN = Path(__file__).resolve().parent / "structure"
SVG = "{http://www.w3.org/2000/svg}"
CASES = {
    "transformer": ("transformer_base", DrawOptions()),
    "gpt2-stack": ("gpt2", DrawOptions(depth="stack", costs=True)),
    "gpt2-unroll": ("gpt2", DrawOptions(unroll=1)),
    "gpt2-ops": ("gpt2", DrawOptions(depth="ops")),
    "llama-module": ("llama3_8b", DrawOptions(depth="module", shapes=False)),
    "gemma3": ("gemma3_1b", DrawOptions()),
    "deepseek-module": ("deepseek_v3", DrawOptions(depth="module")),
    "t5-decoder": ("t5_small", DrawOptions(stack="decoder", legend=True)),
    "t5-right": ("t5_small", DrawOptions(direction="right", theme="print")),
    "albert": ("albert_base", DrawOptions(costs=True)),
    "vit-module": ("vit_b16", DrawOptions(depth="module")),
}


def structure(svg: bytes) -> str:
    """One line for each group, in the order of the document; what is written in it below."""
    lines = []
    for group in ET.fromstring(svg).iter(f"{SVG}g"):
        said = [group.get("class", ""), group.get("id", "")]
        said += [
            f"{key}={group.get(f'data-{key}')}"
            for key in ("spec", "source")
            if group.get(f"data-{key}")
        ]
        if "edge" in said[0]:
            said.append(group.findtext(f"{SVG}title") or "")
        lines.append("  ".join(said))
        lines += [f"    {text.text}" for text in group.iter(f"{SVG}text")]
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("case", CASES)
def test_the_structure_of_a_figure(case, golden):
    name, options = CASES[case]
    graph = lower(load(FOLDER / f"{name}.yaml"))
    golden(GOLDEN / f"{case}.txt", structure(draw(graph, "svg", options)))
