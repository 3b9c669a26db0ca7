"""The laws that go with a built file: `ship` writes the facts about a model, and this text below.

`built` and the facts stand here for readers and the linter; a shipped file has its own.
"""

from __future__ import annotations

import copy
import inspect
import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

built: Any = None  # the module of the built file
MODEL = ""  # its class
CONFIG: dict[str, Any] = {}  # sizes that make it small
WEIGHTS: dict[str, tuple[tuple[int, ...], float, float]] = {}  # shape, centre, spread
CASES: dict[str, dict[str, Any]] = {}  # arguments
EXPECTED: dict[str, dict[str, tuple[float, ...]]] = {}  # case -> result -> some numbers
STACKS: dict[str, dict[str, str]] = {}  # stack -> how it is called
CAUSAL: dict[str, str] = {}  # ids -> the stack that they are read by
PADDED: dict[str, dict[str, str]] = {}  # case -> stacks that padding does not move -> their masks
CACHED: dict[str, Any] = {}  # the stack that keeps a cache, and what it is given in pieces
EXEMPT: tuple[str, ...] = ()  # weights that cannot matter

# -- the laws

EXACT = 1e-9


def model() -> nn.Module:
    """A small model in float64 whose weights are waves: no two alike, and none at rest."""
    torch.set_default_dtype(torch.float64)
    try:
        made: nn.Module = getattr(built, MODEL)(built.Config(**CONFIG))
    finally:
        torch.set_default_dtype(torch.float32)
    return waves(made, WEIGHTS).eval()


@torch.no_grad()
def waves(
    network: nn.Module, weights: dict[str, tuple[tuple[int, ...], float, float]]
) -> nn.Module:
    """Set each weight to a wave of its own, about its centre, as far as its spread."""
    for number, (name, weight) in enumerate(network.named_parameters()):
        _, centre, spread = weights[name]
        weight.copy_(centre + spread * wave(weight.shape, number))
    return network


def tensors(case: str) -> dict[str, Tensor]:
    """The arguments of a case: ids as they are written, and the last rows of waves."""
    return {
        name: (
            wave(value["shape"], 0)[-value["last"] :]
            if isinstance(value, dict)
            else torch.tensor(value)
        )
        for name, value in CASES[case].items()
    }


def wave(shape: Sequence[int], number: int) -> Tensor:
    """Numbers from -1 to 1 that do not repeat; another wave for each `number`."""
    place = torch.arange(math.prod(shape), dtype=torch.float64)
    return torch.sin(1.37 * place + 0.011 * place**2 + number).view(*shape)


def named(found: Any) -> dict[str, Tensor]:
    return found if isinstance(found, dict) else {"": found}


def same(found: Tensor, expected: Tensor, what: str) -> None:
    """Equal but for rounding; `what` says where they are not."""
    assert found.shape == expected.shape, what
    error = (found - expected).abs().max() / expected.abs().max().clamp(min=1e-30)
    assert error <= EXACT, f"{what}: {error:.1e}"


def hidden(network: nn.Module, stack: str, given: dict[str, Tensor]) -> Tensor:
    """The hidden states of a stack; `x` are embedded ids, a memory is what another stack gives."""
    facts = STACKS[stack]
    call = getattr(network, facts["method"])
    wanted = inspect.signature(getattr(call, "forward", call)).parameters
    own = {name: value for name, value in given.items() if name in wanted}
    if "table" in facts:
        own["x"] = getattr(network, facts["table"])(given[facts["ids"]])
    if "memory" in facts:
        own[facts["memory"]] = hidden(network, facts["reads"], given)
    found: Tensor = call(**own)
    return found


def test_weights_have_their_names_and_shapes() -> None:
    stored = {name: tuple(weight.shape) for name, weight in model().state_dict().items()}
    assert stored == {name: shape for name, (shape, _, _) in WEIGHTS.items()}


@torch.no_grad()
def test_numbers() -> None:
    """Some of the numbers that these weights give."""
    for case, results in EXPECTED.items():
        for name, found in named(model()(**tensors(case))).items():
            expected = torch.tensor(results[name], dtype=torch.float64)
            step = max(1, found.numel() // len(expected))
            same(found.flatten()[::step][: len(expected)], expected, f"{case}: {name}")


@torch.no_grad()
def test_nothing_leaks_from_the_future() -> None:
    network = model()
    for ids, stack in CAUSAL.items():
        given = tensors("plain")
        before = hidden(network, stack, given)
        for place in range(1, given[ids].size(1)):
            changed = {**given, ids: given[ids].clone()}
            changed[ids][:, place] = (changed[ids][:, place] + 1) % 2 + 1
            after = hidden(network, stack, changed)
            same(after[:, :place], before[:, :place], f"{ids}, place {place}")


@torch.no_grad()
def test_padding_changes_nothing() -> None:
    network = model()
    for case, stacks in PADDED.items():
        given, alone = tensors(case), tensors(f"{case}, alone")
        for stack, mask in stacks.items():
            real = given[mask][1].bool()
            found = hidden(network, stack, given)[1][real]
            same(found, hidden(network, stack, alone)[0], f"{case}: {stack}")


@torch.no_grad()
def test_cached_steps_equal_the_whole() -> None:
    network = model()
    for case in CACHED.get("cases", ()):
        given = tensors(case)
        whole = hidden(network, CACHED["stack"], given)
        for sizes in ([1] * whole.size(1), [5] + [1] * whole.size(1), [4, 3, whole.size(1)]):
            same(steps(network, given, sizes, whole.size(1)), whole, f"{case}: {sizes[:2]}")


def steps(network: nn.Module, given: dict[str, Tensor], sizes: list[int], length: int) -> Tensor:
    """The hidden states of pieces of a text, joined."""
    cache = built.Cache(length)
    found, start = [], 0
    for size in sizes:
        end = min(start + size, length)
        if end > start:
            step = {n: v[:, start:end] if n in CACHED["new"] else v for n, v in given.items()}
            step |= {n: v[:, :end] for n, v in given.items() if n in CACHED["seen"]}
            found.append(hidden(network, CACHED["stack"], {**step, "cache": cache}))
        start = end
    return torch.cat(found, dim=1)


def test_every_weight_gets_a_gradient() -> None:
    network = model()
    results = named(network(**tensors("plain"))).values()
    total = sum((r * torch.linspace(1, 2, r.numel()).view_as(r)).sum() for r in results)
    assert isinstance(total, Tensor)
    total.backward()  # type: ignore[no-untyped-call]
    lost = [n for n, w in network.named_parameters() if w.grad is None or not w.grad.any()]
    assert set(lost) <= set(EXEMPT), lost
    assert all(w.grad is None or w.grad.isfinite().all() for w in network.parameters())


def test_gradients_are_what_small_steps_say() -> None:
    """Central differences along a wave; of three steps the one that fits best counts."""
    network, given = model(), tensors("plain")

    def total() -> Tensor:
        results = named(network(**given)).values()
        found = torch.zeros((), dtype=torch.float64)
        for result in results:
            found = found + (result * wave(result.shape, 1)).sum()
        return found

    value = total()
    value.backward()  # type: ignore[no-untyped-call]
    weights = {n: w for n, w in network.named_parameters() if w.grad is not None}
    largest = max(float(w.grad.norm()) for w in weights.values() if w.grad is not None)
    with torch.no_grad():
        for name, weight in weights.items():
            assert weight.grad is not None
            way, before, errors = wave(weight.shape, 2), weight.clone(), []
            usual = max(float(weight.grad.norm()), 1e-7 * largest)
            for step in (1e-4, 1e-5, 1e-6):
                ends = []
                for sign in (1, -1):
                    weight.copy_(before + sign * step * way)
                    ends.append(float(total()))
                slope = (ends[0] - ends[1]) / (2 * step)
                rounding = 1e-14 * abs(float(value)) / step
                off = abs(slope - float((weight.grad * way).sum())) - rounding
                errors.append(off / max(usual, 1e-30))
            weight.copy_(before)
            assert min(errors) <= 1e-4, f"{name}: {min(errors):.1e}"


def scripted(network: Any, scores: Tensor) -> None:
    """Give the model these scores (rows, steps, V) in place of its own, and no hidden states."""
    steps = iter(range(scores.size(1)))

    def states(x: Tensor, *_: Any, **__: Any) -> Tensor:
        return torch.zeros(x.size(0), 1, 1)

    for facts in STACKS.values():
        if facts["method"] == "hidden_states":
            vars(network)["hidden_states"] = states
        else:
            vars(getattr(network, facts["method"]))["forward"] = states
    vars(network)["logits"] = lambda x: scores[:, next(steps)][:, None]


def generated(network: Any, rows: int, new: int, **options: Any) -> Tensor:
    """The new tokens of so many rows with the same prompt."""
    names = list(inspect.signature(network.generate).parameters)
    given = tensors("plain")
    prompt = next(given[n] for n in (names[0], *given) if n in given)[:1]
    prompt = prompt.expand(rows, *prompt.shape[1:])
    found: Tensor = network.generate(prompt, max_new_tokens=new, **options)
    start = 1 if "decoder_start_token_id" in names else prompt.size(1)
    return found[:, start:]


def test_generation_ends_each_row_by_itself() -> None:
    """Several end tokens, padding after the end, and no step more than the last row needs."""
    network: Any = model()
    if not hasattr(network, "generate"):
        return
    said = torch.tensor([[6, 3, 6, 6, 3], [6, 6, 6, 4, 6]])
    scores = torch.nn.functional.one_hot(said, max(16, int(said.max()) + 1)).double()
    scripted(network, scores)
    found = generated(network, 2, 5, temperature=0.0, eos_token_id=(3, 4), pad_token_id=5)
    assert found.tolist() == [[6, 3, 5, 5], [6, 6, 6, 4]]


def test_sampling_has_the_support_and_the_frequencies() -> None:
    """Of fixed scores: temperature, top-k and top-p, 5.5 standard deviations at most."""
    network: Any = model()
    if not hasattr(network, "generate"):
        return
    rows, logits = 4000, torch.tensor([0.0, 2.0, 1.0, -1.0, 1.5, 0.5], dtype=torch.float64)
    settings: tuple[tuple[dict[str, Any], int], ...] = (
        ({}, 6),
        ({"temperature": 0.5}, 6),
        ({"top_k": 3}, 3),
        ({"top_p": 0.8}, 3),
    )
    for options, count in settings:
        scripted(network, logits.expand(rows, 1, -1))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            found = generated(network, rows, 1, eos_token_id=None, **options).flatten()
        order = logits.argsort(descending=True)[:count]
        expected = torch.zeros(6, dtype=torch.float64)
        expected[order] = (logits[order] / options.get("temperature", 1.0)).softmax(0)
        counts = found.bincount(minlength=6).double()
        apart = (counts - rows * expected).abs()
        spread = (rows * expected * (1 - expected)).sqrt()
        assert bool((apart <= 5.5 * spread + (expected > 0)).all()), (options, counts.tolist())


@torch.no_grad()
def test_ties_hold_in_a_copy() -> None:
    """Other weights reach every place of a copy that uses them, and not the first model."""
    network, given = model(), tensors("plain")
    before, copied = named(network(**given)), copy.deepcopy(network)
    places = [w.data_ptr() for _, w in network.named_parameters(remove_duplicate=False)]
    assert len(set(places)) == len(places)
    assigned = model()
    state = {name: 1.25 * weight for name, weight in network.state_dict().items()}
    copied.load_state_dict(state)
    assigned.load_state_dict(state, assign=True)
    for name, found in named(copied(**given)).items():
        same(named(assigned(**given))[name], found, name)
        same(named(network(**given))[name], before[name], name)


@torch.no_grad()
def test_init_weights_sets_every_weight() -> None:
    network = model()
    for weight in network.parameters():
        weight.fill_(torch.nan)
    network.init_weights()  # type: ignore[operator]
    assert not [n for n, w in network.named_parameters() if not w.isfinite().all()]


@torch.no_grad()
def test_dropout_is_for_training_alone() -> None:
    network, given = model(), tensors("plain")
    for name, found in named(network(**given)).items():
        assert torch.equal(found, named(network(**given))[name])


@torch.no_grad()
def test_compiled_in_one_graph() -> None:
    network, given = model(), tensors("plain")
    compiled = named(torch.compile(network, fullgraph=True, backend="aot_eager")(**given))
    for name, expected in named(network(**given)).items():
        same(compiled[name], expected, name)


@torch.no_grad()
def test_exported() -> None:
    network, given = model(), tensors("plain")
    program = torch.export.export(network, (), kwargs=given).module()
    for name, expected in named(network(**given)).items():
        same(named(program(**given))[name], expected, name)


if __name__ == "__main__":
    for title, test in list(globals().items()):
        if title.startswith("test_"):
            test()
            print(f"{title}: ok")
