"""The page in Firefox, which edits text in its own way: typing and undo."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from explore_firefox import FIREFOX, Firefox, firefox
from explore_server import Serve

BUNDLE = Path(__file__).parents[2] / "explorer" / "bundle"
TEXT = "[...document.querySelectorAll('#editor .cm-line')].map((e) => e.textContent).join('\\n')"
READY = "document.body.dataset.state === 'ready'"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("browser"),
    pytest.mark.skipif(
        FIREFOX is None, reason="no Firefox here; install it: apt-get install firefox-esr"
    ),
    pytest.mark.skipif(
        not (BUNDLE / "page.js").is_file(),
        reason="the page of the explorer is not built; build it: make explore",
    ),
]


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Firefox]:
    with firefox(tmp_path_factory.mktemp("firefox")) as started:
        yield started


@pytest.fixture
def page(browser: Firefox, serve: Serve) -> Iterator[Firefox]:
    """The page with gpt2, its caret at the end of the spec. An error of the page fails the test."""
    served = serve()
    browser.open("about:blank")
    browser.open(f"{served.address}#token={served.token}")
    browser.wait("document.querySelector('#status.good')")
    browser.run(
        "window.failed = []; window.addEventListener('error', (e) => failed.push(e.message));"
        "document.querySelector('#editor .cm-content').focus()"
    )
    browser.press("Control+End")
    yield browser
    assert browser.run("return failed") == []


def text(page: Firefox) -> str:
    return str(page.run(f"return {TEXT}"))


def settled(page: Firefox) -> str:
    """The footer, after the answers to what was done last."""
    page.wait(READY)
    return str(page.run("return document.querySelector('#status').textContent"))


def press_until(page: Firefox, keys: str, expected: str) -> None:
    """Until the editor has a text: what was typed slowly is undone in pieces."""
    for _ in range(20):
        if text(page) != expected:
            page.press(keys)
    assert text(page) == expected


def test_typing_is_undone_and_done_again(page: Firefox) -> None:
    before = text(page)
    page.press(*"layer: 3")
    assert settled(page) == "1 error"
    press_until(page, "Control+z", before)
    assert settled(page).startswith("Gpt2 · 124.4")
    press_until(page, "Control+y", f"{before}layer: 3")
    assert settled(page) == "1 error"
    press_until(page, "Control+z", before)


def test_typing_over_several_lines_is_undone_at_once(page: Firefox) -> None:
    before = text(page)
    page.press("Control+Home", "Control+Shift+End", "x")
    assert text(page) == "x"
    settled(page)
    page.press("Control+z")
    assert text(page) == before
    assert settled(page).startswith("Gpt2 · 124.4")


def test_a_slider_and_keys_are_undone_in_turn(page: Firefox) -> None:
    before = text(page)
    page.press("#")
    page.run(
        "const slider = document.querySelector(\"input[aria-label='layers']\");"
        "slider.value = 23; slider.dispatchEvent(new Event('input'))"
    )
    assert "layers: 24" in text(page)
    assert settled(page).startswith("Gpt2 · 209.5")
    page.press("Control+z")
    assert text(page) == f"{before}#"
    page.press("Control+z")
    assert text(page) == before
    assert settled(page).startswith("Gpt2 · 124.4")


def test_lines_and_parts_are_linked(page: Firefox) -> None:
    line = text(page).splitlines().index("attention: {heads: 12}")
    page.press("Control+Home", *["ArrowDown"] * line)
    marked = page.run(
        "return [...document.querySelectorAll('#figure g.partner')].map((part) => part.id)"
    )
    assert marked == ["n-layers-block-attention", "n-layers-block-add-1"]
    assert page.run("return document.querySelectorAll('#panel-code .partner').length") > 3
