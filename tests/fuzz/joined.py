"""Further inputs of a stack of token ids: images, which have no padding, before or after them."""

from __future__ import annotations

from typing import Any

from .dice import Dice
from .parts import Data, Place

IMAGES: tuple[Data, ...] = (
    {"type": "patches", "image_size": 8, "patch_size": 4},
    {
        "type": "conv",
        "axes": 2,
        "image_size": 9,
        "channels": 2,
        "layers": [{"channels": 4, "kernel": 3, "stride": 2}],
        "project": True,
    },
)


def with_images(
    place: Place, found: Data, dice: Dice, said: set[tuple[str, str, str]]
) -> list[Data] | None:
    """The inputs of a stack, with one or two images; None if its positions or masks do not fit."""
    words: Any = found.get("input", "tokens")
    words = (
        {"type": "tokens", "argument": place.sizes.get("argument")} if words == "tokens" else words
    )
    if not isinstance(words, dict) or words.get("tied") or place.has("convolution"):
        return None
    words = {key: value for key, value in words.items() if value is not None}
    if words.get("normalize") is True:
        words["normalize"] = "before_positions"
    inputs = [words]
    for number, image in enumerate(dice.some(IMAGES, 0.6) or IMAGES[:1]):
        one = {**image, "argument": f"{place.name}_image_{number}"}
        inputs.insert(dice.one((0, len(inputs))), one)
    for one in inputs:
        if dice.often(0.3):
            one["optional"] = True
            kind = {"patches": "Patches", "conv": "ConvStem"}.get(one.get("type", ""), "Tokens")
            said.add((kind, "optional", "True"))
    return inputs
