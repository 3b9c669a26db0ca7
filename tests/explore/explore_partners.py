"""Partners of an item by the rule of the page (explorer/page/src/links.js), said once more."""

from __future__ import annotations

from typing import Any

PANES = ("yaml", "figure", "code", "weights", "resolved", "masks", "maps")
Links = dict[str, dict[str, dict[str, Any]]]


def partners(links: Links, pane: str, key: str, other: str) -> set[str]:
    """The items of another pane that are partners of an item."""
    item, line = links[pane][key], int(key) if key.isdecimal() else 0
    found = set()
    for name, each in links[other].items():
        if pane == "yaml":
            is_one = any(line <= at <= item["until"] for at in each.get("yaml", ()))
        elif other == "yaml":
            is_one = int(name) in item.get("yaml", ())
        elif pane == "resolved":
            is_one = line in each.get("resolved", ())
        elif other == "resolved":
            is_one = int(name) in item.get("resolved", ())
        else:
            is_one = bool({*item.get("own", ())} & {*each.get("own", ())})
        found |= {name} if is_one else set()
    return found


def related(links: Links, pane: str, key: str, other: str) -> set[str]:
    """The items of another pane that read a value of an item, or set one that it reads."""
    item = links[pane][key]
    values, reads = {*item.get("values", ())}, {*item.get("reads", ())}
    return {
        name
        for name, each in links[other].items()
        if values & {*each.get("reads", ())} or reads & {*each.get("values", ())}
    }
