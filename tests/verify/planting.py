"""A fault of the compiler's source in a process of its own, and the laws that fail there.

python tests/verify/planting.py "embeddings are not dropped"
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

TESTS = Path(__file__).parents[1]
ROOT = TESTS.parent
WRITTEN: dict[str, Any] = yaml.safe_load(
    Path(__file__).with_name("source_faults.yaml").read_text(encoding="utf-8")
)
FAULTS: dict[str, dict[str, str]] = {one["title"]: one for one in WRITTEN["faults"]}
LAWS = (
    ("levels", "oracle", "weights", "future", "padding", "init", "loss"),
    ("dropout", "generate", "beams", "stopping", "sampling", "cache", "rows", "sharing", "errors"),
    ("gradients", "lengths", "bfloat16", "config", "options", "absent"),
    ("reference", "float32", "dtype", "mask", "documents", "order", "differences", "kernels"),
    ("tiles", "traced", "costs", "compile", "export"),
)
"""In the order in which they are tried: those first that are quick and find most."""


def found_by(title: str) -> list[str]:
    """The laws of the first group of which one fails, or what is raised; none where all hold."""
    words = [sys.executable, __file__, title]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def main(title: str) -> None:
    plant(FAULTS[title])
    from modelwright.backends.verify import LAWS as ALL

    assert {law.name for law in ALL} == {name for group in LAWS for name in group}
    for group in LAWS:
        try:
            failed = failing(FAULTS[title]["example"], group)
        except Exception as error:  # it cannot compile what it should
            failed = [type(error).__name__]
        if failed:
            print(*failed)
            return


def plant(fault: dict[str, str]) -> None:
    """Have one module be made from the changed text."""
    sys.path[:0] = [str(TESTS)]
    from mutate.hook import install
    from mutate.mutants import Mutant

    text, before = (ROOT / fault["path"]).read_bytes(), fault["before"].encode()
    assert text.count(before) == 1, f"{fault['title']}: {fault['path']} has changed"
    start = text.index(before)
    place = start, start + len(before)
    install(Mutant(fault["path"], 0, "", "planted", *place, fault["before"], fault["after"]))


def model_of(name: str) -> dict[str, Any]:
    """The data of a model of the faults' own."""
    own: dict[str, Any] = WRITTEN["models"][name]
    return own if "name" in own else {**WRITTEN["small"], **own}


def failing(example: str, laws: tuple[str, ...]) -> list[str]:
    """The laws that fail on an example, or on a model of the faults' own."""
    from modelwright.backends.verify import verify
    from modelwright.backends.verify.levels import Document
    from modelwright.spec import loads

    if example not in WRITTEN["models"]:
        report = verify(ROOT / "examples" / f"{example}.yaml", laws=laws)
        return [one.law for one in report.failures]
    data = model_of(example)
    report = verify(loads(yaml.safe_dump(data)), laws=laws, document=Document(data))
    return [one.law for one in report.failures]


if __name__ == "__main__":
    main(sys.argv[1])
