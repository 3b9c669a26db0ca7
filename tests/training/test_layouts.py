"""Several processes, however they share a model, have the losses and gradient norms of one."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from conftest import Script, log_of
from pictures import write_images

import modelwright as mw
from modelwright.training.encoding import read_tokenizer
from modelwright.training.image_files import ImageRequest
from modelwright.training.image_files import write_images as write_image_files
from modelwright.training.runs import prepare
from modelwright.training.token_files import Request, write_data

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
WORDS = "vocab_size=257"  # not a multiple of the number of devices
GROUPS = ("attention.heads=8", "attention.kv_heads=4", "attention.qk_norm=head")
MODELS = {
    "gpt2": ("text", "tiny_gpt", "layers=2", "positions=learned", "dropout=0", WORDS),
    "llama": ("text", "tiny_llama", *GROUPS, WORDS),
    "muon": ("text", "tiny_llama", *GROUPS, WORDS),
    "t5": ("pairs", "tiny_t5", WORDS),
    "bert": ("masked", "tiny_bert", "dropout=0", "head=language_model", WORDS),
    "vit": ("images", "image"),
    "experts": ("text", "experts"),
}
"""Kind of data, example or spec of SPECS, and changes."""
SPECS = {
    "image": """
name: image
family: encoder-only
input: {type: patches, image_size: 8, patch_size: 4, channels: 1, prefix_tokens: 1}
d_model: 48
layers: 2
positions: learned
attention: {heads: 4}
head: {type: classifier, classes: 3, pool: first}
init: {std: 0.1}
""",
    "experts": """
name: experts
family: decoder-only
vocab_size: 256
max_positions: 32
d_model: 48
layers: 2
norm: rmsnorm
positions: rotary
attention: {heads: 8, kv_heads: 4}
feed_forward:
  type: moe
  experts: 4
  top_k: 2
  balance_loss: 0.01
  z_loss: 0.001
  expert: {type: glu, activation: silu, d_ff: 64}
head: language_model
init: {std: 0.1}
""",
}
SETTINGS = {"llama": {"recompute": True}, "muon": {"optimizer": "muon"}}
LAYOUTS = {
    "ddp on 2": (2, "ddp", 0), "ddp on 4": (4, "ddp", 0),
    "fsdp on 2": (2, "fsdp", 0), "fsdp on 4": (4, "fsdp", 0),
    "tp on 2": (2, "tp", 0), "tp on 4": (4, "tp", 0), "two groups of 2": (4, "tp", 2),
}  # fmt: skip
"""Processes, and the settings `parallel` and `tensor_size`."""
GIVEN: dict[str, Any] = {
    "batch": 8, "micro_batch": 2, "steps": 4, "length": 16, "lr": 0.003, "warmup": 2, "clip": 0.5,
    "schedule": "constant", "epsilon": 1e-3, "eval_every": 0, "save_every": 4,
}  # fmt: skip
"""A large epsilon: AdamW divides gradients that are about 0 by their size, so rounding decides."""


def pairs(folder: Path) -> Request:
    lines = [{"source": f"{'ab' * (n % 7 + 1)}{n}", "target": f"{n}" * 3} for n in range(100)]
    path = folder / "pairs.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return Request([path], "pairs", read_tokenizer("bytes"), None, 0.1)


@pytest.fixture(scope="module")
def data(tokens: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The folder of token files of a kind."""
    folder = tmp_path_factory.mktemp("data")

    @cache
    def written(kind: str) -> Path:
        if kind == "text":
            return tokens
        if kind == "masked":  # byte 1 as a mask token
            shutil.copytree(tokens, folder / kind)
            about = json.loads((tokens / "data.json").read_text(encoding="utf-8"))
            text = json.dumps(about | {"specials": {"mask": 1}})
            (folder / kind / "data.json").write_text(text, encoding="utf-8")
            return folder / kind
        if kind == "images":
            write_image_files(ImageRequest([write_images(folder)]), folder / kind)
        else:
            write_data(pairs(folder), folder / kind)
        return folder / kind

    return written


def spec_of(model: str) -> mw.ModelSpec:
    _, name, *sets = MODELS[model]
    return mw.loads(SPECS[name]) if name in SPECS else mw.load(EXAMPLES / f"{name}.yaml", sets=sets)


@pytest.fixture(scope="module")
def numbers(
    script: Script, data: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str, str], list[float]]:
    """Losses and gradient norms of all steps of a model in a layout; of one process without one."""
    folder = tmp_path_factory.mktemp("runs")

    @cache
    def found(model: str, layout: str) -> list[float]:
        run, out = folder / model, folder / f"{model} {layout}"
        given = {**GIVEN, "data": str(data(MODELS[model][0])), **SETTINGS.get(model, {})}
        if not run.exists():
            prepare(spec_of(model), run, {"data": given["data"]})
        processes, parallel, tensor_size = LAYOUTS.get(layout, (1, "ddp", 0))
        job = {"run": str(run), "processes": processes}
        given |= {"parallel": parallel, "tensor_size": tensor_size}
        code, _, said = script.run(out, job, **given)
        assert code == 0, said
        lines = [line for line in log_of(out) if "loss" in line]
        assert len(lines) == given["steps"]
        return [line[key] for line in lines for key in ("loss", "norm")]

    return found


FAST = [("t5", "fsdp on 2"), ("vit", "fsdp on 2"), ("experts", "fsdp on 2")]
SLOW = [case for case in product(MODELS, LAYOUTS) if case not in FAST]


@pytest.mark.parametrize(
    ("model", "layout"), [*FAST, *(pytest.param(*case, marks=pytest.mark.slow) for case in SLOW)]
)
def test_layouts_change_rounding_only(
    model: str, layout: str, numbers: Callable[[str, str], list[float]]
) -> None:
    expected = numbers(model, "one process")
    assert numbers(model, layout) == pytest.approx(expected, abs=1e-5, rel=1e-5)
    assert expected[0] > expected[-2]
    assert expected[1] > GIVEN["clip"]
