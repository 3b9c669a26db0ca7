"""`beam_search` of files built with `--beam-search`: exhaustive search, and `transformers`."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import modelwright as mw
from modelwright.backends.huggingface import read_model
from modelwright.backends.pytorch import BuildError

SPEC = """
name: small
family: encoder-decoder
vocab_size: 5
d_model: 16
layers: 1
positions: sinusoidal
dropout: 0.1
attention: {heads: 2}
feed_forward: {d_ff: 32}
head: language_model
init: {std: 0.8}
tokens: {pad: 0, eos: 3, decoder_start: 1}
"""
IDS = torch.tensor([[2, 4, 1], [4, 0, 0], [1, 1, 0]])
MASK = (IDS != 0).long()


def built(spec: mw.ModelSpec, seed: int = 0) -> nn.Module:
    return mw.compile(spec, seed=seed, dtype="float64", beam_search=True).eval()


def recurrent(examples: Path) -> mw.ModelSpec:
    sets = ["vocab_size=5", "d_model=8", "head.transform.hidden=8", "init={std: 0.8}"]
    text = (examples / "rnnsearch.yaml").read_text(encoding="utf-8").replace("1000", "8")
    return mw.loads(text + "tokens: {pad: 0, eos: 3, decoder_start: 1}\n", sets=sets)


@torch.no_grad()
def best_text(model: nn.Module, ids: Tensor, mask: Tensor, most: int, penalty: float) -> list[int]:
    """The text with the largest score, of all texts, without a cache."""
    texts = list(product(range(5), repeat=most))
    inputs = torch.tensor([[1, *text[:-1]] for text in texts])
    ids, mask = (x.expand(len(texts), -1) for x in (ids, mask))
    rows = model(ids, inputs, mask).log_softmax(-1)
    found: dict[tuple[int, ...], float] = {}
    for text, row in zip(texts, rows, strict=True):
        length = text.index(3) + 1 if 3 in text else most
        each = [float(row[n, text[n]]) for n in range(length)]
        found[text[:length]] = sum(each) / ((5 + length) / 6) ** penalty
    best = max(found, key=found.__getitem__)
    return [1, *best]


@pytest.mark.parametrize("penalty", [0.0, 0.6])
@pytest.mark.parametrize("kind", ["attention", "recurrent"])
def test_enough_beams_find_the_best_of_all_texts(kind: str, penalty: float, examples: Path) -> None:
    spec = mw.loads(SPEC) if kind == "attention" else recurrent(examples)
    lengths: set[int] = set()
    for seed in range(2):
        model = built(spec, seed)
        found = model.beam_search(IDS, 3, MASK, beams=64, length_penalty=penalty)
        rows = zip(IDS, MASK, strict=True)
        expected = [best_text(model, ids, mask, 3, penalty) for ids, mask in rows]
        longest = max(map(len, expected))
        assert found.tolist() == [[*text, *[0] * (longest - len(text))] for text in expected]
        lengths |= {len(text) for text in expected}
    assert len(lengths) > 1  # some end early


def test_one_beam_without_penalty_is_greedy() -> None:
    model = built(mw.loads(SPEC))
    found = model.beam_search(IDS, 6, MASK, beams=1, length_penalty=0.0)
    expected = model.generate(IDS, 6, MASK, temperature=0)
    assert torch.equal(found, expected)


def test_rows_do_not_depend_on_each_other() -> None:
    model = built(mw.loads(SPEC), 3)
    found = model.beam_search(IDS, 8, MASK, beams=3)
    for row, ids, mask in zip(found, IDS, MASK, strict=True):
        alone = model.beam_search(ids[None], 8, mask[None], beams=3)[0]
        assert row.tolist() == [*alone.tolist(), *[0] * (len(row) - len(alone))]


@pytest.fixture
def t5() -> Callable[[int], nn.Module]:
    transformers = pytest.importorskip("transformers")

    def make(seed: int) -> nn.Module:
        config = transformers.T5Config(
            vocab_size=10, d_model=16, d_kv=8, d_ff=32, num_layers=2, num_heads=2,
            dropout_rate=0.0, decoder_start_token_id=0, pad_token_id=0, eos_token_id=1,
        )  # fmt: skip
        torch.manual_seed(seed)
        model = transformers.T5ForConditionalGeneration(config).double().eval()
        with torch.no_grad():
            for weight in model.parameters():
                weight.add_(torch.randn_like(weight) * 0.4)
        return model

    return make


def ended(text: Tensor) -> list[int]:
    """A text up to its first eos."""
    ids: list[int] = text.tolist()
    return ids[: ids.index(1) + 1] if 1 in ids else ids


@pytest.mark.slow
def test_beams_are_those_of_transformers(t5: Callable[[int], nn.Module], tmp_path: Path) -> None:
    """Without length penalties, whose formulas differ: the library divides by length ** penalty."""
    ids = torch.randint(2, 10, (3, 7), generator=torch.Generator().manual_seed(0))
    mask = torch.ones_like(ids)
    mask[1, 4:] = 0
    ends = set()
    for seed in range(3):
        theirs = t5(seed)
        folder = tmp_path / str(seed)
        theirs.save_pretrained(folder)
        ours = built(mw.loads(read_model(folder, ()).text))
        ours.load_state_dict(mw.from_pretrained(folder, dtype="float64").state_dict())
        for beams in (2, 4):
            expected = theirs.generate(
                ids, attention_mask=mask, num_beams=beams, max_new_tokens=9, length_penalty=0.0,
                early_stopping=False, do_sample=False,
            )  # fmt: skip
            found = ours.beam_search(ids, 9, mask, beams=beams, length_penalty=0.0)
            assert [*map(ended, found)] == [*map(ended, expected)]  # it pads with its eos
            ends |= {int((row == 1).any()) for row in expected}
    assert ends == {0, 1}


def test_errors(examples: Path) -> None:
    model = built(mw.loads(SPEC))
    with pytest.raises(ValueError, match="beams, max_new_tokens must be ints >= 1: 0, 3"):
        model.beam_search(IDS, 3, MASK, beams=0)
    with pytest.raises(ValueError, match="length_penalty must be at least 0, not -1"):
        model.beam_search(IDS, 3, MASK, length_penalty=-1)
    with pytest.raises(BuildError, match="tiny-gpt, which has no decoder that reads an encoder"):
        mw.compile(examples / "tiny_gpt.yaml", beam_search=True)
    with pytest.raises(BuildError, match="does not apply to --static-cache"):
        mw.compile(mw.loads(SPEC), beam_search=True, static_cache=True)
