"""Runs from the command line: each task learns, folders are resumed, edited files are kept."""

from __future__ import annotations

import json
import math
import os
import random
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result
from pictures import write_images
from safetensors import SafetensorError

import modelwright as mw
from modelwright.cli import cli
from modelwright.training import runs
from modelwright.training.emitted import parallel, train
from modelwright.training.emitted.log import Log, read
from modelwright.training.emitted.objective import Objective
from modelwright.training.emitted.settings import Settings
from modelwright.training.errors import TrainingError
from modelwright.training.quantizing import quantize_spec
from modelwright.training.runs import prepare
from modelwright.training.sampling import loss_of, samples_of
from modelwright.training.tasks import task_of
from modelwright.training.undo import undone_if_refused

SPEC = """name: small
family: {family}
vocab_size: 256
max_positions: 32
d_model: 32
layers: 2
positions: learned
attention: {{heads: 2}}
head: {head}
init: {{std: 0.1}}
"""
FAST = ("--batch", "8", "--lr", "0.01", "--log-every", "20", "--eval-steps", "2")


def type_in(*words: str | Path) -> Result:
    result = CliRunner().invoke(cli, [str(word) for word in words])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def write_spec(
    folder: Path, family: str = "decoder-only", head: str = "language_model", more: str = ""
) -> Path:
    path = folder / "small.yaml"
    path.write_text(SPEC.format(family=family, head=head) + more, encoding="utf-8")
    return path


def write_lines(folder: Path, lines: list[dict[str, Any]]) -> Path:
    path = folder / "lines.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


def losses(run: Path) -> tuple[list[float], list[dict[str, Any]]]:
    """The losses of all steps, and the evaluations."""
    lines = read(run / "log.jsonl")
    return [x["loss"] for x in lines if "loss" in x], [x for x in lines if "val_loss" in x]


@pytest.fixture
def small(tmp_path: Path) -> Path:
    return write_spec(tmp_path)


def test_a_language_model(
    small: Path, tokens: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """It is written, trained, resumed with more steps, and its weights load elsewhere."""
    run = tmp_path / "run"
    result = type_in("train", small, "--data", tokens, "-o", run, "--steps", "6", *FAST)
    assert result.exit_code == 0, capfd.readouterr().err
    assert "wrote" in result.stderr
    names = {path.name for path in run.iterdir()} - {"__pycache__"}
    assert names == {
        "spec.yaml", "settings.json", "model.py", "train.py", "samples.py", "objective.py",
        "files.py", "log.py", "checkpoints.py", "optimizers.py", "parallel.py", "settings.py",
        "log.jsonl", "loss.svg", "step-00000006", "weights.safetensors",
    }  # fmt: skip
    (run / "train.py").write_text((run / "train.py").read_text() + "print('edited')\n")
    result = type_in("train", small, "-o", run, "--steps", "8")
    assert "train.py was modified by hand" in result.stderr
    assert capfd.readouterr().out.endswith("edited\n")
    steps = [line["step"] for line in read(run / "log.jsonl") if "loss" in line]
    assert steps == list(range(8))
    model = mw.compile(small)
    mw.load_weights(model, run / "weights.safetensors")
    (run / "other.yaml").write_text(small.read_text().replace("layers: 2", "layers: 3"))
    result = type_in("train", run / "other.yaml", "-o", run)
    assert result.exit_code == 2
    assert "is a run of another spec" in result.stderr


VIT = """name: small
family: encoder-only
d_model: 32
layers: 2
input: {type: patches, image_size: 8, patch_size: 4, channels: 1}
positions: learned
attention: {heads: 2}
head: {type: classifier, classes: 2, pool: mean}
"""


@pytest.mark.slow
def test_images_are_distinguished(tmp_path: Path) -> None:
    (tmp_path / "small.yaml").write_text(VIT, encoding="utf-8")
    data, run = tmp_path / "data", tmp_path / "run"
    words = ("--kind", "images", "--held-out", "0.2", "-o", data)
    result = type_in("data", write_images(tmp_path), *words)
    assert "160 images" in result.stderr
    words = ("--data", data, "-o", run, "--steps", "60", *FAST)
    assert type_in("train", tmp_path / "small.yaml", *words).exit_code == 0
    assert losses(run)[1][-1]["val_accuracy"] == 1.0
    words = ("--data", data, "-o", tmp_path / "wide", "--set", "input.image_size=12")
    assert type_in("train", tmp_path / "small.yaml", *words).exit_code == 2


IMAGES = {
    "shape": ({"images": np.zeros((3, 8, 8), np.uint8)}, "must be uint8 of shape (N, channels"),
    "type": ({"images": np.zeros((3, 1, 8, 8))}, "not float64 (3, 1, 8, 8)"),
    "labels": ({"labels": np.array([0.5])}, "`labels` must be one class number"),
    "pickle": ({"labels": np.array([{}])}, "is not a valid .npz file"),
}


@pytest.mark.parametrize("case", IMAGES)
def test_other_images_are_refused(case: str, tmp_path: Path) -> None:
    changes, message = IMAGES[case]
    path = write_images(tmp_path, 3, **changes)
    result = type_in("data", path, "--kind", "images", "-o", tmp_path / "data")
    assert result.exit_code == 2
    assert message in result.stderr
    assert [p.name for p in tmp_path.iterdir()] == ["images.npz"]


CLIP = """name: small
stacks:
  vision:
    d_model: 32
    layers: 1
    input: {type: patches, image_size: 8, patch_size: 4, channels: 1}
    positions: learned
    attention: {heads: 2}
  text:
    vocab_size: 256
    max_positions: 16
    d_model: 32
    layers: 1
    positions: learned
    attention: {heads: 2}
init: {std: 0.1}
head: {type: contrastive, size: 16, towers: {vision: {pool: mean}, text: {pool: mean}}}
"""


def write_captions(folder: Path, count: int = 400, **changes: Any) -> Path:
    """Images of noise with a bright quarter, and the name of the quarter."""
    draw = np.random.default_rng(0)
    quarters = np.arange(count) % 4
    images = draw.integers(0, 60, (count, 1, 8, 8), dtype=np.uint8)
    for image, quarter in zip(images, quarters, strict=True):
        y, x = 4 * (quarter // 2), 4 * (quarter % 2)
        image[0, y : y + 4, x : x + 4] += 150
    texts = np.array(["top left", "top right", "bottom left", "bottom right"])[quarters]
    np.savez(folder / "captions.npz", **{"images": images, "texts": texts, **changes})
    return folder / "captions.npz"


CAPTIONS = ("--kind", "captions", "--tokenizer", "bytes", "--held-out", "0.2")


@pytest.mark.slow
def test_images_find_their_texts(tmp_path: Path) -> None:
    """Of 16 texts about 4 are equal, so the best loss is about log(4)."""
    (tmp_path / "small.yaml").write_text(CLIP, encoding="utf-8")
    data, run = tmp_path / "data", tmp_path / "run"
    result = type_in("data", write_captions(tmp_path), *CAPTIONS, "-o", data)
    assert "320 images" in result.stderr
    words = ("--data", data, "-o", run, "--steps", "60", "--batch", "16", "--micro-batch", "16")
    words += ("--lr", "0.003", "--eval-steps", "2")
    assert type_in("train", tmp_path / "small.yaml", *words).exit_code == 0
    seen, evaluated = losses(run)
    assert seen[0] > math.log(16) - 0.1
    assert seen[-1] < math.log(4) + 0.2
    assert evaluated[-1]["val_loss"] < math.log(4) + 0.3


def test_captions_stay_with_their_images(tmp_path: Path) -> None:
    """Truncated ones keep their last token, which may be the end token that the head reads."""
    data = tmp_path / "data"
    assert type_in("data", write_captions(tmp_path, 40), *CAPTIONS, "-o", data).exit_code == 0
    (tmp_path / "small.yaml").write_text(CLIP, encoding="utf-8")
    graph = mw.lower(tmp_path / "small.yaml")
    samples = samples_of(task_of(graph, mw.compile(graph)), data, "train", 10)
    inputs, labels = samples.batch(0, 32)
    assert labels.tolist() == list(range(32))
    for image, ids, mask in zip(*(inputs[name] for name in inputs), strict=True):
        y, x = divmod(int(image[0, ::4, ::4].flatten().argmax()), 2)
        text = f"{('top', 'bottom')[y]} {('left', 'right')[x]}".encode()
        expected = text if len(text) <= 10 else text[:9] + text[-1:]
        assert bytes(ids[mask == 1].tolist()) == expected


def test_a_text_has_the_token_that_the_head_reads(tmp_path: Path) -> None:
    """The pool `token` would take the first vector of a text without it."""
    data = tmp_path / "data"
    assert type_in("data", write_captions(tmp_path, 40), *CAPTIONS, "-o", data).exit_code == 0
    for token, refused in ((116, False), (113, True)):  # t, q
        text = CLIP.replace("text: {pool: mean}", f"text: {{pool: {{type: token, id: {token}}}}}")
        graph = mw.lower(mw.loads(text))
        samples = samples_of(task_of(graph, mw.compile(graph)), data, "train", 12)
        if not refused:
            samples.batch(0, 4)
            continue
        with pytest.raises(TrainingError, match="has no token 113, at which the head reads it"):
            samples.batch(0, 4)


def test_quantization_compares_pairs(tmp_path: Path) -> None:
    """A batch of one pair has the loss 0."""
    pytest.importorskip("torchao")
    data, spec = tmp_path / "data", mw.loads(CLIP)
    assert type_in("data", write_captions(tmp_path, 40), *CAPTIONS, "-o", data).exit_code == 0
    mw.save_weights(mw.compile(spec, seed=1), tmp_path / "w.safetensors")
    made = quantize_spec(spec, tmp_path / "w.safetensors", "int8", data, samples=8)
    model = mw.load_weights(mw.compile(spec), tmp_path / "w.safetensors").eval()
    batch = samples_of(task_of(mw.lower(spec), model), data, "val", 16).batch(0, 8)
    assert made.before == pytest.approx(float(loss_of(model, *batch).detach()), abs=1e-5)
    assert made.after == pytest.approx(made.before, abs=0.05)
    assert made.divergence > 0
    with pytest.raises(TrainingError, match="--samples must be at least 2"):
        quantize_spec(spec, tmp_path / "w.safetensors", "int8", data, samples=1)


def test_other_captions_are_refused(tmp_path: Path) -> None:
    path = write_captions(tmp_path, 4, texts=np.zeros(4))
    result = type_in("data", path, *CAPTIONS, "-o", tmp_path / "data")
    assert (result.exit_code, "`texts` must be one string per" in result.stderr) == (2, True)
    result = type_in("data", path, "--kind", "captions", "-o", tmp_path / "data")
    assert (result.exit_code, "--tokenizer is required" in result.stderr) == (2, True)


REFUSED = {
    "pairs": ("examples", "clip_vit_b32", "a new run needs --data"),
    "no_head": ("examples", "dinov2_base", "has no head"),
    "heads": ("examples", "bert_pretraining", "has several heads (mlm, nsp)"),
    "vector": (
        "examples",
        "bert_base",
        "head of type `projection` is not supported yet; those of type language_model, classifier, "
        "contrastive, patches are",
    ),
    "variance": ("examples", "dit_xl_2", "the head returns 8 channels, but the image has 4"),
    "sound": ("examples", "whisper_tiny", "the argument `input_features` is not supported yet"),
    "video": ("examples", "vivit_b16x2", "training on `pixel_values` is not supported yet"),
    "tokens": ("examples", "wav2vec2_base", "token classifier is not supported yet"),
    "data": ("examples", "tiny_gpt", "a new run needs --data"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_unsupported_models_are_refused(case: str, examples: Path, tmp_path: Path) -> None:
    _, name, message = REFUSED[case]
    result = type_in("train", examples / f"{name}.yaml", "-o", tmp_path / "run")
    assert result.exit_code == 2
    assert message in result.stderr
    assert not (tmp_path / "run").exists()


def test_a_folder_of_something_else_is_left_alone(small: Path, tmp_path: Path) -> None:
    result = type_in("train", small, "--data", "x", "-o", tmp_path)
    assert result.exit_code == 2
    assert "is not empty and not a run" in result.stderr


def test_settings_of_a_run_stay(small: Path, tmp_path: Path) -> None:
    words = ("train", small, "-o", tmp_path / "run", "--write-only")
    assert type_in(*words, "--data", "x", "--recipe", "vaswani", "--batch", "12").exit_code == 0
    assert type_in(*words, "--steps", "7").exit_code == 0
    made = json.loads((tmp_path / "run" / "settings.json").read_text())
    assert (made["steps"], made["batch"], made["micro_batch"], made["length"]) == (7, 12, 4, 32)
    assert (made["schedule"], made["beta2"]) == ("inverse_sqrt", 0.98)
    assert made["lr"] == pytest.approx((32 * 4000) ** -0.5)
    assert made["data"] == str(Path("x").resolve())


@pytest.mark.parametrize(
    ("devices", "chosen", "micro_batch"),
    [
        (1, {}, 8),
        (2, {}, 4),
        (3, {}, 2),  # the run refuses 8 samples on 3 devices
        (2, {"micro_batch": 2}, 2),
        (4, {"parallel": "tp"}, 8),  # all of them compute the same samples
        (4, {"parallel": "tp", "tensor_size": 2}, 4),
    ],
)
def test_devices_share_a_batch(
    small: Path, tmp_path: Path, devices: int, chosen: dict[str, Any], micro_batch: int
) -> None:
    given = {"data": "x", "batch": 8, **chosen}
    prepare(mw.load(small), tmp_path / "run", given, devices=devices)
    made = json.loads((tmp_path / "run" / "settings.json").read_text())
    assert made["micro_batch"] == micro_batch


def test_from_python(small: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="unknown setting `stepz`; expected one of: data, out"):
        mw.train(small, "tokens", tmp_path / "run", stepz=3)
    with pytest.raises(TrainingError, match="unknown recipe `bert`"):
        mw.train(small, "tokens", tmp_path / "run", recipe="bert")
    with pytest.raises(TrainingError, match=r"train\.py ended with exit code 2: no .*data\.json; "):
        mw.train(small, tmp_path / "nowhere", tmp_path / "run")
    assert not (tmp_path / "run").exists()


WRONG = {
    "steps": ("2", "steps must be of type int, not '2'"),
    "length": (None, "length must be of type int, not None"),
    "devices": (0, "devices must be a number of at least 1, not 0"),
    "warmup": ("9", "warmup must be of type int, not '9'"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_values_from_python(name: str, small: Path, tmp_path: Path) -> None:
    value, message = WRONG[name]
    options: dict[str, Any] = {"recipe": "vaswani", name: value}
    with pytest.raises(TrainingError, match=message):
        mw.train(small, "tokens", tmp_path / "run", **options)
    assert not (tmp_path / "run").exists()


def test_a_refused_run_changes_nothing(small: Path, tmp_path: Path) -> None:
    """New files are removed and others get their content back, unless a step was completed."""
    run = tmp_path / "run"
    words = ("train", small, "-o", run, "--data", "x", "--write-only")
    assert type_in(*words).exit_code == 0
    before = {path: path.read_bytes() for path in run.iterdir()}

    def refused(name: str) -> None:
        with undone_if_refused(run):
            assert type_in(*words, "--steps", "7").exit_code == 0
            (run / name).write_text("{}\n")
            raise TrainingError

    with pytest.raises(TrainingError):
        refused("other")
    assert {path: path.read_bytes() for path in run.iterdir()} == before
    with pytest.raises(TrainingError):
        refused("log.jsonl")
    assert json.loads((run / "settings.json").read_text())["steps"] == 7


def test_a_run_that_fails_in_its_first_step_leaves_nothing(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where it is no refusal, but an exception of torch: exit code 1."""
    monkeypatch.setattr(runs, "run_script", lambda *_, **__: 1)
    run = tmp_path / "run"
    assert type_in("train", small, "-o", run, "--data", "x").exit_code == 1
    assert not run.exists()
    with pytest.raises(TrainingError, match="exit code 1"):
        mw.train(mw.load(small), "x", run)
    assert not run.exists()


def test_prefix_tokens_have_positions_and_no_labels(tmp_path: Path, tokens: Path) -> None:
    path = write_spec(tmp_path, more="input: {type: tokens, prefix_tokens: 3}\n")
    spec, data = mw.load(path), {"data": str(tokens)}
    prepare(spec, tmp_path / "run", data)
    length = json.loads((tmp_path / "run" / "settings.json").read_text())["length"]
    assert length == 32 - 3
    with pytest.raises(TrainingError, match=r"length \(30\) and 3 prefix tokens are more than"):
        prepare(spec, tmp_path / "other", data | {"length": 30})
    model = mw.compile(spec, seed=0).eval()
    inputs, labels = samples_of(task_of(mw.lower(spec), model), tokens, "val", length).batch(0, 2)
    logits = model(**inputs)[:, 3:].flatten(0, 1)
    wanted = float(torch.nn.functional.cross_entropy(logits, labels.flatten()))
    assert float(loss_of(model, inputs, labels)) == pytest.approx(wanted)
    objective = Objective(model, model, torch.device("cpu"), Settings())
    total = float(objective(inputs, labels)[0])
    assert total / int((labels >= 0).sum()) == pytest.approx(wanted)


@pytest.mark.slow
def test_an_error_is_reported_once(
    small: Path, tokens: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """By one process of two, with exit code 2; the folder stays as it was."""
    run = tmp_path / "run"
    words = ("train", small, "-o", run, "--devices", "2", "--batch", "8", "--steps", "2")
    result = type_in(*words, "--micro-batch", "3", "--data", tokens)
    said = capfd.readouterr().err
    assert result.exit_code == 2
    assert said == (
        "Error: batch (8) must be a multiple of micro_batch (3) x groups of devices (2)\n"
    )
    assert not run.exists()
    words = (*words, "--micro-batch", "4", "--data", tokens)
    assert type_in(*words).exit_code == 0
    before = (run / "settings.json").read_bytes()
    capfd.readouterr()
    assert type_in(*words, "--length", "8").exit_code == 2
    said = capfd.readouterr().err
    assert (said.count("another length"), said.count("\n")) == (1, 1)
    assert (run / "settings.json").read_bytes() == before


@pytest.mark.slow
def test_torchrun_ends_its_report_with_the_reason(small: Path, tmp_path: Path) -> None:
    """Its own traceback is the only one."""
    script = prepare(mw.load(small), tmp_path / "run", {"data": str(tmp_path / "none")}).script
    words = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", str(script)]
    done = subprocess.run([sys.executable, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.count("Traceback (most recent call last)") == 1
    message = f"Error: no {tmp_path / 'none' / 'data.json'}; `modelwright data` writes it\n"
    report = done.stderr.partition("Root Cause")[2]
    assert (done.stderr.count(message), f"traceback : {message}" in report) == (2, True)


@pytest.mark.slow
def test_packed_documents_do_not_attend_to_each_other(tokens: Path, tmp_path: Path) -> None:
    spec = write_spec(tmp_path, more="mask: causal & documents\n")
    run = tmp_path / "run"
    assert type_in("train", spec, "--data", tokens, "-o", run, "--steps", "6", *FAST).exit_code == 0
    assert 'INPUTS = ("input_ids", "document_ids")' in (run / "samples.py").read_text()


@pytest.mark.slow
def test_pairs_are_translated(tmp_path: Path) -> None:
    """An encoder-decoder learns to spell numbers in capitals, and `generate` does it."""
    words = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]
    texts = [f"{a} {b}" for a in words for b in words] * 4
    random.Random(0).shuffle(texts)
    lines = [{"source": text, "target": text.upper() + "\n"} for text in texts]
    tokens = "tokens: {pad: 0, eos: 10, decoder_start: 1}\n"
    spec = write_spec(tmp_path, "encoder-decoder", more=tokens)
    data, run = tmp_path / "pairs", tmp_path / "run"
    words_ = ("--kind", "pairs", "--tokenizer", "bytes", "--held-out", "0.1", "-o", data)
    assert type_in("data", write_lines(tmp_path, lines), *words_).exit_code == 0
    words_ = ("--steps", "300", "--batch", "16", "--lr", "0.005", "--eval-steps", "2")
    assert type_in("train", spec, "--data", data, "-o", run, *words_).exit_code == 0
    assert losses(run)[1][-1]["val_accuracy"] > 0.95
    result = type_in(
        "generate", spec, "--weights", run / "weights.safetensors", "--tokenizer", "bytes",
        "--prompt", "two nine", "--temperature", "0", "--max-new-tokens", "10",
    )  # fmt: skip
    assert result.stdout.strip() == "TWO NINE"
    result = type_in(
        "generate", spec, "--weights", run / "weights.safetensors", "--tokenizer", "bytes",
        "--prompt", "two nine", "--beams", "4", "--max-new-tokens", "10",
    )  # fmt: skip
    assert result.stdout.strip() == "TWO NINE"


@pytest.mark.slow
def test_a_classifier_learns_its_classes(tmp_path: Path) -> None:
    lines = [{"text": "ab" * (n % 7 + 1) + "?!"[n % 2], "label": n % 2} for n in range(200)]
    head = "{type: classifier, classes: 2, pool: mean}"
    spec, data, run = write_spec(tmp_path, "encoder-only", head), tmp_path / "d", tmp_path / "run"
    words = ("--kind", "labelled", "--tokenizer", "bytes", "--held-out", "0.2", "-o", data)
    assert type_in("data", write_lines(tmp_path, lines), *words).exit_code == 0
    assert type_in("train", spec, "--data", data, "-o", run, "--steps", "60", *FAST).exit_code == 0
    assert losses(run)[1][-1]["val_accuracy"] == 1.0


@pytest.mark.slow
def test_masks_are_filled_in(tmp_path: Path) -> None:
    lines = [{"text": "one two three four five six seven eight nine ten"}] * 200
    text, tokenizer, data = write_lines(tmp_path, lines), tmp_path / "t.json", tmp_path / "d"
    spec, run = write_spec(tmp_path, "encoder-only"), tmp_path / "run"
    words = ("--spec", spec, "--type", "wordpiece", "-o", tokenizer)
    assert type_in("tokenizer", text, *words).exit_code == 0
    assert type_in("data", text, "--tokenizer", tokenizer, "-o", data).exit_code == 0
    words = ("--steps", "500", *FAST, "--batch", "16", "--lr", "0.003", "--length", "20")
    assert type_in("train", spec, "--data", data, "-o", run, *words).exit_code == 0
    seen, evaluated = losses(run)
    assert evaluated[-1]["val_accuracy"] > 0.8
    assert seen[-1] < seen[0] / 2


def torchrun(script: Path, processes: int, *words: str) -> None:
    launcher = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    command = [sys.executable, *(launcher if processes > 1 else []), str(script), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]


SPREAD = {
    "2": [("ddp", 2, 12)],
    "2-1-4": [("ddp", 2, 4), ("ddp", 1, 8), ("ddp", 4, 12)],
    "sharded": [("fsdp", 2, 4), ("fsdp", 1, 6), ("fsdp", 4, 9), ("ddp", 2, 12)],
}
"""Parts of a run: how it is distributed, number of processes, last step."""


@pytest.mark.slow
@pytest.mark.parametrize(
    "changes",
    [{}, {"optimizer": "muon", "recompute": True}, {"bfloat16": True}],
    ids=["adamw", "muon", "bfloat16"],
)
def test_processes_change_rounding_only(
    changes: dict[str, Any], tokens: Path, tmp_path: Path
) -> None:
    """Copies and shards on two processes, one and four have the losses of one, with dropout."""
    run, tolerance = tmp_path / "run", 5e-3 if "bfloat16" in changes else 2e-4
    spec = mw.load(write_spec(tmp_path, more="dropout: 0.1\n"))
    given = {"data": str(tokens), "batch": 16, "micro_batch": 4, "steps": 12, "lr": 0.01}
    script = prepare(spec, run, given | {"schedule": "constant", "warmup": 2} | changes).script
    for name, parts in {"1": [("ddp", 1, 12)], **SPREAD}.items():
        for layout, processes, steps in parts:
            words = ("--parallel", layout, "--steps", str(steps), "--eval-every", "12")
            torchrun(script, processes, "--out", str(tmp_path / name), *words)
    expected = losses(tmp_path / "1")
    for name in SPREAD:
        found = losses(tmp_path / name)
        assert found[0] == pytest.approx(expected[0], abs=tolerance), name
        assert len(found[0]) == 12
        assert found[1][-1]["val_loss"] == pytest.approx(expected[1][-1]["val_loss"], abs=tolerance)


@pytest.mark.slow
def test_shards_are_files_of_their_processes(tmp_path: Path) -> None:
    """The head has 2 rows for 4 processes. A missing file is an error."""
    lines = [{"text": "ab" * (n % 7 + 1) + "?!"[n % 2], "label": n % 2} for n in range(200)]
    head = "{type: classifier, classes: 2, pool: mean}"
    spec, data = write_spec(tmp_path, "encoder-only", head), tmp_path / "data"
    words = ("--kind", "labelled", "--tokenizer", "bytes", "-o", data)
    assert type_in("data", write_lines(tmp_path, lines), *words).exit_code == 0
    given = {"data": str(data), "batch": 8, "micro_batch": 2, "steps": 4, "parallel": "fsdp"}
    run = tmp_path / "run"
    script = prepare(mw.load(spec), run, given).script
    torchrun(script, 4)
    torchrun(script, 1, "--out", str(tmp_path / "one"))
    assert losses(run)[0] == pytest.approx(losses(tmp_path / "one")[0], abs=2e-4)
    assert (run / "weights.safetensors").is_file()
    folder = run / "step-00000004"
    parts = [f"-0000{n}-of-00004.safetensors" for n in (1, 2, 3, 4)]
    names = {f"{kind}{part}" for kind in ("weights", "moments") for part in parts}
    assert {path.name for path in folder.iterdir()} == {"run.json", *names}
    (folder / f"weights{parts[1]}").unlink()
    words = [sys.executable, str(script), "--steps", "5"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "has 3 files weights*.safetensors instead of 4" in done.stderr


def test_sigterm_reaches_the_script(tmp_path: Path) -> None:
    """Schedulers send it to `modelwright train`; the script saves, and its exit code counts."""
    words = (
        "import os, signal",
        "signal.signal(signal.SIGTERM, lambda *_: os._exit(7))",
        "os.kill(os.getppid(), signal.SIGTERM)",
        "signal.pause()",
    )
    (tmp_path / "train.py").write_text("\n".join(words))
    before = signal.getsignal(signal.SIGTERM)
    assert runs.run_script(tmp_path / "train.py") == 7
    assert signal.getsignal(signal.SIGTERM) is before


def test_one_signal_from_several_senders_counts_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second one ends the process only after a second."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    monkeypatch.setattr(parallel, "SIGNALS", [])
    raised: list[int] = []
    try:
        parallel.record_signals()
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGTERM)
        assert parallel.SIGNALS == [signal.SIGTERM] * 2
        monkeypatch.setattr(signal, "raise_signal", raised.append)
        now = parallel.time.monotonic()
        monkeypatch.setattr(parallel.time, "monotonic", lambda: now + 2)
        os.kill(os.getpid(), signal.SIGTERM)
        assert raised == [signal.SIGTERM]
        assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


def test_quiet_hides_the_progress(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "train.py").write_text("import sys\nprint(1)\nprint(2, file=sys.stderr)")
    assert runs.run_script(tmp_path / "train.py", silent=True) == 0
    assert tuple(capfd.readouterr()) == ("", "2\n")


def test_weights_that_cannot_be_written_are_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """safetensors has an exception of its own for a full disk."""

    def full(_weights: object, path: Path) -> None:
        path.write_bytes(b"half")
        raise SafetensorError("I/O error: No space left on device")

    monkeypatch.setattr(train.checkpoints, "save_file", full)
    run = SimpleNamespace(model=torch.nn.Linear(2, 2), rank=0, out=tmp_path)
    with pytest.raises(TrainingError, match="was not written, but the checkpoint was: I/O error"):
        train.Run.finish(run)  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())


def test_a_run_without_stdout_continues(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout", None)
    log = Log(tmp_path / "log.jsonl", 0, writes=True)
    log.say("step 1")
    log.write([{"step": 1, "loss": 2.0}])
    assert read(tmp_path / "log.jsonl") == [{"step": 1, "loss": 2.0}]
