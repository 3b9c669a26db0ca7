"""GPT-Neo (Black et al., 2021): every other layer has a window; scores are not scaled."""

from __future__ import annotations

from ..defaults import keys
from ..family import Family
from ..layers import Layer
from ..values import Key, RefusedError, Values, activation
from ._rows import LAST, SEQUENCE, TOKEN_KEYS, causal_heads
from ._tasks import answers, scored
from .gpt2 import GPT2


def _neo_layers(values: Values) -> list[Layer]:
    kinds = [kind for run, count in values["attention_types"] for kind in run * count]
    if len(kinds) != values["num_layers"]:
        raise RefusedError(
            f"`attention_types` has {len(kinds)} layers, but `num_layers` is {values['num_layers']}"
        )
    masks = {"global": "causal", "local": f"causal & window({values['window_size']})"}
    return [(kind, {"mask": masks[kind]}) for kind in kinds]


GPT_NEO = Family(
    model_type="gpt_neo",
    reads=keys(
        "vocab_size hidden_size num_layers num_heads attention_types window_size",
        "activation_function max_position_embeddings resid_dropout embed_dropout",
        "attention_dropout layer_norm_epsilon initializer_range bos_token_id eos_token_id",
        "tie_word_embeddings id2label",
    ),
    optional={**TOKEN_KEYS, "intermediate_size": int},
    irrelevant=GPT2.irrelevant | {"attention_layers", "classifier_dropout"},
    spec={
        "family": "decoder-only",
        "vocab_size": Key("vocab_size"),
        "max_positions": Key("max_position_embeddings"),
        "d_model": Key("hidden_size"),
        "layers": Key("num_layers"),
        "dropout": Key("resid_dropout"),
        "norm": {"eps": Key("layer_norm_epsilon")},
        "input": {"dropout": Key("embed_dropout")},
        "positions": "learned",
        "attention": {
            "heads": Key("num_heads"),
            "bias": ["output"],
            "scale": "none",
            "dropout": Key("attention_dropout"),
        },
        "feed_forward": {
            "d_ff": Key("intermediate_size"),
            "activation": activation("activation_function"),
        },
    },
    layers=_neo_layers,
    last=LAST,
    names={
        "token_embedding": "wte",
        "position_embedding": "wpe",
        "norm": "ln_f",
        "layers.{}.attention_norm": "h.{}.ln_1",
        "layers.{}.attention.query": "h.{}.attn.attention.q_proj",
        "layers.{}.attention.key": "h.{}.attn.attention.k_proj",
        "layers.{}.attention.value": "h.{}.attn.attention.v_proj",
        "layers.{}.attention.output": "h.{}.attn.attention.out_proj",
        "layers.{}.feed_forward_norm": "h.{}.ln_2",
        "layers.{}.feed_forward.up": "h.{}.mlp.c_fc",
        "layers.{}.feed_forward.down": "h.{}.mlp.c_proj",
    },
    prefix="transformer.",
    unused=(r"h\.\d+\.attn\.attention\.(masked_)?bias",),
    heads={
        **causal_heads("GPTNeo", table="wte", tasks=SEQUENCE),
        "GPTNeoForTokenClassification": scored(dropout=0.1),
        **answers("GPTNeo"),
    },
)

FAMILIES = (GPT_NEO,)
