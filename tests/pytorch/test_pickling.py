"""Compiled models in other processes, which have not compiled the spec."""

from __future__ import annotations

import copy
import multiprocessing
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from variations import spec_of

import modelwright as mw

IDS = torch.tensor([[1, 2, 3, 4]])


def elsewhere(code: str, *arguments: str) -> str:
    """What another process prints that has compiled nothing."""
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


READ_PICKLES = """
import pickle, sys, torch
for file in sys.argv[1:]:
    model = pickle.load(open(file, "rb"))
    model = model[0] if isinstance(model, list) else model
    print(model(torch.tensor([[1, 2, 3, 4]])).double().sum().item())
"""
READ_TORCH = READ_PICKLES.replace(
    'pickle.load(open(file, "rb"))', "torch.load(file, weights_only=False)"
)


@pytest.fixture
def model() -> nn.Module:
    return mw.compile(spec_of("decoder"), seed=1).eval()


PROTOCOLS = (0, 1, 2, pickle.HIGHEST_PROTOCOL)


def test_pickles_are_read_by_another_process(model: nn.Module, tmp_path: Path) -> None:
    files = [tmp_path / f"{protocol}.pkl" for protocol in PROTOCOLS]
    for file, protocol in zip(files, PROTOCOLS, strict=True):
        file.write_bytes(pickle.dumps(model, protocol))
    said = elsewhere(READ_PICKLES, *map(str, files))
    same(said, model, len(files))


def test_models_saved_by_torch_are_read_by_another_process(
    model: nn.Module, tmp_path: Path
) -> None:
    wraps: list[Callable[[nn.Module], Any]] = [lambda x: x, nn.DataParallel, lambda x: [x]]
    files = [tmp_path / f"{number}.pt" for number in range(len(wraps))]
    for file, wrap in zip(files, wraps, strict=True):
        torch.save(wrap(model), file)
    said = elsewhere(READ_TORCH, *map(str, files))
    same(said, model, len(files))


def same(said: str, model: nn.Module, count: int) -> None:
    """Each process line is the sum of the logits of this model."""
    sums = [float(line) for line in said.splitlines()]
    assert sums == [pytest.approx(model(IDS).double().sum().item(), rel=1e-6)] * count


def test_a_layer_and_a_config_are_read_by_another_process(model: Any, tmp_path: Path) -> None:
    """Parts bring the text along, too."""
    (tmp_path / "parts.pkl").write_bytes(pickle.dumps((model.layers[0], model.config)))
    code = "import pickle, sys; a, b = pickle.load(open(sys.argv[1], 'rb')); print(b); print(a)"
    said = elsewhere(code, str(tmp_path / "parts.pkl"))
    assert said.startswith(str(model.config))
    assert said.rstrip().endswith(str(model.layers[0]))


def test_the_text_is_in_a_pickle_once(model: nn.Module) -> None:
    assert pickle.dumps(model).count(b"class Attention") == 1


def test_a_copy_is_equal_and_its_own(model: Any) -> None:
    twin, shallow = copy.deepcopy(model), copy.copy(model)
    assert type(twin) is type(shallow) is type(model)
    assert torch.equal(twin(IDS), model(IDS))
    with torch.no_grad():
        twin.norm.weight.add_(1)
    assert not torch.equal(twin(IDS), model(IDS))
    assert shallow.norm is model.norm


def test_a_cache_is_copied(model: Any) -> None:
    """As for beams: what it holds is not shared."""
    cache = model.forward.__globals__["Cache"](8)
    with torch.no_grad():
        model(IDS, cache=cache)
        twin = copy.deepcopy(cache)
        model(IDS[:, :2], cache=twin)
    assert (cache.length, twin.length) == (4, 6)


def test_a_class_made_from_a_compiled_one_keeps_its_own_pickles(model: Any) -> None:
    global Derived

    class Derived(type(model)):  # type: ignore[misc]
        pass

    Derived.__qualname__ = "Derived"
    again = pickle.loads(pickle.dumps(Derived()))
    assert type(again) is Derived


def _sum(model: nn.Module, results: Any) -> None:
    results.put(model(IDS).double().sum().item())


@pytest.mark.slow
def test_a_process_that_is_spawned_gets_the_model(model: nn.Module) -> None:
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    process = context.Process(target=_sum, args=(model, results))
    process.start()
    assert results.get(timeout=120) == pytest.approx(model(IDS).double().sum().item(), rel=1e-6)
    process.join()


@pytest.mark.parametrize("options", [{"join_projections": True}, {"static_cache": True}])
def test_models_of_other_options_are_copied(options: dict[str, bool], tmp_path: Path) -> None:
    model = mw.compile(spec_of("decoder"), seed=1, **options).eval()
    (tmp_path / "model.pkl").write_bytes(pickle.dumps(model))
    said = elsewhere(READ_PICKLES, str(tmp_path / "model.pkl"))
    assert float(said) == pytest.approx(model(IDS).double().sum().item(), rel=1e-6)
    twin = copy.deepcopy(model)
    assert torch.equal(twin(IDS), model(IDS))
    assert twin.state_dict().keys() == model.state_dict().keys()
