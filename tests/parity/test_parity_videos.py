"""Patches of videos, and sinusoids and rotary positions over three axes, equal those of diffusers
and transformers, in float64.
"""

from __future__ import annotations

import functools
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from equalities import AXES, VIVIT
from perturb import perturb, relative_error
from torch import Tensor, nn

import modelwright as mw
from modelwright.backends.pytorch.runtime.positions import video_offsets, video_offsets_behind

FRAMES, ROWS, COLUMNS = 3, 2, 4
INPUT = (
    "input: {type: patches, layout: video, image_size: [8, 16], patch_size: 4, frames: 7, "
    "tubelet_size: 2, bias: true}\n"
)
START = "name: small-video\nfamily: encoder-only\nfinal_norm: false\nhead: none\n" + INPUT
KINDS = ("weight", "bias")
EXAMPLE = Path(__file__).parents[2] / "examples" / "vivit_b16x2.yaml"
SMALL = {
    "d_model": 48,
    "layers": 3,
    "input.image_size": 8,
    "input.patch_size": 4,
    "input.frames": 7,
    "attention.heads": 4,
    "feed_forward.d_ff": 40,
    "head.classes": 5,
}
LAYER = {
    "layernorm_before": "attention_norm",
    "layernorm_after": "feed_forward_norm",
    "attention.q_proj": "attention.query",
    "attention.k_proj": "attention.key",
    "attention.v_proj": "attention.value",
    "attention.o_proj": "attention.output",
    "mlp.fc1": "feed_forward.up",
    "mlp.fc2": "feed_forward.down",
}


def built(text: str) -> Any:
    return perturb(mw.compile(mw.loads(text), dtype="float64"))


def video() -> Tensor:
    """(B, frames, channels, height, width); the last frame is in no patch."""
    draw = torch.Generator().manual_seed(1)
    return torch.randn(2, 7, 3, 8, 16, dtype=torch.float64, generator=draw)


def patches(model: nn.Module, frames: Tensor) -> Tensor:
    """The tubelets of transformers' ViViT, with the weights of our model."""
    vivit = pytest.importorskip("transformers.models.vivit.modeling_vivit")
    config = pytest.importorskip("transformers").VivitConfig(
        image_size=[8, 16], num_frames=7, tubelet_size=[2, 4, 4], hidden_size=model.config.d_model
    )
    theirs = vivit.VivitTubeletEmbeddings(config).double()
    theirs.projection.load_state_dict(model.patch_embedding.state_dict())
    with torch.no_grad():
        found: Tensor = theirs(frames)
    return found


def in_float64(library: ModuleType, patch: pytest.MonkeyPatch) -> None:
    """Their angles in float64; their code casts them to float32."""
    whole = functools.partial(library.get_1d_rotary_pos_embed, freqs_dtype=torch.float64)
    patch.setattr(library, "get_1d_rotary_pos_embed", whole)
    patch.setattr(Tensor, "float", Tensor.double)


def classifier(ours: nn.Module) -> nn.Module:
    """The model of transformers with the weights of ours."""
    library = pytest.importorskip("transformers")
    config = library.VivitConfig(
        image_size=8,
        num_frames=7,
        tubelet_size=[2, 4, 4],
        hidden_size=48,
        num_hidden_layers=3,
        num_attention_heads=4,
        intermediate_size=40,
        num_labels=5,
    )
    theirs: nn.Module = library.VivitForVideoClassification(config).double().eval()
    weights = ours.state_dict()
    names = {"vivit.layernorm": "norm", "classifier": "head.output"}
    names["vivit.embeddings.patch_embeddings.projection"] = "patch_embedding"
    for i in range(3):
        names |= {f"vivit.layers.{i}.{their}": f"layers.{i}.{our}" for their, our in LAYER.items()}
    found = {f"{t}.{kind}": weights[f"{o}.{kind}"] for t, o in names.items() for kind in KINDS}
    found["vivit.embeddings.cls_token"] = weights["prefix_tokens"][None]
    found["vivit.embeddings.position_embeddings"] = weights["position_embedding.weight"][None]
    theirs.load_state_dict(found)
    return theirs


def test_vivit_equals_transformers() -> None:
    sets = [f"{key}={value}" for key, value in SMALL.items()]
    ours = perturb(mw.compile(mw.load(EXAMPLE, sets=sets), dtype="float64"))
    frames = video()[..., :8]
    with torch.no_grad():
        assert relative_error(ours(frames), classifier(ours)(frames).logits) < VIVIT.error


@pytest.mark.slow  # importing diffusers takes seconds
def test_sinusoids_of_a_video_equal_those_of_cogvideox() -> None:
    library = pytest.importorskip("diffusers.models.embeddings")
    model = built(START + "d_model: 48\nlayers: 0\npositions: {type: sinusoidal, axes: 3}\n")
    table = library.get_3d_sincos_pos_embed(48, (COLUMNS, ROWS), FRAMES)
    expected = patches(model, video()) + table.flatten(0, 1)
    assert table.dtype == torch.float64
    with torch.no_grad():
        assert relative_error(model(video()), expected) < AXES.error


@pytest.mark.slow
@pytest.mark.parametrize("widths", ["", ", widths: [12, 10, 10]"])
def test_rotary_positions_of_a_video_equal_those_of_diffusers(
    widths: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The attention of Wan, which divides 32 features as 12, 10 and 10; CogVideoX as 8, 12, 12."""
    library = pytest.importorskip("diffusers.models.embeddings")
    wan = pytest.importorskip("diffusers.models.transformers.transformer_wan")
    model = built(
        START
        + "d_model: 64\nlayers: 1\nfeed_forward: none\nnorm: {eps: 1e-5}\n"
        + "attention: {type: mha, heads: 2, bias: true, qk_norm: "
        + "{type: projection, norm: {type: rmsnorm, eps: 1e-5}}}\n"
        + f"positions: {{type: rotary, axes: 3, layout: interleaved{widths}}}\n"
    )
    with monkeypatch.context() as patch:
        in_float64(library, patch)
        patch.setattr(wan, "get_1d_rotary_pos_embed", library.get_1d_rotary_pos_embed)
        if widths:
            grid = torch.zeros(1, 1, FRAMES, ROWS, COLUMNS)
            angles = wan.WanRotaryPosEmbed(32, (1, 1, 1), 64)(grid)
        else:
            sizes: dict[str, Any] = {"grid_type": "slice", "max_size": (9, 9)}
            found = library.get_3d_rotary_pos_embed(32, None, (ROWS, COLUMNS), FRAMES, **sizes)
            angles = [table[None, :, None] for table in found]
    assert angles[0].dtype == torch.float64
    own = model.layers[0].attention
    theirs = wan.WanAttention(64, heads=2, dim_head=32, processor=wan.WanAttnProcessor()).double()
    names = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "output"}
    names |= {"norm_q": "query_norm", "norm_k": "key_norm"}
    weights = own.state_dict()
    theirs.load_state_dict(
        {
            f"{name}.{kind}": weights[f"{names[name]}.{kind}"]
            for name in names
            for kind in KINDS
            if f"{names[name]}.{kind}" in weights
        }
    )
    x = patches(model, video())
    with torch.no_grad():
        normed = model.layers[0].attention_norm(x)
        expected = x + theirs(normed, rotary_emb=angles)
        assert relative_error(model(video()), expected) < AXES.error


@pytest.mark.parametrize("front", [0, 2])
def test_offsets_in_a_video_are_rows_as_in_video_swin(front: int) -> None:
    """The index of its authors: coordinates of pairs, moved to start at 0, times the spans."""
    sizes = (FRAMES, ROWS, COLUMNS)
    axes = torch.meshgrid(*map(torch.arange, sizes), indexing="ij")
    places = torch.stack(axes).flatten(1)
    between = places[:, :, None] - places[:, None, :] + torch.tensor(sizes)[:, None, None] - 1
    between[0] *= (2 * ROWS - 1) * (2 * COLUMNS - 1)
    between[1] *= 2 * COLUMNS - 1
    device = torch.device("cpu")
    found = video_offsets_behind(*sizes, front, device) if front else video_offsets(*sizes, device)
    assert torch.equal(found[front:, front:], between.sum(0))
    rows = (2 * FRAMES - 1) * (2 * ROWS - 1) * (2 * COLUMNS - 1)
    assert found.max() == rows - 1 + (3 if front else 0)
    assert set(found[:front, front:].flatten().tolist()) <= {rows}
    assert set(found[front:, :front].flatten().tolist()) <= {rows + 1}
