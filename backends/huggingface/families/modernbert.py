"""ModernBERT (Warner et al., 2024, arXiv:2412.13663) and its decoder (2025, arXiv:2507.11412)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..defaults import keys
from ..family import Family, Head
from ..layers import Layer
from ..rotary import by_layer_type, of_layer_type
from ..values import Key, RefusedError, Values, activation
from ._bert_like import ENCODER_LAST
from ._rows import LAST, QKV, TOKEN_KEYS, layer_types
from ._tasks import CLASSES, DROPOUT

_BLOCKS = {
    "full_attention": ("global", "global_rope_theta"),
    "sliding_attention": ("local", "local_rope_theta"),
}
"""Layer type -> name of its block, and the older config key of its theta."""


def _types(values: Values) -> list[str]:
    every = values["global_attn_every_n_layers"] or 3
    layers = range(values["num_hidden_layers"])
    usual = ["sliding_attention" if layer % every else "full_attention" for layer in layers]
    return layer_types({**values, "layer_types": values["layer_types"] or usual})


def _positions(layer_type: str, older: str, values: Values) -> dict[str, Any]:
    usual = {**values, "rope_theta": values[older]}
    return of_layer_type(by_layer_type(usual, _BLOCKS), layer_type)


def _layers(full: str, window: str) -> Callable[[Values], list[Layer]]:
    """The blocks of both layer types; `window` takes `local_attention` // 2."""

    def layers(values: Values) -> list[Layer]:
        masks = {"global": full, "local": window.format(values["local_attention"] // 2)}
        made: list[Layer] = []
        for layer_type in _types(values):
            if layer_type not in _BLOCKS:
                raise RefusedError(f"layers of type `{layer_type}` are not supported yet")
            kind, older = _BLOCKS[layer_type]
            positions = _positions(layer_type, older, values)
            made.append((kind, {"mask": masks[kind], "positions": positions}))
        return made

    return layers


KEYS = keys(
    "vocab_size hidden_size intermediate_size num_hidden_layers num_attention_heads",
    "hidden_activation max_position_embeddings initializer_range norm_eps norm_bias",
    "pad_token_id bos_token_id eos_token_id attention_bias attention_dropout",
    "embedding_dropout mlp_bias mlp_dropout decoder_bias classifier_dropout",
    "classifier_bias classifier_activation local_attention global_rope_theta",
    "local_rope_theta tie_word_embeddings id2label",
)

OPTIONAL: Mapping[str, type] = {
    **TOKEN_KEYS,
    "layer_types": list,
    "rope_parameters": dict,
    "rope_scaling": dict,
    "global_attn_every_n_layers": int,
    "local_rope_theta": float,
}

IRRELEVANT = frozenset(
    [
        "classifier_pooling",
        "cls_token_id",
        "compile",
        "deterministic_flash_attn",
        "initializer_cutoff_factor",
        "layer_norm_eps",
        "position_embedding_type",
        "reference_compile",
        "repad_logits_with_grad",
        "rope_theta",  # each kind of layer has its own
        "sliding_window",  # always half of `local_attention`
        "sparse_pred_ignore_index",
        "sparse_prediction",
    ]
)

SPEC: dict[str, Any] = {
    "vocab_size": Key("vocab_size"),
    "max_positions": Key("max_position_embeddings"),
    "d_model": Key("hidden_size"),
    "layers": Key("num_hidden_layers"),
    "bias": False,
    "norm": {"eps": Key("norm_eps"), "bias": Key("norm_bias")},
    "input": {"normalize": True, "dropout": Key("embedding_dropout")},
    "attention": {
        "heads": Key("num_attention_heads"),
        "bias": Key("attention_bias"),
        "dropout": Key("attention_dropout"),
    },
    "feed_forward": {
        "type": "glu",
        "d_ff": Key("intermediate_size"),
        "activation": activation("hidden_activation"),
        "bias": Key("mlp_bias"),
        "hidden_dropout": Key("mlp_dropout"),
    },
    # the embeddings are already normalised
    "overrides": {"0": {"attention": {"norm_placement": "none"}}},
}

NAMES: Mapping[Any, Any] = {
    "token_embedding": "embeddings.tok_embeddings",
    "embedding_norm": "embeddings.norm",
    "norm": "final_norm",
    "layers.{}.attention_norm": "layers.{}.attn_norm",
    "layers.{}.attention.output": "layers.{}.attn.Wo",
    "layers.{}.feed_forward_norm": "layers.{}.mlp_norm",
    ("layers.{}.feed_forward.gate", "layers.{}.feed_forward.up"): "layers.{}.mlp.Wi",
    "layers.{}.feed_forward.down": "layers.{}.mlp.Wo",
}


def masked_words(transform: str, output: str, **more: Any) -> Head:
    """The masked-LM head; names of its transform and of its output projection."""
    return Head(
        spec={
            "head": {
                "type": "language_model",
                "tied": Key("tie_word_embeddings"),
                "bias": Key("decoder_bias"),
                "transform": {
                    "type": "dense",
                    "activation": activation("classifier_activation"),
                    "bias": Key("classifier_bias"),
                },
            }
        },
        names={
            "head.dense": f"{transform}.dense",
            "head.norm": f"{transform}.norm",
            "head.output": output,
            "head.bias": f"{output}.bias",
        },
        untied={f"{output}.weight": "embeddings.tok_embeddings.weight"},
        **more,
    )


POOLING = Key("classifier_pooling", words={"cls": "first", "mean": "mean"})


def scores(transform: str, output: str, **more: Any) -> Head:
    """A classifier: the same transform as in the masked-LM head, and a linear layer.

    more: `pool`, `classes`, `dropout`, `bias`, and fields of the Head
    """
    options = {"pool": POOLING, "classes": CLASSES, "dropout": DROPOUT, "bias": True}
    options = {key: more.pop(key, value) for key, value in options.items()}
    return Head(
        spec={
            "head": {
                "type": "classifier",
                **options,
                "hidden": Key("hidden_size"),
                "activation": activation("classifier_activation"),
                "hidden_bias": Key("classifier_bias"),
                "hidden_norm": True,
            }
        },
        names={
            "head.dense": f"{transform}.dense",
            "head.hidden_norm": f"{transform}.norm",
            "head.output": output,
        },
        **more,
    )


MODERNBERT = Family(
    model_type="modernbert",
    reads=keys(KEYS, "classifier_pooling"),
    optional=OPTIONAL,
    irrelevant=IRRELEVANT,
    spec={"family": "encoder-only", **SPEC},
    layers=_layers("full", "band({})"),
    last=ENCODER_LAST,
    names={**NAMES, QKV: "layers.{}.attn.Wqkv"},
    prefix="model.",
    heads={
        "ModernBertForMaskedLM": masked_words("head", "decoder"),
        "ModernBertModel": Head(),
        "ModernBertForSequenceClassification": scores("head", "classifier"),
        "ModernBertForMultipleChoice": scores("head", "classifier", classes=1),
        "ModernBertForTokenClassification": scores("head", "classifier", pool="none"),
        "ModernBertForQuestionAnswering": scores("head", "classifier", pool="none"),
    },
)

# As a decoder (Weller et al., 2025, arXiv:2507.11412); its windows include the query.

MODERNBERT_DECODER = Family(
    model_type="modernbert-decoder",
    reads=KEYS,
    optional=OPTIONAL,
    irrelevant=IRRELEVANT,
    spec={"family": "decoder-only", **SPEC},
    layers=_layers("causal", "causal & window({})"),
    last=LAST,
    names={
        **NAMES,
        **{
            f"layers.{{}}.attention.{part}": f"layers.{{}}.attn.{part[0]}_proj"
            for part in ("query", "key", "value")
        },
    },
    prefix="model.",
    heads={
        "ModernBertDecoderForCausalLM": masked_words("lm_head", "decoder"),
        "ModernBertDecoderModel": Head(),
        "ModernBertDecoderForSequenceClassification": scores(
            "head", "classifier", pool="last", bias=Key("classifier_bias")
        ),
    },
)

FAMILIES = (MODERNBERT, MODERNBERT_DECODER)
