"""Laws of heads."""

from __future__ import annotations

from collections.abc import Iterator

from ..branches import output_width
from ..embedding import LearnedInput, Patches, Source, Tokens, has_grid, interleaved, joined
from ..errors import choices
from ..head import (
    Classifier,
    Contrastive,
    DenseTransform,
    HeadPart,
    LanguageModel,
    Maxout,
    PatchesHead,
    ProjectionHead,
    Tower,
)
from ..model import ModelSpec, Stack
from ..part import Part
from .findings import Finding, Path, members, parts
from .pools import pool_findings


def reads_a_stack(spec: ModelSpec, path: Path, head: Part) -> Iterator[Finding]:
    if not isinstance(head, HeadPart):
        return
    names = list(spec.stacks)
    if head.stack is None and names:
        yield Finding(path, f"`stack` is missing; write `stack: …`, one of {', '.join(names)}")
    elif head.stack is not None and head.stack not in names:
        yield Finding(
            (*path, "stack"),
            f"this head reads the unknown stack `{head.stack}`; {choices(head.stack, names)}",
        )


def _weights_beside(head: Contrastive) -> dict[str, str]:
    """Weights of a contrastive head besides the projections, which have the names of towers."""
    found = dict.fromkeys(
        ["scale", *["bias"] * (head.loss == "sigmoid")], "the head has a weight of that name"
    )
    for name, tower in parts(head.towers, Tower):
        if getattr(tower.pool, "type", tower.pool) == "attention":
            found[f"{name}_pool_score"] = f"the pool of `{name}` has a weight of that name"
    return found


def towers_are_known(spec: ModelSpec, path: Path, head: Part) -> Iterator[Finding]:
    if not isinstance(head, Contrastive):
        return
    names = list(spec.stacks)
    for tower in head.towers:
        if tower not in names:
            yield Finding(
                (*path, "towers", tower),
                f"this head reads the unknown stack `{tower}`; {choices(tower, names)}",
            )
    for name, why in _weights_beside(head).items():
        if name in head.towers:
            text = f"a tower cannot be named `{name}`: {why}; rename the stack"
            yield Finding((*path, "towers", name), text)
    if len(head.towers) < 2:
        yield Finding((*path, "towers"), "a contrastive head needs at least two towers")
    for name, tower in parts(head.towers, Tower):
        stack = spec.stacks.get(name)
        if not isinstance(stack, Stack) or tower.project:
            continue
        place = (*path, "towers", name, "project")
        if tower.pool.type == "first_and_mean" or getattr(tower.pool, "joined", False):
            yield Finding(place, "this pool gives a wider vector, which must be projected")
        elif (width := output_width(spec, stack)) != head.size:
            yield Finding(
                place,
                f"the vectors of `{name}` have width {width}, but `size` is {head.size}; project "
                "them, or make both equal",
            )
    if head.bias and not any(tower.project for _, tower in parts(head.towers, Tower)):
        yield Finding((*path, "bias"), "`bias: true` has no effect: no tower is projected")


def _stack(spec: ModelSpec, head: HeadPart) -> Stack | None:
    found = spec.stacks.get(head.stack or "")
    return found if isinstance(found, Stack) else None


def vocabulary_known(spec: ModelSpec, path: Path, head: Part) -> Iterator[Finding]:
    if not isinstance(head, LanguageModel) or head.vocab_size is not None:
        return
    stack = _stack(spec, head)
    reported = stack is not None and any(  # reported by the law of the stack
        isinstance(s, Tokens) and s.vocab_size is None and s.tied == "none"
        for s in members(stack.input)
    )
    if stack is not None and not reported:
        yield Finding(
            path,
            "`vocab_size` is missing; set it in this head or in its stack",
            lacks="vocab_size",
        )


def tied_to_a_table(spec: ModelSpec, path: Path, head: Part) -> Iterator[Finding]:
    if not isinstance(head, LanguageModel) or not head.tied:
        return
    stack = _stack(spec, head)
    if stack is None:
        return
    table = next((s for s in members(stack.input) if isinstance(s, Tokens)), None)
    place = (*path, "tied")
    if table is None:
        yield Finding(place, f"`tied` needs a token embedding, but stack `{head.stack}` has none")
        return
    if table.vocab_size is not None and head.vocab_size not in (None, table.vocab_size):
        yield Finding(
            place,
            f"this head has vocab_size {head.vocab_size}, but the tied embedding has "
            f"{table.vocab_size} entries; they must be equal",
        )
    wide, width = table.width or stack.d_model, output_width(spec, stack)
    if isinstance(head.transform, Maxout):
        width = head.transform.hidden
    if wide != width and not isinstance(head.transform, DenseTransform):
        yield Finding(
            place,
            f"the tied embedding has width {wide}, but the stack's output has width {width}; add "
            "`transform: dense` or remove `tied`",
        )
    own = head.transform.width if isinstance(head.transform, DenseTransform) else None
    if own is not None and own != wide:
        yield Finding(
            (*path, "transform", "width"),
            f"the tied embedding has width {wide}, but the transform's output has width {own}; "
            "remove `width` or `tied`",
        )


def pools_fit(spec: ModelSpec, path: Path, head: Part) -> Iterator[Finding]:
    """What the pools of a head select must be there."""
    if isinstance(head, Contrastive):
        for name, tower in parts(head.towers, Tower):
            stack = spec.stacks.get(name)
            if isinstance(stack, Stack):
                yield from pool_findings((*path, "towers", name, "pool"), name, stack, tower.pool)
    elif isinstance(head, HeadPart):
        stack = _stack(spec, head)
        if stack is not None:
            pool = getattr(head, "pool", None)
            yield from pool_findings((*path, "pool"), str(head.stack), stack, pool)


def input_is_interleaved(spec: ModelSpec, path: Path, head: Part) -> Iterator[Finding]:
    """A head can read the places of an interleaved input, one by one."""
    if not isinstance(head, ProjectionHead) or head.places_of is None:
        return
    names = list(interleaved(spec.stacks, head.stack or ""))
    if not names:
        yield Finding(
            (*path, "places_of"),
            f"the inputs of the stack `{head.stack}` are not interleaved; remove `places_of`, or "
            "write `join: interleave` in that stack",
        )
    elif head.places_of not in names:
        yield Finding(
            (*path, "places_of"),
            f"no interleaved input has the argument `{head.places_of}`; "
            f"{choices(head.places_of, names)}",
        )
    if head.pool.type != "none":
        yield Finding(
            (*path, "pool"), "not supported yet: a pool over the vectors of one interleaved input"
        )


def _image_is_found(path: Path, stack: Stack, image: Patches) -> Iterator[Finding]:
    """Which of the joined vectors are those of the image."""
    sources = members(stack.input)
    parts = [sources[i] for i in joined(sources)]
    place = next(i for i, one in enumerate(parts) if one is image)
    if len(parts) == 1 or stack.join == "interleave":  # images are refused there
        return
    if sum(isinstance(one, Patches) for one in parts) > 1:
        yield Finding(path, "a head of type `patches` needs a stack with only one image")
    elif image.optional:
        yield Finding(path, "a head of type `patches` needs an image that is not `optional`")
    elif not any(all(map(_is_counted, side)) for side in (parts[:place], parts[place + 1 :])):
        yield Finding(
            path,
            "a head of type `patches` cannot find the image between inputs of any length; write it "
            "as the first or the last input",
        )


def _is_counted(source: Source) -> bool:
    """Whether the number of vectors of an input is fixed."""
    return not source.optional and (has_grid(source) or isinstance(source, LearnedInput))


def image_of_patches(spec: ModelSpec, path: Path, head: Part) -> Iterator[Finding]:
    """A head of type `patches` needs patches that cover the image once."""
    stack = _stack(spec, head) if isinstance(head, PatchesHead) else None
    if stack is None:
        return
    sources = members(stack.input)
    image = next((s for s in sources if isinstance(s, Patches)), None)
    if image is None:
        yield Finding(
            path, "a head of type `patches` needs a stack with an input of type `patches`"
        )
        return
    yield from _image_is_found(path, stack, image)
    if image.layout != "image":
        yield Finding(path, "a head of type `patches` needs `layout: image` in the input")
    if any(step != image.patch_size for step in image.steps):
        yield Finding(
            path, "a head of type `patches` needs patches that do not overlap; remove `stride`"
        )
    rest = [side for side in image.sides if side % image.patch_size]
    if rest:
        yield Finding(
            path,
            "a head of type `patches` needs whole patches, but patch_size "
            f"({image.patch_size}) does not divide image_size ({rest[0]})",
        )


def pooled_norm_needs_a_pool(spec: ModelSpec, path: Path, head: Part) -> Iterator[Finding]:
    if isinstance(head, Classifier) and head.pooled_norm is True and head.pool.type == "none":
        yield Finding((*path, "pooled_norm"), "`pooled_norm` needs a `pool`")


def hidden_layer_is_there(spec: ModelSpec, path: Path, head: Part) -> Iterator[Finding]:
    if not isinstance(head, Classifier) or head.hidden is not None:
        return
    for key, usual in (("hidden_bias", True), ("hidden_norm", False)):
        if getattr(head, key) is not usual:
            yield Finding((*path, key), f"`{key}` needs `hidden`, the width of the hidden layer")


LAWS = (
    reads_a_stack,
    towers_are_known,
    vocabulary_known,
    tied_to_a_table,
    pools_fit,
    image_of_patches,
    input_is_interleaved,
    pooled_norm_needs_a_pool,
    hidden_layer_is_there,
)
