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
    if chain := _chain(line):
        name, terms = chain
        inner = [f"{margin}    {term}" for term in terms]
        return [f"{margin}{name} = (", *inner, f"{margin}){tail}"]
    parts = _split(line)
    if parts is None:
        return [margin + line + tail]
    head, body, end = parts
    inner = " " * (indent + 4)
    middle = [inner + body] if len(inner + body) <= WIDTH else _each(body, indent)
    return [margin + head, *middle, margin + end + tail]


def _chain(line: str) -> tuple[str, list[str]] | None:
    """`mask = a | b | c` as its name and its terms, each but the first led by the operator."""
    name, equals, expression = line.partition(" = ")
    if not equals or not name.isidentifier():
        return None
    for operator in (" | ", " & "):
        depth, start, terms = 0, 0, []
        for place, char in enumerate(expression):
            depth += (char in OPENING) - (char in CLOSING)
            if depth == 0 and expression.startswith(operator, place):
                terms.append(expression[start:place].strip())
                start = place + 1
        if terms:
            return name, [*terms, expression[start:].strip()]
    return None


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
