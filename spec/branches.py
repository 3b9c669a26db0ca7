"""The branches of a block, whether written as `attention` and `feed_forward` or as `sublayers`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from .feed_forward import Glu, Mlp, Moe
from .masks import Atom, Mask
from .model import Block, ModelSpec, Stack
from .part import BROKEN, COMPONENTS, NOTHING, Nothing, Part
from .sublayers import Conv, Recurrence

Path = tuple[str | int, ...]

ORDINARY = ("attention", "cross_attention", "feed_forward")
"""The branches of a block without `sublayers`, in order."""

FEED_FORWARDS = (Mlp, Glu, Moe)

OWN = ("mask", "positions", "residual")
"""Options that an entry of `sublayers` has in place of those of the block."""


def is_attention(part: Part) -> bool:
    """Whether it is an attention, in a block or in `sublayers`."""
    classes = COMPONENTS["attention"].classes.values()
    return isinstance(part, tuple(classes)) and not isinstance(part, Nothing)


def kind_of(part: Part) -> str:
    """What a sublayer is: `attention`, `cross_attention`, `feed_forward`, or its `type`."""
    if is_attention(part):
        return "attention" if getattr(part, "memory", None) is None else "cross_attention"
    if isinstance(part, FEED_FORWARDS):
        return "feed_forward"
    return str(part.type)  # type: ignore[attr-defined]


def sublayer_names(sublayers: Iterable[Part]) -> list[str]:
    """The prefix of the weights of each sublayer: `attention`; several of a kind are numbered from
    1: `conv1`, `conv2`.
    """
    kinds = [kind_of(part) for part in sublayers]
    numbers = [kinds[: i + 1].count(kind) for i, kind in enumerate(kinds)]
    return [
        kind if kinds.count(kind) == 1 else f"{kind}{number}"
        for kind, number in zip(kinds, numbers, strict=True)
    ]


def own(block: Any, part: Any, option: str) -> Any:
    """The mask, positions or residual of a sublayer: its own, or that of the block."""
    found = getattr(part, option, None)
    return getattr(block, option) if found is None else found


def attentions(blocks: Iterable[Block]) -> Iterator[Part]:
    """Every attention of these blocks as it is written, in order."""
    for block in blocks:
        found: Any = block.sublayers
        if not isinstance(found, tuple) or not found:
            found = (block.attention, block.cross_attention)
        yield from (part for part in found if isinstance(part, Part) and is_attention(part))


def self_attentions(blocks: Iterable[Block]) -> Iterator[Part]:
    """The same, without those that attend to a memory."""
    return (part for part in attentions(blocks) if getattr(part, "memory", None) is None)


def each_alone(block: Block) -> Iterator[tuple[Path, Block]]:
    """The block, or for each of its `sublayers` a block with this branch only, and its path.

    An attention or a feed-forward stands at the key of that name, with its own mask, positions and
    residual; other kinds of sublayers stay in `sublayers`.
    """
    sublayers: Any = block.sublayers
    if not isinstance(sublayers, tuple) or not sublayers:
        yield (), block
        return
    for index, part in enumerate(sublayers):
        if not isinstance(part, Part):
            continue
        options = {name: _whole(block, part, name) for name in OWN}
        options["mask"] = sight(part) or options["mask"]
        branches: dict[str, Any] = dict.fromkeys(ORDINARY, NOTHING)
        kind = kind_of(part) if getattr(part, "memory", None) is not BROKEN else ""
        if kind in ORDINARY:
            alone = branches | {kind: part, "sublayers": ()}
        else:
            alone = branches | {"sublayers": (part,)}
        yield ("sublayers", index), block.model_copy(update={**options, **alone})


def sight(part: Part) -> Mask | None:
    """A mask that allows what a convolution or recurrence reads; None for other parts."""
    if isinstance(part, Recurrence) and part.bidirectional is not BROKEN:
        return Atom("full" if part.bidirectional else "causal")
    if not isinstance(part, Conv):
        return None
    if any(one is BROKEN for one in (part.kernel, part.dilation, part.causal)):
        return None
    before = part.kernel // 2 * part.dilation
    reach = (part.kernel - 1) * part.dilation
    if part.causal:
        return Atom("window", (reach + 1,))
    return Atom("band", (before, reach - before))


def sights(block: Block) -> list[Any]:
    """The mask of each branch that reads other tokens of the stack; that of an ordinary block."""
    if not block.sublayers:
        return [block.mask]
    return [
        one.mask
        for _, one in each_alone(block)
        if one.sublayers or not isinstance(one.attention, Nothing)
    ]


def result_width(
    spec: ModelSpec, part: Recurrence, width: int, readers: tuple[Stack, ...] = ()
) -> int | None:
    """Width of the result of a recurrence before its output layer; None if it is not known.

    width: that of its input
    readers: the stacks whose width depends on this one
    """
    sizes: dict[str, int | None] = dict.fromkeys(("state", "previous_state"), part.hidden)
    sizes["input"] = width
    memory = spec.stacks.get(str(getattr(part.attention, "memory", "")))
    sizes["context"] = None if memory is None else output_width(spec, memory, readers)
    found = [sizes[name] for name in part.result]
    sides = 2 if part.bidirectional else 1
    return None if None in found else sides * sum(size or 0 for size in found)


def output_width(spec: ModelSpec, stack: Stack, readers: tuple[Stack, ...] = ()) -> int | None:
    """Width of the output of a stack; None if it is not known, as in a cycle of memories."""
    if any(stack is reader for reader in readers):
        return None
    if stack.output_width is not None:
        return stack.output_width
    ends = stack.blocks[stack.order[-1]].sublayers[-1:] if stack.order else ()
    last = next((part for part in ends if isinstance(part, Recurrence)), None)
    if last is None or last.output != "none":
        return stack.d_model
    return result_width(spec, last, stack.d_model, (*readers, stack))


def _whole(block: Block, part: Part, option: str) -> Any:
    """As `own`, also for values that are invalid."""
    found = vars(part).get(option)
    return vars(block)[option] if found is None else found


def moved(path: Path, inside: Path) -> Path:
    """The path in a block of a path in a block of `each_alone`."""
    if not inside or not path:
        return path
    if path[0] in ORDINARY:
        return (*inside, *path[1:])
    if path[:2] == ("sublayers", 0):
        return (*inside, *path[2:])
    return (*inside, *path) if path[0] in OWN else path


def branch_blocks(blocks: Iterable[Block]) -> list[Block]:
    """All branches of these blocks that are sublayers as blocks of their own, see `each_alone`."""
    return [one for block in blocks for _, one in each_alone(block)]
