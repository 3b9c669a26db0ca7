"""What stands at a model's end: its loss, and `generate` where it can go on from a text."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ...spec.head import Classifier, Contrastive, LanguageModel
from .helpers import method
from .layout import signature
from .text import Line, literal

if TYPE_CHECKING:
    from .model import Model, Step


def write_loss(model: Model) -> list[Line]:
    """The loss of the first head that has labels; shifted where the model predicts the next."""
    heads = list(model.graph.spec.heads.items())
    if not heads:
        return []
    name, head = heads[0]
    if isinstance(head, Contrastive) and len(heads) == 1:
        return _pairs(head)
    if not isinstance(head, (LanguageModel, Classifier)) or len(heads) > 1:
        return []
    stack = model.head_stack(name)
    shifted = isinstance(head, LanguageModel) and stack in model.graph.predicts_next
    body = []
    what = "labels"
    if shifted:
        what = "next token"
        body.append(Line("logits, labels = logits[:, :-1], labels[:, 1:]"))
    body.append(Line("return F.cross_entropy(logits.flatten(0, -2), labels.flatten())"))
    parameters = ["logits: Tensor", "labels: Tensor"]
    head_line = [Line("@staticmethod")]
    head_line += [Line(text) for text in signature("loss", parameters, "Tensor")]
    title = f"Mean cross-entropy of the {what}; -100 in `labels` does not count."
    return [
        *head_line,
        Line(f'"""{title}"""', indent=1),
        *(Line(x.text, x.comment, x.op, x.indent + 1) for x in body),
    ]


PAIRS = {
    "softmax": (
        "Mean cross-entropy of rows and of columns: items at the same place belong together.",
        (
            "place = torch.arange(scores.size(0), device=scores.device)",
            "return (F.cross_entropy(scores, place) + F.cross_entropy(scores.T, place)) / 2",
        ),
    ),
    "sigmoid": (
        "Mean loss of a row, each pair by itself: items at the same place belong together.",
        (
            "sign = 2 * torch.eye(scores.size(0), device=scores.device) - 1",
            "return -F.logsigmoid(sign * scores).sum(-1).mean()",
        ),
    ),
}


def _pairs(head: Contrastive) -> list[Line]:
    """The loss of a contrastive head."""
    title, body = PAIRS[head.loss]
    return [
        Line("@staticmethod"),
        *(Line(text) for text in signature("loss", ["scores: Tensor"], "Tensor")),
        Line(f'"""{title}"""', indent=1),
        *(Line(text, indent=1) for text in body),
    ]


def generate_text(model: Model) -> str:
    """`generate`, where a language-model head reads a stack that keeps a cache."""
    name = model.language_head()
    if not name or model.head_stack(name) not in model.structure.cached:
        return ""
    stack = model.head_stack(name)
    step = next(s for s in model.steps if s.stack == stack)
    arguments = {p.name for s in model.steps for p in s.parameters}
    required = [p.name for p in model.all_parameters(model.steps, []) if not p.default]
    data = ("prefix_length", "global_mask")
    if any(name.endswith(data) for name in arguments):
        return ""
    if model.reads_memory(stack):
        if len(model.steps) != 2 or step.name != "decode" or len(required) != 2:
            return ""
        first, second = _memory_masks(model, model.steps[0]), _memory_masks(model, step)
        vectors = model.graph.values[model.steps[0].parameters[0].value].dtype == "float"
        owner = "VectorDecoder" if vectors else "EncoderDecoder"
        owner = owner if first or second else "FeatureDecoder"
        text = method("generate", owner, "generate")
        if not first:  # nothing there looks at other tokens
            text = re.sub(r"(self\.encode\(\w+), attention_mask\)", r"\1)", text)
        if not second:
            text = text.replace("memory, attention_mask, cache", "memory, cache")
        if owner == "VectorDecoder":
            text = text.replace("attention_mask", [*first, *second][0])
        text = text.replace("decoder_input_ids", required[1]).replace("features", required[0])
        text = _with_static_steps(text) if model.structure.options.static_cache else text
    else:
        if len(model.steps) > 1 or len(required) != 1:
            return ""
        placed = any(name.endswith("position_ids") for name in arguments)
        owner = "PlacedDecoder" if placed else "Decoder"
        static = model.structure.options.static_cache
        text = method("generate", f"Static{owner}" if static else owner, "generate")
        text = text.replace("StaticCache(", "Cache(")
    model.needs.helpers |= {("sampling", "sample")}
    return _with_tokens(model, text)


STATIC = (
    (
        "pad_token_id: int = 0,\n",
        "pad_token_id: int = 0,\n"
        "        capacity: int | None = None,\n"
        "        compile_mode: str | None = None,\n",
    ),
    (
        "        cache = Cache(1 + max_new_tokens)\n",
        "        if capacity is not None and capacity < max_new_tokens:\n"
        '            raise ValueError(f"{max_new_tokens} tokens, but the cache holds {capacity}")\n'
        "        cache = Cache(capacity or max_new_tokens, memory.device)\n",
    ),
    ("        for _ in", "        decode = self.decode\n        for i in"),
    ("x = self.decode(", "x = decode("),
    (
        "            done |=",
        "            if i == 0 and compile_mode is not None:\n"
        "                decode = torch.compile(decode, fullgraph=True, mode=compile_mode)\n"
        "            done |=",
    ),
)


def _with_static_steps(text: str) -> str:
    """`generate` of a decoder that reads a memory, where steps after the first may be compiled."""
    for old, new in STATIC:
        text = text.replace(old, new)
    return text


def _memory_masks(model: Model, step: Step) -> list[str]:
    """The argument that tells a step which tokens of the memory, or of its source, are padding."""
    masks = [p.name for p in step.parameters if p.name.endswith("attention_mask")]
    own = model.own_mask(step.stack) if model.reads_memory(step.stack) else ""
    return [name for name in masks if name != own]


def _with_tokens(model: Model, text: str) -> str:
    tokens = model.graph.tokens
    pad = tokens.pad if tokens.pad is not None else tokens.eos
    start = tokens.decoder_start if tokens.decoder_start is not None else tokens.bos
    given = {
        "eos_token_id: int = -1": (tokens.eos, "eos_token_id: int = {}"),
        "pad_token_id: int = 0": (pad, "pad_token_id: int = {}"),
        "decoder_start_token_id: int = 0": (start, "decoder_start_token_id: int = {}"),
    }
    for old, (value, new) in given.items():
        if value is not None:
            text = text.replace(old, new.format(literal(value)))
    return text
