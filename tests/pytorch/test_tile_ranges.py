"""Tiles of any mask formula cover exactly the mask."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from fuzz.dice import seeded
from fuzz.masks import FORMS, formula, is_legal
from torch import Tensor

import modelwright as mw
from modelwright.backends.pytorch.tile_ranges import RANGES
from modelwright.backends.reference import Pairs, admits
from modelwright.backends.verify.laws.tiles import tiles_of
from modelwright.compiler.formula import parse_formula
from modelwright.compiler.passes.choose_tiles import kind_of
from modelwright.compiler.tile_counts import blocks_count
from modelwright.compiler.tile_ranges import class_runs, classes, is_one_row, runs, tile_keys
from modelwright.compiler.tiling import TileKind
from modelwright.spec.masks import ATOMS, parse_mask
from modelwright.spec.simpler_masks import simpler

pytestmark = pytest.mark.usefixtures("every_mask_in_tiles")
LENGTH = 19
SPEC = """
name: tiny
family: {family}
vocab_size: 40
d_model: 8
layers: 1
positions: rotary
mask: "{mask}"
attention: {{heads: 2}}
head: none
"""
RANDOM = {formula(seeded(seed), 2) for seed in range(190)}
EVERY = {form for forms in FORMS.values() for form in forms}


def is_known(mask: str) -> bool:
    """Whether a formula means a mask that the kernel has, so that no tiles are made."""
    return str(simpler(parse_mask(mask))) in ("full", "causal")


MASKS = sorted(mask for mask in EVERY | RANDOM if is_legal(mask) and not is_known(mask))


def file_of(mask: str) -> tuple[ModuleType, Any]:
    model = mw.compile(mw.loads(SPEC.format(family="encoder-only", mask=mask)))
    module = sys.modules[type(model).__module__]
    return module, model.config


def data_of(padding: str) -> dict[str, Tensor]:
    """Arguments of a mask, for two sequences; the second one is shorter."""
    draw = torch.Generator().manual_seed(3)
    found = {
        "document_ids": torch.arange(LENGTH).div(7, rounding_mode="floor").repeat(2, 1),
        "prefix_length": torch.tensor([5, 2]),
        "global_mask": (torch.rand(2, LENGTH, generator=draw) < 0.1).long(),
    }
    found["document_ids"][1] = torch.tensor(
        [0, 0, 2, 2, 2, 1, 1, 1, 1, 3, 3, 0, 0, 4, 4, 4, 2, 2, 2]
    )
    if padding != "none":
        real = torch.ones(2, LENGTH, dtype=torch.long)
        real[1, slice(0, 6) if padding == "left" else slice(LENGTH - 6, LENGTH)] = 0
        found["attention_mask"] = real
    return found


def painted(module: ModuleType, config: Any, data: dict[str, Tensor]) -> tuple[Tensor, int]:
    """Where the tiles of a file admit a pair (B, T, S), and how many pairs they compute."""
    tiles = tiles_from(module, config, data)
    picture = torch.zeros(2, LENGTH, LENGTH, dtype=torch.bool)
    first, read = 0, 0
    step = tiles[0].keys[0].step if tiles[0].keys else None
    order = sorted(range(LENGTH), key=lambda query: query % (step or 1))
    for tile in tiles:
        ranges = tile.keys or (slice(0, LENGTH),)
        keys = torch.cat([torch.arange(LENGTH)[part] for part in ranges])
        assert keys.unique().numel() == keys.numel(), "a key is read twice"
        mask = torch.zeros(tile.queries, keys.numel()) if tile.mask is None else tile.mask
        seen = (mask == 0).reshape(-1, *mask.shape[-2:]).expand(2, -1, -1)
        queries = torch.tensor(order[first : first + tile.queries])
        picture[:, queries[:, None], keys] = seen
        first, read = first + tile.queries, read + tile.queries * keys.numel()
    assert first == LENGTH
    return picture, read


def tiles_from(module: ModuleType, config: Any, data: dict[str, Tensor]) -> list[Any]:
    """The tiles that a file makes of its mask."""
    (name,) = (n for n in vars(module) if n.endswith("_tiles") and n not in HELPERS)
    function = getattr(module, name)
    names = list(function.__annotations__)[2:-2]  # start, end … like, result
    given = [getattr(config, n) if hasattr(config, n) else data.get(n) for n in names]
    found: list[Any] = function(0, LENGTH, *given, torch.zeros(1))
    return found


HELPERS = ("sliding_tiles", "tiles_of_rows")


def defined(mask: str, data: dict[str, Tensor]) -> np.ndarray[Any, Any]:
    """The same picture from the definition of the language."""
    arrays = {name: tensor.numpy() for name, tensor in data.items()}
    real = arrays.pop("attention_mask", None)
    if real is not None:
        arrays["first"] = real.argmax(-1)
    found = admits(parse_formula(mask), Pairs.of(LENGTH, **arrays))
    found = np.broadcast_to(found, (2, LENGTH, LENGTH))
    return found if real is None else found & (real[:, None, :] != 0)


@pytest.mark.sampled(4)
@pytest.mark.parametrize("mask", MASKS)
def test_tiles_are_the_mask(mask: str) -> None:
    module, config = file_of(mask)
    for padding in ("none", "left", "right"):
        data = data_of(padding)
        expected = defined(mask, data)
        for size in (0, 1, 3, 4, 32):
            with tiles_of(module, size):
                picture, _ = painted(module, config, data)
            assert (picture.numpy() == expected).all(), (padding, size)


@pytest.mark.sampled(4)
@pytest.mark.parametrize("mask", MASKS)
def test_the_compiler_counts_the_keys_that_tiles_read(mask: str) -> None:
    """Costs have the same rules as emitted files; both read the simplest equal formula."""
    module, config = file_of(mask)
    if not hasattr(module, "merge_ranges"):
        return  # one range of keys: counted from the reach of the mask
    formula = parse_formula(str(simpler(parse_mask(mask))))
    if kind_of(formula) is TileKind.BLOCKS:
        return  # below
    strided = classes(formula) if kind_of(formula) is TileKind.CLASSES else None
    for size in (1, 3, 4, 32):
        with tiles_of(module, size):
            read = painted(module, config, {})[1]
        every, rest = runs(formula, LENGTH, size), formula
        if strided:
            every, rest = class_runs(LENGTH, size, strided[0]), strided[1]
        counted = sum(
            len(run.queries) * len(keys) for run in every for keys in tile_keys(rest, run)
        )
        assert read == counted, size


@pytest.mark.parametrize("mask", ["blocks(4)", "causal & blocks(4)", "causal & blocks(7)"])
def test_the_compiler_counts_the_keys_of_blocks(mask: str) -> None:
    module, config = file_of(mask)
    for size in (1, 3, 4, 32):
        with tiles_of(module, size):
            read = painted(module, config, {})[1]
        assert read == blocks_count(parse_formula(mask), LENGTH, size).scores, size


@pytest.mark.parametrize("mask", ["blocks(4, 1) | keys(0:1)", "random(4, 1) & ~global(0:2)"])
def test_queries_of_one_block_share_a_row_of_the_mask(mask: str) -> None:
    module, config = file_of(mask)
    for size in (2, 3, 4):
        with tiles_of(module, size):
            tiles = tiles_from(module, config, {})
        rows = []
        for run in runs(parse_formula(mask), LENGTH, size):
            alike = run.first // 4 == (run.last - 1) // 4
            assert alike == is_one_row(parse_formula(mask), run)
            rows.append(1 if alike else run.last - run.first)
        assert [1 if tile.mask is None else tile.mask.size(-2) for tile in tiles] == rows
        assert 1 in rows


# -- what tiles read


@pytest.mark.parametrize("name", ATOMS)
def test_every_predicate_has_a_range(name: str) -> None:
    assert name in RANGES


@pytest.mark.parametrize(
    ("mask", "most"),
    [
        ("blocks(4)", 4 * 19),
        ("blocks(4, 1)", 12 * 19),
        ("band(2) | global(0:1)", 19 + 9 * 19),
        ("band(2) & blocks(4)", 4 * 19),
        ("random(4, 1)", 4 * 19),
        ("window(3) | keys(0:2)", 8 * 19),
        ("band(1) | queries(3:5)", 2 * 19 + 6 * 19),
        ("fixed(4, 1)", 8 * 19),
        ("documents & causal", 12 * 19),
        ("window(3) & ~blocks(2)", 6 * 19),
        ("band(1) | global(given)", 13 * 19),
        ("strided(4)", 5 * 19),
        ("causal & strided(3)", 5 * 19),
        ("causal & strided(2) & (blocks(6) | keys(0:2))", 6 * 19),
        ("band(1) | strided(9)", 16 * 19),
    ],
)
def test_tiles_read_little_more_than_they_admit(mask: str, most: int) -> None:
    module, config = file_of(mask)
    data = data_of("none")
    data["global_mask"] = torch.zeros(2, LENGTH, dtype=torch.long)
    data["global_mask"][1, 7] = 1
    data["document_ids"][1] = data["document_ids"][0]
    with tiles_of(module, 4):
        _, read = painted(module, config, data)
    assert read <= most


def test_dense_where_tiles_would_read_more_than_half() -> None:
    module, config = file_of("blocks(4) | global(0:12)")
    vars(module).update(DENSE=0, TILE=4)
    assert painted(module, config, data_of("none"))[1] == LENGTH**2
