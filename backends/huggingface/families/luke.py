"""LUKE (Yamada et al., 2020, arXiv:2010.01057), for texts without marked entities."""

from __future__ import annotations

from dataclasses import replace

from ._bert_like import masked_head, pooled_model
from ._tasks import POOLER, answers, choices, pooled, scored
from .roberta import roberta_like

LUKE = roberta_like(
    "luke",
    "Luke",
    "luke.",
    irrelevant=frozenset(["entity_emb_size", "entity_vocab_size", "use_entity_aware_attention"]),
    heads={
        "LukeForMaskedLM": replace(
            masked_head("lm_head", act="gelu", unused=[r"entity_predictions\..*"]), partial=True
        ),
        "LukeModel": replace(pooled_model(), partial=True),
        "LukeForSequenceClassification": pooled(partial=True),
        **choices("Luke", partial=True),
        "LukeForTokenClassification": scored(unused=POOLER, partial=True),
        **answers("Luke", unused=POOLER, partial=True),
    },
    unused=[r"entity_embeddings\..*", r".*\.(w2e|e2w|e2e)_query\..*"],
    note="Words only: entities are not supported",
)

FAMILIES = (LUKE,)
