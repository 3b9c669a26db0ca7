"""A tiny Switch Transformer whose experts exceed their capacity, imported from a saved folder."""

from __future__ import annotations

import sys
from pathlib import Path

import torch
import transformers

import modelwright as mw
from modelwright.backends.huggingface import import_folder

sys.path.insert(0, str(Path(__file__).parents[1] / "parity"))

from perturb import perturb, relative_error


@torch.no_grad()
def test_the_tokens_that_have_no_room_are_the_library_s(tmp_path: Path) -> None:
    config = transformers.SwitchTransformersConfig(
        vocab_size=40,
        d_model=32,
        d_kv=8,
        d_ff=48,
        num_layers=4,
        num_decoder_layers=3,
        num_heads=4,
        num_experts=4,
        expert_capacity=2,
        num_sparse_encoder_layers=2,
        num_sparse_decoder_layers=1,
        router_bias=True,
        decoder_start_token_id=0,
    )
    torch.manual_seed(0)
    made = transformers.SwitchTransformersForConditionalGeneration(config)
    theirs = perturb(made.eval())
    theirs.save_pretrained(tmp_path)
    text = import_folder(tmp_path)
    assert "pattern: [dense, sparse]" in text
    assert "capacity: 2" in text

    ids, answer = torch.randint(3, 39, (2, 12)), torch.randint(3, 39, (2, 9))
    wanted = theirs(ids, decoder_input_ids=answer).logits
    ours = mw.from_pretrained(tmp_path)
    assert relative_error(ours(ids, answer), wanted) < 2e-5
    for module in ours.modules():  # with room for all, other tokens are served
        if hasattr(module, "capacity"):
            module.capacity = 12
    assert relative_error(ours(ids, answer), wanted) > 1e-3
