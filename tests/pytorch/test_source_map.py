"""The source map: from a line of the emitted file to the key of the spec that asked for it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from emitted_texts import built
from small_examples import FOLDER, NAMES, graph
from variations import VARIATIONS, graph_of

from modelwright.backends.pytorch import emit_file
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


def check_entries(graph: ModuleGraph, text: str, source_map: TREE) -> None:
    lines = text.splitlines()
    assert source_map["model"] == graph.name
    assert len(source_map["lines"]) > 5
    for entry in source_map["lines"]:
        line = lines[entry["line"] - 1]
        assert line.strip(), entry
        assert not line.startswith(("class ", "@dataclass")), entry
        op = graph.op(entry["op"])
        assert (op.kind, op.scope) == (entry["kind"], entry["scope"])
        assert resolve(graph.spec, entry["spec"]) is not None
        if op.name and op.weights and not op.weights[0].tied and f"self.{op.name} = " in line:
            made = line.strip()
            own = "Norm(" in made or "Router(" in made
            assert made.startswith(f"self.{op.name} = nn.") or own


@pytest.mark.parametrize("name", NAMES)
def test_entries_of_examples(name: str) -> None:
    emitted = built(f"example {name}")
    check_entries(graph(name), emitted.text, emitted.source_map)
    assert emitted.source_map["spec"] == f"{name}.yaml"


@pytest.mark.parametrize("name", VARIATIONS)
def test_entries_of_variations(name: str) -> None:
    check_entries(graph_of(name), built(name).text, built(name).source_map)


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
        assert re.match(r"[\w{\[]", rest), (entry, line)
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
  hidden: 24
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

    assert key_of("self.query_norm = ") == {"qk_norm: head"}
    assert key_of("self.gate = ") <= {"feed_forward:", "type: glu", "hidden: 24"}
    assert key_of("self.query = ") == {"attention:"} or key_of("self.query = ") == {"heads: 4"}
    assert key_of("self.position_embedding = ") == {"positions: learned"}
    assert key_of("return F.linear(x, self.token_embedding.weight)") == {
        "head: {type: language_model, tied: true}"
    }
