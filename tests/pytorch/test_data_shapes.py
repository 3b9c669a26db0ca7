"""Images, signals and vectors of another shape are refused in words where they enter a model."""

from __future__ import annotations

import re
from typing import Any

import pytest
import torch

import modelwright as mw

DATA = """name: data
d_model: 8
layers: 1
attention: {heads: 2}
stacks:
  pixels: {input: {type: patches, image_size: [4, 6], patch_size: 2}}
  sound:
    input:
      type: conv
      channels: 3
      padded: PADDED
      layers: [{channels: 8, kernel: 5, stride: 2}, {channels: 8, kernel: 3, dilation: 2}]
  states: {layers: 0, final_norm: false, input: {type: features, size: 8}}
  wide: {input: {type: features, argument: wide, size: 5}}
  both:
    input:
      - {type: stack, stack: pixels}
      - {type: stack, stack: sound}
      - {type: stack, stack: states}
      - {type: stack, stack: wide}
"""


@pytest.mark.parametrize(
    ("name", "shape", "words"),
    [
        (
            "pixel_values",
            (2, 1, 4, 6),
            "pixel_values must have the shape (B, 3, 4, 6), not (2, 1, 4, 6)",
        ),
        ("pixel_values", (2, 3, 6, 4), "(B, 3, 4, 6), not (2, 3, 6, 4)"),
        ("pixel_values", (3, 4, 6), "(B, 3, 4, 6), not (3, 4, 6)"),
        (
            "input_features",
            (2, 20, 3),
            "input_features must have the shape (B, 3, frames), not (2, 20",
        ),
        ("input_features", (2, 3, 12), "12 frames, but the convolutions need at least 13"),
        ("inputs_embeds", (2, 7, 9), "inputs_embeds must have the shape (B, T, 8), not (2, 7, 9)"),
        ("inputs_embeds", (7, 8), "(B, T, 8), not (7, 8)"),
        ("wide", (2, 5), "wide must have the shape (B, T, 5), not (2, 5)"),
        ("wide", (3, 7, 5), "inputs of the shapes (2, 6, 8) and (3, 7, 8)"),
    ],
)
def test_data_of_other_shapes_is_refused(name: str, shape: tuple[int, ...], words: str) -> None:
    """Also if torch would take it: an image without a batch, or vectors that are not projected."""
    model: Any = mw.compile(mw.loads(DATA.replace("PADDED", "false")), seed=0)
    shapes = {"pixel_values": (2, 3, 4, 6), "input_features": (2, 3, 13)}
    shapes |= {"inputs_embeds": (2, 7, 8), "wide": (2, 4, 5)}
    data = {key: torch.zeros(size) for key, size in shapes.items()}
    assert model(**data).shape == (2, 18, 8)
    with pytest.raises(ValueError, match=re.escape(words)):
        model(**{**data, name: torch.zeros(shape)})


def test_an_empty_signal_is_refused() -> None:
    model: Any = mw.compile(mw.loads(DATA.replace("PADDED", "true")), seed=0)
    data = {"pixel_values": torch.zeros(2, 3, 4, 6), "inputs_embeds": torch.zeros(2, 7, 8)}
    with pytest.raises(ValueError, match="input_features has no frames; at least one is needed"):
        model(**data, wide=torch.zeros(2, 4, 5), input_features=torch.zeros(2, 3, 0))
