"""The small specs that variations change, and the sizes of their inputs."""

from __future__ import annotations

from dataclasses import dataclass

BATCH, TOKENS, MEMORY = 3, 9, 7
FRAMES = 24  # of a signal
PAD, MARK = 1, 5  # ids that stand for padding, and once in every sequence
VOCABULARY, FIRST_WORD = 31, 6

DECODER = """
name: small
family: decoder-only
vocab_size: 31
max_positions: 24
d_model: 16
layers: 2
attention: {heads: 4}
head: language_model
"""

ENCODER = DECODER.replace("decoder-only", "encoder-only")
BOTH = DECODER.replace("decoder-only", "encoder-decoder")

IMAGES = """
name: small
family: encoder-only
d_model: 16
layers: 2
input: {type: patches, image_size: 12, patch_size: 4}
positions: learned
attention: {heads: 4}
head: {type: classifier, classes: 3, pool: mean}
"""

HEADLESS = "head: language_model\n"


@dataclass(frozen=True)
class Variation:
    """A base text with values written over it."""

    text: str
    sets: tuple[str, ...] = ()


def decoder(*sets: str) -> Variation:
    return Variation(DECODER, sets)


def encoder(*sets: str) -> Variation:
    other = ("input=features", "input={type: features", "input={type: conv")
    words = not any(s.startswith(other) for s in sets)
    return Variation(ENCODER if words else ENCODER.replace("vocab_size: 31\n", ""), sets)


def both(*sets: str) -> Variation:
    return Variation(BOTH, sets)


def images(*sets: str) -> Variation:
    return Variation(IMAGES, sets)
