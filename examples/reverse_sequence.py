"""Train an encoder-decoder to reverse a sequence, and measure its accuracy with `generate`.

    python examples/reverse_sequence.py

The data look like those of translation: pairs of sequences of different lengths, padded in a batch.
"""

from __future__ import annotations

from pathlib import Path

import click
import torch
from rich.progress import track
from torch import Tensor, nn

import modelwright as mw

SPEC = Path(__file__).with_name("tiny_encoder_decoder.yaml")
PAD, START, EOS, FIRST_WORD = 0, 1, 2, 3  # the spec's `tokens`; the words come after them
VOCABULARY = 32
SHORTEST, LONGEST = 3, 10
BATCH = 64
LEARNING_RATE = 2e-3


def draw_pairs(size: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Padded random sequences (B, T), and the reversed ones (B, T + 1), which end with EOS."""
    lengths = torch.randint(SHORTEST, LONGEST + 1, (size, 1), generator=generator)
    words = torch.randint(FIRST_WORD, VOCABULARY, (size, LONGEST), generator=generator)
    places = torch.arange(LONGEST)
    sources = words.where(places < lengths, PAD)
    backwards = words.gather(1, (lengths - 1 - places).clamp(min=0)).where(places < lengths, PAD)
    targets = torch.cat([backwards, torch.full((size, 1), PAD)], dim=1)
    return sources, targets.scatter(1, lengths, EOS)


def loss_of(model: nn.Module, sources: Tensor, targets: Tensor) -> Tensor:
    """Cross-entropy with teacher forcing; padding is ignored."""
    shifted = torch.cat([torch.full_like(targets[:, :1], START), targets[:, :-1]], dim=1)
    logits = model(sources, shifted, attention_mask=(sources != PAD).long())
    return model.loss(logits, targets.masked_fill(targets == PAD, -100))


def train(model: nn.Module, steps: int) -> float:
    """Train; return the last loss."""
    optimizer = torch.optim.AdamW(model.parameters(), weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=steps)
    generator = torch.Generator().manual_seed(0)
    model.train()
    last = float("nan")
    for _ in track(range(steps), description="training"):
        loss = loss_of(model, *draw_pairs(BATCH, generator))
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        last = loss.item()
    return last


def answer(model: nn.Module, sources: Tensor) -> Tensor:
    """Greedy output for each sequence, (B, LONGEST + 1), padded after EOS."""
    model.eval()
    mask = (sources != PAD).long()
    made = model.generate(sources, LONGEST + 1, mask, temperature=0)[:, 1:]  # without START
    return nn.functional.pad(made, (0, LONGEST + 1 - made.size(1)), value=PAD)


def accuracy(model: nn.Module, size: int = 500) -> float:
    """The share of new sequences that are reversed without any error."""
    sources, targets = draw_pairs(size, torch.Generator().manual_seed(1))
    return float((answer(model, sources) == targets).all(dim=1).float().mean())


@click.command()
@click.option("--steps", default=1200, show_default=True)
def main(steps: int) -> None:
    """Train examples/tiny_encoder_decoder.yaml to reverse sequences, and print its accuracy."""
    model = mw.compile(SPEC, seed=0)
    before = accuracy(model)
    loss = train(model, steps)
    print(f"loss {loss:.4f} after {steps} steps")
    sources, _ = draw_pairs(3, torch.Generator().manual_seed(2))
    for source, said in zip(sources.tolist(), answer(model, sources).tolist(), strict=True):
        print(f"  {[w for w in source if w != PAD]} -> {[w for w in said if w > EOS]}")
    print(f"sequences reversed without a mistake: {before:.1%} before, {accuracy(model):.1%} after")


if __name__ == "__main__":
    main()
