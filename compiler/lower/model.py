"""Lower a whole spec: stacks in order of their dependencies, then heads."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from ...spec.branches import sights
from ...spec.display import plain_path
from ...spec.embedding import (
    ConvStem,
    Features,
    LearnedInput,
    Patches,
    Source,
    StackInput,
    Tokens,
    joined,
    main_input,
)
from ...spec.errors import SpecError, SpecErrors
from ...spec.head import Contrastive
from ...spec.model import ModelSpec, Stack
from ...spec.names import camel_case
from ...spec.positions import Learned, RelativeTable, Sinusoidal
from ..axes import B, Dim, S, T
from ..graph import ModuleGraph, Scope
from ..layer_rule import LayerRule, Override
from ..sizes import IndivisibleError, Size
from .block import block_title, lower_block, lower_streams
from .builder import Builder, RefusedError
from .caching import decodes, why_not_cached
from .condition import lower_condition, modulated_end
from .cut import with_cut_blocks
from .embedding import ids_of, lower_input, table_width
from .facts import add_facts, attended, readers
from .head import HEADS, lower_contrastive
from .joined import lower_joined, module_of
from .masks import causal
from .norm import has_norm, lower_norm
from .positions import argument, lower_attention_positions, lower_input_positions
from .prefix import tokens_in_front
from .reads import Path, consume, peek, viewed
from .state import Memory, StackState
from .streams import Streams, lower_stream_inputs, streams_of
from .unused import Found, located, options_of_spec, unused_options, unused_values

TABLE = "token_embedding.weight"


def lower_spec(spec: ModelSpec) -> ModuleGraph:
    """The graph of a spec, before all passes.

    Raises SpecErrors for sizes that do not divide, for what the lowering of a variant refuses, and
    for values that are set and not used.
    """
    b, reads = _lowered(spec)
    options = options_of_spec(spec, reads)
    unused = unused_options(spec, options)
    if unused and (unused := _unused_in_all_blocks(spec, unused)):
        raise SpecErrors(unused)
    b.name_fields(spec)
    b.graph.source = replace(b.graph.source, unused=partial(_unused_paths, spec, options))
    return b.graph


def unused_if_written(spec: ModelSpec) -> set[Path]:
    """The paths of all options that would be errors if every value and default were written.

    Raises SpecErrors for a spec that cannot be lowered.
    """
    return _unused_paths(spec, options_of_spec(spec, _lowered(spec)[1]))


def _unused_paths(spec: ModelSpec, options: Found) -> set[Path]:
    return {plain_path(option.path) for option in unused_values(spec, options)}


def _lowered(spec: ModelSpec) -> tuple[Builder, set[Path]]:
    """The graph in its builder, and the paths of all options that were read."""
    graph = ModuleGraph(spec.name, spec.class_name)
    graph.scopes[""] = Scope("", "", "model", None, stack="")
    b = Builder(graph)
    reads: set[Path] = set()
    view = viewed(spec, (), reads)
    states: dict[str, StackState] = {}
    try:
        for name in reading_order(spec):
            with b.at("stacks", name), b.within(name):
                states[name] = _lower_stack(b, spec, view, name, states)
        _lower_heads(b, view, states)
    except (IndivisibleError, RefusedError) as error:
        raise located(spec, error) from None
    add_facts(graph, spec, view)
    return b, reads


def _unused_in_all_blocks(spec: ModelSpec, unused: list[SpecError]) -> list[SpecError]:
    """Those that the blocks which the number of layers leaves out would not use either."""
    whole = with_cut_blocks(spec)
    if whole is None:
        return unused
    try:
        options = options_of_spec(whole, _lowered(whole)[1])
        also = {error.mark for error in unused_options(whole, options)}
    except SpecErrors:  # a block that is left out cannot be lowered, so it is not known
        return []
    return [error for error in unused if error.mark in also]


def reading_order(spec: ModelSpec) -> list[str]:
    """The stacks, each after those that it reads (laws ensure that there are no cycles)."""
    order: list[str] = []
    for name in spec.stacks:
        _append_after_read(spec, name, order)
    return order


def _append_after_read(spec: ModelSpec, name: str, order: list[str]) -> None:
    """Append a stack to the order, after those that it reads."""
    if name not in order:
        for other in readers(spec, name):
            _append_after_read(spec, other, order)
        order.append(name)


def _tokens(stack: Stack) -> Tokens | None:
    """The token input of a stack, or None."""
    return next((source for source in stack.input if isinstance(source, Tokens)), None)


def _table(spec: ModelSpec, name: str, prefix: str) -> str:
    """The logical name of a stack's token embedding; a shared one belongs to the model.

    If several are shared, their names have the stack's name as a prefix.
    """
    owners = {other: _owner(spec, other) for other in spec.stacks if _tokens(spec.stacks[other])}
    shared = {owner for other, owner in owners.items() if other != owner}
    if owners[name] in shared:
        return f"{owners[name]}_{TABLE}" if len(shared) > 1 else TABLE
    sources, own = spec.stacks[name].input, _tokens(spec.stacks[name])
    module = module_of(own) if own is not None and len(joined(sources)) > 1 else ""
    return ".".join(filter(None, [prefix, module, TABLE]))


def _owner(spec: ModelSpec, name: str) -> str:
    """The stack whose token embedding this one uses: itself, or the end of a chain of ties."""
    source = _tokens(spec.stacks[name])
    return name if source is None or source.tied == "none" else _owner(spec, source.tied)


def _argument_names(spec: ModelSpec, name: str) -> dict[str, str]:
    """Prefix and argument names: `decoder_attention_mask` for `decoder_input_ids`."""
    source = _tokens(spec.stacks[name])
    ids = "input_ids" if source is None and len(spec.stacks) == 1 else f"{name}_ids"
    if source is not None:
        ids = source.argument
    prefix = ids.removesuffix("input_ids")
    if prefix == ids:
        prefix = ids.removesuffix("_ids") + "_"
    roles = ("attention_mask", "position_ids", "document_ids", "prefix_length", "global_mask")
    return {role: prefix + role for role in roles}


def _lower_stack(
    b: Builder, spec: ModelSpec, view: ModelSpec, name: str, states: dict[str, StackState]
) -> StackState:
    """Lower one stack. Options read from `view` count as used, those read from `spec` do not."""
    stack = view.stacks[name]
    alone = len(spec.stacks) == 1
    streams = streams_of(b, stack) if stack.streams else None
    if streams is None:
        width = Dim("D", b.size("d_model", stack.d_model or 0))
    else:
        consume(stack, "d_model")
        width = next(iter(streams.known.values())).width
    prefix = "" if alone else name
    if alone:
        b.graph.scopes[""] = Scope("", "", "model", None, stack=name, origin=b.origin)
    else:
        noun = camel_case(name)
        if noun == spec.class_name:
            noun += "Stack"
        with b.module(name, "stack", noun=noun, stack=name, title=_stack_title(name, spec)):
            pass
    with b.in_scope(prefix):
        memories = {other: _memory(b, states[other]) for other in attended(spec, name)}
    main = main_input(stack.input)
    source = _tokens(stack)
    reason = why_not_cached(spec, name)
    state = StackState(name, view, stack, prefix, width, not reason, memories)
    state.sources = {
        one.stack: _memory(b, states[one.stack], masked=False)
        for one in spec.stacks[name].input
        if isinstance(one, StackInput)
    }
    state.absent = may_be_absent(spec, name) and _input_may_be_absent(b, spec, name)
    first = stack.input[main]
    several = streams is None and len(joined(stack.input)) > 1
    state.padded = source is not None or isinstance(first, Features)
    if isinstance(first, StackInput) and not several:
        state.follows = states[first.stack]
        state.padded = state.follows.padded
        if not first.skip and not first.prefix_tokens:
            state.turn = state.follows.turn
    if not isinstance(first, Patches) and not several:
        state.own = T.less(peek(first, "prefix_tokens"))
    if state.padded and streams is None and not several:
        with b.at("input", main):
            state.unmasked = tokens_in_front(b, state, first)
    text = source is not None or _continues_text(b, state, first)
    blocks = spec.stacks[name].blocks.values()
    backward = text and all(causal(mask) for block in blocks for mask in sights(block))
    if backward and not memories:
        b.graph.predicts_next.add(name)
    if reason and (backward or decodes(spec, name)):
        b.graph.uncached[name] = reason
    if streams is not None:
        return _lower_streams(b, state, streams)
    state.argument_names = _argument_names(spec, name)
    if source is not None:
        if not several:
            state.ids = ids_of(b, source.argument, state.own)
        state.table = _table(view, name, prefix)
        with b.at("input", main):
            state.table_width = table_width(b, source, width)
    measured = several or source is not None or isinstance(first, (ConvStem, Features))
    if isinstance(first, ConvStem) and not several:
        measured = first.axes == 1
    if isinstance(first, StackInput) and not several:
        measured = first.stack not in b.graph.lengths
    if measured and stack.max_positions is not None and _counts(stack):
        b.graph.limits[name] = b.size("max_positions", stack.max_positions)
    with b.at("input", main):
        if source is not None:
            vocab = source.vocab_size or stack.vocab_size
            assert vocab is not None
            state.vocab_size = b.size("vocab_size", vocab)
    if several:
        x = lower_joined(b, state, states)
        with b.in_scope(state.scope):
            x = state.joined = b.rename(lower_input_positions(b, state, x), "x")
    else:
        with b.at("input", main):
            x = lower_input(b, state, stack.input[main])
    with b.in_scope(state.scope):
        lower_attention_positions(b, state)
    lower_condition(b, state, states)
    with b.in_scope(state.scope):
        x = _lower_layers(b, state, x)
        if has_norm(stack, "final_norm"):
            x = lower_norm(b, stack.norm, x, "norm", out="x", narrow=state.float32)
            x = modulated_end(b, state, x)
        if stack.output_width is not None and b.width(x).size != stack.output_width:
            out = Dim("O", b.size("output_width", stack.output_width))
            x = b.op(
                "linear",
                x,
                name="output_projection",
                in_features=b.width(x).size,
                out_dim=out,
                bias=bool(stack.bias),
                out="x",
            )
    b.graph.hidden[name] = b.rename(x, "x")
    if state.absent:
        own = [state.ids] if state.ids and not isinstance(first, StackInput) else []
        b.may_be_absent(x, *own)
    return state


def _memory(b: Builder, state: StackState, *, masked: bool = True) -> Memory:
    """The hidden states of a stack, with the mask of its padding."""
    value = b.graph.hidden[state.name]
    mask = argument(b, state, "attention_mask", (B, S)) if masked else ""
    length = b.graph.lengths.get(state.name)
    return Memory(value, mask, b.width(value), state.direction, length, state)


def _input_may_be_absent(b: Builder, spec: ModelSpec, name: str) -> bool:
    """Whether the vectors of another stack that are the input of this one may be absent."""
    inputs = spec.stacks[name].input
    if len(inputs) != 1 or not isinstance(inputs[0], StackInput):
        return True
    return b.graph.values[b.graph.hidden[inputs[0].stack]].optional


def may_be_absent(spec: ModelSpec, name: str) -> bool:
    """Whether the input of a stack may be absent: it only gives vectors that replace tokens, or
    those of an optional input.

    That may be the vectors of learned queries that attend to it.
    """
    last = list(spec.stacks)[-1]
    heads = [
        getattr(head, "towers", None) or [getattr(head, "stack", None) or last]
        for head in spec.heads.values()
    ]
    read = any(name in stacks for stacks in heads or [[last]])
    inputs = [
        source.replace is not None
        or bool(peek(source, "optional"))
        or (len(stack.input) == 1 and may_be_absent(spec, other))
        for other, stack in spec.stacks.items()
        for source in stack.input
        if isinstance(source, StackInput) and source.stack == name
    ]
    queries = [other for other in spec.stacks if name in attended(spec, other)]
    inputs += [
        isinstance(spec.stacks[other].input[0], LearnedInput)
        and attended(spec, other) == [name]
        and may_be_absent(spec, other)
        for other in queries
    ]
    return bool(inputs) and all(inputs) and not read


def _lower_streams(b: Builder, state: StackState, streams: Streams) -> StackState:
    """Lower a stack with several streams, each of which is an output of the model."""
    state.streams, state.padded = streams, False
    lower_stream_inputs(b, state.scope, state.stack, streams)
    with b.in_scope(state.scope):
        _lower_layers(b, state, "")
    for name, value in streams.values.items():
        b.rename(value, name)
    name = state.name
    b.graph.streams[name] = dict(streams.values)
    b.graph.hidden[name] = next(iter(streams.values.values()))
    axes = (axis.label for stream in streams.known.values() for axis in stream.axes)
    b.graph.axes[name] = tuple(dict.fromkeys(axes))
    b.graph.outputs.update(streams.values)
    return state


def _counts(stack: Stack) -> bool:
    """Whether positions are limited to `max_positions`: learned, sinusoidal, or in a table."""
    parts = [part for block in stack.blocks.values() for part in (block, *block.sublayers)]
    blocks = [one for part in parts for one in getattr(part, "positions", None) or ()]
    tables = any(isinstance(p, RelativeTable) and peek(p, "axes") == 1 for p in blocks)
    return tables or any(isinstance(p, (Learned, Sinusoidal)) for p in (*stack.positions, *blocks))


def _continues_text(b: Builder, state: StackState, first: Source) -> bool:
    """Whether the only input is every vector of a stack that predicts the next token."""
    follows = state.follows is not None and state.follows.name in b.graph.predicts_next
    return follows and isinstance(first, StackInput) and not first.skip


def _stack_title(name: str, spec: ModelSpec) -> str:
    blocks = spec.stacks[name].blocks.values()
    reads = dict.fromkeys(getattr(block.cross_attention, "memory", "") for block in blocks)
    attends = " and the ".join(filter(None, reads))
    return f"The {name} stack, which attends to the {attends}." if attends else f"The {name} stack."


def stored_modules(stack: Stack) -> tuple[int, ...]:
    """The index of the stored module of each layer."""
    modules: list[int] = []
    shared: dict[str, int] = {}
    stored = 0
    for kind in stack.order:
        if stack.blocks[kind].share and kind in shared:
            modules.append(shared[kind])
            continue
        shared[kind] = stored
        modules.append(stored)
        stored += 1
    return tuple(modules)


def _lower_layers(b: Builder, state: StackState, x: str) -> str:
    stack = state.stack
    if not stack.order:
        return x
    layers: Size = b.size("layers", stack.layers)
    modules = stored_modules(stack)
    parent = b.graph.scopes[state.scope].weights
    prefix = ".".join(part for part in (parent, "layers.{layer}") if part)
    rule = layer_rule(b, stack)
    sources = _ends(state, x)
    indices: dict[str, list[int]] = {}
    for index, kind in enumerate(stack.order):
        indices.setdefault(kind, []).append(index)
    with b.module("layers", "layers", weights=prefix, layers=layers) as scope:
        for kind, own in indices.items():
            stored = tuple(dict.fromkeys(modules[i] for i in own))
            x = _lower_kind(b, state, kind, tuple(own), stored, x)
    b.graph.scopes[scope.path] = replace(
        scope,
        order=stack.order,
        rule=rule,
        modules=modules,
        sources=sources,
        results=_ends(state, x),
    )
    return x


def _ends(state: StackState, x: str) -> tuple[str, ...]:
    """The hidden states so far, of each stream."""
    return (x,) if state.streams is None else tuple(state.streams.values.values())


def layer_rule(b: Builder, stack: Stack) -> LayerRule | None:
    """The rule that gives the blocks of the layers.

    The length of an override `0..n` with a named block is a field of the Config.
    """
    written = getattr(peek(stack, "order"), "rule", None)  # a plain tuple has no rule
    if written is None:
        return None
    counts: dict[str, int] = {}
    overrides = []
    for one in written.overrides:
        key, count = f"{one.block}_layers", None
        named = one.block in stack.order and one.first == 0 <= one.last
        if named and counts.setdefault(key, one.last) == one.last:
            count = b.size(key, one.last + 1, "the first layers")
        overrides.append(Override(one.first, one.last, one.block, one.becomes, count))
    blocks = {name: peek(stack, "blocks")[name] for name in dict.fromkeys(stack.order)}
    shared = tuple(name for name, block in blocks.items() if block.share)
    rule = LayerRule(written.pattern, tuple(overrides), written.last, shared, tuple(blocks))
    return rule if rule.order(int(stack.layers)) == tuple(stack.order) else None


def _lower_kind(
    b: Builder,
    state: StackState,
    kind: str,
    indices: tuple[int, ...],
    stored: tuple[int, ...],
    x: str,
) -> str:
    """Lower one kind of block, of the layers with these indices; the value after it."""
    block = state.stack.blocks[kind]
    plain = kind == "block" or len(indices) == len(state.stack.order)
    noun = "Block" if plain else camel_case(kind.removeprefix("block_")) + "Block"
    with (
        b.at("blocks", kind),
        b.within(kind),
        b.module(kind, "block", noun=noun, layer_indices=indices, stored=stored) as scope,
    ):
        title = block_title(b, state, block)
        if state.streams is None:
            entries: tuple[str, ...] = (b.op("layer_input", x, out="x"),)
            x = b.rename(lower_block(b, state, block, entries[0]), "x")
        else:
            values = state.streams.values
            values.update({n: b.op("layer_input", v, out=n) for n, v in values.items()})
            entries = tuple(values.values())
            lower_streams(b, state, block, state.streams)
    carries = tuple(zip(entries, _ends(state, x), strict=True))
    updates = () if state.streams is None else tuple(map(tuple, state.streams.updates.values()))
    b.graph.scopes[scope.path] = replace(scope, title=title, carries=carries, updates=updates)
    return x


def _lower_heads(b: Builder, spec: ModelSpec, states: dict[str, StackState]) -> None:
    last = list(spec.stacks)[-1]
    for name, head in spec.heads.items():
        stack = getattr(head, "stack", None) or last
        with b.at("heads", name), b.within(name):
            if isinstance(head, Contrastive):
                b.graph.outputs[name] = lower_contrastive(b, states, name, head)
                continue
            x = b.graph.hidden[stack]
            b.graph.outputs[name] = HEADS[head.type](b, states[stack], name, head, x)
    if not b.graph.outputs:
        b.graph.outputs["hidden_states"] = b.graph.hidden[last]
