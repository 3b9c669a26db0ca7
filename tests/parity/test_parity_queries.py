"""The Q-Former of BLIP-2 equals that of transformers, in float64 and with the same weights."""

from __future__ import annotations

from pathlib import Path

import torch
from equalities import QFORMER
from perturb import perturb, relative_error
from torch import Tensor, nn
from transformers import Blip2QFormerConfig, Blip2QFormerModel

import modelwright as mw

EXAMPLE = Path(__file__).parents[2] / "examples" / "blip2_qformer.yaml"
SMALL = {
    "stacks.image.d_model": 24,
    "stacks.queries.d_model": 32,
    "stacks.queries.layers": 4,
    "stacks.queries.attention.heads": 4,
    "stacks.queries.input.tokens": 5,
}
NAMES = {
    "attention.output": "attention.output.dense",
    "attention_norm": "attention.output.LayerNorm",
    "cross_attention.output": "crossattention.output.dense",
    "cross_attention_norm": "crossattention.output.LayerNorm",
    "feed_forward.up": "intermediate_query.dense",
    "feed_forward.down": "output_query.dense",
    "feed_forward_norm": "output_query.LayerNorm",
}
for name in ("query", "key", "value"):
    NAMES[f"attention.{name}"] = f"attention.attention.{name}"
    NAMES[f"cross_attention.{name}"] = f"crossattention.attention.{name}"


def models() -> tuple[nn.Module, nn.Module]:
    spec = mw.load(EXAMPLE, sets=[f"{key}={value}" for key, value in SMALL.items()])
    ours = perturb(mw.compile(spec, dtype="float64"))
    config = Blip2QFormerConfig(
        hidden_size=32,
        encoder_hidden_size=24,
        num_hidden_layers=4,
        num_attention_heads=4,
        intermediate_size=128,
        attn_implementation="eager",
    )
    theirs = Blip2QFormerModel(config).double().eval()
    found = {}
    for name, weight in ours.state_dict().items():
        key = name.removeprefix("queries.").replace("embedding_norm", "layernorm")
        if key.startswith("layers."):
            _, number, rest = key.split(".", 2)
            part, kind = rest.rsplit(".", 1)
            key = f"encoder.layer.{number}.{NAMES[part]}.{kind}"
        found[key] = weight
    found.pop("learned_tokens")
    assert not theirs.load_state_dict(found, strict=False).unexpected_keys
    return ours, theirs


def data() -> tuple[Tensor, Tensor]:
    draw = torch.Generator().manual_seed(1)
    real = torch.ones(3, 7, dtype=torch.long)
    real[1, 4:] = 0
    return torch.randn(3, 7, 24, dtype=torch.float64, generator=draw), real


def test_q_former_equals_transformers() -> None:
    ours, theirs = models()
    images, real = data()
    queries = ours.queries.learned_tokens.expand(3, -1, -1)
    for mask in (None, real):
        with torch.no_grad():
            expected = theirs(
                query_embeds=queries, encoder_hidden_states=images, encoder_attention_mask=mask
            ).last_hidden_state
            assert relative_error(ours(images, mask), expected) < QFORMER.error


def test_queries_learn_from_every_sequence() -> None:
    ours, _ = models()
    ours(data()[0]).square().sum().backward()
    assert ours.queries.learned_tokens.grad.abs().min() > 0
