"""Train a byte-level GPT on Python's documentation, then generate text.

    python examples/train_gpt.py --seconds 60 --weights tiny_gpt.safetensors

To generate from the trained weights on the command line:

    modelwright generate examples/tiny_gpt.yaml --weights tiny_gpt.safetensors \
        --tokenizer bytes --prompt "The with statement " --temperature 0.7 --top-k 40
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path
from pydoc_data import topics

import click
import torch
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from torch import Tensor, nn

import modelwright as mw

SPEC = Path(__file__).with_name("tiny_gpt.yaml")
BATCH, LENGTH = 8, 128
LEARNING_RATE = 4e-3
PROMPT = "The with statement is used to "


def read_text() -> tuple[Tensor, Tensor]:
    """The text as bytes: training data, and a tenth as held-out data."""
    text = "\n".join(topics.topics.values()).encode()
    data = torch.frombuffer(bytearray(text), dtype=torch.uint8).long()
    held_out = len(data) // 10
    return data[:-held_out], data[-held_out:]


def draw_batch(data: Tensor, generator: torch.Generator, size: int = BATCH) -> Tensor:
    """A batch of random pieces of the text, (B, T)."""
    starts = torch.randint(len(data) - LENGTH, (size,), generator=generator)
    return torch.stack([data[start : start + LENGTH] for start in starts])


@torch.no_grad()
def held_out_loss(model: nn.Module, data: Tensor) -> float:
    """Loss in nats per byte, always on the same 64 pieces."""
    model.eval()
    ids = draw_batch(data, torch.Generator().manual_seed(0), size=64)
    loss = model.loss(model(ids), ids)
    model.train()
    return loss.item()


def learning_rate(done: float) -> float:
    """Linear warm-up over the first twentieth of the run, then cosine decay."""
    return LEARNING_RATE * min(1.0, 20 * done) * (0.55 + 0.45 * math.cos(math.pi * done))


def train(
    model: nn.Module,
    data: Tensor,
    *,
    seconds: float,
    steps: int | None = None,
    on_step: Callable[[float, float], None] = lambda done, loss: None,
) -> int:
    """Train for `seconds`, or for `steps` if these end earlier; return the number of steps.

    `on_step` is called after each step with the progress (0 to 1) and the loss.
    """
    optimizer = torch.optim.AdamW(model.parameters(), betas=(0.9, 0.95), weight_decay=0.1)
    generator = torch.Generator().manual_seed(0)
    start, step, done = time.monotonic(), 0, 0.0
    model.train()
    while done < 1:
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(done)
        ids = draw_batch(data, generator)
        loss = model.loss(model(ids), ids)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        step += 1
        done = min(1.0, (time.monotonic() - start) / seconds)
        done = max(done, step / steps) if steps else done
        on_step(done, loss.item())
    return step


def train_with_a_bar(
    model: nn.Module, *, seconds: float, steps: int | None = None
) -> tuple[float, float]:
    """Train with a progress display; return the held-out loss before and after."""
    data, held_out = read_text()
    before = held_out_loss(model, held_out)
    words = TextColumn("{task.description}")
    with Progress(words, BarColumn(), TimeElapsedColumn()) as progress:
        task = progress.add_task(f"loss {before:.2f}", total=1.0)
        shown = 0.0

        def on_step(done: float, loss: float) -> None:
            nonlocal shown
            progress.update(task, completed=done, description=f"loss {loss:.2f}")
            if done >= shown + 0.2:
                shown = done
                progress.console.print(f"  {done:4.0%} done, training loss {loss:.2f}")

        count = train(model, data, seconds=seconds, steps=steps, on_step=on_step)
    after = held_out_loss(model, held_out)
    print(f"{count} steps: held-out loss {before:.2f} -> {after:.2f} nats per byte")
    return before, after


def write(model: nn.Module, prompt: str, *, length: int = 240) -> str:
    """Generate text from a prompt, and return both. The model has a context of 128 bytes."""
    model.eval()
    torch.manual_seed(0)
    written = list(prompt.encode())
    while len(written) < len(prompt.encode()) + length:
        seen = torch.tensor([written[-LENGTH // 2 :]])
        new = model.generate(seen, LENGTH // 2, temperature=0.7, top_k=40)
        written += new[0, seen.size(1) :].tolist()
    return bytes(written[: len(prompt.encode()) + length]).decode(errors="replace")


@click.command()
@click.option("--seconds", default=60.0, show_default=True)
@click.option("--steps", type=int, help="Stop after that many steps.")
@click.option("--prompt", default=PROMPT, show_default=True)
@click.option("--weights", type=click.Path(path_type=Path), help="Where to save what it learnt.")
def main(seconds: float, steps: int | None, prompt: str, weights: Path | None) -> None:
    """Train examples/tiny_gpt.yaml on the text of `help()`, and generate text from a prompt."""
    model = mw.compile(SPEC, seed=0)
    train_with_a_bar(model, seconds=seconds, steps=steps)
    print(write(model, prompt))
    if weights is not None:
        mw.save_weights(model, weights)
        print(f"saved {weights}")


if __name__ == "__main__":
    main()
