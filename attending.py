"""Attention maps of a text, images, vectors, …, for `modelwright attend`.

torch is imported on first use.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Set
from itertools import chain, count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .prompting import PromptError, Tokens, prompt_ids

if TYPE_CHECKING:
    from torch import nn

    from .backends.pytorch.attention_maps import AttentionMaps
    from .compiler import ModuleGraph
    from .compiler.facts import InputFact

ANSWER = 24
"""Maximum number of tokens that a decoder writes where no target is given."""
SHORT = 8
"""Maximum length of a label before a number."""


def attend_to_text(
    model: nn.Module,
    graph: ModuleGraph,
    tokens: Tokens,
    text: str | None,
    target: str | None = None,
    given: Mapping[str, Any] | None = None,
) -> tuple[AttentionMaps, dict[str, list[str]]]:
    """The attention maps of a text, and the names of its tokens by stack.

    text: None for a model that reads none, or whose token ids are in `given`
    target: the text of the decoder of an encoder-decoder; default: what the model generates
    given: other arguments of `forward` by name: images, vectors, conditions, …

    Raises PromptError for a text that the model cannot read, a `target` without a decoder for it,
    and for inputs that are missing or unknown.
    """
    inputs = text_inputs(model, graph, tokens, text, target, given)
    return maps_of(model, inputs), names_of(graph, tokens, inputs)


def text_inputs(
    model: nn.Module,
    graph: ModuleGraph,
    tokens: Tokens,
    text: str | None,
    target: str | None = None,
    given: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The arguments of the model's `forward` for a text. Raises PromptError as above."""
    import torch

    given = given or {}
    source, writer = text_arguments(graph, text is not None, target is not None, {*given})
    device = next(model.parameters()).device
    inputs = {name: x.to(device) for name, x in given.items()}
    if text is not None:
        alone = _starts(graph, source)
        inputs[source] = torch.tensor([[*alone, *prompt_ids(model, tokens, text)]], device=device)
    if target is not None:
        ids = [*_starts(graph, writer), *prompt_ids(model, tokens, target)]
        inputs[writer] = torch.tensor([ids], device=device)
    elif writer:
        start = graph.tokens.decoder_start
        if start is None or given or not hasattr(model, "generate"):
            raise PromptError(f"give --target: {graph.name} cannot generate one")
        written: Any = model.generate
        found = written(inputs[source], max_new_tokens=ANSWER, temperature=0)
        inputs[writer] = found[:, :-1]
    return inputs


def read_inputs(path: Path) -> dict[str, Any]:
    """The tensors of a safetensors file. Raises PromptError for any other file."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return dict(load_file(path))
    except (SafetensorError, OSError) as error:
        raise PromptError(f"{path} is not a valid safetensors file: {error}") from None


def maps_of(model: nn.Module, inputs: dict[str, Any]) -> AttentionMaps:
    """The attention maps of these inputs. Raises PromptError where there are none."""
    from .backends.pytorch import BuildError
    from .backends.pytorch.attention_maps import MapsError, attention_maps

    try:
        return attention_maps(model, **inputs)
    except (MapsError, BuildError, ValueError, IndexError) as error:  # also: too many tokens
        raise PromptError(str(error)) from None


# -- names of tokens


def names_of(graph: ModuleGraph, tokens: Tokens, inputs: dict[str, Any]) -> dict[str, list[str]]:
    """The names of the tokens of each stack that reads some; other vectors have numbers."""
    return {stack: [*_named(graph, tokens, inputs, stack)] for stack in graph.inputs}


def _named(graph: ModuleGraph, tokens: Tokens, inputs: dict[str, Any], stack: str) -> Iterator[str]:
    from .backends.pytorch.map_sizes import part_length

    parts = graph.parts.get(stack)
    if parts is None:
        yield from _of_input(graph, tokens, inputs, graph.inputs[stack], stack)
        return
    named = []
    for part in parts:
        length = part_length(graph, part, inputs)
        found = _of_input(graph, tokens, inputs, part.input, stack)
        label = _short(part.input.stack or part.input.argument or stack)
        more = (f"{label} {i}" for i in count())
        named.append([name for name, _ in zip(chain(found, more), range(length), strict=False)])
    turns = any(op.kind == "interleave_inputs" and op.scope == stack for op in graph.ops())
    yield from chain(*zip(*named, strict=True)) if turns else chain(*named)


def _of_input(
    graph: ModuleGraph, tokens: Tokens, inputs: dict[str, Any], fact: InputFact, stack: str
) -> Iterator[str]:
    """The names of the vectors of one input of a stack, as far as they have some."""
    if fact.stack:
        found = [*_named(graph, tokens, inputs, fact.stack)][fact.skip :]
    elif fact.kind == "tokens" and fact.argument in inputs:
        found = _words(graph, tokens, inputs[fact.argument][0].tolist(), fact.argument)
    else:
        return
    yield from (f"prefix {i}" for i in range(fact.prefix if found else 0))
    yield from found


def _short(label: str) -> str:
    """`pixel_v…`: with its number, it fits beside a row."""
    return label if len(label) <= SHORT else f"{label[: SHORT - 1]}…"


def _words(graph: ModuleGraph, tokens: Tokens, ids: list[int], argument: str) -> list[str]:
    """The words; `vision 0`, `vision 1`, … for tokens that vectors of a stack replace."""
    stacks = _placed(graph, argument)
    numbers = {token: count() for token in stacks}
    return [
        f"{_short(stacks[i])} {next(numbers[i])}" if i in stacks else tokens.name(i) for i in ids
    ]


def _placed(graph: ModuleGraph, argument: str) -> dict[int, str]:
    """Token id -> the stack whose vectors replace it."""
    return {
        int(op.attrs["token"]): graph.from_states(op.arg("rows"))[0]
        for op in graph.ops()
        if op.kind == "place_rows" and graph.values[op.arg("ids")].name == argument
    }


# -- which arguments are texts


def text_arguments(
    graph: ModuleGraph,
    text: bool = True,
    target: bool = False,
    given: Set[str] = frozenset(),
    hint: str = "",
) -> tuple[str, str]:
    """The arguments for the text and the target; "" without one.

    hint: the end of a message about missing inputs, such as an option that gives them

    Raises PromptError for a text that the model cannot read, and for missing or unknown inputs.
    """
    known = {op.name: graph.values[op.outputs[0]] for op in graph.ops("") if op.kind == "argument"}
    if unknown := given - known.keys():
        raise PromptError(
            f"{graph.name} has no input {_listed(unknown)}; its inputs are {_listed(known)}"
        )
    open_ = {argument: stack for argument, stack in _texts(graph).items() if argument not in given}
    source, *others = [*open_, ""]
    if text and not source:
        reads = [fact.argument for fact in graph.sources() if fact.argument]
        raise PromptError(f"{graph.name} reads no text, but {_listed(reads)}{hint}")
    if not text:
        source = ""
    writer = next((each for each in others if each and _follows(graph, open_, each)), "")
    if target and not writer:
        raise PromptError(f"{graph.name} has no second stack that reads a target text")
    missing = [
        name
        for name, value in known.items()
        if not value.optional and name not in given and name not in (source, writer)
    ]
    if missing and not text and missing[0] in open_:
        raise PromptError(f"{graph.name} reads a text; none is given")
    if missing:
        also = "also reads" if text or given else "reads"
        raise PromptError(f"{graph.name} {also} {_listed(missing)}{hint}")
    return source, writer


def _texts(graph: ModuleGraph) -> dict[str, str]:
    """The arguments that are token ids, and the first stack that reads each."""
    found: dict[str, str] = {}
    for stack in graph.inputs:
        for fact in graph.read_by(stack):
            if fact.kind == "tokens":
                found.setdefault(fact.argument, stack)
    return found


def _follows(graph: ModuleGraph, texts: Mapping[str, str], argument: str) -> bool:
    """Whether the stack that reads this text reads the one of the first text."""
    first = next(iter(texts.values()))
    reads = [*graph.stack_facts[texts[argument]].reads]
    while reads:
        stack = reads.pop()
        if stack == first:
            return True
        reads += graph.stack_facts[stack].reads
    return False


def _starts(graph: ModuleGraph, argument: str) -> list[int]:
    """The start token of a decoder, where the spec has one."""
    start, stack = graph.tokens.decoder_start, _texts(graph)[argument]
    return [start] if start is not None and graph.stack_facts[stack].reads else []


def _listed(names: Collection[str]) -> str:
    *first, last = sorted(names) if isinstance(names, (set, frozenset)) else names
    return f"{', '.join(first)} and {last}" if first else last
