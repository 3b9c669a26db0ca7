"""Generation as documented: greedy decoding, sampling, rows that end."""

from __future__ import annotations

import inspect
import math

import pytest
import torch
from inputs import arguments, with_padding
from shrink import ODD, caches, examples, graph, model
from torch import Tensor, nn

from modelwright.backends.pytorch.generate import counts_places

NEW = 6
FEWER = {"slowed positions": 3, "long and short positions": 3}
"""Their angles change past the first length, and a cache keeps those of each token's own step."""
MODELS = [n for n in [*examples(), *ODD] if caches(n) and n != "two readers"]


def by_hand(network: nn.Module, data: dict[str, Tensor], start: int, new: int = NEW) -> Tensor:
    """The likeliest tokens, each from the logits of the whole text so far, without a cache."""
    answers = "decoder_input_ids" in data
    text = torch.full((2, 1), start) if answers else data["input_ids"]
    mask = data["attention_mask"]
    takes = inspect.signature(network.forward).parameters
    for _ in range(new):
        given = {"input_ids": data["input_ids"] if answers else text, "attention_mask": mask}
        if answers:
            given["decoder_input_ids"] = text
        elif "position_ids" in takes:
            given["position_ids"] = (mask.cumsum(-1) - 1).clamp(min=0)
        text = torch.cat([text, network(**given)[:, -1:].argmax(-1)], dim=1)
        if not answers:
            mask = torch.cat([mask, torch.ones_like(mask[:, :1])], dim=1)
    return text


@pytest.mark.sampled(4)
@pytest.mark.parametrize("name", [name for name in MODELS if "input_ids" in arguments(graph(name))])
def test_generate_takes_the_most_likely_token(name: str) -> None:
    network, data = model(name), with_padding(graph(name), "left")
    start = graph(name).tokens.decoder_start or 0
    new = FEWER.get(name, NEW)
    decoder = list(graph(name).inputs)[-1]
    if counts_places(graph(name), decoder) and len(graph(name).inputs) == 1:
        with pytest.raises(ValueError, match="the mask depends on positions"):
            network.generate(data["input_ids"], new, data["attention_mask"], temperature=0)
        data["attention_mask"] = torch.ones_like(data["attention_mask"])
    found = network.generate(
        data["input_ids"], new, data["attention_mask"], temperature=0, eos_token_id=None
    )
    with torch.no_grad():
        assert found.tolist() == by_hand(network, data, start, new).tolist()


def prompt(rows: int = 400) -> Tensor:
    return torch.arange(5, 9).expand(rows, 4)


def next_tokens(seed: int = 0, **options: float | None) -> Tensor:
    torch.manual_seed(seed)
    found = model("tiny_gpt").generate(prompt(), 1, eos_token_id=None, **options)
    return found[:, -1]


def probabilities() -> Tensor:
    with torch.no_grad():
        return model("tiny_gpt")(prompt(1))[0, -1].softmax(-1)


def test_the_seed_decides() -> None:
    assert torch.equal(next_tokens(3), next_tokens(3))
    assert not torch.equal(next_tokens(3), next_tokens(4))


def test_samples_follow_the_probabilities() -> None:
    wanted = probabilities()
    counts = sum(next_tokens(seed).bincount(minlength=wanted.numel()) for seed in range(20))
    spread = (8000 * wanted * (1 - wanted)).sqrt() + 1
    assert ((counts - 8000 * wanted).abs() / spread).max() < 5


@pytest.mark.parametrize("count", [1, 3])
def test_top_k(count: int) -> None:
    likeliest = set(probabilities().topk(count).indices.tolist())
    assert set(next_tokens(top_k=count).tolist()) == likeliest


@pytest.mark.parametrize("mass", [0.0, 0.3, 0.6])
def test_top_p(mass: float) -> None:
    ranked = probabilities().sort(descending=True)
    enough = int((ranked.values.cumsum(0) < mass).sum()) + 1
    wanted = set(ranked.indices[:enough].tolist())
    counts = [next_tokens(seed, top_p=mass).tolist() for seed in range(5)]
    assert {token for row in counts for token in row} == wanted


def test_a_low_temperature_is_nearly_greedy() -> None:
    assert set(next_tokens(temperature=1e-4).tolist()) == {int(probabilities().argmax())}


def entropy(tokens: Tensor) -> float:
    shares = tokens.bincount().double() / tokens.numel()
    return -sum(share * math.log(share) for share in shares.tolist() if share)


def test_a_high_temperature_spreads() -> None:
    assert entropy(next_tokens(temperature=5.0)) > entropy(next_tokens(temperature=0.5))
