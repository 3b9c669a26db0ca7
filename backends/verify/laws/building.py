"""Laws of the file: build options, `Config` and shared weights."""

from __future__ import annotations

import copy
import dataclasses
import sys
from contextlib import nullcontext
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import torch

from ....compiler.passes.keep_weights import why_no_weights
from ...pytorch import BuildOptions, emit_file
from ...pytorch.grouped import why_not_grouped
from ...pytorch.static import why_not_static
from ..arguments import Array, Data
from ..measure import Largest, Measured, NotHere, as_array
from ..subject import Subject
from .cached import reading_stream, steps
from .choice import tied_at
from .derivatives import total
from .dropping import Scales
from .equality import FLOOR
from .fresh import initial
from .generating import generation
from .sampling import generated

MORE = 3
"""New tokens for which a static cache has room, and by how many more it has."""

# -- build options


def options(subject: Subject) -> Measured | NotHere:
    """All build options give the same weight names, outputs, cached steps, tokens and gradients.

    Tested are each option by itself and all together; with `thorough`, all combinations.
    """
    largest, tried = Largest(), []
    for chosen in combinations(subject):
        other = _built(subject, chosen)
        words = " ".join(chosen.words())
        tried.append(words)
        _same(subject, other, words, largest)
    if not why_not_grouped(subject.graph) and hasattr(torch.nn.functional, "grouped_mm"):
        tried.append("--experts grouped")
        _same_experts(subject, largest)
    return largest.measured(f"{len(tried)} combinations")


def _same_experts(subject: Subject, largest: Largest) -> None:
    """`--experts grouped` equals `split`, in float32, because `grouped_mm` lacks float64."""
    other = _built(subject, BuildOptions(experts="grouped"))
    models = [one.fresh("float32") for one in (subject, other)]
    apart = Largest()
    for case in ("plain", "padded left"):
        data = subject.data(case)
        expected, found = (subject.results(data, model) for model in models)
        for name, value in found.items():
            apart.compare(value, expected[name], f"--experts grouped, {case}: {name}")
    if apart.error > FLOOR["float32"]:
        largest.take(apart.error, apart.where)


def combinations(subject: Subject) -> list[BuildOptions]:
    """The option combinations that are possible for the model, without the default."""
    names = [f.name for f in dataclasses.fields(BuildOptions) if f.default is False]
    names.remove("beam_search")  # a method beside the others
    reasons = {
        "static_cache": why_not_static(subject.graph),
        "attention_weights": why_no_weights(subject.graph),
    }
    impossible = {name for name, reason in reasons.items() if reason}
    needs_tiles = any(op.attrs.get("forced") for op in subject.graph.ops())
    found = []
    for values in product((False, True), repeat=len(names)):
        asked: dict[str, Any] = dict(zip(names, values, strict=True))
        count = sum(values)
        most = len(names) - len(impossible)
        if not count or any(asked[name] for name in impossible):
            continue
        if subject.thorough or count in (1, most):
            dense = needs_tiles and any(asked[name] for name in reasons)  # these have no tiles
            found.append(BuildOptions(**asked, kernel="dense" if dense else "auto"))
    return found


def _built(subject: Subject, chosen: BuildOptions) -> Subject:
    """The same model, built with options."""
    text = emit_file(subject.graph, chosen).text
    return replace(subject, text=text)


def _same(subject: Subject, other: Subject, words: str, largest: Largest) -> None:
    stored = {name: value.shape for name, value in other.model.state_dict().items()}
    if stored != {name: value.shape for name, value in subject.model.state_dict().items()}:
        largest.take(float("inf"), f"{words}: names or shapes of weights differ")
        return
    for name, value in other.model.state_dict().items():
        largest.compare(value, subject.weights.get(name, value), f"{words}: {name}")
    for case in ("plain", "padded left"):
        data = subject.data(case)
        if tied_at(subject, data):
            continue
        found, expected = other.results(data), subject.results(data)
        for name, value in found.items():
            largest.compare(value, expected[name], f"{words}, {case}: {name}")
    laws = {"steps": steps(other), "generation": generation(other, training=False)}
    for name, measured in {**laws, "init": initial(other)}.items():
        if isinstance(measured, Measured):
            wrong = float("inf") if name == "init" and measured.error else measured.error
            largest.take(wrong, f"{words}, {name}: {measured.where}")
    _same_training(subject, other, words, largest)
    if "--static-cache" in words and hasattr(other.model, "generate"):
        _capacities(other, words, largest)


def _capacities(other: Subject, words: str, largest: Largest) -> None:
    """`generate` fills a static cache of any capacity; one that is too small is an error."""
    limit = int(other.graph.limits.get(other.cached) or 10**9)
    if reading_stream(other).longest + 2 * MORE > limit:
        return
    model, given = other.fresh(), {"max_new_tokens": MORE, "temperature": 0.0, "eos_token_id": None}
    file, made = vars(sys.modules[type(model).__module__]), []
    kind = file["Cache"]

    def cache(capacity: int, *more: Any) -> Any:
        made.append(capacity)
        return kind(capacity, *more)

    file["Cache"] = cache
    try:
        usual = generated(other, model, 1, **given)
        least = made[-1]
        wider = generated(other, model, 1, capacity=least + MORE, **given)
        largest.compare(wider, usual, f"{words}, a cache with more room")
        if made[-1] != least + MORE:
            largest.take(float("inf"), f"{words}: a cache of {made[-1]}, not {least + MORE}")
        try:
            generated(other, model, 1, capacity=least - 1, **given)
        except ValueError:
            return
    finally:
        file["Cache"] = kind
    largest.take(float("inf"), f"{words}: a cache of {least - 1} for {least} tokens is no error")


def _same_training(subject: Subject, other: Subject, words: str, largest: Largest) -> None:
    """Outputs in training mode, and the norm of the gradient of all weights.

    Other files may drop in another order, so a factor stands for dropout. Torch does not apply it
    to layers that are recomputed: these are compared with random dropout, or by their outputs.
    """
    factor = words != "--gradient-checkpointing"
    outputs_only = factor and "--gradient-checkpointing" in words
    found = []
    for one in (subject, other):
        model = one.fresh().train()
        with torch.random.fork_rng(devices=[]), Scales() if factor else nullcontext():
            torch.manual_seed(0)  # recomputation must use the same dropout masks
            value = total(one, model, one.data("plain"))()
            if not outputs_only:  # recomputed without the factor, experts may get other tokens
                value.backward()  # type: ignore[no-untyped-call]
        grads = [w.grad.square().sum() for w in model.parameters() if w.grad is not None]
        norm = float(torch.stack(grads).sum().sqrt()) if grads else 0.0
        found.append([float(value.detach()), norm])
    for what in range(1 if outputs_only else 2):
        where = f"{words}: {('training outputs', 'gradient norm in training')[what]}"
        largest.compare(found[1][what], found[0][what], where)


# -- shared weights


def sharing(subject: Subject) -> Measured | NotHere:
    """Each name has its own storage; tied weights and shared layers have one storage.

    Weights that are replaced by `load_state_dict(assign=True)` or in a deep copy affect all their
    uses, and the original model is unchanged.
    """
    largest, model = Largest(), subject.fresh()
    places: dict[int, str] = {}
    for name, weight in model.named_parameters(remove_duplicate=False):
        other = places.setdefault(weight.data_ptr(), name)
        if other != name and weight.numel():
            largest.take(float("inf"), f"{name} is the same tensor as {other}, but is listed twice")
    data = subject.data("plain")
    if tied_at(subject, data):
        return largest.measured() if largest.compared else NotHere("experts tie")
    generator = np.random.default_rng(0)
    others = {
        name: weight * generator.uniform(0.5, 1.5, weight.shape)
        for name, weight in subject.weights.items()
    }
    expected, first = subject.reference(data, others), subject.results(data, model)
    assigned, copied = subject.fresh(), copy.deepcopy(model)
    state = {name: torch.from_numpy(w).to(subject.device) for name, w in others.items()}
    assigned.load_state_dict(state, assign=True)
    copied.load_state_dict(state)
    if not tied_with(subject, data, others):
        for what, one in (("assigned", assigned), ("in a copy", copied)):
            for name, value in subject.results(data, one).items():
                largest.compare(value, expected[name], f"weights {what}: {name}")
    for name, value in subject.results(data, model).items():
        largest.compare(value, as_array(first[name]), f"after a copy was changed: {name}")
    return largest.measured()


def tied_with(subject: Subject, data: Data, weights: dict[str, Array]) -> bool:
    """Whether experts have equal scores with these weights."""
    return subject.chooses and subject.choices(data, weights).margin < 1e-9
