"""A block with several streams: a column for each, and the lines from one to another.

A sublayer that updates a stream is drawn in that stream's column, also if it reads another one.
"""

from __future__ import annotations

from dataclasses import dataclass

from .arrange import Arrangement, Flow, Region, arrange_from
from .part import Part
from .parts import Parts


@dataclass(frozen=True)
class Stream:
    """The column of one stream.

    crossing: part -> the parts of other streams that it reads
    apart: parts that read other streams only
    """

    arrangement: Arrangement
    crossing: dict[str, list[str]]
    apart: frozenset[str]


def streams_of(parts: Parts, path: str) -> list[Stream]:
    """The streams of a block, in order; empty if it has one."""
    states = parts.regions[path].streams
    if len(states) < 2:
        return []
    order = parts.order(path)
    home = _homes(parts, states)
    return [_stream(parts, states, order, home, number) for number in range(len(states))]


def _homes(parts: Parts, states: list[list[str]]) -> dict[str, tuple[int, str]]:
    """Part -> the number of its stream, and that stream's states before the part's sublayer."""
    known = {key for stream in states for key in stream}
    home: dict[str, tuple[int, str]] = {}
    for number, (entry, *updates) in enumerate(states):
        home[entry] = number, ""
        before = entry
        for update in updates:
            waiting = [update]
            while waiting:
                key = waiting.pop()
                home[key] = number, before
                inputs = parts.by_key[key].inputs
                waiting += [s for s in inputs if s not in known and s not in home]
            before = update
    return home


def _stream(
    parts: Parts,
    states: list[list[str]],
    order: list[Part],
    home: dict[str, tuple[int, str]],
    number: int,
) -> Stream:
    inputs: dict[str, list[str]] = {}
    crossing: dict[str, list[str]] = {}
    apart: set[str] = set()
    others = {key for index, one in enumerate(states) if index != number for key in one}
    own = [part for part in order if part.key in home and home[part.key][0] == number]
    for part in own:
        inputs[part.key] = [source for source in part.inputs if source not in others]
        crossed = [source for source in part.inputs if source in others]
        if crossed:
            crossing[part.key] = crossed
        if crossed and not inputs[part.key]:
            apart.add(part.key)
            inputs[part.key] = [home[part.key][1]]  # it is placed above the states so far
    entry, result = states[number][0], states[number][-1]
    region = Region(parts, Flow(entry, result, own, inputs))
    arrangement = arrange_from(region, result, frozenset([entry]))
    arrangement.entry = entry
    return Stream(arrangement, crossing, frozenset(apart))
