"""BART (Lewis et al., 2019, arXiv:1910.13461), and rows shared by similar models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..defaults import Keys, keys
from ..family import Family, Head, Names
from ..layouts import Layout
from ..values import IfSet, Key, Values, activation
from ._rows import changed, token
from ._tasks import DROPOUT, answers, pooled

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

KEYS = keys(
    "vocab_size max_position_embeddings encoder_layers encoder_ffn_dim",
    "encoder_attention_heads decoder_layers decoder_ffn_dim decoder_attention_heads",
    "activation_function d_model classifier_dropout dropout attention_dropout",
    "activation_dropout init_std scale_embedding pad_token_id bos_token_id eos_token_id",
    "decoder_start_token_id tie_word_embeddings id2label",
)

IRRELEVANT_HERE = frozenset(
    [
        "add_bias_logits",
        "add_final_layer_norm",
        "classif_dropout",
        "decoder_layerdrop",
        "encoder_layerdrop",
        "extra_pos_embeddings",
        "force_bos_token_to_be_generated",
        "is_decoder",
        "normalize_before",
        "normalize_embedding",
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
            "d_ff": Key(f"{stack}_ffn_dim"),
            "hidden_dropout": Key("activation_dropout"),
        },
    }


def _tied(values: Values) -> str | None:
    """The decoder shares the encoder's token embedding, unless the file has two."""
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

NO_EMBEDDING_NORM: Mapping[str, Any] = {"input": {"normalize": None}}

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


def decoder_alone(
    family: Family, name: str, names: Mapping[Any, Any], output: str = "lm_head"
) -> Family:
    """The family of a causal class that uses only the decoder, without cross-attention.

    output: name of the output projection
    """
    stacks = ("family", "encoder", "decoder")
    outer = {key: value for key, value in family.spec.items() if key not in stacks}
    inner = changed(outer, family.spec["decoder"])
    table = inner.get("input", {})
    spec = {"family": "decoder-only", **inner, "input": {**table, "tied": None}}
    return replace(
        family,
        irrelevant=family.irrelevant | {"is_encoder_decoder"},  # the class sets it
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
            r"decoder\.layers\.\d+\.encoder_attn.*",  # no encoder, so no cross-attention
        ),
        heads={
            name: Head(
                spec={"head": {"type": "language_model", "tied": Key("tie_word_embeddings")}},
                names={"head": output},
                untied={f"{output}.weight": "decoder.embed_tokens.weight"},
            )
        },
    )


def classes_at_the_end(prefix: str = "", dropout: Any = DROPOUT, **more: Any) -> Head:
    """Sequence classification from the decoder's last token, which must be `eos`.

    The library passes the same text, shifted by one, to the decoder; here it is an argument.
    """
    return pooled(
        dense="classification_head.dense",
        output="classification_head.out_proj",
        pool="last",
        width=Key("d_model"),
        dropout=dropout,
        prefix=prefix,
        **more,
    )


TASKS = ("SequenceClassification", "QuestionAnswering")


def bart_like(
    model_type: str,
    name: str,
    *,
    model: str = "",
    alone: bool = True,
    reads: Keys = (),
    spec: Mapping[str, Any] = {},
    names: Mapping[Any, Any] = {},
    bias: bool = True,
    tasks: Sequence[str] = (),
    **more: Any,
) -> Family:
    """A family that differs from BART in the given rows.

    model: name of the class with the language-model head
    alone: whether the library has a causal class for the decoder
    bias: whether the head has a (constant) bias
    tasks: tasks for which the library has a class
    """
    head = {"type": "language_model", "tied": Key("tie_word_embeddings"), "bias": bias}
    family = Family(
        model_type=model_type,
        reads=keys(KEYS, reads),
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
            **{
                key: head
                for key, head in {
                    f"{name}ForSequenceClassification": classes_at_the_end(copies=COPIES),
                    **answers(name, copies=COPIES),
                }.items()
                if key.removeprefix(f"{name}For") in tasks
            },
        },
        **more,
    )
    rows = {**NAMES, **names}
    return (
        replace(family, other=decoder_alone(family, f"{name}ForCausalLM", rows))
        if alone
        else family
    )


BART = bart_like("bart", "Bart", tasks=TASKS)

# Positions count from 0. Pegasus stores its sinusoids, so they are imported as learned positions.
POSITIONS_FROM_ZERO: Mapping[str, Any] = {"positions": {"offset": None}}


FAMILIES = (BART,)
