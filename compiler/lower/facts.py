"""Add the facts of `compiler/facts.py` to a graph."""

from __future__ import annotations

from typing import Any

from ...spec.branches import attentions, self_attentions
from ...spec.condition import Pooled
from ...spec.embedding import ConvStem, Patches, Source, StackInput, Tokens, main_input
from ...spec.head import Classifier, Contrastive, Head, LanguageModel, PatchesHead
from ...spec.installed import FILES
from ...spec.laws.condition import embeds
from ...spec.model import ModelSpec, Stack
from ..facts import HeadFact, InitFact, InputFact, Reach, SourceFact, StackFact, TokenFact
from ..graph import ModuleGraph

INSIDE = ("attention", "initial")
"""Parts of a sublayer that may read another stack."""


def readers(spec: ModelSpec, name: str) -> list[str]:
    """The stacks that this stack reads: its inputs, and those that it attends to or pools."""
    sources = spec.stacks[name].input
    inputs = [source.stack for source in sources if isinstance(source, StackInput)]
    return list(dict.fromkeys([*inputs, *attended(spec, name)]))


def attended(spec: ModelSpec, name: str) -> list[str]:
    """The stacks that this stack attends to, pools, or starts a recurrence with."""
    found = [embed.stack for _, embed in embeds(spec.stacks[name]) if isinstance(embed, Pooled)]
    for block in spec.stacks[name].blocks.values():
        for part in block.sublayers or (block.cross_attention,):
            inner: tuple[Any, ...] = (part, *(getattr(part, key, None) for key in INSIDE))
            memories = (getattr(one, "memory", None) for one in inner)
            found += [memory for memory in memories if memory is not None]
    return list(dict.fromkeys(found))


def add_facts(graph: ModuleGraph, spec: ModelSpec, view: ModelSpec) -> None:
    """Add facts to a lowered graph. Options read from `view` count as used."""
    graph.heads = {name: _head(graph, spec, name, head) for name, head in view.heads.items()}
    init = view.init
    branches = any(op.attrs.get("residual") for op in graph.ops())
    scaled = branches and getattr(init, "depth_scaled", False)
    graph.init = InitFact(init.type, getattr(init, "std", None), scaled)
    graph.tokens = _tokens(spec, view)
    graph.inputs = {
        name: input_fact(stack.input[main_input(stack.input)])
        for name, stack in view.stacks.items()
    }
    graph.stack_facts = {name: _stack(spec, name, stack) for name, stack in spec.stacks.items()}
    graph.source = _source(spec)


def _tokens(spec: ModelSpec, view: ModelSpec) -> TokenFact:
    """The special tokens, for a model that reads tokens: they are ids of its tokenizer."""
    words = [
        name
        for name, stack in spec.stacks.items()
        if any(isinstance(source, Tokens) for source in stack.input)
    ]
    if not words:
        return TokenFact()
    tokens = view.tokens
    several = tokens.eos if isinstance(tokens.eos, tuple) else (tokens.eos,)
    ends = tuple(one for one in several if one is not None)
    first = ends[0] if ends else None
    writes = any(attended(spec, name) for name in words)
    start = tokens.decoder_start if writes else None
    return TokenFact(tokens.bos, first, tokens.pad, start, ends)


def _head(graph: ModuleGraph, spec: ModelSpec, name: str, head: Head) -> HeadFact:
    last = list(spec.stacks)[-1]
    own = (str(getattr(head, "stack", None) or last),)
    stacks = tuple(head.towers) if isinstance(head, Contrastive) else own
    stack = stacks[0] if len(stacks) == 1 else ""
    pool = getattr(getattr(head, "pool", None), "type", "none")
    loss = _loss(graph, head, stack)
    return HeadFact(name, head.type, stack, loss, stacks, "" if pool == "none" else pool)


def _loss(graph: ModuleGraph, head: Head, stack: str) -> str:
    """The loss of a head, see `HeadFact`."""
    if isinstance(head, Contrastive):
        return f"{head.loss}_pairs" if len(head.towers) == 2 else f"{head.loss}_towers"
    if isinstance(head, LanguageModel):
        return "next_token" if stack in graph.predicts_next else "labels"
    if isinstance(head, PatchesHead):
        return "squares"
    return "labels" if isinstance(head, Classifier) else ""


def input_fact(source: Source) -> InputFact:
    argument = str(getattr(source, "argument", ""))
    prefix = 0 if isinstance(source, Patches) else int(source.prefix_tokens)
    kind: str = source.type  # type: ignore[attr-defined]
    if isinstance(source, StackInput):
        return InputFact(kind, argument, stack=source.stack, skip=source.skip, prefix=prefix)
    if not isinstance(source, ConvStem):
        return InputFact(kind, argument, prefix=prefix)
    if source.axes == 2:
        return InputFact("conv_image", argument)
    layers = tuple(
        Reach(0 if source.padded else layer.dilation * (layer.kernel - 1), layer.stride)
        for layer in source.layers
    )
    axis = 1 if source.layout == "frames" else -1
    return InputFact(kind, argument, axis, layers, prefix=prefix)


def _stack(spec: ModelSpec, name: str, stack: Stack) -> StackFact:
    heads = (getattr(part, "heads", None) for part in self_attentions(stack.blocks.values()))
    return StackFact(
        name,
        int(stack.layers),
        int(stack.d_model),
        stack.max_positions,
        stack.order,
        tuple(stack.blocks),
        tuple(readers(spec, name)),
        stack.vocab_size,
        next((int(number) for number in heads if number), None),
        tuple(one.stack for one in stack.input if isinstance(one, StackInput)),
    )


def _source(spec: ModelSpec) -> SourceFact:
    return SourceFact(
        spec.source_name,
        spec.name,
        spec.sets,
        spec.description,
        spec.family or "",
        _plugins(spec),
        spec.nearest_mark,
        lambda: spec.sha,
    )


def _plugins(spec: ModelSpec) -> tuple[str, ...]:
    """The files that define the types of attention in a spec."""
    blocks = (block for stack in spec.stacks.values() for block in stack.blocks.values())
    found = {FILES.get(getattr(part, "type", "")) for part in attentions(blocks)}
    return tuple(sorted(file for file in found if file is not None))
