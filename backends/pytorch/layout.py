"""Text layout of emitted code: lines of at most 100 columns, broken where a formatter would."""

from __future__ import annotations

WIDTH = 100
OPENING, CLOSING = "([{", ")]}"


def wrap(line: str, indent: int, comment: str = "") -> list[str]:
    """One logical line of code as physical lines, with the comment on the last that fits."""
    margin = " " * indent
    tail = f"  # {comment}" if comment else ""
    if len(margin + line + tail) <= WIDTH:
        return [margin + line + tail]
    if comment and len(margin + line) <= WIDTH and _split(line) is None:
        return [f"{margin}# {comment}", margin + line]
    if comment and line.startswith("return ") and len(margin + line) <= WIDTH:
        return [margin + line]
    parts = _split(line)
    if parts is None:
        return [margin + line + tail]
    head, body, end = parts
    inner = " " * (indent + 4)
    middle = [inner + body] if len(inner + body) <= WIDTH else _each(body, indent)
    return [margin + head, *middle, margin + end + tail]


def _each(body: str, indent: int) -> list[str]:
    """One argument to a line, each with a trailing comma."""
    lines: list[str] = []
    parts = _arguments(body)
    for part in parts:
        comma = "," if len(parts) > 1 else ""
        lines.extend(wrap(part + comma, indent + 4))
    return lines


def _split(line: str) -> tuple[str, str, str] | None:
    """Head up to the last outer opening bracket that has content, its content, and the rest."""
    depth, start, best = 0, -1, None
    for place, char in enumerate(line):
        if char in OPENING:
            if depth == 0:
                start = place
            depth += 1
        elif char in CLOSING:
            depth -= 1
            if depth == 0 and place > start + 1:
                best = (line[: start + 1], line[start + 1 : place], line[place:])
    return best


def _arguments(body: str) -> list[str]:
    """The parts between top-level commas."""
    parts, depth, start = [], 0, 0
    for place, char in enumerate(body):
        if char in OPENING:
            depth += 1
        elif char in CLOSING:
            depth -= 1
        elif char == "," and depth == 0:
            parts.append(body[start:place].strip())
            start = place + 1
    parts.append(body[start:].strip())
    return [part for part in parts if part]


def signature(name: str, parameters: list[str], result: str, indent: int) -> list[str]:
    """`def name(self, …) -> result:`, on one line or broken as a formatter would."""
    margin = " " * indent
    one = f"{margin}def {name}({', '.join(parameters)}) -> {result}:"
    if len(one) <= WIDTH:
        return [one]
    inner = " " * (indent + 4) + ", ".join(parameters)
    if len(inner) <= WIDTH:
        return [f"{margin}def {name}(", inner, f"{margin}) -> {result}:"]
    lines = [f"{' ' * (indent + 4)}{parameter}," for parameter in parameters]
    return [f"{margin}def {name}(", *lines, f"{margin}) -> {result}:"]
