"""Laws of recurrences, and of attention without some of its projections."""

from __future__ import annotations

from collections.abc import Iterator

from ..attention import Mha
from ..branches import result_width
from ..condition import Adaptive
from ..model import Block, ModelSpec, Stack
from ..part import Nothing
from ..sublayers import Recurrence
from .attention import attentions, head_width
from .findings import Finding, Path, members


def recurrences(block: Block) -> Iterator[tuple[Path, Recurrence]]:
    for i, part in enumerate(members(block.sublayers)):
        if isinstance(part, Recurrence):
            yield ("sublayers", i), part


def one_direction(spec: ModelSpec, stack: Stack, path: Path, block: Block) -> Iterator[Finding]:
    """What a bidirectional layer cannot have."""
    for place, part in recurrences(block):
        if not part.bidirectional:
            continue
        found = {
            "attention": not isinstance(part.attention, Nothing),
            "initial": part.initial is not None,
            "result": part.result != ("state",),
        }
        for key in [key for key, there in found.items() if there]:
            yield Finding(
                (*path, *place, key), f"`{key}` cannot be combined with `bidirectional: true`"
            )


def attention_of_a_state(
    spec: ModelSpec, stack: Stack, path: Path, block: Block
) -> Iterator[Finding]:
    """The attention of a recurrence has one head, and no projection of values and output."""
    for place, part in recurrences(block):
        attention = part.attention
        if isinstance(attention, Nothing):
            if "context" in part.result:
                text = "`context` needs an `attention`"
                yield Finding((*path, *place, "result", part.result.index("context")), text)
            continue
        inside = (*path, *place, "attention")
        if not isinstance(attention, Mha):
            yield Finding((*inside, "type"), "the attention of a recurrence has the type `mha`")
            continue
        wanted = {"heads": 1, "value": "none", "output": "none"}
        for key, value in wanted.items():
            if getattr(attention, key) != value:
                text = f"the attention of a recurrence needs `{key}: {value}`"
                yield Finding((*inside, key), text)
        if attention.score not in ("dot", "additive"):
            text = f"a recurrence has no `{attention.score}` scores; write `dot` or `additive`"
            yield Finding((*inside, "score"), text)
        if attention.scale == "by_layer":
            yield Finding((*inside, "scale"), "`by_layer` does not apply to a recurrence")


def result_once(spec: ModelSpec, stack: Stack, path: Path, block: Block) -> Iterator[Finding]:
    for place, part in recurrences(block):
        for i, name in enumerate(part.result):
            if name in part.result[:i]:
                yield Finding((*path, *place, "result", i), f"`{name}` occurs twice in this list")
        if not part.result:
            yield Finding((*path, *place, "result"), "a recurrence has a result; write `state`")


def width_changes_last(
    spec: ModelSpec, stack: Stack, path: Path, block: Block
) -> Iterator[Finding]:
    """A result of another width than d_model ends a stack of one layer."""
    found = list(recurrences(block))
    for place, part in found:
        width = result_width(spec, part, stack.d_model)
        if part.output != "none" or width in (None, stack.d_model):
            continue
        last = place[1] == len(block.sublayers) - 1
        added = not isinstance(part.residual or block.residual, Nothing)
        why = "the last sublayer" if not last else "`residual: none`" if added else ""
        if not why and len(stack.order) > 1:
            why = "`layers: 1`"
        if why:
            yield Finding(
                (*path, *place, "output"),
                f"the result has {width} numbers and d_model is {stack.d_model}, so "
                f"`output: none` needs {why}; or write `output: linear`",
            )


def condition_has_its_width(
    spec: ModelSpec, stack: Stack, path: Path, block: Block
) -> Iterator[Finding]:
    """Shifts, scales and gates have d_model numbers, as what they act on."""
    conditions = (stack.condition, block.condition)
    if not any(isinstance(condition, Adaptive) for condition in conditions):
        return
    for place, part in recurrences(block):
        width = result_width(spec, part, stack.d_model)
        if part.output == "none" and width not in (None, stack.d_model):
            yield Finding(
                (*path, *place, "output"),
                f"the result has {width} numbers, but the shifts, scales and gates of the "
                f"`condition` have d_model ({stack.d_model}); write `output: linear`",
            )


def initial_state_is_there(
    spec: ModelSpec, stack: Stack, path: Path, block: Block
) -> Iterator[Finding]:
    for place, part in recurrences(block):
        if part.initial is None or part.initial.memory not in spec.stacks:
            continue
        other = spec.stacks[part.initial.memory]
        ends = other.blocks[other.order[-1]].sublayers[-1:] if other.order else ()
        last = next((one for one in ends if isinstance(one, Recurrence)), None)
        name = part.initial.memory
        if last is None or last.output != "none" or last.result != ("state",):
            yield Finding(
                (*path, *place, "initial", "memory"),
                f"the last layer of stack `{name}` must end with a `gru` or `lstm` whose result "
                "is its state, with `output: none`",
            )
        elif other.output_width is not None:
            yield Finding(
                (*path, *place, "initial", "memory"),
                f"stack `{name}` has an `output_width`, so its output is not the state",
            )
        elif part.initial.direction == "backward" and not last.bidirectional:
            yield Finding(
                (*path, *place, "initial", "direction"),
                f"`backward` needs `bidirectional: true` at the end of stack `{name}`",
            )


def projections_are_needed(
    spec: ModelSpec, stack: Stack, path: Path, block: Block
) -> Iterator[Finding]:
    """Without projections of values and output, the widths must fit."""
    for key, part in attentions(block):
        if part.value == "none":
            for option, wanted in (("heads", 1), ("value_dim", None), ("clip_qkv", "none")):
                if getattr(part, option) != wanted:
                    text = f"`value: none` cannot be combined with `{option}`"
                    if option == "heads":
                        text = f"`value: none` needs one head, not {part.heads}"
                    yield Finding((*path, key, option), text)
            if part.separate_global:
                text = "`separate_global` needs a projection of values"
                yield Finding((*path, key, "separate_global"), text)
        if part.output == "none":
            width = part.heads * (part.value_dim or head_width(part, stack) or 0)
            if part.value == "none":
                memory = spec.stacks.get(str(getattr(part, "memory", "")), stack)
                width = memory.output_width or memory.d_model
            if width != stack.d_model:
                yield Finding(
                    (*path, key, "output"),
                    f"the heads have {width} numbers, so without an output projection d_model must "
                    f"be {width}, not {stack.d_model}",
                )


LAWS = (
    one_direction,
    attention_of_a_state,
    result_once,
    width_changes_last,
    condition_has_its_width,
    initial_state_is_there,
)
BRANCH_LAWS = (projections_are_needed,)
