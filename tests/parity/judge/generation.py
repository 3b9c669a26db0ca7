"""Greedy generation, and rows with padding on the left."""

from __future__ import annotations

import inspect
import sys
from typing import Any

import torch
from perturb import TOLERANCE
from tiny.inputs import LENGTH, ROWS, tokens
from torch import Tensor, nn
from transformers import GenerationConfig, GenerationMixin

from modelwright.backends.pytorch.calls import hidden_states_of, memories_of
from modelwright.compiler import ModuleGraph

from .calling import distance, ours, theirs
from .verdict import bound, one_line

NEW = 8
READ = ("input_ids", "input_features")
"""What a model that generates is given, by its names."""

MISSING = 5
"""How many tokens of the second row are padding."""

PAD = 0


def greedy(model: nn.Module, graph: ModuleGraph, reference: Any, data: dict[str, Any]) -> str:
    """How many of the new tokens are the library's; "–" for a model that does not generate."""
    read = next((name for name in READ if name in data), "")
    if not hasattr(model, "generate") or not read:
        return "–"
    ids = data[read]
    named = getattr(reference.config, "decoder_start_token_id", None)
    try:
        expected = _library_generates(reference, ids, PAD if named is None else named)[:, -NEW:]
    except Exception as error:
        return one_line(f"HF cannot: {type(error).__name__}: {error}", 50)
    options = {"temperature": 0, "eos_token_id": None, "pad_token_id": PAD}
    if named is None:
        options["decoder_start_token_id"] = PAD
    found = model.generate(ids, NEW, **_given(model.generate, options))[:, -NEW:]
    same = (found == expected).all(dim=0)
    error = step_by_step(model, graph, data)
    if error > TOLERANCE and not _turned_anew(reference):
        return f"cached steps differ: {bound(error)}"
    alone = "input_ids" in data and len(data) == 1
    if alone and not same.all() and torch.equal(found, _rewritten(reference, ids)[:, -NEW:]):
        return "not consistent in HF"
    return f"{int(same.long().cumprod(0).sum())} of {NEW}"


def _rewritten(reference: Any, text: Tensor) -> Tensor:
    """The likeliest tokens, each from the whole text anew: what the library's forward says.

    Its generation gives positions to models that count from another one than 0 (RoBERTa).
    """
    with torch.no_grad():
        for _ in range(NEW):
            text = torch.cat([text, reference(text).logits[:, -1:].argmax(-1)], dim=1)
    return text


def step_by_step(model: Any, graph: ModuleGraph, data: dict[str, Any]) -> float:
    """How far the logits of cached steps are from those of the whole text.

    Sharper than the likeliest token, which for a model of tied tables is often the last one again.
    """
    known = inspect.signature(model.forward).parameters
    given = {name: value for name, value in data.items() if name in known}
    written = "decoder_input_ids" if "decoder_input_ids" in given else "input_ids"
    text = given[written]
    pieces = [text[:, : len(text[0]) // 2], *text[:, len(text[0]) // 2 :].split(1, dim=1)]
    cache = sys.modules[type(model).__module__].Cache(text.size(1))
    with torch.no_grad():
        whole = model(**given)
        if written == "decoder_input_ids":
            stack = list(graph.hidden)[-1]
            decode = hidden_states_of(model, graph, stack)
            memories = memories_of(model, graph, stack, given)
            hidden = [decode(**{written: piece}, **memories, cache=cache) for piece in pieces]
            steps = [model.logits(x) for x in hidden]
        else:
            steps = [model(**{**given, written: piece}, cache=cache) for piece in pieces]
    return distance(torch.cat(steps, dim=1), whole)


def _turned_anew(reference: Any) -> bool:
    """Does RoPE change with the length, so that keys in a cache stay as they were turned?"""
    said = getattr(reference.config, "rope_parameters", None) or {}
    return bool(said.get("rope_type") == "dynamic")


def _library_generates(reference: Any, ids: Tensor, start: int) -> Tensor:
    reference.generation_config = GenerationConfig(
        max_new_tokens=NEW,
        do_sample=False,
        num_beams=1,
        pad_token_id=PAD,
        eos_token_id=None,
        bos_token_id=None,
        decoder_start_token_id=start,
    )
    with torch.no_grad():
        if ids.is_floating_point():  # the library adds tokens of a task to those of a sound
            made: Tensor = GenerationMixin.generate(reference, inputs=ids)
            return made
        made = reference.generate(ids, attention_mask=torch.ones_like(ids))
    return made


def _given(call: Any, options: dict[str, Any]) -> dict[str, Any]:
    known = inspect.signature(call).parameters
    return {name: value for name, value in options.items() if name in known}


def padded(model: nn.Module, reference: nn.Module, asked: dict[str, Any], head: str) -> str:
    """Do the real tokens of a row that is padded on the left say what the library's say?

    Positions are given where the library's generation would derive them from the mask; what else
    was `asked` besides tokens is asked again.
    """
    data = _left_padded(model, reference, head)
    if data is None:
        return "–"
    mask = data["attention_mask"]
    data |= {name: asked[name] for name in ("use_cache", "pixel_values") if name in asked}
    if "pixel_values" in asked:  # CLIP pools a text at its end
        data["input_ids"][:, -1] = asked["input_ids"][:, -1]
    try:
        expected = theirs(reference, data, head)
    except Exception as error:
        return one_line(f"HF cannot: {type(error).__name__}: {error}", 50)
    found = ours(model, data, head, expected)
    real = mask.bool() if expected.shape[1] == LENGTH else torch.ones_like(expected[..., 0]) > 0
    error = distance(found[real], expected[real])
    if error <= TOLERANCE:
        return "yes"
    unpadded = theirs(reference, _alone(data), head)
    moved = distance(expected[1:, -unpadded.shape[1] :], unpadded)
    if moved > TOLERANCE:
        return "not invariant in HF"
    return f"differs: {bound(error)}"


def _alone(data: dict[str, Any]) -> dict[str, Any]:
    """The second row without its padding, and without a mask and positions, which it needs not."""
    cut = {"input_ids": data["input_ids"][1:, MISSING:]}
    beside = ("decoder_input_ids", "pixel_values")
    cut |= {name: data[name][1:] for name in beside if name in data}
    return cut | {name: value for name, value in data.items() if name == "use_cache"}


def _left_padded(model: nn.Module, reference: nn.Module, head: str) -> dict[str, Any] | None:
    known = inspect.signature(reference.forward).parameters
    if not {"input_ids", "attention_mask"} <= inspect.signature(model.forward).parameters.keys():
        return None
    generator = torch.Generator().manual_seed(3)
    ids = tokens(generator, ROWS, LENGTH)
    mask = torch.ones_like(ids)
    pad = getattr(reference.config, "pad_token_id", None)
    ids[1, :MISSING], mask[1, :MISSING] = PAD if pad is None else pad, 0
    data: dict[str, Any] = {"input_ids": ids, "attention_mask": mask}
    if head == "causal_lm" and "position_ids" in known:
        data["position_ids"] = (mask.cumsum(-1) - 1).clamp(min=0)
    if "decoder_input_ids" in known and head != "causal_lm":
        data["decoder_input_ids"] = tokens(generator, ROWS, LENGTH - 4)
    return data
