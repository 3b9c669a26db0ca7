"""`mw.explore(spec)`: the page as a notebook widget, its messages and its front end."""

from __future__ import annotations

import builtins
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from explore_server import SMALL
from explore_view import EDITOR, READY

import modelwright as mw
from modelwright.explorer import page_files

NOTEBOOK = "http://notebook.test/"
HARNESS = """<!doctype html><title>notebook</title>
<body data-jp-theme-light="false"><div id="one"></div><div id="two"></div>
<script type="module">
import widget from "/widget.js";
const listeners = new Set();
const model = {
  get: (name) => ({ height: 640 })[name],
  on: (name, take) => listeners.add(take),
  off: (name, take) => listeners.delete(take),
  send: async (message) => {
    for (const reply of await kernel(message)) for (const take of [...listeners]) take(reply);
  },
};
const cells = [...document.querySelectorAll("div")];
window.shown = cells.map((el) => widget.render({ model, el }));
</script>"""
PAGE = """<!doctype html>
<html lang="en">
<head>
<link rel="stylesheet" href="page.css" nonce="{nonce}">
<script type="module" src="page.js" nonce="{nonce}"></script>
</head>"""


class Kernel:
    """A widget, and the messages that it sends."""

    def __init__(self, *given: Any, **options: Any) -> None:
        self.widget = mw.explore(*given, **options)
        self.sent: list[dict[str, Any]] = []
        self.widget.send = self.sent.append

    def take(self, message: dict[str, Any]) -> list[dict[str, Any]]:
        """What the widget sends when the front end sends a message."""
        self.sent.clear()
        self.widget._handle_custom_msg(message, [])
        return list(self.sent)

    def ask(self, path: str, **body: Any) -> Any:
        [reply] = self.take({"view": "v", "id": 7, "path": path, "body": json.dumps(body)})
        assert (reply["view"], reply["id"]) == ("v", 7)
        return json.loads(reply["said"])


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in for the built page, which may not be there."""
    pytest.importorskip("anywidget", reason="needs the extra `notebook`")
    files = {"index.html": PAGE, "page.js": "let x;", "page.css": "b {}", "widget.js": "let y;"}
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    monkeypatch.setattr(page_files, "BUNDLE", tmp_path)


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    path = tmp_path / "mine.yaml"
    path.write_text(SMALL, encoding="utf-8")
    return path


@pytest.mark.usefixtures("page")
def test_the_kernel_answers_the_page(spec: Path) -> None:
    kernel = Kernel(spec)
    assert kernel.ask("start")["file"]["name"] == "mine.yaml"
    assert kernel.widget.text == SMALL
    edited = SMALL.replace("layers: 2", "layers: 3")
    found = kernel.ask("answer", ask="figure", text=edited, name="mine.yaml")
    assert found["class"] == "Small"
    assert mw.loads(kernel.widget.text).stacks["decoder"].layers == 3
    assert spec.read_text(encoding="utf-8") == SMALL  # the file is never written


@pytest.mark.usefixtures("page")
def test_a_spec_a_graph_or_no_argument_can_be_shown() -> None:
    loaded = mw.loads(SMALL)
    for source in (loaded, mw.lower(loaded)):
        opened = Kernel(source).ask("start")["file"]
        assert opened["name"] == "small.yaml"
        assert mw.loads(opened["text"]) == mw.loads(mw.to_yaml(loaded))
    kernel = Kernel()
    assert kernel.ask("start")["file"] is None
    assert kernel.widget.text == kernel.ask("start")["examples"]["gpt2"]
    with pytest.raises(FileNotFoundError):
        mw.explore("gone.yaml")


@pytest.mark.usefixtures("page")
def test_a_spec_extends_files_of_its_folder(spec: Path) -> None:
    asked = {"ask": "figure", "text": "extends: mine.yaml\nname: more\n", "name": "b.yaml"}
    assert Kernel(spec).ask("answer", **asked, folder="spec")["class"] == "More"
    assert "problems" in Kernel(spec).ask("answer", **asked, folder="examples")


@pytest.mark.usefixtures("page")
def test_models_run_with_the_files_of_the_notebook(spec: Path, tmp_path: Path) -> None:
    weights = tmp_path / "a.safetensors"
    weights.touch()
    kernel = Kernel(spec, weights=weights)
    asked: list[dict[str, Any]] = []
    kernel.widget._questions.runner.run = lambda given: asked.append(given) or {"error": "later"}
    assert kernel.ask("run", text=SMALL, prompt="a") == {"error": "later"}
    assert asked[0]["weights"] == str(weights)
    assert asked[0]["tokenizer"] is None
    refused = kernel.ask("run", text=SMALL, prompt="a", weights="b.safetensors")
    assert refused["refused"].startswith("weights: Extra inputs")


@pytest.mark.usefixtures("page")
def test_invalid_requests_are_refused(spec: Path) -> None:
    kernel = Kernel(spec)
    assert kernel.ask("file") == {"refused": "there is no question `file`"}
    assert "ask" in kernel.ask("answer", ask="x", text="")["refused"]
    [reply] = kernel.take({"view": "v", "id": 7, "path": "answer", "body": "{"})
    assert reply["failed"].startswith("JSONDecodeError")


@pytest.mark.usefixtures("page")
def test_the_page_is_one_text_with_its_own_policy() -> None:
    kernel = Kernel()
    [dark] = kernel.take({"view": "v", "path": "page", "theme": "dark"})
    assert 'data-place="notebook" data-given="dark"' in dark["page"]
    [plain] = kernel.take({"view": "v", "path": "page", "theme": '"><script>'})
    assert '<html lang="en" data-place="notebook">' in plain["page"]
    text = plain["page"]
    assert "{nonce}" not in text
    assert "connect-src" not in text.partition("default-src 'none';")[2]
    assert "'unsafe-" not in text
    assert text.index("Content-Security-Policy") < text.index("<script")


def test_without_the_extra_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [each for each in sys.modules if each == "modelwright.explorer.widget"]:
        monkeypatch.delitem(sys.modules, name)
    ordinary = builtins.__import__

    def without(name: str, *rest: Any, **more: Any) -> Any:
        if name == "anywidget":
            raise ModuleNotFoundError("No module named 'anywidget'", name="anywidget")
        return ordinary(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'modelwright\[notebook\]'"):
        mw.explore()


# -- in a browser


@pytest.fixture
def notebook(browser: Any) -> Iterator[tuple[Any, Kernel]]:
    """A page that shows a widget twice, as a notebook would, and its kernel."""
    pytest.importorskip("anywidget", reason="needs the extra `notebook`")
    kernel = Kernel(mw.loads(SMALL))
    context = browser.new_context(viewport={"width": 1100, "height": 1400})
    page = context.new_page()
    logged: list[str] = []
    page.on("console", lambda each: logged.append(each.text) if each.type == "error" else None)
    page.on("pageerror", lambda error: logged.append(str(error)))
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    files = page_files.bundle("widget.js")
    page.expose_function("kernel", kernel.take)
    page.route(
        f"{NOTEBOOK}**",
        lambda route: (
            route.fulfill(body=files["widget.js"], content_type="text/javascript")
            if route.request.url.endswith("widget.js")
            else route.fulfill(body=HARNESS, content_type="text/html")
        ),
    )
    page.goto(NOTEBOOK)
    yield page, kernel
    assert logged == []
    assert [url for url in asked if not url.startswith((NOTEBOOK, "data:", "about:"))] == []
    context.close()


@pytest.mark.browser
def test_the_widget_shows_the_page(notebook: tuple[Any, Kernel]) -> None:
    page, kernel = notebook
    one, two = (page.frame_locator(f"#{name} iframe") for name in ("one", "two"))
    for frame in (one, two):
        frame.locator("#status:has-text('Small')").wait_for()
    assert one.locator("html").get_attribute("data-theme") == "dark"
    assert not one.locator("#share").is_visible()
    box = page.locator("#one iframe").bounding_box()
    assert (box["width"], box["height"]) == (page.evaluate("one.clientWidth"), 640)  # with borders
    one.locator(f"{EDITOR} .cm-line", has_text="layers: 2").click()
    page.keyboard.press("End")
    page.keyboard.type("0")
    one.locator("text.count:has-text('20×')").wait_for()
    one.locator(READY).wait_for()
    assert mw.loads(kernel.widget.text).stacks["decoder"].layers == 20
    assert two.locator("#figure text.count").text_content() == "2×"  # a view of its own
    page.keyboard.type("x")
    one.locator("#problems .error").wait_for()
    page.keyboard.press("Backspace")
    one.locator("#tab-weights").click()
    one.locator("#n-layers-block-attention").click()
    assert one.locator("#panel-weights tr.partner").count() == 8
    with page.expect_download() as waiting:
        one.locator("#export").click()
        one.locator("#export-menu button:text-is('PyTorch file (.py)')").click()
    assert "class Small(nn.Module):" in Path(waiting.value.path()).read_text(encoding="utf-8")


@pytest.mark.browser
def test_the_page_cannot_touch_the_notebook(notebook: tuple[Any, Kernel]) -> None:
    page, _ = notebook
    page.frame_locator("#one iframe").locator("#status:has-text('Small')").wait_for()
    frame = page.query_selector("#one iframe").content_frame()
    assert frame.evaluate("origin") == "null"
    reach = "() => { try { return Boolean(parent.document); } catch { return 'refused'; } }"
    assert frame.evaluate(reach) == "refused"
    page.evaluate("shown.forEach((close) => close())")  # views that are closed take no messages
    page.evaluate("document.querySelector('#one iframe').remove()")


@pytest.mark.usefixtures("page")
@pytest.mark.parametrize("file", ["weights", "tokenizer"])
def test_a_file_that_is_missing_is_an_error_at_once(file: str, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="nowhere: no such file"):
        mw.explore(mw.loads(SMALL), **{file: tmp_path / "nowhere"})
