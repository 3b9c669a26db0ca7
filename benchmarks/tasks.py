"""The tasks that are timed: forward, training step, greedy decoding."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import torch
from torch import Tensor, nn

from .floor import products
from .measure import Candidate
from .models import BEFORE, BY_HAND, GROUPED, JOINED, LIBRARY, OURS, Rivals
from .peers import X_TRANSFORMERS, Case, rivals_of
from .plans import Plan

PROMPT, NEW = 64, 32
FLOOR = "its products"
Task = tuple[str, dict[str, Candidate]]


def timed_tasks(plan: Plan, case: Case) -> Iterator[Task]:
    """The tasks of a case in a table: name -> a function per candidate."""
    rivals = rivals_of(case, getattr(torch, plan.dtype), all_peers=plan.all_peers)
    return tasks_of(case, rivals, compiled=plan.compiled, wanted=plan.has_task)


def tasks_of(
    case: Case,
    rivals: Rivals,
    *,
    compiled: bool = False,
    wanted: Callable[[str], bool] = lambda name: True,
) -> Iterator[Task]:
    """The named tasks of a case: name -> a function per candidate."""
    if compiled:
        rivals = compiled_ones(rivals)
    for task, make in _tasks(case, rivals, compiled=compiled):
        name = f"{case.name} {task}"
        if wanted(name):
            yield name, make()


def _tasks(
    case: Case, rivals: Rivals, *, compiled: bool
) -> Iterator[tuple[str, Callable[[], dict[str, Candidate]]]]:
    for batch, length in ((1, 8), (8, 16)) if case.short else ((1, 256), (4, 64)):
        yield (
            f"forward, {batch} x {length}",
            partial(forward, case, rivals, batch, length, floor=not case.experts and not compiled),
        )
    if compiled:
        return
    if case.result == "pooler_output":
        batch, length = (8, 16) if case.short else (4, 64)
        yield (
            f"forward, {batch} x {length} padded",
            partial(padded, case, rivals, batch, length),
        )
    if case.training:
        yield "training step, 1 x 128", partial(training, case, rivals)
    if case.decodes:
        for batch in (1, 4):
            yield f"decode, {batch} x {PROMPT} + {NEW}", partial(decoding, case, rivals, batch)


def forward(
    case: Case, rivals: Rivals, batch: int, length: int, *, floor: bool
) -> dict[str, Candidate]:
    """A forward pass in inference mode; also the linear layers alone."""
    rivals.train(False)
    given = case.inputs(batch, length)

    def timed(run: Callable[..., Tensor]) -> Candidate:
        return torch.inference_mode()(lambda: run(*given))

    found = {name: timed(run) for name, run in rivals.call.items()}
    if floor:
        rows = [batch * length]
        found[FLOOR] = products(rivals.models[OURS], rows, rows if case.result == "logits" else [])
    return found


def compiled_ones(rivals: Rivals) -> Rivals:
    """The emitted model and that of `transformers`, both compiled by `torch.compile`."""
    torch.compiler.reset()
    call = {name: torch.compile(rivals.call[name]) for name in (OURS, LIBRARY)}
    return Rivals({name: rivals.models[name] for name in call}, call)


def padded(case: Case, rivals: Rivals, batch: int, length: int) -> dict[str, Candidate]:
    """A batch of texts of different lengths, with a mask, for models with the same weights."""
    (ids,) = case.inputs(batch, length)
    lengths = torch.linspace(length // 8, length, batch).long()[:, None]
    mask = (torch.arange(length) < lengths).long()
    names = [name for name in (OURS, LIBRARY, BY_HAND, JOINED) if name in rivals.call]

    def timed(name: str) -> Candidate:
        run = rivals.call[name]
        named = {"mask": mask} if name == LIBRARY else {}
        given = (ids,) if name == LIBRARY else (ids, mask)
        return torch.inference_mode()(lambda: run(*given, **named))

    return {name: timed(name) for name in names}


def training(case: Case, rivals: Rivals) -> dict[str, Candidate]:
    """Forward with dropout, loss, backward, and an SGD step with a negligible learning rate."""
    rivals.train(True)
    given = case.inputs(1, 128)

    def loss(result: Tensor) -> Tensor:
        if case.result != "logits":
            return result.square().mean()
        wanted = given[-1]
        shifted = (result[:, :-1], wanted[:, 1:]) if case.decodes else (result, wanted)
        return nn.functional.cross_entropy(shifted[0].flatten(0, 1).float(), shifted[1].flatten())

    def timed(name: str) -> Candidate:
        model, run = rivals.models[name], rivals.call[name]
        optimizer = torch.optim.SGD(model.parameters(), lr=1e-9)

        def step() -> None:
            optimizer.zero_grad()
            loss(run(*given)).backward()
            optimizer.step()
            optimizer.zero_grad()  # the next candidate finds the memory free

        return step

    return {name: timed(name) for name in rivals.models}


def decoding(case: Case, rivals: Rivals, batch: int) -> dict[str, Candidate]:
    """Greedy decoding with a cache; models with the same weights must decode the same tokens.

    Also the linear layers of one run alone: the prompt once, then one row per token.
    """
    rivals.train(False)
    (ids,) = case.inputs(batch, PROMPT)
    runs = {
        name: GENERATE[name](model, ids)
        for name, model in rivals.models.items()
        if name in GENERATE
    }
    alike = [name for name in runs if name != X_TRANSFORMERS]
    outputs = {name: runs[name]() for name in alike}
    exact = next(rivals.models[OURS].parameters()).dtype == torch.float32
    if exact and any(not torch.equal(outputs[OURS], other) for other in outputs.values()):
        raise RuntimeError(f"{case.name}: the candidates do not say the same")
    found: dict[str, Candidate] = dict(runs)
    if not case.experts:
        rows = [batch * PROMPT] + [batch] * (NEW - 1)
        found[FLOOR] = products(rivals.models[OURS], rows, [batch] * NEW)
    return found


def _ours(model: nn.Module, ids: Tensor) -> Callable[[], Tensor]:
    generate: Callable[..., Tensor] = model.generate
    return lambda: generate(ids, NEW, temperature=0, eos_token_id=None)


def _library(model: nn.Module, ids: Tensor) -> Callable[[], Tensor]:
    for name in ("bos_token_id", "eos_token_id", "pad_token_id"):
        setattr(model.generation_config, name, None)
    generate: Callable[..., Tensor] = model.generate
    mask = torch.ones_like(ids)
    return lambda: generate(
        ids, attention_mask=mask, max_new_tokens=NEW, do_sample=False, use_cache=True
    )


def _by_hand(model: nn.Module, ids: Tensor) -> Callable[[], Tensor]:
    generate: Callable[..., Tensor] = model.generate
    return lambda: generate(ids, NEW)


def _x_transformers(model: nn.Module, ids: Tensor) -> Callable[[], Tensor]:
    from x_transformers import AutoregressiveWrapper

    wrapped = AutoregressiveWrapper(model).eval()
    return lambda: wrapped.generate(ids, NEW, temperature=0.0, cache_kv=True)


GENERATE: dict[str, Callable[[nn.Module, Tensor], Callable[[], Tensor]]] = {
    OURS: _ours,
    JOINED: _ours,
    GROUPED: _ours,
    BEFORE: _ours,
    LIBRARY: _library,
    BY_HAND: _by_hand,
    X_TRANSFORMERS: _x_transformers,
}
