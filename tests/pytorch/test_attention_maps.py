"""Attention maps are the weights of the plain file, from one that computes the same results."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from small_examples import DECODER
from torch import Tensor, nn
from variations import VARIATIONS, graph_of, inputs_of, spec_of

import modelwright as mw
from modelwright.backends.pytorch import BuildError, BuildOptions, emit_file, import_text
from modelwright.backends.pytorch.attention_maps import MapsError
from modelwright.backends.reference import random_weights
from modelwright.backends.verify.laws.attention_weights import attentions
from modelwright.backends.verify.observe import Observed, observing
from modelwright.compiler.passes.keep_weights import keep_weights, why_no_weights

KEPT = BuildOptions(attention_weights=True)
UNABLE = re.compile(
    r"no_layers|attention_none|linear_(?!beside)|fastformer|sublayers_(linear|fastformer)"
    r"|recurrence(_lstm)?(_both_ways)?$|recurrence_of_a_cell"
)
"""Without weights of attention; `test_which_have_none` checks it."""
ABLE = [name for name in VARIATIONS if not UNABLE.match(name)]
RECURRENT = ["recurrence_attentive", "recurrence_lstm_attentive"]
SOME = [
    "decoder",
    "encoder",
    "encoder_decoder",
    "two_memories",
    "shared_layers",
    "pattern_of_shared_blocks",
    *(
        name
        for name in ABLE
        if re.match(r"attention_(softcap|sinks|mla|grouped)|score|mask_", name)
    ),
]
HIDDEN = {f"positions_shaw_{family}" for family in ("decoder", "encoder", "both")}
"""Their weights are multiplied by values and by vectors of distances: no values show them."""
REST = [
    pytest.param(name, marks=pytest.mark.slow)
    for name in ABLE
    if name not in {*SOME, *HIDDEN, *RECURRENT}
]


def model_of(name: str) -> nn.Module:
    """The model of a variation in float64, no weight at rest."""
    model = mw.compile(graph_of(name), dtype="float64").eval()
    weights = random_weights(graph_of(name), 0)
    model.load_state_dict({key: torch.from_numpy(array) for key, array in weights.items()})
    return model


def data_of(name: str) -> dict[str, Tensor]:
    taken = "attention_mask" in inputs_of(graph_of(name), "left") and not graph_of(name).parts
    padding = "left" if taken else "none"
    return {key: torch.from_numpy(x) for key, x in inputs_of(graph_of(name), padding).items()}


def flat(results: Tensor | dict[str, Tensor]) -> Tensor:
    parts = results.values() if isinstance(results, dict) else [results]
    return torch.cat([part.detach().flatten() for part in parts])


def small(**options: bool) -> nn.Module:
    return mw.compile(mw.loads(DECODER), dtype="float64", **options).eval()


@contextmanager
def observing_mixed(model: nn.Module) -> Iterator[list[Observed]]:
    """The attentions that a file computes, with those whose heads are mixed."""
    file = vars(_file_of(model))
    plain = file.get("weighted_sum")
    with observing(_file_of(model)) as seen:

        def weighted_sum(weights: Tensor, v: Tensor, *given: Any) -> Tensor:
            result = plain(weights, v, *given)
            seen.append(Observed(weights, v, result))
            return result

        file |= {} if plain is None else {"weighted_sum": weighted_sum}
        try:
            yield seen
        finally:
            file |= {} if plain is None else {"weighted_sum": plain}


IDS = torch.arange(2 * 9).view(2, 9)


@pytest.mark.sampled(2)
@pytest.mark.parametrize("name", [*SOME, *REST])
def test_maps_are_the_weights_of_the_plain_file(name: str) -> None:
    """With unit vectors as values, the plain file's attention gives its weights."""
    model, data = model_of(name), data_of(name)
    with observing_mixed(model) as seen, torch.no_grad():
        wanted = flat(model(**data))
    maps = mw.attention_maps(model, **data)
    ops = [op for _, op in attentions(graph_of(name))]
    assert len(maps) == len(ops)
    weights = iter([each.weights for each in seen])
    for (module, found), op in zip(maps.items(), ops, strict=True):
        other = next(weights)
        while other.size(-3) < found.size(-3):  # groups of heads with masks of their own
            other = torch.cat([other, next(weights)], dim=-3)
        mixed = found  # maps are the weights before they are mixed
        if op.arg("mix_weights"):
            matrix = model.get_submodule(module).mix_weights
            mixed = torch.einsum("gh,bhts->bgts", matrix, found)
        assert (mixed - other[..., : found.size(-1)]).abs().max() < 1e-12
        assert (found >= 0).all()
        if not op.arg("sinks"):
            total = found.sum(-1)
            assert torch.minimum(total.abs(), (total - 1).abs()).max() < 1e-12
    assert not list(weights)
    with mw.attention_maps(model), torch.no_grad():
        again = flat(model(**data))
    assert (again - wanted).abs().max() <= 1e-12 * wanted.abs().max()


@pytest.mark.slow
def test_which_have_none() -> None:
    assert [name for name in VARIATIONS if not why_no_weights(graph_of(name))] == ABLE
    asks = [n for n in ABLE if any(op.attrs.get("query") for op in graph_of(n).ops())]
    assert asks == RECURRENT


@pytest.mark.parametrize("name", RECURRENT)
def test_maps_of_recurrences_are_the_weights_of_each_step(name: str) -> None:
    """Bahdanau's alignment: each token of the decoder has a row, also while it generates."""
    model, data = model_of(name), data_of(name)
    with observing(_file_of(model)) as seen, torch.no_grad():
        wanted = flat(model(**data))
    maps = mw.attention_maps(model, **data)
    steps = torch.cat([each.weights for each in seen], dim=-2)
    joined = torch.cat(list(maps.values()), dim=-2)
    assert {*maps.stacks.values()} == {("target", "source")}
    assert (steps - joined).abs().max() < 1e-12
    assert (joined.sum(-1) - 1).abs().max() < 1e-12
    with mw.attention_maps(model), torch.no_grad():
        assert (flat(model(**data)) - wanted).abs().max() <= 1e-12 * wanted.abs().max()


def _file_of(model: nn.Module) -> ModuleType:
    return sys.modules[type(model).__module__]


@pytest.mark.parametrize("options", [{}, {"join_projections": True}, {"static_cache": True}])
def test_maps_of_generated_text_are_those_of_one_pass(options: dict[str, bool]) -> None:
    model = small(**options)
    with mw.attention_maps(model) as maps:
        made = model.generate(IDS[:, :4], max_new_tokens=5, temperature=0)
    whole = mw.attention_maps(model, input_ids=made[:, :-1])
    assert maps.keys() == whole.keys() == {"layers.0.attention", "layers.1.attention"}
    for name, found in whole.items():
        generated = maps[name]
        tokens = found.size(-1)
        assert generated.shape[:3] == found.shape[:3]
        assert (generated[..., :tokens] - found).abs().max() < 1e-12
        assert not generated[..., tokens:].any()


def test_maps_of_a_window_are_aligned_with_their_tokens() -> None:
    """The cache of a window keeps the last tokens only; their columns do not move."""
    model = mw.compile(mw.loads(f"{DECODER}mask: causal & window(3)\n"), dtype="float64").eval()
    with mw.attention_maps(model) as maps:
        made = model.generate(IDS[:, :4], max_new_tokens=6, temperature=0)
    whole = mw.attention_maps(model, input_ids=made[:, :-1])
    for name, found in whole.items():
        assert (maps[name] - found).abs().max() < 1e-12
        assert not torch.triu(found, 1).any()
        assert not torch.tril(found, -3).any()


def test_maps_of_an_encoder_decoder() -> None:
    model = model_of("encoder_decoder")
    data = data_of("encoder_decoder")
    maps = mw.attention_maps(model, **data)
    crossing = [each for name, each in maps.items() if name.endswith("cross_attention")]
    assert crossing
    assert {each.shape[-2:] for each in crossing} == {
        (data["decoder_input_ids"].size(1), data["input_ids"].size(1))
    }


def test_layers_that_share_a_module_have_a_map_each() -> None:
    model = model_of("shared_layers")
    maps = mw.attention_maps(model, **data_of("shared_layers"))
    depth = sum(graph_of("shared_layers").depths.values())
    assert list(maps) == [f"layers.{layer}.attention" for layer in range(depth)]
    first, second, *_ = maps.values()
    assert not first.equal(second)


def test_a_second_call_replaces_the_maps_unless_it_continues_a_cache() -> None:
    model = small()
    file = _file_of(model)
    with mw.attention_maps(model) as maps, torch.no_grad():
        model(IDS)
        model(IDS[:, :3])
        assert maps["layers.0.attention"].shape == (2, 4, 3, 3)
        cache = file.Cache(16)  # type: ignore[attr-defined]
        for part in IDS.split(3, dim=1):
            model.hidden_states(part, None, None, cache)
        continued = dict(maps)
    whole = mw.attention_maps(model, input_ids=IDS)
    assert max((whole[name] - continued[name]).abs().max() for name in whole) < 1e-12


def test_the_model_is_as_it_was() -> None:
    model = mw.compile(mw.loads(DECODER)).train()
    before = {name: vars(module).copy() for name, module in model.named_modules()}
    mw.attention_maps(model, input_ids=IDS)
    assert model.training
    assert {name: vars(module) for name, module in model.named_modules()} == before


def test_gradients_reach_the_model() -> None:
    """The twin has the same parameters: training inside the context trains the model."""
    model = small()
    with mw.attention_maps(model):
        model.loss(model(IDS), IDS).backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


def test_hooks_on_a_built_file_read_and_change_the_weights() -> None:
    """`build --attention-weights` alone is enough for hooks: here one head reads nothing."""
    file = import_text(emit_file(mw.lower(mw.loads(DECODER)), KEPT).text, "small_kept")
    model = file.Small().eval()
    plain = mw.compile(mw.loads(DECODER)).eval()
    model.load_state_dict(plain.state_dict())
    seen = []

    def without_head(_: nn.Module, __: object, weights: Tensor) -> Tensor:
        seen.append(weights)
        return weights * torch.tensor([0.0, 1, 1, 1])[:, None, None]

    with torch.no_grad():
        before = model(IDS)
        assert (before - plain(IDS)).abs().max() < 1e-6
        model.layers[0].attention.weights.register_forward_hook(without_head)
        assert not torch.allclose(model(IDS), before)
    assert seen[0].shape == (2, 4, 9, 9)


# -- what is refused


def test_a_built_file_needs_its_spec() -> None:
    text = DECODER.replace("name: small", "name: built")  # one that no test compiles
    model = import_text(mw.emit(mw.loads(text)), "built").Built()
    with pytest.raises(MapsError, match="give the spec: attention_maps"):
        mw.attention_maps(model, input_ids=IDS)
    maps = mw.attention_maps(model, spec=mw.loads(text), input_ids=IDS)
    assert len(maps) == 2
    wider = mw.loads(text, sets=("layers=3",))
    with pytest.raises(MapsError, match="weights of this Built are not those of built"):
        mw.attention_maps(model, spec=wider, input_ids=IDS)
    wider = mw.loads(text, sets=("d_model=32",))
    with pytest.raises(MapsError, match=r"the shape of `.*` is not that of built"):
        mw.attention_maps(model, spec=wider, input_ids=IDS)


def test_large_maps_are_refused_with_their_size() -> None:
    model = mw.compile(mw.loads(DECODER))
    # 2 layers, 2 sequences, 4 heads, 9 x 9 pairs, 4 bytes
    with pytest.raises(MapsError, match=r"need 5\.1 KiB, more than the limit of 5\.0 KiB"):
        mw.attention_maps(model, limit=5120, input_ids=IDS)
    with pytest.raises(MapsError, match="so far, more than the limit of 1000 B"):  # noqa: SIM117
        with mw.attention_maps(model, limit=1000) as maps:
            model.generate(IDS, max_new_tokens=2)
    assert not maps
    long = torch.zeros(1, 40_000, dtype=torch.long)
    with pytest.raises(MapsError, match=r"need 47\.7 GiB, more than the limit of 1\.0 GiB"):
        mw.attention_maps(model, input_ids=long)


@pytest.mark.parametrize(
    ("attention", "reason"),
    [
        ("{type: linear, heads: 4}", "linear attention sums keys and values"),
        ("{type: fastformer, heads: 4}", "Fastformer pools queries and keys"),
        ("none", "it has no attention"),
    ],
)
def test_models_without_weights_of_pairs_are_refused(attention: str, reason: str) -> None:
    text = DECODER.replace("decoder-only", "encoder-only").replace("rotary", "none")
    text = text.replace("{heads: 4, kv_heads: 2}", attention)
    model = mw.compile(mw.loads(text))
    with pytest.raises(BuildError, match=reason):
        mw.attention_maps(model, input_ids=IDS)


def test_layers_without_weights_of_pairs_have_no_map() -> None:
    """As in MiniMax, whose layers are linear except for a few."""
    blocks = (
        "blocks:\n  linear: {attention: {type: linear, heads: 4}, positions: none}\n  scores: {}\n"
    )
    spec = mw.loads(f"{DECODER}{blocks}pattern: [linear, scores]\n")
    assert list(mw.attention_maps(mw.compile(spec), input_ids=IDS)) == ["layers.1.attention"]


def test_tiles_are_refused_in_a_file_and_dense_in_maps() -> None:
    with pytest.raises(BuildError, match="--kernel tiles does not apply to --attention-weights"):
        BuildOptions(kernel="tiles", attention_weights=True)
    spec = mw.loads(f"{DECODER}mask: causal & window(4)\n", sets=("max_positions=4096",))
    graph = mw.lower(spec)
    assert any(op.attrs.get("tiles") for op in graph.ops())
    maps = mw.attention_maps(mw.compile(graph), input_ids=IDS)
    assert maps["layers.0.attention"].shape == (2, 4, 9, 9)
    assert keep_weights(graph) is not graph


# -- the file


@pytest.mark.parametrize("name", ["decoder", "encoder_decoder", "attention_sinks", "two_memories"])
def test_files_are_well_formed(name: str, tmp_path: Path, linted: Callable[[Path], None]) -> None:
    emitted = emit_file(graph_of(name), KEPT)
    (tmp_path / "file.py").write_text(emitted.text, encoding="utf-8")
    linted(tmp_path)
    assert "--attention-weights" in emitted.text
    plain = mw.compile(spec_of(name), device="meta")
    kept = mw.compile(spec_of(name), device="meta", attention_weights=True)
    assert plain.state_dict().keys() == kept.state_dict().keys()
