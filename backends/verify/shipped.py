"""Template of the tests for a built file: `ship` writes the constants, then the text below.

`built` and the constants are placeholders for readers and the linter.
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
MODEL = ""  # name of its class
CONFIG: dict[str, Any] = {}  # fields of a small Config
WEIGHTS: dict[str, tuple[tuple[int, ...], float, float]] = {}  # shape, mean, amplitude
CASES: dict[str, dict[str, Any]] = {}  # arguments
EXPECTED: dict[str, dict[str, tuple[float, ...]]] = {}  # case -> output -> some of its values
STACKS: dict[str, dict[str, str]] = {}  # stack -> how it is called
CAUSAL: dict[str, str] = {}  # argument with ids -> stack that reads it
PADDED: dict[str, dict[str, str]] = {}  # case -> stack to test with padding -> its mask
CACHED: dict[str, Any] = {}  # stack with a cache, and arguments that are split
WORDS = "plain"  # case without vectors in the places of tokens
EXEMPT: tuple[str, ...] = ()  # weights without influence on the outputs

# -- tests

EXACT = 1e-9


def model() -> nn.Module:
    """A small model in float64 and eval mode; no weight has its initial value."""
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
    """Set each weight to mean + amplitude * wave, with a different wave for each."""
    for number, (name, weight) in enumerate(network.named_parameters()):
        _, centre, spread = weights[name]
        weight.copy_(centre + spread * wave(weight.shape, number))
    return network


def tensors(case: str) -> dict[str, Tensor]:
    """The arguments of a case: lists as tensors, and waves for floating-point inputs."""
    return {
        name: (
            wave(value["shape"], 0)[-value["last"] :]
            if isinstance(value, dict)
            else torch.tensor(value)
        )
        for name, value in CASES[case].items()
    }


def wave(shape: Sequence[int], number: int) -> Tensor:
    """Deterministic, non-repeating values in [-1, 1]; `number` selects the sequence."""
    place = torch.arange(math.prod(shape), dtype=torch.float64)
    return torch.sin(1.37 * place + 0.011 * place**2 + number).view(*shape)


def named(found: Any) -> dict[str, Tensor]:
    return found if isinstance(found, dict) else {"": found}


def same(found: Tensor, expected: Tensor, what: str) -> None:
    """Assert equality up to rounding; `what` begins the error message."""
    assert found.shape == expected.shape, what
    error = (found - expected).abs().max() / expected.abs().max().clamp(min=1e-30)
    assert error <= EXACT, f"{what}: {error:.1e}"


def hidden(network: nn.Module, stack: str, given: dict[str, Tensor]) -> Tensor:
    """The hidden states of a stack (B, T, D); the stack that it attends to is run first."""
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


def test_names_and_shapes_of_weights() -> None:
    stored = {name: tuple(weight.shape) for name, weight in model().state_dict().items()}
    assert stored == {name: shape for name, (shape, _, _) in WEIGHTS.items()}


@torch.no_grad()
def test_numbers() -> None:
    """Compare some of the outputs with stored values."""
    for case, results in EXPECTED.items():
        for name, found in named(model()(**tensors(case))).items():
            expected = torch.tensor(results[name], dtype=torch.float64)
            step = max(1, found.numel() // len(expected))
            same(found.flatten()[::step][: len(expected)], expected, f"{case}: {name}")


@torch.no_grad()
def test_causal_masks() -> None:
    network = model()
    for ids, stack in CAUSAL.items():
        given = tensors(WORDS)
        before = hidden(network, stack, given)
        for place in range(1, given[ids].size(1)):
            changed = {**given, ids: given[ids].clone()}
            changed[ids][:, place] = (changed[ids][:, place] + 1) % 2 + 1
            after = hidden(network, stack, changed)
            same(after[:, :place], before[:, :place], f"{ids}, token {place}")


@torch.no_grad()
def test_padding_does_not_change_outputs() -> None:
    network = model()
    for case, stacks in PADDED.items():
        given, alone = tensors(case), tensors(f"{case}, alone")
        for stack, mask in stacks.items():
            real = given[mask][1].bool()
            found = hidden(network, stack, given)[1][real]
            same(found, hidden(network, stack, alone)[0], f"{case}: {stack}")


@torch.no_grad()
def test_cached_steps_equal_a_full_pass() -> None:
    network = model()
    for case in CACHED.get("cases", ()):
        given = tensors(case)
        whole = hidden(network, CACHED["stack"], given)
        for sizes in ([1] * whole.size(1), [5] + [1] * whole.size(1), [4, 3, whole.size(1)]):
            same(steps(network, given, sizes, whole.size(1)), whole, f"{case}: {sizes[:2]}")


def steps(network: nn.Module, given: dict[str, Tensor], sizes: list[int], length: int) -> Tensor:
    """The concatenated hidden states of steps with a cache."""
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


def test_gradients_equal_finite_differences() -> None:
    """Central differences along one direction; the best of three step sizes counts."""
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
            for step in (1e-5, 1e-6, 1e-7):  # larger ones cross kinks
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
    """Replace the logits of the model by `scores` (rows, steps, vocabulary)."""
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
    """New tokens for `rows` copies of a prompt, (rows, new)."""
    names = list(inspect.signature(network.generate).parameters)
    given = tensors(WORDS)
    prompt = next(given[n] for n in (names[0], *given) if n in given)[:1]
    prompt = prompt.expand(rows, *prompt.shape[1:])
    start = prompt.size(1)
    if "decoder_start_token_id" in names:  # the default may be beyond a small vocabulary
        start, options["decoder_start_token_id"] = 1, 0
    found: Tensor = network.generate(prompt, max_new_tokens=new, **options)
    return found[:, start:]


def test_generation_stops_each_row() -> None:
    """Several end tokens; padding after the end of a row; stop after the last row has ended."""
    network: Any = model()
    if not hasattr(network, "generate"):
        return
    next_ids = torch.tensor([[6, 3, 6, 6, 3], [6, 6, 6, 4, 6]])
    scores = torch.nn.functional.one_hot(next_ids, max(16, int(next_ids.max()) + 1)).double()
    scripted(network, scores)
    found = generated(network, 2, 5, temperature=0.0, eos_token_id=(3, 4), pad_token_id=5)
    assert found.tolist() == [[6, 3, 5, 5], [6, 6, 6, 4]]


def test_sampling_frequencies() -> None:
    """Temperature, top-k and top-p with fixed logits; within 5.5 standard deviations."""
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
def test_tied_weights_of_a_copy() -> None:
    """Loading weights into a copy changes all uses of tied weights, and not the original."""
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
def test_no_dropout_in_eval_mode() -> None:
    network, given = model(), tensors("plain")
    for name, found in named(network(**given)).items():
        assert torch.equal(found, named(network(**given))[name])


@torch.no_grad()
def test_torch_compile() -> None:
    network, given = model(), tensors("plain")
    compiled = named(torch.compile(network, fullgraph=True, backend="aot_eager")(**given))
    for name, expected in named(network(**given)).items():
        same(compiled[name], expected, name)


@torch.no_grad()
def test_torch_export() -> None:
    network, given = model(), tensors("plain")
    program = torch.export.export(network, (), kwargs=given).module()
    for name, expected in named(network(**given)).items():
        same(named(program(**given))[name], expected, name)


if __name__ == "__main__":
    for title, test in list(globals().items()):
        if title.startswith("test_"):
            test()
            print(f"{title}: ok")
