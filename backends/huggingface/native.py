"""Export to an existing `transformers` class, if one matches the spec.

The match is verified: the resulting config.json is imported again, and the two specs must be
equal.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...compiler import ModuleGraph
from ...spec import ModelSpec, SpecErrors, from_data
from .config import spec_data, values_of
from .errors import CheckpointError
from .families import FAMILIES
from .family import Family, Head
from .folder import Folder
from .inverse import guess, size
from .names import Move, Names
from .values import OtherFamilyError

if TYPE_CHECKING:
    from torch import Tensor

_NO_MATCH = (CheckpointError, SpecErrors, OtherFamilyError, ArithmeticError)
"""Exceptions of a row for a spec of another family, whose sizes may be 0; all others are bugs."""

# If several families match, the first in this order.
_FIRST = ("llama", "mistral", "gpt2", "bert", "roberta", "t5", "bart")

NOT_TIED = frozenset({"BigBirdPegasusForCausalLM", "EsmcForMaskedLM", "MoshiForCausalLM"})
"""Classes that do not tie their output projection, whatever `tie_word_embeddings` says."""


@dataclass(frozen=True)
class Native:
    """The matching family and class of the library, and the config.json."""

    family: Family
    class_name: str
    head: Head
    values: Mapping[str, Any]
    config: Mapping[str, Any]

    @property
    def generates(self) -> bool:
        """Whether the library's class has `generate`."""
        decodes = self.family.spec.get("family") != "encoder-only"
        head = self.head.spec.get("head")
        return decodes and isinstance(head, Mapping) and head.get("type") == "language_model"


def find_native(spec: ModelSpec) -> Native | None:
    """The first matching class of the library, or None."""
    wanted = canonical(spec)
    order = [*_FIRST, *(name for name in FAMILIES if name not in _FIRST)]
    known = [FAMILIES[name] for name in order]
    for family in (*known, *(family.other for family in known if family.other is not None)):
        if family.spec.get("family") != spec.family or family.inside:
            continue
        for name, head in family.heads.items():
            if head.partial:
                continue
            found = _try(spec, family, name, head)
            if found is None or (in_float32(spec) and not in_float32(found[0])):
                continue
            if canonical(found[0]) == wanted:
                return found[1]
    return None


def candidates(spec: ModelSpec, family: Family) -> Iterator[Native]:
    """The classes of a family, each with the config closest to the spec."""
    for name, head in family.heads.items():
        found = _try(spec, family, name, head)
        if found is not None:
            yield found[1]


def _try(spec: ModelSpec, family: Family, name: str, head: Head) -> tuple[ModelSpec, Native] | None:
    """The spec that is imported from this config; None if it cannot be imported."""
    if head.optional and not spec.heads:
        head = Head()
    kinds = [part["type"] if isinstance(part, Mapping) else None for part in _heads(head)]
    wanted = [part.type for part in spec.heads.values()]
    if len(kinds) != len(wanted) or any(
        k not in (w, None) for k, w in zip(kinds, wanted, strict=True)
    ):
        return None
    try:
        config = {"model_type": family.model_type, **guess(spec, family, head)}
        folder = Folder(Path(spec.name), config, None)
        values = values_of(folder, family, head)
        again = from_data(spec_data(folder, family, head, values))
    except _NO_MATCH:
        return None
    usual = {**family.defaults, **family.fixed, **head.defaults}
    for key, part in family.parts.items():
        config[key] = {**part.defaults, **part.fixed, **config.get(key, {})}
    whole = {"architectures": [name], **usual, **config}
    if spec.family == "decoder-only" and "decoder_layers" in whole:
        whole["encoder_layers"] = whole["decoder_layers"]  # by which the library sizes the cache
    return again, Native(family, name, head, values, whole)


def _heads(head: Head) -> list[Any]:
    """The head templates of a class."""
    if "head" in head.spec:
        return [head.spec["head"]]
    return list(head.spec.get("heads", {}).values())


def in_float32(spec: ModelSpec) -> bool:
    """Whether the residual stream of a float16 model is float32, as in some library classes."""
    blocks = (block for stack in spec.stacks.values() for block in stack.blocks.values())
    return any(getattr(block.residual, "float32", False) for block in blocks)


def canonical(spec: ModelSpec) -> dict[str, Any]:
    """A spec layer by layer, with derived defaults filled in, without names and `init`.

    The activations of its parts are compared, not those that are their defaults.
    """
    dumped = spec.model_dump()
    stacks = {}
    for name, stack in dumped["stacks"].items():
        blocks, _ = stack.pop("blocks"), stack.pop("activation")
        order = stack.pop("order")
        shared = {kind: order.index(kind) for kind in order if blocks[kind]["share"]}
        layers = [(shared.get(kind), _block(blocks[kind], stack["d_model"])) for kind in order]
        stacks[name] = {**stack, "layers": layers}
    whole = {"stacks": stacks, "heads": dumped["heads"], "family": dumped["family"]}
    rounded: dict[str, Any] = _rounded(whole)
    return rounded


def _rounded(value: Any) -> Any:
    """Numbers rounded to nine digits, so that 0.04419417382 equals 512 ** -0.5."""
    if isinstance(value, dict):
        return {key: _rounded(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_rounded(inner) for inner in value]
    return float(f"{value:.9g}") if isinstance(value, float) else value


def _block(block: Mapping[str, Any], width: int) -> dict[str, Any]:
    """A block with derived defaults filled in."""
    settled = {key: value for key, value in block.items() if key != "activation"}
    settled["residual"] = {k: v for k, v in (block["residual"] or {}).items() if k != "float32"}
    for branch in ("attention", "cross_attention"):
        part = dict(block[branch] or {})
        if part.get("type") == "mha":
            heads = part["heads"]
            part["kv_heads"] = part["kv_heads"] or heads
            part["head_dim"] = part["head_dim"] or width // heads
            part["value_dim"] = part["value_dim"] or part["head_dim"]
            part["scale"] = part["scale"] or part["head_dim"] ** -0.5
        if part.get("type") == "differential":
            part["kv_heads"] = part["kv_heads"] or part["heads"]
            part["head_dim"] = part["head_dim"] or width // (2 * part["heads"])
            part["scale"] = part["scale"] or part["head_dim"] ** -0.5
        settled[branch] = part
    part = dict(block["feed_forward"])
    if isinstance(part.get("d_ff"), str):
        part["d_ff"] = size(part["d_ff"], width)
    settled["feed_forward"] = part
    return settled


def native_tensors(
    native: Native, graph: ModuleGraph, weights: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """The weights with the library's names and layouts."""
    import torch

    names = Names(native.family, native.head, native.values)
    bare = not native.head.names or (native.class_name.endswith("Model") and not _tables(native))
    tensors: dict[str, Tensor] = {}
    for move in names.moves({name: tuple(x.shape) for name, x in weights.items()}):
        assert isinstance(move, Move), (
            f"{native.class_name} has no counterpart of the weight {move}"
        )
        parts = [weights[name] for name in move.ours]
        whole = move.layout.join(parts, native.values, torch.cat)
        for name, tensor in zip(move.theirs, move.layout.parted(whole), strict=True):
            own = names.is_of_the_head(name) and not name.startswith("pooler.")
            prefix = "" if bare or own else native.family.prefix
            for written in names.written_as(name):
                tensors[prefix + written] = tensor.contiguous().clone()
    if native.class_name in NOT_TIED:
        for output, table in native.head.untied.items():
            tensors.setdefault(output, tensors[native.family.prefix + table].clone())
    derived = native.family.derived(native.values) if native.family.derived is not None else {}
    prefix = "" if bare else native.family.prefix
    return tensors | {prefix + name: tensor.contiguous() for name, tensor in derived.items()}


def _tables(native: Native) -> bool:
    """Whether the class has a head, so that the names of the model itself have a prefix."""
    return any(not str(name).startswith("pooler") for name in native.head.names.values())
