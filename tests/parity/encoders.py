"""Encoder-only models of transformers, and the specs that should equal them."""

from __future__ import annotations

from typing import Any

import transformers as hf
from pairs import Pair, Piece, Table, share, share_of_heads, within
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

DEBERTA_SIZES: dict[str, Any] = {
    "relative_attention": True,
    "pos_att_type": ["c2p", "p2c"],
    "position_biased_input": False,
    "max_position_embeddings": 48,
    "layer_norm_eps": 1e-7,
    "attn_implementation": "eager",
}
DEBERTA_LAYER: Table = {
    "attention.output": "attention.output.dense",
    "attention_norm": "attention.output.LayerNorm",
    "feed_forward.up": "intermediate.dense",
    "feed_forward.down": "output.dense",
    "feed_forward_norm": "output.LayerNorm",
}
DEBERTA_TABLE: Table = {
    "token_embedding": "deberta.embeddings.word_embeddings",
    "embedding_norm": "deberta.embeddings.LayerNorm",
    "relative_embedding": "deberta.encoder.rel_embeddings",
    "relative_norm": "deberta.encoder.LayerNorm",
    **within("layers.{i}", "deberta.encoder.layer.{i}", DEBERTA_LAYER),
    **masked_head(
        "cls.predictions.transform.dense",
        "cls.predictions.transform.LayerNorm",
        "cls.predictions.bias",
    ),
}


def like_deberta(parts: Table) -> Table:
    return {
        **DEBERTA_TABLE,
        **within("layers.{i}.attention", "deberta.encoder.layer.{i}.attention.self", parts),
    }


# Theirs also multiplies the embeddings by the mask: no real token sees what that changes.
DEBERTA_SPEC = """
name: deberta
family: encoder-only
vocab_size: 64
max_positions: 48
d_model: 32
layers: 2
norm: {eps: 1e-7}
norm_placement: post
input: {normalize: true}
attention: {heads: 4}
feed_forward: {hidden: 48, activation: gelu}
head: {type: language_model, tied: true, bias: true, transform: dense}
tokens: {pad: 0}
"""

DEBERTA = Pair(
    "deberta",
    DEBERTA_SPEC.replace("{heads: 4}", "{heads: 4, bias: [query, value, output]}")
    + "positions: {type: disentangled, buckets: none, max_distance: 9}\n",
    lambda: small(
        hf.DebertaConfig,
        hf.DebertaForMaskedLM,
        **{**DEBERTA_SIZES, "max_relative_positions": 9, "type_vocab_size": 0},
    ),
    like_deberta(
        {
            "query.weight": share_of_heads("in_proj.weight", 0, 3, 4),
            "key.weight": share_of_heads("in_proj.weight", 1, 3, 4),
            "value.weight": share_of_heads("in_proj.weight", 2, 3, 4),
            "query.bias": "q_bias",
            "value.bias": "v_bias",
            "position_key": "pos_proj",
            "position_query": "pos_q_proj",
        }
    ),
    places=False,
    caches=False,
    unmapped=r"cls\.predictions\.decoder\..*",
)

DEBERTA_V2 = Pair(
    "deberta-v2",
    DEBERTA_SPEC
    + "positions: {type: disentangled, buckets: 8, max_distance: 20, normalize: true,\n"
    "            share_projections: true}\n",
    lambda: small(
        hf.DebertaV2Config,
        hf.DebertaV2ForMaskedLM,
        **{**DEBERTA_SIZES, "max_relative_positions": 20, "type_vocab_size": 0},
        position_buckets=8,
        share_att_key=True,
        norm_rel_ebd="layer_norm",
    ),
    like_deberta({"query": "query_proj", "key": "key_proj", "value": "value_proj"}),
    places=False,
    caches=False,
    unmapped=r"cls\.predictions\.decoder\..*",
)

DEBERTA_V2_OWN = Pair(
    "deberta-v2 with projections of its own",
    DEBERTA_SPEC + "positions: {type: disentangled, buckets: none, max_distance: 48,\n"
    "            terms: [position_to_content]}\n",
    lambda: small(
        hf.DebertaV2Config,
        hf.DebertaV2ForMaskedLM,
        **{**DEBERTA_SIZES, "pos_att_type": ["p2c"], "type_vocab_size": 0},
    ),
    like_deberta(
        {
            "query": "query_proj",
            "key": "key_proj",
            "value": "value_proj",
            "position_query": "pos_query_proj",
        }
    ),
    places=False,
    caches=False,
    unmapped=r"cls\.predictions\.decoder\..*",
)


def of_heads(name: str) -> Piece:
    """A weight that is stored as (in, H, E)."""
    return Piece(f"rel_attn.{name}", lambda tensor: tensor.flatten(1).t())


XLNET = Pair(
    "xlnet, one stream",
    """
name: xlnet
family: encoder-only
vocab_size: 64
d_model: 32
layers: 2
norm: {eps: 1e-12}
norm_placement: post
positions: transformer_xl
attention: {heads: 4, bias: false}
feed_forward: {hidden: 48, activation: gelu}
head: {type: language_model, tied: true, bias: true}
""",
    lambda: hf.XLNetLMHeadModel(
        hf.XLNetConfig(vocab_size=64, d_model=32, n_layer=2, n_head=4, d_inner=48)
    ),
    {
        "token_embedding": "transformer.word_embedding",
        **within(
            "layers.{i}",
            "transformer.layer.{i}",
            {
                "attention.query.weight": of_heads("q"),
                "attention.key.weight": of_heads("k"),
                "attention.value.weight": of_heads("v"),
                "attention.position.weight": of_heads("r"),
                "attention.output.weight": Piece("rel_attn.o", lambda tensor: tensor.flatten(1)),
                "attention.content_bias": "rel_attn.r_w_bias",
                "attention.position_bias": "rel_attn.r_r_bias",
                "attention_norm": "rel_attn.layer_norm",
                "feed_forward.up": "ff.layer_1",
                "feed_forward.down": "ff.layer_2",
                "feed_forward_norm": "ff.layer_norm",
            },
        ),
        "head.bias": "lm_loss.bias",
    },
    places=False,
    caches=False,
    unmapped=r"lm_loss\.weight|transformer\.mask_emb|.*\.(seg_embed|r_s_bias)",
)

LONGFORMER = Pair(
    "longformer",
    """
name: longformer
family: encoder-only
vocab_size: 64
max_positions: 48
d_model: 32
layers: 2
norm_placement: post
input: {add: {token_type_ids: 1}, normalize: true}
positions: {type: learned, offset: 2, skip_padding: tokens}
mask: band(3) | global(given)
attention: {heads: 4, separate_global: true}
feed_forward: {hidden: 48, activation: gelu}
head: {type: language_model, tied: true, bias: true, transform: dense}
tokens: {pad: 1}
""",
    lambda: small(
        hf.LongformerConfig,
        hf.LongformerForMaskedLM,
        attention_window=6,
        pad_token_id=1,
        bos_token_id=0,
        type_vocab_size=1,
        max_position_embeddings=50,
        layer_norm_eps=1e-5,
        **EAGER,
    ),
    {
        **like_bert("longformer."),
        **within(
            "layers.{i}.attention",
            "longformer.encoder.layer.{i}.attention.self",
            {f"{name}_global": f"{name}_global" for name in ("query", "key", "value")},
        ),
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
    DEBERTA,
    DEBERTA_V2,
    DEBERTA_V2_OWN,
    XLNET,
    LONGFORMER,
    MODERNBERT,
)
