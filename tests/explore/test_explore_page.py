"""The page in Chromium: it opens, and it links by mouse and keyboard."""

from __future__ import annotations

from typing import Any

import pytest
from explore_partners import partners, related
from explore_server import EXAMPLES, NAMES, asked
from explore_view import EDITOR, View

pytestmark = pytest.mark.browser
WORDS = {
    "yaml": ("line of YAML", "lines of YAML"),
    "figure": ("part", "parts"),
    "code": ("line of code", "lines of code"),
    "weights": ("weight", "weights"),
    "resolved": ("resolved value", "resolved values"),
    "masks": ("mask", "masks"),
}


def test_it_opens_with_an_example(view: View) -> None:
    assert view.status.startswith("Gpt2 · 124.4\u202fM parameters · ")
    assert view.page.inner_text("#file") == "gpt2.yaml"
    assert view.page.locator("#figure g.node").count() > 8
    assert "token" not in view.page.url
    assert "class Config:" in view.page.inner_text("#panel-code")


@pytest.mark.parametrize(
    "names", [NAMES[4::19], pytest.param(NAMES, marks=pytest.mark.slow)], ids=["some", "all"]
)
def test_examples_open(view: View, names: list[str]) -> None:
    for name in names:
        view.example(name)
        assert view.status.startswith(asked(name, "figure")["class"]), name
        assert view.page.locator("#problems .error").count() == 0


# -- linking


def expected(links: Any, pane: str, key: str) -> dict[str, int]:
    """The footer for an item, by the rule said in Python."""
    found = {}
    for other in WORDS:
        if other != pane:
            marked = partners(links, pane, key, other) or related(links, pane, key, other)
            if marked:
                found[WORDS[other][len(marked) > 1]] = len(marked)
    return found


@pytest.mark.parametrize("name", ["gpt2", pytest.param("t5_small", marks=pytest.mark.slow)])
def test_pointing_at_a_box_marks_its_partners(view: View, name: str) -> None:
    view.example(name)
    links = links_of(view, name)
    for key in links["figure"]:
        box = view.page.locator(f"#{key} > :is(rect, circle, text)").first
        corner = {"x": 4, "y": 4} if "frame" in key else None  # beside what is inside it
        box.hover(position=corner, force=True)
        assert view.marked() == expected(links, "figure", key), key
        assert key in view.parts()


def links_of(view: View, name: str) -> Any:
    """The links of the text that the page shows: an example without its line for editors."""
    from modelwright.explorer import answer
    from modelwright.explorer.start import example

    asked = {"ask": "links", "text": example(name), "name": f"{name}.yaml"}
    return answer(asked, EXAMPLES)["links"]


def test_lines_of_yaml_by_mouse_and_by_keyboard_mark_the_same(view: View) -> None:
    links = links_of(view, "gpt2")
    lines = view.page.locator(f"{EDITOR} .cm-line")
    pointed = {}
    for key in links["yaml"]:
        lines.nth(int(key) - 1).hover(position={"x": 12, "y": 8})
        pointed[key] = view.marked()
        assert pointed[key] == expected(links, "yaml", key), key
        assert view.parts() == partners(links, "yaml", key, "figure")
        assert view.parts("related") == (
            related(links, "yaml", key, "figure") - partners(links, "yaml", key, "figure")
        )
    view.page.mouse.move(2, 2)
    view.press("Alt+1", "Control+Home")
    for number in range(1, len(links["yaml"]) + 2):
        if str(number) in pointed:
            assert view.marked() == pointed[str(number)], number
        view.press("ArrowDown")


def test_code_and_weights_mark_too(view: View) -> None:
    line = view.page.locator("#panel-code .cm-line", has_text="self.query = nn.Linear").first
    view.page.locator("#n-layers-block-attention").hover()
    line.wait_for()  # the pane scrolls to the class
    line.hover()
    assert view.parts() == {"n-layers-block-attention"}
    view.page.click("#tab-weights")
    row = view.page.locator("tr[data-key]", has_text="feed_forward.up.weight")
    row.hover()
    assert view.parts() == {"n-layers-block-feed_forward"}
    assert view.marked()["line of YAML"] == 1


def test_a_click_keeps_what_is_marked(view: View) -> None:
    view.page.click("#n-layers-block-attention")
    view.page.mouse.move(2, 2)
    assert view.parts() == {"n-layers-block-attention"}
    assert "pinned" in view.page.inner_text("#selection")
    view.press("Escape")
    assert view.parts() == set()
    assert "matching parts" in view.page.inner_text("#selection")


def test_masks_differences_and_maps_have_partners_too(view: View) -> None:
    """Both ways: what belongs to a box is marked in each tab, and a mask or a row marks the box."""
    page, box = view.page, "n-layers-local-attention"
    view.example("gemma3_1b")
    page.click("#tab-masks")
    page.wait_for_selector("#panel-masks g.panel")
    view.settle()
    masks = page.locator("#panel-masks g.panel")
    assert masks.count() == 2
    page.hover(f"#{box}")
    marked = page.locator("#panel-masks g.panel.partner")
    assert "window(512)" in marked.all_text_contents()[0]
    assert marked.count() == 1
    assert view.marked()["mask"] == 1
    marked.hover()
    assert view.parts() == {box}
    assert "window(512)" in page.inner_text(f"{EDITOR} .cm-line.partner:nth-child(15)")
    page.mouse.move(2, 2)
    masks.nth(0).focus()
    assert len(view.parts()) == 1
    view.press("Escape")
    page.click("#tab-difference")
    view.settle()
    page.select_option("#panel-difference select", "gemma2_2b")
    view.settle()
    page.locator("#panel-difference tr", has_text="max_positions").hover()
    assert view.marked()["line of YAML"] == 1
    page.hover(f"#{box}")
    rows = page.locator("#panel-difference tr.partner").all_inner_texts()
    assert rows
    assert all("local.attention" in row or "mask" in row or "positions" in row for row in rows)


def test_both_sides_of_a_difference_have_names(view: View) -> None:
    view.type("bias: false\n")
    view.page.click("#tab-difference")
    view.settle()
    view.page.select_option("#panel-difference select", "gpt2")
    view.settle()
    heads = view.page.locator("#panel-difference table >> nth=0").locator("th").all_inner_texts()
    assert heads == ["Value", "gpt2.yaml (example)", "gpt2.yaml (here)"]
    assert "gpt2.yaml (here)" in view.page.text_content("#panel-difference svg")


def test_the_whole_page_without_a_mouse(view: View) -> None:
    view.press("Alt+2")  # the figure
    seen = set()
    for _ in range(14):
        view.press("ArrowUp")
        seen |= view.parts()
    assert len(seen) >= 12
    view.press("Enter")
    assert "pinned" in view.page.inner_text("#selection")
    view.press("Escape", "Alt+3", "Control+Home")  # the code
    assert view.page.evaluate("document.activeElement.getAttribute('aria-label')") == "PyTorch file"
    code = view.lines("#panel-code")
    view.press(*["ArrowDown"] * code.index("    d_model: int = 768"))
    assert view.marked()["line of YAML"] == 1
    view.page.focus("#tab-code")
    view.press("ArrowRight")
    assert view.page.get_attribute("#tab-weights", "aria-selected") == "true"
    view.press("Alt+3", "ArrowDown")
    assert view.page.locator("#panel-weights tr:focus").count() == 1
    assert "n-position_embedding" in view.parts()
    view.press("Alt+4")  # the sliders
    assert view.page.evaluate("document.activeElement.type") == "range"
    view.press("ArrowRight")
    view.settle()
    assert "layers: 13" in view.text
