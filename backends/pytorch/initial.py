"""`init_weights`: one loop that sets every weight, printed from the data on the weights."""

from __future__ import annotations

import re
from typing import Any

from ...compiler.graph import ModuleGraph, Op
from ...spec.initial import Normal, TruncatedNormal
from .make import norm_class
from .text import Line

BIASED = ("linear", "patchify", "convolve")  # those whose biases begin with 0
NORMS = ("layer_norm", "rms_norm", "group_norm")
DRAWS = {
    "normal": "nn.init.normal_({w}, std={std})",
    "truncated_normal": "nn.init.trunc_normal_({w}, std={std}, a=-2 * {std}, b=2 * {std})",
    "xavier": "nn.init.xavier_uniform_({w})",
    "orthogonal": "nn.init.orthogonal_({w})",
}
WORDS = {
    "normal": "normal(0, std)",
    "truncated_normal": "normal(0, std) cut at 2 std",
    "xavier": "xavier",
    "orthogonal": "orthogonal",
}


def init_fields(graph: ModuleGraph) -> list[tuple[str, Any]]:
    """What `init_weights` adds to the Config."""
    init = graph.spec.init
    return [("init_std", init.std)] if isinstance(init, (Normal, TruncatedNormal)) else []


def write_init(graph: ModuleGraph, text: str) -> list[Line]:
    """The method; `text` is what stands in the file so far (it tells which modules exist)."""
    init = graph.spec.init
    draw = DRAWS[init.type].replace("{std}", "std")
    norms = sorted({norm_class(op) for op in graph.ops() if op.kind in NORMS}, key=_torch_first)
    drawn = [n for n in ("nn.Linear", "nn.Conv1d", "nn.Conv2d", "nn.Embedding") if _called(n, text)]
    if "nn.Linear" not in drawn and any(op.attrs.get("wide") for op in graph.ops()):
        drawn.insert(0, "nn.Linear")  # routers are linear layers
    lines = [
        Line("def init_weights(self) -> None:"),
        Line(f'"""Set every weight: {_summary(graph, norms)}."""', indent=1),
    ]
    if isinstance(init, (Normal, TruncatedNormal)):
        lines.append(Line("std = self.config.init_std", indent=1))
    lines.append(Line("for module in self.modules():", indent=1))
    lines += _norm_lines(graph, norms)
    lines += _drawn_lines(graph, drawn, draw)
    lines += _joined_lines(graph, draw)
    lines += _expert_lines(graph, draw)
    lines += _depth_lines(graph, draw)
    return lines + _alone_lines(graph, draw)


def _torch_first(name: str) -> tuple[bool, str]:
    return not name.startswith("nn."), name


def _called(name: str, text: str) -> bool:
    return re.search(rf"\b{name}\(", text) is not None


def _weights(graph: ModuleGraph, *kinds: str) -> list[Any]:
    return [
        (op, weight)
        for op in graph.ops()
        if op.kind in kinds
        for weight in op.weights
        if not weight.tied
    ]


def _summary(graph: ModuleGraph, norms: list[str]) -> str:
    words = []
    if _weights(graph, *NORMS):
        words.append("norms as identity")
    if any(w.name == "bias" for _, w in _weights(graph, *BIASED)):
        words.append("biases 0")
    words.append(f"the rest {WORDS[graph.spec.init.type]}")
    if getattr(graph.spec.init, "depth_scaled", False):
        words.append("what writes into the stream narrower")
    return ", ".join(words)


def _isinstance(classes: list[str]) -> str:
    return classes[0] if len(classes) == 1 else f"({', '.join(classes)})"


def _norm_lines(graph: ModuleGraph, norms: list[str]) -> list[Line]:
    """Norms that multiply by 1 and add 0; a guard only where some have no weight or no bias."""
    ops = [op for op in graph.ops() if op.kind in NORMS]
    lines: list[Line] = []
    for name in norms:
        own = [op for op in ops if norm_class(op) == name]
        weights = {len(op.weights) for op in own}
        if weights == {0}:
            continue
        set_to = "nn.init.ones_(module.weight)"
        if "Offset" in name:
            set_to = "nn.init.constant_(module.weight, 1 - module.offset)"
        guard = " and module.weight is not None" if 0 in weights else ""
        lines.append(Line(f"if isinstance(module, {name}){guard}:", indent=2))
        lines.append(Line(set_to, indent=3))
        if 2 in weights and weights == {2}:
            lines.append(Line("nn.init.zeros_(module.bias)", indent=3))
        elif 2 in weights:
            lines.append(Line("if module.bias is not None:", indent=3))
            lines.append(Line("nn.init.zeros_(module.bias)", indent=4))
    return lines


def _drawn_lines(graph: ModuleGraph, drawn: list[str], draw: str) -> list[Line]:
    if not drawn:
        return []
    drawing = draw.replace("{w}", "module.weight")
    linears = [op for op in graph.ops() if op.kind in BIASED and not op.weights[0].tied]
    kinds = _isinstance([name for name in drawn if name != "nn.Embedding"])
    biased = [op for op in linears if len(op.weights) == 2]
    lines = [
        Line(f"if isinstance(module, {_isinstance(drawn)}):", indent=2),
        Line(drawing, indent=3),
    ]
    if biased:
        always = len(biased) == len(linears)
        if always and "nn.Embedding" not in drawn:
            return [*lines, Line("nn.init.zeros_(module.bias)", indent=3)]
        guard = "" if always else " and module.bias is not None"
        lines.append(Line(f"if isinstance(module, {kinds}){guard}:", indent=2))
        lines.append(Line("nn.init.zeros_(module.bias)", indent=3))
    return lines


def _joined_lines(graph: ModuleGraph, draw: str) -> list[Line]:
    """Layers that are computed together are drawn each by itself where its shape is asked for."""
    joined = any("joined" in op.attrs for op in graph.ops())
    if not joined or isinstance(graph.spec.init, (Normal, TruncatedNormal)):
        return []
    return [
        Line("if isinstance(module, JoinedLinear):", indent=2),
        Line("for matrix in module.weight.split(module.sizes):", indent=3),
        Line(draw.replace("{w}", "matrix"), indent=4),
    ]


def _depth_lines(graph: ModuleGraph, draw: str) -> list[Line]:
    """Depth-scaled normal (GPT-2): branches' last layers by 1/sqrt(number of branches)."""
    if not getattr(graph.spec.init, "depth_scaled", False):
        return []
    lines: list[Line] = []
    for layers in graph.scopes.values():
        if layers.role != "layers" or layers.layers is None:
            continue
        names = [
            ".".join(part for part in (_ending(op), weight.name) if part)
            for op in graph.subtree(layers.path)
            for weight in op.weights
            if weight.initial.residual
        ]
        blocks = graph.children(layers.path)
        per_layer = max(
            sum(any(w.initial.residual for w in op.weights) for op in graph.subtree(block.path))
            for block in blocks
        )
        prefix = f"{layers.weights.split('{')[0]}"
        count = layers.layers.code("self.config.")
        ends = ", ".join(f'"{name}"' for name in dict.fromkeys(names))
        ends = f"({ends})" if "," in ends else ends
        lines += [
            Line(f"narrow = std / math.sqrt({per_layer} * {count})", indent=1),
            Line("for name, weight in self.named_parameters():", indent=1),
            Line(
                f'if name.startswith("{prefix}") and name.endswith({ends}):',
                indent=2,
            ),
            Line(draw.replace("{w}", "weight").replace("std=std", "std=narrow"), indent=3),
        ]
    return lines


def _ending(op: Op) -> str:
    """How the names of an op's weights end, as far as it tells them from those of other ops."""
    return f".experts.{op.name}" if op.kind == "expert_linear" else f".{op.name}"


def _expert_lines(graph: ModuleGraph, draw: str) -> list[Line]:
    """Matrices of experts: each is drawn as the matrix of a linear layer is."""
    names = dict.fromkeys(_ending(op) for op, _ in _weights(graph, "expert_linear"))
    if not names:
        return []
    ends = ", ".join(f'"{name}"' for name in names)
    drawing = draw.replace("{w}", "matrix")
    return [
        Line("for name, weight in self.named_parameters():", indent=1),
        Line(f"if name.endswith(({ends})):", indent=2),
        Line("for matrix in weight:", indent=3),
        Line(drawing, indent=4),
    ]


def _alone_lines(graph: ModuleGraph, draw: str) -> list[Line]:
    """Parameters that stand alone: vectors and biases without a module of torch's."""
    lines: list[Line] = []
    ends: dict[float, dict[str, None]] = {}
    drawn: dict[str, None] = {}  # of each layer
    for op in graph.ops():
        for weight in op.weights if op.kind != "expert_linear" else ():
            name = graph.weight_name(op, weight)
            if weight.name == "" and weight.initial.kind == "normal" and "{layer}" in name:
                drawn[f'".{op.name}"'] = None
            elif weight.name == "" and weight.initial.kind == "normal" and not weight.tied:
                lines.append(Line(draw.replace("{w}", f"self.{name}"), indent=1))
            elif weight.name == "" and not weight.tied and "{layer}" not in name:
                value = weight.initial.value  # by its whole name: others may end alike
                lines.append(Line(f"nn.init.constant_(self.{name}, {value!r})", indent=1))
            elif weight.name == "" and not weight.tied:
                ends.setdefault(weight.initial.value, {})[f'".{op.name}"'] = None
            if weight.name == "bias" and op.weights[0].tied and not weight.tied:
                lines.append(Line(f"nn.init.zeros_(self.{name})", indent=1))
    lines += _lines_for(drawn, draw.replace("{w}", "weight"))
    for value, names in ends.items():
        lines += _lines_for(names, f"nn.init.constant_(weight, {value!r})")
    return lines


def _lines_for(names: dict[str, None], text: str) -> list[Line]:
    """The loop that sets the parameters whose names end so."""
    joined = ", ".join(names)
    joined = f"({joined})" if len(names) > 1 else joined
    if not names:
        return []
    return [
        Line("for name, weight in self.named_parameters():", indent=1),
        Line(f"if name.endswith({joined}):", indent=2),
        Line(text, indent=3),
    ]
