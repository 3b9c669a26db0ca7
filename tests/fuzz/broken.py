"""Documents broken at random, and what the loader makes of them.

Each is an example, a spec of the tests, or a random valid spec, with one to four mutations: of its
data (keys, types, numbers, subtrees) or of its text (lines, signs, bytes). What comes of it must
be a spec, or errors that each have a file, a line and a column.
"""

from __future__ import annotations

import copy
import random
import signal
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from modelwright.spec import SpecErrors, load, loads

from .shrink import holder, paths
from .specs import random_spec, written
from .work import unit

ROOT = Path(__file__).resolve().parents[2]
LOOPS = 600
"""A document is too slow that takes the CPU time of so many loops of `work`, some seconds."""
BYTES = 500 * 2**20

WORDS: tuple[Any, ...] = (
    "", "x", "none", "null", "~", "true", "rotary", "mha", "moe", "encoder", "decoder", "causal",
    "causal &", "4 * d_model", "1/0 * d_model", "0..2", "a * 99999999", "../../etc/passwd", "\0",
    "__import__('os').system('true')", '"""', "{0}", "%s", "a" * 300,
    "é", "模型", "\u202e", "\ufeff",
    "base.yaml#x", "base.yaml", "~" * 40, "(" * 40, "window(99999999999)", "keys(:)",
    "random(1,1,1)",
)  # fmt: skip
NUMBERS: tuple[Any, ...] = (
    0, -1, 1, 7, 3, 2.5, 1e-9, 10**6, 10**9, 2**31, 2**63, 10**30, -(10**18), 1e308, 1e-308,
    float("inf"), float("nan"), True, False, None,
)  # fmt: skip
SHAPES: tuple[Any, ...] = (
    [], {}, [[]], [{}], ["none"], [1, 2], {"type": "none"}, {"type": "glu"}, {"type": 3},
    {"type": []}, {"heads": 3}, {"a": {"b": "c"}}, [{"type": "learned"}], {"extends": "x.yaml"},
    {"type": "mha", "heads": 2}, {"type": None}, {1: 2}, {True: 1}, {"none": "none"},
)  # fmt: skip
SIGNS = (
    *"{}[]:,#&*!|>'\"%@`\t\n\r -?~0a\\=<",
    "\0",
    "\x1b",
    "\u2028",
    "\u0085",
    "\ufeff",
    "é",
    "\U0001f600",
)
SNIPPETS = (
    "a: &a [*a]\n", "x: &x {y: 1}\nz: *x\n", "<<: {layers: 3}\n", "a: !!binary aGk=\n", "- x\n",
    "!!python/object/apply:os.system [x]\n", "%YAML 1.1\n---\n", "---\n...\n---\n", "name: again\n",
    "? [a, b]\n: c\n", "d: " + "[" * 60 + "\n", "e: " + "{a: " * 60 + "\n", "layers: 1_000\n",
    "f: '" + "x" * 3000 + "'\n", "g: 1" + "0" * 400 + "\n", "layers: 0x10\n", "layers: 1e999\n",
    "extends: ../x.yaml\n", "blocks: {a: {}, a: {}}\n", "pattern: [" + "a, " * 500 + "a]\n",
    "description: |\n  two\n  lines\n", "mask: '" + "~" * 900 + "causal'\n",
)  # fmt: skip


@cache
def originals() -> tuple[str, ...]:
    """The examples and the specs of the tests, as text."""
    folders = [ROOT / "examples", ROOT / "tests" / "spec" / "specs", ROOT / "tests" / "errors"]
    files = [path for folder in folders for path in sorted(folder.glob("*.yaml"))]
    return tuple(path.read_text(encoding="utf-8") for path in files)


@cache
def original_data(place: int) -> Any:
    """The data of an original; nothing where it is no mapping."""
    try:
        data = yaml.safe_load(originals()[place])
    except (yaml.YAMLError, ValueError, TypeError, RecursionError):
        return None
    return data if isinstance(data, dict) else None


@cache
def keys() -> tuple[str, ...]:
    """Every key that an original uses."""
    found: set[str] = set()
    for text in originals():
        found |= {line.strip(" -{").partition(":")[0] for line in text.splitlines() if ":" in line}
    return tuple(sorted(key for key in found if key.isidentifier()))


# -- data


def at_random(dice: random.Random, data: Any) -> tuple[Any, Any]:
    """A place: what holds it, and its key."""
    path = dice.choice(list(paths(data)) or [("name",)])
    return holder(data, path), path[-1]


def replace(dice: random.Random, data: Any) -> None:
    inner, key = at_random(dice, data)
    inner[key] = copy.deepcopy(dice.choice(dice.choice((WORDS, NUMBERS, SHAPES))))


def remove(dice: random.Random, data: Any) -> None:
    inner, key = at_random(dice, data)
    if len(data) > 1:
        inner.pop(key)


def rename(dice: random.Random, data: Any) -> None:
    inner, key = at_random(dice, data)
    if isinstance(inner, dict):
        letters = list(str(key))
        if letters and dice.random() < 0.5:
            place = dice.randrange(len(letters))
            letters[place : place + dice.randrange(2)] = [dice.choice("aeiou_-9 ")]
        new = "".join(letters) if dice.random() < 0.6 else dice.choice(keys())
        inner[new] = inner.pop(key)


def swap(dice: random.Random, data: Any) -> None:
    one, first = at_random(dice, data)
    other, second = at_random(dice, data)
    one[first], other[second] = copy.deepcopy(other[second]), copy.deepcopy(one[first])


def nest(dice: random.Random, data: Any) -> None:
    inner, key = at_random(dice, data)
    for _ in range(dice.choice((1, 2, 40))):
        inner[key] = {dice.choice(keys()): inner[key]} if dice.random() < 0.5 else [inner[key]]


def add(dice: random.Random, data: Any) -> None:
    inner, _ = at_random(dice, data)
    if isinstance(inner, dict):
        inner[dice.choice(keys())] = copy.deepcopy(
            dice.choice(dice.choice((WORDS, NUMBERS, SHAPES)))
        )


def many(dice: random.Random, data: Any) -> None:
    inner, key = at_random(dice, data)
    count = dice.choice((3, 50, 2000))
    if dice.random() < 0.5:
        inner[key] = [copy.deepcopy(inner[key])] * min(count, 300)
    else:
        inner[key] = {f"k{number}": dice.choice(NUMBERS) for number in range(count)}


DATA: tuple[Callable[[random.Random, Any], None], ...] = (
    replace, replace, replace, remove, rename, rename, swap, nest, add, add, many,
)  # fmt: skip


# -- text


def line_lost(dice: random.Random, text: str) -> str:
    lines = text.splitlines(keepends=True) or [""]
    del lines[dice.randrange(len(lines))]
    return "".join(lines)


def lines_swapped(dice: random.Random, text: str) -> str:
    lines = text.splitlines(keepends=True) or [""]
    one, other = dice.randrange(len(lines)), dice.randrange(len(lines))
    lines[one], lines[other] = lines[other], lines[one]
    return "".join(lines)


def line_again(dice: random.Random, text: str) -> str:
    lines = text.splitlines(keepends=True) or [""]
    line = dice.choice(lines)
    return "".join([*lines, line * dice.choice((1, 3))])


def cut(dice: random.Random, text: str) -> str:
    return text[: dice.randrange(len(text) + 1)]


def noise(dice: random.Random, text: str) -> str:
    letters = list(text) or [" "]
    for _ in range(dice.choice((1, 2, 5, 20))):
        place = dice.randrange(len(letters))
        letters[place : place + dice.randrange(3)] = dice.choice((*SIGNS, ""))
        letters = letters or [" "]
    return "".join(letters)


def snippet(dice: random.Random, text: str) -> str:
    lines = text.splitlines(keepends=True)
    lines.insert(dice.randrange(len(lines) + 1), dice.choice(SNIPPETS))
    return "".join(lines)


def indented(dice: random.Random, text: str) -> str:
    lines = text.splitlines(keepends=True) or [""]
    place = dice.randrange(len(lines))
    lines[place] = dice.choice((" ", "   ", "\t")) + lines[place]
    return "".join(lines)


def long(dice: random.Random, text: str) -> str:
    return text + dice.choice(("# ", "x: [", "y: ", "\n" * 9, "- ")) * dice.choice(
        (30, 3000, 20000)
    )


TEXT: tuple[Callable[[random.Random, str], str], ...] = (
    line_lost, lines_swapped, line_again, cut, noise, noise, noise, snippet, snippet, indented,
    long,
)  # fmt: skip


def broken_document(seed: int) -> bytes:
    """The document of a seed, as the bytes of a file: mutations of its data, then of its text."""
    dice = random.Random(seed)
    count = dice.choice((1, 1, 2, 4))
    of_data = sum(dice.random() < 0.55 for _ in range(count))
    if dice.random() < 0.5:
        place = dice.randrange(len(originals()))
        text, data = originals()[place], copy.deepcopy(original_data(place))
    else:
        data = copy.deepcopy(random_spec(dice.randrange(5000)).data)  # it shares parts
        text = written(data)
    if of_data and data:
        for _ in range(of_data):
            dice.choice(DATA)(dice, data)
        text = written(data, dice.choice((False, None)))
    for _ in range(count - of_data):
        text = dice.choice(TEXT)(dice, text)
    raw = text.encode("utf-8", "surrogatepass")
    if dice.random() < 0.05:
        letters = bytearray(raw or b" ")
        for _ in range(dice.choice((1, 4, 40))):
            letters[dice.randrange(len(letters))] = dice.randrange(256)
        raw = bytes(letters)
    return raw


@dataclass(frozen=True)
class Reading:
    """What came of a document: `valid`, `refused`, or a fault, and how it shows."""

    seed: int
    word: str
    what: str = ""
    seconds: float = 0


class TooSlowError(Exception):
    pass


@cache
def allowed() -> float:
    """CPU seconds of this machine for a document; at least two."""
    return max(2, LOOPS * unit())


@contextmanager
def limited(seconds: float) -> Iterator[None]:
    """Raise TooSlowError after so many seconds of this process's own time."""

    def stop(*_: object) -> None:
        raise TooSlowError

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def read(seed: int, folder: Path, *, lowered: bool) -> Reading:
    """Load the document of a seed from a file, or as text; lower it too, now and then."""
    raw = broken_document(seed)
    try:
        with limited(allowed()):
            if seed % 3:
                spec = loads(raw.decode("utf-8"), "broken.yaml")
            else:
                path = folder / "broken.yaml"
                path.write_bytes(raw)
                spec = load(path)
            if lowered:
                from modelwright.compiler import lower

                lower(spec)
    except SpecErrors as error:
        return located(seed, error)
    except UnicodeDecodeError:
        return Reading(seed, "refused", "not UTF-8")
    except TooSlowError:
        return Reading(seed, "slow", f"more than {allowed():.1f} s of CPU time")
    except BaseException as error:
        return Reading(seed, "traceback", f"{type(error).__name__}: {error}"[:300])
    return Reading(seed, "valid")


def located(seed: int, error: SpecErrors) -> Reading:
    """Every problem has a place, and words."""
    text = str(error)
    for problem in error.problems:
        mark = problem.mark
        if not mark.file or mark.line < 1 or mark.column < 1:
            return Reading(
                seed, "no place", f"{mark.file}:{mark.line}:{mark.column}: {problem.message}"
            )
        if "BROKEN" in problem.message or not problem.message.strip():
            return Reading(seed, "no words", problem.message)
    if len(text) > 2_000_000:
        return Reading(seed, "endless", f"{len(text):,} characters of errors")
    return Reading(seed, "refused", str(len(error.problems)))


def read_many(seeds: range, *, share: int = 20) -> list[Reading]:
    """Read documents one after another; one in `share` is lowered too, if it is valid."""
    with tempfile.TemporaryDirectory() as folder:
        return [read(seed, Path(folder), lowered=seed % share == 0) for seed in seeds]
