"""A model: stacks in order of their dependencies, then heads."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ...spec.condition import Pooled
from ...spec.embedding import Features, LearnedInput, StackInput, has_grid, interleaved
from ...spec.embedding import Tokens as TokenInput
from ...spec.model import ModelSpec, Stack
from ...spec.part import Nothing
from ...spec.positions import in_attention
from .blocks import run_block
from .branches import branches
from .condition import modulation, vector_of
from .context import Chances, Draws, Layer, Memory, Tokens
from .feed_forward import auxiliary_loss
from .heads import Hidden, run_head
from .inputs import OUTPUT, Rows, length_of, module_of, read_input, source_of, sources_of, table_of
from .options import check_options
from .pointwise import normalize
from .positions import added
from .streams import run_streams
from .vectors import check_all_placed, places_of, project, replacing
from .weights import Array, OracleError, Weights

Inputs = Mapping[str, Array]
Data = tuple[Inputs, Draws | None, Chances | None]


def run(
    spec: ModelSpec,
    weights: Mapping[str, Array],
    inputs: Inputs,
    draws: Draws | None = None,
    chances: Chances | None = None,
) -> dict[str, Array]:
    """The outputs of a model: stack -> hidden states (B, T, D), and head -> output.

    spec: a resolved spec. weights: the state dict of the compiled model. inputs: arguments of its
    `forward`, by name. draws: the blocks of `random(…)` masks. chances: numbers for dropout.

    Raises OracleError for an unknown option, a missing weight, or an unused weight.
    """
    check_options(spec)
    store = Weights(weights)
    if any(stack.streams for stack in spec.stacks.values()):
        return _of_streams(spec, store, inputs)
    hidden: Hidden = {}
    for name in stacks_needed(spec):
        hidden[name] = run_stack(spec, name, store, (inputs, draws, chances), hidden)
    results = {name: np.stack([row.x for row in rows]) for name, rows in hidden.items() if rows}
    results |= {name: run_head(spec, name, store, inputs, hidden) for name in spec.heads}
    results |= {"auxiliary_loss": auxiliary_loss(store)} if store.routed else {}
    for name in spec.stacks:  # an embedding shared only by unused stacks belongs to the model
        if isinstance(source_of(spec, name), TokenInput):
            table_of(spec, store, name)
    idle = tuple(f"{name}." for name in spec.stacks if not hidden.get(name))
    idle += tuple(
        f"{name}.{source.stack}_projector."
        for name, stack in spec.stacks.items()
        for source in replacing(stack)
        if not hidden.get(source.stack)
    )
    idle += tuple(
        f"{name}.{module_of(one)}.".removeprefix("" if len(spec.stacks) > 1 else f"{name}.")
        for name in spec.stacks
        for one in sources_of(spec, name)
        if one.optional and getattr(one, "argument", "") not in inputs
    )
    unread = [name for name in weights if name not in store.read and not name.startswith(idle)]
    if unread:
        raise OracleError(f"weights that the spec does not use: {', '.join(sorted(unread))}")
    return results


def _of_streams(spec: ModelSpec, store: Weights, inputs: Inputs) -> dict[str, Array]:
    """The outputs of a model that is one stack with several streams."""
    ((name, stack),) = spec.stacks.items()
    arguments = [getattr(stream.input, "argument", "") for stream in stack.streams.values()]
    rows = [
        run_streams(stack, store, {a: np.asarray(inputs[a])[row] for a in arguments})
        for row in range(len(inputs[arguments[0]]))
    ]
    results = {stream: np.stack([row[stream] for row in rows]) for stream in stack.streams}
    unread = [weight for weight in store.arrays if weight not in store.read]
    if unread:
        raise OracleError(f"weights that the spec does not use: {', '.join(sorted(unread))}")
    return results | {name: next(iter(results.values()))}


def stacks_needed(spec: ModelSpec) -> list[str]:
    """The stacks that heads read (or the last one), after their dependencies."""
    order: list[str] = []

    def visit(name: str) -> None:
        for kind in spec.stacks[name].order:
            for part in branches(spec.stacks[name].blocks[kind]).values():
                for reader in (
                    part,
                    *(getattr(part, key, None) for key in ("attention", "initial")),
                ):
                    memory = getattr(reader, "memory", None)
                    if memory is not None:
                        visit(memory)
        for source in spec.stacks[name].input:
            if isinstance(source, StackInput):
                visit(source.stack)
        stack = spec.stacks[name]
        for part in (stack.condition, *(block.condition for block in stack.blocks.values())):
            for embed in getattr(part, "embed", ()):
                if isinstance(embed, Pooled):
                    visit(embed.stack)
        if name not in order:
            order.append(name)

    for head in spec.heads.values():
        for name in getattr(head, "towers", None) or [getattr(head, "stack", None)]:
            if name is not None:
                visit(name)
    if not spec.heads:
        visit(list(spec.stacks)[-1])
    return order


def prefix_of(spec: ModelSpec, name: str) -> str:
    """Prefix of a stack's further arguments.

    "" for `input_ids`, `decoder_` for `decoder_input_ids`, `text_` for `text_ids`; for vectors the
    name of the stack, or "" if there is only one stack; for the output of another stack, those of
    that stack.
    """
    source = source_of(spec, name)
    if isinstance(source, StackInput) and len(sources_of(spec, name)) == 1:
        return prefix_of(spec, source.stack)
    if isinstance(source, TokenInput):
        cut = source.argument.removesuffix("input_ids")
        return cut if cut != source.argument else f"{source.argument.removesuffix('_ids')}_"
    return f"{name}_" if len(spec.stacks) > 1 else ""


def tokens_of(spec: ModelSpec, name: str, data: Data, row: int, hidden: Hidden) -> Tokens:
    """The tokens of one sequence, from the arguments."""
    inputs, draws, chances = data
    prefix, source, sources = prefix_of(spec, name), source_of(spec, name), sources_of(spec, name)
    lengths = [length_of(one, inputs, row, hidden) for one in sources]
    length = sum(lengths)

    def given(role: str) -> Array | None:
        value = inputs.get(f"{prefix}{role}")
        return None if value is None else np.asarray(value)[row]

    admitted, positions = np.ones(length, bool), given("position_ids")
    counted = np.arange(length) // max(1, len(interleaved(spec.stacks, name)))
    one = masked(spec, name)
    where = one.stack if isinstance(one, StackInput) else name
    mask = inputs.get(f"{prefix_of(spec, where)}attention_mask")
    if mask is not None:  # learned tokens and vectors of other inputs are real
        end = length if one is None else sum(lengths[: sources.index(one) + 1])
        admitted[end - len(mask[row]) : end] = np.asarray(mask)[row] != 0
    ids = inputs.get(getattr(source, "argument", "")) if isinstance(source, TokenInput) else None
    return Tokens(
        admitted=admitted,
        positions=counted if positions is None else positions,
        last=int(np.max(inputs.get(f"{prefix}position_ids", counted))),
        placed=positions is not None,
        ids=None if ids is None else np.asarray(ids)[row],
        document_ids=given("document_ids"),
        prefix_length=given("prefix_length"),
        global_mask=given("global_mask"),
        grid=source.grid if has_grid(source) and len(sources) == 1 else (),
        draws=draws,
        chances=chances,
        row=row,
        given={name: np.asarray(value)[row] for name, value in inputs.items()},
    )


def masked(spec: ModelSpec, name: str) -> Any:
    """The input whose padding `attention_mask` marks; None if it is that of all joined inputs.

    It is that of the only one that may be padded, if the number of vectors before it or after
    it is fixed.
    """

    def padded(source: Any) -> bool:
        if isinstance(source, StackInput):
            return any(padded(one) for one in sources_of(spec, source.stack))
        return isinstance(source, (TokenInput, Features))

    def counted(source: Any) -> bool:
        if isinstance(source, StackInput):
            return not source.optional and all(map(counted, sources_of(spec, source.stack)))
        return not source.optional and (has_grid(source) or isinstance(source, LearnedInput))

    sources = sources_of(spec, name)
    found = [i for i, source in enumerate(sources) if padded(source)]
    if len(sources) == 1:
        return sources[0]
    if len(found) != 1:
        return None
    sides = sources[: found[0]], sources[found[0] + 1 :]
    return sources[found[0]] if any(all(map(counted, side)) for side in sides) else None


def run_stack(
    spec: ModelSpec, name: str, weights: Weights, data: Data, hidden: Hidden
) -> list[Memory]:
    """The output of a stack for each sequence of the batch; none if its input is absent."""
    stack, source, inputs = spec.stacks[name], source_of(spec, name), data[0]
    own = weights.below(name) if len(spec.stacks) > 1 else weights
    found, sources = [], sources_of(spec, name)
    counts = [len(hidden[one.stack]) for one in sources if isinstance(one, StackInput)]
    counts += [len(inputs[a]) for one in sources if (a := getattr(one, "argument", "")) in inputs]
    if isinstance(source, LearnedInput):  # as many sequences as in the stack that it reads
        counts = [len(next(iter(hidden.values())))]
    count = max(counts, default=0)
    places = places_of(stack, own, hidden)
    for row in range(count):
        given = {a: np.asarray(value)[row] for a, value in inputs.items()}
        rows: Rows = {**given}
        for one in sources:
            if isinstance(one, StackInput) and hidden[one.stack]:
                inside = own.below(module_of(one)) if len(sources) > 1 else own
                rows[OUTPUT + one.stack] = project(stack, one, inside, hidden[one.stack][row])
        tokens = tokens_of(spec, name, data, row, hidden)
        x = read_input(spec, name, weights, rows, tokens, places)
        memories = {other: rows_of[row] for other, rows_of in hidden.items() if row < len(rows_of)}
        vector = vector_of(stack, own, given, tokens, memories)
        later: Array | int = 0
        if any(map(in_attention, stack.positions)):
            zeros = np.zeros((len(x), stack.d_model))
            later = added(stack, own, tokens, zeros, spec.tokens.pad, "queries_and_keys")
        x = run_layers(stack, own, tokens, x, memories, vector, later)
        if stack.final_norm:
            x = normalize(stack.norm, own, "norm", x)
            if not isinstance(stack.norm, Nothing):
                x = modulation(stack.condition, 2, own, "norm_modulation", vector).normed(x)
        if stack.output_width not in (None, x.shape[-1]):
            x = own.linear("output_projection", x, stack.output_width, bias=stack.bias)
        found.append(Memory(x, tokens, stack=stack, places=later))
    check_all_placed(places)
    return found


def run_layers(
    stack: Stack,
    own: Weights,
    tokens: Tokens,
    x: Array,
    memories: dict[str, Memory],
    condition: Array | None = None,
    places: Array | int = 0,
) -> Array:
    """All layers in order. Layers of a block with `share: true` use the weights of the first one;
    weights are numbered in order of first use
    (Dehghani et al., 2018, arXiv:1807.03819; Lan et al., 2019, arXiv:1909.11942, section 3.1).
    """
    modules: list[str | int] = []  # owners of weights: shared blocks and layers
    for number, name in enumerate(stack.order):
        block = stack.blocks[name]
        owner = name if block.share else number
        if owner not in modules:
            modules.append(owner)
        layer = Layer(number, stack, own, block.positions, block.mask, tokens, block.dropout)
        layer.condition, layer.places = condition, places
        x = run_block(block, layer, own.below(f"layers.{modules.index(owner)}"), x, memories)
    return x
