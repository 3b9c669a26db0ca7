"""The page in Chromium: what its tabs show and export, and the model that it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from explore_server import SMALL, Serve, Served
from explore_view import RUN_TIME, TINY, View

pytestmark = pytest.mark.browser
ON_A_SERVER = pytest.mark.parametrize("served", ["server"], indirect=True)
"""For what the page cannot do as files, without a server."""


# -- outputs


def test_other_tabs_show_their_answers(view: View) -> None:
    view.page.click("#tab-masks")
    view.page.wait_for_selector("#panel-masks svg")
    view.page.click("#tab-difference")
    view.settle()
    assert "Nothing differs" in view.page.inner_text("#panel-difference")
    view.slide("layers", 5)
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
