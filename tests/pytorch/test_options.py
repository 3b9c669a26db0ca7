"""Every option: its model equals the reference, initialises its weights and can be trained."""

from __future__ import annotations

import itertools
import re
from collections import defaultdict
from collections.abc import Iterator
from typing import Any, Literal, get_args, get_origin

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from variations import VARIATIONS, Arrays, arguments, emitted, graph_of, inputs_of, spec_of

from modelwright.backends.pytorch import instantiate
from modelwright.backends.reference import random_weights, run
from modelwright.compiler.graph import ModuleGraph, Op
from modelwright.compiler.lower import lower_spec
from modelwright.compiler.passes import check, run_passes
from modelwright.spec import ModelSpec
from modelwright.spec.attention.memory import Memory
from modelwright.spec.branch import Branch
from modelwright.spec.embedding import Source, StackInput
from modelwright.spec.part import COMPONENTS, NOTHING, Part
from modelwright.spec.residual import Parallel
from modelwright.spec.sublayers import OuterProductMean, TriangleMultiplication
from modelwright.spec.support import LATER_OPTIONS, LATER_TYPES

ELSEWHERE = (StackInput, OuterProductMean, TriangleMultiplication)
OF_STREAMS = ("stream", "streams", "axis")
UNBUILT = ("projector", "score_bias")
"""Places of the language where nothing that can be built stands yet."""

PADDINGS = ("none", "left", "right")
TOLERANCE = 1e-12


def model_of(name: str, **options: Any) -> nn.Module:
    return instantiate(emitted(name), graph_of(name).name, **options)


def perturbed(name: str) -> nn.Module:
    """The model in float64, no weight at rest."""
    model = model_of(name, dtype="float64")
    weights = random_weights(graph_of(name), 0)
    model.load_state_dict({key: torch.from_numpy(array) for key, array in weights.items()})
    return model


def results(model: nn.Module, inputs: Arrays) -> dict[str, Tensor]:
    found = model(**{name: torch.from_numpy(array) for name, array in inputs.items()})
    return found if isinstance(found, dict) else {"": found}


def paddings(name: str) -> Iterator[str]:
    takes_mask = any(argument.endswith("attention_mask") for argument in arguments(graph_of(name)))
    yield from PADDINGS if takes_mask else PADDINGS[:1]


@pytest.mark.sampled(16)
@pytest.mark.parametrize("name", VARIATIONS)
def test_the_graph_is_legal_after_every_pass(name: str) -> None:
    run_passes(check(lower_spec(spec_of(name))), checked=True)


@pytest.mark.sampled(6)
@pytest.mark.parametrize("name", VARIATIONS)
def test_equals_the_reference(name: str) -> None:
    model, weights = perturbed(name).eval(), random_weights(graph_of(name), 0)
    for padding in paddings(name):
        inputs = inputs_of(graph_of(name), padding)
        expected = run(graph_of(name), weights, inputs)
        with torch.no_grad():
            found = results(model, inputs)
        for head, tensor in found.items():
            wanted = expected[head or next(iter(graph_of(name).outputs))]
            assert tensor.shape == wanted.shape
            error = np.abs(tensor.numpy() - wanted).max() / np.abs(wanted).max()
            assert error < TOLERANCE, f"{head} with padding {padding}"


@pytest.mark.sampled(16)
@pytest.mark.parametrize("name", VARIATIONS)
def test_weights_have_their_logical_names(name: str) -> None:
    model = model_of(name, device="meta")
    stored = {key: tuple(tensor.shape) for key, tensor in model.state_dict().items()}
    assert stored == {weight.name: weight.shape for weight in graph_of(name).weights()}
    assert not list(model.buffers())


@pytest.mark.sampled(16)
@pytest.mark.parametrize("name", VARIATIONS)
def test_init_weights_sets_every_weight(name: str) -> None:
    model = model_of(name, device="meta").to_empty(device="cpu")
    with torch.no_grad():
        for weight in model.parameters():
            weight.fill_(torch.nan)
    model.init_weights()
    assert [key for key, weight in model.named_parameters() if weight.isnan().any()] == []


EQUAL_VALUES = {
    "classifier of a decoder first": r"attention\.(query|key)\.",
    "objects": r"^objects\.layers\.0\.attention\.(query\.|key\.|value\.weight)",
}
"""Attention whose values are all equal, whatever its scores: a first token sees itself alone, and
objects begin as zeros, to which only queries and keys add positions."""


def without_effect(graph: ModuleGraph) -> set[str]:
    """Biases that add one number to all scores of a query, or of a pool: the softmax is the same.

    Rotation, a norm, a limit or a cap between the bias and the softmax would make it matter, and so
    would a sink, whose score stays. A norm over all places of a channel removes its bias too.
    """
    return {
        weight.name
        for weight in graph.weights()
        if weight.weight.name == "bias" and shifts_scores(graph, graph.op(weight.op))
    }


def shifts_scores(graph: ModuleGraph, op: Op) -> bool:
    (value,) = op.outputs
    (reader, *_) = graph.consumers(value) or [op]
    if reader.kind == "group_norm":  # each channel is a group
        return True
    while reader.kind in ("split_heads", "half_heads", "expand_heads", "concat", "cache"):
        value = reader.outputs[[*reader.inputs].index(value) if reader.kind == "cache" else 0]
        (reader, *_) = graph.consumers(value)
    if reader.kind == "position_scores":  # of a position's key, which each query asks for
        return reader.arg("positions") == value and reader.attrs["side"] == "query"
    if reader.kind == "recur":
        return reader.arg("k") == value and not reader.arg("vector")
    if reader.kind == "attend":
        plain = reader.attrs["softcap"] is None and "score" not in reader.attrs
        plain = plain and not reader.arg("sinks")  # no cap, no sinks
        return reader.arg("k") == value and plain
    return (
        reader.kind == "pool"
        and reader.attrs["how"] == "attention"
        and reader.arg("extra") == value
    )


@pytest.mark.sampled(16)
@pytest.mark.parametrize("name", VARIATIONS)
def test_every_weight_that_matters_has_a_gradient(name: str) -> None:
    torch.manual_seed(0)
    model = perturbed(name).train()
    found = results(model, inputs_of(graph_of(name), "left"))
    assert all(tensor.isfinite().all() for tensor in found.values())
    sum((tensor * torch.randn_like(tensor)).sum() for tensor in found.values()).backward()
    gone = without_effect(graph_of(name))
    if name in EQUAL_VALUES:
        gone |= {key for key in model.state_dict() if re.search(EQUAL_VALUES[name], key)}
    untrained = {w.name for w in graph_of(name).weights() if not w.weight.trained}
    assert untrained == {key for key, w in model.named_parameters() if not w.requires_grad}
    for key, weight in model.named_parameters():
        if key in untrained:
            continue
        assert weight.grad is not None, key
        size = weight.grad.abs().max()
        assert size.isfinite(), key
        assert (size < 1e-10) if key in gone else (size > 1e-10), f"{key}: {size}"


def parts(value: Any) -> Iterator[Part]:
    """Every part within a spec."""
    if isinstance(value, Part):
        yield value
        yield from itertools.chain.from_iterable(
            parts(getattr(value, name)) for name in type(value).model_fields
        )
    elif isinstance(value, dict):
        yield from itertools.chain.from_iterable(parts(inner) for inner in value.values())
    elif isinstance(value, tuple):
        yield from itertools.chain.from_iterable(parts(inner) for inner in value)


def owner(kind: type[Part], option: str) -> type[Part]:
    """The class that brings an option in: `heads` of a cross-attention is that of `mha`."""
    return next(
        base
        for base in reversed(kind.__mro__)
        if issubclass(base, Part) and option in base.model_fields
    )


def tried() -> dict[tuple[type[Part], str], set[str]]:
    """The values that the variations give to each option of each class."""
    found: dict[tuple[type[Part], str], set[str]] = defaultdict(set)
    for name in VARIATIONS:
        for part in parts(spec_of(name)):
            for option in type(part).model_fields:
                shown = repr(getattr(part, option))
                found[type(part), option].add(shown)
                found[owner(type(part), option), option].add(shown)
    return found


def classes() -> set[type[Part]]:
    """Every class that can stand in a spec and be built.

    Without inputs from other stacks, whose tokens depend on the number of their vectors: they are
    tried by tests/parity/test_parity_llava.py and by random specs. Without what only stacks with
    several streams have: see tests/oracle/test_evoformer.py, and random specs.
    """
    listed = {
        kind
        for key, place in COMPONENTS.items()
        if key not in UNBUILT
        for kind in place.classes.values()
    }
    return {kind for kind in listed if not issubclass(kind, (Memory, *ELSEWHERE, *LATER_TYPES))}


def words(annotation: Any) -> Iterator[Any]:
    """The words that a value may be, wherever they stand in its type."""
    for inner in get_args(annotation):
        if get_origin(annotation) is Literal:
            yield inner
        else:
            yield from words(inner)


def later(kind: type[Part], option: str) -> bool:
    return any(issubclass(kind, cls) and option in rows for cls, rows in LATER_OPTIONS.items())


def test_every_option_is_tried() -> None:
    """Each has a value other than its usual one, and each word that it may be, at least once."""
    values = tried()
    untried = []
    for kind in sorted(classes() | {ModelSpec}, key=lambda cls: cls.__name__):
        for option, field in kind.model_fields.items():
            if later(kind, option) or option in ("type", "modelwright", "description", "name"):
                continue
            if option in OF_STREAMS:
                continue  # see `classes`
            if kind is Parallel and option == "float32":
                continue  # refused there
            given = values[kind, option] | values[owner(kind, option), option]
            shown = " ".join(given)  # a word may stand in a list
            missing = [word for word in words(field.annotation) if repr(word) not in shown]
            usual = set() if field.is_required() else {repr(field.get_default())}
            if missing or not given - usual:
                untried.append(f"{kind.__name__}.{option}: {missing}")
    assert "\n".join(untried) == ""


def test_every_component_is_tried() -> None:
    seen = {type(part) for name in VARIATIONS for part in parts(spec_of(name))}
    assert {cls.__name__ for cls in classes() - seen} == set()
    assert type(NOTHING) in seen
    assert {Branch, Source} & seen == set()  # these are only inherited from
