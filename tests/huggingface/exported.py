"""Tiny specs without a Hugging Face architecture, their weights, and the folders of both."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import transformers

import modelwright as mw
from modelwright.backends.huggingface import export_custom
from modelwright.spec import ModelSpec, loads

VOCABULARY, FIRST_WORD = 61, 4
COMMON = f"""
vocab_size: {VOCABULARY}
max_positions: 40
d_model: 32
layers: 4
norm: rmsnorm
tokens: {{pad: 0, bos: 1, eos: 2}}
"""
READING = COMMON.replace("eos: 2", "eos: 2, decoder_start: 3")
DECODER = f"""
name: odd-decoder
family: decoder-only
{COMMON}
positions: alibi
attention: {{heads: 4, kv_heads: 2}}
feed_forward: {{type: glu, activation: silu, d_ff: 48}}
blocks:
  mixer: {{attention: none}}
  near: {{mask: causal & window(5)}}
  far: {{mask: causal, residual: parallel}}
pattern: [mixer, near, far]
head: {{type: language_model, tied: true, softcap: 20}}
"""
PLACED = f"""
name: placed-decoder
family: decoder-only
{COMMON}
positions: [learned, rotary]
attention: {{heads: 4, qk_norm: head}}
head: language_model
"""
BOTH = f"""
name: odd-pair
family: encoder-decoder
{READING}
positions: {{type: relative_bias, buckets: 8, max_distance: 16}}
attention: {{heads: 4}}
decoder: {{layers: 2, positions: rotary, feed_forward: {{type: glu}}}}
head: {{type: language_model, bias: true}}
"""
ENCODER = f"""
name: odd-encoder
family: encoder-only
{COMMON}
positions: rotary
attention: {{heads: 4}}
mask: band(2) | global(0:1)
input: {{add: {{token_type_ids: 2}}}}
"""
HEADS = {
    "masked": "head: {type: language_model, tied: true, transform: dense, bias: true}",
    "sequences": "head: {type: classifier, classes: 3, pool: mean}",
    "tokens": "head: {type: classifier, classes: 5}",
    "vectors": "head: {type: projection, size: 6, pool: mean, normalize: true}",
    "none": "head: none",
    "two": "heads: {words: {type: language_model}, kind: {type: classifier, classes: 2, "
    "pool: first}}",
}
LOADERS = {
    "masked": "AutoModelForMaskedLM",
    "sequences": "AutoModelForSequenceClassification",
    "tokens": "AutoModelForTokenClassification",
    "vectors": "AutoModel",
    "none": "AutoModel",
    "two": "AutoModel",
}


def moved(source: str | ModelSpec, seed: int = 0) -> Any:
    """The model of a spec with weights far from where they are drawn, in eval mode."""
    model = mw.compile(loads(source) if isinstance(source, str) else source)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in model.parameters():
            weight.normal_(0, 0.3, generator=generator)
    return model.eval()


def exported(text: str, folder: Path) -> Any:
    """Export a spec with moved weights; returns the model that was exported."""
    model = moved(text)
    export_custom(loads(text, f"{folder.name}.yaml"), model, folder)
    return model


def load(folder: Path, loader: str = "AutoModelForCausalLM", **options: Any) -> Any:
    """The folder as Hugging Face loads it, with no tensor missing or left over."""
    found, info = getattr(transformers, loader).from_pretrained(
        folder, trust_remote_code=True, output_loading_info=True, **options
    )
    assert not any(info.values()), info
    return found


def prompts(rows: int = 3, length: int = 8, *, padded: bool = False) -> dict[str, torch.Tensor]:
    """Ids and a mask; padding stands on the left, as `generate` wants it."""
    generator = torch.Generator().manual_seed(7)
    ids = torch.randint(FIRST_WORD, VOCABULARY, (rows, length), generator=generator)
    mask = torch.ones_like(ids)
    if padded:
        mask[0, :3], mask[1, :1] = 0, 0
    return {"input_ids": ids.masked_fill(mask == 0, 0), "attention_mask": mask}


def texts(count: int = 16, length: int = 9) -> list[dict[str, list[int]]]:
    """A small data set for a language model."""
    ids = prompts(count, length)["input_ids"].tolist()
    return [{"input_ids": row, "labels": row} for row in ids]
