"""A spec is data: nothing in it becomes code."""

from __future__ import annotations

import ast
import json
from functools import cache

import pytest
from variations import DECODER, HEADLESS, TWO_MEMORIES

from modelwright.backends.pytorch import emit_file, import_text, instantiate
from modelwright.backends.pytorch.helpers import places
from modelwright.compiler import lower
from modelwright.spec import SpecErrors, loads

HOSTILE = (
    "a'b",
    'a"b',
    "a\nb",
    'a"""b',
    "a\\",
    "a\\n",
    "__import__('os').system('true')",
    'x"""\n__import__("os")\n"""',
    "x: pass\nimport os",
    "x(nn.Module): pass #",
    "config.d_model",
    "a b",
    "é́",
    "模型",
    "ａ",
    "a\u2028b",
    "a\u202eb",
    "a\x00b",
    "a;b",
    "{0}",
    "{self}",
    "%s",
    "\0init",
    "#",
    "",
    " ",
    "import",
    "None",
    "__class__",
    "a" * 5000,
)

PLACES = {
    "name": "name={}",
    "block": "blocks={{{}: {{}}}}",
    "stack": None,
    "head": None,
    "argument": "input={{argument: {}}}",
    "added argument": "input={{add: {{{}: 3}}}}",
    "activation": "activation={}",
    "mask": "mask={}",
    "type": "norm={{type: {}}}",
    "size": "feed_forward={{d_ff: {}}}",
    "key": "{}=3",
}


def text_with(place: str, word: str) -> tuple[str, tuple[str, ...]]:
    """A spec with the word, quoted as YAML quotes it, in this place."""
    quoted = json.dumps(word)
    if place == "stack":
        inner = DECODER.replace("family: decoder-only\n", "")
        return inner + f"stacks: {{{quoted}: {{mask: causal}}}}\n", ()
    if place == "head":
        return DECODER.replace(HEADLESS, "") + f"heads: {{{quoted}: language_model}}\n", ()
    if place == "name":
        return DECODER.replace("name: small", f"name: {quoted}"), ()
    form = PLACES[place]
    assert form is not None
    return DECODER, (form.format(quoted),)


def calls(root: ast.AST) -> set[str]:
    return {ast.unparse(node.func) for node in ast.walk(root) if isinstance(node, ast.Call)}


def assert_harmless(text: str) -> None:
    """The file compiles, and calls and imports what an ordinary one does."""
    root = ast.parse(text)
    assert not {"__import__", "eval", "exec", "compile", "open", "getattr"} & calls(root)
    imports = [node for node in root.body if isinstance(node, (ast.Import, ast.ImportFrom))]
    assert len(imports) <= 6
    assert not any(isinstance(node, ast.Expr) for node in root.body[1:]), "no bare expressions"


@pytest.mark.sampled(12)
@pytest.mark.parametrize("word", HOSTILE)
@pytest.mark.parametrize("place", PLACES)
def test_names_are_refused_or_harmless(place: str, word: str) -> None:
    text, sets = text_with(place, word)
    try:
        spec = loads(text, sets=sets)
    except SpecErrors:
        return
    assert_harmless(emit_file(lower(spec)).text)


@pytest.mark.parametrize("place", ["name", "stack", "argument", "added argument"])
@pytest.mark.parametrize("word", HOSTILE[:9])
def test_names_with_quotes_and_newlines_are_refused(place: str, word: str) -> None:
    text, sets = text_with(place, word)
    with pytest.raises(SpecErrors):
        loads(text, sets=sets)


@cache
def plain_body() -> list[str]:
    """What stands below the docstring of a file without a description."""
    return [ast.dump(node) for node in ast.parse(emit_file(lower(loads(DECODER))).text).body[1:]]


@pytest.mark.sampled(2)
@pytest.mark.parametrize("word", [word for word in HOSTILE if len(word) < 200])
def test_a_description_stays_within_the_docstring(word: str) -> None:
    for shape in ("{}", "Says {} twice: {}.", "{}" + "x" * 90, "x" * 95 + "{}"):
        described = shape.replace("{}", word)
        text = DECODER + f"description: {json.dumps(described)}\n"
        try:
            spec = loads(text)
        except SpecErrors:
            continue
        written = emit_file(lower(spec)).text
        assert_harmless(written)
        root = ast.parse(written)
        assert [ast.dump(node) for node in root.body[1:]] == plain_body()
        card = ast.get_docstring(root) or ""
        assert card.startswith("small: ")
        assert "Shapes:" in card
        assert max(len(line) for line in written.splitlines()) <= 100


def test_a_description_can_be_read() -> None:
    said = 'It\'s a "small" model: 100% of C:\\models, café.'
    written = emit_file(lower(loads(DECODER + f"description: {json.dumps(said)}\n"))).text
    card = " ".join((ast.get_docstring(ast.parse(written)) or "").split())
    assert "It's a 'small' model: 100% of C:\\models, café." in card


def test_a_file_name_stays_within_the_docstring() -> None:
    for name in ('a"""\n__import__("os")\n""".yaml', "a b\\.yaml", "a" * 240 + ".yaml"):
        written = emit_file(lower(loads(DECODER, name=name))).text
        assert_harmless(written)
        assert max(len(line) for line in written.splitlines()) <= 100


LONG, OTHER = "a" + "bcdefghi_" * 3, "o" + "bcdefghi_" * 3  # longer ones may not fit on a line


@pytest.mark.parametrize(
    ("text", "sets"),
    [
        (DECODER.replace("name: small", f"name: {'a' * 64}"), ()),
        (
            DECODER,
            (f"blocks={{{LONG}: {{mask: causal & window(3)}}, b: {{}}}}", f"pattern=[{LONG}, b]"),
        ),
        (DECODER, (f"input={{argument: {LONG}, add: {{{OTHER}: 3}}}}",)),
        (DECODER.replace(HEADLESS, ""), (f"heads={{{LONG}: language_model}}",)),
        (DECODER.replace("family: decoder-only\n", ""), (f"stacks={{{LONG}: {{mask: causal}}}}",)),
        (
            TWO_MEMORIES.replace("image_text", LONG)
            .replace("source:", f"{OTHER}:")
            .replace("source}", OTHER + "}"),
            (),
        ),
    ],
)
def test_long_names_fit(text: str, sets: tuple[str, ...]) -> None:
    spec = loads(text, sets=sets)
    emitted = emit_file(lower(spec))
    assert [line for line in emitted.text.splitlines() if len(line) > 100] == []
    instantiate(emitted, spec.name, device="meta")


@pytest.mark.sampled(12)
@pytest.mark.parametrize("word", sorted(places()))
def test_a_model_named_as_a_helper(word: str) -> None:
    """It is refused, or its class and the helper still are two things."""
    for name in (word, word[0].lower() + word[1:]):
        try:
            spec = loads(DECODER.replace("name: small", f"name: {name}"), sets=["norm=rmsnorm"])
        except SpecErrors:
            continue
        emitted = emit_file(lower(spec))
        defined = [
            node.name
            for node in ast.parse(emitted.text).body
            if isinstance(node, (ast.ClassDef, ast.FunctionDef))
        ]
        assert len(defined) == len(set(defined))
        module = import_text(emitted.text, spec.name)
        assert getattr(module, emitted.class_name).__module__ == module.__name__
