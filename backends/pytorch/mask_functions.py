"""Write a mask formula as a function of query and key positions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...compiler.graph import Op
from ...compiler.sizes import Size
from .code.nodes import (
    Binary,
    Bracketed,
    Expr,
    Function,
    If,
    Name,
    Parameter,
    Return,
    Set,
    Slice,
    Statement,
    Unary,
)
from .code.read import constant, expression, statements
from .code.scope import Names
from .code.walk import change, written_for
from .ops.masks import atoms_of, mask_sizes, narrower, tiled
from .sizes import over

DATA = ("attention_mask", "document_ids", "prefix_length", "global_mask")
TENSOR, OPTIONAL, INT = Name("Tensor"), expression("Tensor | None"), Name("int")
START_TO_END, START_TO_STOP = (Slice(Name("start"), Name(end)) for end in ("end", "stop"))


def number(value: Any) -> Any:
    """A named size (a parameter of the function), or a literal."""
    return (
        over(value, lambda field: Name(field.name)) if isinstance(value, Size) else constant(value)
    )


def numbers(atom: Any, **names: int) -> dict[str, Expr]:
    """Arguments of a predicate by name."""
    return {name: number(atom.args[place]) for name, place in names.items()}


def window(atom: Any) -> Any:
    return expression("(k <= q) & (k > q - size)", **numbers(atom, size=0))


def band(atom: Any) -> Any:
    if len(atom.args) == 1:
        return expression("(q - k).abs() <= left", **numbers(atom, left=0))
    return expression("(q - k <= left) & (k - q <= right)", **numbers(atom, left=0, right=1))


def strided(atom: Any) -> Any:
    return expression("(q - k) % stride == 0", **numbers(atom, stride=0))


def fixed(atom: Any) -> Any:
    sizes = numbers(atom, size=0, kept=1)
    same = "(q - first) // size == (k - first) // size"
    return expression(f"({same}) | ((k - first) % size >= size - kept)", **sizes)


def blocks(atom: Any) -> Any:
    if len(atom.args) == 1:
        same = "(q - first) // size == (k - first) // size"
        return expression(same, **numbers(atom, size=0))
    apart = "((q - first) // size - (k - first) // size).abs() <= n"
    return expression(apart, **numbers(atom, size=0, n=1))


def random(atom: Any) -> Any:
    count, size, seed = (number(arg) for arg in (*atom.args, 0)[:3])
    draw = "random_blocks(start, stop, k, end, count, size, seed)"
    return expression(draw, count=count, size=size, seed=seed)


def in_range(letter: str, limits: Any) -> Any:
    """`letter` in a:b; negative limits count from the end."""
    of, parts = Name(letter), []
    if limits.start is not None and limits.start != 0:
        parts.append(expression("of >= start", of=of, start=from_end(limits.start)))
    if limits.stop is not None:
        parts.append(expression("of < stop", of=of, stop=from_end(limits.stop)))
    if not parts:
        return expression("of >= 0", of=of)
    return joined("&", parts)


def from_end(limit: int) -> Any:
    if limit < 0:
        return expression("end - n", n=constant(-limit))
    return constant(int(limit))


def global_(atom: Any) -> Any:
    (arg,) = atom.args
    if arg == "given":
        rows = "global_mask[:, None, start:end, None].bool()"
        return expression(f"{rows} | global_mask[:, None, None, :].bool()")
    if isinstance(arg, int):
        return expression("(q < n) | (k < n)", n=number(arg))
    return expression("rows | columns", rows=in_range("q", arg), columns=in_range("k", arg))


ATOMS: dict[str, Callable[[Any], Any]] = {
    "full": lambda atom: expression("k >= 0"),
    "causal": lambda atom: expression("k <= q"),
    "window": window,
    "band": band,
    "strided": strided,
    "fixed": fixed,
    "blocks": blocks,
    "random": random,
    "prefix": lambda atom: expression("k - first < prefix_length[:, None, None, None]"),
    "documents": lambda atom: expression(
        "document_ids[:, None, start:end, None] == document_ids[:, None, None, :]"
    ),
    "global": global_,
    "keys": lambda atom: in_range("k", atom.args[0]),
    "queries": lambda atom: in_range("q", atom.args[0]),
}


def predicate(formula: Any) -> Any:
    """The formula over q (T, 1) and k (S,)."""
    if hasattr(formula, "part"):
        return Unary("~", Bracketed(predicate(formula.part)))
    if not hasattr(formula, "parts"):
        return ATOMS[formula.name](formula)
    sign = "&" if type(formula).__name__ == "And" else "|"
    names = [getattr(part, "name", "") for part in formula.parts]
    parts = []
    for part in formula.parts:
        if sign == "&" and "causal" in names and getattr(part, "name", "") == "window":
            parts.append(expression("k > q - size", **numbers(part, size=0)))
        else:
            found = predicate(part)
            apart = sign == "|" and isinstance(found, Binary) and found.sign == "&"
            parts.append(Bracketed(found) if apart else found)
    return joined(sign, parts)


def joined(sign: str, parts: list[Any]) -> Any:
    found = parts[0]
    for part in parts[1:]:
        found = _flattened(found, sign, part)
    return found


def _flattened(left: Any, sign: str, right: Any) -> Any:
    """`left sign right`, without parentheses around a right side with the same operator."""
    if isinstance(right, Binary) and right.sign == sign:
        return Binary(_flattened(left, sign, right.left), sign, right.right)
    return Binary(left, sign, right)


COUNTED = ("blocks", "fixed", "prefix")
"""Predicates that count from the first real token of a row."""
FIRST = "first_token_index(attention_mask, like.device)"
KEYS = expression("torch.arange(end, device=like.device)")


def mask_function(
    name: str,
    ops: list[Op],
    *,
    static: bool = False,
    indexed: bool = False,
    strided: bool = False,
) -> Function:
    """The function that computes a mask.

    static: it gets the position of every query
    indexed: it gets the positions of keys, of which a run of queries may attend to some
    strided: it gets both, for every n-th query
    """
    if not tiled(ops[-1]) and len({narrower(op.attrs["formula"]) is None for op in ops}) > 1:
        return causal_or_narrower(name, ops, static=static)
    op = ops[-1]  # sizes that differ are parameters
    held = static and looks_ahead(op.attrs["formula"])
    static, indexed = static or strided, indexed or strided
    formula, implicit = op.attrs["formula"], op.attrs["implicit"] == "causal" and not tiled(op)
    given = [name for name in DATA if op.arg(name)]
    padded = "attention_mask" in given
    admits = _admits(formula, padded=padded, static=static, indexed=indexed)
    if held:
        admits = Binary(Bracketed(admits), "&", expression("(k <= q[-1:])"))
    read = Names([Return(admits)]).outer
    whole = admits == expression("k <= q") and not indexed
    body: list[Statement] = [*_left_to_kernel(implicit, padded, static)]
    if "q" in read:
        body.append(_queries(static=static, indexed=indexed))
    if "k" in read and not (whole or indexed):
        body.append(Set(Name("k"), KEYS, "(S,)"))
    if padded and _counts(formula):
        body.append(Set(Name("first"), expression(FIRST), "(B or 1, 1, 1, 1)"))
    for absent in given:
        body += ABSENT.get(absent, ())
    if whole:
        admits = Binary(KEYS, "<=", Name("q"))
    tokens = "positions.size(0)" if static else "stop - start" if indexed else "end - start"
    seen = "k" if indexed else ":"
    body += _result(formula, admits, read, tokens, seen, padded=padded)
    parameters = (
        Parameter("positions", TENSOR) if static else Parameter("start", INT),
        *([Parameter("stop", INT)] if indexed and not strided else []),
        *([Parameter("k", TENSOR)] if indexed else []),
        Parameter("end", INT),
        *(Parameter(size.code(), INT) for size in mask_sizes(formula)),
        *(Parameter(name, OPTIONAL) for name in given),
        Parameter("like", TENSOR),
    )
    title = _title(formula, implicit=implicit, held=held)
    result = OPTIONAL if implicit else TENSOR
    made_for = Function(name, parameters, result, tuple(body), title)
    found: Function = written_for(made_for, *[op.number for op in ops])
    return found


def _admits(formula: Any, *, padded: bool, static: bool, indexed: bool) -> Expr:
    """The condition of a mask over `q` and `k`, with the names that the function has."""
    queries = Name("positions") if static else START_TO_STOP if indexed else START_TO_END
    admits: Expr = with_queries(predicate(formula), queries)
    if not indexed:
        admits = change(admits, {Name("stop"): Name("end")})
    if static:  # only masks of whole sequences draw blocks by their first query
        admits = change(admits, {Name("start"): constant(0)})
    for data in DATA if indexed else ():
        every, some = (expression(f"{data}[:, None, None, {keys}]") for keys in (":", "k"))
        admits = change(admits, {every: some})
    if _counts(formula) and not padded:
        admits = change(admits, {expression(f"{x} - first"): Name(x) for x in "qk"})
    return admits


def _counts(formula: Any) -> bool:
    """Whether the mask counts tokens from the first one that is not padding."""
    return any(atom.name in COUNTED for atom in atoms_of(formula))


def _queries(*, static: bool, indexed: bool) -> Set:
    """The positions of the queries, as a column."""
    stop = "stop" if indexed else "end"
    made = f"torch.arange(start, {stop}, device=like.device)[:, None]"
    return Set(Name("q"), expression("positions[:, None]" if static else made), "(T, 1)")


def _title(formula: Any, *, implicit: bool, held: bool) -> str:
    title = f"True where query q may attend to key k: {formula.text(argument_name)}."
    if implicit:
        title += " None if `is_causal` is enough."
    if held:
        title += " The cache holds no later keys than the last query's."
    return title


def argument_name(argument: Any) -> str:
    """An argument of a predicate in a docstring: a field of the Config by its name."""
    return argument.code() if isinstance(argument, Size) else str(argument)


def looks_ahead(formula: Any) -> bool:
    """Whether a query may attend to later keys of a prefix: a cache may not hold them yet."""
    parts = formula.parts if type(formula).__name__ == "And" else (formula,)
    causal = any(getattr(part, "name", "") == "causal" for part in parts)
    return not causal and any(atom.name == "prefix" for atom in atoms_of(formula))


MASKED = "mask if attention_mask is None else mask & attention_mask.bool()[:, None, None, :]"
NARROWED = {"window": "in the last `{}`", "blocks": "in the same block"}


def causal_or_narrower(name: str, ops: list[Op], *, static: bool) -> Function:
    """The function of causal masks, some of which have a window or blocks."""
    plain = next(op for op in ops if narrower(op.attrs["formula"]) is None)
    atom = next(part for op in ops if (part := narrower(op.attrs["formula"])) is not None)
    size, padded = atom.args[0].code(), bool(plain.arg("attention_mask"))
    implicit = plain.attrs["implicit"] == "causal"
    queries = (
        "positions[:, None]" if static else "torch.arange(start, end, device=like.device)[:, None]"
    )
    body = (
        *_left_to_kernel(implicit, padded, static, size),
        Set(Name("q"), expression(queries), "(T, 1)"),
        *statements("k = torch.arange(end, device=like.device)  # (S,)\nmask = k <= q  # (T, S)"),
        If(expression("size is not None", size=Name(size)), _narrowed(atom, padded=padded)),
        Return(expression(MASKED if padded else "mask")),
    )
    parameters = (
        Parameter("positions", TENSOR) if static else Parameter("start", INT),
        Parameter("end", INT),
        Parameter(size, expression("int | None")),
        *([Parameter("attention_mask", OPTIONAL)] if padded else []),
        Parameter("like", TENSOR),
    )
    title = f"True where q may attend to k: causal and {NARROWED[atom.name].format(size)}."
    if implicit:
        title += " None if `is_causal` is enough."
    made = Function(name, parameters, OPTIONAL if implicit else TENSOR, body, title)
    found: Function = written_for(made, *[op.number for op in ops])
    return found


def _narrowed(atom: Any, *, padded: bool) -> tuple[Statement, ...]:
    """Restrict the mask to the window or the blocks."""
    if atom.name == "window":
        hidden = expression("k > q - size", **numbers(atom, size=0))
    elif padded:
        first = Set(Name("first"), expression(FIRST), "(B or 1, 1, 1, 1)")
        both = expression("mask & (admits)", admits=Bracketed(predicate(atom)))
        return (first, Set(Name("mask"), both, "(B or 1, 1, T, S)"))
    else:
        hidden = change(predicate(atom), {expression(f"{x} - first"): Name(x) for x in "qk"})
    return (Set(Name("mask"), expression("mask & hidden", hidden=Bracketed(hidden))),)


def with_queries(admits: Any, keys: Any) -> Any:
    """The predicate, with data arguments sliced to the queries."""
    return change(admits, {START_TO_END: keys})


def _result(
    formula: Any, admits: Any, read: set[str], tokens: str, keys: str, *, padded: bool
) -> list[Statement]:
    atoms = atoms_of(formula)
    rows = ("prefix", "documents", *(COUNTED if padded else ()))
    wide = any(a.name in rows or a.args == ("given",) for a in atoms)
    shape = "(B or 1, 1, T, S)" if wide else "(T, S)"
    seen = expression("end" if keys == ":" else "k.size(0)")
    pairs = _of_pairs(atoms, admits, read, expression(tokens), seen)
    if not padded:
        return [Return(pairs, shape)]
    real = f"mask & attention_mask.bool()[:, None, None, {keys}]"
    return [
        Set(Name("mask"), pairs, shape),
        Return(expression(f"mask if attention_mask is None else {real}")),
    ]


def _of_pairs(atoms: list[Any], admits: Any, read: set[str], tokens: Any, seen: Any) -> Any:
    """The expression for all pairs, even if the formula depends only on queries or keys."""
    names = {atom.name for atom in atoms}
    given = any(atom.args == ("given",) for atom in atoms)
    if {"q", "k"} <= read or given or "documents" in names:
        return admits
    if "prefix" not in names:
        return expression("admits.expand(tokens, n)", admits=admits, tokens=tokens, n=seen)
    if "q" in read:
        return admits
    return expression("admits.expand(-1, -1, tokens, -1)", admits=admits, tokens=tokens)


def _absent(name: str, meaning: str, shape: str) -> tuple[Statement, ...]:
    """Defaults of data arguments that are absent."""
    zeros = f"torch.zeros({shape}, dtype=torch.long, device=like.device)"
    return statements(f"if {name} is None:  # {meaning}\n    {name} = {zeros}")


ABSENT = {
    "document_ids": _absent("document_ids", "one document", "1, end"),
    "prefix_length": _absent("prefix_length", "no prefix", "1"),
    "global_mask": _absent("global_mask", "no global token", "1, end"),
}


def _left_to_kernel(
    implicit: bool, padded: bool, static: bool, size: str = ""
) -> tuple[Statement, ...]:
    """Return None if SDPA's `is_causal` is enough; it is not for a mask of some `size`."""
    if not implicit:
        return ()
    test = "positions.size(0) == end" if static else "start == 0 or end - start == 1"
    absent = [f"{name} is None" for name in (size, "attention_mask" if padded else "") if name]
    if absent:
        test = " and ".join([*absent, test if static else f"({test})"])
    return statements(f"if {test}:\n    return None")
