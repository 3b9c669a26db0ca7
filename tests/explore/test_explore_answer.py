"""Answers about specs equal the output of the commands, without extra work."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from explore_server import EXAMPLES, NAMES, SMALL, asked

from modelwright.backends.diagram import DrawError, DrawOptions, draw
from modelwright.backends.diagram.masks import MaskOptions, draw_masks
from modelwright.backends.pytorch import emit_file
from modelwright.compiler import lower
from modelwright.compiler.display import show
from modelwright.compiler.report import report
from modelwright.explorer import RequestError, answer
from modelwright.spec import load


@pytest.mark.parametrize("name", NAMES[::9])
def test_answers_are_what_the_commands_write(name: str) -> None:
    spec = load(EXAMPLES / f"{name}.yaml")
    graph = lower(spec)
    figure, code = asked(name, "figure"), asked(name, "code")
    assert figure["svg"].encode() == draw(graph, "svg", DrawOptions(theme="light"))
    assert figure["class"] == graph.class_name
    assert code["code"] == emit_file(graph).text
    assert asked(name, "links")["resolved"] == show(spec)
    costs = report(graph).to_json()
    assert code["costs"]["weights"]["total"] == costs["weights"]["total"]
    assert code["costs"]["flops"] == costs["flops"]
    assert [row["name"] for row in code["costs"]["weights"]["rows"]] == [
        row["name"] for row in costs["weights"]["rows"]
    ]
    drawn, note = "", ""
    try:
        drawn = draw_masks(graph, options=MaskOptions(theme="light")).decode()
    except DrawError as error:
        note = str(error)
    assert asked(name, "masks") == {"problems": [], "svg": drawn, "note": note}


def test_options_of_figures_and_costs_are_used() -> None:
    graph = lower(load(EXAMPLES / "gpt2.yaml"))
    text = (EXAMPLES / "gpt2.yaml").read_text(encoding="utf-8")
    asked = {"text": text, "name": "gpt2.yaml", "depth": "ops", "costs": True, "theme": "dark"}
    figure = answer({"ask": "figure", **asked})
    options = DrawOptions(depth="ops", costs=True, theme="dark")
    assert figure["svg"].encode() == draw(graph, "svg", options)
    code = answer({"ask": "code", **asked, "batch": 3, "sequence": 50, "dtype": "bfloat16"})
    costs = report(graph, batch=3, sequence=50, dtype="bfloat16").to_json()
    assert code["costs"]["flops"] == costs["flops"]
    assert code["costs"]["activations"] == costs["activations"]


def test_an_image_model_says_how_many_tokens_it_has() -> None:
    text = (EXAMPLES / "vit_b16.yaml").read_text(encoding="utf-8")
    code = answer({"ask": "code", "text": text, "sequence": 64})
    assert code["costs"]["sequence"] == 197
    assert code["note"] == "an image of this model has 197 tokens"


def test_problems_have_a_start_and_an_end() -> None:
    broken = SMALL.replace("heads: 2", "heads: 3").replace("layers:", "layer:")
    problems = answer({"ask": "figure", "text": broken})["problems"]
    assert problems[0] == {
        "severity": "error",
        "message": "unknown key `layer`; did you mean `layers`?",
        "from": [6, 1],
        "to": [6, 9],
    }
    assert answer({"ask": "code", "text": broken})["problems"] == problems


def test_problems_of_a_base_are_reported_at_extends(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(SMALL.replace("layers", "layer"), encoding="utf-8")
    text = "# mine\nname: mine\nextends: base.yaml\n"
    (problem,) = answer({"ask": "figure", "text": text}, tmp_path)["problems"]
    assert problem["from"] == [3, 1]
    assert problem["message"] == "base.yaml:6: unknown key `layer`; did you mean `layers`?"


def test_extends_needs_a_folder_and_stays_in_it(tmp_path: Path) -> None:
    text = "name: mine\nextends: gpt2.yaml\n"
    assert "svg" in answer({"ask": "figure", "text": text}, EXAMPLES)
    assert "svg" not in answer({"ask": "figure", "text": text})
    (tmp_path / "secret.yaml").write_text(SMALL, encoding="utf-8")
    (tmp_path / "folder").mkdir()
    asked = {"ask": "figure", "text": "name: mine\nextends: ../secret.yaml\n"}
    assert "svg" not in answer(asked, tmp_path / "folder")


def test_a_base_that_changes_is_read_again(tmp_path: Path) -> None:
    base = tmp_path / "base.yaml"
    base.write_text(SMALL, encoding="utf-8")
    asked = {"ask": "code", "text": "name: mine\nextends: base.yaml\n"}
    first = answer(asked, tmp_path)["costs"]["weights"]["total"]
    base.write_text(SMALL.replace("d_model: 16", "d_model: 32"), encoding="utf-8")
    assert answer(asked, tmp_path)["costs"]["weights"]["total"] > first


def test_the_difference_of_two_specs() -> None:
    changed = SMALL.replace("layers: 2", "layers: 3")
    asked = {"ask": "difference", "text": changed, "other": SMALL, "other_name": "before"}
    found = answer(asked)
    (change,) = found["changes"]
    assert change["path"] == "stacks.decoder.layers"
    assert (change["before"]["value"], change["after"]["value"], change["line"]) == ("2", "3", 6)
    assert found["cost"]["weights"]["after"] > found["cost"]["weights"]["before"]
    assert found["svg"].startswith("<svg")
    assert answer({**asked, "text": SMALL})["equal"]
    broken = answer({**asked, "other": "name: x\n"})
    assert broken["problems"]
    assert "svg" not in broken


def test_a_model_without_attention_has_no_masks() -> None:
    found = asked("tiny_fastformer", "masks")
    assert found["svg"] == "" or found["note"] == ""
    assert bool(found["svg"]) != bool(found["note"])


def test_answers_are_plain_data_and_repeat() -> None:
    for ask in ("figure", "code", "links", "masks"):
        first = answer({"ask": ask, "text": SMALL})
        assert json.loads(json.dumps(first)) == first
        assert answer({"ask": ask, "text": SMALL}) == first


@pytest.mark.parametrize(
    ("wrong", "key"),
    [
        ({"ask": "run"}, "ask"),
        ({"depth": "deep"}, "depth"),
        ({"theme": "auto"}, "theme"),
        ({"batch": 0}, "batch"),
        ({"batch": "8"}, "batch"),
        ({"sequence": -1}, "sequence"),
        ({"dtype": "int8"}, "dtype"),
        ({"text": None}, "text"),
        ({"text": "x" * 100_001}, "text"),
        ({"name": "../gpt2.yaml"}, "name"),
        ({"other_name": "a\nb"}, "other_name"),
        ({"weights": "model.safetensors"}, "weights"),
    ],
)
def test_requests_that_the_page_never_makes(wrong: dict[str, Any], key: str) -> None:
    with pytest.raises(RequestError, match=f"^{key}: "):
        answer({"ask": "figure", "text": SMALL, **wrong})


def test_a_text_longer_than_a_spec_is_a_problem_with_a_place() -> None:
    (problem,) = answer({"ask": "figure", "text": "# " + "x" * 70_000})["problems"]
    assert "at most 65,536 characters" in problem["message"]


def test_answers_need_no_torch_and_no_server() -> None:
    code = (
        "import sys\n"
        "from modelwright.explorer import answer\n"
        f"for ask in ('figure', 'code', 'masks'): answer({{'ask': ask, 'text': {SMALL!r}}})\n"
        "print(*sorted({name.split('.')[0] for name in sys.modules}))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"torch", "starlette", "uvicorn", "networkx"} & set(done.stdout.split())


def test_a_changed_base_is_read_again(tmp_path: Path) -> None:
    base = tmp_path / "base.yaml"
    base.write_text(SMALL, encoding="utf-8")
    asked = {"ask": "code", "text": "extends: base.yaml\nname: more\n", "name": "more.yaml"}
    assert "layers: int = 2" in answer(asked, tmp_path)["code"]
    base.write_text(SMALL.replace("layers: 2", "layers: 13"), encoding="utf-8")
    assert "layers: int = 13" in answer(asked, tmp_path)["code"]
    base.unlink()
    assert "there is no file" in answer(asked, tmp_path)["problems"][0]["message"]
