"""Errors in a spec, with their locations.

The text is `file:line:column: message`, then the line, then a caret below the column. The command
line adds exit codes and colours.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from ..records import record

WIDTH = 100  # columns of an excerpt; longer lines are cut around the caret
QUOTED = re.compile(r"`([^`]{60})[^`]{140,}`")  # a word of 200 characters or more


@record(frozen=True)
class Mark:
    """A location in a text: `line` and `column` count from 1; line 0 is the whole file.

    file: the path as given
    text: the whole line
    why: origin of a value that is not written in the text: "family", "default", "--set"; else ""
    end_line, end_column: the position after the last character of the value (for a key, of its
        value); line 0 if there is no end
    """

    file: str
    line: int
    column: int
    text: str = ""
    why: str = ""
    end_line: int = field(default=0, compare=False)
    end_column: int = field(default=0, compare=False)

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file

    def seen_from(self, other: Mark) -> str:
        """`line 4`, or `base.yaml:4:1` in another file."""
        return f"line {self.line}" if self.file == other.file else str(self)

    def moved(self, columns: int) -> Mark:
        """The location moved to the right."""
        return Mark(self.file, self.line, self.column + columns, self.text, self.why)

    def ending(self, line: int, column: int) -> Mark:
        """The same location with an end."""
        return Mark(self.file, self.line, self.column, self.text, self.why, line, column)


@dataclass(frozen=True)
class SpecError:
    """A problem and its location. The message describes it and, after `; `, the correction. Long
    words in it are cut.

    replaced: path of a value that has no effect as inner levels replace it; () for other problems
    """

    mark: Mark
    message: str
    replaced: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if len(self.message) > 200:
            object.__setattr__(self, "message", QUOTED.sub(r"`\1…`", self.message))

    @property
    def hint(self) -> str:
        """The correction: the part of the message after the first `; `, or ""."""
        return self._parts[1]

    @property
    def _parts(self) -> tuple[str, str]:
        """The message before and after the first `; ` that is not inside backticks."""
        for found in re.finditer("; ", self.message):
            if self.message.count("`", 0, found.start()) % 2 == 0:
                return self.message[: found.start()], self.message[found.end() :]
        return self.message, ""

    def to_json(self, severity: str) -> dict[str, object]:
        """Plain data: severity, file, line and column from 1, message, and hint or None."""
        message, hint = self._parts
        return {
            "severity": severity,
            "file": self.mark.file,
            "line": self.mark.line,
            "column": self.mark.column,
            "message": message,
            "hint": hint or None,
        }

    def __str__(self) -> str:
        return f"{self.mark}: {self.message}{_excerpt(self.mark)}"


class SpecErrors(Exception):  # noqa: N818 - it holds errors; `SpecError` is one of them
    """All problems of a spec, sorted by location; `str()` renders them."""

    def __init__(self, problems: Iterable[SpecError]) -> None:
        self.problems: tuple[SpecError, ...] = tuple(
            sorted(
                dict.fromkeys(problems),
                key=lambda p: (p.mark.file, p.mark.line, p.mark.column, p.message),
            )
        )
        super().__init__("\n\n".join(map(str, self.problems)))

    def __reduce__(self) -> tuple[type[SpecErrors], tuple[tuple[SpecError, ...]]]:
        return SpecErrors, (self.problems,)


def _excerpt(mark: Mark) -> str:
    """The line and a caret below the column; a long line is cut around it."""
    if not mark.text.strip():
        return ""
    start = max(0, mark.column - 1 - WIDTH * 3 // 4) if len(mark.text) > WIDTH else 0
    shown = mark.text[start : start + WIDTH].replace("\t", " ")
    head = "…" if start else ""
    tail = "…" if start + WIDTH < len(mark.text) else ""
    caret = " " * (len(head) + mark.column - 1 - start) + "^"
    return f"\n  {head}{shown.rstrip()}{tail}\n  {caret}"


def printable(name: object) -> str:
    """A file name without control characters and bytes that are not UTF-8: each becomes `�`."""
    text = str(name).encode(errors="surrogateescape").decode(errors="replace")
    return "".join(sign if sign.isprintable() else "�" for sign in text)


def nearest(word: str, options: Iterable[str], cutoff: float = 0.6) -> str | None:
    """The option most similar to `word`: `RMSNorm` and `rms-norm` are both `rmsnorm`."""
    import difflib  # needed only for errors

    plain = {folded(option): option for option in options}
    if folded(word) in plain:
        return plain[folded(word)]
    lower = {option.lower(): option for option in plain.values()}
    found = difflib.get_close_matches(word[:64].lower(), list(lower), 1, cutoff)
    return lower[found[0]] if found else None


def folded(word: str) -> str:
    """A word in lower case, without spaces, dots, hyphens and underscores."""
    return re.sub(r"[-_. ]", "", word.lower())


def choices(word: str, options: Sequence[str]) -> str:
    """The end of a message about an unknown word: the nearest option, or all of them."""
    close = nearest(word, options)
    if close is not None:
        return f"did you mean `{close}`?"
    if len(options) == 1:
        return f"the only one is `{options[0]}`"
    return f"expected one of: {', '.join(options)}" if options else "there are none"


def shown(value: object) -> str:
    """A value as it is written in a spec, shortened for a message."""
    if isinstance(value, bool):
        text = "true" if value else "false"
    elif isinstance(value, dict):
        return "a mapping"
    elif isinstance(value, (list, tuple)):
        if not all(isinstance(entry, (str, int, float)) for entry in value):
            return "a list"
        text = f"[{', '.join(shown(entry).strip('`') for entry in value[:20])}]"
    else:
        text = " ".join(str(value).split())
    return f"`{text if len(text) <= 60 else text[:57] + '…'}`"
