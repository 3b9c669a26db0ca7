"""Encoders that are built as BERT is, each with what it has otherwise."""

from __future__ import annotations

from typing import Any

from ..family import Family, Head
from ..values import Key, Multiple, Only, activation
from .like_bert import (
    CLASSES,
    LAST,
    bert_like,
    masked_head,
    pooled_model,
    token_heads,
)
from .narrow_bert import narrow, narrow_head
from .roberta import PRE_NORM
from .rows import LABELS, full_attention

# -- DistilBERT (Sanh et al., 2019, arXiv:1910.01108): no token types, no pooler

DISTILBERT = Family(
    model_type="distilbert",
    defaults={
        "vocab_size": 30522,
        "max_position_embeddings": 512,
        "n_layers": 6,
        "n_heads": 12,
        "dim": 768,
        "hidden_dim": 3072,
        "dropout": 0.1,
        "attention_dropout": 0.1,
        "activation": "gelu",
        "initializer_range": 0.02,
        "qa_dropout": 0.1,
        "seq_classif_dropout": 0.2,
        "pad_token_id": 0,
        "tie_word_embeddings": True,
        "id2label": LABELS,
    },
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
        "feed_forward": {"hidden": Multiple("hidden_dim", of="dim")},
    },
    last=LAST,
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
        **token_heads("DistilBert", dropout=Key("dropout")),
    },
)

# -- Others

_PREDICTIONS = "cls.predictions"


def _like_bert_heads(name: str, width: Any = None) -> dict[str, Head]:
    return {
        f"{name}ForMaskedLM": masked_head(
            _PREDICTIONS,
            dense="transform.dense",
            norm="transform.LayerNorm",
            width=width,
            unused=[r"cls\.seq_relationship\..*"],
        ),
        f"{name}Model": pooled_model(),
        **token_heads(name),
    }


ERNIE = bert_like(
    "ernie",
    prefix="ernie.",
    heads=_like_bert_heads("Ernie"),
    fixed={"use_task_id": False},
    irrelevant=frozenset(["task_type_vocab_size", "pool_act", "task_id"]),
)
MEGATRON_BERT = bert_like(
    "megatron-bert",
    prefix="bert.",
    heads={
        key: head
        for key, head in _like_bert_heads("MegatronBert").items()
        if "Token" not in key and "Question" not in key
    },
    defaults={
        "vocab_size": 29056,
        "hidden_size": 1024,
        "num_hidden_layers": 24,
        "num_attention_heads": 16,
        "intermediate_size": 4096,
    },
    spec={**PRE_NORM, "input": {"normalize": None}},
    names={
        "embedding_norm": None,
        "layers.{}.attention_norm": "encoder.layer.{}.attention.ln",
        "layers.{}.feed_forward_norm": "encoder.layer.{}.ln",
        "norm": "encoder.ln",
    },
)
ROFORMER = bert_like(
    "roformer",
    prefix="roformer.",
    heads={
        "RoFormerForMaskedLM": _like_bert_heads("RoFormer", narrow_head)["RoFormerForMaskedLM"],
        "RoFormerModel": Head(),
        **token_heads("RoFormer", dropout=Key("hidden_dropout_prob")),
    },
    defaults={"vocab_size": 50000, "embedding_size": 768, "max_position_embeddings": 1536},
    optional={"embedding_size": int},
    fixed={"rotary_value": False},
    spec={
        "positions": {"type": "rotary", "layout": "interleaved"},
        "input": {"width": narrow},
    },
    names={"position_embedding": None, "embedding_projection": "embeddings_project"},
    unused=[r"encoder\.embed_positions\.weight"],
)
BIG_BIRD = bert_like(
    "big_bird",
    prefix="bert.",
    heads={
        "BigBirdForMaskedLM": _like_bert_heads("BigBird")["BigBirdForMaskedLM"],
        "BigBirdModel": pooled_model({"head.dense": "pooler"}),
        **token_heads("BigBird"),
    },
    defaults={
        "vocab_size": 50358,
        "hidden_act": "gelu_new",
        "max_position_embeddings": 4096,
        "attention_type": "block_sparse",
        "use_bias": True,
        "rescale_embeddings": False,
        "block_size": 64,
        "num_random_blocks": 3,
    },
    note=full_attention,
    spec={
        "attention": {"bias": Only("use_bias", False, ["output"])},
        "input": {"scale": Only("rescale_embeddings", True, "sqrt_d_model")},
    },
    unused=[r"pooler\..*"],
)

FAMILIES = (DISTILBERT, ERNIE, MEGATRON_BERT, ROFORMER, BIG_BIRD)
