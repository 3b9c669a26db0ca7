"""The special token ids of a model as config.json and generation_config.json hold them."""

from __future__ import annotations

from typing import Any

from ...compiler import ModuleGraph

TokenIds = dict[str, int | list[int] | None]


def special_tokens(graph: ModuleGraph, encoder_decoder: bool) -> TokenIds:
    """Key of config.json -> token id, list of ids, or None if it is not set.

    An encoder-decoder always has `decoder_start_token_id`: 0 if the spec has neither it nor `bos`.
    """
    tokens = graph.tokens
    several = len(tokens.all_eos) > 1
    found: TokenIds = {
        "pad_token_id": tokens.pad,
        "bos_token_id": tokens.bos,
        "eos_token_id": list(tokens.all_eos) if several else tokens.eos,
    }
    if encoder_decoder:
        start = tokens.decoder_start if tokens.decoder_start is not None else tokens.bos
        found["decoder_start_token_id"] = 0 if start is None else start
    return found


def generation_tokens(graph: ModuleGraph, encoder_decoder: bool) -> dict[str, Any]:
    """The token ids in generation_config.json; without `pad`, rows are padded with `eos`."""
    found = special_tokens(graph, encoder_decoder)
    if found["pad_token_id"] is None:
        found["pad_token_id"] = graph.tokens.eos
    return {key: value for key, value in found.items() if value is not None}
