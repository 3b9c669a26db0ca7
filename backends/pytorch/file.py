"""Assemble an emitted file: docstring, imports, Config, helpers, classes, the model."""

from __future__ import annotations

import builtins
import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from ...compiler.graph import ModuleGraph
from ...compiler.passes.choose_tiles import choose_tiles
from ...compiler.passes.join_projections import join_projections
from ...compiler.passes.keep_weights import keep_weights, why_no_weights
from ...compiler.passes.use_flex import refused, use_flex
from ...compiler.passes.use_tiles import use_tiles, without_tiles
from .bases import with_bases
from .caches import cache_class
from .card import write_card
from .classes import Written
from .code.layout import Printed
from .code.nodes import Class, Copied, Function, Set, Statement
from .code.scope import Names, UnboundNameError, bound_by, notes_of
from .code.show import WIDTH, show
from .config import config_class
from .file_classes import plan_file
from .flex import flex_constants
from .generate import beam_search_method, generate_method, why_not_generate
from .group_queries import grouped_attention
from .grouped import require_grouped
from .helpers import collect
from .initial import init_fields
from .layer_list import constants
from .loader import FUNCTION, table
from .model import Model
from .options import USUAL, BuildOptions
from .origins import with_called, with_users
from .source_map import Sources, line_sources, source_map
from .static import BuildError, require_static
from .tile_functions import mask_functions, tile_constants
from .writer import Needs

SEAL = "\n\n# sha256 of the above: "
IMPORTS = {
    "json": "import json",
    "math": "import math",
    "re": "import re",
    "Callable": "from collections.abc import Callable",
    "ExitStack": "from contextlib import ExitStack",
    "dataclass": "from dataclasses import dataclass",
    "partial": "from functools import partial",
    "pairwise": "from itertools import pairwise",
    "fields": "from dataclasses import fields",
    "Path": "from pathlib import Path",
    "Any": "from typing import Any",
    "NamedTuple": "from typing import NamedTuple",
}
TORCH_IMPORTS = {
    "torch": "import torch",
    "safe_open": "from safetensors import safe_open",
    "nn": "from torch import Tensor, nn",
    "F": "from torch.nn import functional as F",
    "AuxRequest": "from torch.nn.attention.flex_attention import AuxRequest",
    "BlockMask": "from torch.nn.attention.flex_attention import BlockMask",
    "flex_attention": "from torch.nn.attention.flex_attention import flex_attention",
    "checkpoint": "from torch.utils.checkpoint import checkpoint",
}
"""Global name -> the line that imports it."""
IMPORTED = {*IMPORTS, *TORCH_IMPORTS, "Tensor"}
BUILTINS = set(dir(builtins))


@dataclass(frozen=True, eq=False)
class Emitted:
    """An emitted file: its text, the name of its class, and the origins of its lines.

    graph: after passes
    without_generate: why a decoder with a language-model head has no `generate`, or ""
    """

    text: str
    class_name: str
    graph: ModuleGraph = field(repr=False)
    without_generate: str = ""
    _lines: Callable[[], dict[int, Sources]] = field(default=dict, repr=False)

    @cached_property
    def sources(self) -> dict[int, Sources]:
        """What each line is there for, by its number; computed on first access."""
        return self._lines()

    @cached_property
    def source_map(self) -> dict[str, Any]:
        """The origins of each line (see docs/source-map.md), computed on first access."""
        return source_map(self.graph, self.sources)


def emit_file(
    graph: ModuleGraph, options: BuildOptions = USUAL, *, with_map: bool = False
) -> Emitted:
    """The PyTorch file of a graph. Equal graphs give equal bytes. Raises BuildError.

    with_map: print the lines once, with the origins that the source map needs; otherwise they are
        printed again for it
    """
    lowered = graph
    if options.static_cache:
        require_static(graph)
    if options.experts == "grouped":
        require_grouped(graph)
    if options.attention_weights and (reason := why_no_weights(graph)):
        raise BuildError(f"--attention-weights does not apply to {graph.name}: {reason}")
    if options.join_projections:
        graph = join_projections(graph)
    graph = with_kernel(graph, options)
    if options.attention_weights:
        graph = keep_weights(graph)
    program = program_of(graph, options)
    lines = printed(program.whole_parts() if with_map else program.parts)
    text = "\n".join([line.text for line in lines])
    head = _head(graph, program, options)
    content = f"{head}{text}\n"
    sealed = content + SEAL + hashlib.sha256(content.encode()).hexdigest() + "\n"

    def sources() -> dict[int, Sources]:
        whole = lines if with_map else printed(program.whole_parts())
        return line_sources(graph, whole, head.count("\n"), lowered)

    return Emitted(sealed, graph.class_name, graph, program.without_generate, sources)


def with_kernel(graph: ModuleGraph, options: BuildOptions) -> ModuleGraph:
    """The graph whose masks are tiles, or are not, as the options say. Raises BuildError."""
    dense = options.static_cache or options.attention_weights
    if dense and options.kernel != "dense" and any(op.attrs.get("forced") for op in graph.ops()):
        option = "--static-cache" if options.static_cache else "--attention-weights"
        raise BuildError(
            f"{option} does not apply to {graph.name}, which asks for `kernel: tiles`; add "
            "--kernel dense"
        )
    if dense or options.kernel == "dense":
        return without_tiles(graph)
    if options.kernel == "flex":
        if reason := refused(graph):
            raise BuildError(f"--kernel flex does not apply to {graph.name}: {reason}")
        return use_flex(graph)
    if options.kernel == "tiles":
        graph = choose_tiles(graph, forced=True)
        reasons = [op.attrs["tiles_reason"] for op in graph.ops() if op.attrs.get("tiles_reason")]
        if not any(op.attrs.get("tiles") for op in graph.ops()):
            reason = reasons[0] if reasons else "no attention has a mask"
            raise BuildError(f"--kernel tiles does not apply to {graph.name}: {reason}")
    return use_tiles(graph)


def is_ours_unedited(text: str) -> bool:
    """Whether the text was written by Modelwright and not modified since."""
    content, mark, seal = text.rpartition(SEAL)
    return bool(mark) and hashlib.sha256(content.encode()).hexdigest() + "\n" == seal


# -- the program


@dataclass(frozen=True)
class Program:
    """The parts of a file in order, and the names that it imports."""

    first: list[Statement]  # Config, cache, helpers, masks
    modules: list[Class]
    last: list[Statement]  # constants, the model
    imported: set[str]
    written: list[Written]  # what the modules were made of
    without_generate: str

    @property
    def parts(self) -> list[Statement]:
        return [*self.first, *self.modules, *self.last]

    def whole_parts(self) -> list[Statement]:
        """The same, with origins for the source map: of all modules that a class is for, of what a
        line calls, and of what calls a helper."""
        classes = with_bases([one.whole() for one in self.written], whole=True)
        return with_users(with_called([*self.first, *classes, *self.last]))


def program_of(graph: ModuleGraph, options: BuildOptions) -> Program:
    """The classes, functions and constants of the file.

    Raises UnboundNameError if a part reads an undefined name, which is a bug.
    """
    plan, classes = plan_file(graph, options)
    needs = Needs()
    for one in classes:
        for name, ops in one.needs.masks.items():
            needs.masks.setdefault(name, []).extend(ops)
    model = Model(plan, needs)
    methods = model.methods()
    static = options.static_cache
    own: list[Statement] = [cache_class(graph, static=static)] if plan.cached else []
    masks = mask_functions(graph, needs.masks, static=static)
    methods += [made for made in [generate_method(model)] if made is not None]
    methods += [beam_search_method(model)] if options.beam_search else []
    names = [] if options.loader is None else table(options.loader)
    reason = why_not_generate(model)
    last = [*names, *constants(plan), model.write(methods, reason)]
    modules = with_bases(classes)
    rest: list[Statement] = [*masks, *modules, *last]
    read = Names([*own, *rest])
    helpers: list[Copied | Function] = [*collect(read.outer | ({FUNCTION} if names else set()))]
    read.add(helpers)
    grouped = grouped_attention(read)
    helpers += grouped
    read.add(grouped)
    own += [*tile_constants(graph, read.outer), *flex_constants(read.outer)]
    config = config_class(plan, read.fields, init_fields(graph))
    read.add([config])
    bound = [bound_by(part) for part in (config, *own, *helpers, *rest)]
    outer = read.outer.difference(*bound)
    unknown = outer - IMPORTED - BUILTINS
    if unknown:
        raise UnboundNameError(f"the file reads {', '.join(sorted(unknown))}, which is not there")
    return Program([config, *own, *helpers, *masks], modules, last, outer, classes, reason)


# -- the text


def printed(parts: list[Statement], width: int = WIDTH) -> list[Printed]:
    """The lines of the parts, separated by two blank lines."""
    lines: list[Printed] = []
    for before, part in zip([None, *parts], parts, strict=False):
        if before is not None and not (isinstance(before, Set) and isinstance(part, Set)):
            lines += [Printed(""), Printed("")]
        lines += show(part, 0, width)
    return lines


def _head(graph: ModuleGraph, program: Program, options: BuildOptions) -> str:
    notes, outer = notes_of(program.parts), program.imported
    name = f"{module_name(graph.name)}.py"
    card = write_card(graph, notes, name, options.words(), options.torch)
    standard = "\n".join(_joined([line for name, line in IMPORTS.items() if name in outer]))
    third = "\n".join(_joined([line for name, line in TORCH_IMPORTS.items() if name in outer]))
    return f'"""{card}\n"""\n\n{standard}\n\n{third}\n\n\n'


def _joined(lines: list[str]) -> list[str]:
    """Import lines, each module once: `from typing import Any, NamedTuple`."""
    found: dict[str, list[str]] = {}
    for line in lines:
        module, sign, name = line.partition(" import ")
        found.setdefault(f"{module}{sign}", []).append(name)
    return [f"{module}{', '.join(names)}" for module, names in found.items()]


def module_name(name: str) -> str:
    """`llama-3.1-8b` is the file `llama_3_1_8b.py`."""
    return re.sub(r"\W+", "_", name).strip("_").lower()
