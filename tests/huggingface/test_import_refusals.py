"""Errors of an import, raised before any weight is read, and `--ignore`."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import save_file
from transformers import LlamaConfig, LlamaForCausalLM
from transformers.models.auto import modeling_auto

import modelwright as mw
from modelwright.backends.huggingface import FAMILIES, CheckpointError, import_folder, native
from modelwright.backends.huggingface.family import Family
from modelwright.backends.huggingface.unsupported import CLASS_REASONS
from modelwright.cli import cli
from modelwright.spec import loads

HARMLESS: dict[str, Any] = {
    "rope_interleaved": False,
    "is_llama_config": True,
    "unsloth_version": "2025.3.19",
    "unsloth_fixed": True,
    "transformers.js_config": {"dtype": "q4"},
    "quantization_config": None,
    "sliding_window": None,
    "_flash_attn_2_enabled": True,
    "model_max_length": 2048,
    "layer_types": None,
    "_num_labels": 2,
    "eos_token_ids": [2],
    "position_embedding_type": "absolute",
    "use_mrope": False,
    "n_special": 0,
    "predict_special_tokens": True,
    "sentence_transformers": {"activation_fn": "torch.nn.modules.linear.Identity"},
    "sbert_ce_default_activation_function": "torch.nn.modules.linear.Identity",
    "pruning_method": "topK",
    "save_step": 58,
    "an_option_of_other_code": False,
    "options_of_other_code": {},
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A tiny Llama."""
    config = LlamaConfig(
        vocab_size=61, hidden_size=32, intermediate_size=40, num_hidden_layers=1,
        num_attention_heads=4, max_position_embeddings=64,
    )  # fmt: skip
    LlamaForCausalLM(config).save_pretrained(tmp_path)
    return tmp_path


def change(folder: Path, **keys: Any) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **keys}))


def refusal(folder: Path) -> str:
    with pytest.raises(CheckpointError) as error:
        mw.from_pretrained(folder)
    return str(error.value)


@pytest.mark.sampled(2)
@pytest.mark.parametrize("key", HARMLESS)
def test_bookkeeping_changes_nothing(folder: Path, key: str) -> None:
    before = import_folder(folder)
    change(folder, **{key: HARMLESS[key]})
    assert import_folder(folder) == before


def test_other_values_of_them_are_refused(folder: Path) -> None:
    change(folder, quantization_config={"bits": 4}, rope_interleaved=True, use_mrope=True)
    text = refusal(folder)
    assert '`quantization_config: {"bits": 4}` is not supported yet, only null: weights' in text
    assert "`rope_interleaved: true` is not supported yet, only false" in text
    assert "`use_mrope: true` is not supported yet, only false" in text


def test_an_option_that_is_off_may_mean_something_to_code_of_its_own(folder: Path) -> None:
    change(folder, add_bias_fnn=False, auto_map={"AutoConfig": "esm_config.EsmConfig"})
    assert "`add_bias_fnn` is not a known option of llama" in refusal(folder)


@pytest.mark.parametrize(
    "key, value, words",
    [
        ("num_attention_heads", 0, "above 0, not 0"),
        ("hidden_size", -8, "above 0, not -8"),
        ("num_hidden_layers", 10**9, "from 0 to 4,000, not 1000000000"),
        ("num_hidden_layers", "two", 'an integer, not "two"'),
        ("rms_norm_eps", 1e300, "a number from -1,000,000,000,000,000 to"),
    ],
)
def test_numbers_that_no_model_has(folder: Path, key: str, value: Any, words: str) -> None:
    change(folder, **{key: value})
    assert f"`{key}` must be {words}" in refusal(folder)


def test_a_key_is_ignored_where_the_user_says_so(folder: Path) -> None:
    change(folder, mystery={"a": 1})
    assert "`mystery` is not a known option of llama" in refusal(folder)
    result = CliRunner().invoke(cli, ["import", str(folder), "--ignore", "mystery"])
    assert (result.exit_code, "name:" in result.stdout) == (0, True)
    assert mw.from_pretrained(folder, ignore=["mystery"])


@pytest.mark.parametrize("dtype", [torch.int8, torch.bool, torch.complex64, torch.float8_e4m3fn])
def test_weights_are_floating_point_numbers(folder: Path, dtype: torch.dtype) -> None:
    weights = LlamaForCausalLM.from_pretrained(folder).state_dict()
    weights["lm_head.weight"] = weights["lm_head.weight"].to(dtype)
    save_file({name: x.contiguous() for name, x in weights.items()}, folder / "model.safetensors")
    assert "lm_head.weight has dtype " in refusal(folder)
    assert "only F16, BF16, F32 and F64 are supported" in refusal(folder)


def test_other_files_of_weights_are_named(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "adapter_model.safetensors")
    (folder / "model.pt").write_bytes(b"")
    why = "model.safetensors is missing; adapter_model.safetensors, model.pt is not read"
    assert why in refusal(folder)


def test_a_wrong_pickle_is_named(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    torch.save({"model": {"a": 1}, "epoch": 3}, folder / "pytorch_model.bin")
    assert "pytorch_model.bin: contains entries that are not tensors: epoch, model" in refusal(
        folder
    )


@pytest.mark.parametrize("name", ["BigBirdForQuestionAnswering"])
def test_a_class_is_refused_with_its_reason(tmp_path: Path, name: str) -> None:
    config = {"model_type": "big_bird", "architectures": [name]}
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(CheckpointError) as error:
        import_folder(tmp_path)
    assert f"{name} is not supported yet: {CLASS_REASONS[name]}" in str(error.value)


@pytest.mark.parametrize(
    "config, words",
    [
        ({"model_type": "mamba"}, "`mamba` is not supported yet: it has state-space layers"),
        ({"model_type": "new", "auto_map": {"AutoModel": "a.b"}}, "its code is in the checkpoint"),
        (
            {"model_type": "bert", "architectures": ["JinaBertModel"], "auto_map": {"a": "b"}},
            "JinaBertModel is not supported yet: its code is in the checkpoint",
        ),
        (
            {"model_type": "mistral3", "text_config": {"model_type": "mistral"}, "a_config": {}},
            "it combines models: `text_config`",
        ),
        ({"model_type": "a", "layer_types": ["conv", "full_attention"]}, "unknown types: conv"),
        ({"model_type": "resnet", "depths": [3, 4]}, "stages of different resolution"),
        ({"model_type": "newer"}, "there are no rules that convert its config.json"),
        ({"model_type": "minicpm"}, "it is Llama with scaled embeddings, branches and logits"),
    ],
)
def test_a_model_is_refused_with_a_reason(tmp_path: Path, config: Any, words: str) -> None:
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(CheckpointError, match=re.escape(words)):
        import_folder(tmp_path)


def test_heads_of_deberta_have_the_width_that_the_library_computes(tmp_path: Path) -> None:
    config = {"model_type": "deberta-v2", "hidden_size": 64, "num_attention_heads": 4}
    path = tmp_path / "config.json"
    path.write_text(json.dumps({**config, "attention_head_size": 16}))
    assert mw.loads(import_folder(tmp_path)).stacks
    path.write_text(json.dumps({**config, "attention_head_size": 8}))
    with pytest.raises(CheckpointError, match="must be hidden_size / num_attention_heads, 16"):
        import_folder(tmp_path)


def test_each_class_of_a_known_type_is_imported_or_refused_with_a_reason() -> None:
    tables = (
        getattr(modeling_auto, name) for name in dir(modeling_auto) if name.endswith("_NAMES")
    )
    without = {
        (model_type, name)
        for table in tables
        for model_type, names in table.items()
        for name in ([names] if isinstance(names, str) else names)
        if model_type in FAMILIES
        and not name.endswith("Config")
        and name not in CLASS_REASONS
        and name not in classes_of(FAMILIES[model_type])
    }
    assert without == set()


def classes_of(family: Family) -> set[str]:
    other = family.other.heads if family.other is not None else {}
    return {*family.heads, *other}


@pytest.mark.parametrize("wrong", [AttributeError, TypeError, KeyError, ValueError])
def test_a_bug_in_a_row_is_not_reported_as_a_missing_class(
    monkeypatch: pytest.MonkeyPatch, wrong: type[Exception]
) -> None:
    def broken(*_: Any) -> Any:
        raise wrong("a bug")

    monkeypatch.setattr(native, "guess", broken)
    spec = loads(
        "{name: a, family: decoder-only, vocab_size: 9, d_model: 8, layers: 1, "
        "attention: {heads: 2}, head: language_model}"
    )
    with pytest.raises(wrong, match="a bug"):
        native.find_native(spec)


def test_no_row_of_any_family_has_such_a_bug() -> None:
    for path in sorted((Path(__file__).parents[2] / "examples").glob("*.yaml"))[::8]:
        native.find_native(mw.load(path))
