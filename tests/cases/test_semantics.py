"""Results that were wrong in ordinary use of models."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from small import BASE, LLAMA, MOE, cache_of, made, moved
from torch.export import Dim, export
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    Phi3Config,
    Phi3ForCausalLM,
    T5Config,
    T5ForConditionalGeneration,
)

import modelwright as mw

PROMPT = torch.tensor([[3, 4, 6]])


def test_text_ends_at_any_of_several_end_tokens(tmp_path: Path) -> None:
    theirs = moved(LlamaForCausalLM(LlamaConfig(**LLAMA)))
    theirs.generation_config.eos_token_id = None
    free = theirs.generate(PROMPT, max_new_tokens=6, do_sample=False)
    second = int(free[0, 6])
    theirs.config.eos_token_id = theirs.generation_config.eos_token_id = [19, second]
    theirs.save_pretrained(tmp_path)
    wanted = theirs.generate(PROMPT, max_new_tokens=12, do_sample=False)
    model = mw.from_pretrained(tmp_path)
    assert torch.equal(model.generate(PROMPT, 12, temperature=0), wanted)
    listed = model.generate(PROMPT, 12, temperature=0, eos_token_id=[19, second])
    assert torch.equal(listed, wanted)


def test_longrope_crosses_its_original_length(tmp_path: Path) -> None:
    """The library forgets its cache at the switch; so does the text without a cache."""
    factors = {"short_factor": [1.0, 1.1, 1.2, 1.3], "long_factor": [1.5, 3.0, 6.0, 9.0]}
    rope = {"rope_type": "longrope", "rope_theta": 1e4, "original_max_position_embeddings": 16}
    config = Phi3Config(
        **{**LLAMA, "vocab_size": 60, "num_hidden_layers": 2, "eos_token_id": None},
        num_key_value_heads=4, original_max_position_embeddings=16,
        rope_parameters={**rope, **factors},
    )  # fmt: skip
    theirs = moved(Phi3ForCausalLM(config))
    theirs.save_pretrained(tmp_path)
    model = mw.from_pretrained(tmp_path)
    ids = torch.randint(1, 60, (1, 10))
    wanted = theirs.generate(ids, max_new_tokens=25, do_sample=False)
    assert torch.equal(model.generate(ids, 25, temperature=0, eos_token_id=None), wanted)


def large_t5(folder: Path) -> tuple[Any, torch.Tensor, torch.Tensor, torch.Tensor]:
    """A T5 whose feed-forward reaches 70,000, as those of real ones do, and its logits."""
    config = T5Config(
        vocab_size=60, d_model=32, d_kv=8, d_ff=64, num_heads=4, num_layers=2,
        decoder_start_token_id=0,
    )  # fmt: skip
    torch.manual_seed(0)
    theirs: Any = T5ForConditionalGeneration(config).eval()
    source, answer = torch.randint(1, 60, (2, 9)), torch.randint(1, 60, (2, 5))
    for weight in theirs.parameters():
        torch.nn.init.normal_(weight, std=0.3)
    down = theirs.encoder.block[0].layer[1].DenseReluDense.wo
    seen: list[float] = []
    hook = down.register_forward_hook(lambda _, __, out: seen.append(out.abs().max().item()))
    theirs.encoder(source)
    hook.remove()
    with torch.no_grad():
        down.weight.mul_(7e4 / seen[0])
    theirs.save_pretrained(folder)
    return theirs, source, answer, theirs(input_ids=source, decoder_input_ids=answer).logits


@pytest.mark.parametrize(
    ("dtype", "bound"),
    [
        (torch.float32, 1e-5),
        (torch.bfloat16, 0.05),
        (torch.float16, 0.01),
    ],
    ids=str,
)
def test_t5_is_finite_in_half_precision(tmp_path: Path, dtype: torch.dtype, bound: float) -> None:
    _, source, answer, wanted = large_t5(tmp_path)
    found = mw.from_pretrained(tmp_path).to(dtype)(source, answer).float()
    assert ((found - wanted).abs().max() / wanted.abs().max()).item() < bound


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize("top_p", [0.9, 0.99, 1.0])
def test_the_nucleus_is_that_of_wide_numbers(
    monkeypatch: pytest.MonkeyPatch, dtype: torch.dtype, top_p: float
) -> None:
    sample = sys.modules[type(made(BASE)).__module__].sample  # type: ignore[attr-defined]
    kept: list[int] = []
    real = torch.multinomial
    monkeypatch.setattr(
        torch, "multinomial", lambda p, n: (kept.append(int((p > 0).sum())), real(p, n))[1]
    )
    torch.manual_seed(0)
    logits = torch.randn(32000).to(dtype)[None]
    wide = logits.double().softmax(-1).sort(descending=True).values[0]
    sample(logits, 1.0, None, top_p)
    assert abs(kept[0] - int(((wide.cumsum(0) - wide) < top_p).sum())) <= 1
    if top_p == 1:
        assert kept[0] == 32000
    sample(logits, 1e-6, None, None)


def test_a_cached_step_reads_the_whole_mask() -> None:
    model = made(BASE, dtype="float64")
    ids, mask = torch.randint(1, 40, (2, 8)), torch.ones(2, 8).long()
    mask[0, :3] = 0
    cache = cache_of(model, 20)
    with torch.no_grad():
        right = model(ids, mask)
        model(ids[:, :7], mask[:, :7], cache=cache)
        assert torch.allclose(model(ids[:, 7:], mask, cache=cache), right[:, 7:])


@pytest.mark.parametrize("shape", ["new", "rows", "additive", "one row", "other rows"])
def test_masks_and_caches_that_do_not_fit_are_refused(shape: str) -> None:
    model = made(BASE, dtype="float64")
    ids, mask = torch.randint(1, 40, (2, 8)), torch.ones(2, 8).long()
    mask[0, :3] = 0
    cache = cache_of(model, 20)
    model(ids[:, :7], mask[:, :7], cache=cache)
    calls: dict[str, Any] = {
        "new": lambda: model(ids[:, 7:], mask[:, 7:], cache=cache),
        "rows": lambda: model(ids, mask[:, -1:]),
        "additive": lambda: model(ids, (1 - mask.double()) * -1e9),
        "one row": lambda: model(ids, mask[1:]),
        "other rows": lambda: model(ids[:1, 7:], cache=cache),
    }
    with pytest.raises(ValueError, match=r"mask|cache|rows"):
        calls[shape]()


@pytest.mark.slow
@pytest.mark.parametrize("example", [(2, 9), (2, 3)])
def test_experts_are_exported_at_any_length(example: tuple[int, int]) -> None:
    model = mw.compile(mw.loads(MOE)).eval()
    sizes = {"input_ids": {0: Dim("b", min=1), 1: Dim("t", min=1, max=64)}}
    whole = export(model, (torch.randint(1, 40, example),), dynamic_shapes=sizes).module()
    for shape in ((3, 30), (1, 8), (1, 7), (2, 3), (1, 3), (1, 1)):
        ids = torch.randint(1, 40, shape)
        assert torch.allclose(whole(ids), model(ids), atol=1e-5)


def test_too_many_tokens_are_refused_before_the_first_step() -> None:
    model = made(BASE.replace("max_positions: 64", "max_positions: 16"))
    steps: list[int] = []
    model.layers[0].register_forward_hook(lambda *_: steps.append(1))
    try:
        text = model.generate(PROMPT, 40, temperature=0)
    except ValueError:
        assert not steps
    else:  # rotary positions know no bound
        assert text.size(1) == 43
    with pytest.raises(ValueError, match="empty"):
        model.generate(torch.zeros(1, 0).long(), 4)


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"top_k": -3}, "top_k"),
        ({"temperature": -1.0}, "temperature"),
        ({"temperature": float("nan")}, "temperature"),
        ({"top_p": 1.5}, "top_p"),
        ({"top_p": -1.0}, "top_p"),
    ],
)
def test_sampling_out_of_range_is_refused(options: dict[str, float], name: str) -> None:
    with pytest.raises(ValueError, match=name):
        made(BASE).generate(PROMPT, 3, **options)


def test_top_k_may_be_off_and_prompts_are_padded_on_the_left() -> None:
    model = made(BASE)
    assert model.generate(PROMPT, 3, top_k=0).size(1) == 6
    padded, mask = torch.tensor([[3, 4, 6, 0, 0]]), torch.tensor([[1, 1, 1, 0, 0]])
    with pytest.raises(ValueError, match="pad them on the left"):
        model.generate(padded, 4, mask, temperature=0)


EXPERTS = "feed_forward: {type: moe, experts: 4, top_k: 2, expert: {type: glu, d_ff: 64}, "
EXPERTS += "shared_expert: {type: glu, d_ff: 64}}\n"


@pytest.mark.parametrize(
    ("family", "more"), [("decoder-only", ""), ("encoder-decoder", ""), ("decoder-only", EXPERTS)]
)
def test_depth_scales_by_the_residual_branches(family: str, more: str) -> None:
    """By 1/sqrt(2 layers), or 1/sqrt(3 layers) where a decoder also reads a memory."""
    text = BASE.replace("layers: 2", "layers: 8").replace("decoder-only", family)
    text += "init: {type: normal, std: 0.02, depth_scaled: true}\n" + more
    ends = ("output.weight", "down.weight", "experts.down")
    model = mw.compile(mw.loads(text.replace("d_model: 32", "d_model: 64")))
    for name, weight in model.named_parameters():
        if ".layers.0" in f".{name}" and name.endswith(ends):
            three = name.startswith("decoder.") and family != "decoder-only"
            wanted = (24 if three else 16) ** 0.5
            assert 0.02 / weight.std().item() == pytest.approx(wanted, rel=0.06), name


PREFIX = BASE + "mask: causal | prefix\n"


def test_a_prefix_does_not_move_with_padding() -> None:
    model = made(PREFIX, dtype="float64")
    ids = torch.randint(1, 40, (1, 8))
    zeros = torch.zeros(1, 3).long()
    padded, mask = torch.cat([zeros, ids], 1), torch.cat([zeros, torch.ones_like(ids)], 1)
    with torch.no_grad():
        right = model(ids, prefix_length=torch.tensor([5]))
        found = model(padded, mask, prefix_length=torch.tensor([5]))[:, 3:]
    assert torch.allclose(found, right)


def test_a_prefix_model_generates() -> None:
    assert hasattr(made(PREFIX), "generate")


def test_a_fresh_model_generates_without_dropout() -> None:
    model = moved(mw.compile(mw.loads(BASE + "dropout: 0.1\n"))).train()
    wanted = [model.eval().generate(PROMPT, 8, temperature=0).tolist()] * 2
    model.train()
    assert [model.generate(PROMPT, 8, temperature=0).tolist() for _ in range(2)] == wanted
    assert model.training
