"""T5 (Raffel et al., 2019, arXiv:1910.10683) and its version 1.1, Flan-T5 among them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ..defaults import Keys, keys
from ..family import Family, Head, Names
from ..values import Key, OtherFamilyError, RefusedError, Row, Values
from ._rows import changed, token
from ._tasks import answers, scored
from .bart import classes_at_the_end

_ACTIVATIONS = {"relu": "relu", "gelu": "gelu", "gelu_new": "gelu_tanh", "silu": "silu"}

_ATTENTION = {"query": "q", "key": "k", "value": "v", "output": "o"}


def _feed_forward(values: Values) -> dict[str, Any]:
    """The feed-forward of `relu` or `gated-gelu`, which uses the tanh approximation."""
    gate, _, function = values["feed_forward_proj"].rpartition("-")
    name = "gelu_new" if values["feed_forward_proj"] == "gated-gelu" else function
    if gate not in ("", "gated") or name not in _ACTIVATIONS:
        raise RefusedError(f"`feed_forward_proj: {values['feed_forward_proj']}` is not supported")
    return {
        "type": "glu" if gate else "mlp",
        "d_ff": values["d_ff"],
        "activation": _ACTIVATIONS[name],
        "hidden_dropout": values["dropout_rate"],
    }


def _feed_forward_back(part: Any) -> dict[str, Any]:
    if part.type not in ("mlp", "glu"):
        raise OtherFamilyError("its feed-forward is not one of T5's")
    names = {"relu": "relu", "gelu_tanh": "gelu", "silu": "silu"}
    name = names.get(part.activation.type, "")
    kind = f"gated-{name}" if part.type == "glu" else part.activation.type
    return {"feed_forward_proj": kind, "d_ff": part.d_ff}


def input_scale(values: Values) -> str | None:
    """Version 1.0 (tied) scales by 1/√d_model before the head; version 1.1 (untied) does not."""
    value = values.get("scale_decoder_outputs")
    scaled = values["tied_as_written"] is not False if value is None else value
    return "1/sqrt_d_model" if scaled else None


def decoder_layers(values: Values) -> int:
    value = values["num_decoder_layers"]
    layers: int = values["num_layers"] if value is None else value
    return layers


def _head_dim(values: Values) -> int | None:
    usual, rest = divmod(values["d_model"], values["num_heads"])
    return None if values["d_kv"] == usual and not rest else values["d_kv"]


def spec_of(share: str) -> dict[str, Any]:
    return {
        "family": "encoder-decoder",
        "vocab_size": Key("vocab_size"),
        "d_model": Key("d_model"),
        "dropout": Key("dropout_rate"),
        "bias": False,
        "norm": {"type": "rmsnorm", "eps": Key("layer_norm_epsilon")},
        "residual": {"float32": True},  # the library keeps `wo` and the residual stream in float32
        "positions": {
            "type": "relative_bias",
            "buckets": Key("relative_attention_num_buckets"),
            "max_distance": Key("relative_attention_max_distance"),
            "share": share,
        },
        "attention": {
            "heads": Key("num_heads"),
            "head_dim": Row(_head_dim, lambda value: {"d_kv": value}),
            "scale": "none",
        },
        "feed_forward": Row(_feed_forward, _feed_forward_back),
        "encoder": {"layers": Key("num_layers")},
        "decoder": {
            "layers": Row(decoder_layers, lambda value: {"num_decoder_layers": value}),
            "input": {"tied": "encoder"},
            "positions": {"bidirectional": False},
        },
    }


def stack_rows(stack: str, last: int) -> dict[str, str]:
    """Tensor names of a stack; `last` is the index of the feed-forward in a block."""
    ours, theirs = f"{stack}.layers.{{}}", f"{stack}.block.{{}}.layer"
    rows = {
        f"{ours}.attention_norm": f"{theirs}.0.layer_norm",
        f"{ours}.attention.relative_bias": f"{theirs}.0.SelfAttention.relative_attention_bias",
        f"{ours}.cross_attention_norm": f"{theirs}.1.layer_norm",
        f"{ours}.feed_forward_norm": f"{theirs}.{last}.layer_norm",
        f"{stack}.relative_bias": f"{stack}.block.0.layer.0.SelfAttention.relative_attention_bias",
        f"{stack}.norm": f"{stack}.final_layer_norm",
    }
    for part, letter in _ATTENTION.items():
        rows[f"{ours}.attention.{part}"] = f"{theirs}.0.SelfAttention.{letter}"
        rows[f"{ours}.cross_attention.{part}"] = f"{theirs}.1.EncDecAttention.{letter}"
    return rows


def names(values: Values) -> Names:
    """All tensor names; a gated feed-forward has two input matrices."""
    gated = values["feed_forward_proj"].startswith("gated")
    up = {"gate": "wi_0", "up": "wi_1"} if gated else {"up": "wi"}
    rows = {"token_embedding": "shared", **stack_rows("encoder", 1), **stack_rows("decoder", 2)}
    for stack, last in (("encoder", 1), ("decoder", 2)):
        for part, theirs in {**up, "down": "wo"}.items():
            rows[f"{stack}.layers.{{}}.feed_forward.{part}"] = (
                f"{stack}.block.{{}}.layer.{last}.DenseReluDense.{theirs}"
            )
    return rows


KEYS = keys(
    "vocab_size d_model d_kv d_ff num_layers num_heads relative_attention_num_buckets",
    "relative_attention_max_distance dropout_rate layer_norm_epsilon feed_forward_proj",
    "pad_token_id eos_token_id tie_word_embeddings id2label classifier_dropout",
)

COPIES = {
    "encoder.embed_tokens.weight": "shared.weight",
    "decoder.embed_tokens.weight": "shared.weight",
}

TOKENS: dict[str, Any] = {
    "tokens": {
        "pad": token("pad_token_id"),
        "eos": token("eos_token_id"),
        "decoder_start": token("decoder_start_token_id"),
    }
}


def t5_like(model_type: str, name: str, *, reads: Keys = (), **more: Any) -> Family:
    tasks = more.pop("tasks", True)
    head = {
        "type": "language_model",
        "tied": Key("tie_word_embeddings"),
        "input_scale": more.pop("input_scale", None),
    }
    family = Family(
        model_type=model_type,
        reads=keys(KEYS, reads),
        optional={
            "num_decoder_layers": int,
            "pad_token_id": int,
            "bos_token_id": int,
            "eos_token_id": object,
            "decoder_start_token_id": int,
            "scale_decoder_outputs": bool,
        },
        irrelevant=frozenset(
            ["dense_act_fn", "is_decoder", "is_gated_act", "n_positions", "scalable_attention"]
        ),
        spec=spec_of(more.pop("share", "stack")),
        last=TOKENS,
        names=names,
        unused=(r"decoder\.block\.0\.layer\.1\.EncDecAttention\.relative_attention_bias\.weight",),
        heads={
            f"{name}ForConditionalGeneration": Head(
                spec={"head": head},
                names={"head": "lm_head"},
                untied={"lm_head.weight": "shared.weight"},
                always_tied=True,
                copies=COPIES,
            ),
            f"{name}Model": Head(always_tied=True, copies=COPIES),
            **(_tasks(name) if tasks else {}),
        },
        **more,
    )
    return replace(family, other=encoder_alone(family, name, tasks))


def _tasks(name: str) -> dict[str, Head]:
    return {
        f"{name}ForSequenceClassification": classes_at_the_end(
            "transformer.", always_tied=True, copies=COPIES
        ),
        **answers(name, always_tied=True, copies=COPIES),
    }


def encoder_alone(family: Family, name: str, tasks: bool) -> Family:
    """The family of the encoder-only classes."""
    stacks = ("family", "encoder", "decoder")
    outer = {key: value for key, value in family.spec.items() if key not in stacks}
    rows = family.names

    def encoder_names(values: Values) -> dict[Any, Any]:
        table = rows(values) if callable(rows) else rows
        return {
            ours.removeprefix("encoder."): theirs
            for ours, theirs in table.items()
            if not str(ours).startswith("decoder.")
        }

    copies = {"encoder.embed_tokens.weight": "shared.weight"}
    return replace(
        family,
        spec={"family": "encoder-only", **changed(outer, family.spec["encoder"])},
        irrelevant=family.irrelevant
        | {"is_encoder_decoder", "num_decoder_layers", "scale_decoder_outputs"},
        last=changed(family.last, {"tokens": {"decoder_start": None}}),
        names=encoder_names,
        unused=(r"decoder\..*", r"lm_head\..*"),
        heads={
            f"{name}EncoderModel": Head(always_tied=True, copies=copies),
            **(
                {
                    f"{name}ForTokenClassification": scored(
                        prefix="transformer.", always_tied=True, copies=copies
                    )
                }
                if tasks
                else {}
            ),
        },
    )


SCALED = Row(input_scale, lambda value: {"scale_decoder_outputs": value != 1})

T5 = t5_like("t5", "T5", input_scale=SCALED)

FAMILIES = (T5,)
