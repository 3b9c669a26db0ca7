"""`generate` of emitted files: ends of rows, dropout and modes, checks of arguments."""

from __future__ import annotations

import sys
import warnings
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import modelwright as mw

SMALL = """\
name: small
family: decoder-only
vocab_size: 40
max_positions: 16
d_model: 16
layers: 2
dropout: 0.4
positions: learned
attention: {heads: 4}
feed_forward: {activation: gelu}
head: language_model
"""
SEQ2SEQ = """\
name: pair
family: encoder-decoder
vocab_size: 40
max_positions: 16
d_model: 16
layers: 1
dropout: 0.4
attention: {heads: 4}
feed_forward: {activation: relu}
head: language_model
tokens: {decoder_start: 1}
"""
PROMPT = torch.tensor([[3, 4, 6]])


def model_of(text: str, *sets: str, **options: Any) -> Any:
    model = mw.compile(mw.loads(text, sets=sets), seed=0, **options)
    generator = torch.Generator().manual_seed(1)
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.5, generator=generator)
    return model


def greedy(model: Any, **options: Any) -> list[int]:
    made: Tensor = model.generate(PROMPT, 9, temperature=0, **options)
    return made[0].tolist()


@pytest.mark.parametrize("text", [SMALL, SEQ2SEQ])
@pytest.mark.parametrize("static", [False, True])
def test_dropout_is_off_and_every_mode_is_restored(text: str, static: bool) -> None:
    model = model_of(text, static_cache=static)
    model.train()
    first = next(module for module in model.modules() if isinstance(module, nn.Dropout))
    first.eval()
    modes = [module.training for module in model.modules()]
    found = greedy(model)
    assert [module.training for module in model.modules()] == modes
    with pytest.raises(ValueError, match="top_p"):
        model.generate(PROMPT, 4, top_p=2.0)
    assert [module.training for module in model.modules()] == modes
    model.eval()
    assert found == greedy(model)


def test_a_model_without_dropout_does_not_mention_it() -> None:
    assert "training" not in mw.emit(mw.lower(mw.loads(SMALL, sets=["dropout=0"])))


@pytest.mark.parametrize("text", [SMALL, SEQ2SEQ])
@pytest.mark.parametrize("static", [False, True])
def test_a_row_ends_at_any_of_its_end_tokens(text: str, static: bool) -> None:
    model = model_of(text, static_cache=static)
    whole = greedy(model)
    prompt = 3 if text == SMALL else 1
    ends = {whole[prompt + 1], 39}
    stop = next(i for i, token in enumerate(whole) if i >= prompt and token in ends)
    for given in (tuple(ends), sorted(ends), whole[stop]):
        assert greedy(model, eos_token_id=given, pad_token_id=0) == whole[: stop + 1]
    assert greedy(model, eos_token_id=None) == greedy(model, eos_token_id=()) == whole


@pytest.mark.parametrize("kind", [torch.long, torch.int32])
def test_end_tokens_may_be_a_tensor(kind: torch.dtype) -> None:
    model = model_of(SMALL)
    whole = greedy(model)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for ends in (torch.tensor([39, whole[4]], dtype=kind), torch.tensor(whole[4], dtype=kind)):
            found = greedy(model, eos_token_id=ends)
            assert found == whole[: whole.index(whole[4], 3) + 1]


@pytest.mark.slow
@pytest.mark.parametrize("text", [SMALL, SEQ2SEQ])
@pytest.mark.parametrize("ends", [None, 39, (38, 39)])
def test_all_steps_are_one_graph(text: str, ends: Any) -> None:
    """Compiled as a whole it makes all steps, and pads rows that ended."""
    model = model_of(text, "dropout=0")
    ends = (
        ends if ends is None else (greedy(model)[4], *([ends] if isinstance(ends, int) else ends))
    )
    eager = greedy(model, eos_token_id=ends, pad_token_id=0)
    compiled = torch.compile(model.generate, backend="eager", fullgraph=True)
    made = compiled(PROMPT, 5, temperature=0, eos_token_id=ends, pad_token_id=0)[0].tolist()
    assert made[: len(eager)] == eager[: len(made)]
    assert set(made[len(eager) :]) <= {0}


def test_end_tokens_of_the_spec_are_the_default() -> None:
    whole = greedy(model_of(SMALL))
    found = greedy(model_of(SMALL, f"tokens.eos=[39, {whole[4]}]"))
    assert found == whole[: whole.index(whole[4], 3) + 1]


def test_rows_that_ended_are_padded() -> None:
    model = model_of(SMALL)
    prompts = torch.tensor([[3, 4, 6], [7, 8, 9]])
    whole = model.generate(prompts, 6, temperature=0)
    end = int(whole[0, 3])
    found = model.generate(prompts, 6, temperature=0, eos_token_id=end, pad_token_id=38)
    for before, after in zip(whole[:, 3:].tolist(), found[:, 3:].tolist(), strict=True):
        stop = before.index(end) + 1 if end in before else len(before)
        assert after[:stop] == before[:stop][: len(after)]
        assert set(after[stop:]) <= {38}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"temperature": -1.0},
            r"temperature=-1.0 must be 0 or 1e-6 to 1000, top_p=None in \[0, 1\]",
        ),
        ({"temperature": float("nan")}, "temperature=nan must be"),
        ({"temperature": float("inf")}, "temperature=inf must be"),
        ({"temperature": 1e-42}, "temperature=1e-42 must be"),
        ({"top_k": -3}, "top_k must be ints >= 0: 3, -3"),
        ({"top_k": 2.5}, "top_k must be ints >= 0: 3, 2.5"),
        ({"top_k": True}, "top_k must be ints >= 0: 3, True"),
        ({"top_p": -0.5}, r"top_p=-0.5 in \[0, 1\]"),
        ({"top_p": 1.5}, r"top_p=1.5 in \[0, 1\]"),
        ({"top_p": float("nan")}, "top_p=nan in"),
    ],
)
def test_arguments_of_sampling(options: dict[str, Any], message: str) -> None:
    model = model_of(SMALL)
    calls: list[int] = []
    model.layers[0].register_forward_hook(lambda *_: calls.append(1))
    with pytest.raises(ValueError, match=message):
        model.generate(PROMPT, 3, **options)
    assert not calls  # refused before the first step


@pytest.mark.parametrize("count", [3.0, None, True, "3", -1])
def test_the_number_of_new_tokens_is_an_int(count: Any) -> None:
    for text in (SMALL, SEQ2SEQ):
        with pytest.raises(ValueError, match="max_new_tokens, top_k must be ints >= 0"):
            model_of(text).generate(PROMPT, count)


@pytest.mark.parametrize("positions", ["learned", "rotary"])
def test_prompts_and_masks_of_other_shapes_and_dtypes(positions: str) -> None:
    model = model_of(SMALL, f"positions={positions}")
    for kind in (torch.bool, torch.uint8, torch.int16, torch.float32):
        with pytest.raises(ValueError, match=r"input_ids must be int64 \(1, 3\), not torch"):
            model.generate(PROMPT.to(kind), 2)
        with pytest.raises(ValueError, match="input_ids must be int64"):
            model(PROMPT.to(kind))
    for ids in (PROMPT[0], PROMPT[None]):
        with pytest.raises(ValueError, match=r"input_ids must be int64 \(1, 3\), not"):
            model.generate(ids, 2)
        with pytest.raises(ValueError, match=r"input_ids must be int64 \(1, 3\), not"):
            model(ids)
    for shape in ((3,), (1, 0), (2, 3), (1, 4), (1, 3, 1)):
        with pytest.raises(ValueError, match="attention_mask must be int or bool"):
            model.generate(PROMPT, 2, torch.ones(shape, dtype=torch.int64))
    assert model.generate(PROMPT.int(), 2).shape == (1, 5)


def test_any_number_but_0_in_a_mask_is_a_token() -> None:
    for positions in ("learned", "rotary", "{type: learned, skip_padding: mask, offset: 2}"):
        model = model_of(SMALL, f"positions={positions}").eval()
        mask = torch.tensor([[0, 1, 1]])
        assert torch.equal(model(PROMPT, 2 * mask), model(PROMPT, mask))
        assert greedy(model, attention_mask=2 * mask) == greedy(model, attention_mask=mask)


@pytest.mark.sampled(2)
@pytest.mark.parametrize("text", [SMALL, SEQ2SEQ])
@pytest.mark.parametrize(
    ("ends", "padding"),
    [(-1, 0), (40, 0), (1.5, 0), ({1, 2}, 0), ("3", 0), ((3, 999), 0), (torch.tensor([3, 40]), 0)]
    + [(3, padding) for padding in (None, -1, 40, 999, 1.5)],
)
def test_special_ids_outside_the_vocabulary_are_refused(text: str, ends: Any, padding: Any) -> None:
    model = model_of(text)
    calls: list[int] = []
    next(model.children()).register_forward_hook(lambda *_: calls.append(1))
    with pytest.raises(ValueError, match=r"ids must be ints in \[0, 40\)"):
        model.generate(PROMPT, 3, eos_token_id=ends, pad_token_id=padding)
    assert not calls  # refused before the first step


@pytest.mark.parametrize("start", [-1, 40])
def test_a_start_outside_the_vocabulary_is_refused(start: int) -> None:
    with pytest.raises(ValueError, match=r"token ids must be ints in \[0, 40\)"):
        model_of(SEQ2SEQ).generate(PROMPT, 3, decoder_start_token_id=start)


@pytest.mark.parametrize("text", [SMALL, SEQ2SEQ])
@pytest.mark.parametrize("padding", [None, 0, 999])
def test_without_end_tokens_no_padding_is_needed(text: str, padding: Any) -> None:
    model = model_of(text)
    assert greedy(model, eos_token_id=None, pad_token_id=padding) == greedy(model)


@pytest.mark.parametrize("mask", ["(window(2) | global(2))", "(window(2) | keys(1))"])
def test_padding_is_refused_where_a_mask_counts_places(mask: str) -> None:
    """Padding on the left would move every token to another place."""
    model = model_of(SMALL, f"mask=causal & {mask}", "positions=rotary")
    model.generate(PROMPT, 3, torch.ones_like(PROMPT))
    with pytest.raises(ValueError, match="the mask depends on positions"):
        model.generate(PROMPT, 3, torch.tensor([[0, 1, 1]]))


def test_too_many_tokens_are_refused_before_the_first_step() -> None:
    model = model_of(SMALL)
    calls: list[int] = []
    model.layers[0].register_forward_hook(lambda *_: calls.append(1))
    with pytest.raises(ValueError, match="17 tokens, but max_positions is 16"):
        model.generate(PROMPT, 15)
    assert not calls
    assert model.generate(PROMPT, 14).shape == (1, 17)  # the last new token is not read


def test_prompts_padded_on_the_right_and_empty_ones_are_refused() -> None:
    model = model_of(SMALL)
    with pytest.raises(ValueError, match="pad them on the left"):
        model.generate(PROMPT, 3, torch.tensor([[1, 1, 0]]))
    with pytest.raises(ValueError, match="must not be empty"):
        model.generate(PROMPT[:, :0], 3)


@pytest.mark.parametrize("static", [False, True])
@pytest.mark.parametrize(("text", "method"), [(SMALL, "hidden_states"), (SEQ2SEQ, "decoder")])
def test_a_mask_of_ones_is_dropped_before_the_loop(text: str, method: str, static: bool) -> None:
    model = model_of(text, static_cache=static).eval()
    step, passed = getattr(model, method), []

    def watched(*given: Any, **named: Any) -> Tensor:
        passed.append([x for x in given if isinstance(x, Tensor) and not x.is_floating_point()])
        found: Tensor = step(*given, **named)
        return found

    object.__setattr__(model, method, watched)
    ones = torch.ones_like(PROMPT)
    found = greedy(model, attention_mask=ones)
    assert len(passed) == 9
    assert all(len(tensors) <= 1 for tensors in passed), "token ids alone"
    assert found == greedy(model)
    padded = ones.clone()
    padded[0, 0] = 0
    passed.clear()
    greedy(model, attention_mask=padded)
    assert all(len(tensors) >= 1 for tensors in passed)
    assert len(passed[0]) > (text is SMALL)


@pytest.mark.parametrize("kind", ["bool", "long", "uint8"])
@pytest.mark.parametrize("static", [False, True])
def test_padding_on_the_left_changes_nothing(kind: str, static: bool) -> None:
    model = model_of(SMALL, static_cache=static)
    padded = torch.tensor([[0, 0, 3, 4, 6]])
    mask = torch.tensor([[0, 0, 1, 1, 1]]).to(getattr(torch, kind))
    found = model.generate(padded, 6, mask, temperature=0)
    assert found[0, 2:].tolist() == greedy(model)[:9]


def sampled(logits: Tensor, **options: Any) -> set[int]:
    """The tokens that may be sampled, found by their probabilities."""
    sample = vars(sys.modules[type(model_of(SMALL)).__module__])["sample"]
    kept: list[Tensor] = []
    real = torch.multinomial
    torch.multinomial = lambda p, n: (kept.append(p), real(p, n))[1]
    try:
        sample(logits, **{"temperature": 1.0, "top_k": None, "top_p": None, **options})
    finally:
        torch.multinomial = real
    return set(kept[0][0].nonzero()[:, 0].tolist())


@pytest.mark.parametrize("kind", ["float32", "bfloat16", "float16", "float64"])
def test_low_precision_drops_no_token(kind: str) -> None:
    """Sampling is in float32: top_p = 1 and a large vocabulary keep every token."""
    logits = torch.randn(1, 20_000, generator=torch.Generator().manual_seed(0))
    logits = logits.to(getattr(torch, kind))
    assert len(sampled(logits, top_p=1.0)) == len(sampled(logits)) == 20_000
    assert len(sampled(logits, top_k=0)) == 20_000
    assert len(sampled(logits, temperature=1e-6)) == 1
    chances = logits.double().softmax(-1).sort(descending=True).values[0]
    wanted = int(((chances.cumsum(0) - chances) < 0.9).sum())
    assert abs(len(sampled(logits, top_p=0.9)) - wanted) <= 2


@pytest.mark.parametrize("kind", ["bfloat16", "float16"])
def test_losses_are_in_float32(kind: str) -> None:
    model = model_of(SMALL)
    logits = torch.randn(2, 5, 40, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    labels = torch.randint(0, 40, (2, 5), generator=torch.Generator().manual_seed(1))
    low = logits.to(getattr(torch, kind))
    found, wanted = model.loss(low, labels), model.loss(low.double(), labels)
    assert found.dtype == torch.float32
    assert wanted.dtype == torch.float64
    assert abs(found.double() - wanted) < 1e-6
