"""Assemble the documentation site and build it: `make site`.

    python docs/site.py FOLDER             the pages as Markdown in FOLDER/pages, and mkdocs.yml
    python docs/site.py FOLDER --explorer  also the explorer, which runs in the reader's browser
    python docs/site.py FOLDER --build     also the site, in FOLDER/site; it needs no network

The pages are those of docs/, one for each command from its help, and the Python API from its
docstrings. All links inside are checked.
"""

from __future__ import annotations

import html
import inspect
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import click
import yaml

import modelwright as mw
from modelwright.cli import COMMANDS, cli
from modelwright.explorer.static import write_page

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
BESIDE = {".svg", ".png", ".ipynb"}
LINK = re.compile(r'(?P<before>\]\(|(?:src|href)=")(?P<target>[^)"#\s]+)(?P<after>#[^)"\s]*)?')
EXPLORER = "explorer"
SHEET = ".md-grid { max-width: 76rem; }\n"
"""Docstrings have lines of up to 96 characters, for which the theme's pages are too narrow."""
OPENED_FROM = {
    "index.md": (
        "# Modelwright\n",
        f"[Open the explorer in this browser]({EXPLORER}/index.html)\n",
    ),
    "docs/explore.md": (
        "# Explorer\n",
        f"[Open it in this browser](../{EXPLORER}/index.html), without attention maps.\n",
    ),
}
"""Page -> a heading, and the link to the explorer below it."""
NAVIGATION = {
    "Home": "index.md",
    "Language": "docs/language.md",
    "Commands": "commands/index.md",
    "Python": {"Guide": "docs/python.md", "Reference": "api.md"},
    "Lectures": "docs/lectures/index.md",
    "Gallery": "docs/gallery.md",
    "Changes": "CHANGELOG.md",
}


def pages() -> dict[str, str]:
    """All pages by path: those of the repository, and those that are generated."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    # The theme ignores the attribute `height`.
    found = {"index.md": re.sub(r'(<img [^>]*)height="(\d+)"', r'\1style="height: \2px"', readme)}
    for name in ("CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md"):
        found[name] = (ROOT / name).read_text(encoding="utf-8")
    for path in sorted(DOCS.rglob("*.md")):
        found[str(path.relative_to(ROOT))] = path.read_text(encoding="utf-8")
    return {**found, **command_pages(), "api.md": api_page()}


def command_pages() -> dict[str, str]:
    """A page for each command, and a table of them."""
    found, rows = {}, ["# Commands", "| command | what it does |\n|---|---|"]
    for name in COMMANDS:
        command = cli.get_command(click.Context(cli), name)
        assert command is not None
        rows[-1] += f"\n| [{name}]({name}.md) | {command.get_short_help_str(200)} |"
        found[f"commands/{name}.md"] = command_page(name, command)
    return {"commands/index.md": "\n\n".join(rows) + "\n", **found}


def command_page(name: str, command: click.Command) -> str:
    """How a command is called, its description and a table of its options."""
    parent = click.Context(cli, info_name="modelwright", **cli.context_settings)
    context = click.Context(command, parent=parent, info_name=name)
    usage = command.get_usage(context).removeprefix("Usage: ")
    parts = [f"# modelwright {name}", f"```text\n{usage}\n```"]
    parts += [described(text) for text in paragraphs(command.help or "")]
    options = [each for each in command.get_params(context) if isinstance(each, click.Option)]
    rows = [each.get_help_record(context) for each in options]
    table = [f"| {cell(f'`{row[0]}`')} | {cell(row[1])} |" for row in rows if row is not None]
    parts += ["\n".join(["| option | effect |", "|---|---|", *table])]
    return "\n\n".join(parts) + "\n"


def paragraphs(text: str) -> list[str]:
    return re.split(r"\n\s*\n", inspect.cleandoc(text))


def described(paragraph: str) -> str:
    """A paragraph of a command's help; one that begins with `\\b` keeps its lines."""
    if paragraph.startswith("\b"):
        return f"```text\n{inspect.cleandoc(paragraph.removeprefix(chr(8)))}\n```"
    return html.escape(paragraph, quote=False)


def cell(text: str) -> str:
    """A text in a cell of a table."""
    escaped = text if text.startswith("`") else html.escape(text, quote=False)
    return escaped.replace("|", "\\|")


def api_page() -> str:
    """The signature and docstring of every public name."""
    parts = ["# Python reference", "What `import modelwright as mw` has."]
    for name in mw.__all__:
        value = getattr(mw, name)
        if name.startswith("__"):
            continue
        signature = str(inspect.signature(value)) if not inspect.isclass(value) else ""
        doc = inspect.getdoc(value) or ""
        parts += [f"## {name}", f"```text\n{name}{signature}\n\n{doc}\n```"]
    return "\n\n".join(parts) + "\n"


def files_beside() -> list[Path]:
    """Pictures and notebooks of the pages, and the files that they link to."""
    found = [path for path in DOCS.rglob("*") if path.suffix in BESIDE]
    examples = ROOT / "examples"
    return [*found, *examples.glob("*.*"), *examples.glob("lectures/*.py"), ROOT / "LICENSE"]


def broken_links(folder: Path) -> Iterator[str]:
    """Links of the pages in a folder that lead nowhere."""
    for page in sorted(folder.rglob("*.md")):
        text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
        for link in LINK.finditer(re.sub(r"`[^`\n]*`", "", text)):
            target = unquote(link["target"])
            if ":" not in target and not (page.parent / target).exists():
                yield f"{page.relative_to(folder)}: {target}"


def add_explorer(made: Path, found: dict[str, str]) -> None:
    """Write the explorer that needs no server into the pages, and link to it."""
    write_page(made / EXPLORER, None)
    for name, (heading, link) in OPENED_FROM.items():
        before, line, after = found[name].partition(heading)
        assert line, f"{name} has no {heading!r}"
        found[name] = f"{before}{line}\n{link}\n{after}"


def assemble(folder: Path, *, explorer: bool = False) -> None:
    """Write the pages and what belongs to them. Raises SystemExit for a link that is broken.

    explorer: the explorer too; raises PageMissingError and PythonMissingError
    """
    made = folder / "pages"
    shutil.rmtree(made, ignore_errors=True)
    made.mkdir()
    found = pages()
    if explorer:
        add_explorer(made, found)
    for name, text in found.items():
        (made / name).parent.mkdir(parents=True, exist_ok=True)
        (made / name).write_text(text, encoding="utf-8")
    (made / "site.css").write_text(SHEET, encoding="utf-8")
    for path in files_beside():
        copy = made / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, copy)
    wrong = [*broken_links(made)]
    if wrong:
        raise SystemExit("broken links:\n  " + "\n  ".join(wrong))
    (folder / "mkdocs.yml").write_text(yaml.safe_dump(settings(), sort_keys=False))


def settings() -> dict[str, object]:
    """The settings of mkdocs: a theme without fonts or scripts of other hosts."""
    named = {value for value in NAVIGATION.values() if isinstance(value, str)}
    named |= {"docs/python.md", "api.md", "docs/lectures/index.md"}
    rest = sorted(f"docs/{path.name}" for path in DOCS.glob("*.md"))
    lectures = [{"All": "docs/lectures/index.md"}]
    lectures += [f"docs/lectures/{p.name}" for p in sorted(DOCS.glob("lectures/[0-9]*.md"))]
    commands = [{"All": "commands/index.md"}, *(f"commands/{name}.md" for name in COMMANDS)]
    listed = {"Lectures": lectures, "Commands": commands}
    menu: list[object] = []
    for title, target in NAVIGATION.items():
        inside = [{k: v} for k, v in target.items()] if isinstance(target, dict) else target
        menu.append({title: listed.get(title, inside)})
    menu.insert(-1, {"More": [page for page in rest if page not in named]})
    palette = [
        {"media": f"(prefers-color-scheme: {mode})", "scheme": scheme}
        for mode, scheme in (("light", "default"), ("dark", "slate"))
    ]
    return {
        "site_name": "Modelwright",
        "docs_dir": "pages",
        "site_dir": "site",
        "use_directory_urls": False,
        "theme": {"name": "material", "font": False, "palette": palette},
        "extra_css": ["site.css"],
        "plugins": ["search"],
        "markdown_extensions": [
            "tables",
            "md_in_html",
            "pymdownx.highlight",
            "pymdownx.superfences",
        ],
        "nav": menu,
    }


def main() -> None:
    folder = Path(sys.argv[1]).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    assemble(folder, explorer="--explorer" in sys.argv)
    print(f"wrote {len(pages())} pages to {folder / 'pages'}")
    if "--build" in sys.argv:
        build = [sys.executable, "-m", "mkdocs", "build", "--quiet", "--clean"]
        quiet = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}  # an advertisement of the theme
        subprocess.run(build, cwd=folder, check=True, env=quiet)
        print(f"built {folder / 'site' / 'index.html'}")


if __name__ == "__main__":
    main()
