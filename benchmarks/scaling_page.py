"""The tables and figures of `benchmarks.scaling` and `benchmarks.decode` in docs/benchmarks.md."""

from __future__ import annotations

import math
from collections.abc import Mapping

from .chart import chart
from .pages import DOCS, Row, write_rows
from .results import Record

WHERE = ("date", "processor", "cores", "torch", "threads", "clock")
"""What the line above a table says of a measurement."""
WAYS = {"forward": "forward", "both": "forward and backward"}
TABLES = tuple(
    f"scaling, {dtype}, {way}" for dtype in ("float32", "bfloat16") for way in WAYS.values()
)
MEMORY = {dtype: f"memory, {dtype}" for dtype in ("float32", "bfloat16")}
"""Tables of peak memory."""
DECODING = "decode"


def write_scaling(records: list[Record], grown: list[Record]) -> None:
    """A table for each dtype and way, and a figure for each dtype.

    grown: exponents
    """
    groups: dict[tuple[str, str], list[Record]] = {}
    for record in records:
        groups.setdefault((record["dtype"], record["way"]), []).append(record)
    for (dtype, way), group in groups.items():
        if way == "both":
            drawn = chart(f"{dtype}, {WAYS[way]}: time by length", milliseconds(group))
            (DOCS / f"benchmarks_scaling_{dtype}_both.svg").write_text(drawn, encoding="utf-8")
        own = [each for each in grown if (each["dtype"], each["way"]) == (dtype, way)]
        exponents = {each["mask"]: f"{each['exponent']:.2f}" for each in own}
        write_rows(f"scaling, {dtype}, {WAYS[way]}", _facts(group), scaling_rows(group, exponents))


def write_memory(records: list[Record]) -> None:
    """A table for each dtype."""
    for dtype, key in MEMORY.items():
        if used := [each for each in records if each["dtype"] == dtype]:
            write_rows(key, _facts(used), memory_rows(used))


def milliseconds(group: list[Record]) -> dict[str, dict[int, float]]:
    """Of each mask by its number of tokens; dense attention first."""
    found: dict[str, dict[int, float]] = {}
    for record in sorted(group, key=lambda record: record["length"]):
        dense = next(name for name in record["seconds"] if name != record["mask"])
        for name in (dense, record["mask"]):
            found.setdefault(name, {})[record["length"]] = 1000 * record["seconds"][name]
    return found


def scaling_rows(group: list[Record], exponents: Mapping[str, str] | None = None) -> list[Row]:
    """A row per mask: how many times as fast as dense attention, and growth.

    exponents: those that were measured in one run, for some masks
    """
    lengths = sorted({record["length"] for record in group})
    by_mask: dict[str, dict[int, Record]] = {}
    for record in group:
        by_mask.setdefault(record["mask"], {})[record["length"]] = record
    found: list[Row] = [("mask", *_heads(lengths), "exponent")]
    times = milliseconds(group)
    for mask, records in by_mask.items():
        ratios = [f"{records[n]['ratio']:.2f}" if n in records else "" for n in lengths]
        growth = (exponents or {}).get(mask, exponent(times[mask]))
        found.append((_code(mask), *ratios, growth))
    return found


def memory_rows(records: list[Record]) -> list[Row]:
    """A row per way and mask: the peak, in MB, for each length; causal SDPA comes first."""
    lengths = sorted({record["length"] for record in records})
    used: dict[tuple[str, str], dict[int, float]] = {}
    for way in WAYS:
        for record in (each for each in records if each["way"] == way):
            used.setdefault((way, record["mask"]), {})[record["length"]] = record["MB"]
    found: list[Row] = [("mask", *_heads(lengths))]
    for (way, name), peaks in used.items():
        cells = [f"{peaks[length]:.0f}" if length in peaks else "" for length in lengths]
        found.append((f"{_code(name)}, {WAYS[way]}", *cells))
    return found


def _heads(lengths: list[int]) -> list[str]:
    return [f"{length // 1024}k" for length in lengths]


def _code(mask: str) -> str:
    return f"`{mask}`" if "(" in mask else mask


def exponent(times: Mapping[int, float], start: int = 4096) -> str:
    """The exponent of time from `start` tokens on: log(time ratio) / log(length ratio)."""
    longest = max(times)
    if longest <= start or start not in times:
        return ""
    return f"{math.log(times[longest] / times[start]) / math.log(longest / start):.2f}"


def write_decoding(records: list[Record]) -> None:
    """The tables of decoding steps and of linear attention."""
    write_rows(DECODING, _facts(records), decoding_rows(records))


def decoding_rows(records: list[Record]) -> list[Row]:
    head = ("task", "now", "before", "before / now")
    times = [
        (
            record["task"],
            *(f"{1000 * record['seconds'][name]:.2f} ms" for name in ("now", "before")),
            f"{record['ratio']:.2f}",
        )
        for record in records
    ]
    return [head, *times, *growth(records)]


def growth(records: list[Record]) -> list[Row]:
    """The exponents of attention that was measured at several lengths."""
    found: dict[str, dict[int, Mapping[str, float]]] = {}
    for record in records:
        form, of_tokens, way = (*record["task"].split(", "), "", "")[:3]
        if of_tokens.endswith(" tokens"):
            by_length = found.setdefault(f"{form}, {way}", {})
            by_length[int(of_tokens.split()[0])] = record["seconds"]
    rows: list[Row] = []
    for name, by_length in found.items():
        least = min(by_length)
        exponents = [
            exponent({length: times[key] for length, times in by_length.items()}, least)
            for key in ("now", "before")
        ]
        rows.append((f"{name}: exponent from {least:,} tokens on", *exponents, ""))
    return rows


def _facts(records: list[Record]) -> dict[str, object]:
    """The conditions of the last record, and the range of the machine's load."""
    loads = [record["load"] for record in records]
    facts: dict[str, object] = {key: records[-1][key] for key in WHERE if key in records[-1]}
    low, high = min(loads), max(loads)
    return facts | {"programs running": f"{low:g}" if low == high else f"{low:g} to {high:g}"}
