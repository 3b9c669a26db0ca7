"""Free text of a spec, and names of its file, in everything that is written from it."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner

from modelwright.backends.diagram import draw
from modelwright.backends.pytorch import emit_file
from modelwright.cli import cli
from modelwright.compiler import lower
from modelwright.compiler.display import show
from modelwright.spec import json_schema, loads

HOSTILE = (
    '</svg><script>alert(1)</script><svg a="',
    '"]; node [shape="x" URL="javascript:alert(1)"] //',
    '"""\nimport os; os.system("true")\n"""',
    '--> <!-- ]]> %% click a href "javascript:alert(1)"',
    "${x} {{x}} {0} %s \\x22 \\N{BULLET} `rm` $(rm)",
    "a: b\nextends: /etc/passwd\n# c",
)
SPEC = """name: x
family: decoder-only
vocab_size: 9
max_positions: 9
d_model: 8
layers: 1
positions: learned
attention: {heads: 2}
head: {type: language_model, tied: true}
"""


def described(text: str) -> str:
    return f"{SPEC}description: {json.dumps(text)}\n"


@pytest.mark.parametrize("text", HOSTILE)
def test_a_description_in_a_figure_is_text(text: str) -> None:
    graph = lower(loads(described(text), name=f"{text[:40]}.yaml".replace("/", "_")))
    root = ElementTree.fromstring(draw(graph, "svg"))
    kinds = {element.tag.rpartition("}")[2] for element in root.iter()}
    assert not kinds & {"script", "foreignObject", "iframe", "image"}
    names = {name for element in root.iter() for name in element.attrib}
    assert not any(name.endswith("href") or name.startswith("on") for name in names)
    for kind in ("dot", "mmd"):
        written = draw(graph, kind).decode()
        assert written == draw(lower(loads(SPEC)), kind).decode()


@pytest.mark.parametrize("text", HOSTILE)
def test_a_description_in_a_file_is_a_docstring(text: str) -> None:
    tree = ast.parse(emit_file(lower(loads(described(text)))).text)
    plain = ast.parse(emit_file(lower(loads(SPEC))).text)
    assert [ast.dump(node) for node in tree.body[1:]] == [ast.dump(n) for n in plain.body[1:]]


@pytest.mark.parametrize("text", HOSTILE)
def test_show_prints_a_spec_of_the_same_model(text: str) -> None:
    assert loads(show(loads(described(text)))).description == text


@pytest.mark.parametrize("text", HOSTILE)
def test_errors_say_hostile_words_on_one_line(text: str, tmp_path: Path) -> None:
    """What stands in a message is shortened, and holds no control characters."""
    path = tmp_path / "spec.yaml"
    path.write_text(SPEC.replace("decoder-only", json.dumps("\x1b[31m" + text)), encoding="utf-8")
    result = CliRunner().invoke(cli, ["check", str(path)])
    assert result.exit_code == 2
    assert "Traceback" not in result.output
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", result.output)


def test_the_schema_is_data() -> None:
    assert json.loads(json.dumps(json_schema())) == json_schema()
