"""`modelwright explore`: a page with the spec, its figure, code, weights and masks, linked."""

from __future__ import annotations

import errno
import socket
from pathlib import Path

import click

from ..outputs import OutputError
from .console import fail, note, print_result
from .options import FOLDER, SPEC, WEIGHTS, force_option, quiet
from .plugin_options import PLUGINS

PORT = 8765
INSTALL = "pip install 'modelwright[explore]'"


@click.command()
@click.argument("spec", type=SPEC, required=False)
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    help=f"Port to listen on; 0: any free port. [default: {PORT}, or a free port if it is taken]",
)
@click.option("--no-browser", is_flag=True, help="Print the address only; open no browser.")
@click.option("--watch", is_flag=True, help="Reload SPEC when another program changes it.")
@click.option(
    "--host",
    metavar="ADDRESS",
    default="127.0.0.1",
    show_default=True,
    help="Address to listen on. Addresses other than this machine's own need --token.",
)
@click.option(
    "--weights", type=WEIGHTS, help="Checkpoint for the attention tab. [default: random weights]"
)
@click.option(
    "--tokenizer",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A tokenizer.json file for the attention tab. [default: one token per byte]",
)
@click.option(
    "--token", metavar="TEXT", help="Secret in the address of the page. [default: random]"
)
@click.option(
    "--static",
    "folder",
    type=FOLDER,
    metavar="FOLDER",
    help="Write the page as files for any web server; Python then runs in the browser.",
)
@force_option
@quiet
def explore(
    spec: Path | None,
    port: int | None,
    no_browser: bool,
    watch: bool,
    host: str,
    weights: Path | None,
    tokenizer: Path | None,
    token: str | None,
    folder: Path | None,
    force: bool,
) -> None:
    """Edit a spec in the browser, beside its figure, PyTorch file, weights, costs and masks.

    SPEC is a YAML file; without it, the page opens an example. The file is never written: export
    the YAML from the page. Ctrl+C stops the server.

    \b
      modelwright explore
      modelwright explore gpt2.yaml --watch     edit in your own editor, watch the page
      modelwright explore --no-browser          prints the address
      modelwright explore --static page         files for any web server

    The page is served to this machine only. Its address contains a secret (`#token=…`).
    """
    _check(spec)
    if folder is not None:
        _write_page(folder, spec, force=force)
        return
    try:
        import uvicorn

        from ..explorer.page_files import PageMissingError
        from ..explorer.process import answer_only
        from ..explorer.server import application
        from ..explorer.settings import Settings, new_token
        from ..spec.installed import SEARCH
    except ModuleNotFoundError as error:
        if error.name not in ("uvicorn", "starlette"):
            raise
        fail(f"`modelwright explore` needs {error.name}: {INSTALL}")
    if token is not None and len(token) < 16:
        fail("--token must have at least 16 characters")
    settings = Settings(
        spec=spec,
        watch=watch,
        host=host,
        token=token or new_token(),
        weights=weights,
        tokenizer=tokenizer,
        plugins=click.get_current_context().meta.get(PLUGINS, ()),
        installed=SEARCH.enabled,
    )
    if not settings.is_local and token is None:
        fail(f"--host {host} lets other machines in; it needs --token, a secret that you choose")
    try:
        app = application(settings)
    except PageMissingError as error:
        fail(str(error))
    answer_only()
    listener = _listen(host, port)
    name = f"[{host}]" if ":" in host else host
    address = f"http://{name}:{listener.getsockname()[1]}/#token={settings.token}"
    print_result(address)
    note("Ctrl+C stops the server")
    if not no_browser:
        import webbrowser

        webbrowser.open(address)
    config = uvicorn.Config(
        app, log_level="warning", access_log=False, server_header=False, ws="none", lifespan="off",
        limit_concurrency=64, timeout_graceful_shutdown=1,
    )  # fmt: skip
    uvicorn.Server(config).run(sockets=[listener])


def _write_page(folder: Path, spec: Path | None, *, force: bool) -> None:
    """Write the static page. Options of the server are refused."""
    from ..explorer.page_files import PageMissingError
    from ..explorer.spec_file import spec_file
    from ..explorer.static import PythonMissingError, write_page

    try:
        size = write_page(folder, spec_file(spec), force=force)
    except (PageMissingError, PythonMissingError, OutputError) as error:
        fail(str(error))
    note(f"wrote {folder}: {size / 1e6:.1f} MB; to see it: python -m http.server -d {folder}")


def _check(spec: Path | None) -> None:
    """Fail for a file that cannot be read; one with errors is what the page is for."""
    if spec is None:
        return
    if str(spec) == "-":
        fail("SPEC must be a file; `-` is not supported")
    try:
        spec.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        fail(f"{spec}: this is not a text in UTF-8")


def _listen(host: str, port: int | None) -> socket.socket:
    """A socket at the requested port, at the default one, or at a free one."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, PORT if port is None else port), family=family)
    except OSError as error:
        if port is None and error.errno == errno.EADDRINUSE:
            return _listen(host, 0)
        fail(f"cannot listen on {host} port {port or PORT}: {error.strerror or error}")
