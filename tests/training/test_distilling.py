"""Distillation: compatible models, the parts of the loss, and a student that learns."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner, Result

import modelwright as mw
from modelwright.cli import cli
from modelwright.training.distilling import distill_slots, layer_pairs
from modelwright.training.emitted import distill
from modelwright.training.errors import TrainingError
from modelwright.training.runs import prepare, run_script

SPEC = """name: small
family: {family}
vocab_size: 256
max_positions: 32
d_model: {width}
layers: {layers}
positions: {positions}
attention: {{heads: {heads}, kv_heads: {kv_heads}}}
head: {head}
init: {{std: 0.1}}
"""
DEFAULTS = {
    "family": "decoder-only", "width": 32, "layers": 4, "heads": 4, "kv_heads": 4,
    "positions": "rotary", "head": "language_model",
}  # fmt: skip
LOSS = {"distill": "logits", "layer_pairs": ""}


def spec_of(**changes: Any) -> mw.ModelSpec:
    return mw.loads(SPEC.format(**{**DEFAULTS, **changes}))


def slots(student: dict[str, Any], teacher: dict[str, Any], **settings: Any) -> dict[str, Any]:
    graphs = (mw.lower(spec_of(**changes)) for changes in (student, teacher))
    return distill_slots(*graphs, {**LOSS, **settings})


def test_modules_of_the_last_layers_are_compared() -> None:
    """Widths and numbers of key-value heads may differ; the heads of relations divide them all."""
    found = slots({"layers": 2, "width": 48, "kv_heads": 2}, {}, distill="relations,logits")
    assert found["PARTS"] == ("logits", "relations")
    names = [f"attention.{name}" for name in ("query", "key", "value")]
    assert found["RELATIONS"] == tuple((f"layers.1.{n}", f"layers.3.{n}") for n in names)
    assert found["RELATION_HEADS"] == math.gcd(4, 48, 24, 32)
    assert found["CAUSAL"] is True
    assert slots({"family": "encoder-only"}, {"family": "encoder-only"})["CAUSAL"] is False


def test_layers_are_spread_evenly_or_given() -> None:
    pairs = slots({"layers": 2}, {}, distill="hidden")["HIDDEN"]
    assert pairs == (("layers.0", "layers.1"), ("layers.1", "layers.3"))
    pairs = slots({"layers": 2}, {}, distill="hidden", layer_pairs="1:1,2:4")["HIDDEN"]
    assert pairs == (("layers.0", "layers.0"), ("layers.1", "layers.3"))
    graphs = [mw.lower(spec_of(layers=n)) for n in (3, 12)]
    assert layer_pairs(*graphs, "") == [(0, 3), (1, 7), (2, 11)]


BAD = {
    "part": ({}, {}, {"distill": "logit"}, "unknown part `logit`; expected some of: logits,"),
    "pair": ({}, {}, {"distill": "hidden", "layer_pairs": "1-2"}, "expected pairs such as 1:4"),
    "beyond": ({}, {}, {"distill": "hidden", "layer_pairs": "1:9"}, "1:9 is outside the student's"),
    "width": ({"width": 48}, {}, {"distill": "hidden"}, "d_model is 48 in the student and 32 in"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_pairs_are_refused(case: str) -> None:
    student, teacher, settings, message = BAD[case]
    with pytest.raises(TrainingError) as error:
        slots(student, teacher, **settings)
    assert message in str(error.value)


def test_learned_tokens_in_front_are_refused(examples: Path) -> None:
    """The student and the teacher would have positions for different tokens."""
    plain = mw.lower(examples / "tiny_gpt.yaml")
    prompted = mw.lower(mw.load(examples / "tiny_gpt.yaml", sets=["input.prefix_tokens=3"]))
    for student, teacher in ((plain, prompted), (prompted, plain)):
        with pytest.raises(TrainingError, match="`prefix_tokens` is not supported yet"):
            distill_slots(student, teacher, LOSS)


def test_relations_need_projections(examples: Path) -> None:
    graph = mw.lower(examples / "tiny_encoder_decoder.yaml")
    with pytest.raises(TrainingError, match="`relations` needs a model with one stack"):
        distill_slots(graph, graph, {**LOSS, "distill": "relations"})
    graph = mw.lower(examples / "albert_base.yaml")
    with pytest.raises(TrainingError, match="`relations` needs layers that do not share weights"):
        distill_slots(graph, graph, {**LOSS, "distill": "relations"})


def test_softened_is_the_formula_of_the_paper() -> None:
    """Its gradient for the logits is T (q - p) (Hinton et al. 2015, section 2)."""
    ours, theirs = torch.randn(3, 7, requires_grad=True), torch.randn(3, 7)
    distill.softened(ours, theirs, 4.0).backward()
    q, p = (ours.detach() / 4).softmax(-1), (theirs / 4).softmax(-1)
    assert ours.grad is not None
    torch.testing.assert_close(ours.grad, 4.0 * (q - p))
    assert distill.softened(theirs, theirs, 4.0) == 0


def test_relations_see_what_the_tokens_see(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distill, "RELATION_HEADS", 2)
    x, y = torch.randn(2, 5, 8), torch.randn(2, 5, 12)
    inputs = {"attention_mask": torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]])}
    seen, real = distill.visible(x, inputs)
    found = distill.divergence(distill.relation(x, seen), distill.relation(y, seen), real)
    rows = []
    for b, length in enumerate((5, 3)):
        for t in range(length):
            for h in range(2):
                a, c = x[b, : t + 1, 4 * h : 4 * h + 4], y[b, : t + 1, 6 * h : 6 * h + 6]
                ours, theirs = (a @ a[t] / 2).softmax(-1), (c @ c[t] / 6**0.5).softmax(-1)
                rows.append((theirs * (theirs / ours).log()).sum())
    assert float(found) == pytest.approx(float(torch.stack(rows).sum()) / (2 * 8), abs=1e-5)


def type_in(*words: str | Path) -> Result:
    result = CliRunner().invoke(cli, [str(word) for word in words])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def write(folder: Path, name: str, **changes: Any) -> Path:
    path = folder / f"{name}.yaml"
    path.write_text(SPEC.format(**{**DEFAULTS, **changes}), encoding="utf-8")
    return path


WRONG = {
    "alone": (["--temperature", "3"], "--temperature has no effect without --teacher"),
    "start": (["--start-from-teacher"], "--start-from-teacher has no effect without --teacher"),
    "weights": (["--teacher", "teacher.yaml"], "a teacher needs --teacher-weights"),
    "task": (["--teacher", "bert.yaml", "--teacher-weights", "w"], "learns from masked samples"),
    "size": (["--teacher", "other.yaml", "--teacher-weights", "w"], "vocabulary is 300"),
    "shape": (
        ["--teacher", "wide.yaml", "--teacher-weights", "w", "--start-from-teacher"],
        "of the teacher has shape (256, 48), but token_embedding.weight of the student has",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_teachers_are_refused(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options, message = WRONG[case]
    monkeypatch.chdir(tmp_path)
    student = write(tmp_path, "student", layers=2)
    write(tmp_path, "teacher")
    write(tmp_path, "bert", family="encoder-only")
    wide = write(tmp_path, "wide", width=48)
    (tmp_path / "other.yaml").write_text(student.read_text().replace("256", "300"))
    mw.save_weights(mw.compile(wide), tmp_path / "w")
    result = type_in("train", student, "--data", "x", "-o", "run", "--write-only", *options)
    assert result.exit_code == 2
    assert message in result.stderr


def test_a_student_starts_with_the_teachers_layers(tmp_path: Path) -> None:
    teacher, student = write(tmp_path, "teacher"), write(tmp_path, "student", layers=2)
    model = mw.compile(teacher, seed=1)
    mw.save_weights(model, tmp_path / "teacher.safetensors")
    given = {"data": "x", "teacher_weights": str(tmp_path / "teacher.safetensors")}
    run = tmp_path / "run"
    prepare(mw.load(student), run, given, teacher=mw.load(teacher), start_from_teacher=True)
    small = mw.compile(student)
    mw.load_weights(small, run / "initial.safetensors")
    theirs = model.state_dict()
    for name, weight in small.state_dict().items():
        other = name.replace("layers.1.", "layers.3.").replace("layers.0.", "layers.1.")
        torch.testing.assert_close(weight, theirs[other], rtol=0, atol=0)
    prepare(mw.load(student), run, {"steps": 7})  # it keeps its teacher
    assert "from distill import Objective" in (run / "train.py").read_text()
    assert json.loads((run / "settings.json").read_text())["steps"] == 7


@pytest.mark.slow
def test_a_student_learns_from_its_teacher(tokens: Path, tmp_path: Path) -> None:
    """With each part, the loss of the labels after few steps is lower than without a teacher."""
    teacher, student = write(tmp_path, "teacher"), write(tmp_path, "student", layers=2)
    fast = {"batch": 16, "micro_batch": 8, "lr": 0.01, "log_every": 50, "eval_steps": 2}
    mw.train(teacher, tokens, tmp_path / "t", steps=600, **fast)
    weights = tmp_path / "t" / "weights.safetensors"
    found = {}
    for parts in ("", "logits", "logits,relations", "logits,hidden"):
        run = tmp_path / (parts or "alone")
        words = {"teacher": teacher, "teacher_weights": weights, "distill": parts} if parts else {}
        mw.train(student, tokens, run, steps=150, **fast, **words)
        lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
        found[parts] = lines[-1]["val_loss"]
    alone = found.pop("")
    assert all(loss < alone for loss in found.values()), (alone, found)
    run = tmp_path / "logits"
    mw.train(student, tokens, run, steps=152)
    assert (run / "step-00000152").is_dir()
    assert run_script(run / "train.py") == 0
