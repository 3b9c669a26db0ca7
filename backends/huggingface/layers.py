"""Describe layers that differ as `blocks`, a `pattern` and `overrides`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from ...spec import SpecErrors, from_data

Layer = tuple[str, Mapping[str, Any]]
"""Name of a layer's block, and the keys of this block."""

LONGEST = 12


def folded(layers: Sequence[Layer]) -> dict[str, Any]:
    """The keys of a stack with these layers; layers with the same name share a block.

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
        common = {}  # blocks that differ only in their weights
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
    """The most common value of a component, if all other blocks have another `type`.

    It can be moved to the stack, since a mapping with another `type` replaces it entirely.
    """
    usual: dict[str, Any] = {}
    for key in blocks[0]:
        parts = [block.get(key) for block in blocks]
        typed = [part for part in parts if isinstance(part, Mapping) and "type" in part]
        if len(typed) < len(blocks):
            continue
        most = max(typed, key=lambda value: (typed.count(value), len(str(value))))
        others = [value for value in typed if value != most]
        alone = len(others) * 2 > len(typed) or len(others) == len(typed) - 1
        if not alone and all(value["type"] != most["type"] for value in others):
            usual[key] = most
    return usual


def without_replaced(data: Mapping[str, Any]) -> dict[str, Any]:
    """The data without values that have no effect as inner levels replace them in every layer.

    >>> sizes = {"name": "small", "d_model": 8, "vocab_size": 9, "layers": 2}
    >>> blocks = {"a": {"attention": {"heads": 2}}}
    >>> data = {"family": "decoder-only", **sizes, "positions": "rotary", "blocks": blocks}
    >>> "attention" in without_replaced({**data, "attention": {"heads": 4}, "pattern": ["a"]})
    False
    """
    left = dict(data)
    while True:
        try:
            from_data(left)
        except SpecErrors as errors:
            paths = [problem.replaced for problem in errors.problems if problem.replaced]
            if not paths:
                return left  # valid but for other problems, which are reported later
            for path in paths:
                left = _without(left, path)
        else:
            return left


def _without(data: Mapping[str, Any], path: Sequence[str]) -> dict[str, Any]:
    """The data without a value, and without mappings that become empty."""
    key, *inner = path
    rest = {name: value for name, value in data.items() if name != key}
    value = data.get(key)
    less = _without(value, inner) if inner and isinstance(value, Mapping) else None
    return {name: less if name == key else data[name] for name in data} if less else rest


def common_once(data: Mapping[str, Any]) -> dict[str, Any]:
    """Move keys that both stacks have in common to the top level.

    >>> common_once({"encoder": {"layers": 2, "attention": {"heads": 4}},
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
    """The shortest pattern and overrides that give these names."""
    best: tuple[int, dict[str, Any]] | None = None
    for period in range(1, len(kinds) + 1 if len(kinds) <= LONGEST else LONGEST + 1):
        kinds_of_period = [Counter(kinds[i::period]).most_common(1)[0][0] for i in range(period)]
        wrong = [i for i, kind in enumerate(kinds) if kind != kinds_of_period[i % period]]
        runs = list(_runs(wrong, kinds))
        length = len(list(groupby(kinds_of_period))) + 2 * len(runs)
        if best is None or length < best[0]:
            overrides = {_range(start, stop): kind for start, stop, kind in runs}
            pattern = {
                "pattern": [_times(kind, list(same)) for kind, same in groupby(kinds_of_period)]
            }
            best = length, pattern | ({"overrides": overrides} if overrides else {})
    assert best is not None
    return best[1]


def _runs(indexes: Sequence[int], kinds: Sequence[str]) -> Any:
    """(first, last, name) of each run of consecutive indices with the same name."""
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
