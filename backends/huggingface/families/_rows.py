"""Rows shared by many families."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..family import Head
from ..layers import Layer
from ..rotary import stated
from ..values import Key, RefusedError, Row, Values, filled


def changed(spec: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Merge changes into a spec: mappings are merged, and None removes a key."""
    merged = dict(spec)
    for key, value in changes.items():
        old = merged.get(key)
        both = isinstance(old, Mapping) and isinstance(value, Mapping) and "type" not in value
        merged[key] = changed(old, value) if both and isinstance(old, Mapping) else value
    return {key: value for key, value in merged.items() if value is not None}


@dataclass(frozen=True)
class Token:
    """A special token id or a list of them, without ids outside the vocabulary."""

    name: str

    def __call__(self, values: Values) -> int | list[int] | None:
        value = values.get(self.name)
        ids = value if isinstance(value, list) else [value]
        if not all(one is None or type(one) is int for one in ids):
            raise RefusedError(f"`{self.name}` must be a token id or a list of them, not {value!r}")
        size = values["vocab_size"]
        if size is None:
            raise RefusedError("`vocab_size` must be a number: special tokens are ids below it")
        known = [one for one in dict.fromkeys(ids) if one is not None and 0 <= one < size]
        return known if len(known) > 1 else known[0] if known else None


token = Token


def _longest(values: Values) -> int:
    """`max_position_embeddings`, multiplied by the factor for dynamic NTK scaling."""
    value: int = values["max_position_embeddings"]
    scaling = stated(values)
    dynamic = "dynamic" in (scaling.get("rope_type"), scaling.get("type"))
    return int(value * scaling.get("factor", 1)) if dynamic else value


def _head_dim(values: Values) -> int | None:
    """Width of a head; None if it is d_model / heads."""
    usual, rest = divmod(values["hidden_size"], values["num_attention_heads"])
    value: int = values.get("head_dim") or usual
    return None if value == usual and not rest else value


def _kv_heads(values: Values) -> int | None:
    """Number of key-value heads; None if it equals the number of query heads."""
    value: int | None = values.get("num_key_value_heads")
    return None if value == values["num_attention_heads"] else value


def after_padding(values: Values) -> int:
    """First position id of RoBERTa-like models, which is `pad_token_id` + 1."""
    pad: int | None = values["pad_token_id"]
    if pad is None:
        raise RefusedError("`pad_token_id` must be a token id: positions count from it")
    return pad + 1


longest = Row(_longest, lambda value: {"max_position_embeddings": value})

head_dim = Row(_head_dim, lambda value: {"head_dim": value})

kv_heads = Row(_kv_heads, lambda value: {"num_key_value_heads": value})


def _whole(number: float) -> int | float:
    near = round(number, 6)
    return int(near) if near == int(near) else near


def score_scale(name: str) -> Any:
    """Attention scale from a key such as `query_pre_attn_scalar`: value ** -0.5."""

    def read(values: Values) -> float | None:
        width: int = (
            values.get("head_dim") or values["hidden_size"] // values["num_attention_heads"]
        )
        value: float = values[name]
        return None if value == width else float(value**-0.5)

    return Row(read, lambda value: {} if isinstance(value, str) else {name: _whole(value**-2)})


TOKENS: Mapping[str, Any] = {
    "pad": token("pad_token_id"),
    "bos": token("bos_token_id"),
    "eos": token("eos_token_id"),
}

TOKEN_KEYS: Mapping[str, type] = {"pad_token_id": int, "bos_token_id": int, "eos_token_id": object}

LAST: Mapping[str, Any] = {
    "init": {"type": "normal", "std": Key("initializer_range")},
    "tokens": TOKENS,
}

QKV = tuple(f"layers.{{}}.attention.{part}" for part in ("query", "key", "value"))


def _layers(values: Values) -> str:
    return f"{values['num_hidden_layers']} layers"


def layer_types(values: Values) -> list[str]:
    """The type of each layer; `full_attention` if the config does not set `layer_types`."""
    types = values.get("layer_types")
    if types is None:
        return ["full_attention"] * int(values["num_hidden_layers"])
    if len(types) != values["num_hidden_layers"]:
        raise RefusedError(
            f"`layer_types` has {len(types)} entries, but the model has {_layers(values)}"
        )
    return list(types)


def every(values: Values, period: int) -> Values:
    """Set missing `layer_types`: every `period`-th layer is full, the others have a window."""
    if values.get("layer_types") is not None:
        return values
    layers = range(1, values["num_hidden_layers"] + 1)
    kinds = ["full_attention" if i % period == 0 else "sliding_attention" for i in layers]
    return {**values, "layer_types": kinds}


def mask_of(layer_type: str, values: Values) -> str:
    """Mask of a layer type in a decoder."""
    if layer_type == "full_attention":
        return "causal"
    if layer_type == "sliding_attention" and "sliding_window" in values:
        window = values["sliding_window"]
        return "causal" if window is None else f"causal & window({window})"
    if layer_type == "chunked_attention" and values.get("attention_chunk_size") is not None:
        return f"causal & blocks({values['attention_chunk_size']})"
    raise RefusedError(f"layers of type `{layer_type}` are not supported yet")


KINDS = {"full_attention": "global", "sliding_attention": "local", "chunked_attention": "local"}
"""The library's layer type -> name of the block."""


def local_and_global(values: Values, **blocks: Any) -> list[Layer]:
    """The block of each layer: its mask, and the options that `blocks` has for its name."""
    layers_found: list[Layer] = []
    for layer_type in layer_types(values):
        kind = KINDS.get(layer_type, layer_type)
        block = {"mask": mask_of(layer_type, values), **filled(blocks.get(kind, {}), values)}
        layers_found.append((kind, block))
    return layers_found


def full_attention(values: Values) -> str:
    """Note for BigBird: the library switches to sparse attention for long sequences."""
    if values["attention_type"] != "block_sparse":
        return ""
    longest = (5 + 2 * values["num_random_blocks"]) * values["block_size"]
    return (
        f"Attention is full here at any length; the library uses random sparse blocks "
        f"above {longest} tokens"
    )


LANGUAGE_MODEL: Mapping[str, Any] = {
    "head": {"type": "language_model", "tied": Key("tie_word_embeddings")}
}

_CLASSES: Mapping[str, Any] = {"type": "classifier", "classes": Key("id2label", read=len)}

_TASKS: Mapping[str, tuple[Mapping[str, Any], str]] = {
    "SequenceClassification": ({**_CLASSES, "pool": "last", "dropout": 0, "bias": False}, "score"),
    "TokenClassification": ({**_CLASSES, "dropout": 0.1}, "score"),
    "QuestionAnswering": ({"type": "classifier", "classes": 2, "dropout": 0}, "qa_outputs"),
}

SEQUENCE = ("SequenceClassification",)

TOKENS_TOO = ("SequenceClassification", "TokenClassification")

ALL_TASKS = tuple(_TASKS)


def causal_heads(
    name: str,
    *,
    table: str = "embed_tokens",
    output: str = "lm_head",
    spec: Mapping[str, Any] = LANGUAGE_MODEL,
    tasks: Sequence[str] = SEQUENCE,
    names: Mapping[str, str] = {},
    answers: str = "transformer.",
    unused: Sequence[str] = (),
) -> dict[str, Head]:
    """The classes of a decoder: causal LM, without a head, and for `tasks`.

    table, output: names of the token embedding and of the output projection
    names: classes that are not named after the model and the task
    answers: prefix of the tensor names of the question-answering class
    """
    heads = {
        "ForCausalLM": Head(
            spec=spec,
            names={"head": output},
            untied={f"{output}.weight": f"{table}.weight"},
            unused=tuple(unused),
        ),
        "Model": Head(unused=tuple(unused)),
    }
    for task in tasks:
        head, last = _TASKS[task]
        heads[f"For{task}"] = Head(
            spec={"head": head},
            names={"head.output": last},
            prefix=answers if task == "QuestionAnswering" else "",
            unused=tuple(unused),
        )
    return {names.get(kind, f"{name}{kind}"): head for kind, head in heads.items()}
