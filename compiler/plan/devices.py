"""A table of accelerators: memory, peak FLOP/s, and bandwidths.

Numbers are those of the manufacturers, without sparsity. Link bandwidths are for one direction,
half of the advertised sum of both. `network` is that of the manufacturer's own server (for NVIDIA,
DGX), per device.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from ...spec.errors import choices
from .errors import PlanError

GB, TERA = 1e9, 1e12


@dataclass(frozen=True, kw_only=True)
class Device:
    """One accelerator.

    memory   bytes
    peak     FLOP/s of matrix products, by the data type of the computation
    read     bytes per second from its memory
    link     bytes per second to the devices of its node, in one direction
    network  bytes per second to other nodes, in one direction
    node     number of devices of one node
    source   where the numbers were published
    """

    name: str
    memory: float
    peak: Mapping[str, float]
    read: float
    link: float
    network: float
    node: int
    source: str


def _device(
    name: str,
    memory: float,
    peaks: tuple[float, float],
    bandwidths: tuple[float, float, float],
    node: int,
    source: str,
) -> Device:
    """A row of the table.

    memory: GB
    peaks: TFLOP/s in bfloat16 (0: not supported) and float32
    bandwidths: GB/s of memory, links and network
    """
    peak = dict(zip(("bfloat16", "float32"), (TERA * one for one in peaks), strict=True))
    read, link, network = (GB * one for one in bandwidths)
    return Device(
        name=name,
        memory=GB * memory,
        peak={dtype: value for dtype, value in peak.items() if value},
        read=read,
        link=link,
        network=network,
        node=node,
        source=source,
    )


DEVICES = {
    one.name: one
    for one in (
        _device("b200", 180, (2250, 75), (8000, 900, 50), 8, "NVIDIA DGX B200 datasheet, 2024"),
        _device("h200", 141, (989, 67), (4800, 450, 50), 8, "NVIDIA H200 SXM datasheet, 2024"),
        _device("h100", 80, (989, 67), (3350, 450, 50), 8, "NVIDIA H100 SXM datasheet, 2023"),
        _device("a100", 80, (312, 19.5), (2039, 300, 25), 8, "NVIDIA A100 80GB datasheet, 2021"),
        _device("a100-40", 40, (312, 19.5), (1555, 300, 25), 8, "NVIDIA A100 datasheet, 2020"),
        _device("l40s", 48, (362, 91.6), (864, 32, 25), 8, "NVIDIA L40S datasheet, 2023"),
        _device("rtx4090", 24, (165, 82.6), (1008, 32, 1.25), 8, "NVIDIA Ada whitepaper, 2022"),
        _device("v100", 32, (0, 15.7), (900, 150, 12.5), 8, "NVIDIA V100 SXM2 datasheet, 2020"),
        _device("p100", 16, (0, 10.6), (732, 80, 12.5), 8, "NVIDIA Pascal whitepaper, 2016"),
        _device("mi300x", 192, (1307, 163.4), (5300, 448, 50), 8, "AMD MI300X datasheet, 2023"),
    )
}


def device_of(name: str | None, precision: str | None, given: Mapping[str, float]) -> Device:
    """A device of the table, with changed numbers, or another one that they describe.

    precision: data type to which `peak` applies
    given: memory, peak, read, link, network and node, in bytes, FLOP/s and bytes per second;
        without a name, the first four are required

    Raises PlanError for an unknown name and for missing numbers.
    """
    for option, value in given.items():
        if not value > 0:
            raise PlanError(f"{OPTIONS[option]} must be above 0, not {value:g}")
    if name is not None and name not in DEVICES:
        raise PlanError(f"unknown device `{name}`; {choices(name, list(DEVICES))}")
    missing = [OPTIONS[one] for one in REQUIRED if one not in given]
    if name is None and missing:
        raise PlanError(
            f"no device: give --device (one of {', '.join(DEVICES)}), or describe another one "
            f"with {', '.join(missing)}"
        )
    found = _other(given) if name is None else DEVICES[name]
    if not given:
        return found
    peaks = dict(found.peak)
    if "peak" in given:
        peaks[precision or "bfloat16"] = given["peak"]
    return replace(
        found,
        memory=given.get("memory", found.memory),
        peak=peaks,
        read=given.get("read", found.read),
        link=given.get("link", found.link),
        network=given.get("network", found.network),
        node=int(given.get("node", found.node)),
        source=found.source if name is None else f"{found.source}; some numbers are given",
    )


def _other(given: Mapping[str, float]) -> Device:
    """A device without a name."""
    return Device(
        name="other",
        memory=given["memory"],
        peak={},
        read=given["read"],
        link=given["link"],
        network=given["link"],
        node=8,
        source="described by the options",
    )


REQUIRED = ("memory", "peak", "read", "link")
"""Numbers that describe a device which is not in the table."""
OPTIONS = {
    "memory": "--device-memory",
    "peak": "--peak",
    "read": "--memory-bandwidth",
    "link": "--bandwidth",
    "network": "--network",
    "node": "--node",
}
"""Numbers of a device and the options that set them."""
