"""Laws of attention: heads, widths, positions and masks."""

from __future__ import annotations

from collections.abc import Iterator

from ..attention import Collaborative, Differential, Mha, Mla, Pairwise
from ..branches import self_attentions
from ..embedding import has_grid
from ..masks import atoms
from ..model import Block, ModelSpec, Stack
from ..positions import RelativeBias, RelativeTable, Rotary, acts_on
from .findings import Finding, Path, members, parts
from .masks import masks
from .relative import MEETING

MOST_PROJECTED = 10_000_000


def attentions(block: Block) -> Iterator[tuple[str, Mha]]:
    for key in ("attention", "cross_attention"):
        part = getattr(block, key)
        if isinstance(part, Mha):
            yield key, part


Headed = Mha | Differential
"""Attention with `heads` and `head_dim`."""


def headed(block: Block) -> Iterator[tuple[str, Headed]]:
    for key in ("attention", "cross_attention"):
        part = getattr(block, key)
        if isinstance(part, Headed):
            yield key, part


def query_count(attention: Headed) -> int:
    """The number of queries of a token: one per head, or two in differential attention."""
    return 2 * attention.heads if isinstance(attention, Differential) else attention.heads


def head_width(attention: Headed, stack: Stack) -> int | None:
    """The width of a query, given or derived; None if unknown."""
    if attention.head_dim is not None:
        return attention.head_dim
    count, width = query_count(attention), model_width(attention, stack)
    return None if width % count else width // count


def model_width(attention: Headed | Collaborative, stack: Stack) -> int:
    """The width of the hidden states that an attention updates."""
    stream = stack.streams.get(getattr(attention, "stream", None) or "")
    return stack.d_model if stream is None else stream.d_model


def latent_width(attention: Mla) -> int:
    """Width of the widest vector of a head."""
    return max(attention.nope_dim + attention.rope_dim, attention.value_dim)


def heads_share_keys(spec: ModelSpec, stack: Stack, path: Path, block: Block) -> Iterator[Finding]:
    for key, part in headed(block):
        if part.kv_heads is not None and part.heads % part.kv_heads:
            yield Finding(
                (*path, key, "kv_heads"),
                f"heads ({part.heads}) must be a multiple of kv_heads ({part.kv_heads})",
            )


def heads_divide_width(
    spec: ModelSpec, stack: Stack, path: Path, block: Block
) -> Iterator[Finding]:
    for key, part in headed(block):
        width, count = head_width(part, stack), query_count(part)
        if width is None:
            heads = "heads" if count == part.heads else "2 · heads"
            yield Finding(
                (*path, key, "heads"),
                f"d_model ({model_width(part, stack)}) is not a multiple of {heads} "
                f"({count}); change one, or set `head_dim`",
            )
        else:
            yield from _too_wide((*path, key, "heads"), count, width)
    for key in ("attention", "cross_attention"):
        part = getattr(block, key)
        if isinstance(part, Mla):
            yield from _too_wide((*path, key, "heads"), part.heads, latent_width(part))


def collaborators_divide(
    spec: ModelSpec, stack: Stack, path: Path, block: Block
) -> Iterator[Finding]:
    """Sizes that follow from others in collaborative attention are whole."""
    for key in ("attention", "cross_attention"):
        part = getattr(block, key)
        if not isinstance(part, Collaborative):
            continue
        width = model_width(part, stack)
        shared = part.key_dim or width
        if part.value_dim is None and width % part.heads:
            yield Finding(
                (*path, key, "heads"),
                f"d_model ({width}) is not a multiple of heads ({part.heads}); change one, or set "
                "`value_dim`",
            )
        elif shared % part.heads:
            name = "d_model" if part.key_dim is None else "key_dim"
            yield Finding(
                (*path, key, "heads" if part.key_dim is None else "key_dim"),
                f"{name} ({shared}) must be a multiple of heads ({part.heads})",
            )
        else:
            yield from _too_wide(
                (*path, key, "heads"), part.heads, collaborative_width(part, width)
            )


def collaborative_width(attention: Collaborative, d_model: int) -> int:
    """Width of the widest vector of a head: a query, which is as wide as the shared ones."""
    return max(attention.key_dim or d_model, attention.value_dim or 1)


def _too_wide(path: Path, heads: int, width: int) -> Iterator[Finding]:
    if heads * width > MOST_PROJECTED:
        yield Finding(
            path,
            f"{heads:,} heads of width {width:,} have a total width of {heads * width:,}; the "
            f"maximum is {MOST_PROJECTED:,}",
        )


def qk_norm_after(spec: ModelSpec, stack: Stack, path: Path, block: Block) -> Iterator[Finding]:
    rotary = any(isinstance(p, Rotary) for p in members(block.positions))
    for key, part in attentions(block):
        after = getattr(part.qk_norm, "after_positions", False)
        if after and (key == "cross_attention" or not rotary):
            text = "`after_positions` needs rotary positions"
            if key == "cross_attention":
                text += ", which cross-attention does not have; write "
                text += "`cross_attention: {qk_norm: {after_positions: false}}` in the stack"
            yield Finding((*path, key, "qk_norm", "after_positions"), text)
        if not getattr(part.qk_norm, "before_clip", False):
            continue
        place = (*path, key, "qk_norm", "before_clip")
        if part.clip_qkv == "none":
            yield Finding(place, "`before_clip` needs `clip_qkv`")
        elif after:
            yield Finding(
                place, "`before_clip` and `after_positions` are mutually exclusive; keep one"
            )


def gate_is_there(spec: ModelSpec, stack: Stack, path: Path, block: Block) -> Iterator[Finding]:
    for key, part in attentions(block):
        if part.gate != "sigmoid" and part.output_gate == "none":
            yield Finding((*path, key, "gate"), f"`gate: {part.gate}` needs an `output_gate`")


def input_positions_in_stack(
    spec: ModelSpec, stack: Stack, path: Path, block: Block
) -> Iterator[Finding]:
    for i, position in enumerate(members(block.positions)):
        if acts_on(position) == "input" and position not in members(stack.positions):
            yield Finding(
                (*path, "positions", i),
                f"{position.type} positions act on the input of the stack; write them in the "
                "stack, not in a block",
            )


def no_positions_to_drop(
    spec: ModelSpec, stack: Stack, path: Path, block: Block
) -> Iterator[Finding]:
    """`positions: none` of a block takes nothing away from the input of its stack."""
    found = [one.type for one in members(stack.positions)]
    if found and not block.positions and all(acts_on(one) == "input" for one in stack.positions):
        yield Finding(
            (*path, "positions"),
            f"`positions: none` has no effect: {found[0]} positions act on the input of the stack, "
            "not on this block; remove it",
        )


def positions_once(spec: ModelSpec, stack: Stack, path: Path, block: Block) -> Iterator[Finding]:
    seen: set[str] = set()
    for i, position in enumerate(members(block.positions)):
        if position.type in seen:
            yield Finding((*path, "positions", i), f"`{position.type}` occurs twice in this list")
        seen.add(position.type)


def buckets_fit(spec: ModelSpec, stack: Stack, path: Path, block: Block) -> Iterator[Finding]:
    for i, position in enumerate(members(block.positions)):
        if not isinstance(position, RelativeBias):
            continue
        sides = 2 if position.bidirectional else 1
        exact = position.buckets // (2 * sides)
        if position.buckets % (2 * sides):
            kind = "bidirectional " if sides == 2 else ""
            yield Finding(
                (*path, "positions", i, "buckets"),
                f"{kind}buckets ({position.buckets}) must be a multiple of {2 * sides}",
            )
        elif position.max_distance <= exact:
            yield Finding(
                (*path, "positions", i, "max_distance"),
                f"max_distance ({position.max_distance}) must be above {exact}, because the first "
                f"{exact} buckets hold one distance each",
            )


def grid_is_there(spec: ModelSpec, stack: Stack, path: Path, block: Block) -> Iterator[Finding]:
    """`relative_table` with several axes needs a grid of patches."""
    inputs = [source for source in members(stack.input) if has_grid(source)]
    grid = [source for source in inputs if not getattr(source, "registers", 0)]
    for i, position in enumerate(members(block.positions)):
        if not isinstance(position, RelativeTable) or position.axes == 1:
            continue
        if grid and len(grid[0].grid) == 3 and position.axes == 2:
            yield Finding(
                (*path, "positions", i),
                "this stack reads a video, whose offsets have three axes; write `axes: 3`",
            )
        elif position.axes == 3:
            if not grid or len(grid[0].grid) != 3:
                yield Finding(
                    (*path, "positions", i, "axes"),
                    "`axes: 3` needs a video without registers: an input of type `patches` with "
                    "`layout: video`",
                )
        elif not grid:
            yield Finding(
                (*path, "positions", i),
                "`relative_table` needs an image without registers (`patches`, or `conv` with "
                "`axes: 2`), or `axes: 1`",
            )
        elif grid[0].grid[0] != grid[0].grid[1]:
            rows, columns = grid[0].grid
            yield Finding(
                (*path, "positions", i),
                f"`relative_table` needs a square grid, but this image has {rows} × {columns} "
                "patches",
            )


def separate_global_named(
    spec: ModelSpec, stack: Stack, path: Path, block: Block
) -> Iterator[Finding]:
    part, cross = block.attention, block.cross_attention
    if isinstance(cross, Mha) and cross.separate_global:
        yield Finding(
            (*path, "cross_attention", "separate_global"),
            "`separate_global` does not apply to cross-attention; write `cross_attention: "
            "{separate_global: false}`",
        )
    if not isinstance(part, Mha) or not part.separate_global:
        return
    if isinstance(block.mask, tuple):
        yield Finding(
            (*path, "attention", "separate_global"),
            "`separate_global` needs a single mask for all heads, not a list",
        )
    for i, position in enumerate(members(block.positions)):
        if isinstance(position, MEETING):
            yield Finding(
                (*path, "positions", i),
                f"{position.type} positions cannot be combined with `separate_global`",
            )
    if not any(a.name == "global" for m in masks(block) for a in atoms(m)):
        listed = ", ".join(map(str, masks(block)))
        yield Finding(
            (*path, "attention", "separate_global"),
            f"`separate_global` needs a `global(…)` in the mask, not `{listed}`",
        )


def scores_fit(spec: ModelSpec, stack: Stack, path: Path, block: Block) -> Iterator[Finding]:
    """Options that need `score: dot`."""
    for key, part in attentions(block):
        if part.score == "cosine" and part.scale is None:
            yield Finding(
                (*path, key, "score"),
                "`score: cosine` needs a `scale`; write for example `scale: 10`",
            )
        if part.score == "cosine" and getattr(part.qk_norm, "after_positions", False):
            yield Finding(
                (*path, key, "qk_norm", "after_positions"),
                "`after_positions` cannot be combined with `score: cosine`",
            )
        if part.score not in ("additive", "distance"):
            continue
        for option in [
            name for name in ("softcap", "sinks", "separate_global") if _sets(part, name)
        ]:
            yield Finding(
                (*path, key, option), f"`{option}` needs `score: dot`, not `{part.score}`"
            )
        if part.scale == "by_layer":
            yield Finding(
                (*path, key, "scale"), f"`by_layer` needs `score: dot`, not `{part.score}`"
            )
        for i, position in enumerate(members(block.positions)):
            if isinstance(position, MEETING):
                yield Finding(
                    (*path, "positions", i),
                    f"{position.type} positions need `score: dot`, not `{part.score}`",
                )


ALONE = {"softcap": "none", "sinks": False, "separate_global": False}
"""Options that cannot be combined with talking heads, and their usual values."""


def talking_heads_alone(
    spec: ModelSpec, stack: Stack, path: Path, block: Block
) -> Iterator[Finding]:
    """Options for which the order of mixing heads is not defined."""
    for key, part in attentions(block):
        if part.talking_heads == "none":
            continue
        if part.score in ("additive", "distance"):
            yield Finding(
                (*path, key, "talking_heads"),
                f"`talking_heads` needs `score: dot` or `cosine`, not `{part.score}`",
            )
        for option, usual in ALONE.items():
            if getattr(part, option) != usual:
                yield Finding(
                    (*path, key, option), f"`{option}` cannot be combined with `talking_heads`"
                )


def _sets(part: Mha, option: str) -> bool:
    return getattr(part, option) not in (False, "none")


def one_kernel(spec: ModelSpec, stack: Stack, path: Path, block: Block) -> Iterator[Finding]:
    """All layers of a stack take masks of one kind."""
    part = block.attention
    if not isinstance(part, Pairwise):
        return
    others = self_attentions(one for _, one in parts(stack.blocks, Block))
    first = next(one for one in others if isinstance(one, Pairwise))
    if part.kernel != first.kernel:
        yield Finding(
            (*path, "attention", "kernel"),
            f"`kernel` must be the same in all layers of a stack, which share their masks; in "
            f"other layers it is `{first.kernel}`",
        )


LAWS = (
    one_kernel,
    grid_is_there,
    heads_share_keys,
    heads_divide_width,
    collaborators_divide,
    qk_norm_after,
    input_positions_in_stack,
    no_positions_to_drop,
    positions_once,
    buckets_fit,
    separate_global_named,
    scores_fit,
    talking_heads_alone,
    gate_is_there,
)
