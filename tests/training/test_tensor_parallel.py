"""`--parallel tp`: what is divided, and runs whose layout changes. See also test_layouts.py."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from conftest import Script

import modelwright as mw
from modelwright.compiler.plan.divided import tensor_slots
from modelwright.training.emitted.log import read
from modelwright.training.runs import command, prepare

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
GPT = """
name: gpt
family: decoder-only
vocab_size: 257
max_positions: 32
d_model: 48
layers: 2
positions: learned
attention: {heads: 4}
head: {type: language_model, tied: true}
init: {std: 0.1}
"""
LLAMA = """
name: llama
family: decoder-only
vocab_size: 256
max_positions: 64
d_model: 64
layers: 2
norm: rmsnorm
positions: rotary
attention: {heads: 8, kv_heads: 4, qk_norm: head}
feed_forward: {type: glu, activation: silu, d_ff: 152}
head: language_model
init: {std: 0.1}
"""


def numbers(run: Path) -> list[float]:
    """Losses and gradient norms of all steps."""
    lines = [line for line in read(run / "log.jsonl") if "loss" in line]
    return [line[key] for line in lines for key in ("loss", "norm")]


CASES = {"one group": (2, 0), "two groups": (4, 2)}
"""Processes, and the setting `tensor_size`."""


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_the_layout_changes_when_a_run_is_resumed(
    case: str, script: Script, tmp_path: Path
) -> None:
    """Losses and gradient norms of six steps, with clipping, and the files of a checkpoint.

    A large epsilon, since AdamW divides gradients that are about 0 by their size.
    """
    processes, size = CASES[case]
    given = {"batch": 8, "micro_batch": 4, "lr": 0.003, "length": 24, "warmup": 2, "clip": 0.5}
    given |= {"schedule": "constant", "epsilon": 1e-3, "save_every": 2, "eval_every": 0}
    prepare(mw.loads(GPT), tmp_path / "run", {"data": str(script.data), **given})

    def trained(name: str, processes: int, steps: int, **changes: Any) -> None:
        job = {"run": str(tmp_path / "run"), "processes": processes}
        code, _, said = script.run(tmp_path / name, job, steps=steps, **given, **changes)
        assert code == 0, said

    divided = {"parallel": "tp", "tensor_size": size}
    trained("one", 1, 6)
    trained("mixed", processes, 2, **divided)
    stored = {path.name for path in (tmp_path / "mixed" / "step-00000002").iterdir()}
    parts = [""] if size == 0 else [f"-0000{n}-of-00002" for n in (1, 2)]
    files = {f"{kind}{n}.safetensors" for kind in ("weights", "moments") for n in parts}
    assert stored == {"run.json", *files}
    trained("mixed", processes // 2, 4, parallel="fsdp" if size else "ddp")
    trained("mixed", processes, 6, **divided)
    expected = numbers(tmp_path / "one")
    assert len(expected) == 12
    assert numbers(tmp_path / "mixed") == pytest.approx(expected, abs=1e-5, rel=1e-5)


DIVIDED = {
    "tiny_gpt": 61, "tiny_llama": 30, "tiny_t5": 35, "tiny_bert": 25, "tiny_deepseek": 14,
    "tiny_encoder_decoder": 65, "tiny_differential": 7, "tiny_lightning": 6,
    "tiny_talking_heads": 10, "softcap": 25, "alibi": 9, "qk_norm": 30, "experts": 18, "image": 24,
}  # fmt: skip
"""Examples and specs, and how many of their weights are divided: none of latent attention or of
experts, and with ALiBi only those of feed-forwards.
"""
OTHERS = {
    "softcap": GPT.replace("heads: 4", "heads: 4, softcap: 5.0").replace(
        "tied: true", "tied: true, softcap: 9"
    ),
    "alibi": GPT.replace("learned", "alibi"),
    "qk_norm": LLAMA,
    "experts": LLAMA.replace(
        "type: glu,", "type: moe, experts: 4, top_k: 2, expert: {type: glu,"
    ).replace("d_ff: 152", "d_ff: 152}"),
    "image": """
name: image
family: encoder-only
input: {type: patches, image_size: 16, patch_size: 4, prefix_tokens: 1}
d_model: 48
layers: 2
positions: learned
attention: {heads: 4}
head: {type: classifier, classes: 5, pool: first}
init: {std: 0.1}
""",
}


@pytest.mark.slow
@pytest.mark.parametrize("groups", [1, 2])
def test_outputs_and_gradients_are_those_of_the_whole(groups: int, tmp_path: Path) -> None:
    """In float64, on two processes, and on two groups of two, which sum gradients in float32."""
    for name, text in OTHERS.items():
        (tmp_path / f"{name}.yaml").write_text(text, encoding="utf-8")
    paths = [(tmp_path if name in OTHERS else EXAMPLES) / f"{name}.yaml" for name in DIVIDED]
    script = command(Path(__file__).with_name("divided.py"), 2 * groups)
    words = [*script, str(groups), *map(str, paths)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    found = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert len(found) == len(DIVIDED)
    for (name, count), one in zip(DIVIDED.items(), found, strict=True):
        assert one["difference"] < (1e-9 if groups == 1 else 1e-4), (name, one)
        assert one["divided"] == count, (name, one)


NAMES = {
    "gpt2": (("layers.*.attention", ("query", "key", "value"), "output", 12),
             ("layers.*.feed_forward", ("up",), "down", 3072)),
    "llama3_8b": (("layers.*.attention", ("query", "key", "value"), "output", 8),
                  ("layers.*.feed_forward", ("gate", "up"), "down", 14336)),
    "bloom_560m": (("layers.*.feed_forward", ("up",), "down", 4096),),
}  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_the_modules_that_are_divided(name: str) -> None:
    slots = tensor_slots(mw.lower(EXAMPLES / f"{name}.yaml"))
    assert slots["DIVIDED"] == NAMES[name]
    assert bool(slots["WHOLE"]) == (name == "bloom_560m")


@pytest.mark.sampled(2)
@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.yaml"))[::3], ids=lambda path: path.stem)
def test_names_are_those_of_modules(path: Path) -> None:
    """Every name is that of a module with a weight in the compiled model."""
    from fnmatch import fnmatch

    graph = mw.lower(path)
    slots = tensor_slots(graph)
    names = [name for name, _ in mw.compile(graph, device="meta").named_modules()]
    wanted = [
        f"{module}.{part}"
        for module, columns, row, _ in slots["DIVIDED"]
        for part in (*columns, row)
    ]
    for name in [*wanted, *(table for table, _ in slots["TABLES"])]:
        assert any(fnmatch(one, name) for one in names), name


@pytest.mark.slow
def test_relations_of_all_heads_are_refused(tokens: Path, tmp_path: Path) -> None:
    mw.save_weights(mw.compile(mw.loads(GPT)), tmp_path / "teacher.safetensors")
    given = {"data": str(tokens), "steps": 1, "batch": 4, "micro_batch": 4, "length": 16}
    given |= {"distill": "relations", "teacher_weights": str(tmp_path / "teacher.safetensors")}
    spec = mw.loads(GPT)
    script = prepare(spec, tmp_path / "run", given | {"parallel": "tp"}, teacher=spec).script
    done = subprocess.run(command(script), capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "`relations` needs all" in done.stderr


@pytest.mark.slow
def test_heads_that_do_not_divide(tokens: Path, tmp_path: Path) -> None:
    """Attention with 3 heads is whole on 2 devices, and said so; nothing divisible is an error."""
    spec = mw.loads(GPT.replace("heads: 4", "heads: 3"))
    given = {"data": str(tokens), "steps": 1, "batch": 4, "micro_batch": 4, "length": 16}
    script = prepare(spec, tmp_path / "run", given | {"parallel": "tp"}).script
    words = [*command(script, 2)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    told = "in full on each device: layers.*.attention: 3 heads or hidden units, 2 devices"
    assert told in done.stdout
    done = subprocess.run(
        [*words, "--tensor-size", "3"], capture_output=True, text=True, check=False
    )
    assert "tensor_size (3) must divide the number of devices (2)" in done.stderr
    path = tmp_path / "run" / "parallel.py"
    lines = path.read_text().splitlines()
    start = next(n for n, line in enumerate(lines) if line.startswith("DIVIDED"))
    lines[start] = "DIVIDED = ()\n" if lines[start].endswith(")") else "DIVIDED = () and ("
    path.write_text("\n".join(lines))
    words += ["--out", str(tmp_path / "other")]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert "no layer can be divided over 2 devices" in done.stderr
    assert sys.executable in words
