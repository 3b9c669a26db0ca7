"""The law `dropout`: where dropout is applied in training, and at which rate.

Dropout masks are made deterministic: whether an element is dropped depends on its index in a tensor
of its shape. The oracle applies the same masks, and the outputs must be equal. This tests the
places of dropout, the rates, whether elements or whole branches are dropped, and the scaling of the
rest.
"""

from __future__ import annotations

import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from ....compiler.graph import ModuleGraph
from ....compiler.sizes import Field, number
from ...oracle import UnknownOptionError
from ..arguments import Array, Data
from ..measure import Largest, Measured, NotHere
from ..subject import Subject
from .choice import tied_at
from .equality import by_oracle
from .lengths import of_length
from .tiling import tiles_of

CASES = ("plain", "padded left")
ONE = "one token"


def dropout(subject: Subject) -> Measured | NotHere:
    """No dropout in eval mode; in training, the same as in the oracle."""
    data, largest = subject.data("plain"), Largest()
    first = subject.results(data)
    with Drops() as drops:
        again = subject.results(data)
    for name, value in again.items():
        largest.compare(value, first[name], f"two runs in eval mode differ: {name}")
    if drops.rates:
        largest.take(float("inf"), f"dropout with rate {drops.rates[0]:g} in eval mode")
    model = subject.fresh().train()
    cases = {case: subject.data(case) for case in CASES}
    facts = subject.graph.sources()
    words = all(fact.kind == "tokens" and not fact.prefix for fact in facts)
    if words and not subject.arguments.sources:
        cases[ONE] = of_length(subject, 2, 1)  # attention of one query is computed otherwise
    try:
        expected = {case: by_oracle(subject, given, chances) for case, given in cases.items()}
    except UnknownOptionError as error:
        _count(subject, largest)
        return largest.measured(f"only rates were compared: {error}")
    for case, given in cases.items():
        if tied_at(subject, given):
            continue
        drops = Drops(single=case == ONE)
        found = in_training(subject, model, given, drops)
        compare_rates(subject, drops, f"in training, {case}", largest)
        for name in subject.graph.outputs:
            largest.compare(found[name], expected[case][name], f"in training, {case}: {name}")
    return largest.measured()


def in_training(subject: Subject, model: nn.Module, data: Data, drops: Drops) -> dict[str, Tensor]:
    """The outputs of a model in training mode, whose attention has one dropout mask, not tiles."""
    module = sys.modules[type(model).__module__]
    with tiles_of(module, 0), by_head(module, drops), drops, torch.random.fork_rng(devices=[]):
        return subject.results(data, model)


@contextmanager
def by_head(module: ModuleType, drops: Drops) -> Iterator[None]:
    """Tell which group of heads attends, where groups have masks of their own."""
    file = vars(module)
    before = file.get("attention_by_head")
    if before is None:
        yield
        return

    def counted(q: Tensor, k: Tensor, v: Tensor, tiles: Any, tiled: Any, attend: Any) -> Tensor:
        group = iter(range(len(tiles)))

        def next_group(*arguments: Any) -> Any:
            drops.group = next(group), len(tiles)
            return tiled(*arguments)

        found: Tensor = before(q, k, v, tiles, next_group, attend)
        drops.group = 0, 1
        return found

    file["attention_by_head"] = counted
    try:
        yield
    finally:
        file["attention_by_head"] = before


@cache
def chances(shape: tuple[int, ...], row: int) -> Array:
    """Deterministic numbers in [0, 1] for one row of a tensor.

    If there is one number per row, rows are kept and dropped alternately.
    """
    if np.prod(shape) == 1:
        return np.full(shape, 0.01 if row % 2 else 0.99)
    found: Array = np.random.default_rng([zlib.crc32(repr(shape).encode()), row]).random(shape)
    return found


def of_batch(shape: tuple[int, ...], like: Tensor) -> Tensor:
    """The same for all rows, (B, …)."""
    rows = [chances(shape[1:], row) for row in range(shape[0])]
    return torch.from_numpy(np.stack(rows)).to(like)


# -- replacements of torch's dropout


class Drops(TorchFunctionMode):
    """Replaces dropout by that of `chances`, and records the rates.

    single: all sequences have one token; several queries of a head are then those of several heads
    """

    def __init__(self, *, single: bool = False) -> None:
        super().__init__()
        self.single = single
        self.group = 0, 1  # which of how many equal groups of heads attends now
        self.rates: list[float] = []

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any | None = None
    ) -> Any:
        given = kwargs or {}
        instead = INSTEAD.get(getattr(func, "__name__", ""))
        more = {"single": self.single, "group": self.group} if instead is _attention else {}
        rate, result = instead(*args, **given, **more) if instead else (0.0, None)
        if rate:
            self.rates.append(rate)
        return func(*args, **given) if result is None else result


Instead = tuple[float, Tensor | None]
"""Rate and result of a dropout call; None if nothing is dropped."""


def _dropout(x: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Instead:
    if not training or not p:
        return 0.0, None
    return p, torch.where(of_batch(tuple(x.shape), x) < p, 0, x / (1 - p))


def _bernoulli(x: Tensor, p: float = 0.5, **_: Any) -> Instead:
    kept = of_batch(tuple(x.shape), x) >= 1 - p
    return 1 - p, x.copy_(kept)


def _attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
    *,
    single: bool = False,
    group: tuple[int, int] = (0, 1),
) -> Instead:
    """Attention with dropout on the weights, (B, H, T, E), equal to fused kernels."""
    if not dropout_p:
        return 0.0, None
    if enable_gqa:
        run = query.size(1) // key.size(1)
        key, value = (x.repeat_interleave(run, dim=1) for x in (key, value))
    scores = query @ key.transpose(-2, -1) * (query.size(-1) ** -0.5 if scale is None else scale)
    if is_causal:
        attn_mask = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).tril()
    if attn_mask is not None and attn_mask.dtype == torch.bool:
        scores = scores.masked_fill(~attn_mask, -torch.inf)
    elif attn_mask is not None:
        scores = scores + attn_mask
    weights = scores.softmax(-1).nan_to_num(0.0)
    of_heads = weights.flatten(1, 2).unsqueeze(2) if single else weights
    number, groups = group
    _, dropped = _dropout(of_heads.repeat(1, groups, 1, 1), dropout_p)
    assert dropped is not None
    return dropout_p, dropped.chunk(groups, dim=1)[number].view_as(weights) @ value


INSTEAD: dict[str, Callable[..., Instead]] = {
    "dropout": _dropout,
    "bernoulli_": _bernoulli,
    "scaled_dot_product_attention": _attention,
}


class Scales(TorchFunctionMode):
    """Replaces dropout by a factor 1 + rate, which does not depend on how a tensor is divided."""

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any | None = None
    ) -> Any:
        given = kwargs or {}
        name = getattr(func, "__name__", "")
        if name == "bernoulli_":
            return args[0].fill_(1)
        if name == "dropout":
            rate, result = _dropout(*args, **given)
            return args[0] if result is None else args[0] * (1 + rate)
        rate = given.get("dropout_p", 0.0) if name == "scaled_dot_product_attention" else 0.0
        result = func(*args, **{**given, "dropout_p": 0.0} if rate else given)
        return result * (1 + rate) if rate else result


# -- models that the oracle does not support


def _count(subject: Subject, largest: Largest) -> None:
    """Compare only the rates of all dropouts in training with those of the graph."""
    wanted = rates(subject)
    with torch.random.fork_rng(devices=[]), Drops() as drops:
        subject.results(subject.data("plain"), subject.fresh().train())
    if not np.array_equal(np.round(sorted(drops.rates), 9), np.round(wanted, 9)):
        counted = f"{len(drops.rates)} dropouts in training, not {len(wanted)}"
        largest.take(float("inf"), counted if len(drops.rates) != len(wanted) else "another rate")


def compare_rates(subject: Subject, drops: Drops, where: str, largest: Largest) -> None:
    """No other rates than those of the graph: what replaces labels is not divided by them."""
    wanted = {round(rate, 9) for rate in rates(subject)}
    for rate in drops.rates:
        if round(float(rate), 9) not in wanted:
            largest.take(float("inf"), f"{where}: dropout with rate {rate:g}")
            return


RATES = ("rate", "dropout")
"""Attributes of ops with a rate of dropout."""


def rate_fields(graph: ModuleGraph) -> set[str]:
    """The names of the Config fields that are rates of dropout."""
    values = [op.attrs.get(key) for op in graph.ops() for key in RATES]
    return {value.name for value in values if isinstance(value, Field)}


def rates(subject: Subject) -> list[float]:
    """The rates of all dropouts in one forward pass in training."""
    found = []
    for op in subject.graph.ops():
        layers = subject.graph.layers_of(op.scope)
        block = subject.graph.block_of(op.scope)
        times = layers.order.count(block.name) if layers is not None and block is not None else 1
        for key in RATES:
            rate = number(op.attrs.get(key))
            found += [float(rate)] * times if isinstance(rate, (int, float)) and rate else []
    return sorted(found)
