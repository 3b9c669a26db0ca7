"""One row per op: how it is drawn. `through` and `unseen` ops are not drawn.

form    box      a full box of the column
        pill     a low box: a small step, or a table that feeds another box
        circle   a sign in a circle: sums and products
        wave     a circle with a wave, and text next to it
        text     text without a border: inputs and outputs
        entry    the input of a layer; nothing is drawn
        through  nothing is drawn; its first input replaces its result
        unseen   neither it nor its exclusive inputs are drawn, such as masks, which are text
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...compiler.graph import ModuleGraph, Op
from ...compiler.sizes import Field, number
from ...records import record
from .lengths import shape_text
from .text import plain, words

Words = Callable[[Op, ModuleGraph], str]


def _nothing(op: Op, graph: ModuleGraph) -> str:
    return ""


def _name(op: Op, graph: ModuleGraph) -> str:
    return words(op.name or op.kind)


def _const(text: str) -> Words:
    return lambda op, graph: text


def _learned_scale(op: Op, graph: ModuleGraph) -> str:
    return "× learned number" if op.attrs["dim"].size == 1 else "× learned vector"


JOINS = ("join_inputs", "interleave_inputs")


@record(frozen=True)
class Look:
    form: str
    look: str = "other"
    title: Words = _name
    detail: Words = _nothing


def figure(value: Any) -> str:
    """A number of the spec, formatted."""
    return plain(number(value) if isinstance(value, Field) else value)


def _argument(op: Op, graph: ModuleGraph) -> str:
    return graph.values[op.outputs[0]].name or op.name


def _shape(op: Op, graph: ModuleGraph) -> str:
    """The shape of an argument, and whether it may be absent."""
    return f"{shape_text(graph, op.outputs[0])}{', optional' * is_optional(op, graph)}"


def is_optional(op: Op, graph: ModuleGraph) -> bool:
    """Whether an argument is an input that may be absent."""
    data = any(fact.argument == op.name for fact in graph.sources())
    return data and graph.values[op.outputs[0]].optional


def _table(op: Op, graph: ModuleGraph) -> str:
    tied = " · tied" if any(weight.tied for weight in op.weights) else ""
    return f"{plain(int(op.attrs['rows']))} × {plain(int(op.attrs['out_dim'].size))}{tied}"


def _patches(op: Op, graph: ModuleGraph) -> str:
    patch, channels = plain(int(op.attrs["patch"])), plain(int(op.attrs["channels"]))
    steps = dict.fromkeys(plain(int(step)) for step in op.attrs["steps"])
    overlap = "" if [*steps] == [patch] else f", every {' and '.join(steps)}"
    tubelet = f"{plain(int(op.attrs['tubelet']))} × " if op.attrs["tubelet"] else ""
    return (
        f"{channels} × {tubelet}{patch} × {patch} → {plain(int(op.attrs['out_dim'].size))}{overlap}"
    )


def _convolution(op: Op, graph: ModuleGraph) -> str:
    sizes = [plain(int(size)) for size in (op.attrs["channels"], op.attrs["out_dim"].size)]
    stride = int(op.attrs["stride"])
    step = f", every {stride}" if stride > 1 else ""
    return f"{' → '.join(sizes)}, {plain(int(op.attrs['kernel']))} wide{step}"


def _image_convolution(op: Op, graph: ModuleGraph) -> str:
    sizes = [plain(int(size)) for size in (op.attrs["channels"], op.attrs["out_dim"].size)]
    kernel, stride = plain(int(op.attrs["kernel"])), int(op.attrs["stride"])
    step = f", every {stride}" if stride > 1 else ""
    return f"{' → '.join(sizes)}, {kernel} × {kernel}{step}"


def _tokens(op: Op, graph: ModuleGraph) -> str:
    count = int(op.attrs["rows"])
    return f"{plain(count)} learned token{'' if count == 1 else 's'}"


def _turn(op: Op, graph: ModuleGraph) -> str:
    return f"number {op.attrs['place'] + 1} of {op.attrs['turn']}"


def _skipped(op: Op, graph: ModuleGraph) -> str:
    count = int(op.attrs["count"])
    return f"the first {plain(count)} tokens" if count > 1 else "the first token"


def _part(op: Op, graph: ModuleGraph) -> str:
    return f"{plain(int(op.attrs['length'].size))} tokens"


def _placed(op: Op, graph: ModuleGraph) -> str:
    return f"at token {plain(int(op.attrs['token']))}"


def _learned(op: Op, graph: ModuleGraph) -> str:
    return f"{plain(int(op.attrs['rows']))} × {plain(int(op.attrs['out_dim'].size))}"


def _linear(op: Op, graph: ModuleGraph) -> str:
    tied = " · tied" if any(weight.tied for weight in op.weights) else ""
    width = plain(int(op.attrs["in_features"]))
    return f"{width} → {plain(int(op.attrs['out_dim'].size))}{tied}"


def _linear_title(op: Op, graph: ModuleGraph) -> str:
    return words(op.name).replace("Kv ", "KV ") if op.name else "Linear"


ACTIVATIONS = {
    "gelu": "GELU",
    "gelu_tanh": "GELU (tanh)",
    "quick_gelu": "quick GELU",
    "relu": "ReLU",
    "relu2": "ReLU²",
    "silu": "SiLU",
    "swish": "swish",
    "xielu": "xIELU",
    "elu_features": "ELU + 1",
}


def activation(op: Op, graph: ModuleGraph) -> str:
    return ACTIVATIONS.get(op.attrs["function"], str(op.attrs["function"]))


def _factor(op: Op, graph: ModuleGraph) -> str:
    factor = op.attrs["factor"]
    if factor == "sqrt_d_model":
        return f"× √{plain(int(op.attrs['size']))}"
    return f"× {figure(factor)}"


def _shift(op: Op, graph: ModuleGraph) -> str:
    return f"+ {figure(op.attrs['amount'])}"


def _clamp(op: Op, graph: ModuleGraph) -> str:
    low, high = op.attrs["low"], op.attrs["high"]
    limits = [f"≥ {figure(low)}"] * (low is not None) + [f"≤ {figure(high)}"] * (high is not None)
    return f"clamp {', '.join(limits)}"


def _cap(op: Op, graph: ModuleGraph) -> str:
    return f"softcap {figure(op.attrs['cap'])}"


def _rotary(op: Op, graph: ModuleGraph) -> str:
    scaling = op.attrs.get("scaling")
    theta = f"θ {figure(op.attrs['theta'])}"
    return f"{theta} · {scaling['type']}" if scaling else theta


def _grid_rotary(op: Op, graph: ModuleGraph) -> str:
    return f"θ {figure(op.attrs['theta'])} · {_axes(op, graph)}"


def _axes(op: Op, graph: ModuleGraph) -> str:
    """The axes of positions on a grid."""
    return "frames, rows and columns" if op.attrs["widths"] else "rows and columns"


def _cell(op: Op, graph: ModuleGraph) -> str:
    """The type of a recurrence and the width of its state."""
    back = ", from the end" if op.attrs["prefix"] else ""
    return (
        f"{op.attrs['cell'].partition('_')[0].upper()} {plain(int(op.attrs['hidden'].size))}{back}"
    )


def _buckets(op: Op, graph: ModuleGraph) -> str:
    return f"{figure(op.attrs['buckets'])} buckets"


def _entries(op: Op, graph: ModuleGraph) -> str:
    return f"{figure(op.attrs['entries'])} entries"


def _path(op: Op, graph: ModuleGraph) -> str:
    return f"mean of {figure(op.attrs['edges'])} edges"


def _pool(op: Op, graph: ModuleGraph) -> str:
    how = op.attrs["how"]
    if op.attrs["skip"]:
        return "mean over patches"
    if op.attrs["tokens"] > 1:
        return f"mean of the first {figure(op.attrs['tokens'])}"
    names = {"first": "first token", "last": "last token", "token": "one token"}
    return names.get(how, f"{how} over tokens")


def _joined(op: Op, graph: ModuleGraph) -> str:
    return f"the first {figure(op.attrs['tokens'])} side by side"


def _groups(op: Op, graph: ModuleGraph) -> str:
    return f"{figure(op.attrs['kept'])} of {figure(op.attrs['groups'])}"


def _top(op: Op, graph: ModuleGraph) -> str:
    return f"Top {figure(op.attrs['top_k'])}"


def capacity(op: Op, graph: ModuleGraph) -> str:
    """The capacity of an expert."""
    if op.attrs["capacity"] is None:
        return f"capacity factor {figure(op.attrs['factor'])}"
    return f"capacity {figure(op.attrs['capacity'])}"


def _steps(op: Op, graph: ModuleGraph) -> str:
    """Number of positions per temperature step."""
    return f"a step every {figure(op.attrs['length'])}"


LOOKS: dict[str, Look] = {
    "argument": Look("text", "text", _argument, _shape),
    "layer_input": Look("entry"),
    "position_ids": Look("unseen"),
    "mask": Look("unseen"),
    "shift": Look("pill", "other", _shift),
    "sinusoid": Look("wave", "position", _const("Sinusoidal positions")),
    "step_sinusoid": Look("wave", "position", _const("Sinusoid of the step")),
    "grid_sinusoid": Look("wave", "position", _const("Sinusoidal positions"), _axes),
    "rope_table": Look("pill", "position", _const("Rotary"), _rotary),
    "grid_rope_table": Look("pill", "position", _const("Rotary"), _grid_rotary),
    "rotate": Look("pill", "position", _const("Rotate")),
    "sharpness": Look("pill", "position", _const("Temperature"), _steps),
    "sharpen": Look("pill", "position", _const("Sharpen")),
    "alibi": Look("pill", "position", _const("ALiBi"), _const("slope per head")),
    "relative_buckets": Look("unseen"),
    "grid_offsets": Look("unseen"),
    "relative_bias": Look("pill", "position", _const("Relative bias"), _buckets),
    "pair_bias": Look("pill", "position", _name, _entries),
    "path_bias": Look("pill", "position", _name, _path),
    "swap_streams": Look("through"),
    "pair_scores": Look("through"),
    "outer_mean": Look("pill", "feed_forward", _const("Mean of products")),
    "triangle": Look("pill", "feed_forward", _const("Sum over triangles")),
    "relative_positions": Look("unseen"),
    "relative_places": Look("unseen"),
    "position_scores": Look("pill", "position", _const("Positions and contents")),
    "masked_bias": Look("through"),
    "pad_mask": Look("unseen"),
    "head_masks": Look("unseen"),
    "global_rows": Look("unseen"),
    "global_places": Look("unseen"),
    "take_places": Look("through"),
    "put_places": Look("through"),
    "select": Look("pill", "attention", _const("Select")),
    "embedding": Look("box", "embedding", _name, _table),
    "patchify": Look("box", "embedding", _name, _patches),
    "convolve": Look("box", "embedding", _name, _convolution),
    "convolve_image": Look("box", "embedding", _name, _image_convolution),
    "flatten_image": Look("through"),
    "channels_last": Look("through"),
    "channels_first": Look("through"),
    "zero_padding": Look("through"),
    "recur": Look("box", "feed_forward", _const("Loop over tokens"), _cell),
    "last_state": Look("pill", "other", _const("Last state")),
    "maxout": Look("pill", "feed_forward", _const("Max of pairs")),
    "glu": Look("pill", "feed_forward", _const("GLU")),
    "swap_axes": Look("through"),
    "add_axis": Look("through"),
    "insert_tokens": Look("pill", "embedding", _name, _tokens),
    "join_inputs": Look("pill", "other", _const("Concatenate")),
    "interleave_inputs": Look("pill", "other", _const("Interleave")),
    "take_turns": Look("pill", "other", _const("Take one input"), _turn),
    "skip_tokens": Look("pill", "other", _const("Skip"), _skipped),
    "take_part": Look("pill", "other", _const("Image tokens"), _part),
    "place_rows": Look("pill", "embedding", _const("Place vectors"), _placed),
    "learned_tokens": Look("box", "embedding", _const("Learned tokens"), _learned),
    "zero_tokens": Look("text", "text", _const("zeros"), _learned),
    "linear": Look("box", "linear", _linear_title, _linear),
    "linear_again": Look("box", "linear", _linear_title, _linear),
    "table": Look("box", "embedding", _name, _shape),
    "group_norm": Look("box", "norm", _const("Norm of each channel")),
    "layer_norm": Look("box", "norm", _const("LayerNorm")),
    "rms_norm": Look("box", "norm", _const("RMSNorm")),
    "activation": Look("pill", "feed_forward", activation),
    "add": Look("circle", "sum", _const("+")),
    "multiply": Look("circle", "sum", _const("×")),
    "scale": Look("pill", "other", _factor),
    "by_layer": Look("pill", "other", _const("÷ layer")),
    "clamp": Look("pill", "other", _clamp),
    "softcap": Look("pill", "other", _cap),
    "learned_scale": Look("pill", "linear", _learned_scale),
    "lerp": Look("circle", "sum", _const("∑")),
    "head_bias": Look("pill", "linear", _const("+ learned vectors")),
    "add_bias": Look("pill", "linear", _const("+ learned vector")),
    "dropout": Look("through"),
    "drop_path": Look("through"),
    "drop_labels": Look("through"),
    "chunk": Look("through"),
    "modulate": Look("pill", "norm", _const("Scale and shift")),
    "l2_normalize": Look("pill", "norm", _const("unit length")),
    "split_heads": Look("through"),
    "merge_heads": Look("through"),
    "expand_heads": Look("through"),
    "concat": Look("through"),
    "cache": Look("through"),
    "sinks": Look("pill", "linear", _const("Sinks"), _const("one per head")),
    "zero_sinks": Look("unseen"),
    "score_vector": Look("pill", "linear", _const("Score vector"), _const("one per head")),
    "head_matrix": Look("pill", "linear", _name, _const("heads × heads")),
    "mix_vectors": Look("pill", "linear", _const("Mixing vectors"), _const("one per head")),
    "half_heads": Look("through"),
    "learned_vector": Look("pill", "linear", _name),
    "difference_share": Look("pill", "other", _const("λ")),
    "remaining_share": Look("pill", "other", _const("× (1 - initial λ)")),
    "subtract": Look("circle", "sum", _const("−")),
    "attend": Look("box", "attention", _const("Attend")),
    "pool_heads": Look("pill", "attention", _name),
    "without_padding": Look("through"),
    "append_ones": Look("through"),
    "by_last": Look("through"),
    "decay_rates": Look("unseen"),
    "attend_linearly": Look("box", "attention", _const("Attend by sums")),
    "softmax": Look("pill", "other", _const("Softmax")),
    "best_groups": Look("pill", "other", _const("Best groups"), _groups),
    "top_k": Look("pill", "other", _top),
    "gather": Look("through"),
    "sum_to_one": Look("pill", "other", _const("Sum to 1")),
    "sparse_mixer": Look("pill", "other", _const("Sparse mixer"), _top),
    "within_capacity": Look("pill", "other", capacity),
    "router_loss": Look("through"),
    "assign": Look("unseen"),
    "rows": Look("through"),
    "expert_linear": Look("box", "linear", _name, _linear),
    "expert_bias": Look("through"),
    "expert_scale": Look("through"),
    "weigh_rows": Look("circle", "sum", _const("×")),
    "sum_pairs": Look("circle", "sum", _const("+")),
    "combine": Look("circle", "sum", _const("+")),
    "similarity": Look("circle", "sum", _const("·")),
    "stack": Look("through"),
    "exp_scale": Look("pill", "linear", _const("× learned number")),
    "tanh_scale": Look("pill", "linear", _const("× tanh of a number")),
    "unpatchify": Look("pill", "other", _const("Image"), _shape),
    "join_tokens": Look("pill", "other", _const("Pool"), _joined),
    "pool": Look("pill", "other", _const("Pool"), _pool),
}


def _attend_lines(op: Op, graph: ModuleGraph) -> str:
    """The formula of an attention whose steps are drawn separately."""
    if op.attrs.get("score"):
        return f"softmax of {op.attrs['score']} scores · v"
    scale, width = op.attrs.get("scale"), graph.values[op.arg("q")].shape[-1].size
    scaled = f" / √{plain(int(width))}" if width is not None else ""
    if scale is not None:
        scaled = "" if scale == 1 else f" × {figure(scale)}"
    scores = f"q · k{scaled}"
    if op.attrs.get("softcap") is not None:
        scores = f"cap {figure(op.attrs['softcap'])} of {scores}"
    if op.arg("mix_scores"):
        scores = f"mixed {scores}"
    weights = f"mixed softmax({scores})" if op.arg("mix_weights") else f"softmax({scores})"
    return f"{weights} · v" + (" and of distances" if op.arg("vectors") else "")


def _rotation(op: Op, graph: ModuleGraph) -> str:
    """The text of a RoPE table that is not drawn."""
    table = graph.producer(op.arg("cos"))
    looks = {"rope_table": _rotary, "grid_rope_table": _grid_rotary}
    return looks[table.kind](table, graph) if table is not None and table.kind in looks else ""


def _growth(op: Op, graph: ModuleGraph) -> str:
    """The text of temperature steps that are not drawn."""
    table = graph.producer(op.arg("sharpness"))
    return "" if table is None or table.kind != "sharpness" else _steps(table, graph)


def _formula(op: Op, graph: ModuleGraph) -> str:
    return str(op.attrs["formula"])


INNER: dict[str, Look] = {
    "rope_table": Look("unseen"),
    "grid_rope_table": Look("unseen"),
    "rotate": Look("pill", "position", _const("Rotary"), _rotation),
    "sharpness": Look("unseen"),
    "sharpen": Look("pill", "position", _const("Temperature"), _growth),
    "attend": Look("box", "attention", _const("Attend"), _attend_lines),
    "add": Look("circle", "sum", _const("+")),
}
"""Rows that differ inside opened modules."""


FULL: dict[str, Look] = {
    "attend": INNER["attend"],
    "mask": Look("pill", "position", _const("Mask"), _formula),
    "head_masks": Look("pill", "position", _const("Masks of the heads"), _formula),
}
"""Rows for `--depth ops`."""


def inner_look(op: Op, look: Look) -> Look:
    """The row of an op inside an opened module."""
    return INNER.get(op.kind, look)


def step_look(look: Look) -> Look:
    """The row of a cheap step that joins results."""
    return Look("pill", "other", look.title, look.detail)


def full_look_of(op: Op) -> Look:
    """The row of an op with `--depth ops`; ops that are hidden elsewhere are low boxes."""
    look = look_of(op)
    if op.kind in FULL:
        return FULL[op.kind]
    return step_look(look) if look.form in ("through", "unseen", "wave") else look


def look_of(op: Op) -> Look:
    """The row of an op. A kind without a row is a plain box with its name."""
    return LOOKS.get(op.kind, Look("box", "other", lambda op, graph: words(op.kind)))
