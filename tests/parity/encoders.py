"""Encoder-only models of transformers, and the specs that should equal them."""

from __future__ import annotations

from typing import Any

import transformers as hf
from pairs import Pair, Table, share, within
from small_models import EAGER, SIZES, small

BERT_LAYER: Table = {
    "attention.query": "attention.self.query",
    "attention.key": "attention.self.key",
    "attention.value": "attention.self.value",
    "attention.output": "attention.output.dense",
    "attention_norm": "attention.output.LayerNorm",
    "feed_forward.up": "intermediate.dense",
    "feed_forward.down": "output.dense",
    "feed_forward_norm": "output.LayerNorm",
}
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
EMBEDDINGS: Table = {
    "token_embedding": "word_embeddings",
    "token_type_embedding": "token_type_embeddings",
    "position_embedding": "position_embeddings",
    "embedding_norm": "LayerNorm",
}


def like_bert(root: str) -> Table:
    embeddings = {ours: f"{root}embeddings.{theirs}" for ours, theirs in EMBEDDINGS.items()}
    return {**embeddings, **within("layers.{i}", f"{root}encoder.layer.{{i}}", BERT_LAYER)}


def masked_head(dense: str, norm: str, bias: str) -> Table:
    return {"head.dense": dense, "head.norm": norm, "head.bias": bias}


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
feed_forward: {hidden: 48, activation: gelu}
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
feed_forward: {hidden: 48, activation: gelu}
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
feed_forward: {hidden: 48, activation: gelu_tanh}
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
feed_forward: {hidden: 48, activation: gelu}
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
feed_forward: {hidden: 48, activation: gelu}
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

MPNET = Pair(
    "mpnet",
    """
name: mpnet
family: encoder-only
vocab_size: 64
max_positions: 48
d_model: 32
layers: 2
norm: {eps: 1e-12}
norm_placement: post
input: {normalize: true}
positions:
  - {type: learned, offset: 2, skip_padding: tokens}
  - {type: relative_bias, buckets: 32, max_distance: 128}
attention: {heads: 4}
feed_forward: {hidden: 48, activation: gelu}
head: {type: language_model, tied: true, bias: true, transform: dense}
tokens: {pad: 1}
""",
    lambda: small(
        hf.MPNetConfig,
        hf.MPNetForMaskedLM,
        pad_token_id=1,
        bos_token_id=0,
        max_position_embeddings=50,
        **EAGER,
    ),
    {
        **like_bert("mpnet."),
        **within(
            "layers.{i}",
            "mpnet.encoder.layer.{i}",
            {
                "attention.query": "attention.attn.q",
                "attention.key": "attention.attn.k",
                "attention.value": "attention.attn.v",
                "attention.output": "attention.attn.o",
                "attention_norm": "attention.LayerNorm",
            },
        ),
        "relative_bias": "mpnet.encoder.relative_attention_bias",
        **masked_head("lm_head.dense", "lm_head.layer_norm", "lm_head.bias"),
    },
    places=False,
    caches=False,
    unmapped=r"lm_head\.decoder\..*",
)

MODERNBERT_SIZES: dict[str, Any] = {
    **SIZES,
    "num_hidden_layers": 4,
    "local_attention": 6,
    "global_attn_every_n_layers": 3,
    "cls_token_id": 1,
    "sep_token_id": 2,
}

MODERNBERT = Pair(
    "modernbert",
    """
name: modernbert
family: encoder-only
vocab_size: 64
d_model: 32
layers: 4
bias: false
norm: {type: layernorm, bias: false}
input: {normalize: true}
attention: {heads: 4}
feed_forward: {type: glu, hidden: 48, activation: gelu}
blocks:
  global: {positions: {type: rotary, theta: 160000}}
  local: {mask: band(3), positions: {type: rotary, theta: 10000}}
pattern: [global, local * 2]
overrides:
  0: {attention: {norm_placement: none}}
head: {type: language_model, tied: true, bias: true, transform: {type: dense, bias: false}}
""",
    lambda: hf.ModernBertForMaskedLM(hf.ModernBertConfig(**MODERNBERT_SIZES)),
    {
        "token_embedding": "model.embeddings.tok_embeddings",
        "embedding_norm": "model.embeddings.norm",
        "norm": "model.final_norm",
        **within(
            "layers.{i}",
            "model.layers.{i}",
            {
                "attention_norm": "attn_norm",
                "attention.query": share("attn.Wqkv", 0, 3),
                "attention.key": share("attn.Wqkv", 1, 3),
                "attention.value": share("attn.Wqkv", 2, 3),
                "attention.output": "attn.Wo",
                "feed_forward_norm": "mlp_norm",
                "feed_forward.gate": share("mlp.Wi", 0, 2),
                "feed_forward.up": share("mlp.Wi", 1, 2),
                "feed_forward.down": "mlp.Wo",
            },
        ),
        **masked_head("head.dense", "head.norm", "decoder.bias"),
    },
    caches=False,
    unmapped=r"decoder\.weight",
)

ENCODERS = (
    BERT,
    BERT_PRETRAINING,
    ROBERTA,
    ALBERT,
    ELECTRA,
    DISTILBERT,
    MPNET,
    MODERNBERT,
)
