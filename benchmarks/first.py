"""Time from a spec to the first logits, in fresh processes, alternately."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from .measure import Timed, alternate
from .models import EXAMPLES, LIBRARY, OURS

IDS = "torch.arange(8)[None]"
OURS_CODE = f"""
import torch, modelwright as mw
mw.compile({str(EXAMPLES / "tiny_gpt.yaml")!r})({IDS})
"""
LIBRARY_CODE = f"""
import torch
from transformers import GPT2Config, GPT2LMHeadModel
GPT2LMHeadModel(GPT2Config(vocab_size=256, n_embd=128, n_layer=4, n_head=4, n_positions=256))({IDS})
"""


def first_logits(rounds: int) -> Timed:
    """Time to start Python, import, build a tiny GPT from its spec and compute its first logits."""

    def run(code: str) -> Callable[[], object]:
        place = Path(__file__).resolve().parent.parent
        return lambda: subprocess.run([sys.executable, "-c", code], cwd=place, check=True)

    codes = {OURS: run(OURS_CODE), LIBRARY: run(LIBRARY_CODE)}
    return alternate("from a spec to the first logits", codes, rounds=rounds)
