"""Rows that many families share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..family import Head
from ..layers import Layer
from ..values import Key, RefusedError, Values, filled

# -- spec


def changed(spec: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """The spec with other or more rows: mappings merge, and None takes a key away."""
    merged = dict(spec)
    for key, value in changes.items():
        old = merged.get(key)
        both = isinstance(old, Mapping) and isinstance(value, Mapping) and "type" not in value
        merged[key] = changed(old, value) if both and isinstance(old, Mapping) else value
    return {key: value for key, value in merged.items() if value is not None}


def token(name: str) -> Any:
    """A special id: the first where there are several, none where the vocabulary lacks it."""

    def read(values: Values) -> int | None:
        said = values.get(name)
        one = said[0] if isinstance(said, list) and said else said
        return one if isinstance(one, int) and 0 <= one < values["vocab_size"] else None

    return read


def head_dim(values: Values) -> int | None:
    """The width of a head where it is not the width of the model over the heads."""
    said = values.get("head_dim")
    usual, rest = divmod(values["hidden_size"], values["num_attention_heads"])
    return None if said == usual and not rest else said


def kv_heads(values: Values) -> int | None:
    """The number of key and value heads where it is not that of the query heads."""
    said: int | None = values.get("num_key_value_heads")
    return None if said == values["num_attention_heads"] else said


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

# -- layers


def layer_types(values: Values) -> list[str]:
    """What the config says of each layer; all alike where it says nothing."""
    said = values.get("layer_types")
    if said is None:
        return ["full_attention"] * int(values["num_hidden_layers"])
    if len(said) != values["num_hidden_layers"]:
        raise RefusedError(f"`layer_types` has {len(said)} entries, the model {_layers(values)}")
    return list(said)


def _layers(values: Values) -> str:
    return f"{values['num_hidden_layers']} layers"


def mask_of(layer_type: str, values: Values) -> str:
    """The mask of a kind of layer, in a decoder."""
    if layer_type == "full_attention":
        return "causal"
    if layer_type == "sliding_attention":
        window = values["sliding_window"]
        return "causal" if window is None else f"causal & window({window})"
    if layer_type == "chunked_attention":
        return f"causal & blocks({values['attention_chunk_size']})"
    raise RefusedError(f"layers of type `{layer_type}` are not supported yet")


KINDS = {"full_attention": "global", "sliding_attention": "local", "chunked_attention": "local"}
"""What a block is called whose layers the library gives this type."""


def local_and_global(values: Values, **blocks: Any) -> list[Layer]:
    """A block for each kind of layer: its mask, and what `blocks` say of `local` and `global`."""
    said: list[Layer] = []
    for layer_type in layer_types(values):
        kind = KINDS.get(layer_type, layer_type)
        block = {"mask": mask_of(layer_type, values), **filled(blocks.get(kind, {}), values)}
        said.append((kind, block))
    return said


# -- heads

LANGUAGE_MODEL: Mapping[str, Any] = {
    "head": {"type": "language_model", "tied": Key("tie_word_embeddings")}
}


def causal_heads(
    name: str,
    *,
    table: str = "embed_tokens",
    output: str = "lm_head",
    spec: Mapping[str, Any] = LANGUAGE_MODEL,
    classifier: str = "score",
    unused: Sequence[str] = (),
) -> dict[str, Head]:
    """The classes of a decoder: for text, bare, and for classes read at the last token."""
    classes = {"type": "classifier", "classes": Key("id2label", read=len), "pool": "last"}
    return {
        f"{name}ForCausalLM": Head(
            spec=spec,
            names={"head": output},
            untied={f"{output}.weight": f"{table}.weight"},
            unused=tuple(unused),
        ),
        f"{name}Model": Head(unused=tuple(unused)),
        f"{name}ForSequenceClassification": Head(
            spec={"head": {**classes, "dropout": 0, "bias": False}},
            names={"head.output": classifier},
            unused=tuple(unused),
        ),
    }


LABELS: Mapping[str, Any] = {"0": "LABEL_0", "1": "LABEL_1"}
