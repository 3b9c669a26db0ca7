"""The page of the explorer in a browser, with helpers for its tests."""

from __future__ import annotations

from typing import Any

from explore_server import Served

EDITOR = "#editor .cm-content"
READY = "body[data-state=ready]"
TINY = "tiny_gpt"
RUN_TIME = 120_000  # milliseconds, in which torch may have to be imported


class View:
    """A tab with the page."""

    def __init__(self, context: Any, served: Served) -> None:
        self.context, self.served = context, served
        self.page = context.new_page()
        self.logged: list[str] = []
        self.strangers: list[str] = []
        self.page.on("console", self._log)
        self.page.on("pageerror", lambda error: self.logged.append(str(error)))
        self.page.on("request", self._ask)
        self.page.set_default_timeout(served.wait)

    @classmethod
    def open(cls, browser: Any, served: Served, fragment: str = "", **options: Any) -> View:
        options = {"viewport": {"width": 1500, "height": 900}, **options}
        view = cls(browser.new_context(**options), served)
        view.page.goto(f"{served.address}#token={served.token}{fragment}")
        view.settle()
        return view

    def _log(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.logged.append(message.text)

    def _ask(self, request: Any) -> None:
        if not request.url.startswith((self.served.address, "blob:", "data:")):
            self.strangers.append(request.url)

    def close(self) -> None:
        assert not self.logged, self.logged
        assert not self.strangers, self.strangers
        self.context.close()

    # -- doing

    def settle(self) -> None:
        """Wait for the answers to what was done last."""
        self.page.wait_for_selector(READY)

    def example(self, name: str) -> None:
        self.page.click("#examples")
        self.page.fill("#example-filter", name)
        self.page.click(f"#example-list button:has(code:text-is('{name}'))")
        self.settle()

    def type(self, text: str) -> None:
        """Type at the end of the spec."""
        self.page.click(EDITOR)
        self.page.keyboard.press("Control+End")
        self.page.keyboard.type(text)
        self.settle()

    def slide(self, name: str, value: int) -> None:
        """Move the slider of this name."""
        self.page.locator(f"input[aria-label='{name}']").evaluate(
            "(input, value) => { input.value = value; input.dispatchEvent(new Event('input')); }",
            value,
        )
        self.settle()

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def undo(self, text: str) -> None:
        """Undo what was typed until the spec is a text again: slow typing is undone in pieces."""
        for _ in range(20):
            if self.text != text:
                self.press("Control+z")
        assert self.text == text
        self.settle()

    # -- seeing

    @property
    def status(self) -> str:
        return str(self.page.inner_text("#status"))

    @property
    def text(self) -> str:
        """The text of the spec, as the editor has it."""
        return "\n".join(self.lines(EDITOR))

    def lines(self, content: str) -> list[str]:
        """The lines of an editor that are in sight."""
        found = self.page.eval_on_selector_all(
            f"{content} .cm-line", "lines => lines.map((line) => line.textContent)"
        )
        return list(found)

    def marked(self) -> dict[str, int]:
        """How many items the footer says are marked, by their names."""
        counts = self.page.eval_on_selector_all(
            "#selection .count", "all => all.map((each) => each.textContent)"
        )
        return {words.split(" ", 1)[1]: int(words.split(" ", 1)[0]) for words in counts}

    def parts(self, kind: str = "partner") -> set[str]:
        """The ids of the marked parts of the figure."""
        found = self.page.eval_on_selector_all(
            f"#figure g.{kind}", "all => all.map((each) => each.id)"
        )
        return set(found)
