"""The page in Chromium: typing and linking, by mouse and keyboard, on large and small screens."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from explore_partners import partners, related
from explore_server import EXAMPLES, NAMES, SMALL, Serve, Served, asked
from explore_view import EDITOR, View

AXE = Path(__file__).parents[2] / "explorer/page/node_modules/axe-core/axe.min.js"
WORDS = {
    "yaml": ("line of YAML", "lines of YAML"),
    "figure": ("part", "parts"),
    "code": ("line of code", "lines of code"),
    "weights": ("weight", "weights"),
    "resolved": ("resolved value", "resolved values"),
    "masks": ("mask", "masks"),
}

ON_A_SERVER = pytest.mark.parametrize("served", ["server"], indirect=True)
"""For what the page cannot do as files, without a server."""


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


@pytest.mark.parametrize("name", ["gpt2", "t5_small"])
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


# -- editing


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
    slide(view, "layers", 23)
    assert "layers: 24" in view.text
    assert view.page.text_content("#figure text.count") == "24×"
    assert "× 1.68" in view.page.inner_text("#totals")
    slide(view, "heads", 0)
    assert "attention: {heads: 1}" in view.text
    assert view.status.startswith("Gpt2")
    view.page.click("#revert")
    view.settle()
    assert "layers: 12" in view.text
    slide(view, "tokens", 5)
    view.page.click("#tab-weights")
    assert "32 tokens, batch 1" in view.page.inner_text("#panel-weights .cards")


def slide(view: View, name: str, value: int) -> None:
    view.page.locator(f"input[aria-label='{name}']").evaluate(
        "(input, value) => { input.value = value; input.dispatchEvent(new Event('input')); }", value
    )
    view.settle()


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


# -- outputs


def test_other_tabs_show_their_answers(view: View) -> None:
    view.page.click("#tab-masks")
    view.page.wait_for_selector("#panel-masks svg")
    view.page.click("#tab-difference")
    view.settle()
    assert "Nothing differs" in view.page.inner_text("#panel-difference")
    slide(view, "layers", 5)
    assert "stacks.decoder.layers" in view.page.inner_text("#panel-difference")
    assert view.page.locator("#panel-difference svg g.marked").count() >= 1
    view.page.select_option("#panel-difference select", "llama3_8b")
    view.settle()
    assert view.page.locator("#panel-difference tbody tr").count() > 10
    view.page.click("#tab-resolved")
    assert "decoder:" in view.page.inner_text("#panel-resolved")
    view.example("tiny_fastformer")
    view.page.click("#tab-masks")
    view.settle()
    assert view.page.inner_text("#panel-masks")


def test_exports_are_what_is_shown(view: View, tmp_path: Path) -> None:
    for label, name, part in [
        ("Spec (.yaml)", "gpt2.yaml", "family: decoder-only"),
        ("PyTorch file (.py)", "gpt2.py", "class Gpt2(nn.Module):"),
        ("Figure (.svg)", "gpt2.svg", "<svg xmlns="),
        ("Resolved spec (.yaml)", "gpt2.resolved.yaml", "# default"),
        ("Costs (.json)", "gpt2.json", '"total": 124439808'),
    ]:
        view.page.click("#export")
        with view.page.expect_download() as waiting:
            view.page.click(f"#export-menu button:text-is('{label}')")
        path = tmp_path / name
        waiting.value.save_as(path)
        assert waiting.value.suggested_filename == name
        assert part in path.read_text(encoding="utf-8")


def test_nothing_stale_is_exported(view: View) -> None:
    """The file of the last valid text is not that of this one; the text itself is."""
    view.type("layer: 3")
    view.page.click("#export")
    view.page.click("#export-menu button:text-is('PyTorch file (.py)')")
    assert view.status == "Nothing to export: the spec has errors"
    view.page.click("#export")
    with view.page.expect_download() as waiting:
        view.page.click("#export-menu button:text-is('Spec (.yaml)')")
    assert "layer: 3" in Path(waiting.value.path()).read_text(encoding="utf-8")


def test_a_shared_link_opens_the_same_text(view: View) -> None:
    view.type("bias: false\n")
    view.page.click("#tab-weights")
    view.page.click("#share")
    view.page.wait_for_selector("#status:text-matches('[Ll]ink')")
    link = view.page.url
    assert link.startswith(f"{view.served.address}#spec=")
    assert "token" not in link
    other = View(view.context, view.served)
    other.page.goto(f"{link}&depth=sideways")  # of another version
    other.settle()
    assert other.text == view.text
    assert other.page.input_value("#depth") == "block"
    assert other.page.get_attribute("#tab-weights", "aria-selected") == "true"
    other.page.goto(f"{view.served.address}#spec=damaged")
    other.settle()
    assert other.page.locator("#figure g.node").count() > 8
    assert "is damaged or too long" in other.page.inner_text("#notice")
    assert other.logged == []


@ON_A_SERVER
def test_without_a_token_the_page_says_what_to_do(browser: Any, served: Served) -> None:
    view = View(browser.new_context(), served)
    view.page.goto(served.address)
    view.page.wait_for_selector("#notice:not([hidden])")
    assert "open the address that" in view.page.inner_text("#notice")
    view.context.close()


@ON_A_SERVER
def test_a_stopped_server_is_reported(view: View) -> None:
    view.page.route("**/api/**", lambda route: route.abort())
    view.type("#")
    assert "does not answer" in view.status
    view.page.unroute("**/api/**")
    view.type("#")
    assert view.status.startswith("Gpt2")
    view.logged.clear()  # the browser logs each request that failed


def test_a_watched_file_is_loaded_again(browser: Any, serve: Serve, tmp_path: Path) -> None:
    spec = tmp_path / "mine.yaml"
    spec.write_text(SMALL, encoding="utf-8")
    view = View.open(browser, serve(spec=spec, watch=True))
    assert view.status.startswith("Small")
    spec.write_text(SMALL.replace("name: small", "name: second"), encoding="utf-8")
    view.page.wait_for_selector("#status:text('Second')")
    view.type("bias: false\n")
    spec.write_text(SMALL.replace("name: small", "name: third"), encoding="utf-8")
    view.page.wait_for_selector("#notice:has-text('mine.yaml changed on disk')")
    assert "bias: false" in view.text
    view.page.click("#notice button:text-is('Load it')")
    view.page.wait_for_selector("#status:text('Third')")
    spec.rename(tmp_path / "gone.yaml")
    view.page.wait_for_selector("#notice:has-text('mine.yaml cannot be read any more')")
    (tmp_path / "gone.yaml").rename(spec)
    view.page.wait_for_selector("#notice", state="hidden")
    view.close()


# -- running the model

TINY = "tiny_gpt"
RUN_TIME = 120_000  # milliseconds, in which torch may have to be imported


def run_model(view: View, state: str = "done") -> None:
    view.page.click("#tab-attention")
    view.page.wait_for_selector(f"#panel-attention[data-state={state}] .controls", timeout=RUN_TIME)
    view.settle()


@ON_A_SERVER
def test_the_attention_tab_shows_what_a_query_reads(view: View) -> None:
    view.example(TINY)
    run_model(view)
    page = view.page
    assert page.locator("#panel-attention canvas").count() == 20  # 5 layers of 4 heads
    assert page.inner_text("#panel-attention .reading h3") == "layers.0.attention, head 0"
    words = page.locator(".queries .token").all_inner_texts()
    assert "".join(words) == "To·be,·or·not·to·be"
    assert page.get_attribute(".queries .token:last-child", "aria-pressed") == "true"
    page.click(".queries .token:nth-of-type(2)")
    shares = page.locator(".keys .token small").all_inner_texts()
    assert len(shares) == len(words)
    assert shares[2:] == ["0.0 %"] * (len(words) - 2)  # a causal mask
    assert abs(sum(float(share.split()[0]) for share in shares) - 100) < 0.2
    page.click("#panel-attention .heads:nth-child(5) button:nth-of-type(3)")
    assert page.inner_text("#panel-attention .reading h3") == "layers.4.attention, head 2"
    assert page.locator("#panel-attention [aria-pressed=true]:has(canvas)").count() == 1
    page.hover("#n-layers-block-attention")
    assert page.locator("#panel-attention .heads.partner").count() == 5
    page.hover("#n-layers-block-feed_forward")
    assert page.locator("#panel-attention .heads.partner").count() == 0
    page.hover("#panel-attention .heads:nth-child(2) h4")
    assert view.parts() == {"n-layers-block-attention"}
    rows = {each["y"] for each in boxes(view, "#panel-attention .heads:nth-child(2) button")}
    assert len(rows) == 1  # the heads of a layer are in one row


def boxes(view: View, selector: str) -> list[dict[str, float]]:
    found = view.page.eval_on_selector_all(
        selector,
        "all => all.map((e) => e.getBoundingClientRect()).filter((b) => b.width && b.height)"
        ".map(({x, y, width, height}) => ({x, y, width, height}))",
    )
    return list(found)


@ON_A_SERVER
def test_temperature_and_top_k_change_the_next_token(view: View) -> None:
    view.example(TINY)
    run_model(view)
    rows = view.page.locator(".next tr")
    temperature, top_k = (view.page.locator(".next input").nth(i) for i in (0, 1))

    def shares() -> list[float]:
        return [float(text.split()[0]) for text in rows.locator(".number").all_inner_texts()]

    assert rows.count() == 10
    warm = shares()
    assert abs(sum(warm) - 100) < 0.6
    assert warm == sorted(warm, reverse=True)
    temperature.fill("0.1")
    assert shares()[0] > warm[0]
    assert view.page.evaluate("document.activeElement.type") == "range"
    top_k.fill("1")
    assert shares() == [100.0]


@ON_A_SERVER
def test_the_attention_tab_follows_the_spec_and_says_what_cannot_be_run(view: View) -> None:
    run_model(view, "failed")
    assert "124,439,808 weights; the page runs models of at most" in view.page.inner_text(
        "#panel-attention [role=status]"
    )
    view.example("tiny_t5")
    view.page.wait_for_selector("#panel-attention canvas", timeout=RUN_TIME)
    assert view.page.locator(".next tr").count() == 10
    assert view.page.locator(".heads h4", has_text="cross_attention").count() == 2
    view.page.click(".heads:has(h4:text-is('decoder.layers.0.cross_attention')) button")
    view.page.fill("#panel-attention input[placeholder]", "xy")
    view.page.click("#panel-attention button[type=submit]")
    view.page.wait_for_selector(".queries .token:text-is('y')", timeout=RUN_TIME)


@ON_A_SERVER
def test_figures_are_exported_as_pictures(view: View) -> None:
    for ending, start in (("png", b"\x89PNG"), ("pdf", b"%PDF")):
        view.page.click("#export")
        with view.page.expect_download() as download:
            view.page.click(f"#export-menu button:has-text('.{ending}')")
        assert download.value.suggested_filename == f"gpt2.{ending}"
        assert Path(download.value.path()).read_bytes().startswith(start)


# -- for everybody


def test_axe_finds_no_violation(browser: Any, served: Served) -> None:
    """WCAG 2 A and AA, in both themes and every tab, with a problem, and in the dialogs."""
    if not AXE.is_file():
        pytest.skip("no axe-core here; install it: make explore")
    view = View.open(browser, served, color_scheme="dark")
    view.example(TINY)
    view.page.evaluate(AXE.read_text(encoding="utf-8") + ";0")
    for theme in ("dark", "light"):
        assert view.page.get_attribute("html", "data-theme") == theme
        for tab in ("weights", "masks", "resolved", "difference", "attention", "code"):
            view.page.click(f"#tab-{tab}")
            if tab == "attention" and served.token:
                view.page.wait_for_selector("#panel-attention canvas", timeout=RUN_TIME)
            view.settle()
            view.page.hover("#n-layers-block-attention")
            view.page.wait_for_timeout(130)  # until colours have changed
            assert violations(view, "document" if tab == "code" else "'#output'") == []
        view.type("layer: 3")
        assert violations(view, "document") == []
        view.press("Enter", "Control+Space")
        view.page.wait_for_selector(".cm-tooltip-autocomplete li")
        assert violations(view, "'.cm-tooltip-autocomplete'") == []
        view.press("Escape")
        view.page.click("#revert")
        for button, dialog in (("#examples", "#example-dialog"), ("#help", "#help-dialog")):
            view.page.click(button)
            assert violations(view, f"'{dialog}'") == []
            view.press("Escape")
        view.page.click("#theme")
        view.settle()
    view.close()


def violations(view: View, place: str) -> list[Any]:
    found = view.page.evaluate(
        f"() => axe.run({place}, {{runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa'],"
        " resultTypes: ['violations']}).then((r) => r.violations.map("
        "(v) => [v.id, v.nodes.map((n) => n.html.slice(0, 120) + n.failureSummary).slice(0, 3)]))"
    )
    return list(found)


def test_narrow_screens(browser: Any, served: Served) -> None:
    view = View.open(browser, served, viewport={"width": 390, "height": 844})
    for width in (1024, 760, 390):
        view.page.set_viewport_size({"width": width, "height": 844})
        if width <= 760:
            view.page.click("#views button[data-view=output]")
        for tab in ("code", "weights", "difference", "attention"):
            view.page.click(f"#tab-{tab}")
            view.settle()
            assert view.page.evaluate("document.documentElement.scrollWidth") <= width
            assert_apart(view, f"#panel-{tab}")
    if served.token:
        view.page.click("#views button[data-view=output]")
        view.page.click("#tab-attention")
        open_narrow(view, TINY)
        view.page.wait_for_selector("#panel-attention canvas", timeout=RUN_TIME)
        assert_apart(view, "#panel-attention")
    view.page.click("#views button[data-view=figure]")
    assert_inside(view, "#drawing .zoom", "#drawing")
    view.page.click("#n-layers-block-attention")
    assert view.page.is_visible("#selection")
    assert not view.page.is_visible("#editor")
    assert view.page.locator("#figure svg").bounding_box()["width"] <= 390
    view.close()


def open_narrow(view: View, name: str) -> None:
    """Open an example without waiting for the tab that is open."""
    view.page.click("#examples")
    view.page.fill("#example-filter", name)
    view.page.click(f"#example-list button:has(code:text-is('{name}'))")


def assert_apart(view: View, panel: str) -> None:
    """No text, control or picture of a panel is painted over another one."""
    overlaps = view.page.evaluate(
        """panel => {
          const shown = (e) => e.checkVisibility() && e.getBoundingClientRect().width > 0;
          const plain = 'button, canvas, input, select, h3, h4, p.hint, td, th, dt, caption';
          const named = (e) => `${e.tagName} ${e.textContent.slice(0, 20)}`;
          const all = [...document.querySelectorAll(panel + ' :is(' + plain + ')')].filter(shown);
          const own = all.filter((e) => !e.closest('.cm-editor'));
          const boxes = own.map((e) => [e, e.getBoundingClientRect()]);
          const found = [];
          for (const [one, a] of boxes) for (const [other, b] of boxes) {
            if (one === other || one.contains(other) || other.contains(one)) continue;
            if (one.tagName === 'TH' || other.tagName === 'TH') continue;  // stays in sight
            const wide = Math.min(a.right, b.right) - Math.max(a.left, b.left);
            const high = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
            if (wide > 2 && high > 2) found.push(named(one) + ' / ' + named(other));
          }
          return found.slice(0, 5);
        }""",
        panel,
    )
    assert overlaps == [], panel


def assert_inside(view: View, inner: str, outer: str) -> None:
    """Nothing of an element is cut off by its pane."""
    one, all_ = (view.page.locator(each).bounding_box() for each in (inner, outer))
    assert one["x"] >= all_["x"]
    assert one["x"] + one["width"] <= all_["x"] + all_["width"]


@pytest.mark.parametrize("width", [1024, 1300, 1500])
def test_panes_have_room_for_their_controls(browser: Any, served: Served, width: int) -> None:
    view = View.open(browser, served, viewport={"width": width, "height": 900})
    assert_inside(view, "#drawing .zoom", "#drawing")
    assert_inside(view, "#tab-attention", "#output")
    view.close()


def test_reduced_motion_and_the_theme_are_kept(browser: Any, served: Served) -> None:
    view = View.open(browser, served, reduced_motion="reduce")
    seconds = view.page.eval_on_selector(
        "#figure g.node", "e => getComputedStyle(e).transitionDuration"
    )
    assert seconds == "0s"
    view.page.click("#theme")
    view.settle()
    assert view.page.locator("#figure rect.page").get_attribute("fill") == "#16181C"
    view.page.reload()
    view.settle()
    assert view.page.get_attribute("html", "data-theme") == "dark"
    view.close()


def test_its_policy_stops_scripts_of_others(view: View) -> None:
    run = view.page.evaluate(
        """() => {
            const script = document.createElement('script');
            script.textContent = 'window.ran = true';
            document.body.append(script);
            return window.ran === true;
        }"""
    )
    assert not run
    assert any("Content Security Policy" in text for text in view.logged)
    view.logged.clear()
