"""Weight names of BERT and its relatives."""

from __future__ import annotations

from pairs import Table, within

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
