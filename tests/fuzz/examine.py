"""What a valid spec must pass: each step of the house, and equal numbers.

`examine` raises Fault, which names the step; a spec that a law refuses raises SpecErrors.
"""

from __future__ import annotations

import ast
import builtins
import inspect
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from modelwright.backends import reference
from modelwright.backends.diagram import draw
from modelwright.backends.pytorch import emit_file, instantiate
from modelwright.backends.pytorch.calls import hidden_states_of, memories_of
from modelwright.backends.verify import LAWS, verify
from modelwright.backends.verify.choices import Choices
from modelwright.backends.verify.laws.equality import BEYOND, TIED
from modelwright.backends.verify.rounding import STEPS, sensitivity
from modelwright.compiler import ModuleGraph, check, lower
from modelwright.compiler.display import show
from modelwright.compiler.report import report
from modelwright.spec import ModelSpec, SpecErrors, loads

from . import arguments
from .arguments import Arrays, prefix_of
from .pruned import read_document
from .readings import placed_vectors, token_ids
from .specs import Document

EXACT = 1e-11
LONG_LINE = 100
CROWDED = {"padding", "cache", "generate", "gradients"}
"""Where experts have a capacity: padding takes places too, a step has its own, and the router's
weights decide who finds none."""
SLOW = {"compile", "export", "options", "config", "sampling", "differences", "bfloat16", "lengths"}
APART = {"beyond float32": BEYOND, "beyond float64": "beyond float64", "experts tie": TIED}
"""Why numbers are not compared -> how `verify` says so: see the laws of equality."""
FAR, MOST = "beyond float64", 1e150
"""Numbers whose square float64 cannot hold: nothing that computes with them is tried."""


class Fault(Exception):
    """A valid spec that does not pass a step."""

    def __init__(self, step: str, what: str) -> None:
        super().__init__(f"{step}: {what}")
        self.step, self.what = step, what


@contextmanager
def step(name: str) -> Iterator[None]:
    """Whatever goes wrong inside is a fault of this step."""
    try:
        yield
    except Fault:
        raise
    except Exception as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{Path(last.filename).name}:{last.lineno}"
        raise Fault(name, f"{type(error).__name__}: {error} ({where})") from error


read = read_document


def examine(document: Document, *, more: bool = True, thorough: bool = False) -> set[str]:
    """Every step. `more`: gradients, pieces with a cache, the figures, and the laws of `verify`.

    Two of these take seconds each, and are tried where `thorough` is said. What comes back are the
    reasons for which some numbers were not compared.
    """
    try:
        spec = read(document)
    except SpecErrors:
        raise
    except Exception as error:
        raise Fault("load", f"{type(error).__name__}: {error}") from error
    with step("show"):
        printed = show(spec)
        again = loads(printed)
        if outlines(again) != outlines(spec) and "no effect here" not in printed:
            raise Fault("show", "what it prints is another spec")
        dumped = ModelSpec.model_validate(spec.model_dump(mode="json", by_alias=True))
        if dumped != spec:
            raise Fault("show", "its data are another spec")
    with step("lower"):
        graph = lower(spec)
    with step("lower what show prints"):
        if reference.weight_shapes(lower(again)) != reference.weight_shapes(graph):
            raise Fault("show", "what it prints has other weights")
    with step("check"):
        check(graph)
    with step("emit"):
        emitted = emit_file(graph)
        texts(emitted.text)
    torch.manual_seed(0)
    with step("build"):
        network = instantiate(emitted, graph.name, dtype="float64")
        counted(graph, network)
        perturb(network)
    idle = any("has no effect" in warning for warning in spec.warnings)
    apart = compared(graph, network, idle=idle)
    if not more or FAR in apart:
        return apart
    with step("train"):
        trained(graph, network, idle=idle)
    with step("inspect"):
        report(graph).render()
    with step("draw"):
        for kind in ("svg", "dot", "mmd"):
            draw(graph, kind)
    if not idle:
        pieces(graph, network)
    with step("verify"):
        laws = laws_for(spec) - (set() if thorough else SLOW)
        found = verify(spec, full_size=True, laws=laws, emit=lambda _: emitted.text)
    notes = " ".join(finding.note for finding in found.findings)
    for failure in found.failures:
        if FAR in notes and not np.isfinite(failure.error):
            continue
        raise Fault(
            f"law {failure.law}", f"error {failure.error}, bound {failure.bound}: {failure.where}"
        )
    return apart | {name for name, words in APART.items() if words in notes}


def laws_for(spec: ModelSpec) -> set[str]:
    """The laws that say something about a spec, whatever `check` has warned of."""
    laws, warned = {law.name for law in LAWS}, " ".join(spec.warnings)
    laws -= {"oracle"}  # tests/oracle has random specs too, and knows what is disputed
    if "has no effect" in warned:  # there are arguments that `forward` does not take
        return {"weights", "init"}
    if "capacity" in spec.model_dump_json(exclude_defaults=True):
        laws -= CROWDED
    return laws - {"gradients"} if "the router gets no gradient" in warned else laws


def outlines(spec: ModelSpec) -> Any:
    """All but the word of the family, which is written out."""
    data = spec.model_dump(mode="json", by_alias=True)
    return {key: value for key, value in data.items() if key != "family"}


def texts(text: str) -> None:
    """The file is Python, calls nothing odd, imports torch alone, and has no long line."""
    tree = ast.parse(text)
    builtins.compile(text, "emitted", "exec")
    long = [line for line in text.splitlines() if len(line) > LONG_LINE]
    if long:
        raise Fault("emit", f"a line of {len(long[0])} characters: {long[0]}")
    names = {ast.unparse(n.func) for n in ast.walk(tree) if isinstance(n, ast.Call)}
    odd = names & {"__import__", "eval", "exec", "compile", "open", "getattr", "setattr"}
    if odd:
        raise Fault("emit", f"it calls {sorted(odd)}")


def counted(graph: ModuleGraph, network: nn.Module) -> None:
    wanted = reference.weight_shapes(graph)
    found = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    if wanted != found:
        raise Fault("build", f"weights {sorted(wanted.items() ^ found.items())}")
    total = sum(int(np.prod(shape)) for shape in wanted.values())
    costs = report(graph)
    for said in (costs.weights_total, sum(row.total for row in costs.weight_rows)):
        if said != total:
            raise Fault("inspect", f"{said} weights, but the model has {total}")


def perturb(network: nn.Module) -> nn.Module:
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weight in network.parameters():
            weight.add_(0.2 * torch.randn(weight.shape, generator=generator, dtype=weight.dtype))
    return network.eval()


def tensors(data: Arrays) -> dict[str, Tensor]:
    return {name: torch.from_numpy(np.ascontiguousarray(value)) for name, value in data.items()}


def results(
    graph: ModuleGraph, network: nn.Module, data: Arrays, *, idle: bool
) -> dict[str, Tensor]:
    """The results of all heads. An `idle` stack's arguments are none of `forward`."""
    given = tensors(data)
    if idle:
        given = taken(network.forward, given)
    found = network(**given)
    return found if isinstance(found, dict) else {next(iter(graph.outputs)): found}


def distance(found: Tensor, expected: Tensor) -> float:
    """The largest difference, relative to the largest number, or to 1 where all are smaller."""
    if found.shape != expected.shape:
        raise Fault("compare", f"{tuple(found.shape)} is not {tuple(expected.shape)}")
    if not torch.isfinite(found).all():
        raise Fault("compare", "a number that is not finite")
    if found.numel() == 0:
        return 0.0
    return float((found - expected).abs().max() / expected.abs().max().clamp(min=1))


def compared(graph: ModuleGraph, network: nn.Module, *, idle: bool) -> set[str]:
    """Equal to the reference: without padding, and with padding on either side."""
    weights = {name: value.numpy() for name, value in network.state_dict().items()}
    cases: dict[str, Callable[[], Arrays]] = {
        "plain": lambda: arguments.plain(graph),
        "placed": lambda: arguments.placed(graph),
        "left": lambda: arguments.padded(graph, "left"),
        "right": lambda: arguments.padded(graph, "right"),
    }
    apart = set()
    for name, make in cases.items():
        data, choices = make(), Choices()
        with step(f"reference ({name})"), np.errstate(all="ignore"):
            expected = reference.run(graph, weights, data, choices)
        if choices.largest > MOST:
            return {FAR}
        with step(f"run ({name})"), torch.no_grad():
            found = results(graph, network, data, idle=idle)
        for output, value in found.items():
            error = distance(value, torch.from_numpy(expected[output]))
            if error > bound(graph, network, data, error) and choices.margin > EXACT:
                raise Fault(f"compare ({name})", f"{output} differs by {error:.1e}")
            apart |= {"experts tie"} if error > EXACT and choices.margin <= EXACT else set()
    return apart


def bound(graph: ModuleGraph, network: nn.Module, data: Arrays, error: float) -> float:
    """How far equal results may be apart: measured where the error is more than usual."""
    if error <= EXACT:
        return EXACT
    weights = {name: value.numpy() for name, value in network.state_dict().items()}
    last_place = float(np.finfo(np.float64).eps)
    return max(EXACT, STEPS * sensitivity(graph, weights, [data], last_place))


def trained(graph: ModuleGraph, network: nn.Module, *, idle: bool) -> None:
    network.train()
    found = results(graph, network, arguments.padded(graph, "left"), idle=idle)
    sum(value.square().sum() for value in found.values()).backward()  # type: ignore[union-attr]
    for name, weight in network.named_parameters():
        if weight.grad is not None and not torch.isfinite(weight.grad).all():
            raise Fault("train", f"the gradient of {name} is not finite")
    network.zero_grad()
    network.eval()


# -- laws


def decoding_stack(graph: ModuleGraph) -> str:
    """The stack that keeps a cache; none for one whose angles change with the length."""
    stacks = [graph.scopes[op.scope].stack for op in graph.ops() if op.kind == "cache"]
    changing = any(op.attrs.get("scaling", "") in ("dynamic", "longrope") for op in graph.ops())
    return "" if changing or not stacks else stacks[0]


def pieces(graph: ModuleGraph, network: nn.Module) -> None:
    """A text in pieces, with a cache, says what the whole text says."""
    name = decoding_stack(graph)
    if not name or length_matters(graph, name):
        return
    for side in ("plain", "left", "right"):
        data = arguments.plain(graph) if side == "plain" else arguments.padded(graph, side)
        with step(f"pieces ({side})"), torch.no_grad():
            reader = Reader(graph, network, name, tensors(data))
            whole = reader.whole()
            # what stands under a prefix mask is read at once: it sees its own end
            prefix = any("prefix" in str(op.attrs.get("formula", "")) for op in graph.ops())
            first = [6] * prefix  # the longest prefix, after padding
            for sizes in ([*first, *[1] * 40], [*first, 4, 3, 1, 5, 40]):
                error = distance(reader.pieces(sizes, whole.size(1)), whole)
                if error > bound(graph, network, data, error):
                    raise Fault(f"pieces ({side})", f"{sizes[:3]}… differ by {error:.1e}")


def length_matters(graph: ModuleGraph, name: str) -> bool:
    """Do angles, or the places that experts have, change with the length of what is read at once?

    Then pieces say something else by design.
    """
    own = [op for op in graph.ops() if graph.scopes[op.scope].stack == name]
    return any(
        op.kind == "within_capacity" or op.attrs.get("scaling") in ("dynamic", "longrope")
        for op in own
    )


class Reader:
    """The decoding stack of a model, called piece by piece."""

    def __init__(
        self, graph: ModuleGraph, network: nn.Module, name: str, data: dict[str, Tensor]
    ) -> None:
        source = token_ids(graph)[name]
        prefix = prefix_of(source.argument)
        self.network: Any = network
        self.mask, self.width = f"{prefix}attention_mask", 0
        self.new = {source.argument, f"{prefix}position_ids", *source.added}
        self.seen = {self.mask, f"{prefix}document_ids", f"{prefix}global_mask"}
        self.step: Any = hidden_states_of(network, graph, name)
        memories = memories_of(network, graph, name, data)
        self.given = taken(self.step, {**data, **memories})
        self.ids, self.placed = source.argument, placed_vectors(graph)
        self.placed = [one for one in self.placed if one.argument == self.ids]
        self.finish: Any = getattr(self.network, "logits", lambda x: x)

    def whole(self) -> Tensor:
        return self.finish(self.step(**self.given))

    def pieces(self, sizes: list[int], capacity: int) -> Tensor:
        module = sys.modules[type(self.network).__module__]
        cache, found, start = module.Cache(capacity), [], 0
        for size in sizes:
            end = min(start + size, capacity)
            if end == start:
                break
            given = dict(self.given)
            given |= {key: value[:, start:end] for key, value in given.items() if key in self.new}
            given |= {key: value[:, :end] for key, value in given.items() if key in self.seen}
            self.vectors(given, self.given[self.ids][0, :end], start)
            found.append(self.finish(self.step(**given, cache=cache)))
            start = end
        return torch.cat(found, dim=1)

    def vectors(self, given: dict[str, Tensor], seen: Tensor, start: int) -> None:
        """Of the vectors that stand in the place of tokens, those in this piece."""
        for one in self.placed:
            x = given.pop(f"{one.stack}_states")
            ends = [one.skipped + int((ids == one.token).sum()) for ids in (seen[:start], seen)]
            if ends[0] < ends[1]:
                own = x[:, slice(*ends)]
                given[f"{one.stack}_states"] = torch.cat([x[:, : one.skipped], own], dim=1)


def taken(call: Callable[..., Any], given: dict[str, Tensor]) -> dict[str, Tensor]:
    names = inspect.signature(call).parameters
    return {name: value for name, value in given.items() if name in names}
