"""What a spec sets changes the graph, or is refused: one more option at a time is written into it.

Each option of the language is tried at every place where it may stand. `verdicts.py` says what may
become of it; here none is `ignored`, but for the options of `no_effect.yaml`.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from modelwright.backends.huggingface.special_tokens import special_tokens
from modelwright.backends.pytorch import emit_file
from modelwright.compiler import lower
from modelwright.compiler.display import show
from modelwright.compiler.lower import lower_spec
from modelwright.spec import SpecErrors, load
from modelwright.spec.source import parse
from modelwright.training.specials import wanted_specials

from .attempts import Attempt, Data, with_value
from .signature import signature
from .specs import random_spec
from .verdicts import Verdict, judged, read

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.yaml"))
REASONS: dict[str, str] = yaml.safe_load(
    Path(__file__).with_name("no_effect.yaml").read_text(encoding="utf-8")
)
SAMPLE = ("tiny_llama", "tiny_t5", "gemma3_1b", "vit_b16")
EVERY, MOST = 23, 4
SEEDS = range(0, 300, 10)

SMALL: Data = {
    "name": "small",
    "family": "decoder-only",
    "vocab_size": 20,
    "d_model": 16,
    "layers": 2,
    "attention": {"heads": 2},
}
ENCODER: Data = SMALL | {
    "family": "encoder-only",
    "head": {"type": "classifier", "classes": 3, "pool": "mean"},
}
LEAN: dict[str, Data] = {
    "no norm": {"norm": "none"},
    "norms without weights": {"norm": {"affine": False}, "positions": "rotary"},
    "no feed-forward": {"feed_forward": "none", "max_positions": 40, "positions": "learned"},
    "no branches": {"attention": "none", "feed_forward": "none"},
    "no residuals": {"residual": "none", "norm_placement": "none"},
    "two kinds of layers": {
        "blocks": {"a": {"mask": "causal"}, "b": {"feed_forward": "none", "norm": "rmsnorm"}},
        "pattern": ["a", "b"],
        "head": {"type": "language_model", "tied": True},
    },
    "a layer apart": {"overrides": {0: {"norm": "rmsnorm"}}, "bias": False},
    "an image": {
        "family": "encoder-only",
        "vocab_size": None,
        "input": {"type": "patches", "image_size": 8, "patch_size": 4},
        "head": {"type": "classifier", "classes": 3, "pool": "mean"},
    },
    "a pair": {"family": "encoder-decoder", "encoder": {"norm": "none"}, "head": "language_model"},
    "experts": {"feed_forward": {"type": "moe", "experts": 4, "top_k": 2}},
    "no softmax": {"attention": {"type": "linear", "heads": 2}},
}
"""Models in which many an option has nothing to act on."""


def document(path: Path) -> Data:
    """A spec file as plain data."""
    tree = parse(path.read_text(encoding="utf-8"), path.name, [])
    if tree is None or "extends" in tree.value:
        tree = parse(show(load(path)), path.name, [])
    assert tree is not None
    data: Data = tree.plain()
    return data


def lean(name: str) -> Data:
    return {k: v for k, v in (copy.deepcopy(SMALL) | LEAN[name]).items() if v is not None}


def ignored(verdicts: list[Verdict]) -> list[str]:
    return [
        str(verdict.attempt)
        for verdict in verdicts
        if verdict.word == "ignored" and verdict.attempt.key not in REASONS
    ]


@pytest.mark.parametrize("name", SAMPLE)
def test_options_of_examples_have_an_effect(name: str) -> None:
    path = next(path for path in EXAMPLES if path.stem == name)
    assert not ignored(judged(document(path), EVERY, len(name) % EVERY, MOST))


@pytest.mark.sampled(2)
@pytest.mark.parametrize("name", LEAN)
def test_options_of_lean_models_have_an_effect(name: str) -> None:
    assert not ignored(judged(lean(name), 7, len(name) % 7, MOST))


@pytest.mark.parametrize("seed", (0, 2, 3))
def test_options_of_random_specs_have_an_effect(seed: int) -> None:
    assert not ignored(judged(random_spec(seed).data, EVERY, seed, MOST))


@pytest.mark.slow
@pytest.mark.parametrize("name", LEAN)
def test_every_option_of_lean_models_has_an_effect(name: str) -> None:
    assert not ignored(judged(lean(name)))


@pytest.mark.slow
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_every_option_of_every_example_has_an_effect(path: Path) -> None:
    assert not ignored(judged(document(path), most=MOST))


@pytest.mark.slow
@pytest.mark.parametrize("first", SEEDS)
def test_every_option_of_random_specs_has_an_effect(first: int) -> None:
    found = []
    for seed in range(first, first + 10):
        drawn = random_spec(seed)
        try:
            verdicts = [] if drawn.files else judged(drawn.data, 3, seed % 3, MOST)
        except SpecErrors:  # a law that nothing in the generator foresees
            continue
        found += [f"seed {seed}: {text}" for text in ignored(verdicts)]
    assert not found


def changed_graph(data: Data, path: tuple[str, ...], value: Any) -> bool:
    graphs = [lower_spec(read(one)) for one in (data, with_value(data, path, value))]
    return bool(signature(graphs[0]) != signature(graphs[1]))


def names_the_file() -> bool:
    one, other = (emit_file(lower(read(SMALL | {"name": name}))) for name in ("one", "other"))
    return "class One(" in one.text and "class Other(" in other.text


def is_the_docstring() -> bool:
    return (
        "A word of mine." in emit_file(lower(read(SMALL | {"description": "A word of mine."}))).text
    )


def is_a_fact() -> bool:
    graph = lower_spec(read(SMALL | {"max_positions": 77}))
    learned = SMALL | {"positions": "learned", "max_positions": 40}
    fact = graph.stack_facts["decoder"].max_positions
    return fact == 77 and changed_graph(learned, ("max_positions",), 64)


def is_in_files_beside_the_model(key: str) -> bool:
    """It is in config.json and in the tokenizer; the emitted file of an encoder is the same."""
    specs = [read(ENCODER), read(ENCODER | {"tokens": {key: 1}})]
    graphs = [lower(spec) for spec in specs]
    texts = [re.sub("sha256.*", "", emit_file(graph).text) for graph in graphs]
    assert texts[0] == texts[1]
    configs = [special_tokens(graph, encoder_decoder=False) for graph in graphs]
    changed = {name for name in configs[0] if configs[0][name] != configs[1][name]}
    tokenizers = [wanted_specials("wordpiece", spec) for spec in specs]
    return changed == {f"{key}_token_id"} and 1 in {*tokenizers[1].values()}


PROOFS: dict[str, Callable[[], bool]] = {
    "ModelSpec.name": names_the_file,
    "ModelSpec.description": is_the_docstring,
    "Stack.max_positions": is_a_fact,
    **{
        f"SpecialTokens.{key}": partial(is_in_files_beside_the_model, key)
        for key in ("pad", "bos", "eos")
    },
}


def test_every_reason_is_proved() -> None:
    assert set(PROOFS) == set(REASONS)


@pytest.mark.parametrize("key", PROOFS)
def test_the_reason_is_true(key: str) -> None:
    assert PROOFS[key]()


def words_of(data: Data, *path: str | int) -> dict[str, str]:
    """Value -> what became of it, at one place."""
    return {str(v.attempt.value): v.word for v in judged(data, only=path)}


def test_the_verdicts_are_correct() -> None:
    """A description is ignored, a size changes the graph, and other words mean what they say."""
    small = lean("no norm")
    assert set(words_of(small, "description").values()) >= {"ignored"}
    assert set(words_of(small, "layers").values()) == {"changed"}
    assert words_of(small, "final_norm") == {"False": "holds", "True": "refused"}
    assert words_of(small, "attention", "qk_norm")["head"] == "refused"
    assert words_of(small, "attention", "kv_heads") == {"1": "changed", "2": "holds"}
    assert words_of(SMALL, "input", "norm") == {
        "layernorm": "default", "rmsnorm": "refused", "none": "nothing"
    }  # fmt: skip


def test_what_a_number_of_layers_cuts_off_counts_with_more_layers() -> None:
    cut = SMALL | {"blocks": {"a": {}, "b": {}}, "pattern": ["a * 2", "b"]}
    path = ("blocks", "b", "mask")
    assert words_of(cut, *path)["causal & window(3)"] == "cut"
    assert changed_graph(cut | {"layers": 3}, path, "causal & window(3)")


def test_a_hidden_change_is_detected() -> None:
    """The comparison of signatures sees attributes of ops, weights, and facts."""
    attempt = Attempt(("tokens", "eos"), "SpecialTokens", 2)
    assert changed_graph(SMALL, attempt.path, attempt.value)  # type: ignore[arg-type]
    assert changed_graph(SMALL, ("norm", "eps"), 0.5)
    assert changed_graph(SMALL, ("init", "std"), 0.5)
