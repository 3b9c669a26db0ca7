"""Files with joined projections: the same results, names and checkpoints."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from variations import VARIATIONS, graph_of, inputs_of, spec_of

import modelwright as mw
from modelwright.backends.pytorch import BuildOptions, emit_file, instantiate
from modelwright.backends.reference import random_weights
from modelwright.compiler.passes.join_projections import join_projections

JOINED = BuildOptions(join_projections=True)
SOME = [
    "decoder",
    "encoder",
    "encoder_decoder",
    "two_memories",
    "pattern_of_shared_blocks",
    "shared_layers",
    *(name for name in VARIATIONS if name.startswith(("init ", "attention_mla"))),
]
REST = [pytest.param(name, marks=pytest.mark.slow) for name in VARIATIONS if name not in SOME]


def joined(name: str) -> nn.Module:
    return instantiate(emit_file(graph_of(name), JOINED), name, dtype="float64")


def results(model: nn.Module, name: str) -> list[Tensor]:
    padding = "left" if "attention_mask" in inputs_of(graph_of(name), "left") else "none"
    data = {key: torch.from_numpy(x) for key, x in inputs_of(graph_of(name), padding).items()}
    with torch.no_grad():
        found = model.eval()(**data)
    return list(found.values()) if isinstance(found, dict) else [found]


@pytest.mark.sampled(2)
@pytest.mark.parametrize("name", [*SOME, *REST])
def test_joined_models_read_the_same_checkpoints_and_compute_the_same(name: str) -> None:
    weights = random_weights(graph_of(name), 0)
    state = {key: torch.from_numpy(array) for key, array in weights.items()}
    plain, model = mw.compile(graph_of(name), dtype="float64"), joined(name)
    for each in (plain, model):
        each.load_state_dict(deepcopy(state))
    kept = model.state_dict()
    assert kept.keys() == state.keys()
    assert all(kept[key].equal(weight) for key, weight in state.items())
    for found, wanted in zip(results(model, name), results(plain, name), strict=True):
        assert (found - wanted).abs().max() <= 1e-12 * wanted.abs().max()


def test_layers_with_the_same_input_are_one_product() -> None:
    groups = {
        op.attrs["joined"]
        for op in join_projections(graph_of("encoder_decoder")).ops()
        if "joined" in op.attrs
    }
    assert ("query", "key", "value") in groups
    assert ("key", "value") in groups
    assert not any("joined" in op.attrs for op in graph_of("encoder_decoder").ops())
    names = [name for name, _ in joined("encoder_decoder").named_parameters()]
    assert any(name.endswith("attention.query_key_value.weight") for name in names)
    assert not any(".query.weight" in name and ".attention." in name for name in names)


def test_files_of_weights_fit_both(tmp_path: Path) -> None:
    plain = mw.compile(spec_of("decoder"))
    model = mw.compile(spec_of("decoder"), join_projections=True, seed=3)
    mw.save_weights(plain, tmp_path / "plain.safetensors")
    mw.load_weights(model, tmp_path / "plain.safetensors")
    mw.save_weights(model, tmp_path / "joined.safetensors")
    assert (tmp_path / "plain.safetensors").read_bytes() == (
        tmp_path / "joined.safetensors"
    ).read_bytes()


def test_errors_of_a_checkpoint_name_the_separate_projections() -> None:
    model = mw.compile(spec_of("decoder"), join_projections=True)
    state = model.state_dict()
    del state["layers.0.attention.key.weight"]
    with pytest.raises(RuntimeError, match=r'Missing.* "layers\.0\.attention\.key\.weight"'):
        model.load_state_dict(state)


def test_each_matrix_is_drawn_by_its_own_shape() -> None:
    """Xavier's width of a matrix three times as high would be smaller by a root of two."""
    text = "{name: t, family: decoder-only, vocab_size: 11, d_model: 64, layers: 1, init: xavier}"
    model = mw.compile(mw.loads(text, sets=("attention.heads=2",)), join_projections=True)
    (weight,) = (w for n, w in model.named_parameters() if n.endswith("query_key_value.weight"))
    assert weight.abs().max().item() == pytest.approx((6 / 128) ** 0.5, rel=0.01)


def test_joined_files_are_well_formed(tmp_path: Path, linted: Callable[[Path], None]) -> None:
    for number, name in enumerate(SOME):
        text = emit_file(graph_of(name), JOINED).text
        (tmp_path / f"f{number}.py").write_text(text, encoding="utf-8")
    linted(tmp_path)
    assert "--join-projections" in text


@pytest.mark.slow
def test_joined_models_are_compiled_and_trained() -> None:
    model = mw.compile(spec_of("decoder"), join_projections=True)
    ids = torch.tensor([[1, 2, 3, 4]])
    whole = torch.compile(model, fullgraph=True, backend="aot_eager")
    assert torch.allclose(whole(ids), model(ids), atol=1e-6)
    model(ids).sum().backward()
    assert all(weight.grad is not None for weight in model.parameters())


def test_lines_are_as_short_as_elsewhere() -> None:
    """Six joined projections have a long name; what they give stands in brackets of its own."""
    path = Path(__file__).parents[2] / "examples" / "longformer_base.yaml"
    text = emit_file(mw.lower(path), JOINED).text
    assert max(map(len, text.splitlines())) <= 100
