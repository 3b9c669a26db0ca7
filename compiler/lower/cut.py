"""The spec with the blocks that its number of layers leaves out.

A pattern such as `[local * 5, global]` has no `global` layer where `layers` is 3. What only such
layers would use is there for greater numbers of layers, so it is not reported as unused.
"""

from __future__ import annotations

from ...spec.model import ModelSpec, Stack
from ...spec.validate import validate


def with_cut_blocks(spec: ModelSpec) -> ModelSpec | None:
    """The spec with one layer for each block that a pattern or an override names.

    None if no block is left out, or if the spec was not read from a text.
    """
    if spec._tree is None:
        return None
    whole, _ = validate(spec._tree.plain())
    assert whole is not None, "it was valid when it was loaded"
    stacks = {name: _with_all(stack) for name, stack in whole.stacks.items()}
    if all(stacks[name].order == stack.order for name, stack in whole.stacks.items()):
        return None
    found = whole.model_copy(update={"stacks": stacks})
    found._tree, found._source_name, found._sets = spec._tree, spec._source_name, spec._sets
    return found


def _with_all(stack: Stack) -> Stack:
    """The stack with layers of the missing blocks behind its own."""
    rule = getattr(stack.order, "rule", None)
    if rule is None:
        return stack
    named = [*rule.pattern]
    for override in rule.overrides:
        named += [override.block] if override.block else [new for _, new in override.becomes]
    missing = [name for name in dict.fromkeys(named) if name not in stack.order]
    if not missing:
        return stack
    order = (*stack.order, *missing)
    blocks = {name: block for name, block in stack.blocks.items() if name in order}
    return stack.model_copy(update={"order": order, "blocks": blocks, "layers": len(order)})
