"""LED, the encoder-decoder of Longformer (Beltagy et al., 2020, arXiv:2004.05150)."""

from __future__ import annotations

from ..defaults import keys
from ..family import Family, Head
from ..layouts import Layout
from ..values import Key
from ._rows import changed
from ._tasks import answers
from .bart import COPIES, IRRELEVANT_HERE, KEYS, NAMES, SEPARATE, SPEC, TOKENS
from .longformer import PARTS, windows

_LED_ATTENTION = "encoder.layers.{}.self_attn"

LED = Family(
    model_type="led",
    reads=keys(
        KEYS,
        "max_encoder_position_embeddings max_decoder_position_embeddings attention_window",
        without=["max_position_embeddings"],
    ),
    own_defaults={"scale_embedding": False},
    optional={"decoder_start_token_id": int, "attention_window": object},
    irrelevant=(IRRELEVANT_HERE | {"max_position_embeddings", "attention_dilation"})
    - {"scale_embedding"},
    spec=changed(
        SPEC,
        {
            "max_positions": None,
            "input": {"scale": None},
            "positions": "learned",
            "encoder": {
                "max_positions": Key("max_encoder_position_embeddings"),
                "attention": {"separate_global": True},
            },
            "decoder": {"max_positions": Key("max_decoder_position_embeddings")},
        },
    ),
    layers=windows("encoder_layers"),
    layers_of="encoder",
    last=TOKENS,
    names=lambda values: {
        **NAMES,
        **(SEPARATE if values["separate"] else {}),
        **{
            f"encoder.layers.{{}}.attention.{part}{kind}": (
                f"{_LED_ATTENTION}.longformer_self_attn.{part}{kind}"
            )
            for part in PARTS
            for kind in ("", "_global")
        },
        "encoder.layers.{}.attention.output": f"{_LED_ATTENTION}.output",
    },
    prefix="led.",
    unused=(r"shared\.weight",),
    heads={
        "LEDForConditionalGeneration": Head(
            spec={
                "head": {"type": "language_model", "tied": Key("tie_word_embeddings"), "bias": True}
            },
            names={
                "head.weight": "lm_head.weight",
                "head.bias": Layout("final_logits_bias", stored=lambda values: (1, -1)),
            },
            untied={"lm_head.weight": "shared.weight"},
            copies=COPIES,
        ),
        "LEDModel": Head(copies=COPIES),
        **answers("LED", copies=COPIES),
    },
)

FAMILIES = (LED,)
