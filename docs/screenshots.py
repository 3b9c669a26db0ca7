"""Take the screenshots of explore.md with Chromium: `make screenshots`.

python docs/screenshots.py maps.png     one of them
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from playwright.sync_api import sync_playwright

import modelwright as mw

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


def maps(page: Any) -> None:
    """What a trained model reads; a head and a query are chosen."""
    page.click("#tab-attention")
    page.wait_for_selector("#panel-attention canvas", timeout=180_000)
    page.fill("#panel-attention input", "abcdefabcdef")
    page.click("#panel-attention button[type=submit]")
    page.wait_for_selector(".queries .token:text-is('f')")
    page.click("#panel-attention .heads:first-child button:nth-of-type(2)")
    page.click(".queries .token:nth-of-type(10)")


SHOTS = {
    "attention.png": (attention, {"viewport": {"width": 1440, "height": 860}}),
    "costs.png": (costs, {"viewport": {"width": 1440, "height": 860}}),
    "problem.png": (problem, {"viewport": {"width": 1440, "height": 860}}),
    "maps.png": (maps, {"viewport": {"width": 1440, "height": 860}}),
}
"""File -> what is done before the screenshot, and the size of the window."""


COPIER = """\
# Reads random letters twice and learns to predict the second time
name: copier
family: decoder-only
vocab_size: 256
d_model: 32
layers: 2
positions: rotary
attention: {heads: 4}
head: language_model
"""


def trained(folder: Path) -> tuple[Path, str, Path]:
    """A spec and the weights of a model that copies, trained for a few seconds."""
    spec, weights = folder / "copier.yaml", folder / "copier.safetensors"
    spec.write_text(COPIER, encoding="utf-8")
    model = mw.compile(spec, seed=0)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    generator = torch.Generator().manual_seed(0)
    for _ in range(400):
        ids = torch.randint(97, 113, (64, 6), generator=generator).repeat(1, 2)
        logits = model(ids)[:, 5:-1].flatten(0, 1)
        loss = torch.nn.functional.cross_entropy(logits, ids[:, 6:].flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    mw.save_weights(model, weights)
    return spec, "--weights", weights


@contextmanager
def server(*more: str | Path) -> Iterator[str]:
    """The address of a running `modelwright explore`."""
    words = [sys.executable, "-m", "modelwright", "explore", "--no-browser", "--port", "0"]
    words += map(str, more)
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
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        for name in sys.argv[1:] or SHOTS:
            act, options = SHOTS[name]
            with server(*(trained(Path(folder)) if act is maps else ())) as address:
                shoot(browser, address, name, act, options)


def shoot(browser: Any, address: str, name: str, act: Any, options: dict[str, Any]) -> None:
    page = browser.new_context(**options).new_page()
    page.goto(address)
    page.wait_for_selector("#status.good")
    act(page)
    page.wait_for_selector(READY)
    page.wait_for_timeout(600)  # until the panes have scrolled
    # The time that the answers took differs from run to run.
    page.eval_on_selector(
        "#status", "e => { e.textContent = e.textContent.replace(/ · [0-9.]+ m?s$/, ''); }"
    )
    page.screenshot(path=SCREENSHOTS / name)
    print(f"wrote docs/explore/{name}")


if __name__ == "__main__":
    main()
