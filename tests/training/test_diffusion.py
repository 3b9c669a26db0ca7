"""Diffusion models: samples with noise, the loss, and images that a trained model generates."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from pictures import write_images
from torch import Tensor, nn

import modelwright as mw
from modelwright.cli import cli
from modelwright.training.emitted.settings import Settings
from modelwright.training.emitted.squares import Objective
from modelwright.training.errors import TrainingError
from modelwright.training.image_files import ImageRequest
from modelwright.training.image_files import write_images as write_data
from modelwright.training.sampling import samples_of
from modelwright.training.tasks import task_of

SPEC = """name: small
family: encoder-only
d_model: 64
layers: 2
input: {type: patches, image_size: 8, patch_size: 4, channels: 1}
positions: learned
norm: {affine: false}
condition:
  type: adaln_zero
  embed:
    - {type: timestep, width: 32}
    - {type: label, classes: 2, dropout: 0.1}
attention: {heads: 2}
head: {type: patches, channels: 1}
init: {std: 0.1}
"""
BETAS = np.linspace(1e-4, 0.02, 1000)
KEPT = np.array([np.prod(1 - BETAS[: t + 1]) for t in range(1000)])


@pytest.fixture
def data(tmp_path: Path) -> Path:
    write_data(ImageRequest([write_images(tmp_path, 60)]), tmp_path / "data")
    return tmp_path / "data"


def test_a_sample_is_an_image_and_its_noise(tmp_path: Path, data: Path) -> None:
    """x[t] = sqrt(a[t]) x + sqrt(1 - a[t]) noise (Ho et al. 2020, equation 4)."""
    graph = mw.lower(mw.loads(SPEC))
    samples = samples_of(task_of(graph, mw.compile(graph, device="meta")), data, "train", 1)
    inputs, noise = samples.batch(5, 12)
    assert list(inputs) == ["pixel_values", "timesteps", "labels"]
    kept = torch.from_numpy(KEPT[inputs["timesteps"]])[:, None, None, None]
    images = (inputs["pixel_values"] - (1 - kept).sqrt() * noise) / kept.sqrt()
    with np.load(tmp_path / "images.npz") as file:
        known = {(x / 127.5 - 1).round(2).tobytes(): y for x, y in zip(*file.values(), strict=True)}
    clear = kept.flatten() > 0.01  # where rounding is not magnified
    for image, label in zip(images[clear], inputs["labels"][clear], strict=True):
        nearest = min(known, key=lambda k: np.abs(np.frombuffer(k) - image.numpy().ravel()).max())
        assert np.abs(np.frombuffer(nearest) - image.numpy().ravel()).max() < 0.006
        assert known[nearest] == label
    assert float(noise.std()) == pytest.approx(1, abs=0.05)
    assert inputs["timesteps"].min() < 300
    assert inputs["timesteps"].max() >= 700
    again, _ = samples.batch(7, 2)  # a sample does not depend on the batch it is in
    assert torch.equal(again["pixel_values"], inputs["pixel_values"][2:4])


def test_the_objective_is_the_loss_of_the_model(data: Path) -> None:
    graph = mw.lower(mw.loads(SPEC))
    model = mw.compile(graph, seed=0).eval()
    inputs, noise = samples_of(task_of(graph, model), data, "train", 1).batch(0, 4)
    objective = Objective(model, model, torch.device("cpu"), Settings())
    total, right = objective(inputs, noise)
    expected = model.loss(model(**inputs), noise).detach()
    assert float(total.detach() / noise.numel()) == pytest.approx(float(expected), rel=1e-6)
    assert (float(right), objective.accuracy) == (0, False)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("- {type: timestep, width: 32}", "", "needs a `condition` on one timestep"),
        ("channels: 1}\ninit", "channels: 2}\ninit", "the head returns 2 channels, but the image"),
        ("classes: 2", "classes: 1", "has labels up to 1, but the model has 1 classes"),
    ],
)
def test_other_models_are_refused(old: str, new: str, message: str, data: Path) -> None:
    graph = mw.lower(mw.loads(SPEC.replace(old, new)))
    with pytest.raises(TrainingError, match=message):
        samples_of(task_of(graph, mw.compile(graph, device="meta")), data, "train", 1)


def test_a_model_without_labels(data: Path) -> None:
    text = SPEC.replace("    - {type: label, classes: 2, dropout: 0.1}\n", "")
    graph = mw.lower(mw.loads(text))
    samples = samples_of(task_of(graph, mw.compile(graph, device="meta")), data, "train", 1)
    assert list(samples.batch(0, 2)[0]) == ["pixel_values", "timesteps"]


@torch.no_grad()
def generated(model: nn.Module, labels: Tensor) -> Tensor:
    """Images by ancestral sampling (Ho et al. 2020, algorithm 2)."""
    torch.manual_seed(0)
    x = torch.randn(len(labels), 1, 8, 8)
    for t in reversed(range(1000)):
        noise = model(x, torch.full((len(labels),), t), labels)
        x = (x - BETAS[t] / (1 - KEPT[t]) ** 0.5 * noise) / (1 - BETAS[t]) ** 0.5
        x = x + (BETAS[t] ** 0.5 * torch.randn_like(x) if t else 0)
    return x.float()


@pytest.mark.slow
def test_a_trained_model_generates_images_of_its_classes(tmp_path: Path, data: Path) -> None:
    """Class 0 is brighter on the left, class 1 on the right."""
    spec, run = tmp_path / "small.yaml", tmp_path / "run"
    spec.write_text(SPEC, encoding="utf-8")
    words = ("--steps", "600", "--batch", "32", "--micro-batch", "32", "--lr", "0.003")
    words = ("train", str(spec), "--data", str(data), "-o", str(run), *words, "--eval-every", "0")
    result = CliRunner().invoke(cli, words)
    assert result.exit_code == 0, result.stderr
    model = mw.load_weights(mw.compile(spec), run / "weights.safetensors").eval()
    labels = torch.arange(32) % 2
    images = generated(model, labels)
    sides = images[..., :4].mean((1, 2, 3)) - images[..., 4:].mean((1, 2, 3))
    assert ((sides < 0).long() == labels).float().mean() > 0.9
    assert float(sides.abs().mean()) == pytest.approx(120 / 127.5, rel=0.25)
