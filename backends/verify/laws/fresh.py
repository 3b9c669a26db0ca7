"""The law `init`: `init_weights` draws from the distributions of the spec.

The expected values are defined here independently, from `docs/language.md`: norms are the identity,
biases are zero, all other weights follow `init`. This tests the table of lowering; only the kind of
op of each weight is taken from the graph.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import torch
from torch import nn

from ....compiler.graph import LogicalWeight, Op
from ....compiler.ops import OPS
from ....spec.branches import own
from ....spec.condition import AdaLnZero
from ....spec.head import Contrastive
from ....spec.initial import Normal, TruncatedNormal
from ....spec.part import Nothing
from ..arguments import Array
from ..measure import Measured, NotHere
from ..subject import Subject

SIGMAS = 5
"""Tolerance of a statistic in standard errors; exceeded by chance once in 1.7 million."""

KOLMOGOROV = 2.6
"""The same for the Kolmogorov distance, times the square root of the count."""

FEW = 100
"""Minimum number of values, over all runs, for testing a standard deviation."""

SMALL = "all small weights"

FILLS, LARGE = 12, 2_000_000
"""Runs of `init_weights`, so that small weights have enough values; one run for a large model."""

RESIDUAL = re.compile(
    r"\.((cross_)?attention\d*\.output|feed_forward\d*\.(shared_expert\.)?down"
    r"|conv\d*\.(pointwise|convolution))\.weight$"
    r"|\.feed_forward\d*\.experts\.down$"
)
"""Residual projections: the last linear layer of each branch."""

BRANCHES = ("attention", "cross_attention", "feed_forward")


def initial(subject: Subject) -> Measured | NotHere:
    """Every weight is initialised; constants and distributions are those of the spec.

    Normal and truncated weights have mean 0 and the standard deviation of the spec (with
    `depth_scaled`, residual projections have 1/sqrt(number of branches) of it). Xavier weights are
    uniform in the range given by the fans; orthogonal matrices have orthogonal rows or columns.
    Distributions are compared by the Kolmogorov distance. The seed is fixed.
    """
    model = subject.fresh("float32")
    count = sum(weight.numel() for weight in model.parameters())
    fills = [filled(model, seed) for seed in range(FILLS if count < LARGE else 1)]
    wrong = unlike_spec(subject, fills)
    kind = getattr(subject.module, subject.graph.class_name)
    wrong += [f"a new model: {one}" for one in unlike_spec(subject, [constructed(kind)])]
    return Measured(len(wrong), 0, wrong[0] if wrong else f"{len(fills[0])} weights")


def unlike_spec(subject: Subject, fills: list[dict[str, Array]]) -> list[str]:
    """Describe weights that are not those of the spec, from several runs of `init_weights`."""
    wanted = {weight.name: weight for weight in subject.graph.weights()}
    state = {name: np.stack([fill[name] for fill in fills]) for name in fills[0]}
    wrong = [
        f"{name}: not initialised" for name, value in state.items() if not np.isfinite(value).all()
    ]
    drawn: dict[str, Array] = {}
    for name, value in state.items():
        if name not in wanted or not np.isfinite(value).all():
            continue
        constant = constant_of(subject, wanted[name])
        if constant is None:
            drawn[name] = value
        elif not np.allclose(value, constant, rtol=1e-6, atol=1e-9):
            wrong.append(f"{name}: {value.flat[0]:g}, not {constant:g}")
    return wrong + _of_distribution(subject, wanted, drawn)


def filled(model: nn.Module, seed: int) -> dict[str, Array]:
    """The weights after `init_weights`, starting from NaN, with this seed."""
    with torch.no_grad():
        for weight in model.parameters():
            weight.fill_(torch.nan)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model.init_weights()  # type: ignore[operator]
    return arrays(model)


def constructed(kind: Callable[[], nn.Module]) -> dict[str, Array]:
    """The weights of a new model, which its constructor initialises."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        return arrays(kind())


def arrays(model: nn.Module) -> dict[str, Array]:
    return {name: value.double().numpy() for name, value in model.state_dict().items()}


# -- constants


def constant_of(subject: Subject, weight: LogicalWeight) -> float | None:
    """The initial constant of a weight; None if it is random."""
    op = subject.graph.op(weight.op)
    name = weight.weight.name.rpartition(".")[2]  # a recurrence has several, as query.bias
    if name == "bias":
        return _bias(subject, op)
    if _starts_at_zero(subject, op):
        return 0.0
    if name in XIELU:
        return XIELU[name]
    initial = weight.weight.initial
    if OPS[op.kind].plugin and initial.kind != "normal":
        return {"zeros": 0.0, "ones": 1.0}.get(initial.kind, initial.value)
    return CONSTANTS[op.kind](subject, op) if op.kind in CONSTANTS else None


def _starts_at_zero(subject: Subject, op: Op) -> bool:
    """Whether it is a linear layer of `adaln_zero`, or of a head with `zero_init`."""
    heads, stacks = subject.spec.heads, subject.spec.stacks
    scope, block = subject.graph.scopes[op.scope], subject.graph.block_of(op.scope)
    if scope.name in heads and op.name == "output":
        return bool(getattr(heads[scope.name], "zero_init", False))
    if op.name == "norm_modulation":
        return isinstance(stacks[scope.stack].condition, AdaLnZero)
    if op.name == "modulation" and block is not None:
        return isinstance(stacks[scope.stack].blocks[block.name].condition, AdaLnZero)
    return False


def _identity(subject: Subject, op: Op) -> float:
    return 1.0 - float(op.attrs.get("weight_offset", 0))


def _nothing(subject: Subject, op: Op) -> float:
    return 0.0


def _residual(subject: Subject, op: Op) -> Any:
    """The residual of the branch that an op in a block belongs to."""
    block = subject.graph.block_of(op.scope)
    assert block is not None
    stack = subject.spec.stacks[subject.graph.scopes[op.scope].stack]
    of_block: Any = stack.blocks[block.name]
    if "sublayers" in op.origin:
        sublayer = of_block.sublayers[int(op.origin[op.origin.index("sublayers") + 1])]
        return own(of_block, sublayer, "residual")
    return of_block.residual


def _layer_scale(subject: Subject, op: Op) -> float:
    if op.weights[0].shape == (1,):  # ReZero
        return 0.0
    return float(_residual(subject, op).layer_scale)


def _bias(subject: Subject, op: Op) -> float:
    """b_g or -b_g for the gate of a residual connection (Parisotto et al., 2019), 0 for others."""
    gate = subject.graph.scopes[op.scope].role == "block" and op.name.endswith("_gate")
    if not gate and op.name != "stream_update":
        return 0.0
    residual = _residual(subject, op)
    return float(residual.gate_bias if residual.gate == "highway" else -residual.gate_bias)


def _contrastive(subject: Subject) -> Contrastive | None:
    return next((h for h in subject.spec.heads.values() if isinstance(h, Contrastive)), None)


def _temperature(subject: Subject, op: Op) -> float:
    """Scores are multiplied by exp(s), so s = -log(temperature)."""
    head = _contrastive(subject)
    assert head is not None
    return -math.log(head.temperature)


def _added_bias(subject: Subject, op: Op) -> float:
    """-10 for contrastive logits (Zhai et al., 2023, arXiv:2303.15343), 0 for a selection bias."""
    of_scores = subject.graph.layers_of(op.scope) is None and op.name == "bias"
    return -10.0 if of_scores and _contrastive(subject) is not None else 0.0


XIELU = {"alpha_p": math.log(math.exp(0.8) - 1), "alpha_n": math.log(math.exp(0.3) - 1)}
XIELU |= {"beta": 0.5, "eps": -1e-6}
"""The numbers of xIELU: log(1 + exp(a)) is 0.8, or 0.8 - beta."""

CONSTANTS: dict[str, Callable[[Subject, Op], float]] = {
    "layer_norm": _identity,
    "rms_norm": _identity,
    "group_norm": _identity,
    "learned_scale": _layer_scale,
    "exp_scale": _temperature,
    "tanh_scale": _nothing,
    "add_bias": _added_bias,
    "head_bias": _nothing,
    "expert_bias": _nothing,
    "expert_scale": lambda subject, op: 1.0 - float(op.attrs["weight_offset"]),
    "sinks": _nothing,
    "score_vector": lambda subject, op: 1.0,
}
"""Kind of op -> initial constant of its weight. All other weights are random."""

OWN_STD = {"learned_vector": 0.1, "mix_vectors": 0.2}
"""Kind of op -> the standard deviation of its normal weights, whatever `init` is."""


# -- draws


def _of_distribution(
    subject: Subject, wanted: dict[str, LogicalWeight], drawn: dict[str, Array]
) -> list[str]:
    """Describe deviations from the distribution of the spec."""
    own = {name: _own_std(subject, wanted[name]) for name in drawn}
    shares = {name: drawn.pop(name).ravel() / std for name, std in own.items() if std is not None}
    wrong = []
    for name, share in {**shares, SMALL: small(shares.values())}.items():
        if problem := _moments(share, math.inf):
            wrong.append(f"{name}: {problem} that of the language reference")
    return wrong + _by_init(subject, wanted, drawn)


def small(shares: Iterable[Array]) -> Array:
    """Those that have too few values for a test of their own, together."""
    return np.concatenate([np.empty(0), *(share for share in shares if share.size < FEW)])


def _own_std(subject: Subject, weight: LogicalWeight) -> float | None:
    """The standard deviation of a weight that does not follow `init`, such as those of plug-ins."""
    op = subject.graph.op(weight.op)
    if OPS[op.kind].plugin and weight.weight.initial.value:
        return weight.weight.initial.value
    return OWN_STD.get(op.kind)


def _by_init(
    subject: Subject, wanted: dict[str, LogicalWeight], drawn: dict[str, Array]
) -> list[str]:
    """The same for weights that follow `init`."""
    init = subject.spec.init
    if isinstance(init, (Normal, TruncatedNormal)):
        return _by_deviation(subject, drawn)
    matrices = {
        (name, number): matrix
        for name, value in drawn.items()
        for number, matrix in enumerate(_matrices(subject, wanted[name], value[0]))
    }
    if init.type == "xavier":
        return _xavier(matrices)
    return [f"{name}: not orthogonal" for (name, _), m in matrices.items() if not _orthogonal(m)]


def _matrices(subject: Subject, weight: LogicalWeight, value: Array) -> list[Array]:
    """The matrices of one run that are initialised separately: one per expert."""
    several = subject.graph.op(weight.op).kind == "expert_linear"
    return list(value) if several else [value]


def _by_deviation(subject: Subject, drawn: dict[str, Array]) -> list[str]:
    """Normal values, or truncated at two standard deviations."""
    init: Any = subject.spec.init
    cut = 2.0 if isinstance(init, TruncatedNormal) else math.inf
    wrong: list[str] = []
    shares = []
    for name, value in drawn.items():
        std = float(init.std)
        if getattr(init, "depth_scaled", False) and RESIDUAL.search(f".{name}"):
            std /= math.sqrt(branches(subject, name))
        share = value.ravel() / std
        shares.append(share)
        if share.size > 1 and float(share.std()) == 0:
            wrong.append(f"{name}: all numbers are equal")
        elif problem := _moments(share, cut):
            wrong.append(f"{name}: {problem} that of the spec")
    if problem := _moments(small(shares), cut):
        wrong.append(f"{SMALL}: {problem} that of the spec")
    every = np.sort(np.concatenate([*shares, np.empty(0)]))
    if every.size >= FEW and not wrong:
        low, high = normal(-cut), normal(cut)
        below = torch.special.ndtr(torch.from_numpy(every)).numpy()
        expected = (below - low) / (high - low)
        wrong += _shape(expected, init.type)
    return wrong


def branches(subject: Subject, name: str) -> int:
    """Number of branches of the stack that contains this weight.

    The layer with the most branches counts (2 per layer in GPT-2; Radford et al., 2019).
    """
    stacks = subject.spec.stacks
    stack = next((s for key, s in stacks.items() if name.startswith(f"{key}.")), None)
    stack = stack or next(iter(stacks.values()))
    most = max(
        len(block.sublayers)
        or sum(not isinstance(getattr(block, key), Nothing) for key in BRANCHES)
        for block in (stack.blocks[kind] for kind in stack.order)
    )
    return most * stack.layers


def _moments(share: Array, cut: float) -> str:
    """Describe wrong moments of standardised values; "" if there are none."""
    if float(np.abs(share).max(initial=0)) > cut * (1 + 1e-6):
        return f"{np.abs(share).max():.3g} standard deviations from 0"
    if share.size < FEW:
        return ""
    spread = deviation(cut)
    mean, found = float(share.mean()), float(share.std())
    if abs(mean) > SIGMAS * spread / math.sqrt(share.size):
        return f"mean {mean:.3g} standard deviations from 0"
    if abs(found / spread - 1) > SIGMAS / math.sqrt(2 * share.size):
        return f"standard deviation {found / spread:.3g} times"
    return ""


def deviation(cut: float) -> float:
    """Standard deviation of a standard normal distribution truncated at ± a bound.

    >>> round(deviation(2.0), 4)
    0.8796
    """
    if math.isinf(cut):
        return 1.0
    density = math.exp(-(cut**2) / 2) / math.sqrt(2 * math.pi)
    return math.sqrt(1 - 2 * cut * density / (normal(cut) - normal(-cut)))


def normal(x: float) -> float:
    """Cumulative distribution function of the standard normal distribution."""
    return (1 + math.erf(x / math.sqrt(2))) / 2


def _shape(expected: Array, what: str) -> list[str]:
    """Compare values, mapped by their distribution function, with a uniform distribution."""
    count = expected.size
    steps = np.arange(count + 1) / count
    distance = max(np.abs(expected - steps[1:]).max(), np.abs(expected - steps[:-1]).max())
    if distance * math.sqrt(count) <= KOLMOGOROV:
        return []
    return [
        f"the distribution is not {what}: Kolmogorov distance {distance:.3g} for {count} numbers"
    ]


def _xavier(matrices: dict[tuple[str, int], Array]) -> list[str]:
    """Uniform up to sqrt(6 / (fan in + fan out)) (Glorot and Bengio, 2010, eq. 16)."""
    shares = []
    for (name, _), matrix in matrices.items():
        if matrix.ndim < 2:
            return [f"{name}: fan_in and fan_out are undefined for a vector"]
        field = int(np.prod(matrix.shape[2:]))
        share = matrix.ravel() / math.sqrt(6 / ((matrix.shape[0] + matrix.shape[1]) * field))
        if np.abs(share).max() > 1 + 1e-6:
            return [f"{name}: {np.abs(share).max():.3g} times the largest allowed value"]
        shares.append(share)
    every = np.sort(np.concatenate([*shares, np.empty(0)]))
    return _shape((every + 1) / 2, "uniform") if every.size >= FEW else []


def _orthogonal(matrix: Array) -> bool:
    """Orthonormal rows or columns, whichever are fewer (Saxe et al., 2013, arXiv:1312.6120)."""
    flat = matrix.reshape(len(matrix), -1)
    product = flat @ flat.T if flat.shape[0] <= flat.shape[1] else flat.T @ flat
    return bool(np.allclose(product, np.eye(len(product)), atol=1e-4))
