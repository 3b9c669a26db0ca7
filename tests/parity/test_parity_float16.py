"""T5 in float16: feed-forwards whose results exceed its largest number, 65504."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import transformers as hf
from torch import nn

import modelwright as mw

GATED = {"feed_forward_proj": "gated-gelu", "tie_word_embeddings": False}


@pytest.mark.parametrize("largest", [1e3, 7e4, 2e5])
@pytest.mark.parametrize("options", [{}, GATED], ids=["relu", "gated"])
def test_t5(largest: float, options: dict[str, object], tmp_path: Path) -> None:
    """Finite, and as near to float32 as the library, which keeps `wo` in float32."""
    torch.manual_seed(0)
    config = hf.T5Config(
        vocab_size=60, d_model=32, d_kv=8, d_ff=64, num_heads=4, num_layers=2,
        decoder_start_token_id=0, **options,
    )  # fmt: skip
    theirs = hf.T5ForConditionalGeneration(config).eval()
    source, target = torch.randint(1, 60, (2, 9)), torch.randint(1, 60, (2, 5))
    for parameter in theirs.parameters():
        nn.init.normal_(parameter, std=0.3)
    both = theirs.encoder.block[0].layer[1].DenseReluDense
    first, last = both.wi_1 if options else both.wi, both.wo
    seen: list[float] = []
    hook = last.register_forward_hook(lambda m, a, o: seen.append(float(o.abs().max())))
    with torch.no_grad():
        theirs.encoder(source)
        hook.remove()
        for layer in (first, last):  # float16 holds the weights themselves
            layer.weight.mul_((largest / seen[0]) ** 0.5)
        theirs.save_pretrained(tmp_path)
        exact = theirs(input_ids=source, decoder_input_ids=target).logits
        half = hf.T5ForConditionalGeneration.from_pretrained(tmp_path, dtype=torch.float16).eval()
        library = half(input_ids=source, decoder_input_ids=target).logits.float()
        found = mw.from_pretrained(tmp_path).half().eval()(source, target)
    assert found.dtype == torch.float16
    error = float((found.float() - exact).abs().max() / exact.abs().max())
    assert error <= 2 * float((library - exact).abs().max() / exact.abs().max()) + 1e-3


def test_float32_is_refused_where_it_is_not_computed() -> None:
    text = "{name: a, family: decoder-only, vocab_size: 9, d_model: 8, layers: 1, "
    text += "attention: {heads: 2}, residual: {float32: true}, norm: rmsnorm, bias: false}"
    mw.loads(text)
    for other in ("norm=layernorm", "bias=true", "norm_placement=post", "final_norm=false"):
        with pytest.raises(mw.SpecErrors, match="`float32` needs"):
            mw.loads(text, sets=[other])
