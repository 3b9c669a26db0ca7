"""One row per op: how a line of PyTorch says it, and what its module needs to be constructed.

A row knows an op and its attributes, never an attention variant.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...compiler.axes import ONE
from ...compiler.graph import ModuleGraph, Op
from ...compiler.sizes import Size
from .function import Function
from .layout import wrap
from .text import ATOM, BITAND, CHOICE, PRODUCT, SUM, Expr, literal

Row = Callable[[Function, Op], Expr | None]


def call(function: str, *arguments: str) -> Expr:
    return Expr(f"{function}({', '.join(arguments)})")


def module_call(f: Function, op: Op) -> Expr:
    return call(f.own(op), str(f.use(op.inputs[0])))


# -- positions


def position_ids(f: Function, op: Op) -> None:
    given, data, rule = op.inputs[0], op.inputs[1], op.attrs["rule"]
    if not given:
        bound = f.bind(op.outputs[0], f.graph.values[op.outputs[0]].name)
        f.say(f"{bound} = {count_by_index(f, op, data)[0]}", "(T,)", op.number)
        return
    name = str(f.use(given))
    text, note = COUNTINGS[rule](f, op, data)
    if f.pending[given] > 0:  # the stack also counts by another rule
        other = f.bind(op.outputs[0], "places")
        f.say(f"{other} = {name}", op=op.number)
        f.say(f"if {other} is None:", op=op.number)
        f.say(f"{other} = {text}", note, op.number, indent=1)
        return
    f.say(f"if {name} is None:", op=op.number)
    f.say(f"{name} = {text}", note, op.number, indent=1)
    f.names[op.outputs[0]] = name
    f.holds[name] = op.outputs[0]


def count_by_index(f: Function, op: Op, data: str) -> tuple[str, str]:
    start = f"{f.start()}, " if f.cached else ""
    return f"torch.arange({start}{f.end()}, device={f.names[f.ids]}.device)", "(T,)"


def count_by_mask(f: Function, op: Op, data: str) -> tuple[str, str]:
    helper = f.helper("positions", "positions_past_padding")
    device = f"{f.names[f.ids]}.device"
    return str(call(helper, str(f.use(data)), f.start(), f.end(), device)), ""


def count_by_tokens(f: Function, op: Op, data: str) -> tuple[str, str]:
    helper = f.helper("positions", "positions_of_tokens")
    return str(call(helper, str(f.use(data)), literal(op.attrs["pad"]))), "(B, T)"


COUNTINGS: dict[str, Callable[[Function, Op, str], tuple[str, str]]] = {
    "index": count_by_index,
    "mask": count_by_mask,
    "tokens": count_by_tokens,
}


def shift(f: Function, op: Op) -> Expr:
    amount = op.attrs["amount"]
    sign = "-" if amount < 0 else "+"
    return Expr(f"{f.use(op.inputs[0]).at(SUM)} {sign} {literal(abs(amount))}", SUM)


def sinusoid(f: Function, op: Op) -> Expr:
    width: Size = op.attrs["width"].size
    half = width // 2
    denominator = f.number(half)
    if op.attrs["denominator"] == "half_minus_one":
        denominator += " - 1"
    name = "interleaved_sinusoids" if op.attrs["layout"] == "interleaved" else "sinusoids"
    helper = f.helper("positions", name)
    positions = str(f.use(op.inputs[0]))
    return call(helper, positions, f.number(width), denominator, f"like={f.like}")


def rope_table(f: Function, op: Op) -> None:
    width, theta, scaling = op.attrs["width"], op.attrs["theta"], op.attrs["scaling"]
    base = call(
        f.helper("positions", "rope_frequencies"),
        f.number(width),
        f.number(theta),
        f"like={f.like}",
    )
    names = []
    positions = str(f.use(op.inputs[0]))
    for value in op.outputs:
        names.append(f.bind(value, f.graph.values[value].name))
    frequencies = names[0].removesuffix("cos") + "frequencies"
    f.say(f"{frequencies} = {base}", "(R/2,)", op.number)
    if scaling is not None:
        scaled = SCALINGS[scaling["type"]](f, frequencies, positions, scaling)
        f.say(f"{frequencies} = {scaled}", "", op.number)
    angles = call(f.helper("positions", "rope_angles"), positions, frequencies)
    counted = f.graph.producer(op.inputs[0])
    alike = counted is not None and not any(counted.inputs)  # the same for every sequence
    note = "(1, T, R/2) each" if alike else "(B, 1, T, R/2) each"
    f.say(f"{', '.join(names)} = {angles}", note, op.number)
    if factor := attention_factor(f, op, positions, names[0]):
        grown = ", ".join(f"{name} * {factor}" for name in names)
        f.say(f"{', '.join(names)} = {grown}", "", op.number)


def attention_factor(f: Function, op: Op, positions: str, cos: str) -> str:
    """What multiplies the table, so that scores grow; "" for nothing."""
    scaling = op.attrs["scaling"] or {}
    if "attention_factor" in scaling:
        return f.number(scaling["attention_factor"])
    if "short_mscale" not in scaling:
        return ""
    keys = ("short_mscale", "long_mscale", "original_max_positions")
    numbers = [f.number(scaling[key]) for key in keys]
    name = cos.removesuffix("cos") + "attention_factor"
    factor = call(f.helper("positions", "by_length"), positions, *numbers, f"like={cos}")
    f.say(f"{name} = {factor}", "", op.number)
    return name


def linear_scaling(f: Function, base: str, positions: str, scaling: dict[str, Any]) -> Expr:
    return Expr(f"{base} / {f.number(scaling['factor'])}", PRODUCT)


def dynamic_scaling(f: Function, base: str, positions: str, scaling: dict[str, Any]) -> Expr:
    numbers = [f.number(scaling[key]) for key in ("factor", "original_max_positions")]
    return call(f.helper("positions", "dynamic_frequencies"), base, positions, *numbers)


def llama3_scaling(f: Function, base: str, positions: str, scaling: dict[str, Any]) -> Expr:
    keys = ("factor", "low_freq_factor", "high_freq_factor", "original_max_positions")
    numbers = [f.number(scaling[key]) for key in keys]
    return call(f.helper("positions", "llama3_frequencies"), base, *numbers)


def yarn_scaling(f: Function, base: str, positions: str, scaling: dict[str, Any]) -> Expr:
    keys = ("theta", "factor", "original_max_positions", "beta_fast", "beta_slow")
    numbers = [f.number(scaling[key]) for key in keys]
    name = "yarn_frequencies" if scaling["truncate"] else "yarn_frequencies_between_pairs"
    return call(f.helper("positions", name), base, *numbers)


def longrope_scaling(f: Function, base: str, positions: str, scaling: dict[str, Any]) -> Expr:
    keys = ("short_factor", "long_factor", "original_max_positions")
    numbers = [f.number(scaling[key]) for key in keys]
    divisors = call(f.helper("positions", "by_length"), positions, *numbers, f"like={base}")
    return Expr(f"{base} / {divisors}", PRODUCT)


SCALINGS: dict[str, Callable[[Function, str, str, dict[str, Any]], Expr]] = {
    "linear": linear_scaling,
    "dynamic": dynamic_scaling,
    "llama3": llama3_scaling,
    "yarn": yarn_scaling,
    "longrope": longrope_scaling,
}


def rotate(f: Function, op: Op) -> Expr:
    name = "apply_partial_rope" if op.attrs["partial"] else "apply_rope"
    if op.attrs.get("end"):
        name = "apply_rope_to_end"
    if op.attrs["layout"] == "interleaved":
        name += "_interleaved"
    return call(f.helper("positions", name), *(str(f.use(value)) for value in op.inputs))


def alibi(f: Function, op: Op) -> Expr:
    name = "alibi_bias_ceil" if op.attrs["rule"] == "ceil" else "alibi_bias"
    heads = f.number(op.attrs["heads"].size)
    scale = op.attrs["scale"]
    factor = "1.0" if scale is None else f.number(scale)
    helper = f.helper("positions", name)
    return call(helper, f.start(), f.end(), heads, factor, f"like={f.like}")


def relative_buckets(f: Function, op: Op) -> Expr:
    start = f"{f.start()}:" if f.cached else ":"
    if f.holds.get("distance") != "key - query":  # another table may have asked for it
        keys = "(S,)" if f.cached else "(T,)"
        f.say(f"place = torch.arange({f.end()}, device={f.like}.device)", keys, op.number)
        f.say(f"distance = place - place[{start}, None]", f.comment(*op.outputs), op.number)
        f.holds["distance"] = "key - query"
    sizes = [f.number(op.attrs[key]) for key in ("buckets", "max_distance")]
    if op.attrs["bidirectional"]:
        return call(f.helper("positions", "two_sided_buckets"), "distance", *sizes)
    return call(f.helper("positions", "log_buckets"), "-distance.clamp(max=0)", *sizes)


def grid_offsets(f: Function, op: Op) -> Expr:
    name = "grid_offsets_behind" if int(op.attrs["front"]) else "grid_offsets"
    sizes = [f.number(op.attrs["grid"])]
    sizes += [f.number(op.attrs["front"])] if int(op.attrs["front"]) else []
    return call(f.helper("positions", name), *sizes, f"{f.like}.device")


def relative_bias(f: Function, op: Op) -> Expr:
    return Expr(f"{f.own(op)}({f.use(op.inputs[0])}).permute(2, 0, 1)")


def relative_positions(f: Function, op: Op) -> Expr:
    end = f.end()
    return call("torch.arange", f"-{end}", end, f"device={f.like}.device")


def relative_places(f: Function, op: Op) -> Expr:
    log = op.attrs["rule"] == "log"
    sizes = [op.attrs["buckets"], op.attrs["max_distance"]] if log else [op.attrs["max_distance"]]
    helper = f.helper("positions", "relative_log_places" if log else "relative_places")
    numbers = [f.end()] if op.attrs["rule"] == "all" else [f.number(size) for size in sizes]
    return call(helper, f.start(), f.end(), *numbers, f"{f.like}.device")


def position_scores(f: Function, op: Op) -> Expr:
    names = {"query": "content_to_position", "key": "position_to_content"}
    helper = f.helper("positions", names[op.attrs["side"]])
    return call(helper, *(str(f.use(value)) for value in op.inputs))


def masked_bias(f: Function, op: Op) -> Expr:
    bias, mask = f.use(op.inputs[0]), f.use(op.inputs[1])
    masked = f"{bias.at(ATOM)}.masked_fill(~{mask.at(ATOM)}, -math.inf)"
    if f.graph.values[op.inputs[1]].optional:
        return Expr(f"{bias} if {mask} is None else {masked}", CHOICE)
    return Expr(masked)


def mask(f: Function, op: Op) -> None:
    value = f.graph.values[op.outputs[0]]
    data = [str(f.use(v)) for v in op.inputs if v]
    if op.attrs["implicit"] == "full":
        expression = call(f.helper("functions", "padding_mask"), *data)
        note = f"(B, 1, 1, {op.attrs['keys']})"
    else:
        name = mask_name(f.graph, op)
        f.needs.masks[name] = op
        sizes = [f.number(size) for size in mask_sizes(op.attrs["formula"])]
        expression = call(name, f.start(), f.end(), *sizes, *data, f"like={f.like}")
        note = ""
    bound = f.bind(value.id, value.name)
    f.say(f"{bound} = {expression}", note, op.number)
    if op.attrs["implicit"] == "causal" and f.structure.causal_given:
        tokens = f.like if f.like == "x" else f.names[f.ids]  # a memory has another length
        f.say(f"causal = {causal_case(f, bound, f'{tokens}.size(1)')}", "", op.number)


def head_masks(f: Function, op: Op) -> Expr:
    masks = [str(f.use(value)) for value in op.inputs]
    heads = f.number(op.attrs["shape"][1].size)
    return call(f.helper("functions", "masks_of_heads"), heads, *masks)


def global_rows(f: Function, op: Op) -> Expr:
    parts = []
    if op.inputs[0]:
        given = str(f.use(op.inputs[0]))
        parts.append(str(call(f.helper("functions", "given_rows"), given, f"{f.like}.device")))
    for limits in op.attrs["ranges"]:
        ends = (limits.start or 0, f.end() if limits.stop is None else limits.stop)
        texts = [
            f"{f.end()} - {-end}" if isinstance(end, int) and end < 0 else str(end) for end in ends
        ]
        rows = f.helper("functions", "rows_between")
        parts.append(str(call(rows, *texts, f.end(), f"{f.like}.device")))
    return Expr(" | ".join(parts), ATOM if len(parts) == 1 else BITAND - 1)


def select(f: Function, op: Op) -> Expr:
    return call("torch.where", *(str(f.use(value)) for value in op.inputs))


def mask_sizes(formula: Any) -> list[Size]:
    """The named sizes of a formula, each once, in order."""
    found: dict[str, Size] = {}
    for atom in atoms_of(formula):
        for arg in atom.args:
            if isinstance(arg, Size):
                found.setdefault(arg.code(), arg)
    return list(found.values())


def atoms_of(formula: Any) -> list[Any]:
    if hasattr(formula, "parts"):
        return [atom for part in formula.parts for atom in atoms_of(part)]
    return atoms_of(formula.part) if hasattr(formula, "part") else [formula]


def mask_name(graph: ModuleGraph, op: Op) -> str:
    """What the function of a mask is called: by its atoms; numbered where others have the same."""
    base = _mask_words(op)
    alike = dict.fromkeys(
        _mask_shape(other)
        for other in graph.ops()
        if other.kind == "mask" and other.attrs["implicit"] != "full" and _mask_words(other) == base
    )
    place = list(alike).index(_mask_shape(op))
    return f"{base}_{place + 1}" if place else base


def _mask_words(op: Op) -> str:
    words = dict.fromkeys(atom.name for atom in atoms_of(op.attrs["formula"]))
    name = "_".join(words) + "_mask"
    return "global_tokens_mask" if name == "global_mask" else name  # an argument is called so


def _mask_shape(op: Op) -> str:
    """What makes a function of a mask another one: the formula without its sizes, and the data."""
    sizes = [size.code() for size in mask_sizes(op.attrs["formula"])]
    data = "".join("x" if value else "-" for value in op.inputs)  # an image has no padding
    return f"{_without_sizes(op.attrs['formula'], sizes)} {op.attrs['implicit']} {data}"


def _without_sizes(formula: Any, sizes: list[str]) -> str:
    if hasattr(formula, "parts"):
        inner = ", ".join(_without_sizes(part, sizes) for part in formula.parts)
        return f"{type(formula).__name__}({inner})"
    if hasattr(formula, "part"):
        return f"~{_without_sizes(formula.part, sizes)}"
    args = [sizes.index(a.code()) if isinstance(a, Size) else repr(a) for a in formula.args]
    return f"{formula.name}{args}"


# -- layers


def embedding(f: Function, op: Op) -> Expr:
    ids = str(f.use(op.inputs[0]))
    absent = op.attrs.get("absent")
    if absent and f.graph.values[op.inputs[0]].optional:
        f.say(f"if {ids} is None:", op=op.number)
        f.say(f"{ids} = torch.zeros_like({f.names[absent]})", "", op.number, indent=1)
    return call(f.own(op), ids)


def patchify(f: Function, op: Op) -> Expr:
    image = str(f.use(op.inputs[0]))
    f.say(f"size = {f.number(op.attrs['image'])}", op=op.number)
    f.say(f"if {image}.shape[-2:] != (size, size):", op=op.number)
    text = f"{{tuple({image}.shape[-2:])}} pixels, but image_size is {{size}}"
    f.say(f'raise ValueError(f"{text}")', op=op.number, indent=1)
    return Expr(f"{f.own(op)}({image}).flatten(2).transpose(1, 2)")


def swap_axes(f: Function, op: Op) -> Expr:
    return Expr(f"{f.use(op.inputs[0]).at(ATOM)}.transpose(1, 2)")


def insert_tokens(f: Function, op: Op) -> Expr:
    x = str(f.use(op.inputs[0]))
    tokens = f"{f.own(op)}.expand({x}.size(0), -1, -1)"
    at = op.attrs["at"]
    if int(at) == 0:
        return Expr(f"torch.cat([{tokens}, {x}], dim=1)")
    place = f.number(at)
    return Expr(f"torch.cat([{x}[:, : {place}], {tokens}, {x}[:, {place} :]], dim=1)")


def linear(f: Function, op: Op) -> Expr:
    x = str(f.use(op.inputs[0]))
    tied = op.weights[0].tied
    if not tied:
        return call(f.own(op), x)
    table = f.table(tied)
    if len(op.weights) == 1:
        return call("F.linear", x, table)
    return call("F.linear", x, table, f.own(op, f"{op.name}_bias" if op.name else "bias"))


def linear_again(f: Function, op: Op) -> Expr:
    return call(f.own(op), str(f.use(op.inputs[0])))


def table(f: Function, op: Op) -> Expr:
    return Expr(f"{f.own(op)}.weight")


ACTIVATIONS = {
    "gelu": "F.gelu({x})",
    "gelu_tanh": 'F.gelu({x}, approximate="tanh")',
    "relu": "F.relu({x})",
    "relu2": "F.relu({x}).square()",
    "silu": "F.silu({x})",
    "tanh": "torch.tanh({x})",
    "sigmoid": "torch.sigmoid({x})",
}


def activation(f: Function, op: Op) -> Expr:
    x = f.use(op.inputs[0])
    function = op.attrs["function"]
    if function in ACTIVATIONS:
        return Expr(ACTIVATIONS[function].format(x=x))
    helper = f.helper("linear" if function == "elu_features" else "functions", function)
    if function == "swish":
        return call(helper, str(x), f.number(op.attrs["beta"]))
    return call(helper, str(x))


def add(f: Function, op: Op) -> Expr:
    left, right = (f.use(value) for value in op.inputs)
    return Expr(f"{left.at(SUM)} + {right.at(SUM + 1)}", SUM)


def multiply(f: Function, op: Op) -> Expr:
    left, right = (f.use(value) for value in op.inputs)
    return Expr(f"{left.at(PRODUCT)} * {right.at(PRODUCT + 1)}", PRODUCT)


def scale(f: Function, op: Op) -> Expr:
    x = f.use(op.inputs[0])
    factor = op.attrs["factor"]
    if factor == "sqrt_d_model":
        text = f"math.sqrt({f.number(op.attrs['size'], 'd_model')})"
    else:
        text = f.number(factor)
    return Expr(f"{x.at(PRODUCT)} * {text}", PRODUCT)


def by_layer(f: Function, op: Op) -> Expr:
    return Expr(f"{f.use(op.inputs[0]).at(PRODUCT)} / ({f.layer()} + 1)", PRODUCT)


def clamp(f: Function, op: Op) -> Expr:
    x = f.use(op.inputs[0]).at(ATOM)
    low, high = op.attrs["low"], op.attrs["high"]
    if low is None:
        return Expr(f"{x}.clamp(max={f.number(high)})")
    return Expr(f"{x}.clamp(-{f.number(low)}, {f.number(high)})")


def softcap(f: Function, op: Op) -> Expr:
    return call(
        f.helper("functions", "softcap"), str(f.use(op.inputs[0])), f.number(op.attrs["cap"])
    )


def learned_scale(f: Function, op: Op) -> Expr:
    return Expr(f"{f.use(op.inputs[0]).at(PRODUCT)} * {f.own(op)}", PRODUCT)


def add_bias(f: Function, op: Op) -> Expr:
    return Expr(f"{f.use(op.inputs[0]).at(SUM)} + {f.own(op)}", SUM)


def head_bias(f: Function, op: Op) -> Expr:
    return Expr(f"{f.use(op.inputs[0]).at(SUM)} + {f.own(op)}[:, None]", SUM)


def drop_path(f: Function, op: Op) -> Expr:
    x = str(f.use(op.inputs[0]))
    helper = f.helper("functions", "drop_path")
    return call(helper, x, f.number(op.attrs["rate"]), "self.training")


def l2_normalize(f: Function, op: Op) -> Expr:
    return call("F.normalize", str(f.use(op.inputs[0])), "dim=-1")


# -- attention


def split_heads(f: Function, op: Op) -> Expr:
    x = f.use(op.inputs[0]).at(ATOM)
    if op.attrs["heads"] == ONE:
        return Expr(f"{x}.unsqueeze(1)")
    if op.attrs["width"] == ONE:
        return Expr(f"{x}.transpose(1, 2).unsqueeze(-1)")
    width = f.number(op.attrs["width"].size, "head_dim")
    axes = "1, 2" if len(f.graph.values[op.inputs[0]].shape) == 3 else "0, 1"
    return Expr(f"{x}.unflatten(-1, (-1, {width})).transpose({axes})")


def merge_heads(f: Function, op: Op) -> Expr:
    return Expr(f"{f.use(op.inputs[0]).at(ATOM)}.transpose(1, 2).flatten(-2)")


def expand_heads(f: Function, op: Op) -> Expr:
    heads = f.number(op.attrs["heads"].size)
    return Expr(f"{f.use(op.inputs[0]).at(ATOM)}.expand(-1, {heads}, -1, -1)")


def concat(f: Function, op: Op) -> Expr:
    parts = ", ".join(str(f.use(value)) for value in op.inputs)
    return Expr(f"torch.cat([{parts}], dim=-1)")


def cache(f: Function, op: Op) -> None:
    k, v = (str(f.use(value)) for value in op.inputs)
    if f.cached:
        f.say("if cache is not None:", op=op.number)
        note = f.comment(*op.outputs)
        f.say(f"{k}, {v} = cache.append({f.layer()}, {k}, {v})", note, op.number, indent=1)
    for value, name in zip(op.outputs, (k, v), strict=True):
        f.names[value], f.holds[name] = name, value


def attend(f: Function, op: Op) -> Expr:
    return KERNELS[op.attrs["kernel"]](f, op)


def _dropout(f: Function, op: Op) -> str:
    rate = op.attrs["dropout"]
    if rate is None:
        return ""
    text = f"dropout = {f.number(rate)} if self.training else 0.0"
    if all(line.text != text for line in f.lines):
        f.say(text, "", op.number)
    return "dropout"


def _given(f: Function, op: Op) -> tuple[list[str], str]:
    """Queries, keys and values, and the mask or the bias of the scores, by their names."""
    q, k, v = (str(f.use(value)) for value in op.inputs[:3])
    masked, biased, *sinks = op.inputs[3:]
    given = str(f.use(biased or masked)) if biased or masked else ""
    if not sinks:
        return [q, k, v], given
    learned = f.use(sinks[0])
    if not biased:
        mask, given = given, f.bind(sinks[0], "bias")
        note = "(B, H, T, S)"
        f.say(
            f"{given} = {call(f.helper('functions', 'as_bias'), mask or 'None', q, k)}",
            note,
            op.number,
        )
    wider = call(f.helper("functions", "with_sinks"), k, v, given, str(learned))
    f.say(f"{k}, {v}, {given} = {wider}", "one key more, of zeros", op.number)
    return [q, k, v], given


def sinks(f: Function, op: Op) -> Expr:
    return Expr(f.own(op))


def sdpa(f: Function, op: Op) -> Expr:
    arguments, name = _given(f, op)
    q = arguments[0]
    if name:
        arguments.append(name)
    if rate := _dropout(f, op):
        arguments.append(rate if name else f"dropout_p={rate}")
    if f.structure.told_causal(f.place.path):
        arguments.append("causal" if rate else "is_causal=causal")
    elif op.attrs["causal"] and not f.structure.causal_given:
        arguments.append(f"is_causal={causal_case(f, name, f'{q}.size(2)')}")
    if op.attrs["scale"] is not None:
        arguments.append(f"scale={f.number(op.attrs['scale'])}")
    if op.attrs["heads"] != op.attrs["kv_heads"] and not op.inputs[5:]:
        arguments.append("enable_gqa=True")
    return _causal_by_name(f, op, arguments)


def causal_case(f: Function, mask: str, tokens: str) -> str:
    """When the kernel makes the causal mask: none is given, and not for one token alone."""
    # sizes first: while torch compiles for any length, a comparison of them is no bool yet, and
    # the kernel wants one
    return (f"{tokens} > 1 and " if f.cached else "") + f"{mask} is None"


def _causal_by_name(f: Function, op: Op, arguments: list[str]) -> Expr:
    """The kernel's call; the case for its own causal mask has a name where that is shorter."""
    function = "F.scaled_dot_product_attention"
    long = call(function, *arguments)
    case = next((a for a in arguments if a.startswith("is_causal=")), "")
    name = "causal" if any(a == "dropout" for a in arguments) else "is_causal=causal"
    short = call(function, *(name if a == case else a for a in arguments))
    rows = [len(wrap(f"y = {text}", 8, f.comment(*op.outputs))) for text in (long, short)]
    if not case or rows[0] <= rows[1] + 1:
        return long
    f.say(f"causal = {case.removeprefix('is_causal=')}", "", op.number)
    return short


def explicit(f: Function, op: Op) -> Expr:
    (q, k, v), given = _given(f, op)
    name = "biased_explicit_attention" if op.inputs[4] or op.inputs[5:] else "explicit_attention"
    arguments = [q, k, v, given or "None", _scale_text(f, op), f.number(op.attrs["softcap"])]
    if rate := _dropout(f, op):
        arguments.append(rate)
    return call(f.helper("functions", name), *arguments)


def distance(f: Function, op: Op) -> Expr:
    q, k, v, given = (str(f.use(value)) if value else "" for value in _operands(op))
    arguments = [q, k, v, given or "None", _scale_text(f, op)]
    name = "biased_distance_attention" if op.inputs[4] else "distance_attention"
    if rate := _dropout(f, op):
        arguments.append(rate)
    return call(f.helper("functions", name), *arguments)


def additive(f: Function, op: Op) -> Expr:
    q, k, v, given = (str(f.use(value)) if value else "" for value in _operands(op))
    vector, scale = f.use(op.inputs[5]), op.attrs["scale"]
    weights = str(vector) if scale == 1 else f"{vector.at(PRODUCT)} * {f.number(scale)}"
    arguments = [q, k, v, weights, given or "None"]
    name = "biased_additive_attention" if op.inputs[4] else "additive_attention"
    if rate := _dropout(f, op):
        arguments.append(rate)
    return call(f.helper("functions", name), *arguments)


def _operands(op: Op) -> tuple[str, ...]:
    """Queries, keys, values, and the bias or else the mask."""
    return (*op.inputs[:3], op.inputs[4] or op.inputs[3])


def _scale_text(f: Function, op: Op) -> str:
    width: Size = f.graph.values[op.inputs[0]].shape[-1].size  # type: ignore[assignment]
    if op.attrs["scale"] is None:
        return f"{f.number(width, 'head_dim')}**-0.5"
    return f.number(op.attrs["scale"])


KERNELS: dict[str, Callable[[Function, Op], Expr]] = {
    "sdpa": sdpa,
    "sdpa+bias": sdpa,
    "explicit": explicit,
    "distance": distance,
    "additive": additive,
}


# -- sums instead of scores of pairs


def pool_heads(f: Function, op: Op) -> Expr:
    x, padding = (str(f.use(value)) if value else "None" for value in op.inputs)
    arguments = [x, f"self.{op.name}", padding]
    if rate := _dropout(f, op):
        arguments.append(rate)
    return call(f.helper("linear", "pool_heads"), *arguments)


def without_padding(f: Function, op: Op) -> Expr:
    helper = f.helper("linear", "without_padding")
    return call(helper, *(str(f.use(value)) for value in op.inputs))


def append_ones(f: Function, op: Op) -> Expr:
    return Expr(f"F.pad({f.use(op.inputs[0])}, (0, 1), value=1.0)")


def by_last(f: Function, op: Op) -> Expr:
    x = f.use(op.inputs[0]).at(ATOM)
    return Expr(f"{x}[..., :-1] / ({x}[..., -1:] + 1e-6)", PRODUCT)


def decay_rates(f: Function, op: Op) -> Expr:
    helper = f.helper("linear", "lightning_rates")
    numbers = f.number(op.attrs["heads"].size), f.layer(), f.number(op.attrs["layers"])
    return call(helper, *numbers, f"like={f.like}")


def attend_linearly(f: Function, op: Op) -> Expr | None:
    given = [str(f.use(value)) for value in op.inputs if value]
    if not op.attrs["causal"]:
        return call(f.helper("linear", "linear_attention"), *given)
    name = "fading_linear_attention" if op.inputs[3] else "causal_linear_attention"
    helper = f.helper("linear", name)
    if not op.attrs["cached"] or not f.cached:
        return Expr(f"{call(helper, *given, 'None')}[0]")
    state = f"cache.states[{f.layer()}]"
    f.say(f"state = None if cache is None else cache.state({f.layer()})", "", op.number)
    y = f.bind(op.outputs[0], "y")
    f.say(f"{y}, state = {call(helper, *given, 'state')}", "", op.number)
    f.say("if cache is not None:", op=op.number)
    f.say(f"{state} = state", "", op.number, indent=1)
    return None


# -- experts


def softmax(f: Function, op: Op) -> Expr:
    return Expr(f"{f.use(op.inputs[0]).at(ATOM)}.softmax(-1)")


def gather(f: Function, op: Op) -> Expr:
    return Expr(f"{f.use(op.inputs[0]).at(ATOM)}.gather(-1, {f.use(op.inputs[1])})")


def sum_to_one(f: Function, op: Op) -> Expr:
    return call(f.helper("experts", "sum_to_one"), str(f.use(op.inputs[0])))


def best_groups(f: Function, op: Op) -> Expr:
    counts = [f.number(op.attrs[key]) for key in ("groups", "kept", "members")]
    return call(f.helper("experts", "best_groups"), str(f.use(op.inputs[0])), *counts)


def top_k(f: Function, op: Op) -> None:
    best = f"{f.use(op.inputs[0]).at(ATOM)}.topk({f.number(op.attrs['top_k'])})"
    values, places = op.outputs
    if f.pending.get(values):
        _both(f, op, best)
        return
    name = f.bind(places, f.graph.values[places].name)
    f.say(f"{name} = {best}.indices", f.comment(places), op.number)


def sparse_mixer(f: Function, op: Op) -> None:
    helper = f.helper("experts", "sparse_mixer")
    numbers = [f.number(op.attrs[key]) for key in ("top_k", "jitter")]
    _both(f, op, str(call(helper, str(f.use(op.inputs[0])), *numbers)))


def _both(f: Function, op: Op, text: str) -> None:
    """A statement that binds all the results of an op."""
    names = [f.bind(value, f.graph.values[value].name) for value in op.outputs]
    f.say(f"{', '.join(names)} = {text}", f.comment(*op.outputs), op.number)


def within_capacity(f: Function, op: Op) -> Expr:
    weights, chosen = (str(f.use(value)) for value in op.inputs)
    experts = f.number(op.attrs["experts"])
    if op.attrs["capacity"] is not None:
        capacity = f.number(op.attrs["capacity"])
    else:
        share = f"{f.number(op.attrs['factor'])} * {chosen}[0].numel() / {experts}"
        capacity = f.bind(op.inputs[1], "capacity")
        f.names[op.inputs[1]], f.holds[chosen] = chosen, op.inputs[1]
        f.say(f"{capacity} = math.ceil({share})", "", op.number)
    return call(f.helper("experts", "within_capacity"), weights, chosen, experts, capacity)


def assign(f: Function, op: Op) -> None:
    made = call(
        f.helper("experts", "ExpertGroups"),
        str(f.use(op.inputs[0])),
        f.number(op.attrs["experts"]),
    )
    f.say(f"{f.bind(op.outputs[0], 'groups')} = {made}", "", op.number)


def rows(f: Function, op: Op) -> Expr:
    x, groups = (f.use(value) for value in op.inputs)
    return call(f"{groups}.rows", str(x))


def expert_linear(f: Function, op: Op) -> Expr:
    x, groups = (f.use(value) for value in op.inputs)
    return call(f"{groups}.linear", str(x), f.own(op))


def expert_bias(f: Function, op: Op) -> Expr:
    x, groups = (f.use(value) for value in op.inputs)
    return Expr(f"{x.at(SUM)} + {f.own(op)}[{groups}.expert]", SUM)


def combine(f: Function, op: Op) -> Expr:
    x, groups, weights = (f.use(value) for value in op.inputs)
    return call(f"{groups}.combine", str(x), str(weights))


# -- results


def similarity(f: Function, op: Op) -> Expr:
    left, right = (f.use(value) for value in op.inputs)
    return Expr(f"{left.at(PRODUCT)} @ {right.at(ATOM)}.T", PRODUCT)


def exp_scale(f: Function, op: Op) -> Expr:
    return Expr(f"{f.use(op.inputs[0]).at(PRODUCT)} * self.{op.name}.exp()", PRODUCT)


WHOLE = {  # pools of sequences without padding
    "last": "{x}[:, -1]",
    "mean": "{x}{after}.mean(1)",
    "max": "{x}.amax(1)",
    "attention": "({scores}.softmax(1) * {x}).sum(1)",
}


def pool(f: Function, op: Op) -> Expr:
    x, how = f.use(op.inputs[0]), op.attrs["how"]
    mask_value, extra = op.inputs[1], op.inputs[2]
    if how == "first":
        return Expr(f"{x.at(ATOM)}[:, 0]")
    if not mask_value and how in WHOLE:
        scores = str(f.use(extra)) if extra else ""
        after = f"[:, {op.attrs['skip']}:]" if op.attrs["skip"] else ""
        return Expr(WHOLE[how].format(x=x.at(ATOM), scores=scores, after=after))
    arguments = [str(x)]
    if extra:
        arguments.append(str(f.use(extra)))
    if mask_value:
        arguments.append(str(f.use(mask_value)))
    if how == "token":
        arguments.append(literal(op.attrs["token"]))
    name = {
        "last": "last_token",
        "mean": "mean_pool",
        "max": "max_pool",
        "attention": "attention_pool",
        "token": "token_pool",
    }[how]
    return call(f.helper("functions", name), *arguments)


ROWS: dict[str, Row] = {
    "position_ids": position_ids,
    "shift": shift,
    "sinusoid": sinusoid,
    "rope_table": rope_table,
    "rotate": rotate,
    "alibi": alibi,
    "relative_buckets": relative_buckets,
    "grid_offsets": grid_offsets,
    "relative_bias": relative_bias,
    "relative_positions": relative_positions,
    "relative_places": relative_places,
    "position_scores": position_scores,
    "masked_bias": masked_bias,
    "mask": mask,
    "head_masks": head_masks,
    "global_rows": global_rows,
    "select": select,
    "embedding": embedding,
    "patchify": patchify,
    "convolve": module_call,
    "swap_axes": swap_axes,
    "insert_tokens": insert_tokens,
    "linear": linear,
    "linear_again": linear_again,
    "table": table,
    "layer_norm": module_call,
    "rms_norm": module_call,
    "dropout": module_call,
    "activation": activation,
    "add": add,
    "multiply": multiply,
    "scale": scale,
    "by_layer": by_layer,
    "clamp": clamp,
    "softcap": softcap,
    "learned_scale": learned_scale,
    "add_bias": add_bias,
    "head_bias": head_bias,
    "drop_path": drop_path,
    "l2_normalize": l2_normalize,
    "split_heads": split_heads,
    "merge_heads": merge_heads,
    "cache": cache,
    "expand_heads": expand_heads,
    "concat": concat,
    "sinks": sinks,
    "score_vector": sinks,
    "attend": attend,
    "pool_heads": pool_heads,
    "without_padding": without_padding,
    "append_ones": append_ones,
    "by_last": by_last,
    "decay_rates": decay_rates,
    "attend_linearly": attend_linearly,
    "softmax": softmax,
    "best_groups": best_groups,
    "top_k": top_k,
    "gather": gather,
    "sum_to_one": sum_to_one,
    "sparse_mixer": sparse_mixer,
    "within_capacity": within_capacity,
    "assign": assign,
    "rows": rows,
    "expert_linear": expert_linear,
    "expert_bias": expert_bias,
    "combine": combine,
    "similarity": similarity,
    "exp_scale": exp_scale,
    "pool": pool,
}
