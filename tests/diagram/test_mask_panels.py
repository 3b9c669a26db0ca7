"""Every pair of a panel agrees with the reference, and is attributed to the right predicate."""

from __future__ import annotations

import numpy as np
import pytest
from diagram_reading import FOLDER, MASKED, SMALL
from hypothesis import given, settings
from hypothesis import strategies as st

from modelwright import load, loads, lower
from modelwright.backends.diagram.masks import MaskOptions, mask_panels
from modelwright.backends.diagram.masks.colours import HOLES, PAINTS, ROLES
from modelwright.backends.diagram.masks.example import example
from modelwright.backends.diagram.masks.panel import Panel, panel
from modelwright.backends.diagram.masks.scale import SIZES, Scale, choose, scaled
from modelwright.backends.diagram.masks.seen import KINDS, Seen, masks_of
from modelwright.backends.reference import Pairs, admits
from modelwright.compiler.density import density
from modelwright.compiler.formula import Formula, parse_formula
from modelwright.compiler.rows import ROWS
from modelwright.spec.masks import ATOMS, NUMBERS

FORMULAS = [
    "full",
    "window(5)",
    "causal | prefix",
    "causal & documents",
    "band(2) | global(given)",
    "blocks(4, 1) | global(0:4) | global(-4:) | random(4, 3)",
    "causal & (window(4) | strided(4))",
    "causal & fixed(8, 2)",
    "~causal & band(3) | keys(2:5) | queries(-2:)",
]


def bits(rows: list[int], keys: int) -> np.ndarray:
    return np.array([[row >> key & 1 for key in range(keys)] for row in rows], dtype=bool)


def of_reference(formula: Formula, asked: Formula, queries: int, keys: int) -> np.ndarray:
    """The mask by the reference interpreter, with the data of the example."""
    data = example(asked, queries).given
    arrays = {
        "document_ids": np.array([data.document_ids]) if data.document_ids else None,
        "prefix_length": np.array([data.prefix_length]) if data.prefix_length else None,
        "global_mask": (
            np.array([[q in data.global_tokens for q in range(queries)]]).astype(int)
            if data.global_tokens
            else None
        ),
    }
    table = admits(formula, Pairs.of(queries, **arrays))
    return (table if table.ndim == 2 else table[0])[:, :keys]


def drawn(formula: str, tokens: int = 24, factor: int = 1, padding: int = 0) -> Panel:
    seen = Seen(parse_formula(formula), "encoder", "", None, 1024, 2, layers=2)
    return panel(seen, Scale(tokens, factor), padding=padding)


def check(made: Panel, asked: Formula) -> None:
    """Together the cells are the mask; what is left over is masked; nothing stands twice."""
    expected = of_reference(made.formula, asked, made.queries, made.keys)
    shown = [bits(cells.rows, made.keys) for cells in made.cells]
    assert (sum(map(np.asarray, [np.zeros_like(expected, int), *shown])) == expected).all()
    off = bits([a | b for a, b in zip(made.masked, made.wasted, strict=True)], made.keys)
    assert (off == ~expected).all()


@pytest.mark.sampled(2)
@pytest.mark.parametrize("path", MASKED, ids=lambda path: path.stem)
def test_every_panel_of_every_example_is_the_reference_mask(path):
    graph = lower(load(path))
    found = masks_of(graph)
    panels, _ = mask_panels(graph, MaskOptions())
    assert len(panels) == len(found) > 0
    for seen, made in zip(found, panels, strict=True):
        check(made, seen.formula)


@pytest.mark.sampled(2)
@pytest.mark.parametrize("path", MASKED, ids=lambda path: path.stem)
def test_panels_are_the_formulas_that_the_graph_computes(path):
    graph = lower(load(path))
    told = [op.attrs["formula"] for op in graph.ops() if op.kind in KINDS]
    parts = {str(part) for mask in told for part in (mask if isinstance(mask, tuple) else [mask])}
    assert {str(seen.formula) for seen in masks_of(graph)} == parts


@pytest.mark.parametrize("formula", FORMULAS)
def test_every_pair_has_the_name_of_what_admits_it(formula):
    made = drawn(formula)
    check(made, parse_formula(formula))
    for cells in made.cells:
        table = of_reference(parse_formula(cells.label), parse_formula(formula), 24, 24)
        assert (bits(cells.rows, 24) <= table).all(), cells.label


atoms = st.sampled_from(
    [f"({f})" for f in FORMULAS] + ["causal", "strided(3)", "random(3, 2, 1)", "fixed(5, 2)"]
)


@given(st.lists(atoms, min_size=1, max_size=3), st.sampled_from("&|"), st.integers(1, 40))
@settings(max_examples=60)
def test_random_masks_are_drawn_as_the_reference_says(parts, sign, tokens):
    formula = f" {sign} ".join(parts)
    check(drawn(formula, tokens), parse_formula(formula))


def test_padding_hides_keys_that_the_formula_admits():
    plain, padded = drawn("causal"), drawn("causal", padding=3)
    assert padded.admitted == plain.admitted - 3 - 2 - 1
    assert bits(padded.padding, 24)[:, :21].sum() == 0
    assert bits(padded.padding, 24).sum() == 6


def test_an_image_has_no_padding():
    graph = lower(load(FOLDER / "vit_b16.yaml"))
    (made,), _ = mask_panels(graph, MaskOptions(padding=5))
    assert made.admitted == made.queries * made.keys


# -- whose masks


def test_a_translation_model_has_three_panels():
    graph = lower(load(FOLDER / "transformer_base.yaml"))
    panels, _ = mask_panels(graph, MaskOptions())
    assert [(made.title, made.lines[0]) for made in panels] == [
        ("full", "encoder, 6 layers"),
        ("causal", "decoder, 6 layers"),
        ("full", "decoder, reading encoder, 6 layers"),
    ]
    assert panels[2].keys != panels[2].queries


def test_a_pattern_has_a_panel_for_each_mask_and_not_for_each_block():
    graph = lower(load(FOLDER / "modernbert_base.yaml"))
    assert [(str(s.formula), s.blocks, s.layers) for s in masks_of(graph)] == [
        ("full", ("global_layer_0", "global"), 8),
        ("band(64)", ("local",), 14),
    ]


def test_runs_of_heads_have_a_panel_each():
    spec = loads(SMALL.replace("heads: 4", "heads: 8"), sets=['mask=["causal", "window(2)"]'])
    lines = [made.lines[0] for made in mask_panels(lower(spec), MaskOptions())[0]]
    assert lines == ["decoder, heads 0-3 of 8, 4 layers", "decoder, heads 4-7 of 8, 4 layers"]


def test_panels_know_where_their_mask_was_written():
    graph = lower(load(FOLDER / "gemma2_2b.yaml"))
    origins = [seen.origin for seen in masks_of(graph)]
    assert origins == [
        ("stacks", "decoder", "blocks", name, "mask") for name in ("local", "global")
    ]


def test_linear_attention_is_masked_and_has_no_scores():
    graph = lower(load(FOLDER / "tiny_lightning.yaml"))
    told = {seen.sums: seen.blocks for seen in masks_of(graph)}
    assert len(told) == 2
    for made, seen in zip(mask_panels(graph, MaskOptions())[0], masks_of(graph), strict=True):
        assert ("no scores" in made.lines[1]) == seen.sums
        assert made.title == "causal"
    options = MaskOptions(kernel_blocks=True)
    assert not any(sum(made.wasted) for made in mask_panels(graph, options)[0])


# -- sizes


@pytest.mark.parametrize(
    ("formula", "length", "text", "tokens"),
    [
        ("causal", 1024, "causal", 20),
        ("causal", 7, "causal", 7),
        ("window(3)", 1024, "window(3)", 20),
        ("causal & window(4096)", 8192, "causal & window(8)", 16),
        ("causal & window(4096)", 32768, "causal & window(4)", 20),
        ("band(256) | global(given)", 4096, "band(4) | global(given)", 36),
        ("causal & blocks(8192)", 1024, "causal & blocks(4)", 20),
        ("band(512) & strided(4)", 4096, "band(8) & strided(2)", 40),
        ("causal & fixed(128, 8)", 1024, "causal & fixed(4, 1)", 20),
        (
            "blocks(64, 1) | global(0:64) | global(-64:) | random(64, 3)",
            4096,
            "blocks(2, 1) | global(0:2) | global(-2:) | random(2, 3, 0)",
            40,
        ),
    ],
)
def test_sizes_are_drawn_so_that_they_can_be_seen(formula, length, text, tokens):
    mask = parse_formula(formula)
    scale = choose([mask], length)
    assert (str(scaled(mask, scale.factor)), scale.tokens) == (text, tokens)


def test_a_requested_scale_is_kept():
    mask = parse_formula("causal & window(64)")
    assert choose([mask], 1024, tokens=100) == Scale(100, 2)
    assert choose([mask], 1024, factor=1) == Scale(40, 1)
    assert choose([mask], 1024, tokens=8, factor=16) == Scale(8, 16)


@given(st.sampled_from(FORMULAS), st.integers(1, 10_000), st.integers(1, 100_000))
def test_any_formula_can_be_scaled(formula, factor, length):
    mask = parse_formula(formula)
    small = scaled(mask, factor)
    assert parse_formula(str(small)) == small
    assert 1 <= choose([mask], length).tokens <= 40


def test_reduced_sizes_and_shares_are_stated():
    made = mask_panels(lower(load(FOLDER / "gemma2_2b.yaml")), MaskOptions())[0][0]
    share = density(parse_formula("causal & window(4096)"), 8192)
    assert made.lines[1] == f"{100 * share:.0f} % of scores at 8,192 tokens"
    words = "drawn as causal & window(8): 100 of 256 · 39 %"
    assert made.lines[2].replace("\N{NO-BREAK SPACE}", " ") == words


# -- kernels


KERNELS = MaskOptions(kernel_blocks=True)


def test_a_dense_mask_computes_every_score():
    sets = ["mask=causal & (window(3) | strided(3))"]
    (dense,) = mask_panels(lower(load(FOLDER / "gpt2.yaml", sets)), KERNELS)[0]
    assert sum(dense.masked) == 0
    assert sum(dense.wasted) > 0
    assert dense.lines[-1] == "every score is computed"


def test_tiles_and_torch_skip_scores():
    local, _ = mask_panels(lower(load(FOLDER / "gemma3_1b.yaml")), KERNELS)[0]
    assert sum(local.wasted) == 0
    assert local.lines[-1] == "scores outside the tiles are skipped"
    (causal,) = mask_panels(lower(load(FOLDER / "gpt2.yaml")), KERNELS)[0]
    assert sum(causal.wasted) == 0
    assert causal.lines[-1] == "torch chooses which blocks it skips"


# -- tables


def test_every_atom_has_its_rows():
    """A new atom needs a paint, and a size where it counts tokens."""
    assert set(ROLES) == set(ATOMS)
    assert {paint.name for paint in PAINTS} >= set(ROLES.values())
    assert set(ROWS) == set(ATOMS)
    assert set(SIZES) == {name for name, (least, _) in NUMBERS.items() if least}
    assert {"ring", *(paint.hole for paint in PAINTS[1:])} == set(HOLES)
