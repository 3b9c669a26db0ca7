"""Every mask predicate, as a small picture and as its defining sentence."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from modelwright.backends.reference import Pairs, admits
from modelwright.backends.reference.masks import drawn_blocks, random_key
from modelwright.compiler.formula import parse_formula


def picture(formula: str, tokens: int, **data) -> list[str]:
    """One line per query, `#` where it sees a key."""
    pairs = Pairs.of(tokens, **{name: np.asarray(x) for name, x in data.items()})
    admitted = admits(parse_formula(formula), pairs)
    admitted = admitted[0] if admitted.ndim == 3 else admitted
    return ["".join(".#"[int(seen)] for seen in row) for row in admitted]


PICTURES = {
    "full": ["#####"] * 5,
    "causal": ["#....", "##...", "###..", "####.", "#####"],
    "window(2)": ["#....", "##...", ".##..", "..##.", "...##"],
    "band(1)": ["##...", "###..", ".###.", "..###", "...##"],
    "band(2, 0)": ["#....", "##...", "###..", ".###.", "..###"],
    "band(0, 1)": ["##...", ".##..", "..##.", "...##", "....#"],
    "strided(2)": ["#.#.#", ".#.#.", "#.#.#", ".#.#.", "#.#.#"],
    "fixed(3, 1)": ["###..", "###..", "###..", "..###", "..###"],
    "blocks(2)": ["##...", "##...", "..##.", "..##.", "....#"],
    "blocks(2, 1)": ["####.", "####.", "#####", "#####", "..###"],
    "global(1)": ["#####", "#....", "#....", "#....", "#...."],
    "global(1:3)": [".##..", "#####", "#####", ".##..", ".##.."],
    "global(-1:)": ["....#", "....#", "....#", "....#", "#####"],
    "global(:-3)": ["#####", "#####", "##...", "##...", "##..."],
    "keys(-2:)": ["...##"] * 5,
    "keys(1:3)": [".##.."] * 5,
    "queries(:2)": ["#####", "#####", ".....", ".....", "....."],
    "queries(-2:-1)": [".....", ".....", ".....", "#####", "....."],
    "keys(-9:2)": ["##..."] * 5,
    "~causal": [".####", "..###", "...##", "....#", "....."],
    "causal & strided(2)": ["#....", ".#...", "#.#..", ".#.#.", "#.#.#"],
    "blocks(3) & causal | keys(0:1)": ["#....", "##...", "###..", "#..#.", "#..##"],
    "~(causal | keys(-1:))": [".###.", "..##.", "...#.", ".....", "....."],
}


@pytest.mark.parametrize("formula", PICTURES)
def test_pictures(formula):
    assert picture(formula, 5) == PICTURES[formula]


SENTENCES = {
    "window(3)": lambda q, k: q - 3 < k <= q,
    "band(2, 4)": lambda q, k: -4 <= q - k <= 2,
    "strided(3)": lambda q, k: (q - k) % 3 == 0,
    "fixed(4, 2)": lambda q, k: q // 4 == k // 4 or k % 4 >= 2,
    "blocks(4, 1)": lambda q, k: abs(q // 4 - k // 4) <= 1,
    "global(2:5)": lambda q, k: 2 <= q < 5 or 2 <= k < 5,
    "global(-3:)": lambda q, k: q >= 10 or k >= 10,
    "keys(3:-2)": lambda q, k: 3 <= k < 11,
    "queries(-5:-2)": lambda q, k: 8 <= q < 11,
}


@pytest.mark.parametrize("formula", SENTENCES)
def test_sentences(formula):
    admitted = admits(parse_formula(formula), Pairs.of(13))
    for q, k in itertools.product(range(13), repeat=2):
        assert admitted[q, k] == SENTENCES[formula](q, k), (q, k)


# -- random


def test_random_keys_as_worked_out_by_hand():
    # block 1, key block 1, seed 0: 92837111 ^ 689287499 = 748496316, twice times 48271 mod 2^31 - 1
    x = 92837111 ^ 689287499
    assert x == 748496316
    x = x * 48271 % (2**31 - 1)
    assert random_key(1, 1, 0) == x * 48271 % (2**31 - 1)
    assert random_key(0, 0, 0) == 0


def test_random_gives_every_block_of_queries_so_many_blocks_of_keys():
    rows = picture("random(2, 3, 7)", 16)
    assert rows[0::2] == rows[1::2]
    for row in rows:
        assert row[0::2] == row[1::2]
        assert row.count("#") == 6
    assert len(set(rows)) > 3
    assert rows != picture("random(2, 3, 8)", 16)
    assert picture("random(2, 3)", 16) == picture("random(2, 3, 0)", 16)


def test_random_takes_the_smallest_keys():
    keys = {block: random_key(2, block, 5) for block in range(9)}
    assert drawn_blocks(2, 9, 4, 5) == sorted(keys, key=lambda b: keys[b])[:4]


def test_random_of_more_blocks_than_there_are_is_full():
    assert picture("random(2, 9)", 5) == ["#####"] * 5


# -- data


def test_documents_do_not_attend_to_each_other():
    got = picture("documents", 5, document_ids=[[3, 3, 0, 0, 3]])
    assert got == ["##..#", "##..#", "..##.", "..##.", "##..#"]


def test_a_prefix_is_seen_by_all():
    got = picture("causal | prefix", 4, prefix_length=[2])
    assert got == ["##..", "##..", "###.", "####"]


def test_given_globals_see_and_are_seen():
    got = picture("band(0) | global(given)", 4, global_mask=[[0, 1, 0, 0]])
    assert got == ["##..", "####", ".##.", ".#.#"]


@pytest.mark.parametrize(
    ("formula", "without"), [("documents", "#"), ("prefix", "."), ("global(given)", ".")]
)
def test_data_that_is_left_out_is_neutral(formula, without):
    assert picture(formula, 3) == [without * 3] * 3


def test_data_differs_by_row_of_the_batch():
    pairs = Pairs.of(3, prefix_length=np.array([0, 2]))
    assert admits(parse_formula("prefix"), pairs)[:, 0].tolist() == [
        [False] * 3,
        [True, True, False],
    ]


def test_padding_is_seen_by_no_query(compute):
    formula = parse_formula("causal")
    got = compute(
        "mask", [[0, 1, 1], [1, 1, 0]], None, None, None, formula=formula, batch=2, tokens=3
    )
    assert got.shape == (2, 1, 3, 3)
    assert got[0, 0].tolist() == [[False, False, False], [False, True, False], [False, True, True]]
    assert got[1, 0].tolist() == [[True, False, False], [True, True, False], [True, True, False]]


def test_a_memory_hides_only_its_padding(compute):
    attrs = {"formula": parse_formula("full"), "memory": True}
    assert compute("mask", [[1, 0, 1]], None, None, None, **attrs).tolist() == [
        [[[True, False, True]]]
    ]
    assert compute("mask", None, None, None, None, **attrs).all()
