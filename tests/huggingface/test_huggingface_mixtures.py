"""Mixtures of experts as stored in published checkpoints, beyond what the library writes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from modelwright.backends.huggingface import import_folder
from modelwright.backends.huggingface.config import family_of, head_of, values_of
from modelwright.backends.huggingface.errors import CheckpointError
from modelwright.backends.huggingface.folder import Folder, read_folder
from modelwright.backends.huggingface.names import Names


def folder_of(path: Path, **config: object) -> Folder:
    (path / "config.json").write_text(json.dumps(config))
    return read_folder(path)


def names_of(folder: Folder) -> Names:
    family = family_of(folder)
    head = head_of(folder, family)
    return Names(family, head, values_of(folder, family, head))


@pytest.mark.parametrize("model_type", ["deepseek_v3", "glm4_moe_lite"])
def test_layers_that_predict_later_tokens_are_not_read(model_type: str, tmp_path: Path) -> None:
    names = names_of(folder_of(tmp_path, model_type=model_type, num_hidden_layers=3))
    assert names.is_unused("layers.3.eh_proj.weight")
    assert not names.is_unused("layers.2.mlp.gate.weight")
    assert not names.is_unused("layers.4.eh_proj.weight")


def test_kimi_k2_is_built_as_deepseek_v3(tmp_path: Path) -> None:
    sizes = {"num_attention_heads": 64, "n_routed_experts": 384, "n_group": 1, "topk_group": 1}
    routing = {"scoring_func": "sigmoid", "topk_method": "noaux_tc", "first_k_dense_replace": 1}
    folder_of(
        tmp_path,
        model_type="kimi_k2",
        architectures=["DeepseekV3ForCausalLM"],
        **sizes,
        **routing,
    )
    text = import_folder(tmp_path)
    assert "experts: 384" in text
    assert "groups" not in text
    assert "overrides: {0: dense}" in text


@pytest.mark.parametrize("model_type", ["deepseek_v2", "deepseek_v3"])
def test_groups_that_are_all_chosen_are_not_written(tmp_path: Path, model_type: str) -> None:
    sizes = {"n_routed_experts": 8, "num_experts_per_tok": 2, "n_group": 4}
    method = {"topk_method": "group_limited_greedy"} if model_type == "deepseek_v2" else {}
    folder_of(tmp_path, model_type=model_type, topk_group=2, **sizes, **method)
    assert "groups: {count: 4, top_k: 2" in " ".join(import_folder(tmp_path).split())
    folder_of(tmp_path, model_type=model_type, topk_group=4, **sizes, **method)
    assert "groups:" not in import_folder(tmp_path)


def test_layers_are_named_by_what_differs(tmp_path: Path) -> None:
    folder_of(
        tmp_path,
        model_type="qwen3_moe",
        num_hidden_layers=6,
        num_experts=8,
        decoder_sparse_step=2,
    )
    text = import_folder(tmp_path)
    assert "experts: 8" in text
    assert "pattern: [dense, sparse]" in text


def test_what_most_blocks_say_stands_outside_of_them(tmp_path: Path) -> None:
    folder_of(tmp_path, model_type="exaone_moe", num_hidden_layers=12)
    text = import_folder(tmp_path)
    assert text.count("experts: 64") == 1
    assert "  global_sparse: {mask: causal}\n" in text
    assert "overrides: {0: local_dense}" in text


def test_experts_that_differ_from_layer_to_layer_are_refused(tmp_path: Path) -> None:
    folder_of(
        tmp_path,
        model_type="hunyuan_v1_moe",
        num_hidden_layers=2,
        num_experts=8,
        moe_topk=[2, 4],
    )
    with pytest.raises(CheckpointError, match="`moe_topk` must be the same in all layers"):
        import_folder(tmp_path)


def test_another_router_is_refused(tmp_path: Path) -> None:
    folder_of(tmp_path, model_type="deepseek_v3", scoring_func="softmax")
    with pytest.raises(CheckpointError, match="scoring_func"):
        import_folder(tmp_path)
