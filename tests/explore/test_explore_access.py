"""The page in Chromium for everybody: contrast, narrow screens, reduced motion, its policy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from explore_server import Served
from explore_view import RUN_TIME, TINY, View

AXE = Path(__file__).parents[2] / "explorer/page/node_modules/axe-core/axe.min.js"
pytestmark = pytest.mark.browser


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
