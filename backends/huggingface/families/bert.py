"""BERT (Devlin et al., 2018, arXiv:1810.04805); MiniLM, E5, BGE and GTE use this model type too."""

from __future__ import annotations

from ..family import Family, Head, Names
from ..values import Key
from ._as_decoder import with_decoder_class
from ._bert_like import BERT_KEYS, BERT_NAMES, BERT_OPTIONAL, BERT_SPEC
from ._tasks import choices, next_sentence

_TRANSFORM = "cls.predictions.transform"

_UNTIED = {"cls.predictions.decoder.weight": "embeddings.word_embeddings.weight"}

_INSTEAD = {"cls.predictions.bias": "cls.predictions.decoder.bias"}

_MASKED = {
    "type": "language_model",
    "tied": Key("tie_word_embeddings"),
    "bias": True,
    "transform": {"type": "dense"},
}

_POOLED = {"pool": "first", "hidden": Key("hidden_size"), "activation": "tanh"}

_CLASSES = Key("id2label", read=len)


def _masked(head: str) -> Names:
    return {
        f"{head}.output": "cls.predictions.decoder",
        f"{head}.output.bias": "cls.predictions.bias",
        f"{head}.dense": f"{_TRANSFORM}.dense",
        f"{head}.norm": f"{_TRANSFORM}.LayerNorm",
        f"{head}.bias": "cls.predictions.bias",
    }


HEADS = {
    "BertModel": Head(
        spec={
            "head": {
                "type": "projection",
                "size": Key("hidden_size"),
                "pool": "first",
                "activation": "tanh",
            }
        },
        names={"head.dense": "pooler.dense"},
        optional=True,
    ),
    "BertForMaskedLM": Head(
        spec={"head": _MASKED},
        names=_masked("head"),
        unused=(r"pooler\.dense\..*", r"cls\.seq_relationship\..*"),
        instead=_INSTEAD,
        untied=_UNTIED,
    ),
    "BertForPreTraining": Head(
        spec={
            "heads": {
                "mlm": _MASKED,
                "nsp": {"type": "classifier", "classes": 2, **_POOLED, "dropout": 0},
            }
        },
        names={**_masked("mlm"), "nsp.dense": "pooler.dense", "nsp.output": "cls.seq_relationship"},
        instead=_INSTEAD,
        untied=_UNTIED,
    ),
    "BertForSequenceClassification": Head(
        spec={
            "head": {
                "type": "classifier",
                "classes": _CLASSES,
                **_POOLED,
                "dropout": Key("classifier_dropout"),
            }
        },
        names={"head.dense": "pooler.dense", "head.output": "classifier"},
    ),
    **choices("Bert"),
    **next_sentence("Bert", unused=[r"cls\.predictions\..*"]),
    "BertForTokenClassification": Head(
        spec={
            "head": {
                "type": "classifier",
                "classes": _CLASSES,
                "dropout": Key("classifier_dropout"),
            }
        },
        names={"head.output": "classifier"},
        unused=(r"pooler\.dense\..*",),
    ),
    "BertForQuestionAnswering": Head(
        spec={"head": {"type": "classifier", "classes": 2, "dropout": 0}},
        names={"head.output": "qa_outputs"},
        unused=(r"pooler\.dense\..*",),
    ),
}

_BERT = Family(
    model_type="bert",
    reads=BERT_KEYS,
    optional=BERT_OPTIONAL,
    fixed={
        "position_embedding_type": "absolute",
    },
    irrelevant=frozenset(
        [
            "directionality",
            "embedding_size",
            "pooler_fc_size",
            "pooler_num_attention_heads",
            "pooler_num_fc_layers",
            "pooler_size_per_head",
            "pooler_type",
        ]
    ),
    spec=BERT_SPEC,
    last={
        "init": {"type": "normal", "std": Key("initializer_range")},
        "tokens": {"pad": Key("pad_token_id")},
    },
    names=BERT_NAMES,
    prefix="bert.",
    renamed={".gamma": ".weight", ".beta": ".bias"},
    unused=(r"embeddings\.position_ids", r"embeddings\.token_type_ids"),
    heads=HEADS,
)

FAMILIES = (with_decoder_class(_BERT, "BertLMHeadModel"),)
