"""What a model family is to the importer: rows that say which config key and tensor is what.

A family is data. Its `spec` is written as a spec is, with a `Key` where a number of config.json
belongs; its `names` pair our modules with those of the checkpoint.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Key:
    """A value of config.json.

    words: what its words mean here; another word is refused
    read: makes of it what the spec says
    """

    name: str
    words: Mapping[str, str] | None = None
    read: Callable[[Any], Any] | None = None


@dataclass(frozen=True)
class Multiple:
    """A size of config.json that is written `4 * d_model` where it is four times another."""

    name: str
    of: str
    factor: int = 4


@dataclass(frozen=True, kw_only=True)
class Head:
    """What one class of the library puts on top of the hidden states.

    spec: the keys that it adds to the family's
    names: our modules, or weights, to the checkpoint's
    optional: left out where the checkpoint has none of its tensors
    unused: tensors that the file may hold and this class does not read
    copies: tensors that must equal another one of the file, which they are tied to
    fixed: config keys that are supported at one value only, beyond the family's
    """

    spec: Mapping[str, Any]
    names: Mapping[str, str] = field(default_factory=dict)
    optional: bool = False
    unused: tuple[str, ...] = ()
    copies: Mapping[str, str] = field(default_factory=dict)
    fixed: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Family:
    """One `model_type`.

    defaults: the library's values of the keys that matter, for a config.json that lacks them
    optional: those of them that may be null
    fixed: keys that are supported at one value only
    irrelevant: keys that do not change what the model computes, beyond `IRRELEVANT`
    spec: the spec, with a `Key` where a value of config.json belongs
    last: what is written after the head
    names: our modules to the checkpoint's, `{}` for the number of the layer
    prefix: what may stand before the names of the checkpoint
    renamed: endings of older checkpoints to those of today
    unused: tensors that a file may hold and no model reads
    heads: class name to head; the first is taken when config.json names none
    """

    model_type: str
    defaults: Mapping[str, Any]
    optional: frozenset[str]
    fixed: Mapping[str, Any]
    irrelevant: frozenset[str]
    spec: Mapping[str, Any]
    last: Mapping[str, Any]
    names: Mapping[str, str]
    prefix: str
    renamed: Mapping[str, str]
    unused: tuple[str, ...]
    heads: Mapping[str, Head]


# Names of activations in config.json; `ACT2FN` in the library has more that no one uses here.
ACTIVATIONS = {
    "gelu": "gelu",
    "gelu_fast": "gelu_tanh",
    "gelu_new": "gelu_tanh",
    "gelu_python": "gelu",
    "gelu_pytorch_tanh": "gelu_tanh",
    "linear": "identity",
    "quick_gelu": "quick_gelu",
    "relu": "relu",
    "relu2": "relu2",
    "sigmoid": "sigmoid",
    "silu": "silu",
    "swish": "silu",
    "tanh": "tanh",
}

# What every config.json may say without changing what the model computes: bookkeeping, names of
# classes, what to give back, and defaults for text generation.
IRRELEVANT = frozenset(
    [
        "_attn_implementation",
        "_attn_implementation_autoset",
        "_commit_hash",
        "_name_or_path",
        "architectures",
        "attn_implementation",
        "bad_words_ids",
        "begin_suppress_tokens",
        "bos_token_id",
        "chunk_size_feed_forward",
        "decoder_start_token_id",
        "diversity_penalty",
        "do_sample",
        "dtype",
        "early_stopping",
        "encoder_no_repeat_ngram_size",
        "eos_token_id",
        "exponential_decay_length_penalty",
        "finetuning_task",
        "forced_bos_token_id",
        "forced_eos_token_id",
        "gradient_checkpointing",
        "id2label",
        "initializer_factor",
        "label2id",
        "language",
        "length_penalty",
        "max_length",
        "min_length",
        "model_type",
        "name",
        "no_repeat_ngram_size",
        "num_beam_groups",
        "num_beams",
        "num_return_sequences",
        "output_attentions",
        "output_hidden_states",
        "output_past",
        "output_scores",
        "prefix",
        "problem_type",
        "remove_invalid_values",
        "repetition_penalty",
        "return_dict",
        "return_dict_in_generate",
        "sep_token_id",
        "suppress_tokens",
        "task_specific_params",
        "temperature",
        "tf_legacy_loss",
        "tie_encoder_decoder",
        "tokenizer_class",
        "top_k",
        "top_p",
        "torch_dtype",
        "torchscript",
        "transformers_version",
        "typical_p",
        "use_bfloat16",
        "use_cache",
    ]
)
