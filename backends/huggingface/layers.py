"""Layers that differ, written as a person would: `blocks`, a `pattern`, a few `overrides`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

Layer = tuple[str, Mapping[str, Any]]
"""The kind of a layer, and the block keys that layers of this kind have."""

LONGEST = 12


def folded(layers: Sequence[Layer]) -> dict[str, Any]:
    """The keys of a stack that say these layers; layers of one kind have one block.

    >>> folded([("a", {"mask": "causal"})] * 3)
    {'mask': 'causal'}
    >>> folded([("a", {"mask": "x", "norm": "n"}), ("b", {"mask": "y", "norm": "n"})] * 2)
    {'norm': 'n', 'blocks': {'a': {'mask': 'x'}, 'b': {'mask': 'y'}}, 'pattern': ['a', 'b']}
    """
    kinds = [kind for kind, _ in layers]
    blocks = dict(layers)
    if len(blocks) <= 1:
        return dict(layers[0][1]) if layers else {}
    contents = list(blocks.values())
    common = {
        key: value
        for key, value in contents[0].items()
        if all(key in other and other[key] == value for other in contents[1:])
    }
    if not any(block.keys() - common.keys() for block in contents):
        common = {}  # blocks that differ in their weights alone
    usual = _usual(contents) if len(contents) > 2 else {}
    own = {
        kind: {
            key: value
            for key, value in block.items()
            if key not in common and not (key in usual and usual[key] == value)
        }
        for kind, block in blocks.items()
    }
    if not all(own.values()):
        usual, own = {}, {kind: _less(block, common) for kind, block in blocks.items()}
    return {**common, **usual, "blocks": own, **_pattern(kinds)}


def _usual(blocks: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What half of the blocks or more say of a part of which every other one says another type.

    It can stand outside of them: another type starts afresh.
    """
    usual: dict[str, Any] = {}
    for key in blocks[0]:
        parts = [block.get(key) for block in blocks]
        said = [part for part in parts if isinstance(part, Mapping) and "type" in part]
        if len(said) < len(blocks):
            continue
        most = max(said, key=lambda value: (said.count(value), len(str(value))))
        others = [value for value in said if value != most]
        alone = len(others) * 2 > len(said) or len(others) == len(said) - 1
        if not alone and all(value["type"] != most["type"] for value in others):
            usual[key] = most
    return usual


def said_once(data: Mapping[str, Any]) -> dict[str, Any]:
    """The spec of two stacks, with what they have in common written outside of both.

    >>> said_once({"encoder": {"layers": 2, "attention": {"heads": 4}},
    ...            "decoder": {"layers": 3, "attention": {"heads": 4}}})
    {'attention': {'heads': 4}, 'encoder': {'layers': 2}, 'decoder': {'layers': 3}}
    """
    stacks = data.get("stacks")
    if isinstance(stacks, Mapping) and len(stacks) == 2:
        one, other = stacks.values()
        common = _common(one, other)
        rest = {name: _less(stack, common) for name, stack in stacks.items()}
        before = {key: data[key] for key in data if key == "name"}
        return {**before, **common, **data, "stacks": rest}
    encoder, decoder = data.get("encoder"), data.get("decoder")
    if not (isinstance(encoder, Mapping) and isinstance(decoder, Mapping)):
        return dict(data)
    common = _common(encoder, decoder)
    stacks = {"encoder": _less(encoder, common), "decoder": _less(decoder, common)}
    lifted: dict[str, Any] = {}
    for key, value in data.items():
        if key == "encoder":
            lifted.update(common)
        if key not in stacks:
            lifted[key] = value
        elif stacks[key]:
            lifted[key] = stacks[key]
    return lifted


def _common(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    common: dict[str, Any] = {}
    for key, value in one.items():
        same = other.get(key)
        if value == same:
            common[key] = value
        elif isinstance(value, Mapping) and isinstance(same, Mapping):
            alike = value.get("type") == same.get("type")
            if alike and (inner := _common(value, same)):
                common[key] = inner
    return common


def _less(stack: Mapping[str, Any], common: Mapping[str, Any]) -> dict[str, Any]:
    rest: dict[str, Any] = {}
    for key, value in stack.items():
        if key not in common:
            rest[key] = value
        elif value != common[key]:
            rest[key] = _less(value, common[key])
    return rest


def _pattern(kinds: Sequence[str]) -> dict[str, Any]:
    """The shortest pattern and exceptions that give these kinds."""
    best: tuple[int, dict[str, Any]] | None = None
    for period in range(1, len(kinds) + 1 if len(kinds) <= LONGEST else LONGEST + 1):
        said = [Counter(kinds[i::period]).most_common(1)[0][0] for i in range(period)]
        wrong = [i for i, kind in enumerate(kinds) if kind != said[i % period]]
        runs = list(_runs(wrong, kinds))
        length = len(list(groupby(said))) + 2 * len(runs)
        if best is None or length < best[0]:
            overrides = {_range(start, stop): kind for start, stop, kind in runs}
            pattern = {"pattern": [_times(kind, list(same)) for kind, same in groupby(said)]}
            best = length, pattern | ({"overrides": overrides} if overrides else {})
    assert best is not None
    return best[1]


def _runs(indexes: Sequence[int], kinds: Sequence[str]) -> Any:
    """(first, last, kind) of each run of neighbours of one kind among the indexes."""
    start = None
    for place, index in enumerate(indexes):
        start = index if start is None else start
        following = indexes[place + 1] if place + 1 < len(indexes) else None
        if following != index + 1 or kinds[following] != kinds[index]:
            yield start, index, kinds[index]
            start = None


def _range(start: int, stop: int) -> str:
    return str(start) if start == stop else f"{start}..{stop}"


def _times(kind: str, same: Sequence[str]) -> str:
    return kind if len(same) == 1 else f"{kind} * {len(same)}"
