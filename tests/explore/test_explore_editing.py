"""The page in Chromium: editing the spec by typing, completion and sliders."""

from __future__ import annotations

import random

import pytest
from explore_server import SMALL
from explore_view import EDITOR, View

pytestmark = pytest.mark.browser


def test_problems_are_shown_where_they_are(view: View) -> None:
    before = view.text
    view.type("layer: 3")
    assert view.status == "1 error"
    assert view.page.inner_text("#problems") == "15:1\nunknown key layer; did you mean layers?"
    assert view.page.inner_text(".cm-lintRange-error") == "layer: 3"
    assert "stale" in view.page.get_attribute("body", "class")
    view.press("Control+Home", "F8")
    assert view.page.locator(".cm-diagnostic").inner_text().startswith("unknown key")
    view.press("Escape")
    view.undo(before)
    assert view.status.startswith("Gpt2")
    assert "stale" not in view.page.get_attribute("body", "class")


def test_texts_that_no_spec_can_be(view: View) -> None:
    """Too long for a question, and inserted over lines, which the browser would style."""
    view.page.click(EDITOR)
    for text, problem in (
        ("#" * 100_001, "1:1\na spec can have at most 65,536 characters, not 100,001"),
        ("gpt2", "1:1\na spec must be a mapping (name: … and so on), not a single value"),
        ("- a\n- b\n", "1:1\na spec must be a mapping (name: … and so on), not a list"),
    ):
        view.press("Control+a")
        view.page.keyboard.insert_text(text)
        view.settle()
        assert view.page.inner_text("#problems") == problem
    view.page.click("#tab-masks")
    view.settle()
    assert view.page.inner_text("#panel-masks") == "No masks: the spec has errors."
    view.page.click("#tab-difference")
    view.settle()
    assert "has errors" in view.page.inner_text("#panel-difference .empty")


def offers(view: View) -> set[str]:
    view.press("Control+Space")
    view.page.wait_for_selector(".cm-tooltip-autocomplete li")
    found = view.page.eval_on_selector_all(
        ".cm-tooltip-autocomplete .cm-completionLabel", "all => all.map((e) => e.textContent)"
    )
    view.press("Escape")
    return set(found)


PLACES = [
    ("\ndecoder:\n  attention: {type: mla, ", {"kv_rank", "query_rank"}, {"kv_heads", "type"}),
    ("\ndecoder:\n  attention: {type: mha, ", {"kv_heads", "qk_norm"}, {"kv_rank"}),
    ("\ndecoder:\n  attention:\n    type: mla\n    ", {"kv_rank"}, {"kv_heads"}),
    ("\ndecoder:\n  attention: {type: ", {"mha", "mla"}, {"kv_rank"}),
    ("\nbias: ", {"true", "false"}, {"norm"}),
    ("\nnorm: ", {"rmsnorm", "layernorm"}, {"true"}),
    ("\nno", {"norm", "norm_placement"}, {"layers", "name"}),
    ("\nheads:\n  one: {type: ", {"language_model", "classifier"}, {"mha"}),
    ("\nmask: ", {"causal", "window", "band"}, {"norm", "gpt2.yaml"}),
    ("\nmask: causal & ", {"window", "global"}, {"norm"}),
    ("\nextends: ", {"gpt2.yaml", "llama3_8b.yaml"}, {"causal"}),
    ("\nblocks: {near: {norm: none}, far: {}}\npattern: [", {"near", "far"}, {"norm", "layers"}),
    ("\nblocks:\n  near:\n    norm: none\n  far: {}\noverrides: {0: ", {"near", "far"}, {"norm"}),
]
"""What is typed, keys or words that are offered behind it, and such that are not."""


def test_completion_knows_the_place(view: View) -> None:
    for typed, inside, outside in PLACES:
        view.page.click(EDITOR)
        view.press("Control+End")
        view.page.keyboard.insert_text(typed)
        found = offers(view)
        assert inside <= found, typed
        assert not outside & found, typed
        view.page.click("#revert")
        view.settle()


def test_a_completion_is_taken(view: View) -> None:
    view.type("norm_pl")
    view.page.wait_for_selector(".cm-tooltip-autocomplete li")
    view.page.wait_for_timeout(120)  # until the list takes keys
    view.press("Enter")
    view.page.keyboard.type("post")
    view.press("Escape")
    view.settle()
    assert view.text.splitlines()[14] == "norm_placement: post"
    assert view.status.startswith("Gpt2")


def test_sliders_write_the_text(view: View) -> None:
    view.slide("layers", 23)
    assert "layers: 24" in view.text
    assert view.page.text_content("#figure text.count") == "24×"
    assert "× 1.68" in view.page.inner_text("#totals")
    view.slide("heads", 0)
    assert "attention: {heads: 1}" in view.text
    assert view.status.startswith("Gpt2")
    view.page.click("#revert")
    view.settle()
    assert "layers: 12" in view.text
    view.slide("tokens", 5)
    view.page.click("#tab-weights")
    assert "32 tokens, batch 1" in view.page.inner_text("#panel-weights .cards")


def test_random_edits_never_leave_it_stuck(view: View) -> None:
    edit_at_random(view, 40)


@pytest.mark.slow
def test_many_random_edits_never_leave_it_stuck(view: View) -> None:
    edit_at_random(view, 500)


def edit_at_random(view: View, count: int) -> None:
    """Type, delete, undo and move; at the end the page answers as after any other edit."""
    dice = random.Random(0)
    signs = [*"abz:{}[],#- \n'\"0123456789", "layers: 3\n", "heads: 2", "norm: rmsnorm\n"]
    keys = ("Backspace", "Delete", "Control+z", "Control+y", "Home", "End", "ArrowUp", "ArrowDown")
    view.page.click(EDITOR)
    for _ in range(count):
        if dice.random() < 0.6:
            view.page.keyboard.insert_text(dice.choice(signs))
        else:
            view.press(dice.choice(keys))
        if dice.random() < 0.2:
            view.settle()
            assert view.status
    view.press("Control+a")
    view.page.keyboard.insert_text(SMALL)
    view.settle()
    assert view.status.startswith("Small · ")
