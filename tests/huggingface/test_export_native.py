"""Specs with an architecture of the library: exported without code, for the library's class."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from click.testing import CliRunner
from safetensors.torch import save_file

import modelwright as mw
from modelwright.backends.huggingface import export, import_folder
from modelwright.backends.huggingface.errors import CheckpointError
from modelwright.backends.huggingface.families import FAMILIES
from modelwright.backends.huggingface.native import (
    NOT_TIED,
    candidates,
    canonical,
    find_native,
    native_tensors,
)
from modelwright.backends.huggingface.values import Key
from modelwright.cli import cli

SIZES = "vocab_size: 64\nmax_positions: 40\nd_model: 32\n"
DECODER = f"name: tiny\nfamily: decoder-only\n{SIZES}layers: 4\n"
GATED = "feed_forward: {type: glu, d_ff: 48, activation: silu}\n"
LLAMA = f"{DECODER}bias: false\nnorm: rmsnorm\npositions: rotary\n{GATED}"
HEAD = "head: language_model\n"
TIED = "head: {type: language_model, tied: true}\n"
BERT = f"""name: tiny
family: encoder-only
{SIZES}layers: 2
norm_placement: post
input: {{add: {{token_type_ids: 2}}, normalize: true}}
positions: learned
attention: {{heads: 4}}
"""
MASKED = "head: {type: language_model, tied: true, bias: true, transform: dense}\n"
BOTH = """name: tiny
family: encoder-decoder
vocab_size: 64
d_model: 32
layers: 2
decoder: {input: {tied: encoder}}
"""
LLAMA3 = "{type: llama3, factor: 8, original_max_positions: 16}"

SPECS = {
    "GPT2LMHeadModel": DECODER + "positions: learned\nattention: {heads: 4}\n"
    "feed_forward: {activation: gelu_tanh}\n" + TIED,
    "GPTNeoXForCausalLM": DECODER + "positions: {type: rotary, fraction: 0.5}\n"
    "residual: parallel\nattention: {heads: 4}\n" + HEAD,
    "LlamaForCausalLM": LLAMA.replace(
        "positions: rotary", f"positions: {{type: rotary, theta: 500, scaling: {LLAMA3}}}"
    )
    + "attention: {heads: 4, kv_heads: 2}\n"
    + HEAD,
    "LlamaModel": LLAMA + "attention: {heads: 4}\n",
    "MistralForCausalLM": LLAMA + "mask: causal & window(4)\nattention: {heads: 4}\n" + HEAD,
    "Qwen2ForCausalLM": LLAMA + "attention: {heads: 4, bias: [query, key, value]}\n" + TIED,
    "Qwen3ForCausalLM": LLAMA + "attention: {heads: 4, head_dim: 16, qk_norm: head}\n" + HEAD,
    "Gemma2ForCausalLM": LLAMA.replace("norm: rmsnorm", "norm: {type: rmsnorm, weight_offset: 1}")
    .replace("layers: 4", "layers: 4\nnorm_placement: sandwich\ninput: {scale: sqrt_d_model}")
    .replace("silu", "gelu_tanh")
    + "attention: {heads: 4, scale: 0.25, softcap: 50}\n"
    "blocks: {here: {mask: causal & window(4)}, all: {mask: causal}}\npattern: [here, all]\n"
    "head: {type: language_model, tied: true, softcap: 30}\n",
    "BertModel": BERT + "head: {type: projection, size: 32, pool: first, activation: tanh}\n",
    "BertForMaskedLM": BERT + MASKED,
    "BertForSequenceClassification": BERT
    + "head: {type: classifier, classes: 3, pool: first, hidden: 32, activation: tanh}\n",
    "RobertaForMaskedLM": BERT.replace(
        "positions: learned", "positions: {type: learned, offset: 2, skip_padding: tokens}"
    )
    + MASKED
    + "tokens: {pad: 1}\n",
    "T5ForConditionalGeneration": BOTH + "bias: false\nnorm: {type: rmsnorm, eps: 1e-6}\n"
    "attention: {heads: 4, head_dim: 6, scale: none}\n"
    "feed_forward: {d_ff: 48, activation: relu}\n"
    "positions: {type: relative_bias, buckets: 8, max_distance: 20}\n"
    + TIED.replace("}", ", input_scale: 1/sqrt_d_model}"),
    "BartForConditionalGeneration": BOTH
    + "max_positions: 40\nnorm_placement: post\ninput: {normalize: true}\n"
    "positions: {type: learned, offset: 2}\nattention: {heads: 4}\n"
    + TIED.replace("}", ", bias: true}"),
}
SPECS["T5ForConditionalGeneration"] = SPECS["T5ForConditionalGeneration"].replace(
    "decoder: {input: {tied: encoder}}",
    "decoder: {input: {tied: encoder}, positions: {bidirectional: false}}",
)


def logits(result: Any) -> torch.Tensor:
    names = ("logits", "pooler_output", "last_hidden_state")
    return next(value for name in names if (value := getattr(result, name, None)) is not None)


def perturbed(text: str) -> Any:
    model = mw.compile(mw.loads(text), seed=1).eval()
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(0.1 * torch.randn_like(weight))
    return model


@pytest.mark.sampled(2)
@pytest.mark.parametrize("name", SPECS)
def test_the_library_s_own_class_loads_it(name: str, tmp_path: Path) -> None:
    spec = mw.loads(SPECS[name])
    ours = perturbed(SPECS[name])
    folder = export(spec, ours, tmp_path / "exported")
    assert sorted(path.name for path in folder.iterdir()) == ["config.json", "model.safetensors"]
    config = json.loads((folder / "config.json").read_text())
    assert config["architectures"] == [name]
    theirs, info = getattr(transformers, name).from_pretrained(folder, output_loading_info=True)
    assert not any(info.values()), info
    ids = torch.randint(3, 64, (2, 9), generator=torch.Generator().manual_seed(0))
    inputs = {"decoder_input_ids": ids[:, :5]} if spec.family == "encoder-decoder" else {}
    with torch.no_grad():
        wanted = logits(theirs.eval()(ids, **inputs))
        given = ours(ids, **inputs)
    assert float((given - wanted).abs().max() / wanted.abs().max()) < 2e-5


def test_a_default_activation_does_not_change_the_class() -> None:
    text = SPECS["GPT2LMHeadModel"].replace("{activation: gelu_tanh}", "{d_ff: 48}")
    for said in ("activation: gelu_tanh\n", "overrides: {0..3: {activation: gelu_tanh}}\n"):
        found = find_native(mw.loads(text + said))
        assert found is not None
        assert found.class_name == "GPT2LMHeadModel"


def _alike() -> Iterator[tuple[str, Any]]:
    """The library's classes to which a model with a tied head can be exported."""
    known = list(FAMILIES.values())
    for family in (*known, *(family.other for family in known if family.other is not None)):
        for name, head in family.heads.items():
            part = head.spec.get("head")
            tied = isinstance(part, Mapping) and isinstance(part.get("tied"), Key)
            if tied and not family.inside and not head.partial:
                yield name, getattr(transformers, name, None)


@pytest.mark.slow
def test_classes_that_do_not_tie_are_known() -> None:
    classes = {name: found for name, found in _alike() if found is not None}
    ties = {"FSMTForConditionalGeneration"}  # in the model inside
    own = {name for name, found in classes.items() if not found._tied_weights_keys}
    assert own - ties == NOT_TIED


def test_a_class_that_does_not_tie_has_the_logits_of_a_tied_model(tmp_path: Path) -> None:
    config = transformers.BigBirdPegasusConfig(
        vocab_size=64, d_model=32, max_position_embeddings=40, decoder_layers=17,
        decoder_ffn_dim=48, decoder_attention_heads=4, tie_word_embeddings=True,
    )  # fmt: skip
    theirs = transformers.BigBirdPegasusForCausalLM(config)
    theirs.lm_head.weight.data.copy_(theirs.model.decoder.embed_tokens.weight)
    theirs.save_pretrained(tmp_path / "library")
    spec = mw.loads(import_folder(tmp_path / "library"))
    ours = perturbed(mw.to_yaml(spec))
    (native,) = (n for n in candidates(spec, FAMILIES["bigbird_pegasus"].other))
    tensors = native_tensors(native, mw.lower(spec), ours.state_dict())
    config = transformers.BigBirdPegasusConfig(**native.config)
    again = transformers.BigBirdPegasusForCausalLM(config).eval()
    assert not again.load_state_dict(tensors, strict=False).unexpected_keys
    ids = torch.randint(3, 64, (2, 9), generator=torch.Generator().manual_seed(0))
    assert torch.allclose(again(ids, use_cache=True).logits, ours(ids), atol=1e-5)


def test_a_graph_is_exported_with_its_own_code(tmp_path: Path) -> None:
    """Whatever class its spec is of: a graph says nothing about that."""
    text = next(iter(SPECS.values()))
    graph, ours = mw.lower(mw.loads(text)), perturbed(text)
    folder = export(graph, ours, tmp_path / "exported")
    config = json.loads((folder / "config.json").read_text())
    assert config["architectures"] != [next(iter(SPECS))]
    assert config["auto_map"]
    assert "spec" not in config
    with pytest.raises(CheckpointError, match="exported from a graph"):
        import_folder(folder)
    assert sorted(path.suffix for path in folder.iterdir()).count(".py") == 3


@pytest.mark.sampled(2)
@pytest.mark.parametrize("name", SPECS)
def test_it_comes_back(name: str, tmp_path: Path) -> None:
    """Exported and imported: the same spec, and the same weights."""
    spec, ours = mw.loads(SPECS[name]), perturbed(SPECS[name])
    folder = export(spec, ours, tmp_path / "exported")
    assert canonical(mw.loads(import_folder(folder))) == canonical(spec)
    again = mw.from_pretrained(folder).state_dict()
    assert again.keys() == ours.state_dict().keys()
    assert all(again[key].equal(value) for key, value in ours.state_dict().items())


def test_the_bias_of_an_output_table_is_where_the_library_reads_it(tmp_path: Path) -> None:
    text = BERT + MASKED.replace("tied: true, ", "")
    ours = perturbed(text)
    folder = export(mw.loads(text), ours, tmp_path / "exported")
    theirs, info = transformers.BertForMaskedLM.from_pretrained(folder, output_loading_info=True)
    assert not any(info.values()), info
    assert theirs.cls.predictions.decoder.bias.equal(ours.state_dict()["head.output.bias"])


@pytest.mark.parametrize(
    "change",
    [
        "init: {type: orthogonal}",  # fresh weights only: no part of an architecture
        "tokens: {pad: 3}",
        "description: mine",
    ],
)
def test_changes_without_effect_on_results_are_ignored(change: str) -> None:
    assert find_native(mw.loads(f"{SPECS['GPT2LMHeadModel']}{change}\n")) is not None


@pytest.mark.parametrize(
    "change",
    [
        "--set=positions=alibi",
        "--set=mask=causal & window(3)",
        "--set=final_norm=false",
        "--set=feed_forward.type=glu",
        "--set=head.scale=2",
        "--set=overrides.0={residual: parallel}",
    ],
)
def test_another_architecture_has_no_class(change: str, tmp_path: Path) -> None:
    (tmp_path / "spec.yaml").write_text(SPECS["GPT2LMHeadModel"])
    spec = mw.load(tmp_path / "spec.yaml", sets=(change.removeprefix("--set="),))
    found = find_native(spec)
    assert found is None or found.class_name != "GPT2LMHeadModel"


def test_the_command_says_which_class(tmp_path: Path) -> None:
    (tmp_path / "spec.yaml").write_text(SPECS["LlamaForCausalLM"])
    save_file(perturbed(SPECS["LlamaForCausalLM"]).state_dict(), tmp_path / "w.safetensors")
    arguments = ["export", "spec.yaml", "--weights", "w.safetensors", "-o", "out"]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        result = CliRunner().invoke(cli, arguments)
        assert result.exit_code == 0, result.output
        assert "wrote out, a LlamaForCausalLM" in result.output
        assert CliRunner().invoke(cli, arguments).exit_code == 2  # it is there already
        assert CliRunner().invoke(cli, [*arguments, "--force"]).exit_code == 0
        custom = CliRunner().invoke(cli, [*arguments, "--force", "--custom-code"])
        assert custom.exit_code == 0, custom.output
        assert (tmp_path / "out" / "tiny.py").exists()
