"""DETR's encoder, decoder and heads equal those of transformers, in float64."""

from __future__ import annotations

import re
from pathlib import Path

import torch
from equalities import DETR
from perturb import perturb, relative_error
from torch import Tensor, nn
from transformers import DetrConfig
from transformers.models.detr import modeling_detr

import modelwright as mw

EXAMPLE = Path(__file__).parents[2] / "examples" / "detr_r50.yaml"
SMALL = {
    "d_model": 32,
    "layers": 2,
    "attention.heads": 4,
    "feed_forward.d_ff": 48,
    "stacks.encoder.input.image_size": "[3, 5]",
    "stacks.encoder.input.channels": 6,
    "stacks.encoder.input.layers": "[{channels: 32, kernel: 1}]",
    "stacks.decoder.input.tokens": 7,
    "heads.classes.classes": 9,
    "heads.boxes.hidden": "[32, 32]",
}
NAMES = {
    "cross_attention_norm": "encoder_attn_layer_norm",
    "cross_attention": "encoder_attn",
    "attention_norm": "self_attn_layer_norm",
    "attention": "self_attn",
    "feed_forward_norm": "final_layer_norm",
    "feed_forward": "mlp",
}
LINEAR = {"query": "q_proj", "key": "k_proj", "value": "v_proj", "output": "o_proj"}
LINEAR |= {"up": "fc1", "down": "fc2"}


class Theirs(nn.Module):
    """The library's model after its backbone: `DetrForObjectDetection` needs one."""

    def __init__(self, config: DetrConfig) -> None:
        super().__init__()
        self.encoder = modeling_detr.DetrEncoder(config)
        self.decoder = modeling_detr.DetrDecoder(config)
        self.places = modeling_detr.DetrSinePositionEmbedding(config.d_model // 2, normalize=True)
        self.query_position_embeddings = nn.Embedding(config.num_queries, config.d_model)
        self.input_projection = nn.Conv2d(6, config.d_model, kernel_size=1)
        self.class_labels_classifier = nn.Linear(config.d_model, 9)
        self.bbox_predictor = modeling_detr.DetrMLPPredictionHead(32, 32, 4, 3)

    def forward(self, features: Tensor) -> dict[str, Tensor]:
        x = self.input_projection(features)
        places = self.places(x.shape, x.device, x.dtype).flatten(2).transpose(1, 2)
        memory = self.encoder(x.flatten(2).transpose(1, 2), spatial_position_embeddings=places)[0]
        queries = self.query_position_embeddings.weight.expand(len(x), -1, -1)
        y = self.decoder(
            inputs_embeds=torch.zeros_like(queries),
            encoder_hidden_states=memory,
            spatial_position_embeddings=places,
            object_queries_position_embeddings=queries,
        ).last_hidden_state
        boxes = self.bbox_predictor(y).sigmoid()
        return {"classes": self.class_labels_classifier(y), "boxes": boxes}


def key_of(name: str) -> str:
    """The library's name of a weight."""
    outer = {
        "encoder.conv1": "input_projection",
        "decoder.position_embedding": "query_position_embeddings",
        "decoder.norm": "decoder.layernorm",
        "classes.output": "class_labels_classifier",
        "boxes.hidden1": "bbox_predictor.layers.0",
        "boxes.hidden2": "bbox_predictor.layers.1",
        "boxes.dense": "bbox_predictor.layers.2",
    }
    module, kind = name.rsplit(".", 1)
    if module in outer:
        return f"{outer[module]}.{kind}"
    found = re.fullmatch(r"(\w+\.layers\.\d+)\.(\w+)(?:\.(\w+))?", module)
    assert found, name
    inner = f".{LINEAR[found[3]]}" if found[3] else ""
    return f"{found[1]}.{NAMES[found[2]]}{inner}.{kind}"


def models() -> tuple[nn.Module, nn.Module]:
    spec = mw.load(EXAMPLE, sets=[f"{key}={value}" for key, value in SMALL.items()])
    ours = perturb(mw.compile(spec, dtype="float64"))
    config = DetrConfig(
        d_model=32,
        encoder_layers=2,
        decoder_layers=2,
        encoder_attention_heads=4,
        decoder_attention_heads=4,
        encoder_ffn_dim=48,
        decoder_ffn_dim=48,
        num_queries=7,
        attn_implementation="eager",
    )
    theirs = Theirs(config).double().eval()
    theirs.load_state_dict({key_of(name): x for name, x in ours.state_dict().items()})
    return ours, theirs


def test_detr_equals_transformers() -> None:
    ours, theirs = models()
    draw = torch.Generator().manual_seed(1)
    features = torch.randn(2, 6, 3, 5, dtype=torch.float64, generator=draw)
    with torch.no_grad():
        found, expected = ours(features), theirs(features)
    assert found["boxes"].shape == (2, 7, 4)
    for head, value in expected.items():
        assert relative_error(found[head], value) < DETR.error, head
