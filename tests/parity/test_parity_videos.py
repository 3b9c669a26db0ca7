"""Patches of videos, and sinusoids and rotary positions over three axes, equal those of diffusers
and transformers, in float64.
"""

from __future__ import annotations

import functools
from types import ModuleType
from typing import Any

import pytest
import torch
from perturb import perturb, relative_error
from torch import Tensor, nn

import modelwright as mw

FRAMES, ROWS, COLUMNS = 3, 2, 4
INPUT = (
    "input: {type: patches, layout: video, image_size: [8, 16], patch_size: 4, frames: 7, "
    "tubelet_size: 2, bias: true}\n"
)
START = "name: small-video\nfamily: encoder-only\nfinal_norm: false\nhead: none\n" + INPUT
BOUND = 1e-10
pytestmark = pytest.mark.slow  # importing diffusers takes seconds


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


def test_sinusoids_of_a_video_equal_those_of_cogvideox() -> None:
    library = pytest.importorskip("diffusers.models.embeddings")
    model = built(START + "d_model: 48\nlayers: 0\npositions: {type: sinusoidal, axes: 3}\n")
    table = library.get_3d_sincos_pos_embed(48, (COLUMNS, ROWS), FRAMES)
    expected = patches(model, video()) + table.flatten(0, 1)
    assert table.dtype == torch.float64
    with torch.no_grad():
        assert relative_error(model(video()), expected) < BOUND


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
            for kind in ("weight", "bias")
            if f"{names[name]}.{kind}" in weights
        }
    )
    x = patches(model, video())
    with torch.no_grad():
        normed = model.layers[0].attention_norm(x)
        expected = x + theirs(normed, rotary_emb=angles)
        assert relative_error(model(video()), expected) < BOUND
