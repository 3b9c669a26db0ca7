"""`init_weights`: one loop that sets every weight, printed from the data on the weights."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from ...compiler.graph import ModuleGraph, Op
from .code.nodes import (
    Bracketed,
    Call,
    Dot,
    Expr,
    For,
    Function,
    If,
    Literal,
    Name,
    Parameter,
    Set,
    Statement,
    change,
    walk,
    written_for,
)
from .code.nodes import Sequence as Items
from .code.read import call, constant, dotted, expression, statements
from .make import norm_class
from .sizes import field_of, over
from .writer import SELF

BIASED = ("linear", "patchify", "convolve")  # those whose biases begin with 0
NORMS = ("layer_norm", "rms_norm", "group_norm")
DRAWN = ("nn.Linear", "nn.Conv1d", "nn.Conv2d", "nn.Embedding")
DRAWS = {
    "normal": "nn.init.normal_(w, std=std)",
    "truncated_normal": "nn.init.trunc_normal_(w, std=std, a=-2 * std, b=2 * std)",
    "xavier": "nn.init.xavier_uniform_(w)",
    "orthogonal": "nn.init.orthogonal_(w)",
}
WORDS = {
    "normal": "normal(0, std)",
    "truncated_normal": "normal(0, std) truncated at 2 std",
    "xavier": "xavier",
    "orthogonal": "orthogonal",
}


def init_fields(graph: ModuleGraph) -> list[tuple[str, Any]]:
    """What `init_weights` adds to the Config."""
    return [("init_std", graph.init.std)] if graph.init.std is not None else []


class Initial:
    """Writes `init_weights`; `made` is all that the file has so far: which modules exist."""

    def __init__(self, graph: ModuleGraph, made: Iterable[Any]) -> None:
        self.graph = graph
        self.init = graph.init
        self.norms = sorted(
            {norm_class(op) for op in graph.ops() if op.kind in NORMS},
            key=lambda name: (not name.startswith("nn."), name),
        )
        self.drawn = drawn_classes(graph, made)

    def draw(self, weight: Any, std: str = "std") -> Statement:
        """The statement that draws a weight."""
        given = {"w": weight} if self.init.std is None else {"w": weight, "std": Name(std)}
        (found,) = statements(DRAWS[self.init.kind], **given)
        return found

    def method(self) -> Function:
        body: list[Statement] = []
        if self.init.std is not None:
            body += statements("std = self.config.init_std")
        modules = (*self.norm_lines(), *self.drawn_lines(), *self.joined_lines())
        body.append(For(Name("module"), expression("self.modules()"), modules))
        body += one_loop([*self.expert_lines(), *self.depth_lines(), *self.alone_lines()])
        body = said_once(body)
        title = f"Set every weight: {self.summary()}."
        parameters = (Parameter("self"),)
        made = Function("init_weights", parameters, constant(None), tuple(body), title)
        found: Function = written_for(made, "", ("init",))
        return found

    def weights(self, *kinds: str) -> list[Any]:
        return [
            (op, weight)
            for op in self.graph.ops()
            if op.kind in kinds
            for weight in op.weights
            if not weight.tied
        ]

    def summary(self) -> str:
        words = []
        if self.weights(*NORMS):
            words.append("norms to the identity")
        if any(weight.name == "bias" for _, weight in self.weights(*BIASED)):
            words.append("biases 0")
        words.append(f"the rest {WORDS[self.init.kind]}")
        if self.depth_lines():
            words.append("residual projections scaled by depth")
        return ", ".join(words)

    def norm_lines(self) -> list[Statement]:
        """Norms that multiply by 1 and add 0; a guard only where some have no weight or bias."""
        ops = [op for op in self.graph.ops() if op.kind in NORMS]
        found: list[Statement] = []
        for name in self.norms:
            own = [op for op in ops if norm_class(op) == name]
            counts = {len(op.weights) for op in own}
            if counts == {0}:
                continue
            offset = own[0].attrs.get("weight_offset") and not name.startswith("nn.")
            offset = offset and any(op.attrs["affine"] for op in own)
            ones = "nn.init.constant_(module.weight, 1 - module.offset)"
            body = statements(ones if offset else "nn.init.ones_(module.weight)")
            if 2 in counts:
                guard = counts != {2}
                zeros = "nn.init.zeros_(module.bias)"
                text = f"if module.bias is not None:\n    {zeros}" if guard else zeros
                body += statements(text)
            guard_text = " and module.weight is not None" if 0 in counts else ""
            test = expression(f"isinstance(module, kind){guard_text}", kind=dotted(name))
            found.append(If(test, body))
        return found

    def drawn_lines(self) -> list[Statement]:
        """Matrices of linear layers, convolutions and embeddings; biases begin with 0."""
        if not self.drawn:
            return []
        zeros = statements("nn.init.zeros_(module.bias)")
        linears = [op for op in self.graph.ops() if op.kind in BIASED and not op.weights[0].tied]
        biased = [op for op in linears if len(op.weights) == 2]
        always = len(biased) == len(linears)
        drawing = self.draw(expression("module.weight"))
        together = biased and always and "nn.Embedding" not in self.drawn
        body = (drawing, *zeros) if together else (drawing,)
        found: list[Statement] = [If(_isinstance(self.drawn), body)]
        if biased and not together:
            test = _isinstance([name for name in self.drawn if name != "nn.Embedding"])
            if not always:
                test = expression("test and module.bias is not None", test=test)
            found.append(If(test, zeros))
        return found

    def joined_lines(self) -> list[Statement]:
        """Layers that are computed together are drawn each by itself where shapes matter."""
        joined = any("joined" in op.attrs for op in self.graph.ops())
        if not joined or self.init.std is not None:
            return []
        over = expression("module.weight.split(module.sizes)")
        loop = For(Name("matrix"), over, (self.draw(Name("matrix")),))
        return [If(_isinstance(["JoinedLinear"]), (loop,))]

    def expert_lines(self) -> list[Statement]:
        """Matrices of experts: each is drawn as the matrix of a linear layer is.

        With a standard deviation, all of them together; else the shape of each has a say.
        """
        names = dict.fromkeys(_ending(op) for op, _ in self.weights("expert_linear"))
        if not names:
            return []
        inner: Statement = self.draw(Name("weight"))
        if self.init.std is None:
            inner = For(Name("matrix"), Name("weight"), (self.draw(Name("matrix")),))
        ends = Items(tuple(map(constant, names)))
        test = call("name.endswith", ends if len(names) > 1 else Bracketed(ends.items[0]))
        return [_parameters(If(test, (inner,)))]

    def depth_lines(self) -> list[Statement]:
        """Depth-scaled normal (GPT-2): branches' last layers by 1/sqrt(number of branches)."""
        if not self.init.depth_scaled:
            return []
        found: list[Statement] = []
        for layers in self.graph.scopes.values():
            if layers.role == "layers" and layers.layers is not None:
                found += self._narrowed(layers)
        return found

    def _narrowed(self, layers: Any) -> list[Statement]:
        graph = self.graph
        names = dict.fromkeys(
            ".".join(part for part in (_ending(op), weight.name) if part)
            for op in graph.subtree(layers.path)
            for weight in op.weights
            if weight.initial.residual
        )
        per_layer = max(len(self._branches(block)) for block in graph.children(layers.path))
        if not per_layer:  # no branch of these layers has a last layer
            return []
        count = over(layers.layers, lambda field: field_of(Dot(SELF, "config"), field))
        test = expression(
            "name.startswith(prefix) and name.endswith(ends)",
            prefix=constant(layers.weights.split("{")[0]),
            ends=_strings(names),
        )
        return [
            *statements(
                "narrow = std / math.sqrt(branches * count)",
                branches=constant(per_layer),
                count=count,
            ),
            _parameters(If(test, (self.draw(Name("weight"), std="narrow"),))),
        ]

    def _branches(self, block: Any) -> set[str]:
        """The branches of a block that end in a residual projection; experts are one together."""
        return {
            op.scope.removeprefix(f"{block.path}.").partition(".")[0]
            for op in self.graph.subtree(block.path)
            if any(weight.initial.residual for weight in op.weights)
        }

    def alone_lines(self) -> list[Statement]:
        """Parameters that stand alone: vectors and biases without a module of torch's."""
        found: list[Statement] = []
        ends: dict[float, dict[str, None]] = {}
        drawn: dict[str, None] = {}  # of each layer
        for op in self.graph.ops():
            for weight in op.weights if op.kind != "expert_linear" else ():
                name, repeated = self._path(op, weight)
                if weight.name == "" and weight.initial.kind == "normal" and repeated:
                    drawn[f".{op.name}"] = None
                elif weight.name == "" and weight.initial.kind == "normal" and not weight.tied:
                    found.append(self.draw(name))
                elif weight.name == "" and not weight.tied and not repeated:
                    value = weight.initial.value  # by its whole name: others may end alike
                    found += statements("nn.init.constant_(w, v)", w=name, v=_float(value))
                elif weight.name == "" and not weight.tied:
                    ends.setdefault(weight.initial.value, {})[f".{op.name}"] = None
                if weight.name == "bias" and op.weights[0].tied and not weight.tied:
                    found += statements("nn.init.zeros_(w)", w=name)
        found += _for_names(drawn, self.draw(Name("weight")))
        for value, names in ends.items():
            (constant_to,) = statements("nn.init.constant_(weight, v)", v=_float(value))
            found += _for_names(names, constant_to)
        return found

    def _path(self, op: Op, weight: Any) -> tuple[Any, bool]:
        """A weight as an attribute of the model, and whether it stands in each layer."""
        layers = self.graph.layers_of(op.scope)
        return dotted(f"self.{self.graph.weight_name(op, weight)}"), layers is not None


def drawn_classes(graph: ModuleGraph, made: Iterable[Any]) -> list[str]:
    """The classes of torch whose matrices are drawn, of those that the file makes."""
    functions = {node.of for node in walk(*made) if isinstance(node, Call)}
    drawn = [name for name in DRAWN if dotted(name) in functions]
    if "nn.Linear" not in drawn and any(op.attrs.get("wide") for op in graph.ops()):
        drawn.insert(0, "nn.Linear")  # routers are linear layers
    return drawn


def _float(value: float) -> Expr:
    return Literal(value, repr(value))


def _isinstance(classes: Sequence[str]) -> Any:
    kinds = dotted(classes[0]) if len(classes) == 1 else Items(tuple(map(dotted, classes)))
    return expression("isinstance(module, kinds)", kinds=kinds)


def _strings(names: Iterable[str]) -> Any:
    found = tuple(map(constant, names))
    return found[0] if len(found) == 1 else Items(found)


def _parameters(inner: Statement) -> For:
    """The loop over all parameters of the model."""
    (found,) = statements("for name, weight in self.named_parameters():\n    pass")
    assert isinstance(found, For)
    return For(found.target, found.over, (inner,))


def one_loop(found: list[Statement]) -> list[Statement]:
    """The statements, where a loop over all parameters that only fills joins the loop before it."""
    kept: list[Statement] = []
    for one in found:
        last = kept[-1] if kept else None
        if isinstance(one, For) and isinstance(last, For) and not any(map(_draws, walk(one))):
            kept[-1] = For(last.target, last.over, (*last.body, *one.body))
        else:
            kept.append(one)
    return kept


def said_once(body: list[Statement]) -> list[Statement]:
    """The statements, without a name for the standard deviation where only one of them reads it."""
    std, first = Name("std"), body[0]
    if not isinstance(first, Set) or sum(node == std for node in walk(*body[1:])) != 1:
        return body
    return list(change(tuple(body[1:]), {std: first.value}))


def _draws(part: Any) -> bool:
    """Is it a call that draws random numbers? Their order is that of the loops."""
    fills = [dotted(f"nn.init.{name}") for name in ("constant_", "zeros_", "ones_")]
    initial = (
        isinstance(part, Call) and isinstance(part.of, Dot) and part.of.of == dotted("nn.init")
    )
    return initial and part.of not in fills


def _ending(op: Op) -> str:
    """How the names of an op's weights end, as far as it tells them from those of other ops."""
    return f".experts.{op.name}" if op.kind == "expert_linear" else f".{op.name}"


def _for_names(names: dict[str, None], statement: Statement) -> list[Statement]:
    """The loop that sets the parameters whose names end so."""
    if not names:
        return []
    test = call("name.endswith", _strings(names))
    return [_parameters(If(test, (statement,)))]
