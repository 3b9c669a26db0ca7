"""pix2struct equals that of transformers, in float64 and with the same weights."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from equalities import PIX2STRUCT
from perturb import perturb, relative_error
from torch import Tensor, nn
from transformers import Pix2StructConfig, Pix2StructForConditionalGeneration
from transformers.models.pix2struct.modeling_pix2struct import Pix2StructLayerNorm

import modelwright as mw

EXAMPLE = Path(__file__).parents[2] / "examples" / "pix2struct_base.yaml"
SMALL = {
    "d_model": 32,
    "layers": 2,
    "attention.heads": 4,
    "feed_forward.d_ff": 48,
    "encoder.input": "{size: 12, add: {row_ids: 9, column_ids: 9}}",
    "decoder.vocab_size": 40,
}
OUTSIDE = {
    "encoder.input_projection": "encoder.embeddings.patch_projection",
    "encoder.row_embedding": "encoder.embeddings.row_embedder",
    "encoder.column_embedding": "encoder.embeddings.column_embedder",
    "encoder.norm": "encoder.layernorm",
    "decoder.token_embedding": "decoder.embed_tokens",
    "decoder.relative_bias": "decoder.layer.0.self_attention.attention.relative_attention_bias",
    "decoder.norm": "decoder.final_layer_norm",
    "head": "decoder.lm_head",
}
ENCODER = {
    "attention_norm": "pre_attention_layer_norm",
    "feed_forward_norm": "pre_mlp_layer_norm",
    "feed_forward": "mlp",
}
DECODER = {
    "attention_norm": "self_attention.layer_norm",
    "cross_attention_norm": "encoder_decoder_attention.layer_norm",
    "feed_forward_norm": "mlp.layer_norm",
    "attention": "self_attention.attention",
    "cross_attention": "encoder_decoder_attention.attention",
    "feed_forward": "mlp.DenseReluDense",
}
FEED_FORWARD = {"gate": "wi_0", "up": "wi_1", "down": "wo"}


def key_of(name: str) -> str:
    """The library's name of a weight."""
    module, kind = name.rsplit(".", 1)
    if module in OUTSIDE:
        return f"{OUTSIDE[module]}.{kind}"
    stack, _, number, part, *rest = module.split(".")
    layer = f"encoder.encoder.layer.{number}" if stack == "encoder" else f"decoder.layer.{number}"
    part = (ENCODER if stack == "encoder" else DECODER).get(part, part)
    return ".".join([layer, part, *(FEED_FORWARD.get(one, one) for one in rest), kind])


def models() -> tuple[nn.Module, nn.Module]:
    spec = mw.load(EXAMPLE, sets=[f"{key}={value}" for key, value in SMALL.items()])
    ours = perturb(mw.compile(spec, dtype="float64"))
    both = {"hidden_size": 32, "d_kv": 8, "d_ff": 48}
    config = Pix2StructConfig(
        text_config={**both, "vocab_size": 40, "num_layers": 2, "num_heads": 4},
        vision_config={
            **both,
            "patch_embed_hidden_size": 12,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "seq_len": 9,
        },
        attn_implementation="eager",
    )
    theirs = Pix2StructForConditionalGeneration(config).double().eval()
    theirs.load_state_dict({key_of(name): x for name, x in ours.state_dict().items()})
    return ours, theirs


def data() -> dict[str, Tensor]:
    """An image of 2 x 3 patches, and one of 2 x 2 with padding."""
    draw = torch.Generator().manual_seed(1)
    rows = torch.tensor([[1, 1, 1, 2, 2, 2], [1, 1, 2, 2, 0, 0]])
    columns = torch.tensor([[1, 2, 3, 1, 2, 3], [1, 2, 1, 2, 0, 0]])
    return {
        "flattened_patches": torch.randn(2, 6, 12, dtype=torch.float64, generator=draw),
        "row_ids": rows,
        "column_ids": columns,
        "encoder_attention_mask": (rows > 0).long(),
        "decoder_input_ids": torch.randint(0, 40, (2, 5), generator=draw),
    }


def exact_norm(self: Pix2StructLayerNorm, x: Tensor) -> Tensor:
    """The library's norm, whose variance is always in float32, in the dtype of its input."""
    variance = x.square().mean(-1, keepdim=True)
    return self.weight * x * torch.rsqrt(variance + self.variance_epsilon)


def test_pix2struct_equals_transformers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Pix2StructLayerNorm, "forward", exact_norm)
    ours, theirs = models()
    given = data()
    places = torch.stack([given["row_ids"], given["column_ids"]], dim=-1)
    with torch.no_grad():
        expected = theirs(
            flattened_patches=torch.cat([places, given["flattened_patches"]], dim=-1),
            attention_mask=given["encoder_attention_mask"],
            decoder_input_ids=given["decoder_input_ids"],
        ).logits
        assert relative_error(ours(**given), expected) < PIX2STRUCT.error


@torch.no_grad()
def test_generate_takes_the_places_of_patches() -> None:
    ours, _ = models()
    given = data()
    del given["decoder_input_ids"]
    tokens = ours.generate(**given, max_new_tokens=3, temperature=0.0, eos_token_id=None)
    for end in range(1, 4):
        logits = ours(**given, decoder_input_ids=tokens[:, :end])
        assert torch.equal(logits[:, -1].argmax(-1), tokens[:, end])
