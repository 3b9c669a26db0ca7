"""Values, names of keys and names of classes in published files, read as the library reads them."""

from __future__ import annotations

import importlib
import inspect
import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from library_defaults import families
from transformers import CONFIG_MAPPING, PreTrainedModel

from modelwright.backends.huggingface import FAMILIES, CheckpointError, import_folder
from modelwright.backends.huggingface.defaults import stored
from modelwright.backends.huggingface.families import SPELLINGS
from modelwright.backends.huggingface.unsupported import CLASS_REASONS

GEMMA = {"model_type": "gemma", "architectures": ["GemmaForCausalLM"]}
NO_TOKENS: tuple[Any, ...] = ({}, [[]], "", [{}], False, [1, "x"], 0.0, [[1]])


def spec_of(folder: Path, generation: Any = None, /, **config: Any) -> str:
    (folder / "config.json").write_text(json.dumps(config))
    if generation is not None:
        (folder / "generation_config.json").write_text(json.dumps(generation))
    return import_folder(folder)


def refusal(folder: Path, generation: Any = None, /, **config: Any) -> str:
    with pytest.raises(CheckpointError) as error:
        spec_of(folder, generation, **config)
    return str(error.value)


@pytest.mark.parametrize("name", ["pad", "bos", "eos"])
def test_tokens_that_are_no_ids(tmp_path: Path, name: str) -> None:
    key = f"{name}_token_id"
    for value in NO_TOKENS:
        config = GEMMA | {"pad_token_id": None}
        text = refusal(tmp_path, {key: value}, **config)
        assert f"generation_config.json: `{key}` must be a token id or a list of them" in text
    for value in NO_TOKENS if name == "eos" else ():
        text = refusal(tmp_path, {}, **GEMMA, **{key: value})
        assert f"config.json: `{key}` must be a token id or a list of them" in text


def test_a_value_that_a_row_cannot_read_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows refuse what they cannot read; if one fails all the same, the value is found."""
    llama = FAMILIES["llama"]
    rows = {**llama.spec, "dropout": lambda values: 1 // values["pretraining_tp"] - 1}
    own = {**llama.own_defaults, "pretraining_tp": 1}
    monkeypatch.setitem(FAMILIES, "llama", replace(llama, spec=rows, own_defaults=own))
    text = refusal(tmp_path, model_type="llama", vocab_size=9, pretraining_tp=0)
    assert text.endswith("`pretraining_tp: 0` is not valid, or does not fit the other values")


def test_no_number_of_layers_takes_long(tmp_path: Path) -> None:
    text = refusal(tmp_path, model_type="blenderbot", encoder_layers=57717)
    assert "`encoder_layers` must be from 0 to 4,000, not 57717" in text
    start = time.process_time()
    assert "layers: 4000" in spec_of(tmp_path, model_type="blenderbot", encoder_layers=4000)
    assert time.process_time() - start < 2


def test_no_order_of_layers_takes_long(tmp_path: Path) -> None:
    """Each layer that breaks the pattern is one key; none of them is tried alone."""
    kinds = ["full_attention" if i * i % 997 < 90 else "sliding_attention" for i in range(1000)]
    start = time.process_time()
    text = spec_of(tmp_path, model_type="gemma3_text", num_hidden_layers=1000, layer_types=kinds)
    assert "overrides:" in text
    assert time.process_time() - start < 2


def test_every_alias_of_the_library_is_read() -> None:
    """Those that a family does not follow, it reads or refuses under their own names."""
    kept = {
        (family.entry, old)
        for family in families()
        for old in stored()["aliases"].get(family.entry, {})
        if old not in family.other_names
    }
    assert kept == {
        ("glm4_moe_lite", "head_dim"),
        ("internlm3", "bias"),
        ("internlm3", "qkv_bias"),
    }


@pytest.mark.sampled(2)
@pytest.mark.parametrize(
    "kind, old, key, value",
    [
        ("xlm", "n_words", "vocab_size", 77),
        ("xlm", "pad_index", "pad_token_id", 5),
        ("flaubert", "hidden_size", "emb_dim", 64),
        ("gpt2", "num_hidden_layers", "n_layer", 3),
        ("bart", "num_hidden_layers", "encoder_layers", 3),
        ("led", "attention_probs_dropout_prob", "attention_dropout", 0.25),
        ("mixtral", "num_experts", "num_local_experts", 4),
        ("falcon", "n_embed", "hidden_size", 71 * 32),
    ],
)
def test_an_alias_wins_over_its_key(
    tmp_path: Path, kind: str, old: str, key: str, value: Any
) -> None:
    other: Any = CONFIG_MAPPING[kind]().to_dict()[key]
    config = CONFIG_MAPPING[kind].from_dict({key: other, old: value})
    assert getattr(config, key) == value
    wanted = spec_of(tmp_path, model_type=kind, **{key: value})
    assert spec_of(tmp_path, model_type=kind, **{key: other, old: value}) == wanted
    assert spec_of(tmp_path, model_type=kind, **{key: other}) != wanted


@pytest.mark.sampled(2)
@pytest.mark.parametrize("name", SPELLINGS)
def test_older_names_of_classes(tmp_path: Path, name: str) -> None:
    now = SPELLINGS[name]
    kinds = [kind for kind, family in FAMILIES.items() if now in family.heads]
    own = [kind for kind in kinds if name.lower().startswith(kind.replace("_", ""))]
    kind = (own or kinds)[0]
    config = {"model_type": kind, "num_experts_per_tok": 2} if kind == "phimoe" else {}
    config |= {"model_type": kind}
    wanted = spec_of(tmp_path, **config, architectures=[now])
    assert spec_of(tmp_path, **config, architectures=[name]) == wanted


def test_theta_inside_the_attention_of_dbrx(tmp_path: Path) -> None:
    """The library reads it beside `attn_config`, as DBRX's own code did not."""
    inside = {"rope_theta": 500000, "clip_qkv": 8, "kv_n_heads": 8}
    dbrx = {"model_type": "dbrx", "n_heads": 16}
    text = refusal(tmp_path, **dbrx, attn_config=inside)
    assert "ignored by the library, which computes with 10000.0; write the right one as" in text
    for beside in ({"rope_theta": 500000}, {"rope_parameters": {"rope_theta": 500000}}):
        config: Any = CONFIG_MAPPING["dbrx"].from_dict({**dbrx, "attn_config": inside, **beside})
        assert config.rope_parameters["rope_theta"] == 500000
        assert "theta: 500000" in spec_of(tmp_path, **dbrx, attn_config=inside, **beside)


def test_unknown_options_inside_the_attention_of_mpt(tmp_path: Path) -> None:
    spec_of(tmp_path, model_type="mpt", attn_config={"clip_qkv": 4, "rope": False})
    text = refusal(tmp_path, model_type="mpt", attn_config={"rope": True})
    assert "`attn_config: rope` is not a known option of mpt" in text


@pytest.mark.slow
def test_every_class_of_the_library_is_imported_or_has_a_reason() -> None:
    """Classes of the supported types, also those that no `AutoModel` lists."""
    without: set[str] = set()
    for kind, family in FAMILIES.items():
        config = CONFIG_MAPPING[kind]
        known = {*family.heads, *(family.other.heads if family.other else ()), *CLASS_REASONS}
        try:
            module = importlib.import_module(
                config.__module__.replace("configuration_", "modeling_")
            )
        except ModuleNotFoundError:
            continue  # its classes are those of another type
        without |= {
            name
            for name, value in inspect.getmembers(module, inspect.isclass)
            if issubclass(value, PreTrainedModel) and value.config_class is config
            if name in getattr(module, "__all__", ()) and name not in known
            if "PreTrained" not in name and "Pretrained" not in name
        }
    assert not without
