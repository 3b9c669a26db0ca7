"""Every example spec: its style, its number of weights, and that it builds."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import modelwright as mw

FOLDER = Path(__file__).parent.parent.parent / "examples"
EXAMPLES = sorted(FOLDER.glob("*.yaml"))

# As published or as transformers counts the checkpoint's model, each tied weight once.
WEIGHTS = {
    "albert_base": 11_683_584,
    "ast_base": 86_594_063,
    "bert_base": 109_482_240,
    "bert_large": 335_141_888,
    "bert_pretraining": 110_106_428,
    "blip2_qformer": 105_162_240,
    "bloom_560m": 559_214_592,
    "clip_vit_b32": 151_277_313,
    "deberta_v3_base": 184_551_780,
    "dit_xl_2": 674_834_720,  # without the table of positions, which is not trained
    "deepseek_v3": 671_026_419_200,  # without the layer that guesses a second token
    "detr_r50": 18_069_856,  # without the backbone
    "dinov2_base": 86_582_784,  # without the token that stands for hidden patches in training
    "gemma2_2b": 2_614_341_888,
    "gemma3_1b": 999_885_952,
    "gpt2": 124_439_808,
    "gpt2_large": 774_030_080,
    "gpt2_medium": 354_823_168,
    "gpt2_xl": 1_557_611_200,
    "gpt_neox_20b": 20_554_567_680,
    "gpt_oss_20b": 20_914_757_184,
    "gptj_6b": 6_050_882_784,
    "llama3_1_8b": 8_030_261_248,
    "llama4_scout": 107_769_861_120,
    "llama3_8b": 8_030_261_248,
    "longformer_base": 148_711_257,
    "mistral_7b": 7_241_732_096,
    "mixtral_8x7b": 46_702_792_704,
    "modernbert_base": 149_655_232,
    "olmo2_7b": 7_298_617_344,
    "olmoe_1b_7b": 6_919_161_856,
    "pix2struct_base": 282_285_696,
    "qwen1_5_moe_a2_7b": 14_315_784_192,
    "qwen3_8b": 8_190_735_360,
    "roberta_base": 124_697_433,
    "t5_base": 222_903_552,
    "t5_small": 60_506_624,
    "vit_b16": 86_567_656,
    "vivit_b16x2": 88_954_000,
    "switch_base_8": 619_339_008,
    "wav2vec2_base": 94_395_424,  # without the vector for what training hides, and lengths of rows
    "whisper_tiny": 37_184_640,  # without its sinusoids, which a checkpoint stores
}

LINES = {"multimodel": 90}
"""Examples of more than 30 lines: three stacks and three kinds of data."""

UNPUBLISHED = {path.stem for path in EXAMPLES if path.stem.startswith("tiny_")} | {
    "bart_base",  # transformers keeps its output bias as a buffer of zeros
    "bigbird_base",
    "decision_transformer",  # without the positions of the library's GPT-2, of which it reads one
    "evoformer",  # the layers alone
    "gpt3_175b",
    "graphormer_base",  # one table of node kinds, as in the formulas
    "llava_like",  # a combination of published models
    "multimodel",  # the paper has no count
    "rnnsearch",  # the paper has no count
    "sparse_transformer",
    "transformer_base",
    "transformer_big",
    "xlnet_base",  # without the parts for segments and for the second stream
}


@pytest.fixture(params=EXAMPLES, ids=lambda path: path.stem)
def example(request: pytest.FixtureRequest) -> Path:
    path: Path = request.param
    return path


def test_every_family_has_a_small_and_a_known_example() -> None:
    families = {path.stem: mw.load(path).family for path in EXAMPLES}
    for family in ("decoder-only", "encoder-only", "encoder-decoder"):
        names = [name for name, of in families.items() if of == family]
        assert any(name.startswith("tiny_") for name in names)
        assert any(not name.startswith("tiny_") for name in names)


def test_it_has_a_docstring_with_its_source(example: Path) -> None:
    first, *rest = example.read_text(encoding="utf-8").splitlines()
    assert re.match(r"# \S", first)
    assert re.search(r"\d{4}\.\d{4,5}|\"[^\"]+\"|(, |\()(19|20)\d\d\)", first), "no source"
    assert "# yaml-language-server: $schema=schema.json" in rest
    assert len(example.read_text(encoding="utf-8").splitlines()) <= LINES.get(example.stem, 30)
    assert [line for line in [first, *rest] if len(line) > 100] == []


def test_its_file_is_named_after_it(example: Path) -> None:
    assert re.fullmatch(r"[a-z][a-z0-9_]*", example.stem)
    letters = re.sub(r"[^a-z0-9]", "", mw.load(example).name)
    assert letters == example.stem.replace("_", "")


def test_nothing_in_it_looks_wrong(example: Path) -> None:
    spec = mw.load(example)
    assert spec.warnings == ()
    assert spec.notes == ()


def test_published_numbers_are_known_or_known_to_be_missing() -> None:
    assert WEIGHTS.keys() | UNPUBLISHED == {path.stem for path in EXAMPLES}


@pytest.mark.sampled(2)
@pytest.mark.parametrize("name", WEIGHTS)
def test_it_has_the_published_number_of_weights(name: str) -> None:
    graph = mw.lower(mw.load(FOLDER / f"{name}.yaml"))
    assert mw.report(graph).weights_total == WEIGHTS[name]


@pytest.mark.sampled(3)
def test_it_is_built_as_counted(example: Path) -> None:
    graph = mw.lower(mw.load(example))
    model = mw.compile(graph, device="meta")
    report = mw.report(graph)
    assert sum(weight.numel() for weight in model.parameters()) == report.weights_total
    assert sum(report.weights.values()) == report.weights_total
    assert not list(model.buffers())
    shapes = {name: tuple(weight.shape) for name, weight in model.state_dict().items()}
    assert shapes == {weight.name: tuple(map(int, weight.shape)) for weight in graph.weights()}
