"""The tensor-parallel plan of exported folders: `base_model_tp_plan`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import transformers
from exported import BOTH, COMMON, DECODER, PLACED, exported

import modelwright as mw
from modelwright.backends.huggingface.names import Names
from modelwright.backends.huggingface.native import find_native
from modelwright.backends.huggingface.tensor_plan import tensor_plan

FOLDERS = {"odd": (DECODER, 24), "placed": (PLACED, 48), "both": (BOTH, 60)}
"""Specs, and how many of their weights are divided: with ALiBi and with a table of biases for each
head, those of attention are not.
"""


@pytest.mark.slow
def test_two_processes_compute_what_one_computes(tmp_path: Path) -> None:
    """Logits, gradients and generated tokens of `from_pretrained` with `tp_size=2`, in float64."""
    for name, (text, _) in FOLDERS.items():
        exported(text, tmp_path / name)
    words = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    script = Path(__file__).with_name("tensor_parallel.py")
    done = subprocess.run(
        [*words, str(script), *(str(tmp_path / name) for name in FOLDERS)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    for (_, count), one in zip(FOLDERS.values(), found, strict=True):
        assert one["divided"] == count
        assert one["logits"] < 1e-12
        assert one["gradients"] < 1e-11
        assert one["generated"] is True


LLAMA = f"""
name: llama
family: decoder-only
{COMMON}
bias: false
positions: rotary
attention: {{heads: 4, kv_heads: 2}}
feed_forward: {{type: glu, activation: silu, d_ff: 48}}
head: language_model
"""
EXPERTS = "feed_forward: {type: moe, experts: 4, top_k: 2, expert: {type: glu, d_ff: 48}}"
NEOX = "residual: parallel\nattention: {heads: 4}\n"
LIBRARY = {
    "Llama": LLAMA,
    "Mistral": LLAMA + "mask: causal & window(4)\n",
    "Qwen2": LLAMA.replace("kv_heads: 2", "kv_heads: 2, bias: [query, key, value]"),
    "Qwen3": LLAMA.replace("kv_heads: 2", "kv_heads: 2, head_dim: 16, qk_norm: head"),
    "GPTNeoX": f"name: neox\nfamily: decoder-only\n{COMMON}{NEOX}"
    "positions: {type: rotary, fraction: 0.5}\nhead: language_model\n".replace("rmsnorm", ""),
    "Mixtral": LLAMA.replace(
        "feed_forward: {type: glu, activation: silu, d_ff: 48}",
        EXPERTS.replace("d_ff", "activation: silu, d_ff"),
    ),
}


@pytest.mark.parametrize("name", LIBRARY)
def test_the_plan_is_the_library_s(name: str) -> None:
    """For architectures of transformers, with its names; but experts, which we do not divide, and
    tables of tokens, which the library divides in GPT-NeoX since 5.24.
    """
    text = LIBRARY[name].replace("norm: \n", "")
    spec = mw.loads(text)
    native = find_native(spec)
    assert native is not None
    assert native.class_name == f"{name}ForCausalLM"
    names = Names(native.family, native.head, native.values)
    plan = {}
    for ours, style in tensor_plan(mw.lower(spec)).items():
        theirs = names.theirs(f"{ours.replace('*', '0')}.weight")
        assert theirs is not None
        plan[theirs.removesuffix(".weight").replace(".0.", ".*.")] = style
    expected = getattr(transformers, f"{name}Config").base_model_tp_plan
    left_out = ("experts", "embed_in")
    assert plan == {
        key: style for key, style in expected.items() if not any(word in key for word in left_out)
    }


def test_modules_of_some_layers_are_left_out() -> None:
    """The library's `*` stands for all layers; attention here can be divided in one of two."""
    text = LLAMA.replace("layers: 4", "layers: 2") + (
        "blocks: {one: {}, two: {attention: {heads: 4, sinks: true}}}\npattern: [one, two]\n"
    )
    plan = tensor_plan(mw.lower(mw.loads(text)))
    assert list(plan) == [f"layers.*.feed_forward.{name}" for name in ("gate", "up", "down")]


def test_a_model_without_divisible_layers_has_no_plan(tmp_path: Path) -> None:
    exported(LIBRARY["Mixtral"].replace("rotary", "alibi"), tmp_path / "odd")
    texts = [path.read_text(encoding="utf-8") for path in (tmp_path / "odd").glob("*.py")]
    assert len(texts) == 3
    assert not any("tp_plan" in text for text in texts)
