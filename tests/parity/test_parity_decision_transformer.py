"""Decision Transformer equals that of transformers, in float64 and with the same weights."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from equalities import DECISION
from perturb import perturb, relative_error
from torch import Tensor, nn
from transformers import DecisionTransformerConfig, DecisionTransformerModel

import modelwright as mw

EXAMPLE = Path(__file__).parents[2] / "examples" / "decision_transformer.yaml"
STEPS, TIMES = 5, 40
SIZES = (
    "d_model=12",
    f"stacks.steps.max_positions={TIMES}",
    "stacks.decoder.attention.heads=2",
)
OURS = {
    "steps.returns_to_go_embedding.input_projection": "embed_return",
    "steps.states_embedding.input_projection": "embed_state",
    "steps.actions_embedding.input_projection": "embed_action",
    "steps.position_embedding": "embed_timestep",
    "decoder.norm": "encoder.ln_f",
    "action.dense": "predict_action.0",
    "next_state.dense": "predict_state",
    "next_return.dense": "predict_return",
    "attention_norm": "ln_1",
    "feed_forward_norm": "ln_2",
    "attention.output": "attn.c_proj",
    "feed_forward.up": "mlp.c_fc",
    "feed_forward.down": "mlp.c_proj",
}


def library() -> nn.Module:
    config = DecisionTransformerConfig(
        state_dim=17, act_dim=6, hidden_size=12, max_ep_len=TIMES, n_layer=3, n_head=2
    )
    model: nn.Module = DecisionTransformerModel(config)
    return perturb(model.double().eval(), std=0.3)


def ours(theirs: nn.Module) -> nn.Module:
    """Our model with the library's weights: its layers store matrices as (in, out)."""
    known = theirs.state_dict()
    found: dict[str, Tensor] = {}
    # every token has the position 0 of GPT-2's table, after the norm of the inputs
    found["steps.norm.weight"] = known["embed_ln.weight"]
    found["steps.norm.bias"] = known["embed_ln.bias"] + known["encoder.wpe.weight"][0]
    model = mw.compile(mw.load(EXAMPLE, sets=SIZES), dtype=torch.float64).eval()
    for name in model.state_dict():
        part, kind = name.rsplit(".", 1)
        if part in OURS:
            found[name] = known[f"{OURS[part]}.{kind}"]
        elif name not in found:
            layer, inner = part.removeprefix("decoder.layers.").split(".", 1)
            key = f"encoder.h.{layer}."
            if inner in ("attention.query", "attention.key", "attention.value"):
                place = ("query", "key", "value").index(inner.rsplit(".", 1)[1])
                value = known[f"{key}attn.c_attn.{kind}"].chunk(3, dim=-1)[place]
            else:
                value = known[f"{key}{OURS[inner]}.{kind}"]
            found[name] = value.T if kind == "weight" and "norm" not in inner else value
    model.load_state_dict(found)
    return model


@pytest.mark.parametrize("padded", [False, True])
def test_it_equals_the_library(padded: bool) -> None:
    theirs = library()
    model = ours(theirs)
    draw = torch.Generator().manual_seed(0)
    sizes = {"returns_to_go": 1, "states": 17, "actions": 6}
    data = {
        name: torch.randn(3, STEPS, size, generator=draw, dtype=torch.float64)
        for name, size in sizes.items()
    }
    times = torch.randint(0, TIMES - STEPS, (3, 1), generator=draw) + torch.arange(STEPS)
    real = torch.ones(3, STEPS, dtype=torch.long)
    if padded:
        real[1, :2] = 0
    with torch.no_grad():
        expected = theirs(
            **data, rewards=data["returns_to_go"], timesteps=times, attention_mask=real
        )
        found = model(
            **data,
            steps_position_ids=times.repeat_interleave(3, dim=1),
            steps_attention_mask=real.repeat_interleave(3, dim=1),
        )
    for name in ("action", "state", "return"):
        own = found[name if name == "action" else f"next_{name}"]
        error = relative_error(own[real == 1], expected[f"{name}_preds"][real == 1])
        assert error < DECISION.error, name
