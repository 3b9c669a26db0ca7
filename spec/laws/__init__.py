"""Laws: rules that relate several keys, checked on all valid parts."""

from __future__ import annotations

from collections.abc import Iterator, Set
from dataclasses import replace

from ..branches import each_alone, moved
from ..locate import locate
from ..merge import Reading
from ..model import Block, ModelSpec, Stack
from ..part import Part
from ..source import Node
from . import (
    activation,
    attention,
    branches,
    condition,
    doubts,
    grids,
    heads,
    inputs,
    joined,
    learned_tokens,
    linear,
    masks,
    queries_and_keys,
    recurrent,
    relative,
    rotary,
    score_bias,
    streams,
    sublayers,
    wiring,
)
from .findings import Finding, Law, parts, tried

BLOCK_LAWS: tuple[Law, ...] = (
    *masks.LAWS,
    *attention.LAWS,
    *linear.LAWS,
    *rotary.LAWS,
    *relative.LAWS,
    *branches.LAWS,
    *recurrent.BRANCH_LAWS,
    *score_bias.BLOCK_LAWS,
    *doubts.BLOCK_LAWS,
)
WHOLE_BLOCK_LAWS: tuple[Law, ...] = (*sublayers.LAWS, *recurrent.LAWS, *streams.WHOLE_BLOCK_LAWS)
STACK_LAWS: tuple[Law, ...] = (
    *inputs.STACK_LAWS,
    *grids.STACK_LAWS,
    *learned_tokens.STACK_LAWS,
    *joined.STACK_LAWS,
    *queries_and_keys.STACK_LAWS,
    *condition.STACK_LAWS,
    *score_bias.STACK_LAWS,
    *streams.STACK_LAWS,
)
HEAD_LAWS: tuple[Law, ...] = heads.LAWS
SPEC_LAWS: tuple[Law, ...] = (
    *wiring.LAWS,
    *inputs.SPEC_LAWS,
    *activation.SPEC_LAWS,
    *doubts.SPEC_LAWS,
)


def findings(spec: ModelSpec) -> Iterator[Finding]:
    """All violations and warnings."""
    for law in SPEC_LAWS:
        yield from tried(law, spec)
    for name, stack in parts(spec.stacks, Stack):
        for law in STACK_LAWS:
            yield from tried(law, spec, ("stacks", name), stack)
        for kind, block in parts(stack.blocks, Block):
            path = ("stacks", name, "blocks", kind)
            for inside, branch in each_alone(block):
                for law in BLOCK_LAWS:
                    for finding in tried(law, spec, stack, path, branch):
                        within = finding.path[: len(path)] == path
                        rest = moved(finding.path[len(path) :], inside) if within else ()
                        yield replace(finding, path=(*path, *rest)) if rest else finding
            for law in WHOLE_BLOCK_LAWS:
                yield from tried(law, spec, stack, path, block)
    for name, head in parts(spec.heads, Part):
        for law in HEAD_LAWS:
            yield from tried(law, spec, ("heads", name), head)


def check_laws(
    spec: ModelSpec, tree: Node, reading: Reading, meant: Set[str] = frozenset()
) -> None:
    """Report violations. `meant`: intended keys of misspelt ones, which are not missing."""
    for finding in sorted(findings(spec), key=lambda finding: finding.may_follow):
        if finding.lacks in meant or (finding.may_follow and reading.problems):
            continue
        place = locate(tree, finding.path)
        plain = not isinstance(place.node.value, (dict, list))
        mark = place.node.mark if plain and place.found else place.node.at
        if finding.warning:
            reading.warn(mark, finding.message)
        else:
            reading.problem(mark, finding.message)
