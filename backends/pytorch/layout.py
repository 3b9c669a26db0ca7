"""Text layout of emitted code: lines of at most 100 columns, broken where a formatter would."""

from __future__ import annotations

import re

WIDTH = 100
OPENING, CLOSING = "([{", ")]}"


def wrap(line: str, indent: int, comment: str = "") -> list[str]:
    """One logical line of code as physical lines.

    The comment stands behind the last one, or above a line that is better left whole.
    """
    margin = " " * indent
    tail = f"  # {comment}" if comment else ""
    if len(margin + line + tail) <= WIDTH:
        return [margin + line + tail]
    if comment and len(margin + line) <= WIDTH and (_split(line) is None or _of_two(line)):
        return [f"{margin}# {comment}", margin + line]
    if comment and line.startswith("return ") and len(margin + line) <= WIDTH:
        return [margin + line]
    if chain := _chain(line, margin):
        opening, expression = chain
        return [margin + opening, *_broken(expression, indent + 4), f"{margin}){tail}"]
    parts = _split(line)
    if parts is None or len(margin + parts[0]) > WIDTH:
        return _bracketed(line, indent, tail)
    head, body, end = parts
    inner = " " * (indent + 4)
    whole = len(inner + body) <= WIDTH and not head.endswith("{")
    middle = [inner + body] if whole else _each(body, indent)
    return [margin + head, *middle, margin + end + tail]


def _of_two(line: str) -> bool:
    """Is a sum or a product of two assigned? A break would stand inside of its second part."""
    match = re.match(r"\w+ = (.*)", line)
    return match is not None and len(_terms(match[1])) == 2


def _bracketed(line: str, indent: int, tail: str) -> list[str]:
    """`name = (…)` for what has no bracket to break at: a long name, or a choice of two values."""
    margin, match = " " * indent, re.match(r"([\w.]+ = |return )(.*)", line)
    if match is None:
        return [margin + line + tail]
    pieces = re.split(r" (?=if |else )", match[2])
    inner = [part for piece in pieces for part in _broken(piece, indent + 4)]
    return [f"{margin}{match[1]}(", *inner, f"{margin}){tail}"]


OPERATORS = ((" == ",), (" | ",), (" & ",), (" + ", " - "), (" * ", " / "))


def _terms(expression: str) -> list[str]:
    """The expression cut at its loosest operators; each term but the first is led by one."""
    text = _unquoted(expression)
    for group in OPERATORS:
        depth, start, terms = 0, 0, []
        for place, char in enumerate(text):
            depth += (char in OPENING) - (char in CLOSING)
            if depth == 0 and any(text.startswith(operator, place) for operator in group):
                terms.append(expression[start:place].strip())
                start = place + 1
        if terms:
            return [*terms, expression[start:].strip()]
    return [expression]


def _broken(expression: str, indent: int, end: str = "") -> list[str]:
    """An expression inside brackets: on one line, or broken at its loosest operators first."""
    line = " " * indent + expression + end
    terms = _terms(expression)
    if len(line) <= WIDTH:
        return [line]
    if len(terms) == 1:
        calls = _calls(expression)
        lines = wrap(expression + end, indent)
        if len(calls) == 1 or max(map(len, lines)) <= WIDTH:
            return lines
        *first, last = calls
        return [
            *(part for call in first for part in _broken(call, indent)),
            *_broken(last, indent, end),
        ]
    *first, last = terms
    return [
        *(part for term in first for part in _broken(term, indent)),
        *_broken(last, indent, end),
    ]


def _calls(expression: str) -> list[str]:
    """The expression cut before each method that is called on the result of a call."""
    calls, depth, start = [], 0, 0
    text = _unquoted(expression)
    for place, char in enumerate(text):
        depth += (char in OPENING) - (char in CLOSING)
        if depth == 0 and text.startswith(").", place):
            calls.append(expression[start : place + 1])
            start = place + 1
    return [*calls, expression[start:]]


def _chain(line: str, margin: str) -> tuple[str, str] | None:
    """A long sum or union, in brackets of its own: how it opens, and its terms line by line."""
    match = re.match(r"(\w+ = |return )(.*)", line)
    if match is None or " if " in line:
        return None
    terms = _terms(match[2])
    head = _split(line)
    if len(terms) == 1:
        dotted = head is not None and len(margin + head[0]) + 4 > WIDTH - 20
        if head is not None and len(margin + head[0]) > WIDTH:
            return match[1] + "(", match[2]
        fits = len(margin + match[2]) + 4 <= WIDTH
        return (match[1] + "(", match[2]) if dotted and fits and ")." in match[2] else None
    bracketed = line.endswith(")") and head is not None and len(margin + head[0]) <= WIDTH
    if len(terms) == 2 and bracketed:
        return None
    return match[1] + "(", match[2]


def _each(body: str, indent: int) -> list[str]:
    """One argument to a line, each with a trailing comma."""
    lines: list[str] = []
    parts = _arguments(body)
    for part in parts:
        comma = "," if len(parts) > 1 else ""
        lines.extend(_broken(part, indent + 4, comma))
    return lines


def _split(line: str) -> tuple[str, str, str] | None:
    """Head up to the last outer opening bracket that has content, its content, and the rest."""
    depth, start, best = 0, -1, None
    for place, char in enumerate(_unquoted(line)):
        if char in OPENING:
            if depth == 0:
                start = place
            depth += 1
        elif char in CLOSING:
            depth -= 1
            if depth == 0 and place > start + 1:
                best = (line[: start + 1], line[start + 1 : place], line[place:])
    return best


def _unquoted(line: str) -> str:
    """The line with what stands in quotes blanked out, column for column."""
    return re.sub(r'"[^"]*"', lambda match: "_" * len(match[0]), line)


def _arguments(body: str) -> list[str]:
    """The parts between top-level commas."""
    parts, depth, start = [], 0, 0
    for place, char in enumerate(_unquoted(body)):
        if char in OPENING:
            depth += 1
        elif char in CLOSING:
            depth -= 1
        elif char == "," and depth == 0:
            parts.append(body[start:place].strip())
            start = place + 1
    parts.append(body[start:].strip())
    return [part for part in parts if part]


def signature(name: str, parameters: list[str], result: str, nested: int = 4) -> list[str]:
    """`def name(self, …) -> result:`, on one line or broken as a formatter would.

    The lines are not indented yet; they will stand `nested` columns in.
    """
    room = WIDTH - nested
    one = f"def {name}({', '.join(parameters)}) -> {result}:"
    if len(one) <= room:
        return [one]
    inner = " " * 4 + ", ".join(parameters)
    if len(inner) <= room:
        return [f"def {name}(", inner, f") -> {result}:"]
    lines = [f"    {parameter}," for parameter in parameters]
    return [f"def {name}(", *lines, f") -> {result}:"]
