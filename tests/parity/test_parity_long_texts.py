"""Texts beyond a length in the configuration, and chunks in padded rows."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers as hf
from torch import Tensor, nn

import modelwright as mw

ORIGINAL, NEW = 16, 20
SIZES = {
    "vocab_size": 60,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "pad_token_id": 0,
    "bos_token_id": None,
    "eos_token_id": None,
}
LONGROPE = {
    "rope_type": "longrope",
    "rope_theta": 1e4,
    "short_factor": [1.0, 1.1, 1.2, 1.3],
    "long_factor": [1.5, 3.0, 6.0, 9.0],
    "original_max_position_embeddings": ORIGINAL,
}


def pair(model: Any, folder: Path, std: float = 0.4) -> tuple[Any, Any]:
    """The imported model and the library's, with weights that do not repeat one word."""
    generator = torch.Generator().manual_seed(0)
    model.generation_config.eos_token_id = None
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=std, generator=generator)
    model.eval().save_pretrained(folder)
    return mw.from_pretrained(folder).eval(), model


def phi3(folder: Path) -> tuple[Any, Any]:
    config = hf.Phi3Config(
        **SIZES,
        num_key_value_heads=4,
        max_position_embeddings=64,
        original_max_position_embeddings=ORIGINAL,
        rope_parameters=LONGROPE,
    )
    return pair(hf.Phi3ForCausalLM(config), folder)


def prompt(length: int, rows: int = 1) -> Tensor:
    return torch.randint(1, 60, (rows, length), generator=torch.Generator().manual_seed(length))


def without_cache(model: Any, ids: Tensor, mask: Tensor | None = None) -> list[list[int]]:
    """Greedy text, each token from a forward of all before it."""
    text = ids
    for _ in range(NEW):
        places = None
        if mask is not None:
            mask = nn.functional.pad(mask, (0, text.size(1) - mask.size(1)), value=1)
            places = (mask.cumsum(-1) - 1).clamp(min=0)
        text = torch.cat([text, model(text, mask, places)[:, -1:].argmax(-1)], dim=1)
    return text[:, ids.size(1) :].tolist()


@pytest.mark.parametrize("length", [5, 10, ORIGINAL - 1, ORIGINAL, ORIGINAL + 1, 25])
def test_longrope_crosses_its_first_length(length: int, tmp_path: Path) -> None:
    """At the switch all tokens are encoded again, as the library does."""
    ours, theirs = phi3(tmp_path)
    ids = prompt(length)
    wanted = without_cache(ours, ids)
    library = theirs.generate(ids, max_new_tokens=NEW, do_sample=False)[:, length:].tolist()
    found = ours.generate(ids, NEW, temperature=0)[:, length:].tolist()
    assert found == wanted == library


LONG = """
name: long
family: decoder-only
vocab_size: 60
d_model: 32
layers: 2
max_positions: 64
attention: {heads: 4}
head: language_model
positions: {type: rotary, scaling: {type: longrope, original_max_positions: 16, short_factor:
  [1, 1.1, 1.2, 1.3], long_factor: [1.5, 3, 6, 9]}}
"""


@pytest.mark.parametrize("padding", [0, 3])
@pytest.mark.parametrize("static", [False, True])
def test_longrope_crosses_with_padded_rows(padding: int, static: bool) -> None:
    """The longest row decides for all, by its real tokens."""
    plain = mw.compile(mw.loads(LONG)).eval()
    for parameter in plain.parameters():
        nn.init.normal_(parameter, std=0.4, generator=torch.Generator().manual_seed(0))
    ours: Any = mw.compile(mw.loads(LONG), static_cache=static).eval()
    ours.load_state_dict(plain.state_dict())
    ids, mask = prompt(12, rows=2), torch.ones(2, 12, dtype=torch.long)
    mask[0, :padding], mask[1, :7] = 0, 0
    wanted = without_cache(plain, ids, mask)
    assert ours.generate(ids, NEW, mask, temperature=0)[:, 12:].tolist() == wanted


def test_longrope_cache_is_not_used_beyond_its_first_length(tmp_path: Path) -> None:
    ours, _ = phi3(tmp_path)
    cache = sys.modules[type(ours).__module__].Cache(40)
    ids = prompt(20)
    ours(ids[:, :10], cache=cache)
    with pytest.raises(ValueError, match="20 tokens need the long LongRoPE factors"):
        ours(ids[:, 10:], cache=cache)
    ours(ids[:, 10:16], cache=cache)  # within it
    with pytest.raises(ValueError, match="17 tokens need the long LongRoPE factors"):
        ours(ids[:, 16:17], cache=cache)


@pytest.mark.parametrize("positions", ["rotary", "alibi", "relative_bias"])
def test_positions_that_are_no_table_go_on(positions: str) -> None:
    """`max_positions` is where training ended, as in the library; a table ends there."""
    spec = "{name: a, family: decoder-only, vocab_size: 20, d_model: 16, layers: 1, "
    spec += "attention: {heads: 2}, max_positions: 8, head: language_model}"
    model = mw.compile(mw.loads(spec, sets=[f"positions={positions}"])).eval()
    assert model(prompt(12) % 20).shape == (1, 12, 20)
    assert model.generate(prompt(6) % 20, 9, temperature=0).shape == (1, 15)
    for table in ("learned", "sinusoidal"):
        ends = mw.compile(mw.loads(spec, sets=[f"positions={table}"])).eval()
        with pytest.raises(ValueError, match="12 tokens, but max_positions is 8"):
            ends(prompt(12) % 20)


def test_llama_beyond_its_positions(tmp_path: Path) -> None:
    config = hf.LlamaConfig(**SIZES, max_position_embeddings=ORIGINAL)
    ours, theirs = pair(hf.LlamaForCausalLM(config), tmp_path)
    ids = prompt(24)
    assert torch.allclose(ours(ids), theirs(ids).logits, atol=1e-4)


def llama4(folder: Path) -> tuple[Any, Any]:
    config = hf.Llama4TextConfig(
        **{**SIZES, "num_hidden_layers": 4},
        num_key_value_heads=2,
        head_dim=8,
        intermediate_size_mlp=48,
        num_local_experts=2,
        attention_chunk_size=4,
        interleave_moe_layer_step=2,
        max_position_embeddings=64,
        attn_implementation="sdpa",
    )
    return pair(hf.Llama4ForCausalLM(config), folder, std=0.2)


@pytest.mark.parametrize("padding", [0, 1, 3, 5])
def test_chunks_count_from_the_first_real_token(padding: int, tmp_path: Path) -> None:
    """Llama 4's chunks, in rows that are padded on the left, with and without a cache."""
    ours, theirs = llama4(tmp_path)
    ids, mask = prompt(10, rows=2), torch.ones(2, 10, dtype=torch.long)
    mask[1, :padding] = 0
    places = (mask.cumsum(-1) - 1).clamp(min=0)
    wanted = theirs(ids, attention_mask=mask, position_ids=places).logits
    alone = ours(ids[1:, padding:])
    found = ours(ids, mask, places)
    assert torch.allclose(found[1, padding:], alone[0], atol=1e-5)
    assert torch.allclose(found[mask.bool()], wanted[mask.bool()], atol=1e-4)
    library = theirs.generate(ids, attention_mask=mask, max_new_tokens=12, do_sample=False)
    assert ours.generate(ids, 12, mask, temperature=0).tolist() == library.tolist()
