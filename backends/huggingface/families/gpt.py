"""Decoders of the GPT line: GPT (Radford et al., 2018), GPT-Neo (Black et al., 2021), GPT-BigCode
(SantaCoder and StarCoder; Ben Allal et al., 2023, arXiv:2301.03988) and GPT-SW3, which is GPT-2."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ..family import Family, Names
from ..layers import Layer
from ..layouts import Layout
from ..values import ACTIVATIONS, Key, Only, RefusedError, Values, activation
from .gpt2 import GPT2, GPT2_UNUSED
from .rows import LABELS, LAST, QKV, SEQUENCE, TOKEN_KEYS, causal_heads, changed

GPT_SW3 = replace(GPT2, model_type="gpt-sw3")

# -- GPT-BigCode

_BY_LAYER = "scale_attn_by_inverse_layer_idx"


def _bigcode_names(values: Values) -> Names:
    """With one key for all heads the projections follow each other; else they do in each head."""
    groups = None if values["multi_query"] else values["n_head"]
    return {
        "token_embedding": "wte",
        "position_embedding": "wpe",
        "norm": "ln_f",
        "layers.{}.attention_norm": "h.{}.ln_1",
        QKV: Layout("h.{}.attn.c_attn", groups=groups),
        "layers.{}.attention.output": "h.{}.attn.c_proj",
        "layers.{}.feed_forward_norm": "h.{}.ln_2",
        "layers.{}.feed_forward.up": "h.{}.mlp.c_fc",
        "layers.{}.feed_forward.down": "h.{}.mlp.c_proj",
    }


GPT_BIGCODE = Family(
    model_type="gpt_bigcode",
    defaults={
        **{key: value for key, value in GPT2.defaults.items() if key != _BY_LAYER},
        "activation_function": "gelu_pytorch_tanh",
        "multi_query": True,
    },
    optional=GPT2.optional,
    irrelevant=GPT2.irrelevant
    | {
        "attention_softmax_in_fp32",
        "inference_runner",
        "max_batch_size",
        "max_sequence_length",
        "num_key_value_heads",
        "pad_key_length",
        "pre_allocate_kv_cache",
        "scale_attention_softmax_in_fp32",
        "validate_runner_input",
    },
    spec=changed(
        GPT2.spec,
        {
            "attention": {
                "kv_heads": Only("multi_query", True, 1),
                "scale": Only("scale_attn_weights", False, "none"),
            }
        },
    ),
    last=LAST,
    names=_bigcode_names,
    prefix="transformer.",
    unused=GPT2_UNUSED,
    heads=causal_heads("GPTBigCode", table="wte", tasks=SEQUENCE),
)

# -- GPT-Neo


def _neo_layers(values: Values) -> list[Layer]:
    kinds = [kind for run, count in values["attention_types"] for kind in run * count]
    if len(kinds) != values["num_layers"]:
        raise RefusedError(
            f"`attention_types` says {len(kinds)} layers, not {values['num_layers']}"
        )
    masks = {"global": "causal", "local": f"causal & window({values['window_size']})"}
    return [(kind, {"mask": masks[kind]}) for kind in kinds]


GPT_NEO = Family(
    model_type="gpt_neo",
    defaults={
        "vocab_size": 50257,
        "hidden_size": 2048,
        "num_layers": 24,
        "num_heads": 16,
        "attention_types": [[["global", "local"], 12]],
        "window_size": 256,
        "activation_function": "gelu_new",
        "max_position_embeddings": 2048,
        "resid_dropout": 0.0,
        "embed_dropout": 0.0,
        "attention_dropout": 0.0,
        "layer_norm_epsilon": 1e-5,
        "initializer_range": 0.02,
        "bos_token_id": 50256,
        "eos_token_id": 50256,
        "tie_word_embeddings": True,
        "id2label": LABELS,
    },
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
            "hidden": Key("intermediate_size"),
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
    heads=causal_heads("GPTNeo", table="wte", tasks=SEQUENCE),
)

# -- The first GPT

_NOT_GPT = ("scale_attn_weights", _BY_LAYER, "activation_function")

OPENAI_GPT = Family(
    model_type="openai-gpt",
    defaults={
        **{key: value for key, value in GPT2.defaults.items() if key not in _NOT_GPT},
        "vocab_size": 40478,
        "n_positions": 512,
        "afn": "gelu",
        "bos_token_id": None,
        "eos_token_id": None,
    },
    optional=TOKEN_KEYS,
    fixed={"predict_special_tokens": True},
    irrelevant=GPT2.irrelevant | {"n_special"},
    spec=changed(
        GPT2.spec,
        {
            "norm_placement": "post",
            "attention": {"scale": None},
            "feed_forward": {
                "hidden": None,
                "activation": Key("afn", {**ACTIVATIONS, "gelu": "gelu_tanh"}),
            },
        },
    ),
    last=LAST,
    names={
        "token_embedding": "tokens_embed",
        "position_embedding": "positions_embed",
        **{
            ours: theirs
            for ours, theirs in (GPT2.names.items() if isinstance(GPT2.names, Mapping) else ())
            if ours not in ("token_embedding", "position_embedding", "norm")
        },
    },
    prefix="transformer.",
    unused=GPT2_UNUSED,
    heads=causal_heads(
        "OpenAIGPT",
        table="tokens_embed",
        names={"ForCausalLM": "OpenAIGPTLMHeadModel"},
        tasks=SEQUENCE,
    ),
)

FAMILIES = (GPT_SW3, GPT_BIGCODE, GPT_NEO, OPENAI_GPT)
