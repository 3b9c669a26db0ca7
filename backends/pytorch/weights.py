"""Load and save weights by logical name."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ...outputs import replacing
from ..checkpoint_errors import CheckpointError, limited
from .quantized import (
    KEY,
    QuantizationError,
    flattened,
    is_quantized,
    kind_of,
    load_quantized,
    packed,
)

if TYPE_CHECKING:
    from torch import Tensor, nn

    from ..checkpoint_files import Weights

WRAPPERS = ("_orig_mod", "module", "model")
"""Prefixes that `torch.compile`, data parallelism, Hugging Face and Lightning add to names."""

Shapes = dict[str, tuple[int, ...]]


class WeightsError(ValueError):
    """A checkpoint does not match the model; the message lists all differences."""


def save_weights(model: nn.Module, path: str | Path) -> None:
    """Write a model's weights to a safetensors file.

    The names are those of the model inside `torch.compile`, DataParallel and similar wrappers. The
    file is written under a temporary name and renamed when complete.

    A model quantized by `quantize` is saved with the kind in the metadata; `load_weights` reads it.

    Raises WeightsError for a model on the meta device, whose weights have no values, for one that
    was quantized otherwise, and for joined projections in int4 and float8. Raises OutputError for a
    file that cannot be written.
    """
    from ..tensor_files import write_tensors

    kind = getattr(_unwrapped(model), KEY, None)
    try:
        state = {name: tensor.detach() for name, tensor in _unwrapped(model).state_dict().items()}
    except NotImplementedError:  # torchao's tensors cannot be split
        message = f"joined projections in {kind} cannot be saved; compile without join_projections"
        raise WeightsError(message) from None
    if any(tensor.is_meta for tensor in state.values()):
        raise WeightsError("the model is on the meta device, so its weights have no values to save")
    if kind is None and any(is_quantized(tensor) for tensor in state.values()):
        raise WeightsError("the model was not quantized by `quantize`, so it cannot be saved here")
    state = {
        _unprefixed(name): tensor.contiguous()
        for name, tensor in packed(flattened(state), kind).items()
    }
    with replacing(Path(path)) as fresh:
        write_tensors(state, fresh, None if kind is None else {KEY: kind})


def _unwrapped(model: nn.Module) -> nn.Module:
    """The model inside wrappers such as `torch.compile` or DataParallel."""
    inner = dict(model.named_children())
    if len(inner) == 1 and inner.keys() <= {"_orig_mod", "module"}:
        return _unwrapped(next(iter(inner.values())))
    return model


def _unprefixed(name: str) -> str:
    """The name of a weight of a model whose layers are wrapped by `torch.compile`."""
    return ".".join(part for part in name.split(".") if part != "_orig_mod")


def load_weights(model: nn.Module, path: str | Path, *, strict: bool = True) -> nn.Module:
    """Load a checkpoint into a model, one tensor at a time. Returns the model.

    The model may be inside `torch.compile`, DataParallel and similar wrappers. Tensors are cast to
    the dtype of the model and moved to its device. A model on the meta device gets the tensors of
    the file, on the CPU and in its own dtype.

    path: a safetensors file, which may be quantized, a state dict written by `torch.save` (read
        with `weights_only=True`), the index of a sharded checkpoint, or a folder with either. Names
        may have the prefixes `model.`, `module.` and `_orig_mod.` of wrappers
    strict: raise for missing and unexpected tensors; if False, missing weights keep their values
        and other tensors are ignored

    Raises WeightsError, before anything is changed, for tensors that are missing, unexpected, of
    another shape or not floating-point.
    """
    import torch

    if kind := kind_of(Path(path)):
        try:
            load_quantized(_unwrapped(model), Path(path), kind)
        except QuantizationError as error:
            raise WeightsError(str(error)) from None
        return model
    module = _unwrapped(model)
    own = {_unprefixed(name): name for name in module.state_dict()}
    target = {_unprefixed(name): tensor for name, tensor in module.state_dict().items()}
    with _reading(path) as found:
        stored = _logical_names(found.shapes, target)
        _check(found, stored, target, path, strict)
        with found.opened() as read, torch.no_grad():
            state = {
                own[name]: read(stored[name]).to(tensor.dtype) if tensor.is_meta else tensor
                for name, tensor in target.items()
                if name in stored
            }
            if any(tensor.is_meta for tensor in target.values()):
                module.load_state_dict(state, strict=False, assign=True)
            for name, tensor in target.items():
                if name in stored and not tensor.is_meta:
                    tensor.copy_(read(stored[name]))
    return model


def read_tensors(path: str | Path, wanted: Collection[str]) -> dict[str, Tensor]:
    """Read the tensors `wanted` (logical names) from a checkpoint."""
    with _reading(path) as found:
        stored = _logical_names(found.shapes, wanted)
        with found.opened() as read:
            return {name: read(own) for name, own in stored.items()}


@contextmanager
def _reading(path: str | Path) -> Iterator[Weights]:
    """The tensors at a path. Errors in its files are raised as WeightsErrors."""
    from ..checkpoint_files import weights_at

    try:
        yield weights_at(Path(path))
    except CheckpointError as error:
        raise WeightsError(f"{Path(path).name}: {'; '.join(limited(error.problems))}") from None


def _logical_names(stored: Iterable[str], wanted: Collection[str]) -> dict[str, str]:
    """Logical name -> name in the file, without prefixes of wrappers.

    Raises WeightsError if a weight occurs twice, with and without a prefix.
    """
    found: dict[str, str] = {}
    for name in stored:
        logical = _logical_name(name, wanted)
        if logical in found:
            raise WeightsError(f"{logical} is in the file twice: as {found[logical]} and {name}")
        found[logical] = name
    return found


def _logical_name(name: str, wanted: Collection[str]) -> str:
    parts = name.split(".")
    for start in range(len(parts)):
        rest = ".".join(parts[start:])
        if rest in wanted:
            return rest
        inner = ".".join(part for part in parts[start:] if part != "_orig_mod")
        if inner in wanted:
            return inner
        if parts[start] not in WRAPPERS:
            break
    return name


def _check(
    found: Weights,
    stored: dict[str, str],
    target: dict[str, Tensor],
    path: str | Path,
    strict: bool,
) -> None:
    """Raise WeightsError if the tensors do not fit the model."""
    from ..checkpoint_readers import not_floating

    wanted = {name: tuple(tensor.shape) for name, tensor in target.items()}
    there = {name: found.shapes[own] for name, own in stored.items()}
    if not strict:
        empty = [name for name, tensor in target.items() if tensor.is_meta and name not in there]
        if empty:
            raise WeightsError(
                f"the model is on the meta device, but {len(empty)} of its weights are missing in "
                f"{Path(path).name}, such as {empty[0]}"
            )
        both = wanted.keys() & there.keys()
        if wanted and not both:
            raise WeightsError(f"{Path(path).name} contains none of the model's weights")
        wanted, there = {n: wanted[n] for n in both}, {n: there[n] for n in both}
    check_shapes(wanted, there, Path(path).name, note=_note(Path(path), found.shapes))
    problems = [not_floating(own, found.dtypes[own]) for n, own in stored.items() if n in wanted]
    if refused := [problem for problem in problems if problem]:
        text = "\n  ".join(limited(refused))
        raise WeightsError(f"{Path(path).name} does not match the model:\n  {text}")


_LIBRARY = ("self_attn.q_proj", "attention.self.query", "attn.c_attn", "SelfAttention.q")


def _note(path: Path, names: Iterable[str]) -> str | None:
    """A hint for a checkpoint in another format."""
    from ..checkpoint_files import shard_note

    if any(part in name for name in names for part in _LIBRARY):
        return "this is a Hugging Face checkpoint; load it with `modelwright.from_pretrained`"
    return shard_note(path)


def check_shapes(wanted: Shapes, found: Shapes, file: str, *, note: str | None = None) -> None:
    """Raise WeightsError, which lists all differences between `wanted` and `found`.

    note: last line of the message
    """
    missing = [f"missing: {name} {wanted[name]}" for name in sorted(wanted.keys() - found.keys())]
    unexpected = [
        f"unexpected: {name} {found[name]}" for name in sorted(found.keys() - wanted.keys())
    ]
    shapes = [
        f"shape of {name}: {found[name]} in the file, {wanted[name]} in the model"
        for name in sorted(wanted.keys() & found.keys())
        if wanted[name] != found[name]
    ]
    problems = [*limited(missing, "missing"), *limited(unexpected, "unexpected")]
    problems += limited(shapes, "of another shape")
    if problems:
        lines = [f"{file} does not match the model:", *problems, *([] if note is None else [note])]
        raise WeightsError("\n  ".join(lines))
