"""A config.json becomes a spec as a person would have written it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import transformers
from transformers.activations import ACT2FN

from modelwright.backends.huggingface import CheckpointError, import_folder
from modelwright.backends.huggingface.values import ACTIVATIONS
from modelwright.compiler import lower
from modelwright.spec import load, loads


def folder_of(tmp_path: Path, **config: Any) -> Path:
    folder = tmp_path / "some-bert"
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps({"model_type": "bert", **config}))
    return folder


def problems_of(folder: Path) -> list[str]:
    with pytest.raises(CheckpointError) as caught:
        import_folder(folder)
    return list(caught.value.problems)


def test_a_key_to_ignore_must_be_there(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, odd=1, text_config={"deep": 2})
    assert import_folder(folder, ignore=["odd", "text_config"])
    with pytest.raises(CheckpointError, match="it has no `foo`, which is to be ignored"):
        import_folder(folder, ignore=["odd", "foo", "deep"])


def test_every_key_the_library_writes_is_known(tmp_path: Path) -> None:
    transformers.BertConfig(num_labels=3).save_pretrained(tmp_path)
    written = json.loads((tmp_path / "config.json").read_text())
    assert "vocab_size" in written
    assert "d_model: 768" in import_folder(tmp_path)


def test_activations_are_names_of_the_library() -> None:
    assert set(ACTIVATIONS) <= set(ACT2FN)


def test_a_config_of_defaults_is_bert_base(tmp_path: Path, examples: Path) -> None:
    text = import_folder(folder_of(tmp_path))
    ours, base = loads(text).model_dump(), load(examples / "bert_base.yaml").model_dump()
    for spec in (ours, base):
        del spec["name"]
    block = base["stacks"]["encoder"]["blocks"]["block"]["feed_forward"]
    assert block["d_ff"] == 3072
    block["d_ff"] = "4 * d_model"  # the importer sees that it is the default
    assert ours == base


def test_it_reads_well(tmp_path: Path) -> None:
    folder = folder_of(
        tmp_path,
        architectures=["BertForSequenceClassification"],
        hidden_size=128,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=300,
        hidden_act="gelu_new",
        attention_probs_dropout_prob=0.0,
        initializer_range=0.05,
        id2label={"0": "no", "1": "yes", "2": "perhaps"},
    )
    assert import_folder(folder) == (
        "# some-bert: from the config.json of a Hugging Face BertForSequenceClassification\n"
        "name: some-bert\n"
        "family: encoder-only\n"
        "vocab_size: 30522\n"
        "max_positions: 512\n"
        "d_model: 128\n"
        "layers: 2\n"
        "dropout: 0.1\n"
        "activation: gelu_tanh\n"
        "norm: {eps: 1e-12}\n"
        "norm_placement: post\n"
        "input: {add: {token_type_ids: 2}, normalize: true}\n"
        "positions: learned\n"
        "attention: {heads: 2, dropout: 0}\n"
        "feed_forward: {d_ff: 300}\n"
        "head: {type: classifier, classes: 3, pool: first, hidden: 128, activation: tanh}\n"
        "init: {std: 0.05}\n"
        "tokens: {pad: 0}\n"
    )


def test_no_key_can_be_left_out(minilm: Path) -> None:
    """Not one line of the imported spec says what would hold without it."""
    text = import_folder(minilm)
    whole = loads(text).model_dump()
    lines = text.splitlines()
    for number, line in enumerate(lines):
        rest = "\n".join(lines[:number] + lines[number + 1 :])
        try:
            same = loads(rest).model_dump() == whole
        except Exception:
            same = False
        assert same == line.startswith("#"), line


@pytest.mark.parametrize("hidden, written", [(64, None), (65, 65), (16, 16)])
def test_four_times_the_width_is_the_default(
    tmp_path: Path, hidden: int, written: int | None
) -> None:
    folder = folder_of(tmp_path, hidden_size=16, num_attention_heads=2, intermediate_size=hidden)
    assert ("feed_forward" in import_folder(folder)) == (written is not None)
    assert written is None or f"feed_forward: {{d_ff: {written}}}" in import_folder(folder)


@pytest.mark.parametrize(
    "folder, said, name",
    [
        ("e5-small", "x/y", "e5-small"),
        ("model", "org/E5-Small/", "E5-Small"),
        ("7b", "", "bert"),
        ("models--org--name/snapshots/" + "a1" * 20, "", "name"),
        ("no good\nname: x", "import os; x", "bert"),
    ],
)
def test_the_name_is_the_folder_s(tmp_path: Path, folder: str, said: str, name: str) -> None:
    path = tmp_path / folder
    path.mkdir(parents=True)
    (path / "config.json").write_text(json.dumps({"model_type": "bert", "_name_or_path": said}))
    assert loads(import_folder(path)).name == name


@pytest.mark.parametrize("model_type", ["modernbert", "modernbert-decoder"])
def test_each_kind_of_layer_has_a_theta_where_the_config_says_none(
    tmp_path: Path, model_type: str
) -> None:
    kinds = {"full_attention": {"rope_type": "default"}, "sliding_attention": {"rope_theta": 500}}
    text = import_folder(folder_of(tmp_path, model_type=model_type, rope_parameters=kinds))
    (stack,) = loads(text).stacks.values()
    thetas = {name: block.positions[0].theta for name, block in stack.blocks.items()}
    assert thetas == {"global_layer_0": 160000, "global": 160000, "local": 500}


def test_all_errors_are_reported_at_once(tmp_path: Path) -> None:
    folder = folder_of(
        tmp_path,
        add_cross_attention=True,
        position_embedding_type="relative_key",
        hidden_size="wide",
        num_hidden_layers=2.5,
        use_cache=False,
        rope_theta=10000,
    )
    assert problems_of(folder) == [
        "`add_cross_attention: true` is not supported yet, only false",
        '`position_embedding_type: "relative_key"` is not supported yet, only "absolute"',
        '`hidden_size` must be an integer, not "wide"',
        "`num_hidden_layers` must be an integer, not 2.5",
        "`rope_theta` is not a known option of bert and may affect the output; if it does not, "
        "skip it with `--ignore rope_theta`",
    ]


@pytest.mark.parametrize(
    "config, said",
    [
        ({"hidden_act": "mish"}, "`hidden_act: mish` is not supported yet; supported: gelu,"),
        ({"hidden_size": 100}, "d_model (100) is not a multiple of heads (12)"),
        ({"layer_norm_eps": True}, "`layer_norm_eps` must be a number, not true"),
        ({"vocab_size": None}, "`vocab_size` must be an integer, not null"),
        ({"model_type": "mamba"}, "`mamba` is not supported yet: it has state-space layers"),
        ({"model_type": "none"}, "model_type `none` is not supported yet"),
        ({"model_type": None}, "`model_type` is missing; "),
        ({"architectures": ["BertForNothing"]}, "BertForNothing is not supported"),
        ({"architectures": "BertModel"}, "`architectures` must be a list of names"),
    ],
)
def test_a_config_that_is_refused(tmp_path: Path, config: dict[str, Any], said: str) -> None:
    (problem,) = problems_of(folder_of(tmp_path, **config))
    assert said in problem


@pytest.mark.parametrize(
    "text, said",
    [
        ("{", "not valid JSON: "),
        ("[]", "must contain a JSON object, not a list"),
        ("[" * 100_000, "the JSON is nested too deeply"),
        ('{"model_type": ' + "9" * 5000 + "}", "not valid JSON: "),
        ("\x00", "not valid JSON: "),
    ],
)
def test_a_file_that_is_not_a_config(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "config.json").write_text(text)
    (problem,) = problems_of(tmp_path)
    assert problem.startswith(said)


def test_a_folder_that_is_not_a_model(tmp_path: Path) -> None:
    assert problems_of(tmp_path) == ["config.json is missing"]
    assert problems_of(tmp_path / "nowhere") == ["no such folder"]


def test_torch_is_not_imported(minilm: Path) -> None:
    code = (
        "import sys; from modelwright.backends.huggingface import import_folder;"
        "import_folder(sys.argv[1]); print('torch' in sys.modules)"
    )
    run = [sys.executable, "-c", code, str(minilm)]
    assert subprocess.run(run, capture_output=True, text=True, check=True).stdout == "False\n"


def test_the_pooler_is_there_when_the_weights_have_it(
    checkpoint: Callable[..., tuple[Path, Any]],
) -> None:
    folder, _ = checkpoint("BertModel")
    assert "head: {type: projection" in import_folder(folder)


def test_everything_that_an_import_writes_is_used(tmp_path: Path) -> None:
    """Both branches have biases of their own: `bias: false` for all others has no effect."""
    config = {
        "model_type": "llama", "architectures": ["LlamaForCausalLM"], "vocab_size": 61,
        "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2,
        "num_attention_heads": 4, "attention_bias": True, "mlp_bias": True,
    }  # fmt: skip
    (tmp_path / "config.json").write_text(json.dumps(config))
    text = import_folder(tmp_path)
    assert "\nbias: false" not in text
    lower(loads(text))
