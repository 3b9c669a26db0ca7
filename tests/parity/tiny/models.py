"""A tiny model of the library with random weights, saved to a folder and loaded again."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
import transformers
from transformers import PreTrainedConfig, PreTrainedModel

from .cases import Case, class_name
from .shrink import tiny_config
from .special import PART_OF_CONFIG

STORED = re.compile(r"bias|correction")
"""Buffers that are weights; other stored ones are counters, statistics or tables of constants."""

CONSTANT: Mapping[str, str] = {
    **dict.fromkeys(["fsmt", "marian", "pegasus", "roformer"], r"embed_positions"),
    "whisper": r"encoder\.embed_positions",
}
"""Parameters that hold a formula's values, by type: no checkpoint has others."""

DECODERS = frozenset(
    [
        *("bart", "bigbird_pegasus", "blenderbot", "blenderbot-small", "marian", "mbart", "mvp"),
        *("pegasus", "plbart", "prophetnet", "trocr", "whisper"),
    ]
)
"""Types of encoder and decoder whose causal class is the decoder alone."""


def saved(case: Case, folder: Path) -> PreTrainedModel:
    """Build the model of a case, save it in the folder, and give back what the library reads there.

    A file may hold less than the model that was saved: what is read is what users have.
    """
    model = fresh(case)
    model.save_pretrained(folder)
    try:
        return _read_back(model, folder)
    except Exception:  # a few classes cannot read what they wrote
        return model


def _read_back(model: PreTrainedModel, folder: Path) -> PreTrainedModel:
    read, told = type(model).from_pretrained(
        folder,
        attn_implementation=model.config._attn_implementation,
        dtype=torch.float32,
        output_loading_info=True,
    )
    return model if told["missing_keys"] or told["mismatched_keys"] else read.eval()


def fresh(case: Case, seed: int = 0) -> PreTrainedModel:
    """The tiny model in float32 and eval mode, every weight moved by N(0, 0.1).

    Attention is `sdpa` where the class has it, `eager` otherwise.
    """
    kind = getattr(transformers, class_name(case))
    try:
        return _made(kind, case, "sdpa", seed)
    except (ValueError, ImportError) as error:
        if "scaled_dot_product_attention" not in str(error) and "sdpa" not in str(error).lower():
            raise
        return _made(kind, case, "eager", seed)


def _made(kind: type[PreTrainedModel], case: Case, attention: str, seed: int) -> PreTrainedModel:
    config = config_of(case)
    config._attn_implementation = attention
    torch.manual_seed(seed)
    model = kind(config).float().eval()
    move(model, seed + 1)
    return model


def config_of(case: Case) -> PreTrainedConfig:
    """The tiny config of a case, for the class that its head asks for."""
    config: Any = tiny_config(case.model_type, case.over)
    causal = case.head == "causal_lm"
    if causal and case.model_type in PART_OF_CONFIG:
        config = getattr(config, PART_OF_CONFIG[case.model_type])
    names = {field.name for field in dataclasses.fields(config)}
    if causal and case.model_type in DECODERS:
        config.is_decoder, config.is_encoder_decoder = True, False
        config.add_cross_attention = False
    elif "is_decoder" in names and case.head in ("causal_lm", "masked_lm"):
        config.is_decoder = causal
    config.dtype = None
    return config


def move(model: PreTrainedModel, seed: int, std: float = 0.1) -> None:
    """Move every parameter, and every stored buffer that is a weight, by N(0, std)."""
    generator = torch.Generator().manual_seed(seed)
    stored = model.state_dict()
    constant = re.compile(CONSTANT.get(model.config.model_type, r"\Z."))
    tensors: Mapping[str, torch.Tensor] = {
        **dict(model.named_parameters()),
        **{n: b for n, b in model.named_buffers() if n in stored and STORED.search(n)},
    }
    with torch.no_grad():
        for name, tensor in tensors.items():
            if tensor.is_floating_point() and not constant.search(name):
                noise = torch.randn(tensor.shape, generator=generator)
                tensor.add_((std * noise).to(tensor.dtype))
