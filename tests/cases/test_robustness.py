"""Inputs that were slow, crashed or gave results that are not finite."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner, Result
from safetensors.torch import load_file, save_file
from small import BASE, LLAMA, MOE, made, moved
from transformers import LlamaConfig, LlamaForCausalLM

import modelwright as mw
from modelwright.backends.huggingface import CheckpointError
from modelwright.cli import cli
from modelwright.spec import SpecErrors


def run(*words: object) -> Result:
    return CliRunner().invoke(cli, [str(word) for word in words])


def test_bases_of_bases_are_read_once(tmp_path: Path) -> None:
    """Sixteen files, each of which extends the next one three times: 3^15 stacks."""
    sizes = "vocab_size: 9\nd_model: 8\nlayers: 1\nattention: {heads: 2}\n"
    for number in range(16):
        head = "name: x\n" + (sizes if number == 15 else "")
        base = f"extends: f{number + 1}.yaml#s0, " if number < 15 else ""
        stacks = [f"s{k}: {{{base}input: {{argument: a{k}}}}}" for k in range(3)]
        text = f"{head}stacks: {{{', '.join(stacks)}}}\n"
        (tmp_path / f"f{number}.yaml").write_text(text)
    assert run("check", tmp_path / "f0.yaml").exit_code == 0


def test_a_loop_of_links_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "loop.yaml").write_text("extends: link.yaml\nname: a\n")
    os.symlink("loop2.yaml", tmp_path / "link.yaml")
    os.symlink("link.yaml", tmp_path / "loop2.yaml")
    result = run("check", tmp_path / "loop.yaml")
    assert result.exit_code == 2
    assert "loop.yaml:1:" in result.stderr
    assert run("check", tmp_path / "link.yaml").exit_code == 2
    assert run("build", tmp_path / "link.yaml", "-o", "-").exit_code == 2


def test_a_bug_in_a_row_is_not_blamed_on_the_config(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from modelwright.backends.huggingface import imported

    def broken(*_: Any) -> Any:
        raise AttributeError("a bug in a row")

    LlamaConfig(**LLAMA).save_pretrained(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(
        json.dumps({**config, "architectures": ["LlamaForCausalLM"]})
    )
    assert imported.read_model(tmp_path).family is not None
    monkeypatch.setattr(imported, "spec_data", broken)
    with pytest.raises(AttributeError, match="a bug in a row"):
        imported.read_model(tmp_path)


def test_values_that_do_not_fit_together_are_an_error_of_the_config(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from modelwright.backends.huggingface import imported

    LlamaConfig(**LLAMA).save_pretrained(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(
        json.dumps({**config, "architectures": ["LlamaForCausalLM"]})
    )
    original = imported.spec_data

    def divides(folder: Any, family: Any, head: Any, values: Any) -> Any:
        if values["num_attention_heads"] == LLAMA["num_attention_heads"]:
            raise ZeroDivisionError("of these values")
        return original(folder, family, head, values)

    monkeypatch.setattr(imported, "spec_data", divides)
    with pytest.raises(CheckpointError, match="does not fit the other values"):
        imported.read_model(tmp_path)


@pytest.mark.parametrize("kind", ["blocks", "overrides"])
def test_many_layers_of_many_kinds_are_checked(kind: str) -> None:
    text = BASE.replace("layers: 2", "layers: 100000")
    if kind == "blocks":
        blocks = [f"  b{n}: {{norm: {{eps: 1e-{n % 9 + 1}}}}}" for n in range(256)]
        names = ", ".join(f"b{n}" for n in range(256))
        text += "\n".join(["blocks:", *blocks, f"pattern: [{names}]", ""])
    else:
        ranges = [f"  {n}..-{n + 1}: {{norm: {{eps: 1e-{n % 9 + 1}}}}}" for n in range(250)]
        text += "\n".join(["overrides:", *ranges, ""])
    assert mw.loads(text).name == "base"


def test_a_layer_with_a_placement_of_its_own() -> None:
    model = made(BASE + "overrides: {1: {norm_placement: post}}\n")
    assert model(torch.tensor([[1, 2, 3]])).isfinite().all()


@pytest.fixture
def llama(tmp_path: Path) -> Path:
    moved(LlamaForCausalLM(LlamaConfig(**LLAMA, num_key_value_heads=2))).save_pretrained(tmp_path)
    return tmp_path


def change(folder: Path, **keys: Any) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **keys}))


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"num_attention_heads": 0}, "num_attention_heads"),
        ({"rope_parameters": {"rope_type": "llama3", "factor": 8.0}}, "low_freq_factor"),
    ],
)
def test_configs_that_no_model_has_are_refused(
    llama: Path, keys: dict[str, Any], message: str
) -> None:
    change(llama, **keys)
    with pytest.raises(CheckpointError, match=rf"config\.json: .*{message}"):
        mw.from_pretrained(llama)


def test_a_list_of_end_tokens_is_kept(llama: Path) -> None:
    change(llama, eos_token_id=[2, 3])
    (llama / "generation_config.json").unlink()
    assert "eos: [2, 3]" in mw.backends.huggingface.import_folder(llama)


def test_weights_of_whole_numbers_are_refused(llama: Path) -> None:
    path = llama / "model.safetensors"
    save_file({name: x.to(torch.int8) for name, x in load_file(path).items()}, path)
    with pytest.raises(CheckpointError, match="has dtype I8"):
        mw.from_pretrained(llama)


POOLS = BASE.replace("decoder-only", "encoder-only").replace("head: language_model", "")
POOLS += "heads: {a: {type: classifier, classes: 3, pool: max}, "
POOLS += "b: {type: projection, size: 5, pool: attention}}\n"


def test_pools_of_a_row_of_padding_are_finite() -> None:
    model = made(POOLS)
    mask = torch.tensor([[1, 1, 1], [0, 0, 0]])
    found = model(torch.tensor([[1, 2, 3], [0, 0, 0]]), mask)
    assert all(result.isfinite().all() for result in found.values())
    sum(result.sum() for result in found.values()).backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in model.parameters())


LINEAR = BASE.replace("heads: 4", "heads: 4, type: linear").replace("positions: rotary\n", "")
EMPTY = [(0, 5), (2, 0), (0, 0)]


@pytest.mark.sampled(2)
@pytest.mark.parametrize("shape", EMPTY)
@pytest.mark.parametrize(
    "text",
    [
        pytest.param(BASE, id="plain"),
        pytest.param(BASE + "mask: causal & window(4)\n", id="window"),
        pytest.param(MOE, id="experts"),
        pytest.param(MOE.replace("experts: 8", "experts: 8, capacity_factor: 1.0"), id="capacity"),
        pytest.param(LINEAR, id="linear"),
        pytest.param(LINEAR.replace("linear", "linear, decay: lightning"), id="lightning"),
    ],
)
def test_no_rows_and_no_tokens(text: str, shape: tuple[int, int]) -> None:
    found = made(text)(torch.zeros(shape, dtype=torch.long))
    assert found.shape == (*shape, 40)


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("experts", ["none", "grouped"])
def test_rows_may_be_mapped(experts: str) -> None:
    """`vmap` over rows is the batch."""
    text, options = (MOE, {"experts": "grouped"}) if experts == "grouped" else (BASE, {})
    model, ids = made(text, **options), torch.randint(1, 40, (3, 6))
    with torch.no_grad():
        found = torch.vmap(lambda row: model(row[None])[0])(ids)
        assert torch.allclose(found, model(ids), atol=1e-5)


@pytest.mark.filterwarnings("ignore:There is a performance drop")
def test_mapping_a_loop_over_experts_is_an_error_of_torch() -> None:
    """The rows of each expert are a number on the host; docs/benchmarks.md says so."""
    model, ids = made(MOE), torch.randint(1, 40, (3, 6))
    with pytest.raises(RuntimeError, match="Cannot access data pointer"):
        torch.vmap(lambda row: model(row[None])[0])(ids)


def test_errors_of_specs_are_errors() -> None:
    with pytest.raises(SpecErrors):
        mw.loads("name: x")
