"""Laws of inputs: tables, positions, arguments, special tokens."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from ..branches import sights
from ..embedding import (
    ConvStem,
    Features,
    LearnedInput,
    Patches,
    StackInput,
    Tokens,
    joined,
    main_input,
)
from ..errors import choices
from ..masks import Mask
from ..model import Block, ModelSpec, Stack
from ..names import camel_case, results_of
from ..norm import LayerNorm, Norm, plain_layer_norm
from ..part import Nothing, Part
from ..positions import Convolution, Learned, Sinusoidal, in_attention
from ..simpler_masks import admits_future
from .condition import embeds
from .findings import Finding, Path, members, parts
from .score_bias import given_biases


def tables(stack: Stack) -> list[tuple[int, Tokens]]:
    """The token inputs of a stack, with their paths."""
    sources = () if stack.streams else members(stack.input)
    return [(i, s) for i, s in enumerate(sources) if isinstance(s, Tokens)]


def reads_something(spec: ModelSpec, path: Path, stack: Stack) -> Iterator[Finding]:
    if stack.input == ():
        yield Finding((*path, "input"), "`input` is empty; a stack needs at least one input")


def vocabulary_known(spec: ModelSpec, path: Path, stack: Stack) -> Iterator[Finding]:
    for i, source in tables(stack):
        if source.vocab_size is None and source.tied == "none":
            yield Finding(
                (*path, "input", i),
                "`vocab_size` is missing, and this stack reads tokens; set it in the stack or at "
                "the top level",
                lacks="vocab_size",
            )


def tied_to_a_table(spec: ModelSpec, path: Path, stack: Stack) -> Iterator[Finding]:
    for i, source in tables(stack):
        if source.tied == "none":
            continue
        place = (*path, "input", i, "tied")
        if source.tied not in spec.stacks:
            yield Finding(
                place,
                f"unknown stack `{source.tied}` in `tied`; "
                f"{choices(source.tied, list(spec.stacks))}",
            )
            continue
        other = spec.stacks[source.tied]
        table = next((t for _, t in tables(other)), None)
        if table is None or other is stack:
            why = "is this stack" if other is stack else "has no token embedding"
            yield Finding(
                place,
                f"`tied: {source.tied}` must name another stack with a token embedding; "
                f"`{source.tied}` {why}",
            )
            continue
        here, there = source.width or stack.d_model, table.width or other.d_model
        if here != there:
            yield Finding(
                place,
                f"this input has width {here}, but the token embedding of `{source.tied}` has "
                f"width {there}; they must be equal",
            )
        if table.vocab_size is not None and source.vocab_size not in (None, table.vocab_size):
            yield Finding(
                place,
                f"this input has vocab_size {source.vocab_size}, but the token embedding of "
                f"`{source.tied}` has {table.vocab_size} entries; they must be equal",
            )


def projection_has_width(spec: ModelSpec, path: Path, stack: Stack) -> Iterator[Finding]:
    for i, source in tables(stack):
        if source.project == "before_positions" and source.width in (None, stack.d_model):
            yield Finding(
                (*path, "input", i, "project"),
                f"`project` needs a `width` that differs from d_model ({stack.d_model})",
                lacks="width",
            )


def table_for_positions(spec: ModelSpec, path: Path, stack: Stack) -> Iterator[Finding]:
    measured = known_length(spec, stack) is not None
    for i, position in enumerate(members(stack.positions)):
        if isinstance(position, Learned) and stack.max_positions is None and not measured:
            yield Finding(
                (*path, "positions", i),
                "learned positions need `max_positions`; set it in the stack or at the top level",
                lacks="max_positions",
            )


def features_fit(spec: ModelSpec, path: Path, stack: Stack) -> Iterator[Finding]:
    """Vectors of another width than d_model are projected."""
    for i, source in enumerate(members(stack.input)):
        if not isinstance(source, Features) or source.size in (None, stack.d_model):
            continue
        if source.project is False:
            yield Finding(
                (*path, "input", i, "project"),
                f"vectors of {source.size} numbers must be projected to d_model "
                f"({stack.d_model}); remove `project`",
            )


def _reads_a_stack(block: Block) -> bool:
    """Whether a branch of a block attends to another stack."""
    if members(block.sublayers):
        return any(getattr(part, "memory", None) for part in members(block.sublayers))
    return not isinstance(block.cross_attention, Nothing)


def learned_vectors_fit(spec: ModelSpec, path: Path, stack: Stack) -> Iterator[Finding]:
    """The number of sequences is that of a stack that the learned vectors read."""
    for i, source in enumerate(members(stack.input)):
        if not isinstance(source, LearnedInput):
            continue
        place: Path = (*path, "input", i)
        if source.prefix_tokens:
            yield Finding(
                (*place, "prefix_tokens"),
                "`prefix_tokens` are vectors of the stack too; add them to `tokens`",
            )
        used = [stack.blocks[name] for name in dict.fromkeys(stack.order)]
        if not any(_reads_a_stack(block) for block in used):
            yield Finding(
                place,
                f"a stack of `{source.type}` vectors needs `cross_attention` in one of its layers: "
                "its batch size is that of the stack that it attends to",
            )
        for j, position in enumerate(members(stack.positions)):
            for key in ("offset", "skip_padding"):
                if getattr(position, key, 0):
                    yield Finding(
                        (*path, "positions", j, key),
                        f"`{key}` applies only to tokens, not to vectors of type `{source.type}`",
                    )


def _origin(spec: ModelSpec, stack: Stack) -> tuple[Any, int]:
    """The main input of a stack, of that whose output it is, and so on; number of skipped vectors.

    None instead of an input if there is none.
    """
    skipped, seen = 0, [stack]
    while True:
        sources = members(stack.input)
        source = sources[main_input(sources)] if sources else None
        if not isinstance(source, StackInput) or source.stack not in spec.stacks:
            return source, skipped
        stack, skipped = spec.stacks[source.stack], skipped + source.skip
        if any(stack is known for known in seen):  # a cycle is another error
            return None, skipped
        seen.append(stack)


def known_length(spec: ModelSpec, stack: Stack) -> int | None:
    """Number of vectors of a stack whose input determines it."""
    if len(parts_of := [members(stack.input)[i] for i in joined(members(stack.input))]) > 1:
        lengths = [_alone(spec, stack, one) for one in parts_of]
        return None if None in lengths else sum(length or 0 for length in lengths)
    source, skipped = _origin(spec, stack)
    if isinstance(source, LearnedInput):
        return source.tokens - skipped
    if isinstance(source, Patches):
        return source.prefix_tokens + source.registers + math.prod(source.grid) - skipped
    if isinstance(source, ConvStem) and source.axes == 2:
        return source.prefix_tokens + math.prod(source.grid) - skipped
    return None


def _alone(spec: ModelSpec, stack: Stack, source: Any) -> int | None:
    """Number of vectors of one of several inputs; None if it may be absent."""
    if source.optional:
        return None
    return known_length(spec, stack.model_copy(update={"input": (source,)}))


def _padded(spec: ModelSpec, stack: Stack) -> bool:
    """Whether sequences of a stack can have padding."""
    if len(joined(members(stack.input))) > 1:
        return True
    return isinstance(_origin(spec, stack)[0], (Tokens, Features))


def stack_inputs_fit(spec: ModelSpec, path: Path, stack: Stack) -> Iterator[Finding]:
    """Vectors of another stack have this stack's width, and some are left after `skip`."""
    for i, source in enumerate(members(stack.input)):
        if not isinstance(source, StackInput) or source.stack not in spec.stacks:
            continue
        other = spec.stacks[source.stack]
        place: Path = (*path, "input", i)
        width = other.output_width or other.d_model
        if isinstance(source.projector, Nothing) and width != stack.d_model:
            yield Finding(
                place,
                f"the vectors of `{source.stack}` have {width} numbers, but d_model is "
                f"{stack.d_model}; add a `projector`",
            )
        count = known_length(spec, other)
        if source.skip and source.replace is None and _padded(spec, other):
            yield Finding(
                (*place, "skip"),
                f"`skip` removes the same positions of each sequence, but sequences of "
                f"`{source.stack}` may be padded; add `replace`, or read images or signals",
            )
        if count is not None and source.skip >= count:
            yield Finding(
                (*place, "skip"),
                f"skip ({source.skip}) must be less than the number of vectors of "
                f"`{source.stack}` ({count})",
            )


def replaced_tokens(spec: ModelSpec, path: Path, stack: Stack) -> Iterator[Finding]:
    """`replace` is an id of the vocabulary that has no other use."""
    words = next((source for _, source in tables(stack)), None)
    seen: set[int] = set()
    for i, source in enumerate(members(stack.input)):
        if not isinstance(source, StackInput) or not isinstance(source.replace, int):
            continue
        place: Path = (*path, "input", i, "replace")
        if words is None:
            yield Finding(place, "`replace` is a token id, but this stack has no input `tokens`")
            continue
        if words.width not in (None, stack.d_model) and not seen:
            yield Finding(
                (*path, "input", main_input(members(stack.input)), "width"),
                f"vectors of another stack replace embeddings of width d_model ({stack.d_model}), "
                f"so `width` cannot be {words.width}",
            )
        if words.vocab_size is not None and source.replace >= words.vocab_size:
            yield Finding(
                place,
                f"token id {source.replace} is out of range: vocab_size is {words.vocab_size}, so "
                f"ids go from 0 to {words.vocab_size - 1}",
            )
        if source.replace in seen:
            yield Finding(place, f"another input also replaces the token id {source.replace}")
        if source.replace == spec.tokens.pad:
            yield Finding(place, f"the token id {source.replace} is padding; choose another one")
        seen.add(source.replace)


def stem_fits(spec: ModelSpec, path: Path, stack: Stack) -> Iterator[Finding]:
    for i, source in enumerate(members(stack.input)):
        if not isinstance(source, ConvStem):
            continue
        place = (*path, "input", i, "layers")
        layers = members(source.layers)
        if source.layers == ():
            yield Finding(place, "`layers` is empty; a convolution stem needs at least one layer")
        for j, layer in enumerate(layers):
            if layer.kernel % 2 == 0 and source.padded:
                yield Finding(
                    (*place, j, "kernel"),
                    f"kernel ({layer.kernel}) must be odd when `padded` is true",
                )
            last = layer is layers[-1] and source.project is False
            if last and layer.channels != stack.d_model:
                yield Finding(
                    (*place, j, "channels"),
                    f"the last convolution has {layer.channels} channels, but d_model is "
                    f"{stack.d_model}; write {stack.d_model}, or `project: true`",
                )
        frames = [j for j, layer in enumerate(layers) if layer.normalize == "frames"]
        if frames and not (isinstance(source.norm, Nothing) or plain_layer_norm(source.norm)):
            yield Finding(
                (*place, frames[0], "normalize"),
                "`normalize: frames` needs a `norm` of type `layernorm` with weight and bias, "
                f"but that of this input is {_other_norm(source.norm)}; write `norm: layernorm` "
                "in the input",
            )
        if source.layout == "waveform" and source.channels != 1:
            yield Finding(
                (*path, "input", i, "layout"), "a waveform has one channel; write `channels: 1`"
            )
        yield from _stem_of_an_image((*path, "input", i), source)


def _stem_of_an_image(place: Path, source: ConvStem) -> Iterator[Finding]:
    """An image has a size, which the convolutions fit; a signal has none."""
    if source.axes == 1:
        if source.image_size is not None:
            yield Finding(
                (*place, "image_size"),
                "`image_size` is for images only, since signals may have any length; write "
                "`axes: 2` or remove it",
            )
        return
    if source.image_size is None:
        yield Finding(
            (*place, "axes"),
            "convolutions over two axes read images; set `image_size`",
            lacks="image_size",
        )
        return
    if source.layout != "channels":
        yield Finding(
            (*place, "layout"),
            f"an image is (B, channels, height, width); `{source.layout}` is for signals",
        )
    if 0 in source.grid:
        yield Finding(
            (*place, "image_size"),
            f"image_size ({min(source.sides)}) is too small for the kernels; it must be at least "
            f"{source.frames(1)}",
        )


def _other_norm(norm: Norm | None) -> str:
    """Description of a norm that is not a plain layer norm."""
    if not isinstance(norm, LayerNorm):
        return f"`{norm.type}`" if norm else "another"
    options = norm.model_dump(exclude={"type", "eps"})
    plain = LayerNorm().model_dump()
    changes = [f"{key}: {value}".lower() for key, value in options.items() if value != plain[key]]
    return f"a `layernorm` with `{', '.join(changes)}`"


def convolved_positions(spec: ModelSpec, path: Path, stack: Stack) -> Iterator[Finding]:
    """`convolution` positions need a signal."""
    stem = any(isinstance(source, ConvStem) and source.axes == 1 for source in members(stack.input))
    for i, position in enumerate(members(stack.positions)):
        if not isinstance(position, Convolution):
            continue
        if not stem:
            yield Finding(
                (*path, "positions", i),
                "`convolution` positions need an input of type `conv` with `axes: 1`",
            )
        if stack.d_model % position.groups:
            yield Finding(
                (*path, "positions", i, "groups"),
                f"groups ({position.groups}) must divide d_model ({stack.d_model})",
            )


def tokens_are_counted(spec: ModelSpec, path: Path, stack: Stack) -> Iterator[Finding]:
    """`skip_padding: tokens` needs token ids."""
    vectors = any(isinstance(source, Features) for source in members(stack.input))
    for i, position in enumerate(members(stack.positions) if vectors else ()):
        if getattr(position, "skip_padding", False) == "tokens":
            yield Finding(
                (*path, "positions", i, "skip_padding"),
                "`skip_padding: tokens` needs token ids, but this stack reads vectors; write "
                "`skip_padding: mask`",
            )


def positions_of_signals(spec: ModelSpec, path: Path, stack: Stack) -> Iterator[Finding]:
    """Signals have no padding, so `skip_padding` does not apply."""
    stem = any(isinstance(source, ConvStem) and source.axes == 1 for source in members(stack.input))
    stem = stem and len(joined(members(stack.input))) == 1
    for i, position in enumerate(members(stack.positions) if stem else ()):
        if getattr(position, "skip_padding", False):
            yield Finding(
                (*path, "positions", i, "skip_padding"),
                "`skip_padding` applies only to tokens, not to the frames of a signal",
            )


def sinusoid_width(spec: ModelSpec, path: Path, stack: Stack) -> Iterator[Finding]:
    for i, position in enumerate(members(stack.positions)):
        if not isinstance(position, Sinusoidal) or position.axes != 1:
            continue
        for source in members(stack.input):
            late = getattr(source, "project", "") == "after_positions"
            late = late and not in_attention(position)
            width = (getattr(source, "width", None) if late else None) or stack.d_model
            least = 4 if position.denominator == "half_minus_one" else 2
            if width % 2 or width < least:
                yield Finding(
                    (*path, "positions", i),
                    "sinusoidal positions are pairs of sine and cosine, so their width "
                    f"({width}) must be even" + (f" and at least {least}" if least > 2 else ""),
                )


def padding_known(spec: ModelSpec, path: Path, stack: Stack) -> Iterator[Finding]:
    for i, position in enumerate(members(stack.positions)):
        skip = getattr(position, "skip_padding", False)
        if skip == "tokens" and spec.tokens.pad is None:
            yield Finding(
                (*path, "positions", i, "skip_padding"),
                "`skip_padding: tokens` needs the padding id; write `tokens: {pad: …}` at the "
                "top level",
                lacks="pad",
            )
        if skip == "tokens" and _causal(stack):
            yield Finding(
                (*path, "positions", i, "skip_padding"),
                "`skip_padding: tokens` counts all ids of a sequence, but a decoding step of a "
                "causal stack has only the new ones; write `skip_padding: mask`",
            )
        if skip is not False and position.type == "learned" and position.offset < 1:
            yield Finding(
                (*path, "positions", i, "skip_padding"),
                "with `skip_padding`, padding has the position offset - 1, so `offset` must be "
                f"at least 1, not {position.offset}",
            )


def _causal(stack: Stack) -> bool:
    """Whether all masks of the stack are causal."""
    masks = [mask for _, block in parts(stack.blocks, Block) for mask in sights(block)]
    formulas = [m for mask in masks for m in (mask if isinstance(mask, tuple) else (mask,))]
    formulas = [formula for formula in formulas if isinstance(formula, Mask)]
    return bool(formulas) and not any(admits_future(formula) for formula in formulas)


def _arguments(stack: Stack) -> Iterator[tuple[tuple[str | int, ...], str]]:
    for i, source in enumerate(members(stack.input)):
        argument = getattr(source, "argument", None)
        if isinstance(argument, str):
            yield ("input", i, "argument"), argument
        for name, _ in parts(getattr(source, "add", {}), int):
            yield ("input", i, "add", name), name
    found = {bias.argument: place for place, _, bias in reversed([*given_biases(stack)])}
    for argument, place in found.items():
        yield (*place, "argument"), argument
    for place, embed in embeds(stack):
        argument = getattr(embed, "argument", None)
        if isinstance(argument, str):
            yield (*place, "argument"), argument


def arguments_differ(spec: ModelSpec) -> Iterator[Finding]:
    seen: dict[str, str] = {}
    shared: dict[str, tuple[Any, ...]] = {}
    for name, stack in parts(spec.stacks, Stack):
        given = dict(embeds(stack))
        for step, argument in _arguments(stack):
            path: Path = ("stacks", name, *step)
            if len(spec.stacks) > 1 and (other := results_of(spec.stacks).get(argument)):
                text = f"argument `{argument}` has the name of the output of the stack `{other}`"
                yield Finding(path, f"{text} in the generated code; rename one")
            known = _known_as(given.get(step[:-1]))
            elsewhere = seen.get(argument, name) != name
            if argument in seen and not (elsewhere and known and shared.get(argument) == known):
                who = "this stack" if seen[argument] == name else f"stack `{seen[argument]}`"
                yield Finding(
                    path,
                    f"argument `{argument}` exists already, in {who}; rename one"
                    + (" with `argument: …`" if step[-1] == "argument" else ""),
                )
            seen.setdefault(argument, name)
            shared.setdefault(argument, known)


def _known_as(embed: Part | None) -> tuple[Any, ...]:
    """What the argument of a condition is; stacks may share one. Empty for other arguments."""
    keys = ("type", "classes", "size")
    return () if embed is None else tuple(getattr(embed, key, None) for key in keys)


def ids_are_words(spec: ModelSpec) -> Iterator[Finding]:
    sizes = [s.vocab_size for _, stack in parts(spec.stacks, Stack) for _, s in tables(stack)]
    known = [size for size in sizes if isinstance(size, int)]
    for key in ("pad", "bos", "eos", "decoder_start"):
        value = getattr(spec.tokens, key)
        ids = value if isinstance(value, tuple) else () if value is None else (value,)
        for one in ids if known else ():
            if one < max(known):
                continue
            yield Finding(
                ("tokens", key),
                f"token id {one} is out of range: vocab_size is {max(known)}, so ids go from 0 to "
                f"{max(known) - 1}",
            )


def classes_differ(spec: ModelSpec, path: Path, stack: Stack) -> Iterator[Finding]:
    seen: dict[str, str] = {}
    for name in stack.blocks:
        other = seen.setdefault(camel_case(name), name)
        if other != name:
            yield Finding(
                (*path, "blocks", name),
                f"blocks `{other}` and `{name}` would both have the class name {camel_case(name)}",
            )


STACK_LAWS = (
    reads_something,
    vocabulary_known,
    tied_to_a_table,
    projection_has_width,
    table_for_positions,
    features_fit,
    learned_vectors_fit,
    stack_inputs_fit,
    replaced_tokens,
    stem_fits,
    positions_of_signals,
    convolved_positions,
    tokens_are_counted,
    sinusoid_width,
    padding_known,
    classes_differ,
)
SPEC_LAWS = (arguments_differ, ids_are_words)
