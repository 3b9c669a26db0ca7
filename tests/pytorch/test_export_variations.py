"""Every variation and example as a Hugging Face folder: its text and its results."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from emitted_texts import ALL
from fuzz.arguments import plain
from fuzz.readings import pairs, placed_vectors
from small_examples import graph, small_graph
from variations import FIRST_WORD, MARK, VOCABULARY, graph_of, inputs_of

from modelwright.backends.huggingface import ExportError
from modelwright.backends.huggingface.emitted import EmittedFile, read_emitted
from modelwright.backends.huggingface.kinds import kind_of
from modelwright.backends.huggingface.wrapper import Wrapper, write_wrapper
from modelwright.compiler import ModuleGraph

WIDTH = 100
VECTORS = [name for name in ALL if name.startswith("features")]
VECTORS += ["example tiny_series", "example blip2_qformer", "score_biases_of_vectors"]
VECTORS += ["example decision_transformer", "learned_tokens_read", "example pix2struct_base"]
VECTORS += ["joined_with_language", "example evoformer", "dit_with_text", "dit_before_text"]
KNOWN = [name for name in ALL if name not in VECTORS]
KINDS = {  # one of each, and what is odd
    "decoder": "AutoModelForCausalLM",
    "attention_none": "AutoModelForCausalLM",
    "mask of a decoder causal | prefix": "AutoModelForCausalLM",
    "overrides": "AutoModelForCausalLM",
    "shared_layers": "AutoModelForCausalLM",
    "encoder": "AutoModelForMaskedLM",
    "input_added": "AutoModelForMaskedLM",
    "encoder_decoder": "AutoModelForSeq2SeqLM",
    "stacks_of_other_sizes": "AutoModelForSeq2SeqLM",
    "classifier of a decoder last": "AutoModelForSequenceClassification",
    "classifier_plain": "AutoModelForTokenClassification",
    "projection": "AutoModel",
    "no_head_both": "AutoModel",
    "three_heads": "AutoModel",
    "two_memories": "AutoModel",
    "patches_plain": "AutoModelForImageClassification",
    "towers": "AutoModel",
}


@cache
def read(name: str) -> EmittedFile:
    kind, _, example = name.partition(" ")
    return read_emitted(graph(example) if kind == "example" else graph_of(name))


@cache
def wrapper(name: str) -> Wrapper:
    return write_wrapper(read(name), "float32")


@pytest.mark.parametrize("name", VECTORS)
def test_readers_of_vectors_are_refused(name: str) -> None:
    with pytest.raises(ExportError, match=r"not supported yet: `.*` reads vectors"):
        wrapper(name)


@pytest.mark.sampled(32)
@pytest.mark.parametrize("name", KNOWN)
def test_the_text_is_plain(name: str) -> None:
    for file, text in wrapper(name).texts.items():
        assert file.removesuffix(".py").isidentifier()
        assert "import modelwright" not in text
        assert not [line for line in text.splitlines() if len(line) > WIDTH]
        left = {"Name", "Emitted", "MAIN_INPUT", "INPUT_TABLE", "OUTPUT_TABLE", "MODEL_TYPE"}
        left |= {"its_input", "its_size", "its_result", "emitted_input", "emitted_size"}
        left |= {"encoder_input", "encoder_extra", "decoder_input", "ITS_VALUE"}
        assert not left & set(re.findall(r"\w+", text))
        for node in ast.parse(text).body:
            if isinstance(node, ast.ImportFrom) and node.level == 0:
                assert str(node.module).split(".")[0] in {
                    "__future__", "collections", "contextlib", "dataclasses", "functools",
                    "inspect", "itertools", "math", "torch", "transformers", "typing",
                }  # fmt: skip


@pytest.mark.parametrize("name", ["example tiny_fastformer", "example tiny_linear"])
def test_attention_without_scores_returns_no_weights(name: str) -> None:
    assert not read(name).fused_attention


def test_ruff_reports_nothing(tmp_path: Path, linted: Callable[[Path], None]) -> None:
    for number, name in enumerate(KNOWN[::4]):
        folder = tmp_path / f"f{number}"
        folder.mkdir()
        for file, text in wrapper(name).texts.items():
            if file.startswith(("configuration_", "modeling_")):
                (folder / file).write_text(text, encoding="utf-8")
    linted(tmp_path)


@pytest.mark.parametrize("name", KINDS)
def test_names_of_hugging_face(name: str) -> None:
    assert kind_of(read(name)).auto == KINDS[name]


@pytest.mark.sampled(16)
@pytest.mark.parametrize("name", KNOWN)
def test_every_size_is_printed_once(name: str) -> None:
    found = wrapper(name)
    (text,) = (t for file, t in found.texts.items() if file.startswith("configuration_"))
    named = re.findall(r'^            "(\w+)": self\.', text, re.M)
    assert sorted([*named, *found.config["sizes"]]) == sorted(read(name).sizes)


def small(name: str) -> ModuleGraph:
    kind, _, example = name.partition(" ")
    return small_graph(example) if kind == "example" else graph_of(name)


def with_images(graph: ModuleGraph) -> dict[str, Any]:
    """Ids and the images whose vectors stand in them."""
    import torch

    every = {name: torch.tensor(one) for name, one in plain(graph).items()}
    return {name: x.float() if x.is_floating_point() else x for name, x in every.items()}


def ints(x: Any) -> bool:
    return not x.is_floating_point()


def same_results(ours: Any, theirs: Any, given: dict[str, Any], main: str) -> None:
    """Both compute the same; the argument `main` of ours is `input_ids` of theirs."""
    import torch

    expected = ours(**given)
    made = theirs(**{"input_ids" if name == main else name: x for name, x in given.items()})
    results = expected if isinstance(expected, dict) else {next(iter(made)): expected}
    assert all(torch.allclose(made[key], results[key], atol=1e-6) for key in results)


def checked(name: str, folder: Path) -> None:
    """Export, load, compare; generate where that is possible, with and without a cache."""
    import torch

    import modelwright as mw

    transformers = pytest.importorskip("transformers")
    found = small(name)
    emitted = read_emitted(found)
    kind = kind_of(emitted)
    ours = mw.compile(found).eval()
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for weight in ours.parameters():
            weight.normal_(0, 0.3, generator=generator)
    mw.export(found, ours, folder)
    theirs, info = getattr(transformers, kind.auto).from_pretrained(
        folder, trust_remote_code=True, output_loading_info=True
    )
    assert not any(info.values())
    required = emitted.required("forward")
    ids = torch.randint(FIRST_WORD, VOCABULARY - 2, (2, 7), generator=generator)
    ids[:, 3] = FIRST_WORD if any(placed_vectors(found)) else MARK  # no image stands there
    every = {name: torch.tensor(one[:2]) for name, one in inputs_of(found).items()}
    pictures: dict[str, Any] = {name: x.float() for name, x in every.items() if not ints(x)}
    pictures |= {name: x for name, x in every.items() if ints(x) and x.ndim != 2}  # classes, pairs
    given = {name: pictures.get(name, ids) for name in required}
    tokens = {stack.argument: pictures.get(stack.argument, ids) for stack in found.inputs.values()}
    for name, stack, more, entries in pairs(found):
        length = stack.tokens(tokens[stack.argument].shape[stack.axis])
        shape = (2, length, length, *more)
        given[name] = torch.randint(0, entries, shape, generator=generator)
    for parts in found.parts.values():  # of inputs that may all be absent, one
        if all(part.optional for part in parts):
            given[parts[0].input.argument] = ids
    renamed = kind.auto != "AutoModel" and emitted.reads_tokens
    same_results(ours, theirs.eval(), given, emitted.main_input if renamed else "")
    if any(placed_vectors(found)):
        same_results(ours, theirs, with_images(found), emitted.main_input)
    if not hasattr(ours, "generate") or not kind.generates:
        return
    ours_made: Any = ours
    settled: dict[str, Any] = {"max_new_tokens": 6, "do_sample": False}
    read = pictures.get(emitted.main_input, ids)
    if emitted.reads_tokens:
        settled["attention_mask"] = torch.ones_like(ids)
        settled["attention_mask"][0, :3] = 0
        answer = ours_made.generate(ids, 6, settled["attention_mask"], temperature=0)
    else:
        answer = ours_made.generate(read, 6, temperature=0)
    assert torch.equal(theirs.generate(read, **settled), answer)
    if not kind.cached:
        return
    beams = [theirs.generate(read, **settled, num_beams=3, use_cache=c) for c in (True, False)]
    assert torch.equal(*beams)


@pytest.mark.sampled(2)
@pytest.mark.parametrize("name", KINDS)
def test_it_computes_the_same(name: str, tmp_path: Path, code_cache: None) -> None:
    checked(name, tmp_path / "exported")


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted({*KNOWN} - {*KINDS}))
def test_all_of_them_compute_the_same(name: str, tmp_path: Path, code_cache: None) -> None:
    checked(name, tmp_path / "exported")
