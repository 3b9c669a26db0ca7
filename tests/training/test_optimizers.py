"""Learning rates as published, decay of matrices only, Muon for matrices inside layers."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import Script, log_of
from torch import nn

import modelwright as mw
from modelwright.training.emitted.model import Model
from modelwright.training.emitted.optimizers import learning_rate, make_optimizers, orthogonal
from modelwright.training.emitted.settings import Settings, checked
from modelwright.training.recipes import RECIPES
from modelwright.training.runs import prepare


def settings(**changes: Any) -> Settings:
    return checked({"steps": 100, "warmup": 10, "lr": 1.0, **changes})


def test_vaswani_is_the_formula_of_the_paper() -> None:
    made = RECIPES["vaswani"](512, {}, {"warmup": 40})
    s = checked({"steps": 1000, **made})
    assert (s.beta1, s.beta2, s.epsilon, s.label_smoothing) == (0.9, 0.98, 1e-9, 0.1)
    for number in (1, 2, 39, 40, 41, 100, 1000):
        expected = 512**-0.5 * min(number**-0.5, number * 40**-1.5)
        assert learning_rate(number - 1, s) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("schedule", "middle", "end"),
    [("cosine", 0.55, 0.1), ("wsd", 1.0, 0.0), ("constant", 1.0, 1.0),
     ("inverse_sqrt", math.sqrt(10 / 56), math.sqrt(10 / 101))],
)  # fmt: skip
def test_schedules(schedule: str, middle: float, end: float) -> None:
    s = settings(schedule=schedule)
    assert [learning_rate(n, s) for n in (0, 4, 9)] == pytest.approx([0.1, 0.5, 1.0])
    assert learning_rate(55, s) == pytest.approx(middle)
    assert learning_rate(100, s) == pytest.approx(end)


def test_wsd_decays_in_the_last_fifth() -> None:
    s = settings(schedule="wsd", warmup=0)
    assert [learning_rate(n, s) for n in (79, 80, 90)] == pytest.approx([1.0, 1.0, 0.5])


def names_of(model: nn.Module, weights: list[torch.Tensor]) -> set[str]:
    return {name for name, w in model.named_parameters() if any(w is other for other in weights)}


def test_vectors_have_no_decay() -> None:
    model = Model()
    (adamw,) = make_optimizers(model, list(model.layers), settings())
    decay = {g["weight_decay"]: names_of(model, g["params"]) for g in adamw.param_groups}
    assert decay == {
        0.1: {"token_embedding.weight", "layers.0.weight", "head.weight"},
        0.0: {"layers.0.bias", "head.bias"},
    }


def test_muon_takes_the_matrices_inside_layers() -> None:
    model = Model()
    adamw, muon = make_optimizers(model, list(model.layers), settings(optimizer="muon"))
    inside = names_of(model, muon.param_groups[0]["params"])
    rest = set().union(*(names_of(model, g["params"]) for g in adamw.param_groups))
    assert inside == {"layers.0.weight"}
    assert inside | rest == {name for name, _ in model.named_parameters()}
    assert not inside & rest


@pytest.mark.skipif(not hasattr(torch.optim, "Muon"), reason="needs torch 2.9")
@pytest.mark.parametrize("bfloat16", [True, False])
def test_muon_is_that_of_torch(bfloat16: bool) -> None:
    """In bfloat16, to the bit; torch has no other."""
    layers = [nn.Linear(24, 40), nn.Linear(40, 24), nn.Linear(16, 16)]
    ours, theirs = (nn.Sequential(*(nn.Linear(x.in_features, x.out_features) for x in layers))
                    for _ in range(2))  # fmt: skip
    theirs.load_state_dict(ours.state_dict())
    s = settings(optimizer="muon", lr=0.02, bfloat16=bfloat16)
    muon = make_optimizers(ours, list(ours), s)[1]
    expected = torch.optim.Muon(
        [x.weight for x in theirs], s.lr, s.weight_decay, adjust_lr_fn="match_rms_adamw"
    )
    for _ in range(4):
        for one, other in zip(ours, theirs, strict=True):
            one.weight.grad = torch.randn(one.weight.shape)
            other.weight.grad = one.weight.grad.clone()
        muon.step()
        expected.step()
    for one, other in zip(ours, theirs, strict=True):
        gap = (one.weight - other.weight).abs().max()
        assert gap == 0 if bfloat16 else 0 < gap < 0.02 * other.weight.abs().max()


@pytest.mark.slow
def test_muon_is_below_adamw_at_equal_steps(
    script: Script, tokens: Path, examples: Path, tmp_path: Path
) -> None:
    """Each with the better of two learning rates, on the documentation of Python."""
    spec = mw.load(examples / "tiny_gpt.yaml", sets=["layers=2", "d_model=64"])
    prepare(spec, tmp_path / "run", {"data": str(tokens)})
    given = {"steps": 100, "warmup": 10, "length": 32, "micro_batch": 8, "save_every": 100}
    given |= {"eval_every": 0, "eval_steps": 8, "log_every": 50}
    best = {}
    for optimizer in ("adamw", "muon"):
        losses = []
        for lr in (4e-3, 1.2e-2):
            out, words = tmp_path / f"{optimizer}-{lr}", {"optimizer": optimizer, "lr": lr}
            code, _, said = script.run(out, {"run": str(tmp_path / "run")}, **given, **words)
            assert code == 0, said
            losses.append(log_of(out)[-1]["val_loss"])
        best[optimizer] = min(losses)
    assert best["muon"] < best["adamw"] - 0.02


def test_muon_makes_singular_values_of_about_1() -> None:
    for shape in ((12, 30), (30, 12), (20, 20)):
        x = torch.randn(shape, dtype=torch.float64)
        left, _, right = torch.linalg.svd(x, full_matrices=False)
        found = left.T @ orthogonal(x) @ right.T
        values = found.diagonal()
        assert values.min() > 0.3
        assert values.max() < 1.3
        torch.testing.assert_close(found, values.diag())


def test_frozen_weights_are_left_out() -> None:
    model = Model()
    model.head.weight.requires_grad_(False)
    (adamw,) = make_optimizers(model, list(model.layers), settings())
    trained = [w for group in adamw.param_groups for w in group["params"]]
    assert "head.weight" not in names_of(model, trained)
