"""Attention maps of a model: the weights of every attention, (B, H, T, S).

The model is emitted again with its attention weights kept (`BuildOptions.attention_weights`). While
maps are collected, the model computes as this twin does, and forward hooks collect what passes
through its modules `weights`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import wraps
from inspect import signature
from itertools import cycle
from typing import Any
from weakref import WeakSet

import torch
from torch import Tensor, nn

from ...compiler.graph import ModuleGraph, Op
from ...compiler.passes.keep_weights import attentions, kept_name
from .compile import Source, graph_of, instantiate
from .file import emit_file
from .map_sizes import map_bytes, memory_of, size_text
from .options import USUAL, BuildOptions
from .provenance import provenance, remember
from .twin import become, override, own_modules

LIMIT = 2**30
"""Default number of bytes that maps may have."""
PAUSED: WeakSet[nn.Module] = WeakSet()
"""Models of which no maps are collected at present."""


class MapsError(ValueError):
    """The attention maps of a model cannot be computed; the message says why."""


class AttentionMaps(Mapping[str, Tensor]):
    """Attention weights by the name of the module, such as `layers.0.attention`.

    Each is (B, H, T, S): how much a query t reads from a key s. As a context manager, it collects
    the maps of what the model computes: of the last call, or of all steps of `generate`, where the
    columns of later keys are 0.
    """

    def __init__(self, model: nn.Module, graph: ModuleGraph, options: BuildOptions, limit: int):
        self._model, self._graph, self._limit = model, graph, limit
        self._names = {op.number: names_of(graph, op) for op in attentions(graph)}
        self._steps: dict[str, list[Tensor]] = {}
        self._held = 0  # bytes
        self._aligned = {
            name: _is_cached(graph, op)
            for op in attentions(graph)
            for name in self._names[op.number]
        }
        self._twin = twin_of(model, graph, options)
        self._cache: Any = None
        self._calls = 0  # that are running, one inside the other
        self._undo: ExitStack | None = None

    @property
    def stacks(self) -> dict[str, tuple[str, str]]:
        """The stack of the queries and that of the keys of each map, by name."""
        return {
            name: (stack, memory_of(self._graph, op) or stack)
            for op in attentions(self._graph)
            for name in self._names[op.number]
            for stack in [self._graph.scopes[op.scope].stack]
        }

    @property
    def ops(self) -> dict[str, int]:
        """The number of the op in the graph that computes each map, by name."""
        return {name: number for number, names in self._names.items() for name in names}

    # -- the maps

    def __getitem__(self, name: str) -> Tensor:
        return joined(self._steps[name], aligned=self._aligned[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self._steps)

    def __len__(self) -> int:
        return len(self._steps)

    def __repr__(self) -> str:
        found = ", ".join(f"{name}: {tuple(each.shape)}" for name, each in self.items())
        return f"AttentionMaps({found})"

    # -- collecting

    def __enter__(self) -> AttentionMaps:
        if self._undo is not None:
            raise MapsError(
                "this context is already open; call `attention_maps` again for a nested one"
            )
        with ExitStack() as undo:
            become(self._model, self._twin, undo)
            for op in attentions(self._graph):
                self._watch(op, undo)
            for module in own_modules(self._model).values():
                self._wrap(module, undo)
            self._undo = undo.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        undo, self._undo = self._undo, None
        if undo is not None:
            undo.close()

    def _watch(self, op: Op, undo: ExitStack) -> None:
        """Collect the weights of an attention, in turn for the layers that share its module."""
        by_module: dict[str, list[str]] = {}
        for name, module in self._names[op.number].items():
            by_module.setdefault(module, []).append(name)
        for module, names in by_module.items():
            turn, current = cycle(names), [names[0]]

            def begin(*_: Any, turn: Any = turn, current: list[str] = current) -> None:
                current[0] = next(turn)

            def collect(_: Any, __: Any, weights: Tensor, current: list[str] = current) -> None:
                self._keep(current[0], weights.detach())

            kept = self._model.get_submodule(module)
            parent = self._model.get_submodule(module.rpartition(".")[0])
            undo.callback(parent.register_forward_pre_hook(begin).remove)
            undo.callback(kept.register_forward_hook(collect).remove)

    def _keep(self, name: str, weights: Tensor) -> None:
        if self._model in PAUSED:
            return
        refuse_beyond(self._limit, self._held + weights.nbytes, "so far")
        self._held += weights.nbytes
        self._steps.setdefault(name, []).append(weights)

    def _wrap(self, module: nn.Module, undo: ExitStack) -> None:
        """Notice the calls of the methods of a module."""
        for name, method in vars(type(module)).items():
            if callable(method) and not name.startswith("_") and name != "init_weights":
                override(module, name, self._beginning(getattr(module, name)), undo)

    def _beginning(self, method: Callable[..., Any]) -> Callable[..., Any]:
        """The method; a call from outside that has another cache than the last one starts anew."""

        @wraps(method)
        def call(*arguments: Any, **options: Any) -> Any:
            if not self._calls and self._model not in PAUSED:
                cache = signature(method).bind(*arguments, **options).arguments.get("cache")
                if cache is None or cache is not self._cache:
                    self._steps.clear()
                    self._held = 0
                self._cache = cache
            self._calls += 1
            try:
                return method(*arguments, **options)
            finally:
                self._calls -= 1

        return call


@contextmanager
def paused(model: nn.Module) -> Iterator[None]:
    """Context in which no maps of the model are collected: they stay those of the last call."""
    PAUSED.add(model)
    try:
        yield
    finally:
        PAUSED.discard(model)


@contextmanager
def evaluated(model: nn.Module) -> Iterator[None]:
    """Context: eval mode, without gradients."""
    training = {module: module.training for module in model.modules()}
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for module, mode in training.items():
            module.training = mode


def attention_maps(
    model: nn.Module, *, spec: Source | None = None, limit: int = LIMIT, **inputs: Any
) -> AttentionMaps:
    """The attention weights of a model for some inputs, {module name: (B, H, T, S)}.

        maps = mw.attention_maps(model, input_ids=ids)
        maps["layers.0.attention"]  # (B, H, T, S)

        with mw.attention_maps(model) as maps:
            model.generate(ids, max_new_tokens=8)

    With inputs, the model runs once in eval mode, without gradients. Without, the result is a
    context manager that collects the maps of what is computed inside it. Forward hooks of the
    model's modules run as they always do. Rows sum to 1, to less with attention sinks, and to 0 for
    a query that may attend to no key.

    model: a model that `compile` returned; any model of an emitted file with its `spec`
    spec: the spec of the model, its path or its graph
    limit: maximum size of all maps in bytes
    inputs: the arguments of the model's `forward`

    Raises MapsError for a model without attention weights, without a known spec or of another spec,
    and for maps larger than `limit`.
    """
    model = unwrapped(model)
    graph, options = known_graph(model, spec, "attention_maps")
    maps = AttentionMaps(model, graph, options, limit)
    if not inputs:
        return maps
    refuse_beyond(limit, map_bytes(graph, inputs, next(model.parameters()).element_size()))
    with evaluated(model), maps:
        model(**inputs)
    return maps


def known_graph(
    model: nn.Module, spec: Source | None, function: str
) -> tuple[ModuleGraph, BuildOptions]:
    """The graph and options of a compiled model, or of its spec. Raises MapsError without both."""
    found = provenance(unwrapped(model)) if spec is None else (graph_of(spec), USUAL)
    if found is None:
        raise MapsError(
            f"the spec of this {type(model).__name__} is not known, because mw.compile did not "
            "make it in this process; give the spec: "
            f'{function}(model, spec="model.yaml", …)'
        )
    return found


def refuse_beyond(limit: int, size: int, when: str = "") -> None:
    """Raise MapsError for maps of more bytes than the limit."""
    if size > limit:
        total = " ".join(filter(None, (size_text(size), when)))
        raise MapsError(
            f"the attention maps need {total}, more than the limit of {size_text(limit)}; use "
            "fewer tokens or sequences, or a larger `limit`"
        )


def names_of(graph: ModuleGraph, op: Op) -> dict[str, str]:
    """The name of each map of an attention, and the module that its weights pass through.

    Layers that share a module have a map each. The second map of Longformer's attention, for the
    queries of global tokens, is `layers.0.attention.global`.
    """
    prefix, kept = graph.scopes[op.scope].weights, kept_name(graph, op)
    suffix = kept.removeprefix("weights").replace("_", ".")
    block, layers = graph.block_of(op.scope), graph.layers_of(op.scope)
    if block is None or layers is None:
        return {f"{prefix}{suffix}": f"{prefix}.{kept}"}
    return {
        f"{prefix.replace('{layer}', str(layer))}{suffix}": (
            f"{prefix.replace('{layer}', str(layers.modules[layer]))}.{kept}"
        )
        for layer in block.layer_indices
    }


def _is_cached(graph: ModuleGraph, op: Op) -> bool:
    """Whether the keys are those of a cache, the last one being the last query."""
    return any(each.kind == "cache" for each in graph.ops(op.scope))


def joined(steps: list[Tensor], *, aligned: bool) -> Tensor:
    """The maps of consecutive queries as one, (B, H, T, S); columns of later keys are 0.

    aligned: whether the last key of each step is its last query, as with a cache
    """
    if len(steps) == 1:
        return steps[0]
    ends, seen = [], 0
    for step in steps:
        seen += step.size(-2)
        ends.append(max(seen, step.size(-1)) if aligned else step.size(-1))
    wide = max(ends)
    return torch.cat(
        [
            nn.functional.pad(step, (end - step.size(-1), wide - end))
            for step, end in zip(steps, ends, strict=True)
        ],
        dim=-2,
    )


def twin_of(model: nn.Module, graph: ModuleGraph, options: BuildOptions) -> nn.Module:
    """The same model without weights, of a file that keeps its attention weights."""
    kept = replace(options, attention_weights=True, gradient_checkpointing=False, kernel="dense")
    twin = instantiate(emit_file(graph, kept), graph.name, device="meta")
    own = dict(model.named_parameters())
    others = dict(twin.named_parameters())
    if own.keys() != others.keys():
        raise MapsError(f"the weights of this {type(model).__name__} are not those of {graph.name}")
    for name, parameter in own.items():
        if others[name].shape != parameter.shape:
            raise MapsError(f"the shape of `{name}` is not that of {graph.name}")
    return remember(twin, graph, kept)


def unwrapped(model: nn.Module) -> nn.Module:
    """The model inside `torch.compile`."""
    inner = getattr(model, "_orig_mod", model)
    assert isinstance(inner, nn.Module)
    return inner
