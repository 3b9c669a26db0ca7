"""A model: its stacks in the order in which they read one another, then its heads."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ...spec.embedding import ConvStem, Patches
from ...spec.embedding import Tokens as TokenInput
from ...spec.model import ModelSpec, Stack
from .blocks import run_block
from .context import Chances, Draws, Layer, Memory, Tokens
from .heads import Hidden, run_head
from .inputs import Rows, read_input, source_of, table_of
from .options import check_options
from .pointwise import normalize
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
    """The outputs of a model: stack -> hidden states (B, T, D), and head -> what it gives.

    spec: resolved, as `load` gives it. weights: the state dict of the compiled model, by logical
    name. inputs: arguments of the compiled model's `forward`, by name. draws: what a mask with
    `random(…)` draws; the language does not say it. chances: in training, what decides about
    dropout.

    Raises OracleError where the spec has an option that is not known here, asks for a weight that
    is not there, or leaves one unread.
    """
    check_options(spec)
    store = Weights(weights)
    hidden: Hidden = {}
    for name in stacks_needed(spec):
        hidden[name] = run_stack(spec, name, store, (inputs, draws, chances), hidden)
    results = {name: np.stack([row.x for row in rows]) for name, rows in hidden.items()}
    results |= {name: run_head(spec, name, store, hidden) for name in spec.heads}
    for name in spec.stacks:  # a table that only idle stacks share is a weight of the model
        if isinstance(source_of(spec, name), TokenInput):
            table_of(spec, store, name)
    idle = tuple(f"{name}." for name in spec.stacks if name not in hidden)
    unread = [name for name in weights if name not in store.read and not name.startswith(idle)]
    if unread:
        raise OracleError(f"weights that the spec does not ask for: {', '.join(sorted(unread))}")
    return results


def stacks_needed(spec: ModelSpec) -> list[str]:
    """The stacks that a head reads, or the last one; those that they read before them."""
    order: list[str] = []

    def visit(name: str) -> None:
        for kind in spec.stacks[name].order:
            memory = getattr(spec.stacks[name].blocks[kind].cross_attention, "memory", None)
            if memory is not None:
                visit(memory)
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
    """What stands before the names of the arguments that go with a stack's own.

    Nothing for `input_ids`, `decoder_` for `decoder_input_ids`, `text_` for `text_ids`; for vectors
    the name of their stack, or nothing in a model of one stack.
    """
    source = source_of(spec, name)
    if isinstance(source, TokenInput):
        cut = source.argument.removesuffix("input_ids")
        return cut if cut != source.argument else f"{source.argument.removesuffix('_ids')}_"
    return f"{name}_" if len(spec.stacks) > 1 else ""


def tokens_of(spec: ModelSpec, name: str, data: Data, row: int) -> Tokens:
    """What the arguments say of the tokens of one row."""
    inputs, draws, chances = data
    prefix, source = prefix_of(spec, name), source_of(spec, name)
    own = np.asarray(inputs[source.argument])[row]
    length = length_of(source, own)

    def given(role: str) -> Array | None:
        value = inputs.get(f"{prefix}{role}")
        return None if value is None else np.asarray(value)[row]

    mask, positions = given("attention_mask"), given("position_ids")
    return Tokens(
        admitted=np.ones(length, bool) if mask is None else mask != 0,
        positions=np.arange(length) if positions is None else positions,
        last=int(np.max(inputs.get(f"{prefix}position_ids", length - 1))),
        placed=positions is not None,
        ids=own if isinstance(source, TokenInput) else None,
        document_ids=given("document_ids"),
        prefix_length=given("prefix_length"),
        global_mask=given("global_mask"),
        grid=source.grid if isinstance(source, Patches) else None,
        draws=draws,
        chances=chances,
        row=row,
    )


def length_of(source: Any, given: Array) -> int:
    """How many tokens a row of an argument becomes."""
    if isinstance(source, Patches):
        return source.prefix_tokens + source.registers + source.grid[0] * source.grid[1]
    if isinstance(source, ConvStem):
        return source.tokens(given.shape[-1 if source.layout != "frames" else 0])
    return len(given)


def run_stack(
    spec: ModelSpec, name: str, weights: Weights, data: Data, hidden: Hidden
) -> list[Memory]:
    """The result of a stack for each row of the batch."""
    stack, source, inputs = spec.stacks[name], source_of(spec, name), data[0]
    own = weights.below(name) if len(spec.stacks) > 1 else weights
    found = []
    for row in range(len(inputs[source.argument])):
        arguments = (source.argument, *getattr(source, "add", {}))
        rows: Rows = {a: np.asarray(inputs[a])[row] for a in arguments if a in inputs}
        tokens = tokens_of(spec, name, data, row)
        x = read_input(spec, name, weights, rows, tokens)
        memories = {other: rows_of[row] for other, rows_of in hidden.items()}
        x = run_layers(stack, own, tokens, x, memories)
        if stack.final_norm:
            x = normalize(stack.norm, own, "norm", x)
        if stack.output_width not in (None, stack.d_model):
            x = own.linear("output_projection", x, stack.output_width, bias=stack.bias)
        found.append(Memory(x, tokens))
    return found


def run_layers(
    stack: Stack, own: Weights, tokens: Tokens, x: Array, memories: dict[str, Memory]
) -> Array:
    """Every layer in order. Layers of a block with `share: true` use the weights of the first
    of them; weights are numbered in the order in which they are first used
    (Dehghani et al., 2018, arXiv:1807.03819; Lan et al., 2019, arXiv:1909.11942, section 3.1).
    """
    modules: list[str | int] = []  # what has weights of its own: a shared block, or a layer
    for number, name in enumerate(stack.order):
        block = stack.blocks[name]
        owner = name if block.share else number
        if owner not in modules:
            modules.append(owner)
        layer = Layer(number, stack, own, block.positions, block.mask, tokens, block.dropout)
        x = run_block(block, layer, own.below(f"layers.{modules.index(owner)}"), x, memories)
    return x
