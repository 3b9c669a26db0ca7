"""The loss of a model with one head, in float32 or wider."""

from __future__ import annotations

from typing import Any

from ...compiler.facts import HeadFact
from ...compiler.graph import ModuleGraph
from .code.nodes import Function, Name, Parameter, Return, Set
from .code.read import expression, statements
from .code.walk import written_for

TENSOR = Name("Tensor")
CROSS_ENTROPY = """\
logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
return F.cross_entropy(logits.flatten(0, -2), labels.flatten())"""
AUXILIARY_TITLE = """\
The sum of the losses that routers kept in the last forward pass, which it removes.

Routers that were called in training mode keep them; without any, it is 0."""
AUXILIARY = """\
losses = [vars(m).pop("loss") for m in self.modules() if "loss" in vars(m)]
return sum(losses, torch.zeros(()))"""
LOSSES = {
    "next_token": (
        ("logits", "labels"),
        "Mean cross-entropy of the next token; -100 in `labels` is ignored.",
        "logits = logits[:, :-1].to(torch.promote_types(logits.dtype, torch.float32))\n"
        "return F.cross_entropy(logits.flatten(0, -2), labels[:, 1:].flatten())",
    ),
    "labels": (
        ("logits", "labels"),
        "Mean cross-entropy of the labels; -100 in `labels` is ignored.",
        CROSS_ENTROPY,
    ),
    "softmax_pairs": (
        ("scores",),
        "Mean cross-entropy over rows and over columns; pairs with equal index match.",
        "scores = scores.to(torch.promote_types(scores.dtype, torch.float32))\n"
        "labels = torch.arange(scores.size(0), device=scores.device)\n"
        "return (F.cross_entropy(scores, labels) + F.cross_entropy(scores.T, labels)) / 2",
    ),
    "squares": (
        ("images", "target"),
        "Mean squared error of each pixel and channel.",
        "images = images.to(torch.promote_types(images.dtype, torch.float32))\n"
        "return F.mse_loss(images, target.to(images.dtype))",
    ),
    "softmax_towers": (
        ("scores",),
        "Mean cross-entropy over rows and over columns; pairs with equal index match.",
        "scores = scores.to(torch.promote_types(scores.dtype, torch.float32))\n"
        "labels = torch.arange(scores.size(-1), device=scores.device).expand(scores.shape[:-1])\n"
        "columns = F.cross_entropy(scores, labels)\n"
        "return (F.cross_entropy(scores.transpose(1, 2), labels) + columns) / 2",
    ),
    "sigmoid_towers": (
        ("scores",),
        "Sigmoid loss of each pair, summed over a row; pairs with equal index match.",
        "scores = scores.to(torch.promote_types(scores.dtype, torch.float32))\n"
        "sign = 2 * torch.eye(scores.size(-1), device=scores.device) - 1\n"
        "return -F.logsigmoid(sign * scores).sum(-1).mean()",
    ),
    "sigmoid_pairs": (
        ("scores",),
        "Sigmoid loss of each pair, summed over a row; pairs with equal index match.",
        "scores = scores.to(torch.promote_types(scores.dtype, torch.float32))\n"
        "sign = 2 * torch.eye(scores.size(0), device=scores.device) - 1\n"
        "return -F.logsigmoid(sign * scores).sum(-1).mean()",
    ),
}


LAST_TOKENS = "logits = logits[:, -labels.size(1) :]  # vectors before the ids may have no labels"


def _begins_without_labels(graph: ModuleGraph, head: HeadFact) -> bool:
    """Whether logits of other vectors stand before those of token ids."""
    if head.loss not in ("next_token", "labels") or head.pool:
        return False
    fact = graph.inputs[head.stack]
    parts = graph.parts.get(head.stack, ())
    return fact.kind == "tokens" and (parts[-1].input == fact if parts else bool(fact.prefix))


def loss_method(graph: ModuleGraph) -> Function | None:
    """The method `loss`, for a model with one head that has a loss."""
    if len(graph.heads) != 1:
        return None
    (head,) = graph.heads.values()
    if not head.loss:
        return None
    names, title, body = LOSSES[head.loss]
    if _begins_without_labels(graph, head):
        body = f"{LAST_TOKENS}\n{body}"
    parameters = tuple(Parameter(name, TENSOR) for name in names)
    written = statements(body)
    static: tuple[Any, ...] = (expression("staticmethod"),)
    if keeps_losses(graph):
        title = f"{title}\n\nIn training, plus `auxiliary_loss`."
        parameters, static = (Parameter("self"), *parameters), ()
        *above, last = written
        assert isinstance(last, Return)
        assert last.value is not None
        whole = expression("loss + self.auxiliary_loss() if self.training else loss")
        written = (*above, Set(Name("loss"), last.value), Return(whole))
    made = Function("loss", parameters, TENSOR, written, title, static)
    found: Function = written_for(made, ("heads", head.name))
    return found


def keeps_losses(graph: ModuleGraph) -> bool:
    """Whether routers have losses of their own in training."""
    return any(op.kind == "router_loss" for op in graph.ops())


def auxiliary_loss(graph: ModuleGraph) -> list[Function]:
    """The method `auxiliary_loss`, if routers have losses."""
    if not keeps_losses(graph):
        return []
    parameters = (Parameter("self"),)
    body = statements(AUXILIARY)
    ops = [op for op in graph.ops() if op.kind == "router_loss"]
    made = Function("auxiliary_loss", parameters, TENSOR, body, AUXILIARY_TITLE)
    return [written_for(made, *(op.number for op in ops), *(op.scope for op in ops))]
