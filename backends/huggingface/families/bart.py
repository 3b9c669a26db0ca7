"""BART (Lewis et al., 2019, arXiv:1910.13461), and encoder-decoders that are built as it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ..family import Family, Head, Names
from ..layouts import Layout
from ..values import IfSet, Key, Values, activation
from .rows import LABELS, changed, full_attention, token

_ATTENTION = {"query": "q_proj", "key": "k_proj", "value": "v_proj", "output": "out_proj"}


def _stack_rows(stack: str) -> dict[str, str]:
    ours, theirs = f"{stack}.layers.{{}}", f"{stack}.layers.{{}}"
    rows = {
        f"{stack}.position_embedding": f"{stack}.embed_positions",
        f"{stack}.embedding_norm": f"{stack}.layernorm_embedding",
        f"{stack}.norm": f"{stack}.layer_norm",
        f"{ours}.attention_norm": f"{theirs}.self_attn_layer_norm",
        f"{ours}.cross_attention_norm": f"{theirs}.encoder_attn_layer_norm",
        f"{ours}.feed_forward_norm": f"{theirs}.final_layer_norm",
        f"{ours}.feed_forward.up": f"{theirs}.fc1",
        f"{ours}.feed_forward.down": f"{theirs}.fc2",
    }
    for part, letter in _ATTENTION.items():
        rows[f"{ours}.attention.{part}"] = f"{theirs}.self_attn.{letter}"
        rows[f"{ours}.cross_attention.{part}"] = f"{theirs}.encoder_attn.{letter}"
    return rows


SEPARATE: Names = {
    "encoder.token_embedding": "encoder.embed_tokens",
    "decoder.token_embedding": "decoder.embed_tokens",
}
NAMES: Mapping[Any, Any] = {
    "token_embedding": "shared",
    **_stack_rows("encoder"),
    **_stack_rows("decoder"),
}

DEFAULTS: dict[str, Any] = {
    "vocab_size": 50265,
    "max_position_embeddings": 1024,
    "encoder_layers": 12,
    "encoder_ffn_dim": 4096,
    "encoder_attention_heads": 16,
    "decoder_layers": 12,
    "decoder_ffn_dim": 4096,
    "decoder_attention_heads": 16,
    "activation_function": "gelu",
    "d_model": 1024,
    "dropout": 0.1,
    "attention_dropout": 0.0,
    "activation_dropout": 0.0,
    "init_std": 0.02,
    "scale_embedding": False,
    "pad_token_id": 1,
    "bos_token_id": 0,
    "eos_token_id": 2,
    "decoder_start_token_id": 2,
    "tie_word_embeddings": True,
    "id2label": LABELS,
}
IRRELEVANT_HERE = frozenset(
    [
        "add_bias_logits",
        "add_final_layer_norm",
        "classif_dropout",
        "classifier_dropout",
        "decoder_layerdrop",
        "encoder_layerdrop",
        "extra_pos_embeddings",
        "force_bos_token_to_be_generated",
        "is_decoder",
        "normalize_before",
        "normalize_embedding",
        "num_hidden_layers",
        "static_position_embeddings",
    ]
)


def stack_spec(stack: str) -> dict[str, Any]:
    return {
        "layers": Key(f"{stack}_layers"),
        "attention": {
            "heads": Key(f"{stack}_attention_heads"),
            "dropout": Key("attention_dropout"),
        },
        "feed_forward": {
            "hidden": Key(f"{stack}_ffn_dim"),
            "hidden_dropout": Key("activation_dropout"),
        },
    }


def _tied(values: Values) -> str | None:
    """One table serves both sides, unless the file has one for each."""
    return None if values["separate"] else "encoder"


SPEC: dict[str, Any] = {
    "family": "encoder-decoder",
    "vocab_size": Key("vocab_size"),
    "max_positions": Key("max_position_embeddings"),
    "d_model": Key("d_model"),
    "dropout": Key("dropout"),
    "activation": activation("activation_function"),
    "norm_placement": "post",
    "input": {"scale": IfSet("scale_embedding", "sqrt_d_model"), "normalize": True},
    "positions": {"type": "learned", "offset": 2},
    "encoder": stack_spec("encoder"),
    "decoder": {"input": {"tied": _tied}, **stack_spec("decoder")},
}
PRE_NORM: Mapping[str, Any] = {"norm_placement": "pre"}
_BARE: Mapping[str, Any] = {"input": {"normalize": None}}
COPIES = {
    "encoder.embed_tokens.weight": "shared.weight",
    "decoder.embed_tokens.weight": "shared.weight",
}


TOKENS: Mapping[str, Any] = {
    "init": {"type": "normal", "std": Key("init_std")},
    "tokens": {
        "pad": token("pad_token_id"),
        "bos": token("bos_token_id"),
        "eos": token("eos_token_id"),
        "decoder_start": token("decoder_start_token_id"),
    },
}


def bart_like(
    model_type: str,
    name: str,
    *,
    model: str = "",
    alone: bool = True,
    defaults: Mapping[str, Any] = {},
    spec: Mapping[str, Any] = {},
    names: Mapping[Any, Any] = {},
    bias: bool = True,
    **more: Any,
) -> Family:
    """A family that differs from BART in these rows.

    model: the class with the head
    alone: whether the library has a class for its decoder alone
    bias: whether the head has one, which no training changes
    """
    head = {"type": "language_model", "tied": Key("tie_word_embeddings"), "bias": bias}
    family = Family(
        model_type=model_type,
        defaults={**DEFAULTS, **defaults},
        optional={
            "pad_token_id": int,
            "bos_token_id": int,
            "eos_token_id": object,
            "decoder_start_token_id": int,
        },
        irrelevant=IRRELEVANT_HERE | more.pop("irrelevant", frozenset()),
        spec=changed(SPEC, spec),
        last=TOKENS,
        names=lambda values: {**NAMES, **names, **(SEPARATE if values["separate"] else {})},
        prefix="model.",
        unused=(r"shared\.weight", *more.pop("unused", ())),
        heads={
            model or f"{name}ForConditionalGeneration": Head(
                spec={"head": head},
                names={
                    "head.weight": "lm_head.weight",
                    "head.bias": Layout("final_logits_bias", stored=lambda values: (1, -1)),
                },
                untied={"lm_head.weight": "shared.weight"},
                copies=COPIES,
            ),
            f"{name}Model": Head(copies=COPIES),
        },
        **more,
    )
    rows = {**NAMES, **names}
    return (
        replace(family, other=decoder_alone(family, f"{name}ForCausalLM", rows))
        if alone
        else family
    )


def decoder_alone(
    family: Family, name: str, names: Mapping[Any, Any], output: str = "lm_head"
) -> Family:
    """The family of a class that writes with the decoder and asks no encoder.

    output: the table of the words
    """
    stacks = ("family", "encoder", "decoder")
    outer = {key: value for key, value in family.spec.items() if key not in stacks}
    inner = changed(outer, family.spec["decoder"])
    table = inner.get("input", {})
    spec = {"family": "decoder-only", **inner, "input": {**table, "tied": None}}
    return replace(
        family,
        spec=spec,
        note="",
        last=changed(family.last, {"tokens": {"decoder_start": None}}),
        names={
            "token_embedding": "decoder.embed_tokens",
            **{
                ours.removeprefix("decoder."): theirs
                for ours, theirs in names.items()
                if ours.startswith("decoder.") and "cross_attention" not in ours
            },
        },
        unused=(
            *(family.unused if isinstance(family.unused, tuple) else ()),
            r"decoder\.layers\.\d+\.encoder_attn.*",  # text alone asks no encoder
        ),
        heads={
            name: Head(
                spec={"head": {"type": "language_model", "tied": Key("tie_word_embeddings")}},
                names={"head": output},
                untied={f"{output}.weight": "decoder.embed_tokens.weight"},
            )
        },
    )


_THREE_LABELS = {"id2label": {**LABELS, "2": "LABEL_2"}}

BART = bart_like("bart", "Bart", defaults=_THREE_LABELS)
MBART = bart_like("mbart", "MBart", defaults={"decoder_start_token_id": None}, spec=PRE_NORM)
PLBART = bart_like(
    "plbart",
    "PLBart",
    defaults={
        "vocab_size": 50005,
        "encoder_layers": 6,
        "encoder_ffn_dim": 3072,
        "encoder_attention_heads": 12,
        "decoder_layers": 6,
        "decoder_ffn_dim": 3072,
        "decoder_attention_heads": 12,
        "d_model": 768,
        "attention_dropout": 0.1,
        "scale_embedding": True,
        "decoder_start_token_id": None,
    },
)
MVP = bart_like(
    "mvp",
    "Mvp",
    defaults={"vocab_size": 50267},
    fixed={"use_prompt": False},
    irrelevant=frozenset(["prompt_length", "prompt_mid_dim"]),
)

# Positions that count from 0; Pegasus stores its sinusoids, so that they are read as learned.
_FROM_ZERO: Mapping[str, Any] = {"positions": {"offset": None}}

PEGASUS = bart_like(
    "pegasus",
    "Pegasus",
    defaults={
        "decoder_start_token_id": 0,
        "pad_token_id": 0,
        "eos_token_id": 1,
        "bos_token_id": None,
    },
    spec={**PRE_NORM, **_BARE, **_FROM_ZERO},
)
MARIAN = bart_like(
    "marian",
    "Marian",
    model="MarianMTModel",
    defaults={
        "vocab_size": 58101,
        "decoder_start_token_id": 58100,
        "pad_token_id": 58100,
        "eos_token_id": 0,
        "bos_token_id": None,
    },
    fixed={"share_encoder_decoder_embeddings": True},
    irrelevant=frozenset(["decoder_vocab_size", "_num_labels"]),
    spec={**_BARE, "positions": {"type": "sinusoidal"}},
    unused=(r"(encoder|decoder)\.embed_positions\.weight",),
)
BLENDERBOT = bart_like(
    "blenderbot",
    "Blenderbot",
    defaults={
        "vocab_size": 8008,
        "max_position_embeddings": 128,
        "encoder_layers": 2,
        "encoder_ffn_dim": 10240,
        "encoder_attention_heads": 32,
        "decoder_layers": 24,
        "decoder_ffn_dim": 10240,
        "decoder_attention_heads": 32,
        "d_model": 2560,
        "decoder_start_token_id": 1,
        "pad_token_id": 0,
        "bos_token_id": 1,
    },
    spec={**PRE_NORM, **_BARE, **_FROM_ZERO},
)
BLENDERBOT_SMALL = bart_like(
    "blenderbot-small",
    "BlenderbotSmall",
    defaults={
        "max_position_embeddings": 512,
        "encoder_layers": 8,
        "encoder_ffn_dim": 2048,
        "decoder_layers": 8,
        "decoder_ffn_dim": 2048,
        "d_model": 512,
        "decoder_start_token_id": 1,
        "pad_token_id": 0,
        "bos_token_id": 1,
    },
    spec={
        **_FROM_ZERO,
        "input": {"scale": None},
        "encoder": {"input": {"scale": IfSet("scale_embedding", "sqrt_d_model")}},
        "decoder": {"input": {"normalize": "before_positions"}},
    },
)


def after_padding(values: Values) -> int:
    offset: int = values["pad_token_id"] + 1
    return offset


M2M_100 = bart_like(
    "m2m_100",
    "M2M100",
    defaults={
        "vocab_size": 128112,
        "activation_function": "relu",
        "attention_dropout": 0.1,
        "scale_embedding": True,
    },
    spec={
        **PRE_NORM,
        **_BARE,
        "positions": {
            "type": "sinusoidal",
            "denominator": "half_minus_one",
            "offset": after_padding,
            "skip_padding": "tokens",
        },
        "decoder": {"positions": {"skip_padding": "mask"}},
    },
    unused=(r"(encoder|decoder)\.embed_positions\.weights",),
    bias=False,
    alone=False,
)

BIGBIRD_PEGASUS = bart_like(
    "bigbird_pegasus",
    "BigBirdPegasus",
    defaults={
        "vocab_size": 96103,
        "max_position_embeddings": 4096,
        "encoder_layers": 16,
        "decoder_layers": 16,
        "activation_function": "gelu_new",
        "scale_embedding": True,
        "pad_token_id": 0,
        "bos_token_id": 2,
        "eos_token_id": 1,
        "attention_type": "block_sparse",
        "block_size": 64,
        "num_random_blocks": 3,
        "use_bias": False,
    },
    spec={
        **PRE_NORM,
        **_BARE,
        **_FROM_ZERO,
        "encoder": {"attention": {"bias": Key("use_bias")}},
        "decoder": {"attention": {"bias": Key("use_bias")}},
    },
    names={
        **{
            f"encoder.layers.{{}}.attention.{part}": f"encoder.layers.{{}}.self_attn.self.{part}"
            for part in ("query", "key", "value")
        },
        "encoder.layers.{}.attention.output": "encoder.layers.{}.self_attn.output",
        "encoder.norm": "encoder.layernorm_embedding",
        "decoder.norm": "decoder.layernorm_embedding",
    },
    note=full_attention,
)

FAMILIES = (
    BART,
    MBART,
    PLBART,
    MVP,
    PEGASUS,
    MARIAN,
    BLENDERBOT,
    BLENDERBOT_SMALL,
    M2M_100,
    BIGBIRD_PEGASUS,
)
