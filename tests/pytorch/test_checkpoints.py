"""All kinds of checkpoints that `load_weights` reads, and those that it refuses."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from variations import spec_of

import modelwright as mw
from modelwright.backends.pytorch import WeightsError

State = dict[str, Tensor]


@pytest.fixture
def model() -> nn.Module:
    return mw.compile(spec_of("decoder"), seed=1)


@pytest.fixture
def other() -> nn.Module:
    return mw.compile(spec_of("decoder"), seed=2)


def equal(one: nn.Module, two: nn.Module) -> bool:
    wanted = two.state_dict()
    return all(tensor.equal(wanted[name]) for name, tensor in one.state_dict().items())


def write_pickle(state: State, folder: Path) -> Path:
    torch.save(state, folder / "weights.pt")
    return folder / "weights.pt"


def write_old_pickle(state: State, folder: Path) -> Path:
    path = folder / "weights.pth"
    torch.save(state, path, _use_new_zipfile_serialization=False)
    return path


def write_misnamed_pickle(state: State, folder: Path) -> Path:
    torch.save(state, folder / "model.safetensors")
    return folder / "model.safetensors"


def write_shards(state: State, folder: Path) -> Path:
    """Two files and their index."""
    where = {name: f"model-0000{1 + i % 2}-of-00002.safetensors" for i, name in enumerate(state)}
    for file in set(where.values()):
        save_file({name: state[name] for name in state if where[name] == file}, folder / file)
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": where}))
    return index


def write_folder(state: State, folder: Path) -> Path:
    write_shards(state, folder)
    return folder


def write_folder_of_a_pickle(state: State, folder: Path) -> Path:
    torch.save(state, folder / "pytorch_model.bin")
    return folder


WRITERS = [
    write_pickle,
    write_old_pickle,
    write_misnamed_pickle,
    write_shards,
    write_folder,
    write_folder_of_a_pickle,
]


@pytest.mark.parametrize("write", WRITERS)
@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_what_is_read(
    model: nn.Module, tmp_path: Path, write: Callable[[State, Path], Path], device: str
) -> None:
    path = write(dict(model.state_dict()), tmp_path)
    read = mw.load_weights(mw.compile(spec_of("decoder"), device=device, seed=3), path)
    assert equal(read, model)
    assert all(weight.requires_grad for weight in read.parameters())


@pytest.mark.parametrize("dtype", ["bfloat16", "float64"])
@pytest.mark.parametrize("join", [False, True])
def test_a_model_on_the_meta_device_takes_the_tensors(
    model: nn.Module, tmp_path: Path, dtype: str, join: bool
) -> None:
    path = tmp_path / "w.safetensors"
    mw.save_weights(model, path)
    empty = mw.compile(spec_of("decoder"), device="meta", dtype=dtype, join_projections=join)
    read = mw.load_weights(empty, path)
    assert equal(read, model.to(getattr(torch, dtype)))
    assert read(torch.tensor([[1, 2, 3]])).isfinite().all()


def test_saving_a_model_without_values_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="on the meta device"):
        mw.save_weights(mw.compile(spec_of("decoder"), device="meta"), tmp_path / "w.safetensors")
    assert not list(tmp_path.iterdir())


@pytest.mark.sampled(2)
@pytest.mark.parametrize(
    "dtype",
    [torch.int8, torch.uint8, torch.bool, torch.int64, torch.complex64, torch.float8_e4m3fn],
    ids=str,
)
@pytest.mark.parametrize("suffix", ["safetensors", "pt"])
@pytest.mark.parametrize("strict", [True, False])
def test_integer_weights_are_refused(
    model: nn.Module,
    other: nn.Module,
    tmp_path: Path,
    dtype: torch.dtype,
    suffix: str,
    strict: bool,
) -> None:
    before = {name: tensor.clone() for name, tensor in other.state_dict().items()}
    state, path = dict(model.state_dict()), tmp_path / f"w.{suffix}"
    state["norm.weight"] = torch.zeros(state["norm.weight"].shape).to(dtype)
    try:
        save_file(state, path) if suffix == "safetensors" else torch.save(state, path)
    except KeyError:
        pytest.skip(f"this version of safetensors cannot store {dtype}")
    with pytest.raises(WeightsError, match=r"norm\.weight has dtype \S+; only F16, BF16"):
        mw.load_weights(other, path, strict=strict)
    assert all(tensor.equal(before[name]) for name, tensor in other.state_dict().items())


@pytest.mark.parametrize(
    "wrapper",
    ["_orig_mod.", "module.", "model.", "module._orig_mod.", "_orig_mod.module.", "model.module."],
)
def test_names_of_wrapped_models_are_read(
    model: nn.Module, other: nn.Module, tmp_path: Path, wrapper: str
) -> None:
    state = {wrapper + name: tensor for name, tensor in model.state_dict().items()}
    save_file(state, tmp_path / "w.safetensors")
    assert equal(mw.load_weights(other, tmp_path / "w.safetensors"), model)


def test_a_layer_that_was_compiled_alone_is_read(
    model: nn.Module, other: nn.Module, tmp_path: Path
) -> None:
    model.layers[0] = torch.compile(model.layers[0])  # type: ignore[index, operator]
    path = tmp_path / "w.safetensors"
    save_file(dict(model.state_dict()), path)
    mw.load_weights(other, path)
    mw.save_weights(model, path)
    assert load_file(path).keys() == other.state_dict().keys()


@pytest.mark.parametrize("wrap", [torch.compile, nn.DataParallel])
def test_the_model_inside_of_a_wrapper_is_saved(
    model: nn.Module, other: nn.Module, tmp_path: Path, wrap: Callable[[nn.Module], nn.Module]
) -> None:
    path = tmp_path / "w.safetensors"
    mw.save_weights(wrap(model), path)
    assert load_file(path).keys() == model.state_dict().keys()
    assert equal(mw.load_weights(other, path), model)


def test_a_duplicate_weight_is_refused(model: nn.Module, tmp_path: Path) -> None:
    state = dict(model.state_dict())
    state["model.norm.weight"] = state["norm.weight"].clone()
    save_file(state, tmp_path / "w.safetensors")
    with pytest.raises(WeightsError, match=r"norm\.weight is in the file twice"):
        mw.load_weights(model, tmp_path / "w.safetensors")


def test_many_unexpected_names_are_summarised(model: nn.Module, tmp_path: Path) -> None:
    state = {**model.state_dict(), **{f"x.{n}": torch.zeros(1) for n in range(20_000)}}
    save_file(state, tmp_path / "w.safetensors")
    with pytest.raises(WeightsError) as caught:
        mw.load_weights(model, tmp_path / "w.safetensors")
    lines = str(caught.value).splitlines()
    assert len(lines) == 22
    assert lines[-1].strip() == "… and 19,980 more unexpected"


def test_one_wrong_file_of_several_is_named(model: nn.Module, tmp_path: Path) -> None:
    write_shards(dict(model.state_dict()), tmp_path)
    with pytest.raises(WeightsError, match="is one of 2 shards; give their folder"):
        mw.load_weights(model, tmp_path / "model-00001-of-00002.safetensors")


def test_names_of_transformers_give_a_hint(model: nn.Module, tmp_path: Path) -> None:
    save_file(
        {"model.layers.0.self_attn.q_proj.weight": torch.zeros(2)}, tmp_path / "w.safetensors"
    )
    with pytest.raises(WeightsError, match=r"load it with `modelwright\.from_pretrained`"):
        mw.load_weights(model, tmp_path / "w.safetensors")


def test_a_folder_without_weights(model: nn.Module, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"the folder contains none of model\.safetensors"):
        mw.load_weights(model, tmp_path)


class Payload:
    """What a pickle could run."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return print, ("run",)


def test_nothing_but_tensors_is_read(
    model: nn.Module, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.save({**model.state_dict(), "x": Payload()}, tmp_path / "w.pt")
    with pytest.raises(WeightsError, match=r"which are not read: [a-z_.]*print"):
        mw.load_weights(model, tmp_path / "w.pt")
    torch.save({"model": dict(model.state_dict()), "epoch": 3}, tmp_path / "w.pt")
    with pytest.raises(WeightsError, match="not tensors: epoch, model; save only"):
        mw.load_weights(model, tmp_path / "w.pt")
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("join", [False, True])
def test_what_is_missing_keeps_its_values_where_that_is_asked_for(
    model: nn.Module, tmp_path: Path, join: bool
) -> None:
    part = {
        name: tensor
        for name, tensor in model.state_dict().items()
        if name.startswith(("layers.0.attention.query", "layers.1.attention.value", "norm"))
    }
    save_file({**part, "adapter": torch.zeros(3)}, tmp_path / "w.safetensors")
    made = mw.compile(spec_of("decoder"), seed=3, join_projections=join)
    before = {name: tensor.clone() for name, tensor in made.state_dict().items()}
    with pytest.raises(WeightsError, match="missing: "):
        mw.load_weights(made, tmp_path / "w.safetensors")
    mw.load_weights(made, tmp_path / "w.safetensors", strict=False)
    after = made.state_dict()
    assert all(after[name].equal(part.get(name, before[name])) for name in after)
    again = mw.compile(spec_of("decoder"), seed=3, join_projections=join)
    told = again.load_state_dict(part, strict=False)
    assert set(told.missing_keys) == before.keys() - part.keys()
    assert not told.unexpected_keys
    assert equal(again, made)


def test_weights_that_would_stay_without_values_are_refused(
    model: nn.Module, tmp_path: Path
) -> None:
    save_file({"norm.weight": model.state_dict()["norm.weight"]}, tmp_path / "w.safetensors")
    empty = mw.compile(spec_of("decoder"), device="meta")
    with pytest.raises(WeightsError, match="of its weights are missing in"):
        mw.load_weights(empty, tmp_path / "w.safetensors", strict=False)


def test_a_file_of_another_model_is_no_part_of_it(model: nn.Module, tmp_path: Path) -> None:
    save_file({"adapter": torch.zeros(3)}, tmp_path / "w.safetensors")
    with pytest.raises(WeightsError, match="contains none of the model's weights"):
        mw.load_weights(model, tmp_path / "w.safetensors", strict=False)
