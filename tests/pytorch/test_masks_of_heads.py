"""Masks that only a head reads: their shapes are checked like those that a stack reads."""

from __future__ import annotations

import pytest
import torch

import modelwright as mw

STACK = "d_model: 8, layers: 1, attention: none, positions: none"
IDS = "{argument: a_ids, vocab_size: 9}"
VECTORS = "{type: features, size: 3, argument: a_vectors}"
IMAGE = "{type: patches, image_size: 4, patch_size: 2, argument: a_image}"


def model(inputs: str) -> torch.nn.Module:
    stack = f"  a: {{{STACK}, max_positions: 20, input: {inputs}}}"
    head = "head: {type: projection, size: 4, pool: mean}"
    return mw.compile(mw.loads(f"name: pooled\nstacks:\n{stack}\n{head}\n")).eval()


def test_a_mask_of_features() -> None:
    """A row for a batch of two was broadcast."""
    pooled, vectors = model(VECTORS), torch.randn(2, 5, 3)
    assert pooled(vectors, attention_mask=torch.ones(2, 5).long()).shape == (2, 4)
    with pytest.raises(ValueError, match=r"attention_mask must be int or bool \(2, 5\)"):
        pooled(vectors, attention_mask=torch.ones(1, 5).long())


def test_a_mask_of_a_joined_sequence() -> None:
    """It had to have the length of the ids alone, and ids to be there."""
    optional = IDS.replace("}", ", optional: true}")
    pooled, vectors = model(f"[{optional}, {VECTORS}]"), torch.randn(2, 5, 3)
    ids, mask = torch.ones(2, 3).long(), torch.ones(2, 8).long()
    mask[:, 6:] = 0
    both = pooled(vectors, ids, a_attention_mask=mask)
    assert torch.allclose(both, pooled(vectors[:, :3], ids), atol=1e-6)
    alone = pooled(vectors, a_attention_mask=mask[:, 3:])
    assert torch.allclose(alone, pooled(vectors[:, :3]), atol=1e-6)
    for wrong in (mask[:, :3], mask[:1], mask.double()):
        with pytest.raises(ValueError, match=r"a_attention_mask must be int or bool \(2, 8\)"):
            pooled(vectors, ids, a_attention_mask=wrong)


def test_a_mask_of_ids_before_an_image() -> None:
    """It was not checked."""
    optional = IDS.replace("}", ", optional: true}")
    pooled, image = model(f"[{optional}, {IMAGE}]"), torch.randn(2, 3, 4, 4)
    ids, mask = torch.ones(2, 3).long(), torch.tensor([[0, 1, 1], [1, 1, 1]])
    assert pooled(image).shape == (2, 4)
    found = pooled(image, ids, a_attention_mask=mask)
    assert torch.allclose(found[:1], pooled(image[:1], ids[:1, 1:]), atol=1e-6)
    with pytest.raises(ValueError, match=r"a_attention_mask must be int or bool \(2, 3\)"):
        pooled(image, ids, a_attention_mask=mask[:1])
