"""Assemble the documentation site and build it: `make site`.

    python docs/site.py FOLDER           the pages as Markdown in FOLDER/pages, and mkdocs.yml
    python docs/site.py FOLDER --build   also the site, in FOLDER/site; it needs no network

The pages are those of docs/, one for each command from its help, and the Python API from its
docstrings. All links inside are checked.
"""

from __future__ import annotations

import inspect
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

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
PICTURES = {".svg", ".png"}
LINK = re.compile(r'(?P<before>\]\(|(?:src|href)=")(?P<target>[^)"#\s]+)(?P<after>#[^)"\s]*)?')
NAVIGATION = {
    "Home": "index.md",
    "Language": "docs/language.md",
    "Commands": "commands.md",
    "Python": {"Guide": "docs/python.md", "Reference": "api.md"},
    "Lectures": "docs/lectures/index.md",
    "Gallery": "docs/gallery.md",
    "Changes": "CHANGELOG.md",
}


def pages() -> dict[str, str]:
    """All pages by path: those of the repository, and those that are generated."""
    found = {"index.md": (ROOT / "README.md").read_text(encoding="utf-8")}
    for name in ("CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md"):
        found[name] = (ROOT / name).read_text(encoding="utf-8")
    for path in sorted(DOCS.rglob("*.md")):
        found[str(path.relative_to(ROOT))] = path.read_text(encoding="utf-8")
    return {**found, "commands.md": commands_page(), "api.md": api_page()}


def commands_page() -> str:
    """The help of every command."""
    parts = ["# Commands"]
    for name in COMMANDS:
        command = cli.get_command(click.Context(cli), name)
        assert command is not None
        context = click.Context(command, info_name=f"modelwright {name}", max_content_width=100)
        parts += [f"## {name}", f"```text\n{command.get_help(context)}\n```"]
    return "\n\n".join(parts) + "\n"


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
    """Pictures of the pages, and the files that they link to."""
    found = [path for path in DOCS.rglob("*") if path.suffix in PICTURES]
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


def assemble(folder: Path) -> None:
    """Write the pages and what belongs to them. Raises SystemExit for a link that is broken."""
    made = folder / "pages"
    shutil.rmtree(made, ignore_errors=True)
    for name, text in pages().items():
        (made / name).parent.mkdir(parents=True, exist_ok=True)
        (made / name).write_text(text, encoding="utf-8")
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
    menu: list[object] = []
    for title, target in NAVIGATION.items():
        inside = [{k: v} for k, v in target.items()] if isinstance(target, dict) else target
        menu.append({title: lectures if title == "Lectures" else inside})
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
    assemble(folder)
    print(f"wrote {len(pages())} pages to {folder / 'pages'}")
    if "--build" in sys.argv:
        build = [sys.executable, "-m", "mkdocs", "build", "--quiet", "--clean"]
        subprocess.run(build, cwd=folder, check=True)
        print(f"built {folder / 'site' / 'index.html'}")


if __name__ == "__main__":
    main()
