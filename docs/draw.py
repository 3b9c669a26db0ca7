"""Draw the figures of these pages (`make gallery`).

    python docs/draw.py     docs/gallery.md, docs/gallery/, docs/figures/, a block of figures.md

The gallery has all examples of `modelwright new`; masks other than `full` and `causal` have a sheet
of their own. Tests compare each file with a new drawing.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from modelwright import (
    DrawOptions,
    ModelSpec,
    difference,
    draw,
    draw_difference,
    draw_masks,
    load,
    lower,
    report,
)
from modelwright.backends.diagram.masks.seen import masks_of
from modelwright.cli.new import EXAMPLES, example_names, example_text
from modelwright.compiler.graph import ModuleGraph

DOCS = Path(__file__).resolve().parent
PLAIN_MASKS = {"full", "causal"}
CHANGES = ("positions=rotary", "attention.kv_heads=4")  # changes in the example of a difference
HEIGHT = 620  # maximum height of a figure in the page
HEAD = """# Gallery

All examples of `modelwright new`, drawn by `modelwright visualize` and, if their masks are not just
`full` or `causal`, by `modelwright masks`. `make gallery` writes this page and its figures.

"""


def files() -> dict[str, bytes]:
    """All generated files, by path below this folder."""
    return {**dict(_gallery()), **dict(_figures())}


def spec_of(name: str, *sets: str) -> ModelSpec:
    return load(EXAMPLES / f"{name}.yaml", sets=sets)


def graph_of(name: str) -> ModuleGraph:
    return lower(spec_of(name))


# -- the gallery


def _gallery() -> Iterator[tuple[str, bytes]]:
    rows, sections = [], []
    for name in example_names():
        graph = graph_of(name)
        yield f"gallery/{name}.svg", draw(graph)
        masks = not _plain(graph)
        if masks:
            yield f"gallery/{name}.masks.svg", draw_masks(graph)
        rows.append(_row(name, graph))
        sections.append(_section(name, graph, masks=masks))
    table = ["| | | weights |", "|---|---|--:|", *rows]
    yield "gallery.md", (HEAD + "\n".join(table) + "\n\n" + "\n".join(sections)).encode()


def _plain(graph: ModuleGraph) -> bool:
    return {str(seen.formula) for seen in masks_of(graph)} <= PLAIN_MASKS


def about(name: str) -> str:
    """The title of an example: its first line."""
    return example_text(name).partition("\n")[0].removeprefix("#").strip()


def weights(graph: ModuleGraph) -> str:
    """`124.4 M`, and for a mixture of experts the weights per token."""
    costs = report(graph)
    stored, active = costs.weights_total, costs.weights_active
    return _short(stored) if active == stored else f"{_short(stored)}, {_short(active)} active"


def _short(number: int) -> str:
    for size, letter in ((10**9, "B"), (10**6, "M"), (10**3, "k")):
        if number >= size:
            return f"{number / size:.1f} {letter}"
    return str(number)


def _row(name: str, graph: ModuleGraph) -> str:
    return f"| [{name}](#{name}) | {about(name)} | {weights(graph)} |"


def _section(name: str, graph: ModuleGraph, *, masks: bool) -> str:
    tall = min(HEIGHT, _height(draw(graph)))
    lines = [
        f"## {name}",
        "",
        about(name),
        "",
        f"{weights(graph)} weights · [examples/{name}.yaml](../examples/{name}.yaml)",
        "",
        f'<a href="gallery/{name}.svg"><img src="gallery/{name}.svg" height="{tall}" '
        f'alt="The figure of {name}"></a>',
        "",
    ]
    if masks:
        lines += [f'<img src="gallery/{name}.masks.svg" alt="Attention masks of {name}">', ""]
    return "\n".join(lines)


def _height(svg: bytes) -> int:
    """Height in pixels, 4/3 per point."""
    box = svg.decode().partition('viewBox="')[2].partition('"')[0]
    return round(float(box.split()[3]) * 4 / 3)


# -- the figures of other pages


def _figures() -> Iterator[tuple[str, bytes]]:
    gpt2 = graph_of("gpt2")
    specs = spec_of("gpt2"), spec_of("gpt2", *CHANGES)
    found = difference(*specs, ("gpt2.yaml", "gpt2.yaml, changed"))
    yield "figures/transformer.svg", draw(graph_of("transformer_base"))
    opened = DrawOptions(stack="encoder", depth="module")
    yield "figures/attention.svg", draw(graph_of("transformer_base"), "svg", opened)
    yield "figures/gpt2.svg", draw(gpt2)
    yield "figures/masks.svg", draw_masks(graph_of("gemma2_2b"))
    yield "figures/bigbird.svg", draw_masks(graph_of("bigbird_base"))
    yield "figures/difference.svg", draw_difference(found)
    yield "figures.md", _with_block("figures.md", found.render())


def _with_block(page: str, words: str) -> bytes:
    """The page with its text block replaced."""
    text = (DOCS / page).read_text(encoding="utf-8")
    before, fence, after = text.partition("```text\n")
    return f"{before}{fence}{words}\n```{after.partition('```')[2]}".encode()


def main() -> None:
    """Write changed files, and remove files that are no longer drawn."""
    wanted = files()
    for folder in ("gallery", "figures"):
        (DOCS / folder).mkdir(exist_ok=True)
        for old in (DOCS / folder).iterdir():
            if f"{folder}/{old.name}" not in wanted:
                old.unlink()
    for path, data in wanted.items():
        if not (DOCS / path).exists() or (DOCS / path).read_bytes() != data:
            (DOCS / path).write_bytes(data)
            print("wrote", f"docs/{path}")


if __name__ == "__main__":
    main()
