"""Keys and types of other libraries, and the places of our keys."""

from __future__ import annotations

from functools import cache

from .model import BLOCK_KEYS, ONLY_MODEL, STACK_KEYS
from .part import COMPONENTS, Part
from .signatures import shapes

# key of another library -> equivalent in a spec
FOREIGN_KEYS = {
    "hidden_size": "d_model", "n_embd": "d_model", "dim": "d_model", "embed_dim": "d_model",
    "embedding_dim": "d_model", "emb_dim": "d_model", "model_dim": "d_model", "width": "d_model",
    "num_hidden_layers": "layers", "n_layer": "layers", "n_layers": "layers",
    "num_layers": "layers", "depth": "layers", "encoder_layers": "encoder: {layers: …}",
    "decoder_layers": "decoder: {layers: …}",
    "num_attention_heads": "attention: {heads: …}", "n_head": "attention: {heads: …}",
    "n_heads": "attention: {heads: …}", "num_heads": "attention: {heads: …}",
    "nhead": "attention: {heads: …}",
    "num_key_value_heads": "attention: {kv_heads: …}", "n_kv_heads": "attention: {kv_heads: …}",
    "num_kv_heads": "attention: {kv_heads: …}",
    "attention_dropout": "attention: {dropout: …}", "attn_pdrop": "attention: {dropout: …}",
    "attention_probs_dropout_prob": "attention: {dropout: …}", "resid_pdrop": "dropout",
    "embd_pdrop": "input: {dropout: …}", "hidden_dropout_prob": "dropout",
    "dropout_rate": "dropout", "attention_bias": "attention: {bias: …}",
    "attn_logit_softcapping": "attention: {softcap: …}",
    "final_logit_softcapping": "head: {type: language_model, softcap: …}",
    "intermediate_size": "feed_forward: {d_ff: …}", "ffn_dim": "feed_forward: {d_ff: …}",
    "d_ff": "feed_forward: {d_ff: …}", "n_inner": "feed_forward: {d_ff: …}",
    "ffn_hidden_size": "feed_forward: {d_ff: …}", "dim_feedforward": "feed_forward: {d_ff: …}",
    "mlp_ratio": "feed_forward: {d_ff: 4 * d_model}", "hidden_act": "activation",
    "activation_function": "activation", "hidden_activation": "activation", "act_fn": "activation",
    "rope_theta": "positions: {type: rotary, theta: …}",
    "rotary_emb_base": "positions: {type: rotary, theta: …}",
    "rope_scaling": "positions: {type: rotary, scaling: …}",
    "rotary_pct": "positions: {type: rotary, fraction: …}",
    "partial_rotary_factor": "positions: {type: rotary, fraction: …}",
    "rotary_dim": "positions: {type: rotary, fraction: …}",
    "position_embedding_type": "positions", "position_embeddings": "positions",
    "positional_encoding": "positions", "pos_emb": "positions",
    "relative_attention_num_buckets": "positions: {type: relative_bias, buckets: …}",
    "relative_attention_max_distance": "positions: {type: relative_bias, max_distance: …}",
    "alibi": "positions: alibi", "rope": "positions: rotary",
    "max_position_embeddings": "max_positions", "n_positions": "max_positions",
    "n_ctx": "max_positions", "max_seq_len": "max_positions", "block_size": "max_positions",
    "max_sequence_length": "max_positions", "context_length": "max_positions",
    "seq_len": "max_positions", "sliding_window": "mask: causal & window(…)",
    "window_size": "mask: causal & window(…)", "is_causal": "mask: causal",
    "causal": "mask: causal",
    "attention_window": "mask: band(…)", "attention_mask": "mask",
    "rms_norm_eps": "norm: {type: rmsnorm, eps: …}", "layer_norm_eps": "norm: {eps: …}",
    "layer_norm_epsilon": "norm: {eps: …}", "norm_eps": "norm: {eps: …}",
    "normalization": "norm", "pre_norm": "norm_placement: pre", "norm_first": "norm_placement: pre",
    "post_norm": "norm_placement: post", "placement": "norm_placement",
    "tie_word_embeddings": "head: {type: language_model, tied: …}",
    "tie_embeddings": "head: {type: language_model, tied: …}",
    "weight_tying": "head: {type: language_model, tied: …}",
    "type_vocab_size": "input: {add: {token_type_ids: …}}",
    "embedding_multiplier": "input: {scale: …}", "scale_embedding": "input: {scale: sqrt_d_model}",
    "embedding_size": "input: {width: …}", "embeddings": "input", "embedding": "input",
    "num_labels": "head: {type: classifier, classes: …}",
    "num_classes": "head: {type: classifier, classes: …}", "lm_head": "head: language_model",
    "initializer_range": "init: {std: …}", "init_std": "init: {std: …}",
    "pad_token_id": "tokens: {pad: …}", "bos_token_id": "tokens: {bos: …}",
    "eos_token_id": "tokens: {eos: …}",
    "decoder_start_token_id": "tokens: {decoder_start: …}",
    "num_local_experts": "feed_forward: {type: moe, experts: …}",
    "num_experts": "feed_forward: {type: moe, experts: …}",
    "num_experts_per_tok": "feed_forward: {type: moe, top_k: …}",
    "model_type": "family", "architecture": "family", "arch": "family", "kind": "family",
    "attn": "attention", "self_attention": "attention", "cross": "cross_attention: {memory: …}",
    "cross_attn": "cross_attention: {memory: …}", "ffn": "feed_forward", "mlp": "feed_forward",
    "feedforward": "feed_forward", "parallel_residual": "residual: parallel",
    "use_parallel_residual": "residual: parallel", "use_bias": "bias", "max_len": "max_positions",
    "vocab": "vocab_size", "num_embeddings": "vocab_size", "qk_layernorm": "qk_norm: head",
    "query_pre_attn_scalar": "attention: {scale: …}",
    "attention_multiplier": "attention: {scale: …}",
    "residual_multiplier": "residual: {scale: …}",
    "logit_scale": "head: {type: language_model, scale: …}",
    "moe": "feed_forward: {type: moe, experts: …, top_k: …}",
    "mixture_of_experts": "feed_forward: {type: moe, experts: …, top_k: …}",
    "tie_weights": "head: {type: language_model, tied: …}",
    "tied_embeddings": "head: {type: language_model, tied: …}",
    "n_vocab": "vocab_size", "num_tokens": "vocab_size", "vocabulary_size": "vocab_size",
    "layers_pattern": "pattern", "layer_types": "pattern", "shared": "share",
    "base": "extends", "inherits": "extends", "version": "modelwright",
}  # fmt: skip

# option of an earlier version -> its current name
RENAMED = {"hidden": "d_ff", "frequencies": "width"}

_RUN = "it is not part of a spec: "
_NO_QUANTIZATION = (
    "it is not part of a spec; `modelwright quantize` writes weights with 8 or 4 bits"
)
_NO_ADAPTERS = "adapters are not part of a spec; export the model and use PEFT"
_DTYPE = _RUN + "the data type is an argument, as in `mw.compile(spec, dtype=…)` or `--dtype`"
_DEVICE = _RUN + "the device is an argument, as in `mw.compile(spec, device=…)` or `--device`"
_TRAINING = _RUN + "a spec describes the model, not its training"
_BATCH = _RUN + "the batch size is that of the input; `inspect` has `--batch`"
_KERNEL = _RUN + "the kernel is chosen when the file is built; see `inspect --kernels`"
_SAMPLING = _RUN + "it is an argument of `generate`"

# key that is not part of a spec -> why
NOT_IN_A_SPEC = {
    **dict.fromkeys(
        ("quantization", "quantize", "quantization_config", "quant", "bits", "load_in_8bit",
         "load_in_4bit"), _NO_QUANTIZATION),
    **dict.fromkeys(("lora", "adapter", "adapters", "peft", "lora_rank"), _NO_ADAPTERS),
    **dict.fromkeys(("dtype", "torch_dtype", "precision", "fp16", "bf16"), _DTYPE),
    "device": _DEVICE,
    **dict.fromkeys(
        ("optimizer", "optim", "learning_rate", "lr", "epochs", "weight_decay", "warmup", "steps",
         "scheduler", "loss", "label_smoothing"), _TRAINING),
    **dict.fromkeys(("batch_size", "batch"), _BATCH),
    **dict.fromkeys(
        ("flash_attention", "use_flash_attention", "attn_implementation", "sdpa"), _KERNEL),
    "use_cache": _RUN + "every decoder has a cache, which is an argument of the model",
    "gradient_checkpointing": _RUN + "it is an option of `build`: `--gradient-checkpointing`",
    "tokenizer": _RUN + "the tokenizer is an argument of `generate`: `--tokenizer`",
    "seed": _RUN + "the seed is an argument, as in `mw.compile(spec, seed=…)`",
    **dict.fromkeys(("temperature", "top_p", "max_new_tokens"), _SAMPLING),
}  # fmt: skip

# type name of another library -> equivalent in a spec
FOREIGN_TYPES = {
    "swiglu": "{type: glu, activation: silu}", "geglu": "{type: glu, activation: gelu}",
    "reglu": "{type: glu, activation: relu}", "gated": "glu", "ffn": "mlp", "dense": "mlp",
    "gqa": "{type: mha, kv_heads: …}", "mqa": "{type: mha, kv_heads: 1}",
    "grouped_query": "{type: mha, kv_heads: …}", "multi_query": "{type: mha, kv_heads: 1}",
    "multi_head": "mha", "multihead": "mha", "self_attention": "mha", "flash": "mha",
    "sliding_window": "mha, and add `mask: causal & window(…)` next to it",
    "rope": "rotary", "rotary_embedding": "rotary", "absolute": "learned", "sine": "sinusoidal",
    "sincos": "sinusoidal", "t5": "relative_bias", "bucketed": "relative_bias",
    "rms": "rmsnorm", "rms_norm": "rmsnorm", "layer_norm": "layernorm", "layer": "layernorm",
    "ln": "layernorm", "batchnorm": "layernorm",
    "gelu_new": "gelu_tanh", "gelu_fast": "gelu_tanh", "gelu_pytorch_tanh": "gelu_tanh",
    "swish": "silu", "relu_squared": "relu2", "squared_relu": "relu2", "linear": "identity",
    "lm": "language_model", "causal_lm": "language_model", "mlm": "language_model",
    "lm_head": "language_model",
    "pre_norm": "pre", "post_norm": "post", "sandwich_norm": "sandwich",
    "classification": "classifier", "cls": "first", "avg": "mean", "average": "mean",
    "glorot": "xavier", "xavier_uniform": "xavier", "kaiming": "normal",
    "experts": "moe", "mixture_of_experts": "moe", "off": "none", "no": "none", "false": "none",
}  # fmt: skip

# A key is suggested at its simplest place; these are nested or secondary places.
WITHIN = ("sublayers", "cross_attention", "expert", "shared_expert", "projector", "heads")
MOST_PLACES = 3


@cache
def places(key: str) -> tuple[str, ...]:
    """Where a key of the language belongs; () if it is unknown."""
    if key in BLOCK_KEYS:
        return (f"`{key}` belongs in a block, in a stack or at the top level",)
    if key in STACK_KEYS and key not in ONLY_MODEL:
        return (f"`{key}` belongs in a stack or at the top level",)
    if key in ONLY_MODEL:
        return (f"`{key}` belongs at the top level",)
    found = _component_places(key)
    return tuple(f"`{key}` belongs in {' or '.join(found[:MOST_PLACES])}" for _ in found[:1])


def types_with(component: str, key: str) -> list[str]:
    """The types of a component that have this option."""
    tagged = COMPONENTS.get(component)
    return [name for name, cls in tagged.classes.items() if key in shapes(cls)] if tagged else []


def _component_places(key: str) -> list[str]:
    found: list[str] = []
    for late in (False, True):
        for place, tagged in COMPONENTS.items():
            if (place in WITHIN) is not late or (late and found):
                continue
            types = [name for name, cls in tagged.classes.items() if key in shapes(cls)]
            if tagged.default in types:
                found.append(f"`{place}: {{{key}: …}}`")
            elif types:
                found.append(f"`{place}: {{type: {types[0]}, {key}: …}}`")
            for cls in tagged.classes.values():
                found += [p for p in _part_places(cls, key) if p not in found]
    return found


def _part_places(cls: type[Part], key: str) -> list[str]:
    """Places in nested mappings of a class, such as `router: {…}`."""
    found = []
    for name, shape in shapes(cls).items():
        inner = shape.cls or (shape.inner.cls if shape.inner else None)
        if inner is not None and key in shapes(inner):
            found.append(f"`{name}: {{{key}: …}}`")
        elif inner is not None:
            found += _part_places(inner, key)
    return found
