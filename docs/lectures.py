"""Write the lectures as pages and as notebooks (`make lectures`).

    python docs/lectures.py     docs/lectures/*.md, docs/lectures/*.svg, docs/lectures/*.ipynb

A lecture is a script in the percent format: a file of examples/lectures/ whose cells begin with
`# %%`. It is run for its page, so that the numbers in the page are those of the code. Its notebook
has the same cells without results, and needs no other file.
"""

from __future__ import annotations

import contextlib
import io
import json
import linecache
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

DOCS = Path(__file__).resolve().parent
LECTURES = DOCS.parent / "examples" / "lectures"
MARKER = re.compile(r"^# %%(?P<text> \[markdown\])?$", re.M)


@dataclass(frozen=True)
class Cell:
    """A cell: markdown, or code with its first line in the file."""

    source: str
    line: int
    is_text: bool


def lecture_files() -> list[Path]:
    """The lectures in order."""
    return sorted(LECTURES.glob("[0-9]*.py"))


def cells_of(path: Path) -> Iterator[Cell]:
    source = path.read_text(encoding="utf-8")
    marks = [*MARKER.finditer(source)]
    ends = [mark.start() for mark in marks[1:]] + [len(source)]
    for mark, end in zip(marks, ends, strict=True):
        body = source[mark.end() : end].strip("\n")
        line = source[: mark.end()].count("\n") + 2
        yield Cell(body, line, bool(mark["text"]))


def title_of(path: Path) -> str:
    return re.findall(r"^# # (.+)$", path.read_text(encoding="utf-8"), re.M)[0]


def files_of(path: Path) -> dict[str, bytes]:
    """Run a lecture. Returns its page and its figures, by path below this folder."""
    sys.path.insert(0, str(LECTURES))
    figures = import_module("figures")
    figures.SHOWN.clear()
    space: dict[str, Any] = {"__name__": "__main__", "__file__": str(path)}
    parts, found = [], {}
    try:
        for cell in cells_of(path):
            if cell.is_text:
                parts.append(_text(cell))
                continue
            known = len(figures.SHOWN)
            printed = _run(cell, path, space)
            parts.append(f"```python\n{_shown(cell.source)}\n```")
            if printed:
                parts.append(f"```text\n{printed.rstrip()}\n```")
            for each in figures.SHOWN[known:]:
                name = f"{path.stem}_{each.name}.svg"
                found[f"lectures/{name}"] = each.svg
                parts.append(f'<img src="{name}" alt="{each.alt}">')
    finally:
        sys.path.remove(str(LECTURES))
    source = f"../../examples/lectures/{path.name}"
    parts.append(
        f"This page is generated from [{path.name}]({source}), a script that you can run. The same "
        f"as a notebook: [{path.stem}.ipynb]({path.stem}.ipynb)."
    )
    page = "\n\n".join(parts) + "\n"
    return {f"lectures/{path.stem}.md": page.encode(), **found}


IMPORT = "from figures import figure\n"
SHOW = '''from IPython.display import SVG, display


def figure(name: str, svg: bytes, alt: str) -> None:
    """Show a figure here."""
    display(SVG(svg))
'''
"""What a notebook has in place of `examples/lectures/figures.py`."""
NEEDS = "This notebook needs `pip install modelwright`."


def notebook_of(path: Path) -> bytes:
    """A lecture as a notebook (nbformat 4.5), without results."""
    cells: list[dict[str, Any]] = []

    def add(text: str, *, is_text: bool = False) -> None:
        code = {} if is_text else {"execution_count": None, "outputs": []}
        kind = "markdown" if is_text else "code"
        lines = text.splitlines(keepends=True)
        named = {"cell_type": kind, "id": f"cell-{len(cells)}", "metadata": {}}
        cells.append({**named, **code, "source": lines})

    for cell in cells_of(path):
        if cell.is_text:
            add(_text(cell) if cells else f"{_text(cell)}\n\n{NEEDS}", is_text=True)
            continue
        if IMPORT in cell.source:
            add(SHOW.rstrip())
        add(cell.source.replace(IMPORT, ""))
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    metadata = {"kernelspec": kernel, "language_info": {"name": "python"}}
    book = {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}
    return (json.dumps(book, indent=1, ensure_ascii=False) + "\n").encode()


def _text(cell: Cell) -> str:
    return "\n".join(line.removeprefix("#").removeprefix(" ") for line in cell.source.splitlines())


def _shown(source: str) -> str:
    """The code without the checks of its claims, which the text makes."""
    lines = [line for line in source.splitlines() if not line.lstrip().startswith("assert ")]
    return "\n".join(lines).strip("\n")


def _run(cell: Cell, path: Path, space: dict[str, Any]) -> str:
    """Run a cell; return what it prints. Tracebacks show the lines of the file."""
    linecache.checkcache(str(path))
    code = compile("\n" * (cell.line - 1) + cell.source, str(path), "exec")
    with contextlib.redirect_stdout(io.StringIO()) as out:
        exec(code, space)
    return out.getvalue()


def index_page() -> str:
    """The list of lectures."""
    rows = [f"{n}. [{title_of(p)}]({p.stem}.md)" for n, p in enumerate(lecture_files(), 1)]
    return INDEX + "\n".join(rows) + "\n"


INDEX = """# Lectures

Fourteen short lectures on attention. Each is a Python script in cells (`# %%`) that compiles small
models and checks its claims. Run one as a script, or by cells in an editor such as VS Code, or
download the notebook at the end of its page:

```console
$ cd examples/lectures && python 01_what_attention_computes.py
```

"""


def main() -> None:
    folder = DOCS / "lectures"
    folder.mkdir(exist_ok=True)
    (folder / "index.md").write_text(index_page(), encoding="utf-8")
    for path in lecture_files():
        (folder / f"{path.stem}.ipynb").write_bytes(notebook_of(path))
        for name, data in files_of(path).items():
            (DOCS / name).write_bytes(data)
        print(f"wrote docs/lectures/{path.stem}.md and {path.stem}.ipynb")


if __name__ == "__main__":
    main()
