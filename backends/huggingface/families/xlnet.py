"""XLNet (Yang et al., 2019, arXiv:1906.08237): relative positions of Transformer-XL."""

from __future__ import annotations

from typing import Any

from ..defaults import keys
from ..family import Family, Head
from ..layouts import Layout
from ..values import Key, Values
from ._bert_like import CLASSES
from ._rows import LAST, TOKEN_KEYS
from ._tasks import answers, choices, pooled

_ATTENTION = "layer.{}.rel_attn"


def _by_head(values: Values) -> tuple[int, ...]:
    return (values["d_model"], values["n_head"], -1)


def _flat(name: str) -> Layout:
    """A weight of shape (d_model, heads, head_dim) in the checkpoint."""
    return Layout(f"{_ATTENTION}.{name}", transposed=True, stored=_by_head)


_SUMMARY: dict[str, Any] = {
    "dense": "sequence_summary.summary",
    "output": "logits_proj",
    "pool": "last",
    "width": Key("d_model"),
    "dropout": Key("summary_last_dropout"),
    "fixed": {
        "summary_type": "last",
        "summary_use_proj": True,
        "summary_activation": "tanh",
    },
}

XLNET = Family(
    model_type="xlnet",
    reads=keys(
        "vocab_size d_model n_layer n_head d_inner ff_activation initializer_range",
        "layer_norm_eps dropout summary_last_dropout pad_token_id bos_token_id eos_token_id",
        "tie_word_embeddings id2label",
    ),
    optional={**TOKEN_KEYS, "d_head": int},
    fixed={"attn_type": "bi", "bi_data": False, "clamp_len": -1, "same_length": False},
    irrelevant=frozenset(
        [
            "end_n_top",
            "mem_len",
            "reuse_len",
            "start_n_top",
            "summary_activation",
            "summary_type",
            "summary_use_proj",
            "untie_r",
            "use_mems_eval",
            "use_mems_train",
        ]
    ),
    spec={
        "family": "encoder-only",
        "vocab_size": Key("vocab_size"),
        "d_model": Key("d_model"),
        "layers": Key("n_layer"),
        "dropout": Key("dropout"),
        "norm": {"eps": Key("layer_norm_eps")},
        "norm_placement": "post",
        "positions": "transformer_xl",
        "attention": {"heads": Key("n_head"), "bias": False},
        "feed_forward": {
            "d_ff": Key("d_inner"),
            "activation": Key("ff_activation", words={"gelu": "gelu", "relu": "relu"}),
            "hidden_dropout": Key("dropout"),
        },
    },
    last=LAST,
    names={
        "token_embedding": "word_embedding",
        "layers.{}.attention.query.weight": _flat("q"),
        "layers.{}.attention.key.weight": _flat("k"),
        "layers.{}.attention.value.weight": _flat("v"),
        "layers.{}.attention.position.weight": _flat("r"),
        "layers.{}.attention.output.weight": Layout(f"{_ATTENTION}.o", stored=_by_head),
        "layers.{}.attention.content_bias": f"{_ATTENTION}.r_w_bias",
        "layers.{}.attention.position_bias": f"{_ATTENTION}.r_r_bias",
        "layers.{}.attention_norm": f"{_ATTENTION}.layer_norm",
        "layers.{}.feed_forward.up": "layer.{}.ff.layer_1",
        "layers.{}.feed_forward.down": "layer.{}.ff.layer_2",
        "layers.{}.feed_forward_norm": "layer.{}.ff.layer_norm",
    },
    prefix="transformer.",
    # not supported: segments, memories and the second stream of pretraining
    unused=(r"mask_emb", r"layer\.\d+\.rel_attn\.(r_s_bias|seg_embed)"),
    heads={
        "XLNetLMHeadModel": Head(
            spec={
                "head": {
                    "type": "language_model",
                    "tied": Key("tie_word_embeddings"),
                    "bias": True,
                }
            },
            names={"head.bias": "lm_loss.bias", "head": "lm_loss"},
            untied={"lm_loss.weight": "word_embedding.weight"},
        ),
        "XLNetModel": Head(),
        "XLNetForSequenceClassification": pooled(classes=CLASSES, **_SUMMARY),
        **choices("XLNet", **_SUMMARY),
        "XLNetForQuestionAnsweringSimple": answers("XLNet")["XLNetForQuestionAnswering"],
        "XLNetForTokenClassification": Head(
            spec={"head": {"type": "classifier", "classes": CLASSES, "dropout": 0}},
            names={"head.output": "classifier"},
        ),
    },
    note="Segments, memories and permuted targets are not supported",
)

FAMILIES = (XLNET,)
