"""The docstring of an emitted file: kind of model, weights by part, how to rebuild it, axes."""

from __future__ import annotations

import re
import textwrap
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from ...compiler.axes import GLOSSARY
from ...compiler.graph import ModuleGraph
from ...version import __version__

WIDTH = 96
LONG = 100
IMPORTED = "config.json"
"""Source name of a spec that was imported from a Hugging Face folder."""


AXIS = re.compile(rf"([( ])({'|'.join(GLOSSARY)})(?=([,)/]))")  # "(B, T, D)", "T/2"

QUOTES = {"'", '"', "\\"}


def write_card(
    graph: ModuleGraph, notes: Iterable[str], file_name: str, options: list[str], torch: str
) -> str:
    """The docstring: kind of model, weights by part, command to rebuild, names of axes."""
    document, name = graph.source, graph.name
    source = clean(document.name or f"{name}.yaml")
    changes, omitted = repeated_changes(document.sets)
    commands: list[str] = []
    imported = source == IMPORTED
    if imported:
        source = f"{name}.yaml"
        commands = command([f"modelwright import {quoted(name)}", f"-o {quoted(source)}"])
    plugins = [f"--plugin {quoted(clean(Path(path).name))}" for path in document.plugins]
    build = [f"modelwright build {quoted(source)}", f"-o {file_name}", *plugins, *changes]
    build += options
    commands += command(build)
    written = f"{source} (sha256 {document.sha[:12]}). To rebuild it"
    if imported:
        written = f"{IMPORTED} in the folder {name}. To rebuild it, run beside that folder"
    origin = [*wrap(f"Written by modelwright {__version__} from {written}:"), *commands, *omitted]
    stamp = f"{__version__}, spec sha256 {document.sha[:12]}"
    short = f"Written by `{commands[0].strip()}` ({stamp})."
    if len(commands) == 1 and not omitted and len(short) <= LONG:
        origin = [short]
    lines = [*wrap(f"{name}: {summary(graph)}, in one file (PyTorch >= {torch})."), ""]
    if document.description:
        lines += [*wrap(clean(document.description)), ""]
    lines += [
        *origin,
        "",
        *table(graph),
        "",
        *glossary(graph, notes),
    ]
    return "\n".join(line.rstrip() for line in lines)


def wrap(text: str) -> list[str]:
    """Wrap a paragraph of the card."""
    return [text] if len(text) <= WIDTH else textwrap.wrap(text, WIDTH)


def command(words: list[str]) -> list[str]:
    """A command line, broken between options if it is long."""
    lines = [f"    {words[0]}"]
    for word in words[1:]:
        if len(f"{lines[-1]} {word}") <= WIDTH - 2:
            lines[-1] += f" {word}"
        else:
            lines[-1] += " \\\\"
            lines.append(f"        {word}")
    return [part for line in lines for part in wrap(line)]


def repeated_changes(sets: tuple[str, ...]) -> tuple[list[str], list[str]]:
    """The `--set` options to repeat in the command, and a line about omitted ones."""
    plain = [text for text in sets if re.fullmatch(r"[ -~]{1,80}", text) and not QUOTES & {*text}]
    left = len(sets) - len(plain)
    note = [f"    and {left} more --set, which contain quotes or are too long"] if left else []
    return [f"--set {quoted(text)}" for text in plain], note


def quoted(word: str) -> str:
    """A word of a command line, quoted for a shell if necessary."""
    return word if re.fullmatch(r"[\w.=,/\-]+", word) else f"'{word}'"


def clean(text: str) -> str:
    """Free text, escaped so that it cannot end the docstring."""
    printable = "".join(c if c.isprintable() or c == " " else " " for c in " ".join(text.split()))
    return printable.replace("\\", "\\\\").replace('"', "'")


def summary(graph: ModuleGraph) -> str:
    depths = graph.depths
    family = graph.source.family or (f"{len(depths)}-stack" if len(depths) > 1 else "")
    if len(depths) == 1 or len(set(depths.values())) == 1:
        depth = f"{next(iter(depths.values()))}-layer"
    else:
        depth = " + ".join(str(n) for n in depths.values()) + "-layer"
    article = "an" if re.match(r"8|1[18]\b", depth) else "a"
    return " ".join(filter(None, (article, depth, family, "transformer")))


def table(graph: ModuleGraph) -> list[str]:
    """Weights by part: outside of layers, each kind of layer, total."""
    rows: dict[str, int] = defaultdict(int)
    counts: dict[str, int] = {}
    kinds = {s.path: len(set(s.order)) for s in graph.scopes.values() if s.role == "layers"}
    for op in graph.ops():
        own = [w for w in op.weights if not w.tied]
        if not own:
            continue
        block = graph.block_of(op.scope)
        number = sum(w.count for w in own)
        if block is None:
            rows[".".join(p for p in (graph.scopes[op.scope].weights, op.name) if p)] += number
        else:
            layers = graph.layers_of(op.scope)
            assert layers is not None
            stack = layers.weights.split("layers")[0]
            title = f"{stack}{block.name if kinds[layers.path] > 1 else 'layer'}"
            counts[title] = len(block.stored)
            rows[title] += number
    width = max(len(title) for title in [*rows, "total"]) + 6
    lines = [f"    {'part'.ljust(width)}{'weights':>16}"]
    total = 0
    for title, number in rows.items():
        count = counts.get(title, 1)
        shown = f"{title} x{count}" if title in counts and count > 1 else title
        total += number * count
        lines.append(f"    {shown.ljust(width)}{number * count:>16,}")
    lines.append(f"    {'total'.ljust(width)}{total:>16,}")
    return lines


WITHOUT_CACHE = {"T": "tokens", "S": "tokens (keys)"}
CHUNKS = {"C", "N"}
"""Axes that docstrings of helpers explain: tokens of a chunk, chunks."""


def glossary(graph: ModuleGraph, notes: Iterable[str]) -> list[str]:
    """The axes that occur in the file's comments and docstrings."""
    found = AXIS.findall("\n".join(notes))
    named = {axis for before, axis, after in found if after != "/" or before == " "}
    if named & CHUNKS:
        named -= CHUNKS - {dim.label for value in graph.values.values() for dim in value.shape}
    meanings = GLOSSARY if any(graph.keepers()) else {**GLOSSARY, **WITHOUT_CACHE}
    used = [f"{letter}\0{meaning}" for letter, meaning in meanings.items() if letter in named]
    text = "Shapes:  " + "  ".join(used)
    lines = textwrap.wrap(text, LONG, subsequent_indent=" " * 9, break_long_words=False)
    return [line.replace("\0", " ") for line in lines]  # a letter stays beside its meaning
