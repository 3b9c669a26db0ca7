"""`compile`: devices, dtypes, seeds, tracebacks, pickles, one class per spec, checkpointing."""

from __future__ import annotations

import linecache
import pickle
import subprocess
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from variations import DECODER, VARIATIONS, graph_of, inputs_of, spec_of

import modelwright as mw
from modelwright.backends.pytorch import BuildOptions, emit_file, instantiate

IDS = torch.tensor([[7, 8, 9, 10, 11]])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "small.yaml"
    file.write_text(DECODER, encoding="utf-8")
    return file


def weights(model: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def same(one: nn.Module, other: nn.Module) -> bool:
    mine, theirs = one.state_dict(), other.state_dict()
    return mine.keys() == theirs.keys() and all(mine[k].equal(theirs[k]) for k in mine)


# -- what may be compiled


def test_a_path_a_spec_and_a_graph_give_one_model(path: Path) -> None:
    spec = mw.load(path)
    models = [mw.compile(source) for source in (path, str(path), spec, mw.lower(spec))]
    assert all(same(models[0], model) for model in models)
    assert len({type(model) for model in models}) == 1


def test_it_is_the_class_of_the_built_file(path: Path, tmp_path: Path) -> None:
    (tmp_path / "built_small.py").write_text(mw.emit(mw.lower(mw.load(path))), encoding="utf-8")
    code = "import torch, built_small; torch.manual_seed(0); m = built_small.Small(); "
    code += "torch.save(m.state_dict(), 'weights.pt')"
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)
    theirs = torch.load(tmp_path / "weights.pt", weights_only=True)
    ours = mw.compile(path, seed=0).state_dict()
    assert theirs.keys() == ours.keys()
    assert all(theirs[name].equal(ours[name]) for name in ours)


def test_values_are_set_over_the_file(path: Path) -> None:
    model = mw.compile(path, sets=["layers=3", "d_model=8"])
    assert len(model.layers) == 3
    assert model.token_embedding.weight.shape == (31, 8)


def test_a_bad_spec_is_refused(path: Path) -> None:
    with pytest.raises(mw.SpecErrors, match="heads"):
        mw.compile(path, sets=["attention.heads=5"])


# -- device and dtype


def test_meta_takes_no_memory(path: Path) -> None:
    model = mw.compile(path, device="meta", sets=["d_model=65536", "layers=30"])
    assert {weight.device.type for weight in model.parameters()} == {"meta"}
    assert sum(weight.numel() for weight in model.parameters()) > 10**12
    assert type(model).init_weights.__name__ == "init_weights"  # drawing was only left out once


def test_on_meta_nothing_is_drawn(path: Path) -> None:
    """The first `normal_` there imports torch's compiler, which takes seconds."""
    called: list[str] = []

    class Watch(TorchDispatchMode):
        def __torch_dispatch__(
            self, func: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            called.append(func.__name__)
            return func(*args, **(kwargs or {}))

    with Watch():
        mw.compile(path, device="meta")
    assert called
    assert not [name for name in called if name.startswith(("normal", "uniform", "fill", "zero_"))]


@pytest.mark.parametrize("device", ["cpu", torch.device("cpu"), None])
def test_devices(path: Path, device: str | torch.device | None) -> None:
    model = mw.compile(path, device=device)
    assert {weight.device.type for weight in model.parameters()} == {"cpu"}


@pytest.mark.gpu
def test_cuda(path: Path) -> None:
    model = mw.compile(path, device="cuda", dtype="bfloat16", seed=3)
    assert {weight.device.type for weight in model.parameters()} == {"cuda"}
    assert same(model, mw.compile(path, device="cuda", dtype="bfloat16", seed=3))
    assert model(IDS.cuda()).isfinite().all()


@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16", "float16"])
def test_dtypes_by_name_and_by_themselves(path: Path, dtype: str) -> None:
    kind = getattr(torch, dtype)
    named, given = mw.compile(path, dtype=dtype), mw.compile(path, dtype=kind)
    assert {weight.dtype for weight in named.parameters()} == {kind}
    assert same(named, given)
    assert named(IDS).dtype == kind
    assert torch.get_default_dtype() == torch.float32


@pytest.mark.parametrize("dtype", ["int64", "float23", "nn", "", torch.int8, torch.bool])
def test_an_unknown_dtype(path: Path, dtype: str | torch.dtype) -> None:
    with pytest.raises(ValueError, match="dtype must be float32, bfloat16, float16 or float64"):
        mw.compile(path, dtype=dtype)
    assert torch.get_default_dtype() == torch.float32


def test_an_unknown_device(path: Path) -> None:
    with pytest.raises(RuntimeError, match="toaster"):
        mw.compile(path, device="toaster")


def test_a_failure_leaves_the_default_dtype(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kind = type(mw.compile(path))

    def fail(self: nn.Module) -> None:
        raise RuntimeError("no weights today")

    monkeypatch.setattr(kind, "init_weights", fail)
    with pytest.raises(RuntimeError, match="no weights today"):
        mw.compile(path, dtype="float64")
    assert torch.get_default_dtype() == torch.float32


# -- seeds


def test_seeds(path: Path) -> None:
    first, again, other = (mw.compile(path, seed=seed) for seed in (1, 1, 2))
    assert same(first, again)
    assert not same(first, other)


def test_a_seed_leaves_the_generator_alone(path: Path) -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    mw.compile(path, seed=1)
    assert torch.get_rng_state().equal(before)


def test_without_a_seed_the_generator_draws(path: Path) -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    first, second = mw.compile(path, seed=None), mw.compile(path, seed=None)
    assert not torch.get_rng_state().equal(before)
    assert not same(first, second)
    torch.manual_seed(5)
    assert same(first, mw.compile(path, seed=None))


# -- the class


def test_two_compiles_share_a_class(path: Path) -> None:
    assert type(mw.compile(path)) is type(mw.compile(path, seed=4))
    assert type(mw.compile(path)) is not type(mw.compile(path, sets=["layers=1"]))


def test_a_traceback_shows_the_emitted_line(path: Path) -> None:
    model = mw.compile(path, seed=0, sets=["positions=learned"])
    with pytest.raises(ValueError, match="25 tokens, but max_positions is 24") as caught:
        model(torch.zeros(1, 25, dtype=torch.long))
    frame = traceback.extract_tb(caught.value.__traceback__)[-1]
    assert frame.line == (
        'raise ValueError(f"{end} tokens, but max_positions is {self.config.max_positions}")'
    )
    assert frame.filename.startswith("<modelwright_built.small_")
    linecache.checkcache()
    assert linecache.getline(frame.filename, frame.lineno or 0).strip() == frame.line


def test_a_model_can_be_pickled(path: Path) -> None:
    model = mw.compile(path, seed=2)
    copy = pickle.loads(pickle.dumps(model))
    assert type(copy) is type(model)
    assert same(copy, model)
    assert copy(IDS).equal(model(IDS))


def test_the_module_has_a_name(path: Path) -> None:
    model = mw.compile(path)
    assert type(model).__module__ in sys.modules
    assert type(model).__qualname__ == "Small"
    assert "(token_embedding): Embedding(31, 16)" in repr(model)


# -- gradient checkpointing

CHECKPOINTED = (
    "decoder",
    "encoder",
    "encoder_decoder",
    "two_memories",
    "positions_relative_both",
    "pattern",
    "pattern_of_shared_blocks",
    "shared_layers",
    "residual_drop_path",
    "mask causal & documents",
)


def gradients(name: str, *, checkpointing: bool) -> tuple[Tensor, dict[str, Tensor]]:
    emitted = emit_file(graph_of(name), BuildOptions(gradient_checkpointing=checkpointing))
    model = instantiate(emitted, name, dtype="float64", seed=0).train()
    torch.manual_seed(1)
    data = {key: torch.from_numpy(array) for key, array in inputs_of(graph_of(name)).items()}
    result = model(**data)
    result.square().sum().backward()
    return result, {key: w.grad for key, w in model.named_parameters() if w.grad is not None}


@pytest.mark.sampled(2)
@pytest.mark.parametrize("name", CHECKPOINTED)
def test_checkpointing_changes_no_gradient(name: str) -> None:
    plain, expected = gradients(name, checkpointing=False)
    result, found = gradients(name, checkpointing=True)
    assert result.equal(plain)
    assert found.keys() == expected.keys()
    for key, gradient in found.items():
        assert torch.allclose(gradient, expected[key], rtol=1e-12, atol=1e-15), key


def test_checkpointing_keeps_less(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = {True: 0, False: 0}
    for checkpointing in kept:

        def count(tensor: Tensor, which: bool = checkpointing) -> Tensor:
            kept[which] += tensor.numel()
            return tensor

        model = mw.compile(spec_of("decoder"), gradient_checkpointing=checkpointing).train()
        with torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor):
            model(IDS)
    assert kept[True] < 0.7 * kept[False]


def test_checkpointing_is_asked_for() -> None:
    assert "checkpoint" not in mw.emit(graph_of("decoder"))
    text = emit_file(graph_of("decoder"), BuildOptions(gradient_checkpointing=True)).text
    assert "from torch.utils.checkpoint import checkpoint" in text


@pytest.mark.sampled(2)
@pytest.mark.parametrize("name", [name for name in VARIATIONS if "layers" in name])
def test_checkpointed_files_are_well_formed(
    name: str, tmp_path: Path, linted: Callable[[Path], None]
) -> None:
    text = emit_file(graph_of(name), BuildOptions(gradient_checkpointing=True)).text
    (tmp_path / "built.py").write_text(text, encoding="utf-8")
    linted(tmp_path)


@pytest.mark.parametrize(
    ("family", "mask", "shifted"),
    [
        ("decoder-only", "causal", True),
        ("decoder-only", "causal & blocks(2) | causal & random(2, 1)", True),
        ("decoder-only", "causal & keys(-4:)", True),
        ("decoder-only", "causal | prefix", True),
        ("decoder-only", "full", False),
        ("encoder-only", "full", False),
    ],
)
def test_the_loss_is_shifted_where_nothing_later_is_seen(
    family: str, mask: str, shifted: bool
) -> None:
    """Whether a model predicts the next token is a matter of its mask, not of its cache."""
    text = (
        f"{{name: t, family: {family}, vocab_size: 11, d_model: 8, layers: 1, "
        f"attention: {{heads: 2}}, mask: '{mask}', head: language_model}}"
    )
    model = mw.compile(mw.loads(text))
    logits, labels = torch.randn(2, 5, 11), torch.randint(0, 11, (2, 5))
    asked = (logits[:, :-1], labels[:, 1:]) if shifted else (logits, labels)
    wanted = torch.nn.functional.cross_entropy(asked[0].flatten(0, 1), asked[1].flatten())
    assert torch.equal(model.loss(logits, labels), wanted)


def test_checkpointing_keeps_each_token_once_in_a_cache() -> None:
    """A cache is written while a layer runs, so such a layer is not run again in backward."""
    plain, saving = (
        mw.compile(spec_of("decoder"), gradient_checkpointing=on).train() for on in (False, True)
    )
    saving.load_state_dict(plain.state_dict())
    ids = torch.tensor([[1, 2, 3, 4]])
    gradients = []
    for model in (plain, saving):
        cache = sys.modules[type(model).__module__].Cache(4)  # no room for a second writing
        torch.manual_seed(0)
        model(ids, cache=cache).square().sum().backward()
        gradients.append([weight.grad for weight in model.parameters()])
        assert cache.length == 4
    for one, other in zip(*gradients, strict=True):
        assert (one is None) == (other is None)
        assert one is None or torch.allclose(one, other)
