"""Longformer and its encoder-decoder, LED (Beltagy et al., 2020, arXiv:2004.05150)."""

from __future__ import annotations

from collections.abc import Callable

from ..family import Family, Head
from ..layers import Layer
from ..layouts import Layout
from ..values import Key, RefusedError, Values
from .bart import COPIES, DEFAULTS, IRRELEVANT_HERE, NAMES, SEPARATE, SPEC, TOKENS
from .like_bert import bert_like, masked_head, pooled_model, token_heads
from .roberta import AFTER_PADDING_SPEC
from .rows import changed

_PARTS = ("query", "key", "value")


def _windows(layers: str) -> Callable[[Values], list[Layer]]:
    """A block for each width; a window of n holds n / 2 tokens on either side."""

    def read(values: Values) -> list[Layer]:
        said, count = values["attention_window"], values[layers]
        each = [said] * count if isinstance(said, int) else list(said)
        if len(each) != count:
            raise RefusedError(f"`attention_window` has {len(each)} entries for {count} layers")
        return [
            (f"window_{width}", {"mask": f"band({width // 2}) | global(given)"}) for width in each
        ]

    return read


LONGFORMER = bert_like(
    "longformer",
    prefix="longformer.",
    heads={
        "LongformerForMaskedLM": masked_head("lm_head", act="gelu"),
        "LongformerModel": pooled_model(),
        **{
            key: head
            for key, head in token_heads("Longformer", dropout=Key("hidden_dropout_prob")).items()
            if key.endswith("TokenClassification")
        },
    },
    defaults={"attention_window": 512, "pad_token_id": 1},
    optional={"attention_window": object},
    irrelevant=frozenset(["attention_mode", "autoregressive", "ignore_attention_mask"])
    | {"attention_dilation", "onnx_export", "sep_token_id"},
    spec={**AFTER_PADDING_SPEC, "attention": {"separate_global": True}},
    layers=_windows("num_hidden_layers"),
    names={
        f"layers.{{}}.attention.{part}_global": f"encoder.layer.{{}}.attention.self.{part}_global"
        for part in _PARTS
    },
)

_LED_ATTENTION = "encoder.layers.{}.self_attn"

LED = Family(
    model_type="led",
    defaults={
        **{key: value for key, value in DEFAULTS.items() if key != "max_position_embeddings"},
        "max_encoder_position_embeddings": 16384,
        "max_decoder_position_embeddings": 1024,
        "attention_window": 512,
    },
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
    layers=_windows("encoder_layers"),
    layers_of="encoder",
    last=TOKENS,
    names=lambda values: {
        **NAMES,
        **(SEPARATE if values["separate"] else {}),
        **{
            f"encoder.layers.{{}}.attention.{part}{kind}": (
                f"{_LED_ATTENTION}.longformer_self_attn.{part}{kind}"
            )
            for part in _PARTS
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
    },
)

FAMILIES = (LONGFORMER, LED)
