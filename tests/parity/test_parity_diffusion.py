"""DiT equals that of diffusers, in float64 and with the same weights."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from equalities import DIT
from perturb import perturb, relative_error
from torch import Tensor, nn

import modelwright as mw

EXAMPLE = Path(__file__).parents[2] / "examples" / "dit_xl_2.yaml"
SMALL = {
    "d_model": 48,
    "layers": 3,
    "input.image_size": 8,
    "attention.heads": 4,
    "condition.embed": "[timestep, {type: label, classes: 10, dropout: 0.1}]",
}
SEPARATE = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "output"}


def small() -> nn.Module:
    spec = mw.load(EXAMPLE, sets=[f"{key}={value}" for key, value in SMALL.items()])
    model: nn.Module = mw.compile(spec, dtype="float64")
    return perturb(model)


class Times(nn.Module):
    """Their table of a time in float64; theirs is float32, with another denominator."""

    def forward(self, times: Tensor) -> Tensor:
        rates = torch.exp(-math.log(10000) * torch.arange(128, dtype=torch.float64) / 128)
        angles = times[:, None].double() * rates
        return torch.cat([angles.cos(), angles.sin()], dim=-1)


def theirs(ours: nn.Module) -> nn.Module:
    library = pytest.importorskip("diffusers.models.transformers.dit_transformer_2d")
    model: Any = library.DiTTransformer2DModel(
        num_attention_heads=4,
        attention_head_dim=12,
        in_channels=4,
        out_channels=8,
        num_layers=3,
        sample_size=8,
        patch_size=2,
        num_embeds_ada_norm=10,
        attention_bias=True,
        norm_eps=1e-6,
    )
    model = model.double().eval()
    found = model.load_state_dict(_renamed(ours.state_dict()), strict=False)
    assert found.missing_keys == found.unexpected_keys == []
    for block in model.transformer_blocks:
        block.norm1.emb.time_proj = Times()
    model.pos_embed.pos_embed = _table()
    return model


def _renamed(ours: dict[str, Tensor]) -> dict[str, Tensor]:
    """Our weights by their names; every block of theirs embeds the condition again."""
    names: dict[str, str] = {
        "pos_embed.proj": "patch_embedding",
        "proj_out_1": "norm_modulation",
        "proj_out_2": "head.output",
    }
    found = {}
    for i in range(3):
        block, layer = f"transformer_blocks.{i}", f"layers.{i}"
        names[f"{block}.norm1.linear"] = f"{layer}.modulation"
        for number, name in ((1, "up"), (2, "down")):
            embedder = f"{block}.norm1.emb.timestep_embedder.linear_{number}"
            names[embedder] = f"condition.timestep.{name}"
        for their, our in SEPARATE.items():
            names[f"{block}.attn1.{their}"] = f"{layer}.attention.{our}"
        names[f"{block}.ff.net.0.proj"] = f"{layer}.feed_forward.up"
        names[f"{block}.ff.net.2"] = f"{layer}.feed_forward.down"
        table = ours["condition.label_embedding.weight"]
        found[f"{block}.norm1.emb.class_embedder.embedding_table.weight"] = table
    for their, our in names.items():
        found |= {f"{their}.{kind}": ours[f"{our}.{kind}"] for kind in ("weight", "bias")}
    return found


def _table() -> Tensor:
    """Their table of the 4 x 4 patches, whose first half is for columns, in float64."""
    rates = 1 / 10000 ** (torch.arange(12, dtype=torch.float64) / 12)
    places = torch.arange(16)
    halves = []
    for axis in (places % 4, places // 4):
        angles = axis[:, None] * rates
        halves.append(torch.cat([angles.sin(), angles.cos()], dim=-1))
    return torch.cat(halves, dim=-1)[None]


def data() -> tuple[Tensor, Tensor, Tensor]:
    draw = torch.Generator().manual_seed(1)
    latents = torch.randn(3, 4, 8, 8, dtype=torch.float64, generator=draw)
    return latents, torch.tensor([1, 500, 999]), torch.tensor([0, 9, 10])


@pytest.mark.slow
def test_dit_equals_diffusers() -> None:
    ours = small()
    reference = theirs(ours)
    with torch.no_grad():
        assert relative_error(ours(*data()), reference(*data()).sample) < DIT.error


def test_a_training_step_of_dit_lowers_its_loss() -> None:
    model = small().train()
    target = torch.randn(
        3, 8, 8, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(2)
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    losses = []
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        for _ in range(20):
            loss = model.loss(model(*data()), target)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    assert losses[-1] < 0.8 * losses[0]


def test_a_new_dit_predicts_zeros() -> None:
    """Gates, and the linear layer of the head, are zero at first (adaLN-Zero)."""
    spec = mw.load(EXAMPLE, sets=[f"{key}={value}" for key, value in SMALL.items()])
    with torch.no_grad():
        assert (
            not mw.compile(spec)
            .eval()(*[x.float() if x.is_floating_point() else x for x in data()])
            .any()
        )


def test_labels_are_left_out_in_training_only() -> None:
    """With probability 0.1, a label becomes the last one."""
    model = small()
    times, labels = torch.zeros(4000), torch.zeros(4000, dtype=torch.long)
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        with_label, without = model.condition(times[:2], torch.tensor([0, 10]))
        found = model.train().condition(times, labels)
    left_out = torch.isclose(found, without).all(-1)
    assert 0.08 < left_out.double().mean().item() < 0.12
    assert torch.isclose(found[~left_out], with_label).all()
