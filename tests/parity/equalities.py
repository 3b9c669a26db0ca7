"""Models of several parts that equal another implementation, as `docs/coverage.md` lists them.

Each has a test in this folder, in float64, with all weights perturbed.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Equality:
    """A model, what it is compared with, at which size, and the largest relative error allowed."""

    model: str
    implementation: str
    size: str
    error: float


DIT = Equality(
    "DiT (`dit_xl_2`)",
    "`diffusers` 0.42.1, `DiTTransformer2DModel`; its sinusoids computed in float64, and with the "
    "paper's denominator",
    "3 layers, width 48, 16 patches",
    1e-12,
)
QFORMER = Equality(
    "Q-Former (`blip2_qformer`)",
    "`transformers`, `Blip2QFormerModel`",
    "4 layers, width 32, 5 queries, 7 vectors of an image",
    1e-12,
)
LLAVA = Equality(
    "LLaVA (`llava_like`)",
    "`transformers`, `LlavaForConditionalGeneration`",
    "3 and 2 layers, widths 32 and 48, 3 images of 9 vectors in 2 texts, with padding",
    1e-12,
)
DECISION = Equality(
    "Decision Transformer (`decision_transformer`)",
    "`transformers`, `DecisionTransformerModel`; position 0 of its GPT-2 is added to the bias of "
    "the norm of the inputs",
    "3 layers, width 12, 5 steps of each of 3 sequences, with padding",
    1e-12,
)
DETR = Equality(
    "DETR (`detr_r50`)",
    "`transformers`, `DetrEncoder`, `DetrDecoder`, their positions and the heads of "
    "`DetrForObjectDetection`, after the backbone",
    "2 and 2 layers, width 32, 15 vectors of an image, 7 queries",
    1e-12,
)
PIX2STRUCT = Equality(
    "pix2struct (`pix2struct_base`)",
    "`transformers`, `Pix2StructForConditionalGeneration`; its norms computed in float64",
    "2 and 2 layers, width 32, 2 images of 6 and 4 patches, with padding",
    1e-12,
)
VIVIT = Equality(
    "ViViT (`vivit_b16x2`)",
    "`transformers`, `VivitForVideoClassification`",
    "3 layers, width 48, 2 videos of 12 tubelets, with a frame that is in none",
    1e-12,
)
AXES = Equality(
    "Sinusoids and rotary positions with `axes: 3`",
    "`diffusers` 0.42.1, `get_3d_sincos_pos_embed` and `get_3d_rotary_pos_embed` of CogVideoX, "
    "`WanRotaryPosEmbed` and `WanAttention`; their angles computed in float64",
    "1 layer, width 64, 2 videos of 24 tubelets",
    1e-12,
)
EQUALITIES = (DIT, QFORMER, LLAVA, DETR, PIX2STRUCT, DECISION, VIVIT, AXES)


def table() -> list[str]:
    """The rows of the page."""
    rows = ["| model | equals | size | relative error below |", "| --- | --- | --- | --- |"]
    rows += [f"| {e.model} | {e.implementation} | {e.size} | {e.error:.0e} |" for e in EQUALITIES]
    return rows
