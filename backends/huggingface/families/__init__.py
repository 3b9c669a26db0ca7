"""The model families that can be imported, one entry of data each."""

from __future__ import annotations

from ..family import Family
from . import (
    bart,
    bert,
    bert_generation,
    bloom,
    cohere,
    ctrl,
    encoders,
    falcon,
    gemma,
    glm,
    gpt,
    gpt2,
    gptj,
    granite,
    latent,
    later_encoders,
    llama,
    longformer,
    ministral,
    modernbert_decoder,
    neox_japanese,
    olmo,
    opt,
    phi,
    relative,
    relatives,
    smollm,
    stablelm,
    t5,
)

_MODULES = (
    bart,
    bert,
    bert_generation,
    bloom,
    cohere,
    ctrl,
    encoders,
    falcon,
    gemma,
    glm,
    gpt,
    gpt2,
    gptj,
    granite,
    latent,
    later_encoders,
    llama,
    longformer,
    ministral,
    modernbert_decoder,
    neox_japanese,
    olmo,
    opt,
    phi,
    relative,
    relatives,
    smollm,
    stablelm,
    t5,
)

FAMILIES: dict[str, Family] = {
    family.model_type: family for module in _MODULES for family in module.FAMILIES
}
