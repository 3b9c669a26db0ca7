"""Reports that the tests of this folder look at."""

from __future__ import annotations

from pathlib import Path

import modelwright as mw

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = sorted((ROOT / "examples").glob("*.yaml"))

SMALL = """
name: small
family: decoder-only
vocab_size: 50
max_positions: 16
d_model: 8
layers: 3
attention: {heads: 4, kv_heads: 2}
feed_forward: {d_ff: 20}
positions: learned
"""


def report_of(text: str, sets: tuple[str, ...] = (), **options: object):
    return mw.report(mw.lower(mw.loads(text, sets=sets)), **options)


def example(name: str):
    return mw.lower(mw.load(ROOT / "examples" / f"{name}.yaml"))


HEAD = "head: language_model\n"
