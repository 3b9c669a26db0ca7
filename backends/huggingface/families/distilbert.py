"""DistilBERT (Sanh et al., 2019, arXiv:1910.01108): no token types, no pooler."""

from __future__ import annotations

from ..defaults import keys
from ..family import Family, Head
from ..values import Key, Multiple, activation
from ._bert_like import CLASSES, ENCODER_LAST, masked_head, token_heads
from ._tasks import choices

DISTILBERT = Family(
    model_type="distilbert",
    reads=keys(
        "vocab_size max_position_embeddings n_layers n_heads dim hidden_dim dropout",
        "attention_dropout activation initializer_range qa_dropout seq_classif_dropout",
        "pad_token_id tie_word_embeddings id2label",
    ),
    optional={"pad_token_id": int},
    irrelevant=frozenset(["sinusoidal_pos_embds", "tie_weights_"]),
    spec={
        "family": "encoder-only",
        "vocab_size": Key("vocab_size"),
        "max_positions": Key("max_position_embeddings"),
        "d_model": Key("dim"),
        "layers": Key("n_layers"),
        "dropout": Key("dropout"),
        "activation": activation("activation"),
        "norm": {"eps": 1e-12},
        "norm_placement": "post",
        "input": {"normalize": True},
        "positions": "learned",
        "attention": {"heads": Key("n_heads"), "dropout": Key("attention_dropout")},
        "feed_forward": {"d_ff": Multiple("hidden_dim", of="dim")},
    },
    last=ENCODER_LAST,
    names={
        "token_embedding": "embeddings.word_embeddings",
        "position_embedding": "embeddings.position_embeddings",
        "embedding_norm": "embeddings.LayerNorm",
        "layers.{}.attention.query": "transformer.layer.{}.attention.q_lin",
        "layers.{}.attention.key": "transformer.layer.{}.attention.k_lin",
        "layers.{}.attention.value": "transformer.layer.{}.attention.v_lin",
        "layers.{}.attention.output": "transformer.layer.{}.attention.out_lin",
        "layers.{}.attention_norm": "transformer.layer.{}.sa_layer_norm",
        "layers.{}.feed_forward.up": "transformer.layer.{}.ffn.lin1",
        "layers.{}.feed_forward.down": "transformer.layer.{}.ffn.lin2",
        "layers.{}.feed_forward_norm": "transformer.layer.{}.output_layer_norm",
    },
    prefix="distilbert.",
    unused=(r"embeddings\.position_ids",),
    heads={
        "DistilBertForMaskedLM": masked_head(
            "",
            dense="vocab_transform",
            norm="vocab_layer_norm",
            decoder="vocab_projector",
            bias="vocab_projector.bias",
        ),
        "DistilBertModel": Head(),
        "DistilBertForSequenceClassification": Head(
            spec={
                "head": {
                    "type": "classifier",
                    "classes": CLASSES,
                    "pool": "first",
                    "hidden": Key("dim"),
                    "activation": "relu",
                    "dropout": Key("seq_classif_dropout"),
                }
            },
            names={"head.dense": "pre_classifier", "head.output": "classifier"},
        ),
        **choices(
            "DistilBert",
            dense="pre_classifier",
            width=Key("dim"),
            act="relu",
            dropout=Key("seq_classif_dropout"),
        ),
        **token_heads("DistilBert", dropout=Key("dropout")),
    },
)

FAMILIES = (DISTILBERT,)
