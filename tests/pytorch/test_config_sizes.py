"""`Config(d_model=n)` of an emitted file is what `--set d_model=n` builds, or a ValueError.

Numbers that follow from others (a scale, a width of heads) follow from those of the Config.
"""

from __future__ import annotations

import dataclasses
import math
import re
import sys
import types
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from modelwright.backends.pytorch import emit_file
from modelwright.backends.verify.laws.config import with_number
from modelwright.compiler import lower
from modelwright.compiler.display import show
from modelwright.compiler.sizes import Field
from modelwright.spec import ModelSpec, SpecErrors, load, loads

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.yaml"))
SAMPLE = ("tiny_t5", "tiny_deepseek", "transformer_base")
WIDTH = "d_model"
TOGETHER = {("whisper_tiny", "d_model"), ("multimodel", "d_model")}
"""The language asks for the same number at two places, the file has it once."""


def module_of(path: Path, *sets: str) -> tuple[Any, str]:
    """The emitted module of a spec, and the name of its class."""
    graph = lower(load(path, sets))
    module = sys.modules["emitted"] = types.ModuleType("emitted")
    exec(compile(emit_file(graph).text, "emitted.py", "exec"), module.__dict__)
    return module, graph.class_name


def shapes(module: Any, name: str, config: Any) -> dict[str, tuple[int, ...]]:
    with torch.device("meta"):
        network = getattr(module, name)(config)
    return {key: tuple(value.shape) for key, value in network.state_dict().items()}


def compare(path: Path, factor: int, more: int) -> None:
    module, name = module_of(path)
    if not hasattr(module.Config(), WIDTH):
        pytest.skip("each stack has a width of its own")
    new = factor * getattr(module.Config(), WIDTH) + more
    if (path.stem, WIDTH) in TOGETHER:
        pytest.skip("the last convolution has the same width")
    try:
        other, _ = module_of(path, f"{WIDTH}={new}")
    except SpecErrors:
        with pytest.raises(ValueError, match=WIDTH):
            module.Config(**{WIDTH: new})
        return
    config = module.Config(**{WIDTH: new})
    assert dataclasses.asdict(config) == dataclasses.asdict(other.Config())
    assert shapes(module, name, config) == shapes(other, name, other.Config())


@pytest.mark.parametrize("name", SAMPLE)
def test_a_wider_config_is_a_wider_spec(name: str) -> None:
    path = next(path for path in EXAMPLES if path.stem == name)
    compare(path, 2, 0)
    compare(path, 1, 1)


@pytest.mark.slow
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_every_wider_config_is_a_wider_spec(path: Path) -> None:
    compare(path, 2, 0)
    compare(path, 1, 1)


def test_a_derived_scale_follows_the_width() -> None:
    """T5's head scales by 1/sqrt(d_model): of the Config's width, not of the spec's."""
    path = next(path for path in EXAMPLES if path.stem == "t5_small")
    text = emit_file(lower(load(path))).text
    assert "head_input_scale" not in text
    assert "self.config.d_model**-0.5" in text


def test_a_part_of_a_head_follows_its_width() -> None:
    """GPT-J rotates a quarter of each head, of whatever width it is."""
    path = next(path for path in EXAMPLES if path.stem == "gptj_6b")
    text = emit_file(lower(load(path))).text
    assert "rotary_dim" not in text
    assert "d_model // config.heads // 4" in text


# -- numbers that follow from others

NUMBER = re.compile(r"\b\d[\d_]*(\.\d+)?(e-?\d+)?\b")
"""In a line of code, whether it stands in a text or not."""
QUICK = ("deepseek_v3", "gpt_oss_20b", "t5_small")


def code(spec: ModelSpec) -> list[str]:
    """The lines of a file below its first docstring, without comments and other docstrings."""
    text = re.sub(r'"""(.|\n)*?"""', "", emit_file(lower(spec)).text)
    return [line.split("  # ")[0] for line in text.splitlines() if not line.startswith("# ")]


def others(value: float) -> tuple[float, ...]:
    return (2 * value, value + 1, value - 1) if isinstance(value, int) else (0.75 * value,)


def kept(path: Path) -> tuple[int, list[str]]:
    """How many fields were changed in the spec, and lines with a number that follows one of them.

    Lines are compared where both files have the same ones but for their numbers: with as many heads
    for keys as for queries, attention is written in another way.
    """
    document = yaml.safe_load(show(load(path)))
    first = loads(yaml.safe_dump(document, sort_keys=False))
    before, fields = code(first), {field.name: field for field in lower(first).fields}
    tried, found = 0, []
    for name, field in fields.items():
        if field.formula is not None or not isinstance(field.value, (int, float)):
            continue
        for spec in (
            one for new in others(field.value) for one in with_number(document, field, new)
        ):
            after = code(spec)
            changed = [f.name for f in lower(spec).fields if differs(f, fields)]
            stripped = [[NUMBER.sub("#", line) for line in lines] for lines in (before, after)]
            if changed != [name] or stripped[0] != stripped[1]:
                continue
            pairs = zip(before, after, strict=True)
            lines = [b for a, b in pairs if a != b and not b.startswith(f"    {name}: ")]
            found += [f"{name}: {line.strip()}" for line in lines]
            tried += 1
            break
    return tried, found


def differs(field: Field, fields: dict[str, Field]) -> bool:
    """Does a number of the spec differ?"""
    if field.name not in fields:
        return True
    return field.formula is None and field.value != fields[field.name].value


@pytest.mark.parametrize("name", QUICK)
def test_no_other_line_has_a_number_that_follows(name: str) -> None:
    tried, found = kept(next(path for path in EXAMPLES if path.stem == name))
    assert found == []
    assert tried >= 6


@pytest.mark.slow
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_no_line_of_any_example_has_a_number_that_follows(path: Path) -> None:
    tried, found = kept(path)
    assert found == []
    assert tried >= 3


LONGROPE = """\
name: long
family: decoder-only
vocab_size: 40
max_positions: 64
d_model: 16
layers: 1
positions:
  type: rotary
  scaling: {type: longrope, original_max_positions: 16, short_factor: [1, 1], long_factor: [2, 3]}
attention: {heads: 4}
head: language_model
"""
YARN = LONGROPE.replace(
    "{type: longrope, original_max_positions: 16, short_factor: [1, 1], long_factor: [2, 3]}",
    "{type: yarn, factor: 4, original_max_positions: 16, mscale: 0.8, mscale_all_dims: 0.5}",
)
PLAIN_YARN = YARN.replace(", mscale: 0.8, mscale_all_dims: 0.5", "")
ALIBI = LONGROPE.replace(
    LONGROPE[LONGROPE.index("positions:\n") : LONGROPE.index("attention:")],
    "positions: {type: alibi, before_scale: true}\n",
)


def built(text: str, **fields: Any) -> Any:
    """The Config of an emitted file."""
    module = types.ModuleType("emitted")
    sys.modules["emitted"] = module
    exec(compile(emit_file(lower(loads(text))).text, "emitted.py", "exec"), module.__dict__)
    return module.Config(**fields)


@pytest.mark.parametrize(
    ("text", "name", "field", "value", "words"),
    [
        (LONGROPE, "rope_attention_factor", "max_positions", 256, "max_positions: {}"),
        (LONGROPE, "rope_attention_factor", "max_positions", 8, "max_positions: {}"),
        (
            LONGROPE,
            "rope_attention_factor",
            "rope_original_max_positions",
            4,
            "l_max_positions: {}",
        ),
        (YARN, "rope_attention_factor", "rope_factor", 9, "factor: {}"),
        (PLAIN_YARN, "rope_attention_factor", "rope_factor", 0.5, "factor: {}"),
        (YARN, "scale", "rope_factor", 9, "factor: {}"),
        (YARN, "scale", "heads", 2, "heads: {}"),
    ],
)
def test_what_yarn_and_longrope_multiply_by_follows(
    text: str, name: str, field: str, value: float, words: str
) -> None:
    """Peng et al. 2023, arXiv:2309.00071; Ding et al. 2024, arXiv:2402.13753."""
    before = re.search(rf"\b{words.format('[0-9]+')}|{words.format('[0-9]+')}", text)
    assert before is not None
    changed = text.replace(before[0], words.format(value), 1)
    expected = next(f.value for f in lower(loads(changed)).fields if f.name == name)
    assert getattr(built(text), name) != pytest.approx(expected, rel=1e-6)
    assert getattr(built(text, **{field: value}), name) == pytest.approx(expected, rel=1e-12)


def test_a_number_that_follows_cannot_be_given() -> None:
    with pytest.raises(TypeError, match="rope_attention_factor"):
        built(YARN, rope_attention_factor=1.0)


def test_a_bias_before_the_scale_follows_the_width_of_heads() -> None:
    """ALiBi that is added before scores are scaled is scaled as they are (Falcon)."""
    text = emit_file(lower(loads(ALIBI))).text
    assert "(config.d_model // config.heads) ** -0.5, like=x" in text


# -- what is refused

REFUSED = [
    ("gpt2", "heads", 0, "heads must be an int of at least 1: .*heads=0"),
    ("gpt2", "d_model", -768, "d_model must be an int of at least 1: .*d_model=-768"),
    ("gpt2", "heads", 11, r"heads \(11\) must divide d_model \(768\)"),
    ("llama3_8b", "kv_heads", 3, r"kv_heads \(3\) must divide heads \(32\)"),
    ("llama3_8b", "d_model", 4128, "d_model / heads must be even, not 4128 / 32"),
    ("gemma3_1b", "head_dim", 255, r"head_dim \(255\) must be even"),
    ("gemma3_1b", "window", 0, "window must be an int of at least 1: .*window=0"),
    ("mixtral_8x7b", "top_k", 9, r"top_k \(9\) must be at most experts \(8\)"),
    ("deepseek_v3", "rope_dim", 63, r"rope_dim \(63\) must be even"),
    ("deepseek_v3", "groups", 7, r"groups \(7\) must divide experts \(256\)"),
    ("deepseek_v3", "top_groups", 9, "top_groups must be at most groups: .*groups=8, top_groups=9"),
    ("deepseek_v3", "top_k", 129, "top_k must be at most top_groups .*experts=256, top_k=129"),
    ("deepseek_v3", "experts", 8, "experts // groups must be at least 2: .*experts=8"),
    ("t5_small", "buckets", 30, "buckets % 4 must be 0, .*buckets=30"),
    ("t5_small", "max_distance", 16, ", max_distance > buckets // 2: .*max_distance=16"),
    ("deberta_v3_base", "buckets", 255, "buckets % 2 must be 0, max_distance > .*buckets=255"),
    ("whisper_tiny", "kernel", 4, r"kernel \(4\) must be odd"),
    ("wav2vec2_base", "position_groups", 7, "position_groups must divide d_model: .*groups=7"),
    ("wav2vec2_base", "position_kernel", 129, r"position_kernel \(129\) must be even"),
    ("rnnsearch", "layers", 2, r"layers \(2\) must equal 1"),
    ("clip_vit_b32", "vocab_size", 49407, "vocab_size must be above pooled_token_id"),
    ("vit_b16", "patch_size", 225, "patch_size must be at most image_size: .*patch_size=225"),
    ("ast_base", "prefix_tokens", 1, r"prefix_tokens \(1\) must be at least 2"),
    ("sparse_transformer", "heads", 1, r"heads \(1\) must be even"),
    (
        "bigbird_base",
        "random_count",
        0,
        "random_count must be an int of at least 1",
    ),
    (
        "bigbird_base",
        "random_seed",
        -1,
        "random_seed must be an int of at least 0",
    ),
    ("llama3_8b", "d_ff", 2.5, "d_ff must be an int of at least 1: .*d_ff=2.5"),
    ("gpt2", "layers", "4", "layers must be an int of at least 1: .*layers='4'"),
    ("gpt2", "layers", True, "layers must be an int of at least 1"),
    ("gpt2", "dropout", 1, r"dropout must be in \[0, 1\)"),
    ("gpt2", "eps", -1, "eps and init_std >= 0: .*eps=-1"),
    ("gpt2", "init_std", math.nan, "eps and init_std >= 0: .*init_std=nan"),
    ("llama3_8b", "rope_theta", 0, "rope_theta > 1: .*rope_theta=0"),
    ("llama3_8b", "rope_theta", 1, "rope_theta > 1: .*rope_theta=1"),
    ("gemma2_2b", "softcap", 0, "softcap .*> 0.*: .*softcap=0"),
    ("gemma2_2b", "scale", math.inf, "scale finite: .*scale=inf"),
]


@pytest.mark.sampled(2)
@pytest.mark.parametrize(("name", "field", "value", "message"), REFUSED)
def test_invalid_numbers_are_refused(name: str, field: str, value: Any, message: str) -> None:
    module, _ = module_of(next(path for path in EXAMPLES if path.stem == name))
    with pytest.raises(ValueError, match=message):
        module.Config(**{field: value})


def test_a_small_vocabulary_excludes_only_the_special_ids() -> None:
    """They are arguments of `generate`, which refuses those that the vocabulary lacks."""
    module, name = module_of(next(path for path in EXAMPLES if path.stem == "gpt2"))
    config = module.Config(vocab_size=61, d_model=24, layers=1)
    model, prompt = getattr(module, name)(config), torch.tensor([[3, 4]])
    with pytest.raises(ValueError, match=r"token ids must be ints in \[0, 61\)"):
        model.generate(prompt, 2)
    assert model.generate(prompt, 2, eos_token_id=None).shape == (1, 4)
    assert model.generate(prompt, 2, eos_token_id=60, pad_token_id=0).size(1) in (3, 4)


def test_numbers_that_are_not_sizes_may_be_0() -> None:
    module, _ = module_of(next(path for path in EXAMPLES if path.stem == "gpt2"))
    config = module.Config(dropout=0, eps=0, init_std=0)
    assert (config.dropout, config.eps, config.init_std) == (0, 0, 0)


def test_numbers_are_checked_by_ranges_of_the_language() -> None:
    """Zero, one and -1 are refused unless some spec has them at the same place."""
    tried = 0
    for stem in ("gpt2", "llama3_1_8b", "gemma2_2b", "deepseek_v3", "gpt_oss_20b", "llama4_scout"):
        path = next(path for path in EXAMPLES if path.stem == stem)
        module, _ = module_of(path)
        document = yaml.safe_load(show(load(path)))
        for field in lower(load(path)).fields:
            takes = field.name in module.Config.__dataclass_fields__ and field.formula is None
            if not takes or not isinstance(field.value, float) or "eps" in field.name:
                continue
            for value in (-1.0, 0.0, 1.0):
                legal = bool([*with_number(document, field, value)])  # type: ignore[arg-type]
                if legal:
                    module.Config(**{field.name: value})
                elif any(field.key == str(place[-1]) for place in field.places):
                    tried += 1
                    with pytest.raises(ValueError, match=field.name):
                        module.Config(**{field.name: value})
    assert tried >= 5


NO_SIZES = {"dropout", "hidden_dropout", "rope_low_freq_factor", "rope_high_freq_factor"}


@pytest.mark.slow
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_sizes_that_the_language_refuses(path: Path) -> None:
    """No integer is taken by the Config, but by no spec that has it at these places."""
    module, name = module_of(path)
    whole, tried = yaml.safe_load(show(load(path))), 0
    without = {key: value for key, value in whole.items() if key != "tokens"}
    for field in lower(load(path)).fields:
        document = without if field.key == "vocab_size" else whole  # `generate` checks these ids
        takes = field.name in module.Config.__dataclass_fields__ and isinstance(field.value, int)
        if not takes or field.name in NO_SIZES or (path.stem, field.name) in TOGETHER:
            continue
        for value in {0, -1, *map(int, others(field.value)), field.value + 3}:
            if any(field.key == str(place[-1]) for place in field.places) and not [
                *with_number(document, field, value)
            ]:
                tried += 1
                with pytest.raises(ValueError, match=field.name):
                    module.Config(**{field.name: value})
    assert tried >= 4, name
