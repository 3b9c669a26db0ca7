"""Where what is compiled is not what `docs/language.md` says, each with its smallest spec.

A row is removed when the compiler is mended: until then random specs of that kind are left out, and
`test_oracle_disputes.py` expects the disagreement.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from modelwright.backends.verify.shrink import parts_of
from modelwright.spec import ModelSpec
from modelwright.spec.embedding import Tokens
from modelwright.spec.model import Block, Stack
from modelwright.spec.positions import Disentangled, RelativeBias, TransformerXl


@dataclass(frozen=True)
class Dispute:
    """One kind of disagreement.

    says: what is right, and where it is written
    does: what is compiled
    spec: the smallest one
    meets: does it concern this spec?
    refused: there is no right value, and the spec has to be refused
    """

    says: str
    does: str
    spec: str
    meets: Callable[[ModelSpec], bool]
    refused: bool = False


SMALL = """
name: small
family: decoder-only
vocab_size: 20
d_model: 8
layers: 2
attention: {heads: 2}
"""


def every(spec: ModelSpec, cls: type[Any]) -> Iterator[Any]:
    return (part for part in parts_of(spec) if isinstance(part, cls))


def layers_of(stack: Stack) -> list[Block]:
    return [stack.blocks[name] for name in stack.order]


def several_meet_contents(spec: ModelSpec) -> bool:
    """Different positions that meet contents in one stack, of which one is no plain table."""
    for stack in every(spec, Stack):
        meeting = {
            p for block in layers_of(stack) for p in block.positions
            if isinstance(p, (Disentangled, TransformerXl))
        }  # fmt: skip
        plain = all(isinstance(p, Disentangled) and not p.normalize for p in meeting)
        if len(meeting) > 1 and not plain:
            return True
    return False


def two_kinds_of_distances(spec: ModelSpec) -> bool:
    kinds = (Disentangled, RelativeBias)
    return any(
        all(any(isinstance(p, kind) for p in block.positions) for kind in kinds)
        for block in every(spec, Block)
    )


def two_tables_of_a_layer(spec: ModelSpec) -> bool:
    return any(
        sum(getattr(p, "share", "") == "layer" for p in block.positions) > 1
        for block in every(spec, Block)
    )


def two_pairs_of_tied_stacks(spec: ModelSpec) -> bool:
    tied = [source.tied for source in every(spec, Tokens) if source.tied != "none"]
    return len(set(tied)) > 1


STEM = """
name: small
family: encoder-only
d_model: 8
layers: 1
attention: {heads: 2}
"""

DISPUTES: dict[str, Dispute] = {
    "several positions that meet contents": Dispute(
        "named blocks may have positions of their own",
        "the emitted file is no Python: an argument stands twice",
        SMALL + "blocks: {a: {positions: transformer_xl}, b: {positions: disentangled}}\n"
        "pattern: [a, b]\n",
        several_meet_contents,
    ),
    "two kinds of distances": Dispute(
        "a list of `positions` combines several",
        "an AssertionError: one part asks for two values of `buckets`",
        SMALL + "positions: [disentangled, relative_bias]\n",
        two_kinds_of_distances,
    ),
    "two tables of a layer": Dispute(
        "a list of `positions` combines several; each has a table of its own",
        "the layer has one table, which both read",
        STEM + "input: {type: patches, image_size: 8, patch_size: 4}\n"
        "positions: [relative_table, {type: relative_bias, share: layer}]\n",
        two_tables_of_a_layer,
    ),
    "two pairs of tied stacks": Dispute(
        "`tied` names the stack whose table is used",
        "all four stacks use the table of the first pair",
        """
name: small
d_model: 8
layers: 1
attention: {heads: 2}
stacks:
  a: {vocab_size: 20}
  b: {vocab_size: 20, input: {argument: b_ids, tied: a}, cross_attention: {memory: a}}
  c: {vocab_size: 20, input: {argument: c_ids}, cross_attention: {memory: b}}
  d: {vocab_size: 20, input: {argument: d_ids, tied: c}, cross_attention: {memory: c}}
""",
        two_pairs_of_tied_stacks,
    ),
}


def disputed(spec: ModelSpec) -> str:
    """The first kind of disagreement that concerns a spec; "" if none does."""
    return next((name for name, dispute in DISPUTES.items() if dispute.meets(spec)), "")
