"""Training objectives: the head of a model determines data, samples and labels."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .errors import TrainingError

if TYPE_CHECKING:
    from torch import nn

    from ..compiler import ModuleGraph
    from ..compiler.facts import HeadFact
    from ..compiler.graph import Op


@dataclass(frozen=True)
class Task:
    """A training objective.

    module     the module of `emitted/` that provides samples
    kind       the kind of data, see `token_files.KINDS`
    slots      the constants of that module
    objective  the module of `emitted/` that computes the loss
    """

    module: str
    kind: str
    slots: Mapping[str, Any] = field(default_factory=dict)
    objective: str = "objective"


def task_of(graph: ModuleGraph, model: nn.Module) -> Task:
    """The training objective of a model.

    model: a model built from the graph, on any device; the signature of its `forward` is read

    Raises TrainingError for a model that `modelwright train` does not support.
    """
    if len(graph.heads) != 1:
        found = f"several heads ({', '.join(graph.heads)})" if graph.heads else "no head"
        raise TrainingError(f"{graph.name} has {found}; training needs exactly one head")
    (head,) = graph.heads.values()
    make = TASKS.get((head.kind, head.loss))
    if make is None:
        raise TrainingError(
            f"{graph.name}: training a head of type `{head.kind}` is not supported yet; those of "
            f"type {', '.join(dict.fromkeys(kind for kind, _ in TASKS))} are"
        )
    parameters = inspect.signature(model.forward).parameters.values()
    arguments = {p.name: p.default is p.empty for p in parameters}
    return make(graph, head, arguments)


Arguments = dict[str, bool]
"""Argument of `forward` -> whether it is required."""


def _next_token(graph: ModuleGraph, head: HeadFact, arguments: Arguments) -> Task:
    _require(graph, arguments, ("input_ids",))
    known = ("input_ids", "document_ids")
    inputs = tuple(name for name in known if name in arguments)
    return Task("text", "text", {"VOCABULARY": vocabulary(graph, head), "INPUTS": inputs})


def _same_place(graph: ModuleGraph, head: HeadFact, arguments: Arguments) -> Task:
    """A language model without label shift: masked, or an encoder-decoder."""
    words = {"VOCABULARY": vocabulary(graph, head)}
    if "decoder_input_ids" not in arguments:
        _require(graph, arguments, ("input_ids",))
        return Task("masked", "text", words)
    _require(graph, arguments, ("input_ids", "decoder_input_ids", "attention_mask"))
    start = graph.tokens.decoder_start
    if start is None:
        raise TrainingError(
            f"{graph.name}: training needs the start token of the decoder; add `tokens: "
            "{decoder_start: …}` to the spec"
        )
    return Task("pairs", "pairs", {**words, "PAD": _pad(graph), "DECODER_START": start})


def _classes(graph: ModuleGraph, head: HeadFact, arguments: Arguments) -> Task:
    """Classification of a whole text or image."""
    if not head.pool:
        raise TrainingError(
            f"{graph.name}: training a token classifier is not supported yet; add a `pool` to the "
            "head"
        )
    (classes,) = graph.values[graph.outputs[head.name]].shape[1:]
    read = graph.inputs[head.stack]
    if read.kind == "patches":
        _require(graph, arguments, (read.argument,))
        words = {"INPUT": read.argument, "SHAPE": _image_shape(graph, read.argument)}
        return Task("images", "images", {**words, "CLASSES": classes.size})
    _require(graph, arguments, ("input_ids", "attention_mask"))
    slots = {"VOCABULARY": vocabulary(graph, head), "PAD": _pad(graph), "CLASSES": classes.size}
    slots["READ"] = _token_read(graph)
    return Task("labelled", "labelled", slots)


def _noise(graph: ModuleGraph, head: HeadFact, arguments: Arguments) -> Task:
    """Diffusion: the noise of an image at a time."""
    image = graph.inputs[head.stack].argument
    ops = [op for op in graph.ops() if op.kind in CONDITIONS]
    readers = {name: op for op in ops if (name := _named_input(graph, op))}
    times = [name for name, op in readers.items() if op.kind == "sinusoid"]
    labels = [name for name, op in readers.items() if op.kind != "sinusoid"]
    if len(times) != 1 or len(labels) > 1:
        raise TrainingError(
            f"{graph.name}: training a head of type `patches` needs a `condition` on one timestep "
            "and at most one label"
        )
    _require(graph, arguments, (image, *times, *labels))
    shape = _image_shape(graph, image)
    channels = graph.values[graph.outputs[head.name]].shape[1].size
    if channels != shape[0]:
        raise TrainingError(
            f"{graph.name}: the head returns {channels} channels, but the image has {shape[0]}; "
            "training the variance of the noise is not supported yet"
        )
    words: dict[str, Any] = {"INPUT": image, "TIMES": times[0], "LABELS": None, "SHAPE": shape}
    if labels:
        attrs = readers[labels[0]].attrs
        classes = attrs["label"] if "label" in attrs else attrs["rows"]
        words |= {"LABELS": labels[0], "CLASSES": int(classes)}
    return Task("diffusion", "images", words, "squares")


CONDITIONS = ("sinusoid", "drop_labels", "embedding")
"""Ops that read a time, and a label with and without dropout."""


def _named_input(graph: ModuleGraph, op: Op) -> str:
    """The argument that an op reads; "" if it reads something else."""
    source = graph.producer(op.first) if op.inputs else None
    return "" if source is None or source.kind != "argument" else _named(graph, source)


def _image_shape(graph: ModuleGraph, argument: str) -> tuple[int, ...]:
    """Channels, height and width of the images of an argument."""
    (op,) = (op for op in graph.ops() if op.kind == "argument" and _named(graph, op) == argument)
    shape = tuple(side.size for side in op.attrs["shape"][1:])
    if len(shape) != 3:
        raise TrainingError(
            f"{graph.name}: training on `{argument}` is not supported yet; it reads images "
            "(channels, height, width), not spectrograms or videos"
        )
    if None in shape:
        raise TrainingError(f"{graph.name}: training needs all images to have the same size")
    return shape


def _named(graph: ModuleGraph, op: Op) -> str:
    return graph.values[op.outputs[0]].name


def _pairs_of_images(graph: ModuleGraph, head: HeadFact, arguments: Arguments) -> Task:
    """Images and texts that a contrastive head compares."""
    found = {graph.inputs[stack].kind: stack for stack in head.stacks}
    if len(head.stacks) != 2 or found.keys() != {"patches", "tokens"}:
        raise TrainingError(
            f"{graph.name}: training a contrastive head needs one stack of images and one of tokens"
        )
    image, text = graph.inputs[found["patches"]].argument, graph.stack_facts[found["tokens"]]
    _require(graph, arguments, (image, "input_ids", "attention_mask"))
    words: dict[str, Any] = {"INPUT": image, "SHAPE": _image_shape(graph, image)}
    words |= {"VOCABULARY": text.vocab_size, "PAD": _pad(graph), "READ": _token_read(graph)}
    return Task("captions", "captions", words, "contrastive")


def _token_read(graph: ModuleGraph) -> int | None:
    """The token at which a head reads a text (pool `token`), if it has one."""
    pools = (op for op in graph.ops() if op.kind == "pool" and op.attrs["how"] == "token")
    return next((int(op.attrs["token"]) for op in pools), None)


def _pad(graph: ModuleGraph) -> int:
    """The padding token; token 0 (masked) if the spec has none."""
    return 0 if graph.tokens.pad is None else graph.tokens.pad


def _require(graph: ModuleGraph, arguments: Arguments, given: tuple[str, ...]) -> None:
    """Raise TrainingError unless exactly these arguments are required."""
    needed = [name for name, required in arguments.items() if required]
    if other := [name for name in needed if name not in given]:
        raise TrainingError(
            f"{graph.name}: training a model with the argument `{other[0]}` is not supported yet"
        )
    if missing := [name for name in given if name not in arguments]:
        raise TrainingError(f"{graph.name}: training needs the argument `{missing[0]}`")


def vocabulary(graph: ModuleGraph, head: HeadFact) -> int:
    """Vocabulary size of a head's stack."""
    size = graph.stack_facts[head.stack].vocab_size
    if size is None:
        raise TrainingError(f"{graph.name}: the stack {head.stack} has no vocab_size")
    return size


TASKS: dict[tuple[str, str], Callable[[ModuleGraph, HeadFact, Arguments], Task]] = {
    ("language_model", "next_token"): _next_token,
    ("language_model", "labels"): _same_place,
    ("classifier", "labels"): _classes,
    ("contrastive", "softmax_pairs"): _pairs_of_images,
    ("patches", "squares"): _noise,
}
"""Type and loss of a head -> objective."""


def layers_of(model: nn.Module) -> tuple[str, ...]:
    """Names of the outermost lists of layers."""
    from torch import nn

    found: list[str] = []
    for name, module in model.named_modules():
        inside = any(name.startswith(f"{other}.") for other in found)
        if isinstance(module, nn.ModuleList) and not inside:
            found.append(name)
    return tuple(found)
