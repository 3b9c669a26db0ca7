"""The source map: from a line of the emitted file to the key of the spec that asked for it."""

from __future__ import annotations

import copy
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from emitted_texts import built
from map_rules import faults
from small_examples import FOLDER, NAMES, graph
from variations import VARIATIONS, graph_of, spec_of

from modelwright.backends.pytorch import BuildError, BuildOptions, emit_file
from modelwright.compiler import ModuleGraph, lower
from modelwright.spec import load

TREE = dict[str, Any]


def resolve(spec: Any, path: str) -> Any:
    """The part of a spec at a dotted path; raises where there is none."""
    for step in path.split(".") if path else ():
        if isinstance(spec, dict):
            spec = spec[step]
        elif isinstance(spec, tuple):
            spec = spec[int(step)]
        else:
            spec = getattr(spec, step)
    return spec


def body_lines(text: str) -> set[int]:
    """The lines that say something, from the first class of the file to its seal."""
    lines = text.splitlines()
    first = next(i for i, line in enumerate(lines) if line.startswith(("@dataclass", "class ")))
    return {i + 1 for i, line in enumerate(lines) if i >= first and line and line[:8] != "# sha256"}


def check_entries(graph: ModuleGraph, spec: Any, text: str, source_map: TREE) -> None:
    lines = text.splitlines()
    assert source_map["version"] == 2
    assert source_map["model"] == graph.name
    assert {entry["line"] for entry in source_map["lines"]} == body_lines(text)
    for entry in source_map["lines"]:
        assert entry["ops"] or entry["scopes"] or entry["spec"], lines[entry["line"] - 1]
        for number in entry["ops"]:
            op, known = graph.op(number), source_map["ops"][str(number)]
            assert (op.kind, op.scope, op.name) == (known["kind"], known["scope"], known["name"])
        for path in entry["scopes"]:
            assert graph.scopes[path].role == source_map["scopes"][path]["role"]
        for place in entry["spec"]:
            assert resolve(spec, place) is not None


@pytest.mark.sampled(4)
@pytest.mark.parametrize("name", NAMES)
def test_entries_of_examples(name: str) -> None:
    emitted, spec = built(f"example {name}"), load(FOLDER / f"{name}.yaml")
    check_entries(graph(name), spec, emitted.text, emitted.source_map)
    assert emitted.source_map["spec"] == f"{name}.yaml"


@pytest.mark.sampled(6)
@pytest.mark.parametrize("name", list(VARIATIONS)[::4])
def test_entries_of_variations(name: str) -> None:
    check_entries(graph_of(name), spec_of(name), built(name).text, built(name).source_map)
    assert faults(graph_of(name), built(name)) == []


MODES = {
    "plain": BuildOptions(),
    "joined": BuildOptions(join_projections=True),
    "static": BuildOptions(static_cache=True),
    "checkpointed": BuildOptions(gradient_checkpointing=True),
    "attention weights": BuildOptions(attention_weights=True),
}


@pytest.mark.sampled(12)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", NAMES)
def test_lines_lead_to_what_they_come_from(name: str, mode: str) -> None:
    """Every line to its ops and modules, every part of a figure to a line."""
    try:
        emitted = (
            built(f"example {name}") if mode == "plain" else emit_file(graph(name), MODES[mode])
        )
    except BuildError:
        pytest.skip("cannot be built so")
    assert faults(graph(name), emitted) == []


@pytest.mark.parametrize(
    ("line", "key", "rule"),
    [
        ("self.attention_norm = ", "ops", "what_self_holds_is_named"),
        ("x = x + self.attention(", "scopes", "what_self_holds_is_named"),
        ("MixtureOfExperts(config)", "scopes", "what_makes_a_module_is_of_it"),
        ("rope_frequencies(self.config", "ops", "what_calls_a_helper_has_an_op"),
        ("token = sample(self.logits(", "ops", "calls_within_the_model_are_of_what_they_call"),
        ("cache = Cache(", "ops", "calls_within_the_model_are_of_what_they_call"),
        ("d_model: int", "scopes", "every_line_has_an_op_or_a_module"),
    ],
)
def test_a_wrong_map_is_found(line: str, key: str, rule: str) -> None:
    """Each fault that the rules are for: an entry without its ops, or without its modules."""
    emitted = built("example deepseek_v3")
    numbers = {n for n, text in enumerate(emitted.text.splitlines(), 1) if line in text}
    source_map = copy.deepcopy(emitted.source_map)
    for entry in source_map["lines"]:
        if entry["line"] in numbers:
            entry[key] = []
    wrong = replace(emitted)
    vars(wrong)["source_map"] = source_map
    assert {found.partition(":")[0] for found in faults(graph("deepseek_v3"), wrong)} >= {rule}


def test_a_shared_class_documents_all_its_uses() -> None:
    """T5's encoder and decoder have one feed-forward: each of its lines has the ops of both."""
    emitted = built("example t5_small")
    lines = emitted.text.splitlines()
    entry = next(e for e in emitted.source_map["lines"] if "self.up(x)" in lines[e["line"] - 1])
    stacks = {
        emitted.source_map["ops"][str(number)]["scope"].split(".")[0] for number in entry["ops"]
    }
    assert stacks == {"encoder", "decoder"}
    header = next(
        e
        for e in emitted.source_map["lines"]
        if lines[e["line"] - 1] == "class FeedForward(nn.Module):"
    )
    assert {path.split(".")[0] for path in header["scopes"]} == {"encoder", "decoder"}


@pytest.mark.sampled(2)
@pytest.mark.parametrize("name", NAMES)
def test_marks_are_lines_of_the_yaml(name: str) -> None:
    """Each stands at a key or a value of the spec, or of one that it extends."""
    read: dict[str, list[str]] = {}
    for entry in built(f"example {name}").source_map["lines"]:
        place = entry["source"]
        file = place["file"]
        lines = read.setdefault(file, (FOLDER / file).read_text(encoding="utf-8").splitlines())
        line = lines[place["line"] - 1]
        rest = line[place["column"] - 1 :]
        assert re.match(r"[\w{\[]|- ", rest), (entry, line)
    assert f"{name}.yaml" in read


SMALL = """\
name: marked
family: decoder-only
vocab_size: 31
max_positions: 24
d_model: 16
layers: 2
positions: learned
attention:
  heads: 4
  qk_norm: head
feed_forward:
  type: glu
  d_ff: 24
head: {type: language_model, tied: true}
"""


def test_marks_of_one_file(tmp_path: Path) -> None:
    path = tmp_path / "marked.yaml"
    path.write_text(SMALL, encoding="utf-8")
    emitted = emit_file(lower(load(path)))
    lines = emitted.text.splitlines()
    keys = SMALL.splitlines()
    asked = {
        lines[entry["line"] - 1].strip(): keys[entry["source"]["line"] - 1].strip()
        for entry in emitted.source_map["lines"]
    }

    def key_of(start: str) -> set[str]:
        return {key for line, key in asked.items() if line.startswith(start)}

    assert key_of("d_model: int = 16") == {"d_model: 16"}
    assert key_of("layers: int = 2") == {"layers: 2"}
    assert key_of("self.query_norm = ") == {"qk_norm: head"}
    assert key_of("self.gate = ") <= {"feed_forward:", "type: glu", "d_ff: 24"}
    assert key_of("self.query = ") == {"attention:"} or key_of("self.query = ") == {"heads: 4"}
    assert key_of("self.position_embedding = ") == {"positions: learned"}
    assert key_of("return F.linear(x, self.token_embedding.weight)") == {
        "head: {type: language_model, tied: true}"
    }
