"""The cost report as text: aligned columns, shares and readable units."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..tables import html_table
from .costs import LAYER_PARTS, LETTERS, Costs

LIMITS = (
    "Counted from the spec; nothing was run. FLOPs are those of matrix products. Activations on\n"
    "the CPU are within 2 % of the tensors that autograd saves (PyTorch 2.13, no padding); within\n"
    "6 % for a single sequence, and within 20 % for attention with one head or in a recurrence."
)
BINARY = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")
DECIMAL = ("", "k", "M", "G", "T", "P", "E", "Z")


def in_bytes(count: float) -> str:
    """`474.7 MiB`."""
    return _scaled(count, 1024, BINARY)


def in_flops(count: float) -> str:
    """`291.6 GFLOPs`."""
    return _scaled(count, 1000, tuple(f"{prefix}FLOPs" for prefix in DECIMAL))


def _scaled(count: float, step: int, units: Sequence[str]) -> str:
    place = 0
    while round(count, 1) >= step and place < len(units) - 1:
        count, place = count / step, place + 1
    return f"{count:,.1f} {units[place]}" if place else f"{round(count)} {units[0]}"


def in_words(formula: str) -> str:
    """`36864*B*S*T + 8*M^2` as `36,864 B S T + 8 M^2`."""
    grouped = re.sub(r"\d{4,}", lambda found: f"{int(found[0]):,}", formula)
    return grouped.replace("*", " ")


def layer_runs(layers: Sequence[int]) -> str:
    """`0-4, 6-10, 12`."""
    runs: list[list[int]] = []
    for layer in sorted(layers):
        if runs and layer == runs[-1][1] + 1:
            runs[-1][1] = layer
        else:
            runs.append([layer, layer])
    return ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in runs)


def table(rows: Sequence[Sequence[str]], align: str, indent: str = "  ") -> list[str]:
    """Rows as lines with aligned columns; `align` has a `<` or `>` for each."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        (
            indent
            + "  ".join(
                f"{cell:{side}{width}}"
                for cell, side, width in zip(row, align, widths, strict=True)
            )
        ).rstrip()
        for row in rows
    ]


def render(report: Costs) -> str:
    """The whole report, ending without a newline."""
    sections = [
        [report.name, *(f"  {line}" for line in report.stacks)],
        _weights(report),
        _flops(report),
        _memory(report),
        _decoding(report),
        _attention(report),
    ]
    return "\n\n".join("\n".join(lines) for lines in [*sections, [LIMITS]] if lines)


def html(report: Costs) -> str:
    """The parts, totals and memory as HTML tables, for notebooks."""
    total, forward = report.weights_total, report.forward
    parts = [("part", "parameters", "share", "FLOPs", "share")]
    for part in dict.fromkeys((*report.weights, *report.flops)):
        count, flops = report.weights.get(part, 0), report.flops.get(part, 0)
        if count or flops:
            cost = (in_flops(flops), _share(flops, forward)) if flops else ("", "")
            parts.append((_words(part), f"{count:,}", _share(count, total), *cost))
    parts.append(("total", f"{total:,}", "", in_flops(forward), ""))
    sizes = [
        ("memory", report.dtype),
        ("parameters", in_bytes(report.weights_bytes)),
        ("activations saved for training, on the CPU", in_bytes(report.activations.cpu)),
        ("  with fused GPU kernels (an estimate)", in_bytes(report.activations.gpu)),
        ("  with gradient checkpointing", in_bytes(report.activations.checkpointed)),
        ("cache", in_bytes(report.cache_bytes)),
    ]
    caption = f"{report.name}: batch {report.batch}, sequence {report.sequence}"
    return html_table(parts, "<>>>>", caption) + html_table(sizes, "<>")


def _share(part: float, whole: float) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "-"


def _words(part: str) -> str:
    return part.replace("_", "-")


def _weights(report: Costs) -> list[str]:
    total, layers = report.weights_total, report.layer_weights
    rows = [("parameters", f"{total:,}", "", f"{in_bytes(report.weights_bytes)} in {report.dtype}")]
    for part, count in report.weights.items():
        if count:
            inner = f"{_share(count, layers)} of the layers" if part in LAYER_PARTS else ""
            rows.append((f"  {_words(part)}", f"{count:,}", _share(count, total), inner))
    if report.weights_active < total:
        active = report.weights_active
        rows.append(("active per token", f"{active:,}", _share(active, total), ""))
    return table(rows, "<>><", indent="")


def _flops(report: Costs) -> list[str]:
    forward = report.forward
    rows = [("  forward", in_flops(forward), "")]
    for part, flops in report.flops.items():
        if flops:
            rows.append((f"    {_words(part)}", in_flops(flops), _share(flops, forward)))
    rows.append(("  training (3 x forward)", in_flops(3 * forward), ""))
    rows.append(("  per token", in_flops(forward / (report.batch * report.sequence)), ""))
    title = f"FLOPs for batch {report.batch}, sequence {report.sequence}"
    every = f"  with every score: {in_words(report.flops_formula)}"
    if any(_in_tiles(report)):
        every += f"\n  with every score that tiles compute: {in_flops(report.flops_dense)}"
    return [title, *table(rows, "<>>", indent=""), every]


def _in_tiles(report: Costs) -> list[bool]:
    """Whether an attention computes tiles, and not all of them."""
    shares = zip(report.attends, report.computed, strict=True)
    return [bool(attend.op.attrs.get("tiles")) and share < 0.5 for attend, share in shares]


def _memory(report: Costs) -> list[str]:
    kept = report.activations
    again = f"plus {in_bytes(kept.recomputed)} for the layer that is recomputed"
    rows = [
        ("activations saved for training", in_bytes(kept.cpu), "on the CPU, loss included"),
        ("  with fused GPU kernels", in_bytes(kept.gpu), "an estimate"),
        ("  with gradient checkpointing", in_bytes(kept.checkpointed), again),
    ]
    if report.cache_bytes:
        rows.append(("cache", in_bytes(report.cache_bytes), ""))
    title = f"memory for batch {report.batch}, sequence {report.sequence} in {report.dtype}"
    return [title, *table(rows, "<><")]


def _decoding(report: Costs) -> list[str]:
    step = report.decoding
    if step is None:
        return []
    note = "" if step.exact else "if routing is uniform"
    rows = [
        ("FLOPs, over all cached keys", in_flops(step.flops), ""),
        ("weights read", in_bytes(step.weight_bytes), note),
        ("cache read", in_bytes(step.cache_bytes), ""),
    ]
    title = f"one decoding step for batch {report.batch}, {step.cache_length} tokens cached"
    return [f"{title}, in {report.dtype}", *table(rows, "<><")]


def _attention(report: Costs) -> list[str]:
    if not report.attends:
        return []
    rows = []
    for formula, share in report.density.items():
        layers = sum(len(a.layers) for a in report.attends if a.formula == formula)
        count = f"in {layers} layer{'s' if layers != 1 else ''}"
        rows.append((f"  {formula}", f"{100 * share:.2f} %", count))
    lines = [
        "attention",
        f"  FLOPs of all scores and weighted sums: {in_words(report.attention_formula)}",
        "  query-key pairs that the masks allow",
        *table(rows, "<><"),
    ]
    letters = [one for one in LETTERS if one in re.findall(r"[A-Z][a-z]*", report.flops_formula)]
    return [*lines, "", "  ".join(f"{letter} {LETTERS[letter]}" for letter in letters)]


def layer_table(report: Costs) -> str:
    """One line per module, each kind of layer once, and the total."""
    total, forward = report.weights_total, report.forward
    rows = [("module", "class", "result", "", "parameters", "", "FLOPs", "")]
    for row in report.layer_rows:
        name = row.name.rpartition(".")[2] if row.depth and not row.name.endswith("}") else row.name
        name = name.replace("{layer}", layer_runs(row.layers))
        shape = " x ".join(map(str, row.shape))
        times = f"x {row.times}" if row.times > 1 else ""
        counts, flops = ("", ""), ("", "")
        if row.weights:
            counts = f"{row.weights:,}", _share(row.weights * row.stored, total)
        if row.flops:
            flops = in_flops(row.flops), _share(row.flops * row.times, forward)
        rows.append(("  " * row.depth + name, row.kind, shape, times, *counts, *flops))
    rows.append(("all", "", "", "", f"{total:,}", "", in_flops(forward), ""))
    title = "Parameters and FLOPs are those of one layer; shares are those of all that are named."
    return "\n".join([*table(rows, "<<<>>>>>", indent=""), title])


def weight_table(report: Costs) -> str:
    """One line per weight, those of layers once, and the total."""
    rows = [("weight", "shape", "numbers", "layers", "copies", "part", "expression", "")]
    for row in report.weight_rows:
        shape = " x ".join(map(str, row.shape))
        counts = (f"{row.count:,}", layer_runs(row.layers), f"{row.copies}")
        note = f"tied to {row.tied}" if row.tied else "" if row.trained else "not trained"
        rows.append((row.name, shape, *counts, _words(row.part), row.expression, note))
    rows.append(("all copies", "", f"{report.weights_total:,}", "", "", "", "", ""))
    return "\n".join(table(rows, "<>><><<<", indent=""))


def kernels(report: Costs) -> str:
    """One line for each attention, or for each group of its heads with a mask of its own: scope,
    layers, mask, kernel, the share of scores that it computes at this length, and the reason. Then
    what each other kernel of `build --kernel` lacks.
    """
    rows = [("scope", "layers", "mask", "kernel", "scores", "because")]
    others = [("scope", "not used", "because")]
    every = zip(report.attends, report.computed, report.computed_by_head, strict=True)
    for attend, share, shares in every:
        layers = layer_runs(attend.layers)
        kernel = f"{attend.kernel}, tiles" if attend.op.attrs.get("tiles") else attend.kernel
        if not attend.groups:
            scores = f"{share:.0%}"
            rows.append((attend.scope, layers, attend.formula, kernel, scores, attend.reason))
            others += [(attend.scope, name, reason) for name, reason in attend.lacks.items()]
        for each, part in zip(attend.groups, shares, strict=True):
            scope = f"{attend.scope}, {each.group}"
            rows.append((scope, layers, each.formula, kernel, f"{part:.0%}", each.reason))
            others += [(scope, name, reason) for name, reason in each.lacks.items()]
    return "\n".join([*table(rows, "<<<<><", indent=""), "", *table(others, "<<<", indent="")])
