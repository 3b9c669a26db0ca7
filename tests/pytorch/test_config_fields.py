"""Equal numbers of one key are one field of the Config; layers follow the number of their stack."""

from __future__ import annotations

import sys
import types
from typing import Any

import pytest
import torch
from small_examples import FOLDER, NAMES

from modelwright.backends.pytorch import emit_file
from modelwright.compiler import lower
from modelwright.spec import ModelSpec, load, loads

BASE = """
name: some
family: decoder-only
vocab_size: 50
d_model: 32
layers: 6
positions: {type: rotary, theta: 5000}
attention: {heads: 4}
feed_forward: {d_ff: 48}
head: {type: language_model}
"""
OVERRIDDEN = (
    BASE
    + """
overrides:
  0: {attention: {kv_heads: 2}}
  2: {feed_forward: {d_ff: 64}}
  4: {positions: {type: rotary, theta: 100}}
  5: {attention: {heads: 2}}
"""
)
NAMED = (
    BASE.replace("attention: {heads: 4}\n", "")
    + """
blocks:
  kv: {attention: {heads: 2}}
  local: {mask: causal & window(3), attention: {heads: 4}, share: false}
  wide: {attention: {heads: 4, kv_heads: 2}}
pattern: [kv, local, wide]
"""
)
TWO = """
name: two
family: encoder-decoder
vocab_size: 30
d_model: 32
layers: 2
feed_forward: {d_ff: 48}
encoder: {attention: {heads: 4}}
decoder: {attention: {heads: 4}}
head: {type: language_model}
"""


def emitted(spec: ModelSpec) -> Any:
    module = sys.modules["emitted"] = types.ModuleType("emitted")
    exec(compile(emit_file(lower(spec)).text, "emitted.py", "exec"), module.__dict__)
    return module


def fields(module: Any) -> dict[str, Any]:
    return {name: field.default for name, field in module.Config.__dataclass_fields__.items()}


def outputs(module: Any, name: str, **config: Any) -> torch.Tensor:
    torch.manual_seed(0)
    model = getattr(module, name)(module.Config(**config)).eval()
    with torch.no_grad():
        found: torch.Tensor = model(torch.arange(12)[None])
    return found


def test_layers_without_an_override_follow_the_value_of_the_stack() -> None:
    module = emitted(loads(OVERRIDDEN))
    assert {
        "heads": 4,
        "block_layer_5_heads": 2,
        "kv_heads": 2,
        "rope_theta": 5000.0,
        "block_layer_4_rope_theta": 100.0,
        "d_ff": 48,
        "block_layer_2_d_ff": 64,
    }.items() <= fields(module).items()
    assert len([name for name in fields(module) if name.endswith("heads")]) == 3


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ("positions.theta=70", {"rope_theta": 70.0}),
        ("overrides.4.positions.theta=70", {"block_layer_4_rope_theta": 70.0}),
        ("feed_forward.d_ff=24", {"d_ff": 24}),
        ("attention.heads=8", {"heads": 8}),
        ("overrides.5.attention.heads=1", {"block_layer_5_heads": 1}),
    ],
)
def test_a_field_changes_what_its_key_changes(change: str, field: dict[str, Any]) -> None:
    ours = outputs(emitted(loads(OVERRIDDEN)), "Some", **field)
    theirs = outputs(emitted(loads(OVERRIDDEN, sets=[change])), "Some")
    torch.testing.assert_close(ours, theirs, rtol=0, atol=0)


def test_equal_numbers_that_are_written_twice_are_one_field() -> None:
    found = fields(emitted(loads(TWO)))
    assert found["heads"] == 4
    assert not {"encoder_heads", "decoder_heads"} & {*found}


def test_a_number_of_one_block_has_not_the_name_of_another_key() -> None:
    found = fields(emitted(loads(NAMED)))
    kinds = {name: value for name, value in found.items() if name.endswith("heads")}
    assert kinds == {
        "decoder_kv_heads": 2,  # the heads of the block `kv`
        "decoder_heads": 4,
        "kv_heads": 2,
    }


@pytest.mark.sampled(2)
@pytest.mark.parametrize("name", NAMES)
def test_each_written_number_of_an_example_is_one_field(name: str) -> None:
    spec = load(FOLDER / f"{name}.yaml")
    places: dict[Any, set[str]] = {}
    for field in lower(spec).fields:
        for path in field.places:
            mark = spec.mark(path)
            if mark is not None and path[-1] == field.at[-1]:
                places.setdefault((mark, field.key, field.value), set()).add(field.name)
    assert places
    assert {key: names for key, names in places.items() if len(names) > 1} == {}


def test_an_exception_that_reads_what_the_pattern_gives_is_not_chosen_apart() -> None:
    """ModernBERT: layer 0 has no norm before its attention, and the angles of global layers."""
    text = emit_file(lower(load(FOLDER / "modernbert_base.yaml"))).text
    assert "cos, sin, tiles = global_ if i % 3 == 0 else local\n" in text
