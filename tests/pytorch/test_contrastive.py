"""Contrastive heads: scores are cosines, and losses are those of the papers."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.nn import functional as F
from variations import graph_of

import modelwright as mw
from modelwright.spec import loads

NAMES = ("contrastive", "contrastive_sigmoid")


def scores_of(name: str) -> tuple[Any, torch.Tensor]:
    torch.manual_seed(0)
    model = mw.compile(graph_of(name)).eval()
    ids = torch.randint(6, 30, (4, 9))
    ids[:, 6] = 5
    return model, model(pixel_values=torch.randn(4, 3, 12, 12), input_ids=ids)


@pytest.mark.parametrize("name", NAMES)
def test_fresh_scores_are_cosines_over_the_temperature(name: str) -> None:
    model, scores = scores_of(name)
    sigmoid = name == "contrastive_sigmoid"
    cosines = (scores + 10) * 0.1 if sigmoid else scores * 0.07
    assert scores.shape == (4, 4)
    assert cosines.abs().max() <= 1.0001
    other = model(pixel_values=torch.randn(3, 3, 12, 12), input_ids=torch.full((2, 9), 5))
    assert other.shape == ((2, 3) if sigmoid else (3, 2))  # the first tower has the rows


def test_the_loss_of_clip() -> None:
    model, scores = scores_of("contrastive")
    right = torch.arange(4)
    wanted = (F.cross_entropy(scores, right) + F.cross_entropy(scores.T, right)) / 2
    assert torch.allclose(model.loss(scores), wanted)
    assert model.loss(100 * torch.eye(4)) < 1e-6


def test_the_loss_of_siglip() -> None:
    model, scores = scores_of("contrastive_sigmoid")
    each = [
        -F.logsigmoid(scores[i, j] if i == j else -scores[i, j]) for i in range(4) for j in range(4)
    ]
    assert torch.allclose(model.loss(scores), torch.stack(each).sum() / 4)


TOWERS = """name: towers
d_model: 8
layers: 1
attention: {heads: 2}
stacks:
  image: {input: {type: features, argument: PIXELS}}
  sound: {input: {type: features, argument: SOUND}}
heads: {c: {type: contrastive, size: 3, towers: {image: {pool: mean}, sound: {pool: max}}}}
"""


@pytest.mark.parametrize("names", [("x1", "image"), ("image", "x1"), ("sound", "image")])
def test_arguments_may_have_the_names_of_stacks(names: tuple[str, str]) -> None:
    """The variables for the outputs of these stacks then have other names."""
    one, other = [
        mw.compile(loads(TOWERS.replace("PIXELS", a).replace("SOUND", b)), seed=0).eval()
        for a, b in (("a", "b"), names)
    ]
    pixels, sound = torch.randn(2, 3, 5, 8)
    given = {names[0]: pixels, names[1]: sound}
    assert torch.equal(one(a=pixels, b=sound), other(**given))
