"""Random valid specs pass every step, and the generator covers the whole language."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings

from modelwright.spec import SpecErrors
from modelwright.spec.attention.fastformer import CrossFastformer
from modelwright.spec.masks import ATOMS
from modelwright.spec.model import ModelSpec
from modelwright.spec.part import COMPONENTS, Part
from modelwright.spec.signatures import Shape, shapes
from modelwright.spec.sublayers import Own

from .dice import seeded
from .examine import examine, read
from .masks import FORMS
from .parts import allowed, buildable, reachable, refused
from .run import OK, REFUSED, judged
from .specs import Document, Specs, random_spec, specs
from .values import literal_words

COUNT = 2000
STEP = 50
FIRST = range(0, 20, 10)
SETTLED = {
    "ModelSpec": {"stacks", "heads"},
    "CrossMha": {"separate_global", "kernel", "score_bias"},
    "CrossMla": {"kernel"},
    "CrossDifferential": {"kernel"},
    "CrossCollaborative": {"kernel"},
    "LearnedInput": {"prefix_tokens", "optional"},
    "ZeroInput": {"prefix_tokens", "optional", "normalize", "norm", "dropout"},
    "StackInput": {"prefix_tokens", "normalize", "norm", "dropout", "optional"},
    "Features": {"optional"},
    "CrossLinearAttention": {"decay"},
    "Stack": {"order", "norm", "activation", "bias", "dropout", "blocks", "join"},
    "ProjectionHead": {"places_of"},
}
"""Keys that are settled on the way, that a law refuses, that are those of a block, or of
interleaved inputs, of which there is an example.
"""


REFUSED_BY_LAW = {CrossFastformer}


def failures(seeds: range) -> list[str]:
    outcomes = [judged(seed) for seed in seeds]
    return [f"{o.seed}: {o.step}: {o.what}" for o in outcomes if o.step not in (OK, REFUSED)]


@pytest.mark.parametrize("first", FIRST)
def test_random_specs(first: int) -> None:
    assert not failures(range(first, first + 5))


@pytest.mark.slow
@pytest.mark.parametrize("first", range(0, COUNT, STEP))
def test_two_thousand_random_specs(first: int) -> None:
    assert not failures(range(first, first + STEP))


@settings(max_examples=10, suppress_health_check=list(HealthCheck))
@given(specs())
def test_specs_that_hypothesis_draws(document: Document) -> None:
    try:
        examine(document, more=False)
    except SpecErrors:
        return


def test_most_are_accepted_at_first_draw() -> None:
    refused_count = 0
    for seed in range(30):
        try:
            read(random_spec(seed))
        except SpecErrors:
            refused_count += 1
    assert refused_count <= 6


def test_the_same_seed_gives_the_same_text() -> None:
    assert [random_spec(seed).text for seed in range(20)] == [
        random_spec(seed).text for seed in range(20)
    ]


def drawn() -> set[tuple[str, str, str]]:
    """All that is said by many specs: class, option, value."""
    found: set[tuple[str, str, str]] = set()
    for seed in range(2000):
        author = Specs(seeded(seed))
        author.spec()
        found |= author.said
    return found


def is_settled(cls: type[Part], key: str, shape: Shape) -> bool:
    """Is there nothing to draw: it is settled on the way, not built yet, or can only be off?"""
    only_off = shape.tagged is not None and buildable(shape.tagged) == ["none"]
    return only_off or key in SETTLED.get(cls.__name__, ()) or allowed(cls, key) is not None


def words(cls: type[Part], key: str, shape: Shape) -> list[str]:
    """The words of a choice, but for the one that it has when nothing is said."""
    usual = next((f.default for n, f in cls.model_fields.items() if key in (n, f.alias)), None)
    found = literal_words(shape.leaf) if shape.kind == "leaf" else ()
    return [repr(word) for word in found if word != usual]


def owner(cls: type[Part], key: str) -> type[Part]:
    """The class that says this option first."""
    bases = [base for base in cls.__mro__ if issubclass(base, Part) and key in shapes(base)]
    return bases[-1]


def test_the_generator_knows_every_option() -> None:
    """A new option, type, or word of a choice fails here until the generator draws it."""
    said = drawn()
    keys = {(cls, key) for cls, key, _ in said}
    found, components = reachable()
    missing = []
    for cls in found:
        for key, shape in shapes(cls).items() if cls not in REFUSED_BY_LAW else ():
            name = cls.__name__
            if is_settled(cls, key, shape):
                continue
            wanted = words(cls, key, shape) if cls is not ModelSpec else []
            kin = [other.__name__ for other in found if issubclass(other, owner(cls, key))]
            known = kin if issubclass(cls, Own) else [name]  # sublayers are drawn as branches
            missing += [] if any((one, key) in keys for one in known) else [f"{name}.{key}"]
            missing += [
                f"{name}.{key}: {word}"
                for word in wanted
                if not any((other, key, word) in said for other in kin)
            ]
    for key in components:
        for word, cls in COMPONENTS[key].classes.items():
            if refused(cls) or cls in REFUSED_BY_LAW:
                continue
            missing += [] if (key, "type", word) in said else [f"{key}: {word}"]
    assert not missing, missing


def test_the_generator_knows_every_atom() -> None:
    assert set(FORMS) == set(ATOMS)


def test_refused_options_are_not_generated() -> None:
    assert not any(refused(cls) for cls in reachable()[0])
