"""Hidden states, the logit lens and position tables of compiled models."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from variations import VARIATIONS, graph_of

import modelwright as mw
from modelwright.backends.pytorch import import_text
from modelwright.backends.pytorch.attention_maps import MapsError

EXAMPLES = Path(__file__).parents[2] / "examples"
IDS = torch.arange(3, 21).view(2, 9)
DECODER = """
name: small
family: decoder-only
vocab_size: 40
max_positions: 32
d_model: 16
layers: 3
attention: {heads: 4}
head: language_model
"""


def decoder(positions: str = "learned", more: str = "") -> mw.ModelSpec:
    return mw.loads(f"{DECODER}positions: {positions}\n{more}")


def test_hidden_states_are_those_between_the_layers() -> None:
    model = mw.compile(decoder()).train()
    states = mw.hidden_states(model, input_ids=IDS)
    assert model.training
    assert list(states) == ["layers.input", "layers.0", "layers.1", "layers.2"]
    model.eval()
    with torch.no_grad():
        x = model.token_embedding(IDS) + model.position_embedding.weight[:9]
        assert x.equal(states["layers.input"])
        assert model.norm(states["layers.2"]).equal(model.hidden_states(IDS))
        before = model.layers[1].register_forward_hook(lambda *_: states["layers.0"])
        skipped = mw.hidden_states(model, input_ids=IDS)
    before.remove()
    assert skipped["layers.1"].equal(states["layers.0"])


def test_layers_that_share_a_module_have_a_state_each() -> None:
    model = mw.compile(mw.load(f"{EXAMPLES}/albert_base.yaml", sets=SMALL_ALBERT))
    states = mw.hidden_states(model, input_ids=IDS)
    assert len(states) == 4
    assert not states["layers.1"].equal(states["layers.2"])


SMALL_ALBERT = ["layers=3", "d_model=24", "attention.heads=2", "feed_forward.d_ff=32"]


def test_the_logit_lens_ends_with_the_logits() -> None:
    model = mw.compile(decoder(more="tokens: {eos: 1}")).eval()
    lens = mw.logit_lens(model, input_ids=IDS)
    states = mw.hidden_states(model, input_ids=IDS)
    with torch.no_grad():
        assert lens["layers.2"].equal(model(IDS))
        for name, state in states.items():
            assert lens[name].equal(model.head(model.norm(state)))
    assert all("forward" not in vars(block) for block in model.layers)


def test_the_logit_lens_of_an_encoder_decoder_is_of_the_decoder() -> None:
    model = mw.compile(f"{EXAMPLES}/tiny_t5.yaml").eval()
    given = {"input_ids": IDS, "decoder_input_ids": IDS[:, :4]}
    lens = mw.logit_lens(model, **given)
    assert list(lens) == ["decoder.layers.input", "decoder.layers.0", "decoder.layers.1"]
    with torch.no_grad():
        assert lens["decoder.layers.1"].equal(model(**given))


def test_the_logit_lens_needs_logits() -> None:
    model = mw.compile(mw.loads(DECODER.replace("head: language_model", "positions: none")))
    with pytest.raises(ValueError, match="needs a language model head, and Small returns no"):
        mw.logit_lens(model, input_ids=IDS)


def test_the_logit_lens_needs_states_of_one_width(examples: Path) -> None:
    text = (examples / "rnnsearch.yaml").read_text(encoding="utf-8").replace("1000", "8")
    model = mw.compile(mw.loads(text.replace("30000", "40")))
    wanted = "hidden states of one width, and decoder.layers.input has 620, decoder.layers.0 has"
    with pytest.raises(ValueError, match=wanted):
        mw.logit_lens(model, input_ids=IDS, decoder_input_ids=IDS)


def test_a_compiled_model_is_looked_into() -> None:
    """`torch.compile` wraps a model; names are those of the model inside."""
    model = torch.compile(mw.compile(decoder()))
    assert "layers.0" in mw.hidden_states(model, input_ids=IDS)
    assert "layers.0.attention" in mw.attention_maps(model, input_ids=IDS)
    assert "position_embedding" in mw.position_table(model)


# -- positions


def tables(spec: mw.ModelSpec, tokens: int | None = None) -> dict[str, Tensor]:
    return mw.position_table(mw.compile(spec), tokens=tokens)


def test_learned_positions_are_the_weights() -> None:
    model = mw.compile(decoder())
    table = mw.position_table(model)
    assert list(table) == ["position_embedding"]
    assert table["position_embedding"].equal(model.position_embedding.weight.detach().double())
    assert mw.position_table(model, tokens=5)["position_embedding"].shape == (5, 16)


def test_sinusoids() -> None:
    """Vaswani et al. 2017, section 3.5: PE(pos, 2i) = sin(pos / 10000^(2i / d))."""
    table = tables(decoder("{type: sinusoidal, layout: interleaved}"))["sinusoid"]
    for position in (0, 1, 17):
        for pair in (0, 3):
            angle = position / 10000 ** (2 * pair / 16)
            assert math.isclose(table[position, 2 * pair], math.sin(angle), abs_tol=1e-12)
            assert math.isclose(table[position, 2 * pair + 1], math.cos(angle), abs_tol=1e-12)


def test_rotary_angles_are_those_of_the_paper() -> None:
    """Su et al. 2021: pair i turns by theta^(-2i/d) per position."""
    found = tables(decoder("{type: rotary, theta: 100}"), tokens=7)
    assert found.keys() == {"cos", "sin"}
    angles = torch.outer(torch.arange(7.0), 100 ** (-torch.arange(0, 4, 2) / 4)).double()
    assert torch.allclose(found["cos"], angles.cos())
    assert torch.allclose(found["sin"], angles.sin())


def test_alibi_falls_with_the_distance() -> None:
    """Press et al. 2021: slopes 2^(-8/n), … times the distance."""
    (bias,) = tables(decoder("alibi"), tokens=6).values()
    assert bias.shape == (4, 6, 6)
    assert [float(head[5, 3]) for head in bias] == [-2 * 2.0 ** (-2 * n) for n in (1, 2, 3, 4)]


def test_relative_biases_of_two_stacks() -> None:
    model = mw.compile(f"{EXAMPLES}/tiny_t5.yaml")
    with torch.no_grad():
        model.encoder.relative_bias.weight.normal_()
    found = mw.position_table(model, tokens=6)
    assert list(found) == ["encoder.relative_bias", "decoder.relative_bias"]
    bias = found["encoder.relative_bias"]
    assert bias.shape == (4, 6, 6)
    near = model.encoder.relative_bias.weight[0].detach().double()
    assert torch.allclose(bias.diagonal(dim1=1, dim2=2), near[:, None].expand(-1, 6))


def test_kinds_of_layers_have_tables_of_their_own() -> None:
    found = mw.position_table(mw.compile(f"{EXAMPLES}/gemma3_1b.yaml", device="meta"), tokens=4)
    assert list(found) == ["local_cos", "local_sin", "global_cos", "global_sin"]


POSITIONS = [
    *(name for name in VARIATIONS if name.startswith(("positions_", "stem_", "patches_"))),
    *("dit", "objects", "learned_tokens_of_a_signal", "image_stem_early_convolutions"),
]


@pytest.mark.sampled(15)
@pytest.mark.parametrize("name", POSITIONS)
def test_tables_have_a_row_for_each_position(name: str) -> None:
    """Of a stem that halves the length, of distances, of images: the shape that the graph says."""
    graph = graph_of(name)
    found = mw.position_table(mw.compile(graph), tokens=5)
    tokens = int(next(iter(graph.lengths.values()), 5))  # of an image, or as many as asked for
    lengths = {"T": tokens, "S": tokens, "2*T": 2 * tokens, "2*S": 2 * tokens}
    kinds = {"sinusoid", "grid_sinusoid", "rope_table", "grid_rope_table", "alibi"}
    for op in graph.ops():
        if op.kind not in {*kinds, "relative_bias"} or "condition" in op.scope:
            continue
        sizes = [size for size in graph.values[op.outputs[0]].shape if size.label != "B"]
        if sizes[0].label == "M":  # of what the decoder reads
            continue
        wanted = [lengths.get(size.label) or int(size.size) for size in sizes if size.label != "1"]
        assert tuple(wanted) in {tuple(each.shape) for each in found.values()}, op.kind


def test_sinusoids_behind_a_stem_and_of_an_image() -> None:
    """Whisper's have a row for each state, DETR's one for each cell of the image."""
    rows = mw.position_table(mw.compile(graph_of("stem_sinusoidal")), tokens=6)["encoder.sinusoid"]
    plain = tables(decoder("sinusoidal"), tokens=6)["sinusoid"]
    assert rows.equal(plain)
    cells = mw.position_table(mw.compile(graph_of("objects")))
    assert cells["image.sinusoid"].shape == (9, 16)
    assert len(cells["image.sinusoid"].unique(dim=0)) == 9


def test_vectors_of_distances_are_the_weights() -> None:
    model = mw.compile(graph_of("positions_shaw_decoder"))
    keys = mw.position_table(model)["layers.1.attention.relative_keys"]
    assert keys.equal(model.layers[1].attention.relative_keys.weight.detach().double())
    model = mw.compile(graph_of("positions_disentangled_decoder"))
    table = mw.position_table(model)["relative_embedding"]
    assert table.equal(model.relative_embedding.weight.detach().double())


@pytest.mark.parametrize("tokens", [0, -1, 2.5, True, 33])
def test_a_number_of_positions_that_no_model_has(tokens: Any) -> None:
    wanted = "whole number of at least 1" if tokens != 33 else r"has 32 positions .*tokens=33"
    with pytest.raises(ValueError, match=wanted):
        mw.position_table(mw.compile(decoder()), tokens=tokens)


def test_positions_of_a_built_file_need_its_spec() -> None:
    spec = decoder(more="description: one that no test compiles")
    model = import_text(mw.emit(spec), "small").Small()
    with pytest.raises(MapsError, match=r"give the spec: position_table\(model, spec="):
        mw.position_table(model)
    assert mw.position_table(model, spec=spec).keys() == {"position_embedding"}
