"""Emitted files that read published weights by the table of names in them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
import transformers as tf
from click.testing import CliRunner
from safetensors.torch import load_file, save_file

import modelwright as mw
from modelwright.backends.huggingface import ExportError, import_folder
from modelwright.backends.pytorch import import_text
from modelwright.cli import cli

SIZES = {
    "hidden_size": 32, "intermediate_size": 40, "num_hidden_layers": 3, "num_attention_heads": 4,
    "vocab_size": 61, "max_position_embeddings": 40,
}  # fmt: skip
FEW = {"vocab_size": 61, "hidden_size": 32}
T5 = {"vocab_size": 61, "d_model": 32, "d_kv": 8, "d_ff": 40, "num_layers": 2, "num_heads": 4}
DEEPSEEK = {
    "q_lora_rank": 16, "kv_lora_rank": 8, "qk_rope_head_dim": 4, "qk_nope_head_dim": 8,
    "v_head_dim": 8, "n_routed_experts": 8, "num_experts_per_tok": 2, "n_group": 2,
    "topk_group": 1, "moe_intermediate_size": 16, "first_k_dense_replace": 1,
    "num_key_value_heads": 4,
}  # fmt: skip
JAPANESE = {
    "vocab_size": 61, "hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4,
    "intermediate_multiple_size": 2, "max_position_embeddings": 40,
}  # fmt: skip
MODELS: dict[str, tuple[Any, Any]] = {
    "gpt2": (
        tf.GPT2LMHeadModel,
        tf.GPT2Config(vocab_size=61, n_positions=40, n_embd=32, n_layer=3, n_head=4),
    ),
    "llama": (tf.LlamaForCausalLM, tf.LlamaConfig(**SIZES, num_key_value_heads=2)),
    "bert": (tf.BertForMaskedLM, tf.BertConfig(**SIZES)),
    "t5": (tf.T5ForConditionalGeneration, tf.T5Config(**T5)),
    "mixtral": (
        tf.MixtralForCausalLM,
        tf.MixtralConfig(**SIZES, num_key_value_heads=2, num_local_experts=4),
    ),
    "deepseek_v3": (tf.DeepseekV3ForCausalLM, tf.DeepseekV3Config(**SIZES, **DEEPSEEK)),
    "gpt_neox": (tf.GPTNeoXForCausalLM, tf.GPTNeoXConfig(**SIZES)),
    "falcon": (
        tf.FalconForCausalLM,
        tf.FalconConfig(**FEW, num_hidden_layers=2, num_attention_heads=4),
    ),
    "bloom": (tf.BloomForCausalLM, tf.BloomConfig(**FEW, n_layer=2, n_head=4)),
    "phi3": (
        tf.Phi3ForCausalLM,
        tf.Phi3Config(**SIZES, num_key_value_heads=2, pad_token_id=0),
    ),
    "gpt_neox_japanese": (tf.GPTNeoXJapaneseForCausalLM, tf.GPTNeoXJapaneseConfig(**JAPANESE)),
    "vit": (
        tf.ViTForImageClassification,
        tf.ViTConfig(
            hidden_size=32,
            intermediate_size=40,
            num_hidden_layers=2,
            num_attention_heads=4,
            image_size=16,
            patch_size=8,
        ),
    ),
}


def saved(name: str, folder: Path, **options: Any) -> Path:
    """A folder of the library with random weights."""
    torch.manual_seed(0)
    kind, config = MODELS[name]
    model = kind(config)
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(torch.randn_like(weight) * 0.1)
    model.save_pretrained(folder, **options)
    return folder


def built(folder: Path, word: str = "huggingface", **options: bool) -> ModuleType:
    """The emitted file of the spec of a folder, imported."""
    return import_text(mw.emit(mw.loads(import_folder(folder)), loader=word, **options), "loading")


def own_class(module: ModuleType) -> Any:
    kinds = [kind for kind in vars(module).values() if hasattr(kind, "init_weights")]
    return kinds[-1]


def equal(one: torch.nn.Module, other: torch.nn.Module) -> bool:
    wanted = other.state_dict()
    assert one.state_dict().keys() == wanted.keys()
    return all(tensor.equal(wanted[name]) for name, tensor in one.state_dict().items())


@pytest.mark.sampled(2)
@pytest.mark.parametrize("name", MODELS)
def test_what_is_read_is_what_the_importer_reads(name: str, tmp_path: Path) -> None:
    folder = saved(name, tmp_path)
    for word in (f"huggingface/{name}", str(folder)):
        module = built(folder, word)
        assert f"--loader huggingface/{name}" in (module.__doc__ or "")
        model = own_class(module)()
        assert module.load_checkpoint(model, folder) is model
        assert equal(model, mw.from_pretrained(folder))


@pytest.mark.parametrize("wrapper", ["module.", "_orig_mod.", "module._orig_mod."])
def test_names_of_a_wrapped_model(wrapper: str, tmp_path: Path) -> None:
    """As data parallelism and torch.compile write them; a single name with a prefix is refused."""
    module, path = built(saved("llama", tmp_path)), tmp_path / "model.safetensors"
    model, plain = own_class(module)(), load_file(path)
    save_file({wrapper + name: x for name, x in plain.items()}, path)
    assert equal(module.load_checkpoint(model, tmp_path), mw.from_pretrained(tmp_path))
    save_file({**plain, f"{wrapper}lm_head.weight": torch.ones(2)}, path)
    assert f"{wrapper}lm_head.weight is unexpected" in problems(module, tmp_path)


def problems(module: ModuleType, folder: Path) -> str:
    model = own_class(module)()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    with pytest.raises(ValueError, match="does not match the model:") as caught:
        module.load_checkpoint(model, folder)
    assert all(tensor.equal(before[name]) for name, tensor in model.state_dict().items())
    return str(caught.value)


def change(folder: Path, **tensors: Any) -> None:
    path = folder / "model.safetensors"
    state = {**load_file(path), **tensors}
    save_file({name: x for name, x in state.items() if x is not None}, path)


def test_a_file_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    module = built(saved("llama", tmp_path))
    change(tmp_path, **{"model.norm.weight": None})
    assert "norm.weight is missing" in problems(module, tmp_path)
    change(tmp_path, **{"model.norm.weight": torch.ones(3)})
    assert "norm.weight has shape [3], expected [32]" in problems(module, tmp_path)
    change(tmp_path, **{"model.norm.weight": torch.ones(32), "model.other": torch.ones(2)})
    assert "other is unexpected" in problems(module, tmp_path)


def test_a_tied_table_that_differs_is_refused(tmp_path: Path) -> None:
    module = built(saved("gpt2", tmp_path))
    change(tmp_path, **{"lm_head.weight": torch.zeros(61, 32)})
    assert "lm_head.weight is not equal to wte.weight" in problems(module, tmp_path)


def test_a_tied_table_may_be_stored_as_the_head_alone(tmp_path: Path) -> None:
    module = built(saved("gpt2", tmp_path))
    table = load_file(tmp_path / "model.safetensors")["transformer.wte.weight"]
    change(tmp_path, **{"lm_head.weight": table, "transformer.wte.weight": None})
    made = module.load_checkpoint(own_class(module)(), tmp_path)
    assert torch.equal(made.token_embedding.weight, table)
    assert equal(made, mw.from_pretrained(tmp_path))
    config = json.loads((tmp_path / "config.json").read_text()) | {"tie_word_embeddings": False}
    (tmp_path / "config.json").write_text(json.dumps(config))  # two weights, of which one is there
    assert "wte.weight is missing" in problems(built(tmp_path), tmp_path)


def test_several_files_and_joined_projections(tmp_path: Path) -> None:
    saved("llama", tmp_path, max_shard_size="20KB")
    assert (tmp_path / "model.safetensors.index.json").exists()
    module = built(tmp_path, join_projections=True)
    made = module.load_checkpoint(own_class(module)(), tmp_path)
    assert equal(made, mw.from_pretrained(tmp_path))


def test_the_file_needs_torch_and_safetensors_alone(tmp_path: Path) -> None:
    folder = saved("llama", tmp_path / "tiny-llama")
    text = mw.emit(mw.loads(import_folder(folder)), loader="huggingface")
    (tmp_path / "alone.py").write_text(text)
    code = (
        "import sys; sys.modules['modelwright'] = sys.modules['transformers'] = None\n"
        f"sys.path.insert(0, {str(tmp_path)!r}); import alone\n"
        f"alone.load_checkpoint(alone.TinyLlama(), {str(folder)!r}); print('read')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout == "read\n", done.stderr


def test_a_file_without_the_option_has_no_table() -> None:
    path = Path(__file__).parents[2] / "examples" / "gpt2.yaml"
    assert "CHECKPOINT" not in mw.emit(path)
    assert "--loader huggingface" in mw.emit(path, loader="huggingface")


ODD = """{name: odd, family: decoder-only, vocab_size: 9, d_model: 8, layers: 1, head: none,
positions: rotary, attention: {heads: 2, score: additive}}"""


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("huggingface", "transformers has no architecture that matches odd"),
        ("huggingface/llama", "no class of model type llama has all weights of odd"),
        ("huggingface/lama", "unknown model type `lama`"),
        ("timm", "--loader takes `huggingface`, `huggingface/MODEL_TYPE` or a model folder, not"),
    ],
)
def test_names_that_cannot_be_written_are_refused(tmp_path: Path, word: str, message: str) -> None:
    (tmp_path / "odd.yaml").write_text(ODD)
    words = ["build", str(tmp_path / "odd.yaml"), "--loader", word, "-o", "-"]
    result = CliRunner().invoke(cli, words)
    assert result.exit_code == 2
    assert message in result.stderr
    with pytest.raises(ExportError, match=message):
        mw.emit(tmp_path / "odd.yaml", loader=word)
