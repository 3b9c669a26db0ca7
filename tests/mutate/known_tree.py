"""Update the cached results of the unchanged tree, each part in a separate process."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Collection

from .areas import ROOT

PARTS = {
    "tests": "from tests.mutate.coverage import make",
    "specs": "from tests.mutate.known import make",
    "folders": "from tests.mutate.folders import make",
}
NEEDS = {"oracle": "specs", "writings": "specs", "library": "folders"}
"""Judge -> what it judges by."""
START = "import sys; sys.path[:0] = ['tests', 'tests/parity']; {}; make()"


def make(judges: Collection[str]) -> None:
    """Minutes for a new tree, nothing for a known one."""
    for part in ("tests", *sorted({NEEDS[judge] for judge in judges})):
        words = [sys.executable, "-c", START.format(PARTS[part])]
        subprocess.run(words, cwd=ROOT, check=True)
