"""What every command says and writes: results, notes, bars, and errors with exit code 2."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import click


class BadInputError(click.ClickException):
    """Something is wrong with what was given: its message, and exit code 2."""

    exit_code = 2

    def __init__(self, message: str, *, located: bool = False) -> None:
        super().__init__(message)
        self.located = located

    def show(self, file: Any = None) -> None:
        """The message; errors that say where they are need no word before it."""
        click.echo(self.message if self.located else f"Error: {self.message}", err=True)


@contextmanager
def problems_said() -> Iterator[None]:
    """Turn what our own layers raise about bad input into a message and exit code 2."""
    try:
        yield
    except (click.ClickException, click.Abort, click.exceptions.Exit, BrokenPipeError):
        raise
    except Exception as error:
        told = _bad_input(error)
        if told is None:
            raise
        raise told from None


def _bad_input(error: Exception) -> BadInputError | None:
    """The message for an error about what was given; None for a fault of ours."""
    from ..outputs import OutputError
    from ..spec.errors import SpecErrors

    if isinstance(error, SpecErrors):
        return BadInputError(str(error), located=True)
    if isinstance(error, OutputError):
        return BadInputError(str(error))
    if isinstance(error, OSError) and error.filename is not None:
        return BadInputError(f"{error.filename}: {error.strerror}")
    return None


def fail(message: str) -> NoReturn:
    """Stop with a message about what was given."""
    raise BadInputError(message)


def note(message: str) -> None:
    """Say something that is not the result: to stderr, and not with --quiet."""
    if not click.get_current_context().meta.get("quiet"):
        click.echo(message, err=True)


@contextmanager
def working(what: str) -> Iterator[Callable[[str], None]]:
    """Show a moving bar on a terminal once the work has lasted a second.

    What is yielded changes the words beside it.
    """
    if click.get_current_context().meta.get("quiet") or not sys.stderr.isatty():
        yield lambda now: None
        return
    from threading import Timer

    bars: list[Any] = []
    words = [what]

    def tell(now: str) -> None:
        words[0] = f"{what}: {now}"
        for bar in bars:
            bar.update(bar.task_ids[0], description=words[0])

    def begin() -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
        bar = Progress(*columns, console=Console(stderr=True), transient=True)
        bar.add_task(words[0], total=None)
        bar.start()
        bars.append(bar)

    timer = Timer(1.0, begin)
    timer.daemon = True
    timer.start()
    try:
        yield tell
    finally:
        timer.cancel()
        timer.join()
        for bar in bars:
            bar.stop()


def put(path: Path | None, data: bytes, *, force: bool, stamped: bool = True) -> None:
    """Write a result to its file, or to stdout for none or `-`."""
    if path is None or str(path) == "-":
        click.echo(data, nl=False)
        return
    from .. import outputs

    suffix = path.suffix.lower() if stamped else ""
    outputs.write(
        path,
        outputs.stamp(data, suffix),
        force=force,
        is_ours=lambda there: outputs.is_unedited(there, suffix),
    )
    note(f"wrote {path}")
