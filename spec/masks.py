"""Masks: formulas of predicates with `&`, `|`, `~` and parentheses, parsed into a tree.

A query at index q may attend to a key at index k if the formula is true. Both count from 0 over all
tokens, including cached ones, so a step with a cache uses the same formula as training. The
predicates:

    full           all pairs
    causal         k <= q
    window(n)      q - n < k <= q: the last n tokens, including the query itself
    band(n)        |q - k| <= n
    band(l, r)     -r <= q - k <= l: l keys to the left, r to the right
    strided(n)     (q - k) mod n = 0
    fixed(n, c)    floor(q / n) = floor(k / n), or k mod n >= n - c: the same block of n, or one
                   of the last c keys of any block (Child et al., 2019, arXiv:1904.10509)
    blocks(n)      floor(q / n) = floor(k / n)
    blocks(n, m)   |floor(q / n) - floor(k / n)| <= m
    random(n, m, s)  for each block of n queries, m pseudo-random blocks of n keys; seed s (0)
                   (Zaheer et al., 2020, arXiv:2007.14062)
    prefix         k < prefix_length, an argument with one number per row, (B,)
    documents      document_ids, an argument (B, S), is equal at q and at k
    global(a:b)    a <= q < b or a <= k < b; negative numbers count from the end; global(n)
                   is global(0:n)
    global(given)  global_mask, an argument (B, S), is 1 at q or at k
    keys(a:b)      a <= k < b; numbers as for global
    queries(a:b)   a <= q < b; numbers as for global

For `random`, each pair of a query block i and a key block j has a pseudo-random number x: start
with x = (92837111 i XOR 689287499 j XOR 283923481 s) AND 0x7FFFFFFF, then apply x = 48271 x mod
2147483647 twice. The queries of block i attend to the m key blocks with the smallest x; ties go to
the lower j.

"The end" is the number of tokens seen so far. Padding is never attended to. In `fixed`, `blocks`
and `prefix`, indices count from the first token of a row that is not padding; in all others, from
the first token of the row.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from ..display import Displayed
from .errors import choices

MAX_LENGTH = 1000
MAX_DEPTH = 24
MAX_NUMBER = 1_000_000_000


class MaskError(ValueError):
    """An invalid formula; `offset` is the index of the first wrong character."""

    def __init__(self, message: str, offset: int = 0) -> None:
        super().__init__(message)
        self.offset = offset


@dataclass(frozen=True)
class Range:
    """Positions from start up to, not including, stop; None is the beginning or the end."""

    start: int | None
    stop: int | None

    def __str__(self) -> str:
        start, stop = ("" if end is None else str(end) for end in (self.start, self.stop))
        return f"{start}:{stop}"


Argument = int | Range | str
"""An argument of a predicate: a number, a range, or the word `given`."""

# name -> minimum of each argument; the last `optional` ones may be omitted
NUMBERS: dict[str, tuple[tuple[int, ...], int]] = {
    "full": ((), 0),
    "causal": ((), 0),
    "prefix": ((), 0),
    "documents": ((), 0),
    "window": ((1,), 0),
    "band": ((0, 0), 1),
    "strided": ((1,), 0),
    "fixed": ((1, 1), 0),
    "blocks": ((1, 0), 1),
    "random": ((1, 1, 0), 1),
}
RANGES = ("global", "keys", "queries")
ATOMS = (*NUMBERS, *RANGES)


@dataclass(frozen=True)
class Mask(Displayed):
    """Base class of formulas. `str` prints one, and `parse_mask` parses it to an equal tree."""

    def __and__(self, other: Mask) -> Mask:
        return And((self, other))

    def __or__(self, other: Mask) -> Mask:
        return Or((self, other))

    def __invert__(self) -> Mask:
        return Not(self)


@dataclass(frozen=True)
class Atom(Mask):
    """One predicate by name, such as `window(8)`. Raises MaskError if it is invalid."""

    name: str
    args: tuple[Argument, ...] = ()

    def __post_init__(self) -> None:
        if self.name not in ATOMS:
            raise MaskError(f"unknown mask `{self.name}`; {_instead(self.name)}")
        problem = _range_problem(self) if self.name in RANGES else _number_problem(self)
        if problem:
            raise MaskError(problem)
        if self.name in RANGES and isinstance(self.args[0], int):
            object.__setattr__(self, "args", (Range(0, self.args[0]),))
        if self.name == "random" and len(self.args) == 2:
            object.__setattr__(self, "args", (*self.args, 0))

    def __str__(self) -> str:
        return f"{self.name}({', '.join(map(str, self.args))})" if self.args else self.name


@dataclass(frozen=True)
class And(Mask):
    """True if all parts are true. Nested `And`s are flattened."""

    parts: tuple[Mask, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "parts", _flat(And, self.parts))

    def __str__(self) -> str:
        return " & ".join(f"({p})" if isinstance(p, Or) else str(p) for p in self.parts)


@dataclass(frozen=True)
class Or(Mask):
    """True if any part is true. Nested `Or`s are flattened."""

    parts: tuple[Mask, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "parts", _flat(Or, self.parts))

    def __str__(self) -> str:
        return " | ".join(map(str, self.parts))


@dataclass(frozen=True)
class Not(Mask):
    """True if `part` is false."""

    part: Mask

    def __str__(self) -> str:
        return f"~({self.part})" if isinstance(self.part, (And, Or)) else f"~{self.part}"


_OTHER_NAMES = {  # names of masks and operators in other libraries -> here
    "sliding_window": "window(…)", "sliding": "window(…)", "local": "window(…)",
    "swa": "window(…)", "bidirectional": "full", "all": "full", "dense": "full", "none": "full",
    "autoregressive": "causal", "lower_triangular": "causal", "tril": "causal",
    "future": "causal", "dilated": "strided(…)", "block": "blocks(…)", "chunked": "blocks(…)",
    "prefix_lm": "causal | prefix", "document": "documents", "packed": "documents",
    "and": "&", "or": "|", "not": "~",
}  # fmt: skip


def _instead(word: str) -> str:
    """The end of a message about an unknown mask."""
    other = _OTHER_NAMES.get(word.lower())
    return f"write `{other}`" if other else choices(word, ATOMS)


def _flat(kind: type[And] | type[Or], parts: tuple[Mask, ...]) -> tuple[Mask, ...]:
    flat = tuple(q for p in parts for q in (p.parts if isinstance(p, kind) else (p,)))
    if len(flat) < 2:
        raise MaskError("`&` and `|` need at least two masks")
    return flat


def _range_problem(atom: Atom) -> str | None:
    also = " or `given`" if atom.name == "global" else ""
    problem = f"{atom.name}(…) takes a number or a range such as 0:8{also}"
    if len(atom.args) != 1:
        return problem
    argument = atom.args[0]
    if isinstance(argument, str):
        return None if argument == "given" and atom.name == "global" else problem
    if isinstance(argument, int):
        return (
            None
            if 1 <= argument <= MAX_NUMBER
            else f"{problem}; a number must be above 0, not {argument}"
        )
    start, stop = argument.start or 0, argument.stop
    if any(abs(end or 0) > MAX_NUMBER for end in (start, stop)):
        return f"{atom.name}(…) takes numbers up to {MAX_NUMBER:,}"
    if stop is not None and (start < 0) == (stop < 0) and start >= stop:
        return f"{atom.name}({argument}) is an empty range: {start} is not below {stop}"
    return None


def _number_problem(atom: Atom) -> str | None:
    least, optional = NUMBERS[atom.name]
    most, count = len(least), len(atom.args)
    if not most - optional <= count <= most:
        wanted = f"{most - optional} to {most} numbers" if optional else f"{most} number(s)"
        if most == 0:
            return f"{atom.name} takes no arguments"
        wanted = wanted.replace("1 number(s)", "one number").replace("number(s)", "numbers")
        given = f"{count or 'none'} {'is' if count < 2 else 'are'} given"
        return f"{atom.name}(…) takes {wanted}, but {given}"
    for argument, low in zip(atom.args, least, strict=False):
        if isinstance(argument, bool) or not isinstance(argument, int):
            return f"{atom.name}(…) takes numbers, not `{argument}`"
        if not low <= argument <= MAX_NUMBER:
            return f"{atom.name}(…) takes numbers from {low} to {MAX_NUMBER:,}, not {argument}"
    if atom.name == "fixed" and isinstance(atom.args[0], int) and isinstance(atom.args[1], int):
        n, c = atom.args[0], atom.args[1]
        if c > n:
            return f"fixed({n}, {c}): the second number must be at most the first"
    return None


def atoms(mask: Mask) -> Iterator[Atom]:
    """All predicates of a mask, from left to right."""
    if isinstance(mask, Atom):
        yield mask
    elif isinstance(mask, Not):
        yield from atoms(mask.part)
    elif isinstance(mask, (And, Or)):
        for part in mask.parts:
            yield from atoms(part)


TOKEN = re.compile(
    r"\s*(?:(?P<op>[&|~(),])|(?P<range>-?\d*:-?\d*)|(?P<number>-?\d+)|(?P<name>[A-Za-z_]+))"
)


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str
    offset: int

    def __str__(self) -> str:
        return f"`{self.text}`" if self.text else "the end"


@lru_cache(maxsize=256)
def parse_mask(text: str) -> Mask:
    """Read a formula: `causal & window(8)` -> And((Atom("causal"), Atom("window", (8,)))).

    `&` binds tighter than `|`, `~` tighter than both. Raises MaskError with the offset.
    """
    if len(text) > MAX_LENGTH:
        raise MaskError(f"a mask can have at most {MAX_LENGTH:,} characters, not {len(text):,}")
    return _Parser(_tokens(text)).formula()


def _tokens(text: str) -> list[_Token]:
    tokens: list[_Token] = []
    place = 0
    while text[place:].strip():
        match = TOKEN.match(text, place)
        if not match or match.lastgroup is None:
            place += len(text[place:]) - len(text[place:].lstrip())
            raise MaskError(f"unexpected `{text[place]}`", place)
        tokens.append(_Token(match.lastgroup, match[match.lastgroup], match.start(match.lastgroup)))
        place = match.end()
    return [*tokens, _Token("end", "", len(text))]


class _Parser:
    """Recursive-descent parser with bounded depth."""

    def __init__(self, tokens: list[_Token]) -> None:
        self.tokens, self.place, self.depth = tokens, 0, 0

    @property
    def here(self) -> _Token:
        return self.tokens[self.place]

    def take(self, sign: str) -> bool:
        found = self.here.kind == "op" and self.here.text == sign
        self.place += found
        return found

    def expect(self, sign: str, *, closing: bool = False) -> None:
        """Take a sign. closing: a `)` would also have been right."""
        if not self.take(sign):
            either = " or `)`" if closing else ""
            raise MaskError(f"expected `{sign}`{either} before {self.here}", self.here.offset)

    def formula(self) -> Mask:
        mask = self.either()
        if self.here.kind != "end":
            other = _OTHER_NAMES.get(self.here.text.lower(), "")
            hint = f"; write `{other}`" if other in ("&", "|", "~") else ""
            raise MaskError(
                f"expected `&`, `|` or the end, not {self.here}{hint}", self.here.offset
            )
        return mask

    def either(self) -> Mask:
        parts = [self.both()]
        while self.take("|"):
            parts.append(self.both())
        return Or(tuple(parts)) if len(parts) > 1 else parts[0]

    def both(self) -> Mask:
        parts = [self.single()]
        while self.take("&"):
            parts.append(self.single())
        return And(tuple(parts)) if len(parts) > 1 else parts[0]

    def single(self) -> Mask:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise MaskError(
                f"a mask can be nested at most {MAX_DEPTH} levels deep", self.here.offset
            )
        if self.take("~"):
            mask: Mask = Not(self.single())
        elif self.take("("):
            mask = self.either()
            self.expect(")")
        else:
            mask = self.atom()
        self.depth -= 1
        return mask

    def atom(self) -> Mask:
        name = self.here
        if name.kind != "name":
            raise MaskError(f"expected a mask such as `causal`, not {name}", name.offset)
        self.place += 1
        arguments: list[Argument] = []
        if name.text in ATOMS and self.take("("):
            while not self.take(")"):
                arguments.append(self.argument())
                if not (self.here.kind == "op" and self.here.text == ")"):
                    self.expect(",", closing=True)
        try:
            return Atom(name.text, tuple(arguments))
        except MaskError as error:
            raise MaskError(str(error), name.offset) from None

    def argument(self) -> Argument:
        token = self.here
        self.place += 1
        if token.kind == "number" and len(token.text) <= 12:
            return int(token.text)
        if token.kind == "range" and len(token.text) <= 25:
            start, stop = (int(end) if end else None for end in token.text.split(":"))
            return Range(start, stop)
        if token.kind == "name":
            return token.text
        raise MaskError(f"expected a number, a range or `)`, not {token}", token.offset)
