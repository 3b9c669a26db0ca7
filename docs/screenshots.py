"""Take the screenshots of explore.md with Chromium: `make screenshots`."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

SCREENSHOTS = Path(__file__).resolve().parent / "explore"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--font-render-hinting=none",
]
READY = "body[data-state=ready]"


def attention(page: Any) -> None:
    """GPT-2's attention, pinned: its lines of YAML, code and weights are highlighted."""
    page.click("#n-layers-block-attention")


def costs(page: Any) -> None:
    """Weights and costs of T5, dark, after the number of layers was doubled."""
    page.click("#examples")
    page.click("#example-list button:has(code:text-is('t5_small'))")
    page.wait_for_selector("#status:has-text('T5Small')")
    page.click("#theme")
    page.click("#tab-weights")
    page.locator("input[aria-label='layers']").evaluate(
        "(input) => { input.value = 11; input.dispatchEvent(new Event('input')); }"
    )
    page.wait_for_selector(READY)
    page.click("#n-decoder-layers-block-cross_attention")


def problem(page: Any) -> None:
    """A misspelt key, and the figure of the last valid version."""
    page.click("#editor .cm-content")
    page.keyboard.press("Control+End")
    page.keyboard.type("norm_placment: post")
    page.keyboard.press("Escape")


SHOTS = {
    "attention.png": (attention, {"viewport": {"width": 1440, "height": 860}}),
    "costs.png": (costs, {"viewport": {"width": 1440, "height": 860}}),
    "problem.png": (problem, {"viewport": {"width": 1440, "height": 860}}),
}
"""File -> what is done before the screenshot, and the size of the window."""


@contextmanager
def server() -> Iterator[str]:
    """The address of a running `modelwright explore`."""
    words = [sys.executable, "-m", "modelwright", "explore", "--no-browser", "--port", "0"]
    running = subprocess.Popen([*words, "--quiet"], stdout=subprocess.PIPE, text=True)
    assert running.stdout is not None
    try:
        yield running.stdout.readline().strip()
    finally:
        running.terminate()
        running.wait()


def main() -> None:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        sys.exit("no Chromium here; install it: apt-get install chromium")
    with server() as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        for name, (act, options) in SHOTS.items():
            page = browser.new_context(**options).new_page()
            page.goto(address)
            page.wait_for_selector("#status.good")
            act(page)
            page.wait_for_selector(READY)
            page.wait_for_timeout(600)  # until the panes have scrolled
            # The time that the answers took differs from run to run.
            page.eval_on_selector(
                "#status", "e => { e.textContent = e.textContent.replace(/ · [0-9]+ ms$/, ''); }"
            )
            page.screenshot(path=SCREENSHOTS / name)
            print(f"wrote docs/explore/{name}")


if __name__ == "__main__":
    main()
