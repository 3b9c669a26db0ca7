"""Laws of `generate` with fixed logits: which tokens it samples, how often, and when it stops.

The model's hidden states and logits are replaced, so only the loop is tested. Thousands of rows are
cheap, and the expected result is known.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from ..arguments import Array
from ..measure import Measured, NotHere
from ..subject import Subject
from .cached import reading_stream

ROWS = 5_000
SIGMAS = 5.5
"""Tolerance of a count in standard deviations."""

SETTINGS: tuple[dict[str, Any], ...] = (
    {},
    {"temperature": 0.0},
    {"temperature": 0.4},
    {"temperature": 3.0},
    {"top_k": 1},
    {"top_k": 4},
    {"top_k": 0},
    {"top_k": 10**6},
    {"top_p": 0.0},
    {"top_p": 0.35},
    {"top_p": 0.9},
    {"top_p": 1.0},
    {"temperature": 1.7, "top_k": 6, "top_p": 0.7},
)
"""Settings of `generate`; others have their defaults: temperature 1 and no limits."""

NO_GENERATE = NotHere("the model has no `generate`")


def sampling(subject: Subject) -> Measured | NotHere:
    """Samples from fixed logits have the support and the frequencies of the settings.

    Logits are divided by the temperature; then the `top_k` largest are kept, and of these the
    fewest whose probabilities reach `top_p`. Even and odd rows have different logits. The seed is
    fixed; counts may differ by 5.5 standard deviations.
    """
    model = subject.fresh()
    if not hasattr(model, "generate"):
        return NO_GENERATE
    size = vocabulary(subject)
    scores = np.stack([_scores(size, seed) for seed in (0, 1)])
    table = torch.from_numpy(scores).repeat(ROWS // 2, 1)
    wrong: list[str] = []
    for given in SETTINGS:
        with (
            _fixed(subject, model, lambda step, rows: table[:rows]),
            torch.random.fork_rng(devices=[]),
        ):
            torch.manual_seed(0)
            tokens = generated(subject, model, ROWS, max_new_tokens=1, eos_token_id=None, **given)
        for parity in (0, 1):
            counts = np.bincount(tokens[parity::2, -1], minlength=size)
            problem = _unlike(counts, probabilities(scores[parity], **given))
            if problem:
                words = ", ".join(f"{key}={value}" for key, value in given.items()) or "defaults"
                wrong.append(f"{words}: {problem}")
    wrong += _in_low_precision(subject, model, table)
    return Measured(len(wrong), 0, wrong[0] if wrong else f"{len(SETTINGS)} settings")


class Narrow(TorchFunctionMode):
    """Records the functions that sum or compare probabilities in half precision."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any | None = None
    ) -> Any:
        name = getattr(func, "__name__", "")
        if name in PROBABILITIES and args[0].dtype == torch.bfloat16:
            self.found.append(name)
        return func(*args, **(kwargs or {}))


PROBABILITIES = {"softmax", "cumsum", "multinomial"}


def _in_low_precision(subject: Subject, model: nn.Module, table: Tensor) -> list[str]:
    """Logits in bfloat16 are sampled in float32: cumulated probabilities need its digits."""
    with (
        _fixed(subject, model, lambda step, rows: table[:rows].bfloat16()),
        torch.random.fork_rng(devices=[]),
        Narrow() as narrow,
    ):
        generated(subject, model, 4, max_new_tokens=1, eos_token_id=None, **SETTINGS[-1])
    return [f"`{name}` of logits in bfloat16 is computed in bfloat16" for name in narrow.found[:1]]


def vocabulary(subject: Subject) -> int:
    """Number of logits."""
    return int(next(iter(subject.results(subject.data("plain")).values())).shape[-1])


def _scores(size: int, seed: int) -> Array:
    """Distinct logits; the largest differ enough that no setting is at a boundary."""
    found: Array = -np.sqrt(np.arange(size)) * 0.9
    return np.random.default_rng(seed).permutation(found)


def probabilities(
    scores: Array,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
) -> Array:
    """The probability of each token, (V,) from logits (V,).

    The nucleus: Holtzman et al., 2019, arXiv:1904.09751; top-k: Fan et al., 2018, arXiv:1805.04833.
    """
    order = np.argsort(-scores)
    if temperature == 0:
        best: Array = np.eye(len(scores))[order[0]]
        return best
    weights = np.exp((scores - scores.max()) / temperature)
    weights[order[top_k or len(scores) :]] = 0
    weights = weights / weights.sum()
    if top_p is not None:
        count, total = 0, 0.0
        while total < top_p and count < len(scores):
            total += weights[order[count]]
            count += 1
        weights[order[max(count, 1) :]] = 0
    found: Array = weights / weights.sum()
    return found


def _unlike(counts: Array, expected: Array) -> str:
    """Describe wrong frequencies of tokens; "" if there are none."""
    total = int(counts.sum())
    outside = np.flatnonzero((counts > 0) & (expected == 0))
    if outside.size:
        return f"token {outside[0]} was drawn, but has probability 0"
    spread = np.sqrt(total * expected * (1 - expected))
    off = np.abs(counts - total * expected) - SIGMAS * spread - 1
    worst = int(np.argmax(off))
    if off[worst] > 0:
        return f"token {worst}: {counts[worst] / total:.3f} of the draws, not {expected[worst]:.3f}"
    return ""


# -- stopping

FIRST, SECOND, PADDING, WORD = 3, 4, 5, 6
Ends = int | Sequence[int] | Tensor | None
SCRIPT = (
    (WORD, FIRST, WORD, WORD, FIRST, WORD),
    (WORD, WORD, WORD, SECOND, WORD, WORD),
    (WORD, WORD, WORD, WORD, WORD, WORD),
)
"""The scripted tokens of three rows; the last row never ends."""


def stopping(subject: Subject) -> Measured | NotHere:
    """Each row ends at an end token, followed by padding; the loop stops when all rows have ended.

    Tested with one, several and no end tokens. The ids of the spec are the defaults. The last
    position is used, but not exceeded.
    """
    model = subject.fresh()
    if not hasattr(model, "generate"):
        return NO_GENERATE
    size = vocabulary(subject)
    if size <= WORD:
        return NotHere(f"the vocabulary ({size}) is too small for this test")
    wrong = [
        problem
        for ends, rows in (
            ((FIRST, SECOND), 3),
            ((FIRST, SECOND), 2),
            ((SECOND, FIRST), 2),
            (FIRST, 3),
            (SECOND, 2),
            (FIRST, 1),
            ([FIRST, SECOND], 3),
            (torch.tensor([FIRST, SECOND]), 3),
            (torch.tensor(SECOND), 2),
            (None, 3),
        )
        if (problem := _script_wrong(subject, model, size, ends, rows))
    ]
    for ends in (FIRST, (SECOND, FIRST)):  # that of a prompt, or of the start, does not count
        if problem := _script_wrong(subject, model, size, ends, 3, begin=FIRST):
            wrong.append(f"after a token that ends, {problem}")
    wrong += _defaults_wrong(subject, model) + limit_wrong(subject, model, size)
    nothing = generated(subject, model, 2, max_new_tokens=0, eos_token_id=FIRST)
    if _new(subject, model, nothing):
        wrong.append("`max_new_tokens=0` generates tokens")
    return Measured(len(wrong), 0, wrong[0] if wrong else "scripts, defaults and the last position")


def _script_wrong(
    subject: Subject,
    model: nn.Module,
    size: int,
    ends: Ends,
    rows: int,
    begin: int | None = None,
) -> str:
    table = torch.nn.functional.one_hot(torch.tensor(SCRIPT[:rows]), size).double()
    with _fixed(subject, model, lambda step, _: table[:, min(step, len(SCRIPT[0]) - 1)]):
        found = generated(
            subject,
            model,
            rows,
            max_new_tokens=len(SCRIPT[0]),
            temperature=0.0,
            eos_token_id=ends,
            pad_token_id=PADDING,
            begin=begin,
        )
    chosen, expected = (
        found[:, found.shape[1] - _new(subject, model, found) :],
        scripted(ends, rows),
    )
    if chosen.shape != expected.shape or (chosen != expected).any():
        return f"end tokens {ends}, {rows} rows: {chosen.tolist()}, not {expected.tolist()}"
    return ""


def scripted(ends: Ends, rows: int) -> Array:
    """The expected result of the script, (rows, new tokens)."""
    ends = ends.tolist() if isinstance(ends, Tensor) else ends
    known = () if ends is None else (ends,) if isinstance(ends, int) else tuple(ends)
    lines = []
    for wanted in SCRIPT[:rows]:
        stops = [i for i, token in enumerate(wanted) if token in known]
        end = stops[0] + 1 if stops else len(wanted)
        lines.append([*wanted[:end], *[PADDING] * (len(wanted) - end)])
    lasts = [
        next((i + 1 for i, token in enumerate(wanted) if token in known), len(wanted))
        for wanted in SCRIPT[:rows]
    ]
    return np.array(lines)[:, : max(lasts)]


def _new(subject: Subject, model: nn.Module, found: Array) -> int:
    """Number of new tokens: those after the prompt or the start token."""
    data, name = subject.data("plain"), _source(model)
    given = data[name if name in data else reading_stream(subject).ids]
    prompt = 1 if _reads_memory(model) else given.shape[1]
    return int(found.shape[1] - prompt)


def _defaults_wrong(subject: Subject, model: nn.Module) -> list[str]:
    """Check that the defaults of `generate` are the ids of the spec; "" if they are."""
    known, tokens = _signature(model), subject.spec.tokens
    wanted = {"eos_token_id": tokens.eos, "pad_token_id": tokens.pad}
    wanted["decoder_start_token_id"] = tokens.decoder_start
    return [
        f"{name} is {known[name].default}, but the spec says {value}"
        for name, value in wanted.items()
        if value is not None and name in known and known[name].default != value
    ]


def limit_wrong(subject: Subject, model: nn.Module, size: int) -> list[str]:
    """Check the maximum length: the last new token needs no position."""
    limit = subject.graph.limits.get(subject.cached)
    if limit is None:
        return []
    table = torch.zeros(1, size, dtype=torch.float64)
    stream = reading_stream(subject)
    start = 1 if _reads_memory(model) else subject.data("plain")[stream.ids].shape[1]
    room = int(limit) - start + 1
    given = {"max_new_tokens": room, "temperature": 0.0, "eos_token_id": None}
    with _fixed(subject, model, lambda step, rows: table):
        try:
            found = generated(subject, model, 1, **given)
        except ValueError as error:
            return [f"{room} new tokens fit into max_positions, but: {error}"]
        if found.shape[1] != int(limit) + 1:
            return [f"{found.shape[1]} tokens, not {int(limit) + 1}"]
        try:
            generated(subject, model, 1, **{**given, "max_new_tokens": room + 1})
        except ValueError:
            return []
    return ["more tokens than max_positions are generated without an error"]


# -- a model with fixed logits


def _signature(model: nn.Module) -> Any:
    return inspect.signature(model.generate).parameters  # type: ignore[arg-type]


def _source(model: nn.Module) -> str:
    """The first argument of `generate`."""
    name: str = next(iter(_signature(model)))
    return name


def _reads_memory(model: nn.Module) -> bool:
    return "decoder_start_token_id" in _signature(model)


@contextmanager
def _fixed(
    subject: Subject, model: nn.Module, scores: Callable[[int, int], Tensor]
) -> Iterator[None]:
    """The model with given logits (rows, V) for each step."""
    steps = iter(range(10**6))

    def states(x: Tensor, *_: Any, **__: Any) -> Tensor:
        return torch.zeros(x.size(0), 1, 1, dtype=torch.float64)

    def logits(x: Tensor) -> Tensor:
        return scores(next(steps), x.size(0))[:, None]

    stacks = subject.graph.hidden
    replaced: list[tuple[nn.Module, str, Callable[..., Tensor]]] = [(model, "logits", logits)]
    if len(stacks) == 1:
        replaced.append((model, "hidden_states", states))
    else:
        replaced += [(getattr(model, stack), "forward", states) for stack in stacks]
    for module, name, function in replaced:
        vars(module)[name] = function
    try:
        yield
    finally:
        for module, name, _ in replaced:
            del vars(module)[name]


def generated(subject: Subject, model: nn.Module, rows: int, **options: Any) -> Array:
    """All tokens of `rows` copies of the same prompt, (rows, T).

    The option `begin` is the first token, of the prompt or in place of the start token.
    """
    begin = options.pop("begin", None)
    name = _source(model)
    stream = reading_stream(subject)
    data = subject.tensors(subject.data("plain"))
    prompt = data[name if name in data else stream.ids][:1]
    prompt = prompt.expand(rows, *prompt.shape[1:]).cpu()
    if begin is not None and _reads_memory(model):
        options["decoder_start_token_id"] = begin
    elif begin is not None:
        prompt = torch.cat([torch.full_like(prompt[:, :1], begin), prompt[:, 1:]], dim=1)
    generate: Any = model.generate
    found: Array = generate(prompt, **options).numpy()
    return found
