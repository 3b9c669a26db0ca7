"""BERT and its relatives."""

from __future__ import annotations

import transformers as hf
from pairs import Pair, Table, within
from small_models import small

from .rows import EMBEDDINGS, like_bert, masked_head

ALBERT_LAYER: Table = {
    "attention.query": "attention.query",
    "attention.key": "attention.key",
    "attention.value": "attention.value",
    "attention.output": "attention.dense",
    "attention_norm": "attention.LayerNorm",
    "feed_forward.up": "ffn",
    "feed_forward.down": "ffn_output",
    "feed_forward_norm": "full_layer_layer_norm",
}

BERT_SPEC = """
name: bert
family: encoder-only
vocab_size: 64
max_positions: 48
d_model: 32
layers: 2
dropout: 0.1
norm: {eps: 1e-12}
norm_placement: post
input: {add: {token_type_ids: 2}, normalize: true}
positions: learned
attention: {heads: 4}
feed_forward: {d_ff: 48, activation: gelu}
"""

BERT = Pair(
    "bert",
    BERT_SPEC + "head: {type: projection, size: 32, pool: first, activation: tanh}\n",
    lambda: small(hf.BertConfig, hf.BertModel),
    {**like_bert(""), "head.dense": "pooler.dense"},
    result=lambda output: output.pooler_output,
    caches=False,
    unmapped="",
)

BERT_PRETRAINING = Pair(
    "bert with both heads of pretraining",
    BERT_SPEC
    + """
heads:
  mlm: {type: language_model, tied: true, bias: true, transform: dense}
  nsp: {type: classifier, classes: 2, pool: first, hidden: 32, activation: tanh}
""",
    lambda: small(hf.BertConfig, hf.BertForPreTraining),
    {
        **like_bert("bert."),
        "mlm.dense": "cls.predictions.transform.dense",
        "mlm.norm": "cls.predictions.transform.LayerNorm",
        "mlm.bias": "cls.predictions.bias",
        "nsp.dense": "bert.pooler.dense",
        "nsp.output": "cls.seq_relationship",
    },
    result=lambda output: {
        "mlm": output.prediction_logits,
        "nsp": output.seq_relationship_logits,
    },
    caches=False,
    unmapped=r"cls\.predictions\.decoder\..*",
)

ROBERTA = Pair(
    "roberta",
    """
name: roberta
family: encoder-only
vocab_size: 64
max_positions: 48
d_model: 32
layers: 2
norm_placement: post
input: {add: {token_type_ids: 1}, normalize: true}
positions: {type: learned, offset: 2, skip_padding: tokens}
attention: {heads: 4}
feed_forward: {d_ff: 48, activation: gelu}
head: {type: language_model, tied: true, bias: true, transform: dense}
tokens: {pad: 1}
""",
    lambda: small(
        hf.RobertaConfig,
        hf.RobertaForMaskedLM,
        pad_token_id=1,
        bos_token_id=0,
        type_vocab_size=1,
        max_position_embeddings=50,
        layer_norm_eps=1e-5,
    ),
    {
        **like_bert("roberta."),
        **masked_head("lm_head.dense", "lm_head.layer_norm", "lm_head.bias"),
    },
    places=False,
    caches=False,
    unmapped=r"lm_head\.decoder\..*",
)

ALBERT = Pair(
    "albert",
    """
name: albert
family: encoder-only
vocab_size: 64
max_positions: 48
d_model: 32
layers: 3
share: true
norm: {eps: 1e-12}
norm_placement: post
input: {add: {token_type_ids: 2}, width: 24, normalize: true}
positions: learned
attention: {heads: 4}
feed_forward: {d_ff: 48, activation: gelu_tanh}
head:
  type: language_model
  tied: true
  bias: true
  transform: {type: dense, activation: gelu_tanh}
""",
    lambda: small(hf.AlbertConfig, hf.AlbertForMaskedLM, num_hidden_layers=3, embedding_size=24),
    {
        **{name: f"albert.embeddings.{entry}" for name, entry in EMBEDDINGS.items()},
        "embedding_projection": "albert.encoder.embedding_hidden_mapping_in",
        **within(
            "layers.{i}", "albert.encoder.albert_layer_groups.0.albert_layers.0", ALBERT_LAYER
        ),
        **masked_head("predictions.dense", "predictions.LayerNorm", "predictions.bias"),
    },
    caches=False,
    unmapped=r"predictions\.decoder\..*",
)

ELECTRA = Pair(
    "electra",
    """
name: electra
family: encoder-only
vocab_size: 64
max_positions: 48
d_model: 32
layers: 2
norm: {eps: 1e-12}
norm_placement: post
input: {add: {token_type_ids: 2}, width: 24, normalize: true}
positions: learned
attention: {heads: 4}
feed_forward: {d_ff: 48, activation: gelu}
head: {type: language_model, tied: true, bias: true, transform: dense}
""",
    lambda: small(hf.ElectraConfig, hf.ElectraForMaskedLM, embedding_size=24),
    {
        **like_bert("electra."),
        "embedding_projection": "electra.embeddings_project",
        **masked_head(
            "generator_predictions.dense",
            "generator_predictions.LayerNorm",
            "generator_lm_head.bias",
        ),
    },
    caches=False,
    unmapped=r"generator_lm_head\.weight",
)

DISTILBERT = Pair(
    "distilbert",
    """
name: distilbert
family: encoder-only
vocab_size: 64
max_positions: 48
d_model: 32
layers: 2
norm: {eps: 1e-12}
norm_placement: post
input: {normalize: true}
positions: learned
attention: {heads: 4}
feed_forward: {d_ff: 48, activation: gelu}
head: {type: language_model, tied: true, bias: true, transform: dense}
""",
    lambda: hf.DistilBertForMaskedLM(
        hf.DistilBertConfig(
            vocab_size=64,
            max_position_embeddings=48,
            dim=32,
            n_layers=2,
            n_heads=4,
            hidden_dim=48,
            attn_implementation="sdpa",
        )
    ),
    {
        **{name: f"distilbert.embeddings.{entry}" for name, entry in EMBEDDINGS.items()},
        **within(
            "layers.{i}",
            "distilbert.transformer.layer.{i}",
            {
                "attention.query": "attention.q_lin",
                "attention.key": "attention.k_lin",
                "attention.value": "attention.v_lin",
                "attention.output": "attention.out_lin",
                "attention_norm": "sa_layer_norm",
                "feed_forward.up": "ffn.lin1",
                "feed_forward.down": "ffn.lin2",
                "feed_forward_norm": "output_layer_norm",
            },
        ),
        **masked_head("vocab_transform", "vocab_layer_norm", "vocab_projector.bias"),
    },
    caches=False,
    unmapped=r"vocab_projector\.weight",
)
