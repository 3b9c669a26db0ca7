"""Blocks and overrides that reach no layer, because later overrides replace them."""

from __future__ import annotations

from collections.abc import Mapping

from .order import Override
from .source import Node


def covered(
    blocks: bytes, overrides: list[tuple[Node, Override]], index: Mapping[str, int]
) -> tuple[bytes, list[Node]]:
    """The block that each layer starts from, and the overrides that later ones replace.

    blocks: the index of each layer's block by the pattern
    index: the index of each block

    An override that names the block which its layers have anyway is none of them.
    """
    final, count = bytearray(blocks), len(blocks)
    for _, override in overrides:
        layers = override.range(count)
        if override.block:
            final[layers.start : layers.stop] = bytes([index[override.block]]) * len(layers)
    found: list[Node] = []
    seen = bytearray(count)
    for node, override in reversed(overrides):
        layers = override.range(count)
        place = slice(layers.start, layers.stop)
        same = override.block and not final[place].strip(bytes([index[override.block]]))
        if node.value and layers and 0 not in seen[place] and not same:
            found.append(node)
        if override.block:
            seen[place] = b"\1" * len(layers)
    return bytes(final), found
