"""The law `loss`: `loss` equals a direct computation of the head's training loss."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ....spec.branches import branch_blocks, sights
from ....spec.head import Classifier, Contrastive, Head, LanguageModel, PatchesHead
from ....spec.masks import parse_mask
from ....spec.model import ModelSpec, Stack
from ....spec.simpler_masks import admits_future
from ...oracle import OracleError
from ...reference.call import Call
from ...reference.experts import losses_of_router
from ...reference.interpreter import Results
from ..arguments import Array, Data
from ..measure import Largest, Measured, NotHere
from ..subject import Subject
from .equality import all_by_oracle

IGNORED = -100


def loss(subject: Subject) -> Measured | NotHere:
    """Compare with the explicit sum, without labels of -100; half precision uses float32.

    A causal decoder without cross-attention predicts the next token, so labels are shifted here.
    Pairs: Radford et al., 2021, arXiv:2103.00020, figure 3 (softmax); Zhai et al., 2023,
    arXiv:2303.15343, algorithm 1 (sigmoid).
    """
    heads = list(subject.spec.heads.values())
    kinds = (LanguageModel, Classifier, Contrastive, PatchesHead)
    trained = len(heads) == 1 and isinstance(heads[0], kinds)
    loss_of: Any = getattr(subject.model, "loss", None)
    largest = Largest()
    if hasattr(subject.model, "auxiliary_loss"):
        _compare_routers(subject, largest)
    if not trained:
        no = "there is no single head with a loss"
        return largest.measured(f"routers only: {no}") if largest.compared else NotHere(no)
    if loss_of is None:
        return Measured(float("inf"), 0, "the model has no `loss`")
    scores = next(iter(subject.results(subject.data("plain")).values()))
    head, logits = heads[0], scores.double().cpu().numpy()
    if isinstance(head, Contrastive):
        given: tuple[Any, ...] = ()
        expected = _of_pairs(logits, head.loss)
    elif isinstance(head, PatchesHead):  # Ho et al., 2020, arXiv:2006.11239, eq. 14
        target = np.random.default_rng(0).standard_normal(logits.shape)
        given = (torch.from_numpy(target).to(scores),)
        expected = float(np.mean((logits - given[0].double().cpu().numpy()) ** 2))
    else:
        labels = _labels(subject, tuple(scores.shape[:-1]), int(scores.size(-1)))
        given = (torch.from_numpy(labels).to(scores.device),)
        expected = _of_labels(logits, labels, shifted=_predicts_next(subject, head))
    largest.compare(loss_of(scores, *given).reshape(1), [expected], "loss")
    if hasattr(subject.model, "auxiliary_loss"):
        _in_training(subject, (scores, *given), expected, largest)
    narrow = scores.to(torch.bfloat16)
    half, wide = loss_of(narrow, *given), loss_of(narrow.float(), *given)
    if half.dtype != torch.float32 or not torch.equal(half, wide):
        largest.take(float("inf"), f"the loss of bfloat16 is not summed in float32 ({half.dtype})")
    return largest.measured()


def _in_training(
    subject: Subject, given: tuple[Any, ...], expected: float, largest: Largest
) -> None:
    """In training, `loss` includes what routers have kept."""
    model: Any = subject.fresh()
    kept = float(router_losses(subject, model, subject.data("plain")))
    router_losses(subject, model, subject.data("plain"), read=False)
    model.training = True
    largest.compare(model.loss(*given).reshape(1), [expected + kept], "loss in training")
    again = model.loss(*given).reshape(1)  # nothing is kept any more
    largest.compare(again, [expected], "loss in training, called twice")


def _compare_routers(subject: Subject, largest: Largest) -> None:
    """Compare the losses that routers keep in training with those of reference and oracle."""
    for case in ("plain", "padded left", "padded right"):
        data, watch = subject.data(case), RouterLosses()
        subject.reference(data, watch=watch)
        found = router_losses(subject, subject.fresh(), data)
        largest.compare(found, [watch.total], f"the losses of routers ({case})")
        compare_routers(subject, found, data, f"the losses of routers ({case})", largest)


def compare_routers(
    subject: Subject, found: Tensor, data: Data, where: str, largest: Largest
) -> None:
    """Compare the losses of routers with those of the oracle, which does not use the graph."""
    try:
        expected = all_by_oracle(subject, data, None, subject.spec)["auxiliary_loss"]
    except OracleError:
        return
    largest.compare(found, [expected], f"{where}, compared with the oracle")


def router_losses(subject: Subject, model: Any, data: Data, *, read: bool = True) -> Tensor:
    """What routers keep, (1,): only they are in training mode, so nothing is dropped.

    read: whether it is taken away from them
    """
    for module in model.modules():
        module.training = hasattr(module, "router")
    subject.results(data, model)
    model.eval()
    return model.auxiliary_loss().reshape(1) if read else torch.zeros(1)


class RouterLosses:
    """Observes the ops of the reference, and sums the losses of routers."""

    def __init__(self) -> None:
        self.total = 0.0

    def __call__(self, call: Call, results: Results) -> Results:
        if call.kind == "router_loss":
            self.total += losses_of_router(call)
        return results


def _labels(subject: Subject, shape: tuple[int, ...], classes: int) -> Array:
    """Labels, some of which are -100: at the beginning, inside and at the end."""
    labels = subject.arguments.draw("labels", shape, classes)
    labels.flat[[0, labels.size // 2, -1] if labels.size > 3 else [0]] = IGNORED
    return labels


INSIDE = ("attention", "initial")
"""Parts of a recurrence that may read another stack."""


def _predicts_next(subject: Subject, head: Head) -> bool:
    """Whether the model is causal and has no other stack, so that it predicts the next token."""
    if not isinstance(head, LanguageModel):
        return False
    spec = subject.spec
    last = spec.stacks[getattr(head, "stack", None) or list(spec.stacks)[-1]]
    stacks = list(_continued(spec, last))
    reads_words = any(one.type == "tokens" for one in stacks[-1].input)
    blocks = [stack.blocks[kind] for stack in stacks for kind in dict.fromkeys(stack.order)]
    found = branch_blocks(blocks)
    inner = [getattr(p, key, None) for b in found for p in b.sublayers for key in INSIDE]
    readers = [block.cross_attention for block in found] + inner
    alone = not any(hasattr(reader, "memory") for reader in readers)
    masks = [mask for block in blocks for mask in sights(block)]
    formulas = [one for mask in masks for one in (mask if isinstance(mask, tuple) else (mask,))]
    causal = not any(_looks_ahead(str(formula)) for formula in formulas)
    return reads_words and alone and causal


def _continued(spec: ModelSpec, stack: Stack) -> Iterator[Stack]:
    """A stack, the one that its only input is, and so on."""
    yield stack
    if len(stack.input) == 1 and stack.input[0].type == "stack" and not stack.input[0].skip:
        yield from _continued(spec, spec.stacks[stack.input[0].stack])


def _looks_ahead(mask: str) -> bool:
    """Whether a query may attend to later keys that are not in a `prefix`."""
    return admits_future(parse_mask(mask.replace("prefix", "causal")))


def _of_labels(scores: Array, labels: Array, *, shifted: bool) -> float:
    """The mean of -log softmax(scores)[label] over labels other than -100."""
    if shifted:
        scores, labels = scores[:, :-1], labels[:, 1:]
    rows = zip(scores.reshape(-1, scores.shape[-1]), labels.ravel(), strict=True)
    taken = [_log_sum(row) - row[label] for row, label in rows if label != IGNORED]
    return float(np.mean(taken))


def _of_pairs(scores: Array, kind: str) -> float:
    if scores.ndim > 2:  # the mean over pairs of towers
        return float(np.mean([_of_pairs(one, kind) for one in scores]))
    if kind == "sigmoid":
        signs = 2 * np.eye(len(scores)) - 1
        return float(np.logaddexp(0, -signs * scores).sum() / len(scores))
    rows = [_log_sum(row) - row[i] for i, row in enumerate(scores)]
    columns = [_log_sum(column) - column[i] for i, column in enumerate(scores.T)]
    return float((np.mean(rows) + np.mean(columns)) / 2)


def _log_sum(row: Array) -> float:
    return float(np.log(np.exp(row - row.max()).sum()) + row.max())
