"""GPT (Radford et al., 2018)."""

from __future__ import annotations

from collections.abc import Mapping

from ..defaults import keys
from ..family import Family
from ..values import ACTIVATIONS, Key
from ._rows import LAST, SEQUENCE, TOKEN_KEYS, causal_heads, changed
from .gpt2 import GPT2, GPT2_UNUSED
from .gpt_bigcode import SCALE_BY_LAYER

_NOT_GPT = ("scale_attn_weights", SCALE_BY_LAYER, "activation_function")

OPENAI_GPT = Family(
    model_type="openai-gpt",
    reads=keys(GPT2.reads, "afn", without=_NOT_GPT),
    optional=TOKEN_KEYS,
    fixed={"predict_special_tokens": True},
    irrelevant=GPT2.irrelevant | {"n_special"},
    spec=changed(
        GPT2.spec,
        {
            "norm_placement": "post",
            "attention": {"scale": None},
            "feed_forward": {
                "d_ff": None,
                "activation": Key("afn", {**ACTIVATIONS, "gelu": "gelu_tanh"}),
            },
        },
    ),
    last=LAST,
    names={
        "token_embedding": "tokens_embed",
        "position_embedding": "positions_embed",
        **{
            ours: theirs
            for ours, theirs in (GPT2.names.items() if isinstance(GPT2.names, Mapping) else ())
            if ours not in ("token_embedding", "position_embedding", "norm")
        },
    },
    prefix="transformer.",
    unused=GPT2_UNUSED,
    heads=causal_heads(
        "OpenAIGPT",
        table="tokens_embed",
        names={"ForCausalLM": "OpenAIGPTLMHeadModel"},
        tasks=SEQUENCE,
    ),
)

FAMILIES = (OPENAI_GPT,)
