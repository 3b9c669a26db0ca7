"""Output of the commands: results, notes, progress bars, and errors with exit code 2."""

from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import click

SIGPIPE_EXIT = 141
"""Exit code if the reader of the output is gone: 128 + SIGPIPE, as in other tools."""


class BadInputError(click.ClickException):
    """The user's input is invalid; exit code 2.

    located: the message begins with its file and line
    """

    exit_code = 2

    def __init__(self, message: str, *, located: bool = False) -> None:
        super().__init__(message)
        self.located = located

    def show(self, file: Any = None) -> None:
        """Print the message to stderr."""
        from .colour import coloured

        print_error(coloured(self.message) if self.located else f"Error: {self.message}")


@contextmanager
def reporting_errors() -> Iterator[None]:
    """Context: convert exceptions about bad input to a message and exit code 2."""
    try:
        yield
    except (click.ClickException, click.Abort, click.exceptions.Exit):
        raise
    except BrokenPipeError:
        forget(sys.stdout)
        raise click.exceptions.Exit(SIGPIPE_EXIT) from None
    except Exception as error:
        found = _bad_input(error)
        if found is None:
            raise
        raise found from None


def _bad_input(error: Exception) -> BadInputError | None:
    """The message of an exception about bad input; None for a bug."""
    from ..outputs import OutputError
    from ..spec.errors import SpecErrors

    if isinstance(error, SpecErrors):
        return BadInputError(str(error), located=True)
    if isinstance(error, OutputError):
        return BadInputError(str(error))
    if isinstance(error, OSError) and error.filename is not None:
        return BadInputError(f"{error.filename}: {error.strerror}")
    from ..spec.installed import PluginError
    from ..training.errors import TrainingError

    return BadInputError(str(error)) if isinstance(error, (PluginError, TrainingError)) else None


def fail(message: str) -> NoReturn:
    """Stop the command with a message and exit code 2."""
    raise BadInputError(message)


def note(message: str) -> None:
    """Print a note to stderr, unless --quiet is given."""
    if not click.get_current_context().meta.get("quiet"):
        print_error(message)


def print_error(message: str) -> None:
    """Print to stderr; failures are ignored."""
    try:
        click.echo(message, err=True)
    except OSError:
        forget(sys.stderr)


def show_error(error: click.ClickException) -> None:
    """Print an error of a command or its options; failures are ignored."""
    try:
        error.show()
    except OSError:
        forget(sys.stderr)


class ClosedOutput(io.TextIOBase):
    """Replaces a closed stdout; writing to it raises an error."""

    def write(self, _text: str) -> int:
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))


def print_result(result: str | bytes) -> None:
    """Print a result to stdout, with a final newline.

    Raises OutputError if stdout is closed or full, BrokenPipeError if its reader is gone.
    """
    from ..outputs import OutputError

    if sys.stdout is None or isinstance(sys.stdout, ClosedOutput):
        raise OutputError("standard output is closed")
    newline = isinstance(result, str) and not result.endswith("\n")
    try:
        click.echo(result, nl=newline)
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        forget(sys.stdout)
        raise OutputError(f"standard output cannot be written: {error.strerror}") from None


def forget(stream: Any) -> None:
    """Redirect a broken stream to the null device, so that Python's flush at exit does not fail."""
    try:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())
        os.close(null)
    except (OSError, ValueError, AttributeError):
        pass


@contextmanager
def progress(what: str) -> Iterator[Callable[..., None]]:
    """Context: a progress bar on a terminal, if the block takes more than a second.

    Yields a function that sets the text and, if known, the completed fraction.
    """
    hidden = click.get_current_context().meta.get("quiet")
    if hidden or sys.stderr is None or not sys.stderr.isatty():
        yield lambda now, done=None: None
        return
    from threading import Timer

    bars: list[Any] = []
    words = [what]

    def show(now: str, done: float | None = None) -> None:
        words[0] = f"{what}: {now}"
        known = {} if done is None else {"total": 1.0, "completed": done}
        for bar in bars:
            bar.update(bar.task_ids[0], description=words[0], **known)

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
        yield show
    finally:
        timer.cancel()
        timer.join()
        for bar in bars:
            bar.stop()


def refuse_inputs(*outputs: Path) -> None:
    """Stop if an output is a file that the command was given to read, even with --force."""
    values = click.get_current_context().params.values()
    given = [one for value in values for one in (value if isinstance(value, tuple) else (value,))]
    for output in outputs:
        place = os.path.realpath(output)
        inputs = [p for p in given if isinstance(p, Path) and p is not output and p.is_file()]
        if any(os.path.realpath(path) == place for path in inputs):
            fail(f"{output} is read by this command; write to another file")


def check_stamped(path: Path | None, *, force: bool) -> None:
    """Stop where `write_result` would refuse to write a stamped file, before it is computed."""
    if path is None or str(path) == "-":
        return
    from .. import outputs

    refuse_inputs(path)
    suffix = path.suffix.lower()
    if suffix in outputs.STAMPED:
        outputs.check(path, force=force, is_ours=lambda there: outputs.is_unedited(there, suffix))


def write_result(path: Path | None, data: bytes, *, force: bool, stamped: bool = True) -> None:
    """Write a result to a file, or to stdout for None or `-`."""
    if path is None or str(path) == "-":
        print_result(data)
        return
    from .. import outputs

    refuse_inputs(path)
    suffix = path.suffix.lower() if stamped else ""

    def is_ours(there: bytes) -> bool:
        return outputs.is_unedited(there, suffix)

    outputs.write(
        path,
        outputs.stamp(data, suffix),
        force=force,
        is_ours=is_ours if suffix in outputs.STAMPED else None,
    )
    note(f"wrote {path}")
