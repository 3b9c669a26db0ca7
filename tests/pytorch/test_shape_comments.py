"""Shape comments are true: every one is compared with the tensor on its line."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
import torch
from fuzz.readings import placed_vectors
from numpy.typing import NDArray
from shape_comments import Watch, claims, watched
from small_examples import NAMES, small_graph
from torch import Tensor, nn
from variations import VARIATIONS, graph_of, inputs_of

from modelwright.backends.pytorch import emit
from modelwright.backends.pytorch.calls import hidden_states_of, memories_of
from modelwright.backends.pytorch.generate import counts_places
from modelwright.compiler import ModuleGraph


def exercise(model: Any, graph: ModuleGraph, module: Any) -> None:
    """Every way through a model: with and without padding and positions, cached, generating."""
    for padding in ("none", "left"):
        data = {name: single(a) for name, a in inputs_of(graph, padding).items()}
        model(**data)
        if data.keys() <= {"input_ids", "attention_mask", "global_mask"}:  # a single token
            model(**{name: tensor[:, :1] for name, tensor in data.items()})
        places = with_positions(model, data, graph)
        result = model(**data, **places)
        if hasattr(model, "loss"):
            train(model, result)
        if keepers := graph.keepers():
            stack = graph.scopes[keepers[0].scope].stack
            function = hidden_states_of(model, graph, stack)
            function = model.forward if "cache" in parameters(model.forward) else function
            others = memories_of(model, graph, stack, data)
            once = [*others, *data] if any(placed_vectors(graph)) else []
            cached(function, {**data, **places, **others}, module, once)
        if hasattr(model, "generate"):
            generate(model, data, graph)


def single(array: NDArray[Any]) -> Tensor:
    """Ids as they are, numbers in single precision."""
    tensor = torch.from_numpy(array)
    return tensor.float() if tensor.is_floating_point() else tensor


def parameters(function: Any) -> list[str]:
    return list(inspect.signature(function).parameters)


def with_positions(
    model: nn.Module, data: dict[str, Tensor], graph: ModuleGraph
) -> dict[str, Tensor]:
    turn = max((op.attrs.get("turn", 1) for op in graph.ops()), default=1)  # interleaved inputs
    found = {}
    for name in parameters(model.forward):
        if name.endswith("position_ids"):
            ids = data.get(name.replace("position_ids", "input_ids"))
            tokens = next(iter(data.values())) if ids is None else ids  # or vectors
            found[name] = torch.arange(turn * tokens.size(1)).expand(len(tokens), -1)
    return found


def train(model: Any, result: Any) -> None:
    if parameters(model.loss) == ["scores"]:
        model.loss(result)
    elif parameters(model.loss)[:1] == ["images"]:
        model.loss(result, torch.zeros_like(result))
    elif isinstance(result, Tensor):
        model.loss(result, torch.ones(result.shape[:-1], dtype=torch.long))


ADDED = ("row_ids", "column_ids", "channel_ids")


def cached(function: Any, data: dict[str, Tensor], module: Any, once: list[str]) -> None:
    """All but the last token at once, then the last one; vectors that stand for tokens `once`."""
    own = "decoder_" if any(name.startswith("decoder_") for name in data) else ""
    if not own and "input_ids" not in data:
        return
    tokens = data[f"{own}input_ids"].size(1)
    cache = module.Cache(tokens)
    for step in (slice(0, tokens - 1), slice(tokens - 1, tokens)):
        part = {name: tensor for name, tensor in data.items() if name in parameters(function)}
        for name in (f"{own}input_ids", f"{own}position_ids", *ADDED):
            if name in part:
                part[name] = part[name][:, step]
        for name in (f"{own}{data}" for data in ("attention_mask", "document_ids")):
            if name in part:
                part[name] = part[name][:, : step.stop]
        function(**part, cache=cache)
        data = {name: x for name, x in data.items() if not (name in once and x.is_floating_point())}


def generate(model: Any, data: dict[str, Tensor], graph: ModuleGraph) -> None:
    known = parameters(model.generate)
    given = {name: tensor for name, tensor in data.items() if name in known}
    alone = len(graph.inputs) == 1
    if alone and "attention_mask" in given and counts_places(graph, next(iter(graph.inputs))):
        given["attention_mask"] = torch.ones_like(given["attention_mask"])  # padding is refused
    model.generate(**given, max_new_tokens=2, temperature=0)
    model.generate(**given, max_new_tokens=2, top_k=5, top_p=0.9)


def check(graph: ModuleGraph, **options: bool) -> None:
    module, watch = watched(emit(graph, **options), graph)
    torch.manual_seed(0)
    model = getattr(module, graph.class_name)()
    exercise(model, graph, module)
    if hasattr(module, "DENSE"):  # as for long sequences
        module.DENSE, module.TILE = 0, 4
        exercise(model, graph, module)
    if hasattr(module, "global_places"):  # what compiled files do instead
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(torch.compiler, "is_compiling", lambda: True)
            exercise(model, graph, module)
    assert_true(watch)


def assert_true(watch: Watch) -> None:
    assert "\n".join(dict.fromkeys(watch.wrong)) == ""
    assert sorted(watch.claims.keys() - watch.reached) == [], "lines that never ran"
    assert sorted(watch.reached - watch.exact) == [], "lines that were never of the full shape"


@pytest.mark.sampled(24)
@pytest.mark.parametrize("name", VARIATIONS)
def test_shape_comments_of_variations(name: str) -> None:
    check(graph_of(name))


@pytest.mark.sampled(12)
@pytest.mark.parametrize("name", NAMES)
def test_shape_comments_of_examples(name: str) -> None:
    check(small_graph(name))


@pytest.mark.parametrize(
    "name", ["decoder", "encoder_decoder", "attention_sinks", "attention_softcap_grouped"]
)
def test_shape_comments_of_attention_weights(name: str) -> None:
    check(graph_of(name), attention_weights=True)


@pytest.mark.parametrize(
    ("comment", "faults"),
    [
        ("(B, T, D)", 0),
        ("(B, D, T)", 1),
        ("(B, T)", 1),
        ("(B, T, H)", 1),
        ("(T, D)", 1),
        ("(B, T, 2*D)", 1),
    ],
)
def test_a_false_comment_is_found(comment: str, faults: int) -> None:
    graph = graph_of("encoder")
    text = emit(graph)
    line = "x = self.token_embedding(input_ids)  # (B, T, D)"
    assert line in text
    module, watch = watched(text.replace(line, line.partition("#")[0] + f"# {comment}"), graph)
    model = getattr(module, graph.class_name)()
    model(**{name: torch.from_numpy(a) for name, a in inputs_of(graph).items()})
    assert len(watch.wrong) == faults


def test_a_comment_without_a_tensor_is_found() -> None:
    with pytest.raises(AssertionError, match="on no statement"):
        watched("x = 1\n# (B, T)\n", graph_of("encoder"))
    with pytest.raises(AssertionError, match=r"line 1: \(B, T"):
        claims("x = 1  # (B, T\n")
