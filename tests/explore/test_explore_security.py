"""Every row of the security table of docs/explore.md has a test; some of them are here."""

from __future__ import annotations

import base64
import re
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import pytest
from explore_server import SMALL, Serve, Served
from explore_view import READY, View

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs/explore.md"
TESTS = {
    "other machines": ("it_listens_at_this_machine_alone", "bad_options_are_errors"),
    "other users of the machine": (
        "questions_need_the_token",
        "tokens_are_new_and_no_page_has_them",
        "without_a_token_the_page_says_what_to_do",
    ),
    "a site whose name resolves to 127.0.0.1 (DNS rebinding)": (
        "names_that_others_point_at_this_machine_are_refused",
        "a_host_that_was_given_may_be_named",
    ),
    "requests from other pages": (
        "questions_of_other_origins_are_refused",
        "requests_of_other_sites_are_refused",
        "forms_of_other_pages_cannot_ask",
    ),
    "framing, MIME sniffing, caching": ("every_answer_has_the_headers_that_protect_it",),
    "scripts in a spec or a shared link": (
        "a_spec_cannot_put_a_script_into_the_page",
        "texts_of_a_spec_are_not_markup",
        "the_page_may_run_its_own_script_alone",
        "its_policy_stops_scripts_of_others",
        "the_policy_allows_no_script_in_the_page",
        "the_page_is_one_text_with_its_own_policy",
    ),
    "large requests": ("long_bodies_are_refused", "a_link_that_inflates_too_far_is_refused"),
    "other files on disk": (
        "only_listed_files_are_served",
        "extends_reads_the_folder_of_the_examples_or_of_the_spec",
    ),
    "a spec whose model is too large or too slow": (
        "models_that_cannot_be_run_are_reported",
        "a_run_that_takes_too_long_is_stopped_and_the_next_one_works",
        "memory_of_a_run_is_limited",
    ),
    "third-party code": (
        "no_question_can_name_a_plugin",
        "the_command_line_says_which_plugins_are_loaded",
    ),
    "untrusted weights": (
        "the_server_runs_models_with_its_own_files_only",
        "no_weights_can_be_named",
    ),
    "a client that sends many requests": ("only_the_last_question_of_a_page_is_answered",),
    "a notebook that shows the page": ("the_page_cannot_touch_the_notebook",),
}
"""The first cell of each row, and the tests of its protection."""


def test_every_row_of_the_table_has_a_test() -> None:
    table = PAGE.read_text(encoding="utf-8").partition("| threat | protection |\n|---|---|\n")[2]
    rows = re.findall(r"^\| (.*?) \|", table.partition("\n\n")[0], re.M)
    assert rows == list(TESTS)
    texts = [path.read_text(encoding="utf-8") for path in HERE.glob("test_*.py")]
    written = {name for text in texts for name in re.findall(r"^def test_(\w+)\(", text, re.M)}
    assert {name for tests in TESTS.values() for name in tests} - written == set()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit of address space")
def test_memory_of_a_run_is_limited() -> None:
    code = (
        "from modelwright.explorer.worker import MOST_BYTES, limit_memory\n"
        "limit_memory()\n"
        "try:\n    bytearray(MOST_BYTES)\n"
        "except MemoryError:\n    print('refused')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "refused\n"


# -- in a browser

LINK = "<img src=x onerror='window.ran = 1'><script>window.ran = 1</script>"


def fragment(text: str) -> str:
    """A spec as in the address of the page."""
    packer = zlib.compressobj(wbits=-15)
    data = packer.compress(text.encode()) + packer.flush()
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


@pytest.mark.browser
def test_texts_of_a_spec_are_not_markup(browser: Any, served: Served) -> None:
    """Names, descriptions and keys are shown as they are written, in every pane."""
    text = SMALL + f'description: "{LINK}"\n'
    view = View.open(browser, served, f"&spec={fragment(text)}")
    assert view.status.startswith("Small · ")
    assert LINK in view.page.inner_text("#panel-code").replace('"', "'")
    for tab in ("weights", "masks", "resolved", "difference"):
        view.page.click(f"#tab-{tab}")
        view.settle()
    view.type(f'"{LINK}": 1\n')
    assert "<img" in view.page.inner_text("#problems")
    assert view.page.locator("img").count() == 0
    assert view.page.evaluate("window.ran") is None
    view.close()


@pytest.mark.browser
def test_a_link_that_inflates_too_far_is_refused(browser: Any, served: Served) -> None:
    view = View.open(browser, served, f"&spec={fragment('#' * 10_000_000)}")
    assert view.page.inner_text("#file") == "gpt2.yaml"
    assert len(view.text) < 1000
    view.close()


@pytest.mark.browser
def test_it_opens_from_another_machine(browser: Any, serve: Serve) -> None:
    """Browsers offer fewer functions to a page that is neither HTTPS nor of this machine."""
    served = serve(host="box.test", token="a token of more than 16")
    page = browser.new_page()
    failed: list[str] = []
    page.on("pageerror", lambda error: failed.append(str(error)))
    page.goto(f"http://box.test:{served.port}/#token={served.token}")
    page.wait_for_selector(READY)
    page.wait_for_selector("#status:has-text('Gpt2')")
    assert not page.evaluate("window.isSecureContext")
    page.click("#share")
    page.wait_for_selector("#status:text-matches('[Ll]ink')")
    assert failed == []
    page.close()
