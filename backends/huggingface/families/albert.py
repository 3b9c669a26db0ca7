"""ALBERT (Lan et al., 2019, arXiv:1909.11942): layers share weights."""

from __future__ import annotations

from typing import Any

from ..defaults import keys
from ..family import Family, Head, Names
from ..values import Key, Values
from ._bert_like import (
    BERT_SPEC,
    ENCODER_LAST,
    UNUSED,
    masked_head,
    narrow,
    narrow_head,
    pooled_model,
    token_heads,
)
from ._rows import changed
from ._tasks import choices, pooled


def _albert_depth(values: Values) -> int:
    """Number of layers: each layer of the library runs all inner layers of its group."""
    return int(values["num_hidden_layers"] * values["inner_group_num"])


def _albert_layers(values: Values) -> list[Any]:
    """The shared block of each layer: one block per inner layer of a group."""
    layers, groups = values["num_hidden_layers"], values["num_hidden_groups"]
    inner = values["inner_group_num"]
    if groups * inner == 1:
        return [("block", {"share": True})] * layers
    found = []
    for layer in range(layers):
        name = f"group_{int(layer / (layers / groups)) + 1}"
        names = [name] if inner == 1 else [f"{name}_{number + 1}" for number in range(inner)]
        found += [(name, {"share": True}) for name in names]
    return found


_ALBERT_GROUP = "encoder.albert_layer_groups.{}.albert_layers.{}"

_ALBERT_PARTS = {
    "attention.query": "attention.query",
    "attention.key": "attention.key",
    "attention.value": "attention.value",
    "attention.output": "attention.dense",
    "attention_norm": "attention.LayerNorm",
    "feed_forward.up": "ffn",
    "feed_forward.down": "ffn_output",
    "feed_forward_norm": "full_layer_layer_norm",
}


def _albert_names(values: Values) -> Names:
    """Tensor names: the first layer of each shared block has the weights of a group's layer."""
    names: dict[str, str] = {
        "token_embedding": "embeddings.word_embeddings",
        "token_type_embedding": "embeddings.token_type_embeddings",
        "position_embedding": "embeddings.position_embeddings",
        "embedding_norm": "embeddings.LayerNorm",
        "embedding_projection": "encoder.embedding_hidden_mapping_in",
    }
    inner = values["inner_group_num"]
    for layer in range(values["num_hidden_groups"] * inner):
        prefix = _ALBERT_GROUP.format(layer // inner, layer % inner)
        for part, theirs in _ALBERT_PARTS.items():
            names[f"layers.{layer}.{part}"] = f"{prefix}.{theirs}"
    return names


def _pretraining() -> Head:
    """ALBERT's pretraining class: masked tokens and sentence-order prediction."""
    masked = masked_head("predictions", norm="LayerNorm", width=narrow_head)
    names = {str(ours).replace("head", "mlm", 1): theirs for ours, theirs in masked.names.items()}
    order = pooled(dropout=Key("classifier_dropout_prob")).spec["head"]
    return Head(
        spec={"heads": {"mlm": masked.spec["head"], "sop": order}},
        names={**names, "sop.dense": "pooler", "sop.output": "sop_classifier.classifier"},
        untied=masked.untied,
        instead=masked.instead,
    )


ALBERT = Family(
    model_type="albert",
    reads=keys(
        "max_position_embeddings type_vocab_size initializer_range layer_norm_eps vocab_size",
        "embedding_size hidden_size num_hidden_layers num_hidden_groups inner_group_num",
        "num_attention_heads intermediate_size hidden_act hidden_dropout_prob",
        "attention_probs_dropout_prob classifier_dropout_prob pad_token_id",
        "tie_word_embeddings id2label",
    ),
    optional={"pad_token_id": int},
    irrelevant=frozenset(
        [
            "down_scale_factor",
            "gap_size",
            "layers_to_keep",
            "net_structure_type",
            "num_memory_blocks",
        ]
    ),
    spec=changed(BERT_SPEC, {"layers": _albert_depth, "input": {"width": narrow}}),
    layers=_albert_layers,
    last=ENCODER_LAST,
    names=_albert_names,
    prefix="albert.",
    unused=UNUSED,
    heads={
        "AlbertForMaskedLM": masked_head(
            "predictions",
            norm="LayerNorm",
            width=narrow_head,
            unused=[r"pooler\..*", r"sop_classifier\..*"],
        ),
        "AlbertForPreTraining": _pretraining(),
        "AlbertModel": pooled_model({"head.dense": "pooler"}),
        "AlbertForSequenceClassification": pooled(
            dense="pooler", dropout=Key("classifier_dropout_prob")
        ),
        **choices("Albert", dense="pooler", dropout=Key("classifier_dropout_prob")),
        **token_heads("Albert", dropout=Key("classifier_dropout_prob")),
    },
)

FAMILIES = (ALBERT,)
