"""The original Transformer, small: it learns to reverse words and to write numbers in words."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
import torch

import modelwright as mw
from modelwright.training.encoding import read_tokenizer
from modelwright.training.runs import train
from modelwright.training.token_files import Request, write_data

SETS = (
    "vocab_size=256", "d_model=64", "layers=2", "attention.heads=4", "feed_forward.d_ff=256",
    "tokens.eos=10",
)  # fmt: skip
ONES = [
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven",
    "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
]  # fmt: skip
TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]


def words_of(number: int) -> str:
    """A number below 1000 in words."""
    if number >= 100:
        rest = f" and {words_of(number % 100)}" if number % 100 else ""
        return f"{ONES[number // 100]} hundred{rest}"
    if number >= 20:
        return TENS[number // 10 - 2] + (f"-{ONES[number % 10]}" if number % 10 else "")
    return ONES[number]


def reversed_words(count: int) -> list[tuple[str, str]]:
    draw = random.Random(0)
    texts = ["".join(draw.choices("abcdefgh", k=draw.randint(3, 7))) for _ in range(count)]
    return [(text, text[::-1]) for text in dict.fromkeys(texts)]


def numbers() -> list[tuple[str, str]]:
    found = [(str(number), words_of(number)) for number in range(1000)]
    random.Random(0).shuffle(found)
    return found


PAIRS = {"reverse": (reversed_words(4000), 1200), "numbers": (numbers(), 1200)}


@pytest.mark.slow
@pytest.mark.parametrize("task", PAIRS)
def test_it_learns(task: str, tmp_path: Path) -> None:
    """With the recipe of the paper: nine of ten pairs that it has not seen have no mistake."""
    pairs, steps = PAIRS[task]
    lines = [{"source": source, "target": target + "\n"} for source, target in pairs]
    texts = {"train": lines[100:], "val": lines[:100]}
    path = tmp_path / "pairs.jsonl"
    path.write_text("".join(json.dumps(x) + "\n" for x in texts["train"]), encoding="utf-8")
    write_data(Request([path], "pairs", read_tokenizer("bytes"), None, 0.0), tmp_path / "data")
    spec = mw.load(Path(mw.__file__).parent / "examples" / "transformer_base.yaml", sets=SETS)
    run = train(
        spec, tmp_path / "data", tmp_path / "run", recipe="vaswani", steps=steps, batch=32,
        micro_batch=32, length=32, warmup=200, eval_every=0, save_every=1000,
    )  # fmt: skip
    model = mw.load_weights(mw.compile(spec), run / "weights.safetensors").eval()
    right = 0
    for source, target in pairs[:100]:
        ids = torch.tensor([list(source.encode())])
        with torch.inference_mode():
            made = model.generate(ids, max_new_tokens=40, temperature=0)
        right += bytes(made[0, 1:].tolist()).decode().strip("\0\n") == target
    assert right >= 90
