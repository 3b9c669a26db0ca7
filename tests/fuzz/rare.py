"""Small specs of shapes that the general generator almost never draws.

Mutants that survived need them: stacks that continue one of a known length, sinks beside a bias of
heads that share keys, windows whose cache has room for more.
"""

from __future__ import annotations

from collections.abc import Callable

from .dice import Dice
from .parts import Data

OFTEN = 0.05
"""The share of random specs that are made here."""


def rare(dice: Dice) -> Data:
    """One of the shapes, with random options."""
    data = dice.one(SHAPES)(dice)
    return {"name": "rare", "d_model": 8, **data}


def continued(dice: Dice) -> Data:
    """A stack that continues an image or learned tokens, all of them or but the first."""
    patches: Data = {"type": "patches", "image_size": dice.one((8, 12)), "patch_size": 4}
    patches |= dice.one(({}, {"registers": 2}))
    before: Data = {"layers": dice.one((1, 2)), "input": patches}
    source = {"type": "stack", "stack": "before"}
    source |= dice.one(({}, {"skip": 1}, {"prefix_tokens": 2}))
    if "prefix_tokens" not in source:
        source |= dice.one(({}, {"projector": "linear"}))
    after: Data = {"layers": 1, "input": source}
    after |= dice.one(({}, {"positions": "learned"}, {"positions": "sinusoidal"}))
    after |= dice.one(({}, {"mask": "causal"}, {"mask": "band(2)"}))
    head = {"type": "projection", "stack": "after", "size": 3, "pool": dice.one(("mean", "first"))}
    attention = {"heads": dice.one((2, 1, 4))}
    return {"attention": attention, "stacks": {"before": before, "after": after}, "head": head}


def sinks(dice: Dice) -> Data:
    """Heads that share keys, with a bias of the distance or of relative positions, and sinks."""
    attention: Data = {"heads": 4, "kv_heads": dice.one((2, 1))}
    attention |= {"sinks": dice.one((True, "zero", False))} | dice.one(({}, {"dropout": 0.3}))
    relative = {"type": "relative_bias", "buckets": 8, "max_distance": 9}
    found = _decoder(dice, attention, dice.one(("alibi", relative)))
    if dice.often(0.5):
        attention["kernel"] = "tiles"
        found["mask"] = "causal & window(5)"
    return found


def windows(dice: Dice) -> Data:
    """Windows of more than 16 keys before a token, which a cache keeps with some room."""
    attention: Data = {"heads": 2, "kv_heads": dice.one((2, 1))}
    mask = {"mask": f"causal & window({dice.one((17, 18, 19))})"}
    return _decoder(dice, attention, dice.one(("rotary", "alibi"))) | mask


def _decoder(dice: Dice, attention: Data, positions: object) -> Data:
    found: Data = {"family": "decoder-only", "vocab_size": 24, "layers": dice.one((1, 2))}
    return {**found, "attention": attention, "positions": positions, "head": "language_model"}


SHAPES: tuple[Callable[[Dice], Data], ...] = (continued, sinks, windows)
