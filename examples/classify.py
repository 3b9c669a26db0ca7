"""Train a small BERT to classify pieces of Python's documentation by topic.

    python examples/classify.py

Class 0: how programs run (the debugger, imports, names). Class 1: strings and their formats. Each
piece has 128 bytes. The test uses paragraphs that are not in the training data.
"""

from __future__ import annotations

from pathlib import Path
from pydoc_data import topics

import click
import torch
from rich.progress import track
from torch import Tensor, nn

import modelwright as mw

SPEC = Path(__file__).with_name("tiny_bert.yaml")
LENGTH, BATCH = 128, 32
LEARNING_RATE = 2e-3
GROUPS = (("debugger", "import", "execmodel"), ("string-methods", "formatstrings", "strings"))


def read_texts() -> tuple[list[Tensor], list[Tensor]]:
    """The bytes of each class: training data, and every fifth paragraph as held-out data."""
    groups = [{p for topic in group for p in paragraphs_of(topic)} for group in GROUPS]
    learnt, held_out = [], []
    for own, other in (groups, groups[::-1]):
        paragraphs = sorted(own - other)
        held_out.append(as_bytes(paragraphs[::5]))
        learnt.append(as_bytes([p for n, p in enumerate(paragraphs) if n % 5]))
    return learnt, held_out


def paragraphs_of(topic: str) -> list[str]:
    """The paragraphs of a topic, with single spaces, so that the layout is no clue."""
    return [" ".join(part.split()) for part in topics.topics[topic].split("\n\n")]


def as_bytes(paragraphs: list[str]) -> Tensor:
    return torch.tensor(list(" ".join(paragraphs).encode()))


def draw_batch(texts: list[Tensor], generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """The same number of pieces of each class, (B, T), and their classes, (B,)."""
    stretches = [
        text[start : start + LENGTH]
        for text in texts
        for start in torch.randint(len(text) - LENGTH, (BATCH // 2,), generator=generator)
    ]
    return torch.stack(stretches), torch.arange(2).repeat_interleave(BATCH // 2)


def train(model: nn.Module, texts: list[Tensor], steps: int) -> float:
    """Train; return the last loss."""
    optimizer = torch.optim.AdamW(model.parameters(), weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=steps)
    generator = torch.Generator().manual_seed(0)
    last = float("nan")
    model.train()
    for _ in track(range(steps), description="training"):
        ids, classes = draw_batch(texts, generator)
        loss = model.loss(model(ids), classes)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        last = loss.item()
    return last


@torch.no_grad()
def accuracy(model: nn.Module, texts: list[Tensor]) -> float:
    """Balanced accuracy: the mean over classes of the share of correct pieces; 50 % is chance."""
    model.eval()
    shares = []
    for label, text in enumerate(texts):
        stretches = text[: len(text) // LENGTH * LENGTH].view(-1, LENGTH)
        shares.append((model(stretches).argmax(-1) == label).float().mean().item())
    return sum(shares) / len(shares)


@click.command()
@click.option("--steps", default=500, show_default=True)
def main(steps: int) -> None:
    """Train examples/tiny_bert.yaml as a classifier, and test it on held-out text."""
    learnt, held_out = read_texts()
    model = mw.compile(SPEC, seed=0, sets=["dropout=0"])  # so short a run gains nothing from it
    before = accuracy(model, held_out)
    loss = train(model, learnt, steps)
    print(f"loss {loss:.3f} after {steps} steps")
    print(f"held-out accuracy: {before:.1%} before, {accuracy(model, held_out):.1%} after")


if __name__ == "__main__":
    main()
