"""LLaVA equals that of transformers, in float64 and with the same weights."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from equalities import LLAVA
from perturb import perturb, relative_error
from torch import Tensor, nn
from transformers import CLIPVisionConfig, LlamaConfig, LlavaConfig, LlavaForConditionalGeneration

import modelwright as mw

EXAMPLES = Path(__file__).parents[2] / "examples"
IMAGE, VECTORS = 60, 9
SMALL = f"""
name: llava-small
extends: llava_like.yaml
stacks:
  vision:
    d_model: 32
    layers: 3
    attention: {{heads: 4}}
    input: {{image_size: 24, patch_size: 8}}
  text:
    vocab_size: 61
    max_positions: 64
    d_model: 48
    layers: 2
    attention: {{heads: 4, kv_heads: 2}}
    feed_forward: {{d_ff: 56}}
    input:
      - tokens
      - type: stack
        stack: vision
        skip: 1
        replace: {IMAGE}
        projector: {{type: mlp, d_ff: 48, activation: gelu, bias: true}}
    positions: {{theta: 10000, scaling: {{original_max_positions: 16}}}}
tokens: {{bos: 1, eos: 2}}
"""
VISION = {
    "vision.patch_embedding": "embeddings.patch_embedding",
    "vision.position_embedding": "embeddings.position_embedding",
    "vision.embedding_norm": "pre_layrnorm",
    "attention.query": "self_attn.q_proj",
    "attention.key": "self_attn.k_proj",
    "attention.value": "self_attn.v_proj",
    "attention.output": "self_attn.out_proj",
    "attention_norm": "layer_norm1",
    "feed_forward.up": "mlp.fc1",
    "feed_forward.down": "mlp.fc2",
    "feed_forward_norm": "layer_norm2",
}
TEXT = {
    "text.token_embedding": "model.language_model.embed_tokens",
    "text.vision_projector.up": "model.multi_modal_projector.linear_1",
    "text.vision_projector.down": "model.multi_modal_projector.linear_2",
    "text.norm": "model.language_model.norm",
    "head": "lm_head",
    "attention.query": "self_attn.q_proj",
    "attention.key": "self_attn.k_proj",
    "attention.value": "self_attn.v_proj",
    "attention.output": "self_attn.o_proj",
    "attention_norm": "input_layernorm",
    "feed_forward.gate": "mlp.gate_proj",
    "feed_forward.up": "mlp.up_proj",
    "feed_forward.down": "mlp.down_proj",
    "feed_forward_norm": "post_attention_layernorm",
}


def their_name(name: str) -> str:
    """The name of a weight in transformers."""
    if name == "vision.prefix_tokens":
        return "model.vision_tower.embeddings.class_embedding"
    part, kind = name.rsplit(".", 1)
    seen = part.startswith("vision.")
    if ".layers." in part:
        _, _, number, rest = part.split(".", 3)
        inner = f"encoder.layers.{number}" if seen else f"layers.{number}"
        owner = "model.vision_tower" if seen else "model.language_model"
        return f"{owner}.{inner}.{(VISION if seen else TEXT)[rest]}.{kind}"
    return f"model.vision_tower.{VISION[part]}.{kind}" if seen else f"{TEXT[part]}.{kind}"


class Angles(nn.Module):
    """The angles of Llama 3.1 for heads of 12 numbers, in float64; theirs are in float32."""

    def forward(self, x: Tensor, position_ids: Tensor) -> tuple[Tensor, Tensor]:
        turns = 10000.0 ** -(torch.arange(0, 12, 2, dtype=torch.float64) / 12)
        keep = ((16 * turns / (2 * torch.pi) - 1) / (4 - 1)).clamp(0, 1)
        angles = position_ids[..., None] * turns * (keep + (1 - keep) / 8)
        both = torch.cat([angles, angles], dim=-1)
        return both.cos(), both.sin()


def in_float64(model: nn.Module) -> None:
    """Angles and norms that transformers computes in float32."""
    model.rotary_emb = Angles()
    for module in list(model.modules()):
        for name, inner in list(module.named_children()):
            if type(inner).__name__ == "LlamaRMSNorm":
                norm = nn.RMSNorm(48, eps=inner.variance_epsilon, dtype=torch.float64)
                norm.weight = inner.weight
                setattr(module, name, norm)


@pytest.fixture(scope="module")
def models() -> tuple[nn.Module, nn.Module]:
    ours = perturb(mw.compile(mw.loads(SMALL, folder=EXAMPLES), dtype="float64"))
    vision = CLIPVisionConfig(
        hidden_size=32,
        intermediate_size=128,
        num_hidden_layers=4,  # the last one is not used
        num_attention_heads=4,
        image_size=24,
        patch_size=8,
    )
    text = LlamaConfig(
        vocab_size=61,
        hidden_size=48,
        intermediate_size=56,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=64,
        rms_norm_eps=1e-5,
        rope_parameters={
            "rope_type": "llama3",
            "rope_theta": 10000.0,
            "factor": 8.0,
            "low_freq_factor": 1.0,
            "high_freq_factor": 4.0,
            "original_max_position_embeddings": 16,
        },
    )
    config = LlavaConfig(
        vision_config=vision, text_config=text, image_token_index=IMAGE, attn_implementation="sdpa"
    )
    theirs = LlavaForConditionalGeneration(config).double().eval()
    found = {their_name(name): weight for name, weight in ours.state_dict().items()}
    key = "model.vision_tower.embeddings.class_embedding"
    found[key] = found[key][0]
    missing, unexpected = theirs.load_state_dict(found, strict=False)
    in_float64(theirs.model.language_model)
    assert not unexpected
    assert all("encoder.layers.3." in key or "post_layernorm" in key for key in missing)
    return ours.eval(), theirs


def data() -> tuple[Tensor, Tensor, Tensor]:
    """Two texts with two images and with one; the second text is padded on the left."""
    draw = torch.Generator().manual_seed(1)
    ids = torch.randint(3, IMAGE, (2, 26), generator=draw)
    ids[0, 2:11] = ids[0, 14:23] = ids[1, 9:18] = IMAGE
    mask = torch.ones_like(ids)
    mask[1, :6] = 0
    return ids, torch.randn(3, 3, 24, 24, dtype=torch.float64, generator=draw), mask


def test_llava_equals_transformers(models: tuple[nn.Module, nn.Module]) -> None:
    ours, theirs = models
    ids, images, mask = data()
    positions = (mask.cumsum(-1) - 1).clamp(min=0)
    with torch.no_grad():
        expected = theirs(ids, pixel_values=images).logits
        assert relative_error(ours(ids, images), expected) < LLAVA.error
        expected = theirs(
            ids, pixel_values=images, attention_mask=mask, position_ids=positions
        ).logits
        found = ours(ids, images, mask, positions)
        assert relative_error(found[mask == 1], expected[mask == 1]) < LLAVA.error


def test_text_without_images_equals_transformers(models: tuple[nn.Module, nn.Module]) -> None:
    ours, theirs = models
    ids = data()[0].clamp(max=IMAGE - 1)
    with torch.no_grad():
        assert relative_error(ours(ids), theirs(ids).logits) < LLAVA.error


def test_it_generates_as_transformers_does(models: tuple[nn.Module, nn.Module]) -> None:
    ours, theirs = models
    ids, images, mask = data()
    found = ours.generate(ids, 6, images, mask, temperature=0.0, eos_token_id=None)
    expected = theirs.generate(
        ids,
        pixel_values=images,
        attention_mask=mask,
        max_new_tokens=6,
        do_sample=False,
        eos_token_id=None,
        pad_token_id=0,
    )
    assert found.tolist() == expected.tolist()


def test_images_and_their_places_must_agree(models: tuple[nn.Module, nn.Module]) -> None:
    ours, _ = models
    ids, images, _ = data()
    with pytest.raises(ValueError, match=r"^27 placeholders for 2 x 9 vectors$"):
        ours(ids, images[:2])
    with pytest.raises(ValueError, match=r"^27 placeholders, but no vectors for them$"):
        ours(ids)
    with pytest.raises(ValueError, match=r"^27 placeholders, but no vectors for them$"):
        ours.generate(ids, 1)


def test_the_loss_reaches_every_weight(models: tuple[nn.Module, nn.Module]) -> None:
    ours, _ = models
    ids, images, _ = data()
    labels = ids.masked_fill(ids == IMAGE, -100)
    ours.loss(ours(ids, images), labels).backward()
    found = {name: weight.grad for name, weight in ours.named_parameters()}
    assert [name for name, grad in found.items() if grad is None or not grad.abs().max() > 0] == []
    ours.zero_grad(set_to_none=True)
    ours.loss(ours(ids.clamp(max=IMAGE - 1)), labels).backward()
    used = {name for name, weight in ours.named_parameters() if weight.grad is not None}
    assert {name for name in found if name not in used} == {
        name for name in found if name.startswith(("vision.", "text.vision_projector."))
    }
    ours.zero_grad(set_to_none=True)
