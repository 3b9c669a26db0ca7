"""A mask formula as a small function of query and key positions, from its predicate tree."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ...compiler.graph import Op
from ...compiler.sizes import Size
from .layout import signature
from .ops.masks import atoms_of, mask_sizes
from .text import ATOM, BITAND, COMPARE, Expr, Line, literal

DATA = ("attention_mask", "document_ids", "prefix_length", "global_mask")
ANNOTATIONS = {"attention_mask": "Tensor | None"}


def number(value: Any) -> str:
    """A size by its field's name (a parameter of the function), or a literal."""
    return value.code() if isinstance(value, Size) else literal(value)


def window(atom: Any) -> Expr:
    size = number(atom.args[0])
    return Expr(f"(k <= q) & (k > q - {size})", BITAND)


def band(atom: Any) -> Expr:
    left = number(atom.args[0])
    if len(atom.args) == 1:
        return Expr(f"(q - k).abs() <= {left}", COMPARE)
    return Expr(f"(q - k <= {left}) & (k - q <= {number(atom.args[1])})", BITAND)


def fixed(atom: Any) -> Expr:
    size, kept = number(atom.args[0]), number(atom.args[1])
    return Expr(f"(q // {size} == k // {size}) | (k % {size} >= {size} - {kept})", BITAND - 1)


def blocks(atom: Any) -> Expr:
    size = number(atom.args[0])
    if len(atom.args) == 1:
        return Expr(f"q // {size} == k // {size}", COMPARE)
    return Expr(f"(q // {size} - k // {size}).abs() <= {number(atom.args[1])}", COMPARE)


def random(atom: Any) -> Expr:
    names = [number(arg) for arg in (*atom.args, 0)[:3]]
    return Expr(f"random_blocks(q, k, {', '.join(names)})")


def in_range(letter: str, limits: Any) -> Expr:
    """`letter` in a:b; negative limits count from the end."""
    parts = []
    if limits.start is not None and limits.start != 0:
        parts.append(f"{letter} >= {_from_end(limits.start)}")
    if limits.stop is not None:
        parts.append(f"{letter} < {_from_end(limits.stop)}")
    if not parts:
        return Expr(f"{letter} >= 0", COMPARE)
    if len(parts) == 1:
        return Expr(parts[0], COMPARE)
    return Expr(" & ".join(f"({part})" for part in parts), BITAND)


def _from_end(limit: int) -> str:
    return f"end - {-limit}" if limit < 0 else str(int(limit))


def global_(atom: Any) -> Expr:
    (arg,) = atom.args
    if arg == "given":
        given = "global_mask[:, None, start:end, None].bool()"
        return Expr(f"{given} | global_mask[:, None, None, :].bool()", BITAND - 1)
    if isinstance(arg, int):
        return Expr(f"(q < {number(arg)}) | (k < {number(arg)})", BITAND - 1)
    rows, columns = in_range("q", arg), in_range("k", arg)
    return Expr(f"{rows.at(BITAND)} | {columns.at(BITAND)}", BITAND - 1)


ATOMS: dict[str, Callable[[Any], Expr]] = {
    "full": lambda atom: Expr("k >= 0", COMPARE),
    "causal": lambda atom: Expr("k <= q", COMPARE),
    "window": window,
    "band": band,
    "strided": lambda atom: Expr(f"(q - k) % {number(atom.args[0])} == 0", COMPARE),
    "fixed": fixed,
    "blocks": blocks,
    "random": random,
    "prefix": lambda atom: Expr("k < prefix_length[:, None, None, None]", COMPARE),
    "documents": lambda atom: Expr(
        "document_ids[:, None, start:end, None] == document_ids[:, None, None, :]", COMPARE
    ),
    "global": global_,
    "keys": lambda atom: in_range("k", atom.args[0]),
    "queries": lambda atom: in_range("q", atom.args[0]),
}


def predicate(formula: Any) -> Expr:
    """The formula over q (T, 1) and k (S,)."""
    if hasattr(formula, "part"):
        return Expr(f"~({predicate(formula.part)})", BITAND + 3)
    if hasattr(formula, "parts"):
        sign, binding = ("&", BITAND) if type(formula).__name__ == "And" else ("|", BITAND - 1)
        texts = []
        names = [getattr(part, "name", "") for part in formula.parts]
        for part in formula.parts:
            expression = predicate(part)
            if sign == "&" and "causal" in names and getattr(part, "name", "") == "window":
                expression = Expr(f"k > q - {number(part.args[0])}", COMPARE)
            tight = expression.binding > BITAND or expression.binding == binding
            texts.append(str(expression) if tight else f"({expression})")
        return Expr(f" {sign} ".join(texts), binding)
    return ATOMS[formula.name](formula)


def write_mask(name: str, op: Op, *, static: bool) -> list[Line]:
    """The function that makes one mask; `static` where it is told the place of every query."""
    formula = op.attrs["formula"]
    given = [name for name, value in zip(DATA, op.inputs, strict=True) if value]
    sizes = [f"{size.code()}: int" for size in mask_sizes(formula)]
    data = [f"{name}: {ANNOTATIONS.get(name, 'Tensor | None')}" for name in given]
    implicit = op.attrs["implicit"] == "causal"
    first = "place: Tensor" if static else "start: int"
    parameters = [first, "end: int", *sizes, *data, "like: Tensor"]
    result = "Tensor | None" if implicit else "Tensor"
    lines = [Line(text) for text in signature(name, parameters, result, nested=0)]
    padded = "attention_mask" in given
    body = [*_title(formula, implicit), *_implicit(implicit, padded, static)]
    admits = predicate(formula)
    if re.search(r"\bq\b", admits.text):
        queries = "place" if static else "torch.arange(start, end, device=like.device)"
        body.append(Line(f"q = {queries}[:, None]", "(T, 1)"))
    if re.search(r"\bk\b", admits.text):
        body.append(Line("k = torch.arange(end, device=like.device)", "(S,)"))
    wide = {atom.name for atom in atoms_of(formula)} & {"prefix", "documents"} or any(
        atom.args == ("given",) for atom in atoms_of(formula)
    )
    shape = "(B or 1, 1, T, S)" if wide else "(T, S)"
    optional = [name for name in given if name != "attention_mask"]
    body += _when_absent(optional)
    if padded:
        body.append(Line(f"mask = {_of_pairs(formula, admits)}", shape))
        body.append(Line("if attention_mask is not None:"))
        hidden = "mask = mask & attention_mask.bool()[:, None, None, :]"
        body.append(Line(hidden, "(B, 1, T, S)", indent=1))
        body.append(Line("return mask"))
    else:
        body.append(Line(f"return {_of_pairs(formula, admits)}", shape))
    if static:
        body = [replace(line, text=_by_place(line.text)) for line in body]
    return lines + [Line(x.text, x.comment, op.number, x.indent + 1) for x in body]


def _by_place(text: str) -> str:
    """The same of the tokens that stand at `place` instead of from `start` to `end`."""
    return text.replace("start:end", "place").replace("end - start", "place.size(0)")


def _of_pairs(formula: Any, admits: Expr) -> Expr:
    """The expression over all pairs, also where the formula asks for one side of them only."""
    names = {atom.name for atom in atoms_of(formula)}
    given = any(atom.args == ("given",) for atom in atoms_of(formula))
    sides = {side for side in "qk" if re.search(rf"\b{side}\b", admits.text)}
    if sides == {"q", "k"} or given or "documents" in names:
        return admits
    if "prefix" not in names:
        return Expr(f"{admits.at(ATOM)}.expand(end - start, end)")
    return admits if "q" in sides else Expr(f"{admits.at(ATOM)}.expand(-1, -1, end - start, -1)")


ABSENT = {
    "document_ids": ("one document", "torch.zeros(1, end, dtype=torch.long, device=like.device)"),
    "prefix_length": ("no prefix", "torch.zeros(1, dtype=torch.long, device=like.device)"),
    "global_mask": ("no global token", "torch.zeros(1, end, dtype=torch.long, device=like.device)"),
}


def _when_absent(names: list[str]) -> list[Line]:
    """What data that the formula speaks of is, when it is not given."""
    lines = []
    for name in names:
        meaning, neutral = ABSENT[name]
        lines.append(Line(f"if {name} is None:  # {meaning}"))
        lines.append(Line(f"{name} = {neutral}", indent=1))
    return lines


def _title(formula: Any, implicit: bool) -> list[Line]:
    text = f"True where query q may see key k: {formula}."
    if implicit:
        text += " None where the kernel's own causal mask does."
    return [Line(f'"""{text}"""')]


def _implicit(implicit: bool, padded: bool, static: bool) -> list[Line]:
    if not implicit:
        return []
    known = "start == 0 or end - start == 1"
    if static:
        return [
            Line(f"if {'attention_mask is None and ' if padded else ''}place.size(0) == end:"),
            Line("return None", indent=1),
        ]
    return [
        Line(f"if attention_mask is None and ({known}):" if padded else f"if {known}:"),
        Line("return None", indent=1),
    ]


def uses_random(op: Op) -> bool:
    return any(atom.name == "random" for atom in atoms_of(op.attrs["formula"]))
