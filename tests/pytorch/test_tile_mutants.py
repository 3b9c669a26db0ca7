"""Small faults in the ranges of tiles change the mask that the tiles cover."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest
from test_tile_ranges import SPEC, data_of, defined, painted

import modelwright as mw
from modelwright.backends.pytorch import emit, import_text
from modelwright.backends.verify.laws.tiles import tiles_of

MUTANTS = {
    "window one key short": ("window(5)", "-(window - 1) // STEP", "-(window - 2) // STEP"),
    "tile one key short": ("band(3, 1)", "near.size(1), end)", "near.size(1) - 1, end)"),
    "blocks without a neighbour": ("blocks(3, 1)", "// size - neighbours", "// size - 0"),
    "blocks that end early": ("blocks(3, 1)", "+ neighbours + 1) * size", "+ neighbours) * size"),
    "blocks from the first token of one row": (
        "blocks(4, 1)",
        "return sorted(set(attention_mask.bool().long().argmax(-1).tolist()))",
        "return [0]",
    ),
    "blocks of one row": ("blocks(4)", "int(block.max())", "int(block.min())"),
    "blocks from the first key of one row": (
        "blocks(4)",
        "max(0, int(block.min()))",
        "int(block[0])",
    ),
    "tiles that end with the blocks of one row": (
        "causal & blocks(4)",
        "for row in origin[:, 0].tolist()",
        "for row in origin[:1, 0].tolist()",
    ),
    "a tile that reads the block before": ("blocks(4)", "(k < block) | ", ""),
    "a tile that reads the block after": ("blocks(4)", "(k >= block + size) | ", ""),
    "a triangle one key to the right": (
        "causal & blocks(4)",
        ".tril(block_size)",
        ".tril(block_size + 1)",
    ),
    "blocks with padding": ("blocks(4)", " | ~real[:, begin:stop]", ""),
    "one key less of each block": ("fixed(4, 2)", "(stop - kept, stop)", "(stop - kept + 1, stop)"),
    "the last block left out": (
        "fixed(4, 2)",
        "range(origin % size, end + size, size)",
        "range(origin % size, end, size)",
    ),
    "ranges that swallow the next": (
        "band(1) | keys(0:2)",
        "max(last, found[-1][1])",
        "found[-1][1]",
    ),
    "a global row that reads its window": (
        "band(1) | global(9:11)",
        "if any(a < last",
        "if any(a > last",
    ),
    "runs that pass an edge": ("band(1) | queries(5:7)", "first < b for", "first + 1 < b for"),
    "one row for the queries of two blocks": (
        "blocks(4) | keys(0:1)",
        "(last - 1 - origin) // size for",
        "(first + 1 - origin) // size for",
    ),
    "one row for blocks of one sequence": (
        "blocks(4) | keys(0:1)",
        "// size for origin in origins)",
        "// size for origin in origins[:1])",
    ),
    "one row for blocks without padding": (
        "blocks(4) | keys(0:1)",
        "origins = row_origins(attention_mask)\n        sparse",
        "row_origins(attention_mask)\n        sparse",
    ),
    "only the first block's choice": (
        "random(3, 1)",
        "(last - 1) // size + 1, end, size, count",
        "first // size + 1, end, size, count",
    ),
    "documents of the first sequence": ("documents", ").any(0)", ")[0]"),
    "every n-th query of one class": (
        "causal & strided(3)",
        "range(start, min(start + stride, end))",
        "range(start, min(start + 1, end))",
    ),
    "a run of every n-th query too short": (
        "strided(3)",
        "every[i : i + size]",
        "every[i : i + size - 1]",
    ),
    "every n-th key from the first of a range": (
        "strided(4)",
        "part.start + (own - part.start) % step",
        "part.start",
    ),
    "no key before the query itself": (
        "causal & strided(3)",
        "first, last = queries[0], queries[-1] + 1",
        "first, last = queries[0], queries[-1]",
    ),
    "keys of another class": (
        "strided(4)",
        "own, step = queries.start % queries.step, queries.step",
        "own, step = queries.start % (queries.step + 1), queries.step",
    ),
    "strided keys of the first query": (
        "band(1) | strided(9)",
        "(key, key + last - first) for key in range(first % stride",
        "(key, key + 1) for key in range(first % stride",
    ),
    "strided keys after the first": (
        "band(1) | strided(9)",
        "range(first % stride - stride, end, stride)",
        "range(first % stride + stride, end, stride)",
    ),
    "an intersection of too few keys": (
        "band(2) & blocks(4)",
        "[(max(a, c), min(b, d))",
        "[(max(a, c), min(b, d) - 1)",
    ),
}
"""Name -> the mask, and what a mutant of its file has in place of some text."""


def file_of(mask: str, before: str = "", after: str = "") -> tuple[ModuleType, Any]:
    graph = mw.lower(mw.loads(SPEC.format(family="encoder-only", mask=mask)))
    text = emit(graph)
    if before:
        assert text.count(before) == 1, text
        text = text.replace(before, after)
    module = import_text(text, "mutant")
    return module, module.Config()


def is_seen(mask: str, module: ModuleType, config: Any) -> bool:
    """Whether the tiles paint another picture than the mask, for some size of tiles."""
    for padding in ("none", "left"):
        data = data_of(padding)
        for size in (1, 3, 4):
            with tiles_of(module, size):
                try:
                    picture, _ = painted(module, config, data)
                except (AssertionError, RuntimeError, IndexError):
                    return True
            if not (picture.numpy() == defined(mask, data)).all():
                return True
    return False


@pytest.mark.sampled(2)
@pytest.mark.parametrize("name", MUTANTS)
@pytest.mark.usefixtures("every_mask_in_tiles")
def test_mutants_of_ranges_are_detected(name: str) -> None:
    mask, before, after = MUTANTS[name]
    assert not is_seen(mask, *file_of(mask))
    assert is_seen(mask, *file_of(mask, before, after))
