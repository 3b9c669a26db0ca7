"""XLM (Lample and Conneau, 2019, arXiv:1901.07291)."""

from __future__ import annotations

from typing import Any

from ..defaults import keys
from ..family import Family, Head
from ..values import Key, Only
from ._bert_like import CLASSES
from ._rows import TOKEN_KEYS
from ._tasks import answers, choices, scored

_XLM_KEYS = keys(
    "vocab_size emb_dim n_layers n_heads dropout attention_dropout gelu_activation causal",
    "max_position_embeddings init_std layer_norm_eps pad_token_id bos_token_id",
    "eos_token_id tie_word_embeddings id2label",
)


_SUMMARY: dict[str, Any] = {
    "summary_type": "first",
    "summary_use_proj": True,
    "summary_activation": None,
    "summary_proj_to_labels": True,
}
"""Options of the library's pooling that are supported at one value only."""


def xlm_like(model_type: str, name: str, **more: Any) -> Family:
    head = {"type": "language_model", "tied": Key("tie_word_embeddings"), "bias": True}
    return Family(
        model_type=model_type,
        reads=_XLM_KEYS,
        optional=TOKEN_KEYS,
        fixed={
            "asm": False,
            "is_encoder": True,
            "n_langs": 1,
            "share_inout_emb": True,
            **more.pop("fixed", {}),
        },
        irrelevant=more.pop("irrelevant", frozenset())
        | frozenset(
            [
                "embed_init_std",
                "end_n_top",
                "lang_id",
                "lang2id",
                "id2lang",
                "layerdrop",
                "mask_index",
                "mask_token_id",
                "max_vocab",
                "min_count",
                "same_enc_dec",
                "sinusoidal_embeddings",
                "start_n_top",
                "summary_activation",
                "summary_first_dropout",
                "summary_proj_to_labels",
                "summary_type",
                "summary_use_proj",
                "unk_index",
                "use_lang_emb",
            ]
        ),
        spec={
            "family": "encoder-only",
            "vocab_size": Key("vocab_size"),
            "max_positions": Key("max_position_embeddings"),
            "d_model": Key("emb_dim"),
            "layers": Key("n_layers"),
            "dropout": Key("dropout"),
            "norm": {"eps": Key("layer_norm_eps")},
            "norm_placement": "post",
            "input": {"normalize": True},
            "positions": "learned",
            "mask": Only("causal", True, "causal"),
            "attention": {"heads": Key("n_heads"), "dropout": Key("attention_dropout")},
            "feed_forward": {"activation": Only("gelu_activation", False, "relu", "gelu")},
        },
        last={
            "init": {"type": "normal", "std": Key("init_std")},
            "tokens": {"pad": Key("pad_token_id")},
        },
        names={
            "token_embedding": "embeddings",
            "position_embedding": "position_embeddings",
            "embedding_norm": "layer_norm_emb",
            "layers.{}.attention.query": "attentions.{}.q_lin",
            "layers.{}.attention.key": "attentions.{}.k_lin",
            "layers.{}.attention.value": "attentions.{}.v_lin",
            "layers.{}.attention.output": "attentions.{}.out_lin",
            "layers.{}.attention_norm": "layer_norm1.{}",
            "layers.{}.feed_forward.up": "ffns.{}.lin1",
            "layers.{}.feed_forward.down": "ffns.{}.lin2",
            "layers.{}.feed_forward_norm": "layer_norm2.{}",
        },
        prefix="transformer.",
        unused=(r"position_ids",),
        heads={
            f"{name}WithLMHeadModel": Head(
                spec={"head": head},
                names={"head.bias": "pred_layer.proj.bias", "head": "pred_layer.proj"},
                untied={"pred_layer.proj.weight": "embeddings.weight"},
            ),
            f"{name}Model": Head(),
            f"{name}ForSequenceClassification": scored(
                "sequence_summary.summary", pool="first", dropout=0, fixed=_SUMMARY
            ),
            **choices(
                name,
                dense="sequence_summary.summary",
                output="logits_proj",
                width=CLASSES,
                act="identity",
                dropout=0,
                fixed=_SUMMARY,
            ),
            f"{name}ForQuestionAnsweringSimple": answers(name)[f"{name}ForQuestionAnswering"],
            f"{name}ForTokenClassification": Head(
                spec={"head": {"type": "classifier", "classes": CLASSES}},
                names={"head.output": "classifier"},
            ),
        },
    )


XLM = xlm_like("xlm", "XLM")

FAMILIES = (XLM,)
