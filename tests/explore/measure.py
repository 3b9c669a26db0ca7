"""Milliseconds from a key press until every pane shows the new text, for each example.

`python tests/explore/measure.py [EXAMPLE …]` starts `modelwright explore`, types a character behind
the name of the model, some times for each example, and prints medians: of the figure, of all panes,
and of the processor time of the three answers, which a busy machine changes less. The other two
need a quiet one.
"""

from __future__ import annotations

import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

TIMES = 7
PROBE = """
(() => {
  const done = new MutationObserver(() => {
    const now = performance.now();
    if (document.body.dataset.state === 'ready') window.panes = now;
  });
  done.observe(document.body, {attributes: true, attributeFilter: ['data-state']});
  new MutationObserver(() => { window.figure = performance.now(); })
    .observe(document.querySelector('#figure'), {childList: true});
  document.querySelector('#editor').addEventListener(
    'keydown', () => { window.pressed = performance.now(); }, true);
})()
"""


@contextmanager
def started() -> Iterator[str]:
    """The address of a server in a process of its own, as users start it."""
    command = [sys.executable, "-m", "modelwright", "explore", "--no-browser", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            yield server.stdout.readline().strip()
        finally:
            server.terminate()


def main(names: list[str]) -> None:
    from playwright.sync_api import sync_playwright

    from modelwright.explorer.process import collect_less
    from modelwright.explorer.start import EXAMPLES

    names = names or sorted(path.stem for path in EXAMPLES.glob("*.yaml"))
    with started() as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_page(viewport={"width": 1500, "height": 900})
        page.goto(address)
        page.wait_for_selector("#status.good")
        page.evaluate(PROBE)
        found = {name: _measure(page, name) for name in names}
    collect_less()  # as in the server's process
    found = {name: (*shown, *_answers(name)) for name, shown in found.items()}
    for name, times in found.items():
        figure, panes, *answers = times
        each = " + ".join(f"{time:5.1f}" for time in answers)
        print(f"{name:24} figure {figure:6.1f}   all panes {panes:6.1f}   processor {each}")
    for index, what in enumerate(("figure", "all panes")):
        medians = [each[index] for each in found.values()]
        print(f"{what}: median {statistics.median(medians):.1f}, most {max(medians):.1f}")
    sums = [sum(each[2:]) for each in found.values()]
    print(f"processor: median {statistics.median(sums):.1f}, most {max(sums):.1f}")


def _answers(name: str) -> list[float]:
    """Processor time of the three answers about a text that is new each time."""
    from modelwright.explorer import answer
    from modelwright.explorer.start import EXAMPLES

    text = (EXAMPLES / f"{name}.yaml").read_text(encoding="utf-8")
    times = []
    for number in range(TIMES):
        asked = {"text": f"{text}# {number}\n", "name": f"{name}.yaml"}
        clock = [time.process_time()]
        for ask in ("figure", "code", "links"):
            answer({"ask": ask, **asked}, EXAMPLES)
            clock.append(time.process_time())
        times.append([after - before for before, after in pairwise(clock)])
    return [1000 * statistics.median(each) for each in zip(*times, strict=True)]


def _measure(page: Any, name: str) -> tuple[float, float]:
    page.click("#examples")
    page.fill("#example-filter", name)
    page.click(f"#example-list button:has(code:text-is('{name}'))")
    page.wait_for_selector("body[data-state=ready]")
    page.locator("#editor .cm-line", has_text="name:").first.click()
    page.keyboard.press("End")
    times = []
    for _ in range(TIMES):
        page.keyboard.press("a")
        while not page.evaluate("window.panes > window.pressed"):
            page.wait_for_timeout(4)
        times.append(
            page.evaluate("[window.figure - window.pressed, window.panes - window.pressed]")
        )
        page.wait_for_timeout(30)
    figure, panes = zip(*times, strict=True)
    return statistics.median(figure), statistics.median(panes)


if __name__ == "__main__":
    main(sys.argv[1:])
