"""`Config(d_model=n)` of an emitted file is what `--set d_model=n` builds, or a ValueError."""

from __future__ import annotations

import dataclasses
import sys
import types
from pathlib import Path
from typing import Any

import pytest
import torch

from modelwright.backends.pytorch import emit_file
from modelwright.compiler import lower
from modelwright.spec import SpecErrors, load

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.yaml"))
SAMPLE = ("tiny_t5", "tiny_deepseek", "transformer_base")
WIDTH = "d_model"


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
