"""Attention maps of a text, for `modelwright attend`.

torch is imported on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .prompting import PromptError, Tokens, prompt_ids

if TYPE_CHECKING:
    from torch import nn

    from .backends.pytorch.attention_maps import AttentionMaps
    from .compiler import ModuleGraph

ANSWER = 24
"""Maximum number of tokens that a decoder writes where no target is given."""


def attend_to_text(
    model: nn.Module, graph: ModuleGraph, tokens: Tokens, text: str, target: str | None = None
) -> tuple[AttentionMaps, dict[str, list[str]]]:
    """The attention maps of a text, and the names of its tokens by stack.

    target: the text of the decoder of an encoder-decoder; default: what the model generates

    Raises PromptError for a model that does not read tokens, a text that it cannot read, and a
    `target` without a decoder for it.
    """
    inputs = text_inputs(model, graph, tokens, text, target)
    return maps_of(model, inputs), names_of(graph, tokens, inputs)


def text_inputs(
    model: nn.Module, graph: ModuleGraph, tokens: Tokens, text: str, target: str | None = None
) -> dict[str, Any]:
    """The arguments of the model's `forward` for a text. Raises PromptError as above."""
    import torch

    source, writer = text_stacks(graph)
    if target is not None and not writer:
        raise PromptError(f"{graph.name} has no second stack that reads a target text")
    device = next(model.parameters()).device
    ids = torch.tensor([prompt_ids(model, tokens, text)], device=device)
    inputs: dict[str, Any] = {graph.inputs[source].argument: ids}
    if writer:
        inputs[graph.inputs[writer].argument] = _target(model, graph, tokens, ids, target)
    return inputs


def maps_of(model: nn.Module, inputs: dict[str, Any]) -> AttentionMaps:
    """The attention maps of these inputs. Raises PromptError where there are none."""
    from .backends.pytorch import BuildError
    from .backends.pytorch.attention_maps import MapsError, attention_maps

    try:
        return attention_maps(model, **inputs)
    except (MapsError, BuildError, ValueError, IndexError) as error:  # also: too many tokens
        raise PromptError(str(error)) from None


def names_of(graph: ModuleGraph, tokens: Tokens, inputs: dict[str, Any]) -> dict[str, list[str]]:
    """The names of the tokens of each stack that reads some."""
    return {
        stack: [tokens.name(number) for number in inputs[fact.argument][0].tolist()]
        for stack, fact in graph.inputs.items()
    }


def text_stacks(graph: ModuleGraph) -> tuple[str, str]:
    """The stack that reads the text, and the one that reads the target; "" without one."""
    reading = [stack for stack, fact in graph.inputs.items() if fact.kind == "tokens"]
    others = [
        fact.argument or stack for stack, fact in graph.inputs.items() if fact.kind != "tokens"
    ]
    if not reading:
        raise PromptError(f"{graph.name} reads no text, but {' and '.join(others)}")
    if len(reading) != len(graph.inputs) or len(reading) > 2:
        raise PromptError(f"{graph.name} reads more than a text and a target text")
    if len(reading) == 2 and not graph.stack_facts[reading[1]].reads:
        raise PromptError(f"{graph.name} reads two texts independently of one another")
    return reading[0], reading[1] if len(reading) == 2 else ""


def _target(model: Any, graph: ModuleGraph, tokens: Tokens, ids: Any, target: str | None) -> Any:
    """The ids of the decoder: the start token and the target, or what the model generates."""
    import torch

    start = graph.tokens.decoder_start
    if target is not None:
        begin = [] if start is None else [start]
        return torch.tensor([[*begin, *prompt_ids(model, tokens, target)]], device=ids.device)
    if start is None or not hasattr(model, "generate"):
        raise PromptError(f"give --target: {graph.name} cannot generate one")
    written = model.generate(ids, max_new_tokens=ANSWER, temperature=0)
    return written[:, :-1]
