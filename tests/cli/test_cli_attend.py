"""`modelwright attend`."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner, Result
from safetensors.torch import save_file

import modelwright as mw
from modelwright.cli import cli

MORE = "; give --inputs FILE.safetensors"
SEVERAL = """
name: several
d_model: 16
vocab_size: 99
attention: {heads: 1}
positions: learned
max_positions: 64
stacks:
  image:
    layers: 0
    final_norm: false
    input: {type: patches, patch_size: 4, image_size: 8, prefix_tokens: 1}
  sounds:
    layers: 1
    input: {type: features, argument: frames, size: 16}
  text:
    layers: 1
    input: [tokens, {type: stack, stack: image, skip: 1, replace: 42}]
    cross_attention: {memory: sounds}
"""


def attend(*words: str | Path, text: str | None = None) -> Result:
    result = CliRunner().invoke(cli, ["attend", *map(str, words)], input=text)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def words_of(svg: str) -> list[str]:
    return re.findall(r">([^<]*)</text>", svg)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str | Path]]:
    """Spec and weights of small models."""
    folder = tmp_path_factory.mktemp("models")
    found = {}
    for name in ("tiny_gpt", "tiny_t5", "tiny_bert", "tiny_linear"):
        spec = Path(__file__).parents[2] / "examples" / f"{name}.yaml"
        weights = folder / f"{name}.safetensors"
        mw.save_weights(mw.compile(spec), weights)
        found[name] = [spec, "--weights", weights, "--tokenizer", "bytes"]
    return found


def test_a_sheet_of_all_layers_and_heads(files: dict[str, list[str | Path]]) -> None:
    result = attend(*files["tiny_gpt"], "--text", "So it is.", "-o", "-")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.count('class="panel"') == 20
    assert "9 tokens: S o · i t · i s ." in words_of(result.stdout)


def test_a_few_maps_have_tokens(files: dict[str, list[str | Path]], tmp_path: Path) -> None:
    out = tmp_path / "maps.svg"
    chosen = ["--layer", "3", "--head", "0", "--head", "2", "--theme", "print"]
    result = attend(*files["tiny_gpt"], "--text", "-", "-o", out, *chosen, text="a\nb")
    assert (result.exit_code, result.stderr.splitlines()[-1]) == (0, f"wrote {out}")
    words = words_of(out.read_text(encoding="utf-8"))
    assert [w for w in words if w in ("a", "\\n", "b")] == ["a", "\\n", "b"] * 4
    assert words.count("layers.3.attention") == 2
    assert [word[:7] for word in words if "head" in word] == ["head 0:", "head 2:"]


@pytest.mark.parametrize("target", [["--target", "xyz"], []])
def test_an_encoder_decoder_aligns(files: dict[str, list[str | Path]], target: list[str]) -> None:
    """Without a target, the decoder writes one."""
    chosen = ["--only", "cross_attention", "--layer", "0", "--head", "1"]
    given = ["--text", "abc", *target, "-o", "-", *chosen]
    result = attend(*files["tiny_t5"], *given)
    assert result.exit_code == 0, result.stderr
    words = words_of(result.stdout)
    assert {"decoder.layers.0.cross_attention", "head 1"} <= {*words}
    if target:
        assert words[:7] == ["\\x00", "x", "y", "z", "a", "b", "c"]


@pytest.mark.parametrize(
    ("name", "words", "message"),
    [
        (
            "tiny_gpt",
            ["--text", "a", "--layer", "9"],
            "no attention map matches layer 9; available:",
        ),
        ("tiny_gpt", ["--text", "a", "--target", "b"], "has no second stack that reads a target"),
        ("tiny_gpt", ["--text", ""], "the prompt contains no tokens"),
        ("tiny_linear", ["--text", "a"], "linear attention sums keys and values"),
        ("tiny_gpt", ["--text", "a", "--tokenizer", "no.json"], "no.json: no such file"),
    ],
)
def test_errors(
    files: dict[str, list[str | Path]], name: str, words: list[str], message: str
) -> None:
    result = attend(*files[name], *words, "-o", "-")
    assert result.exit_code == 2
    assert message in result.stderr


@pytest.mark.parametrize(
    ("example", "message"),
    [
        ("vit_b16", f"vit-b-16 reads no text, but pixel_values{MORE}"),
        ("clip_vit_b32", f"clip-vit-b-32 also reads pixel_values{MORE}"),
        ("blip2_qformer", f"blip2-qformer reads no text, but image_embeds{MORE}"),
        ("pix2struct_base", f"pix2struct-base also reads flattened_patches{MORE}"),
    ],
)
def test_images_are_refused_before_weights_are_read(
    example: str, message: str, examples: Path, tmp_path: Path
) -> None:
    (tmp_path / "none.safetensors").write_bytes(b"")
    given = ["--weights", tmp_path / "none.safetensors", "--tokenizer", "bytes", "--text", "a"]
    result = attend(examples / f"{example}.yaml", *given, "-o", "-")
    assert (result.exit_code, result.stderr) == (2, f"Error: {message}\n")


def test_tokens_of_a_tokenizer_have_names(tmp_path: Path) -> None:
    from modelwright.prompting import load_tokenizer

    corpus = tmp_path / "corpus.txt"
    corpus.write_text("the house stands here and the house is tall\n" * 50, encoding="utf-8")
    out = tmp_path / "tokenizer.json"
    made = CliRunner().invoke(cli, ["tokenizer", str(corpus), "--vocab", "300", "-o", str(out)])
    assert made.exit_code == 0, made.output
    tokens = load_tokenizer(str(out))
    names = [tokens.name(number) for number in tokens.encode("the house")]
    assert "".join(names).replace("·", " ").strip() == "the house"
    assert names[-1].startswith("·")


def test_a_model_of_several_parts(tmp_path: Path) -> None:
    """Its other inputs are in a file; vectors that replace tokens have the name of their stack."""
    (tmp_path / "several.yaml").write_text(SEVERAL, encoding="utf-8")
    mw.save_weights(mw.compile(tmp_path / "several.yaml"), tmp_path / "w.safetensors")
    data = {"pixel_values": torch.ones(1, 3, 8, 8), "frames": torch.ones(1, 2, 16)}
    save_file(data, tmp_path / "data.safetensors")
    given = [tmp_path / "several.yaml", "--weights", tmp_path / "w.safetensors", "-o", "-"]
    given += ["--tokenizer", "bytes", "--inputs", tmp_path / "data.safetensors"]
    result = attend(*given, "--text", "A****")
    assert (result.exit_code, result.stderr) == (0, "")
    names = ["A", *(f"image {i}" for i in range(4))]
    words = words_of(result.stdout)
    assert words[:4] == ["0", "1", "0", "1"]
    assert words[words.index("A") :][:10] == names * 2
    assert "rows: text, columns: sounds" in words
    result = attend(*given)
    assert (result.exit_code, result.stderr) == (2, "Error: several reads a text; none is given\n")
    save_file({"image": data["frames"]}, tmp_path / "data.safetensors")
    result = attend(*given, "--text", "A****")
    assert result.stderr.startswith("Error: several has no input image; its inputs are pixel_v")
    (tmp_path / "data.safetensors").write_text("no", encoding="utf-8")
    assert "is not a valid safetensors file" in attend(*given).stderr
