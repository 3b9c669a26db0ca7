"""The page as a folder of files, without a server: Python runs in the browser (Pyodide).

index.html, page.js, page.css, python.js    the page, and the worker that runs Python
python/                                     Pyodide, and the packages that it loads

`python -m modelwright.explorer.static FILE` writes the packages as source; `make explore-python`
compiles them.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
from collections.abc import Iterator
from importlib.metadata import requires, version
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from ..outputs import write_folder
from .page_files import PAGE, bundle
from .start import EXAMPLES

PYTHON = Path(__file__).parent / "python"
"""Where `make explore-python` puts Pyodide and pydantic's core for WebAssembly."""
PYODIDE = (
    "pyodide.mjs", "pyodide.asm.mjs", "pyodide.asm.wasm", "pyodide-lock.json", "python_stdlib.zip",
    "started.snapshot",
)  # fmt: skip
COMPILED = "compiled.zip"
"""Bytecode of the packages, and in `sources.json` the SHA-256 of each source."""
PACKAGES = ("pydantic", "yaml")
"""Packages that this one imports; those that pydantic requires are found by its version."""
OWN = ("backends/diagram", "backends/pytorch", "compiler", "explorer", "spec")
"""The folders of this package that the page needs; of all others, files at the top only."""
READ = "modelwright/backends/pytorch/runtime/"
"""Modules whose text is read, because emitted files contain it."""
WORKER = "python.js"
EARLY = (1980, 1, 1, 0, 0, 0)
"""The time of files in the archive, so that equal pages are equal bytes."""


class PythonMissingError(Exception):
    """Pyodide or a package is missing; the message names the command that fetches it."""


def write_page(
    folder: Path, file: dict[str, str] | None, python: Path = PYTHON, *, force: bool = False
) -> int:
    """Write the page into a new folder; the size of all its files in bytes.

    file: name, text and digest of the spec to open; None: an example
    python: folder with Pyodide's files and `pydantic_core-*.whl`
    force: replace a page that was written before

    Raises PageMissingError, PythonMissingError and OutputError.
    """
    page, wheel = bundle(WORKER), _wheel(python)
    missing = [name for name in (*PYODIDE, COMPILED) if not (python / name).is_file()]
    if missing:
        raise PythonMissingError(f"{missing[0]} is missing in {python}; run `make explore-python`")
    files = {name: data for name, data in page.items() if name != PAGE}
    files[PAGE] = static_page(page[PAGE].decode()).encode()
    files |= {f"python/{name}": (python / name).read_bytes() for name in PYODIDE}
    files["python/packages.zip"] = packages(python / COMPILED)
    files["python/pydantic_core.whl"] = wheel.read_bytes()
    files["python/spec.json"] = json.dumps(file).encode()

    def fill(fresh: Path) -> None:
        (fresh / "python").mkdir()
        for name, data in files.items():
            (fresh / name).write_bytes(data)

    write_folder(
        folder,
        fill,
        force=force,
        is_ours=lambda there: (there / WORKER).is_file(),
        is_own=lambda there: there.name in ("python", *page),
    )
    return sum(map(len, files.values()))


def _wheel(python: Path) -> Path:
    """pydantic's core for WebAssembly, of the version of the one that is installed here."""
    needed = version("pydantic_core")
    found = sorted(python.glob("pydantic_core-*.whl"))
    fitting = [path for path in found if path.name.split("-")[1] == needed]
    if not fitting:
        there = ", ".join(path.name for path in found) or "there is none"
        raise PythonMissingError(
            f"{python} needs pydantic_core {needed} for WebAssembly ({there}); "
            "run `make explore-python`"
        )
    return fitting[0]


def static_page(text: str) -> str:
    """The HTML of the static page: its policy in a tag, since no server sends headers."""
    nonce = hashlib.sha256(text.encode()).hexdigest()[:22]
    policy = (
        "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; "
        f"style-src 'nonce-{nonce}'; img-src data:; connect-src 'self'; base-uri 'none'; "
        "form-action 'none'"
    )
    tag = f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
    text = text.replace("{nonce}", nonce).replace(
        '<html lang="en">', '<html lang="en" data-place="static">'
    )
    return text.replace("<head>", f"<head>\n{tag}", 1)


def packages(compiled: Path | None = None) -> bytes:
    """A zip archive of this package and of those that it needs, without torch.

    compiled: archive of bytecode; a file whose source has changed since is added as source
    """
    ready = {} if compiled is None else dict(_bytecode(compiled))
    made = BytesIO()
    with ZipFile(made, "w", ZIP_DEFLATED) as archive:
        for name, path in sorted(_files()):
            source = path.read_bytes()
            code = ready.get((name, hashlib.sha256(source).hexdigest()))
            files = {name: source} if code is None or name.startswith(READ) else {}
            files |= {} if code is None else {f"{name}c": code}
            for each, data in files.items():
                archive.writestr(ZipInfo(each, EARLY), data, ZIP_DEFLATED)
    return made.getvalue()


def _bytecode(compiled: Path) -> Iterator[tuple[tuple[str, str], bytes]]:
    """The name and SHA-256 of each compiled source, and its bytecode."""
    with ZipFile(compiled) as archive:
        for name, digest in json.loads(archive.read("sources.json")).items():
            yield (name, digest), archive.read(f"{name}c")


def _files() -> Iterator[tuple[str, Path]]:
    """The name in the archive and the place of each file."""
    root = Path(__file__).parent.parent
    tops = [*root.glob("*.py"), *root.glob("backends/*.py")]
    inner = [path for folder in OWN for path in (root / folder).rglob("*.py")]
    for path in (*tops, *inner, *EXAMPLES.glob("*.yaml")):
        yield f"modelwright/{path.relative_to(root).as_posix()}", path
    for name in (*PACKAGES, *_of_pydantic()):
        place = _place(name)
        if place.name != "__init__.py":  # a package of one module
            yield place.name, place
            continue
        for path in place.parent.rglob("*.py"):
            yield f"{name}/{path.relative_to(place.parent).as_posix()}", path


def _of_pydantic() -> list[str]:
    """The packages in Python that the installed pydantic requires, without its extras."""
    required = [line for line in requires("pydantic") or () if "extra ==" not in line]
    names = [re.split(r"[^\w-]", line)[0].replace("-", "_") for line in required]
    return [name for name in names if name != "pydantic_core"]  # that one is not in Python


def _place(name: str) -> Path:
    found = find_spec(name)
    if found is None or found.origin is None:
        raise PythonMissingError(f"the package {name} is not installed")
    return Path(found.origin)


if __name__ == "__main__":
    Path(sys.argv[1]).write_bytes(packages())
