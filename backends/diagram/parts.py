"""Convert a ModuleGraph to parts of a figure and their connections.

An op is a part or belongs to one; the ops of a module are one box. Regions are the model, each kind
of block, and each opened module. Inputs from outside of a region are recorded in `outside` of the
part that reads them. A stack of layers is one part of the surrounding region.
"""

from __future__ import annotations

from collections import Counter

from ...compiler.graph import ModuleGraph, Op, Scope
from ...compiler.order import in_order
from .joined import join_sums
from .look import Look, full_look_of, inner_look, is_optional, look_of, step_look
from .modules import ATTENDS, say
from .opened import openable, outermost
from .options import DrawOptions
from .part import PORTS, ROOT, Part, Region
from .text import plain, words


class Parts:
    """All parts of a model, by key and by region."""

    def __init__(self, graph: ModuleGraph, options: DrawOptions | None = None) -> None:
        self.graph = graph
        self.options = options or DrawOptions()
        self.every = self.options.depth == "ops"
        opens = self.options.depth in ("module", "ops")
        self._opened = openable(graph) if opens else set()
        self.by_key: dict[str, Part] = {}
        self.regions: dict[str, Region] = {ROOT: Region(ROOT)}
        self._of_value: dict[str, str] = {}
        self._counts: Counter[str] = Counter()
        for scope in graph.scopes.values():
            if scope.role == "layers":
                self._add(
                    Part(
                        f"{scope.path}", "layers", "layers", self._region(scope.parent), scope.path
                    )
                )
            elif scope.role == "block":
                self.regions[scope.path] = Region(scope.path)
            elif scope.path in self._opened:
                region = self._region(scope.parent)
                self._add(Part(scope.path, "opened", "other", region, scope.path))
                self.regions[scope.path] = Region(scope.path)
        self._entries = {stack: self._entries_of(stack) for stack in graph.stack_facts}
        for op in graph.ops():
            self._place(op)
        for op in graph.ops():
            self._connect(op)
        self._finish()

    # -- reading

    def source(self, value: str, region: str) -> str | None:
        """The part of this value, as seen from a region; None if it is not drawn."""
        key = self._of_value.get(value)
        if key is None:
            return None
        part = self.by_key[key]
        while part.region != region and not self._within(region, part.region):
            part = self.by_key[self._holder(part.region)]
        return part.key

    def shows(self, op: Op) -> str:
        """The part of an op: its own, or the nearest one that uses its result.

        Masks and the like are text in the part that reads them; other ops without a box belong to
        the enclosing part.
        """
        own = next((part.key for part in self.by_key.values() if op in part.ops), None)
        waiting, seen = [op], {op.number}
        while own is None and waiting:
            one = waiting.pop(0)
            drawn = [self._of_value[value] for value in one.outputs if value in self._of_value]
            own = drawn[0] if drawn else None
            readers = [r for value in one.outputs for r in self.graph.consumers(value)]
            waiting += [r for r in readers if r.number not in seen]
            seen |= {r.number for r in readers}
        return own or self._holder(self._region(op.scope))

    def order(self, region: str) -> list[Part]:
        """The parts of a region in topological order."""
        parts = self.regions[region].parts
        place = {part.key: index for index, part in enumerate(parts)}
        needs = {place[part.key]: [place[key] for key in part.inputs] for part in parts}
        return [parts[index] for index in in_order(needs)]

    def blocks(self, layers: str) -> list[Scope]:
        return [scope for scope in self.graph.children(layers) if scope.role == "block"]

    # -- building

    def _add(self, part: Part) -> Part:
        part.sideways = self.options.direction == "right"
        self.by_key[part.key] = part
        self.regions[part.region].parts.append(part)
        return part

    def _region(self, scope: str | None) -> str:
        """The region of a scope."""
        while scope:
            if scope in self.regions:
                return scope
            scope = self.graph.scopes[scope].parent
        return ROOT

    def _holder(self, region: str) -> str:
        """The part that represents a region in the surrounding region."""
        if region in self._opened:
            return region
        parent = self.graph.scopes[region].parent
        assert parent is not None
        return parent

    def _within(self, region: str, outer: str) -> bool:
        return outer == ROOT or self.graph.inside(region, outer)

    def _box_of(self, op: Op) -> Scope | None:
        """The module that is drawn as one box and contains this op."""
        found = outermost(self.graph, op)
        if found is None or found.path not in self._opened:
            return found
        self.by_key[found.path].ops.append(op)
        return None if self.every else outermost(self.graph, op, below=found.path)

    def _place(self, op: Op) -> None:
        look = look_of(op) if not self.every else full_look_of(op)
        if self._modulates(op):
            look = Look("through")
        region = self._region(op.scope)
        module = self._box_of(op)
        if look.form == "unseen" or self._is_said(op):
            return
        if not (self.every or self._seen(op) or look.form == "through"):
            return
        if look.form == "through" and module is None:
            passed = self._passed(op)
            if passed or region not in self._opened:
                self._of_value.update(passed)
                return
            look = step_look(look)
        if region in self._opened and not self.every:
            look = inner_look(op, look)
            if look.form == "unseen":
                return
        if module is not None:
            part = self.by_key.get(module.path)
            if part is None:
                part = self._add(Part(module.path, "box", "other", region, module.path))
        else:
            path = ".".join(filter(None, (op.scope, op.name or op.kind)))
            part = self._add(Part(self._key(op), look.form, look.look, region, path))
            part.title = look.title(op, self.graph)
            detail = look.detail(op, self.graph)
            if op.kind == "argument" and not self.options.shapes:
                detail = "optional" if is_optional(op, self.graph) else ""
            part.lines = (detail,) if detail else ()
            if look.form == "entry":
                self.regions[region].entry = self.regions[region].entry or part.key
        part.ops.append(op)
        self._of_value.update(dict.fromkeys(op.outputs, part.key))

    def _modulates(self, op: Op) -> bool:
        """Whether it computes shifts, scales and gates: the condition leads directly to them."""
        made: Op | None = op
        while made is not None and made.kind in ("add_axis", "chunk"):
            made = self.graph.producer(made.first)
        readers = [] if made is None else self.graph.consumers(made.outputs[0])
        linear = made is not None and made.kind == "linear"
        return linear and bool(readers) and all(reader.kind == "chunk" for reader in readers)

    def _is_said(self, op: Op) -> bool:
        """Whether a position table is shown as text in the steps that read it."""
        tables = ("rope_table", "grid_rope_table", "sharpness")
        if op.kind not in tables or self.every or not self._opened:
            return False
        readers = [reader for value in op.outputs for reader in self.graph.consumers(value)]
        return all(self._region(reader.scope) in self._opened for reader in readers)

    def _passed(self, op: Op) -> dict[str, str]:
        """The input that replaces a step that is not drawn; None if it joins several values."""
        sources = [self._of_value.get(value) for value in op.inputs if value]
        first = self._of_value.get(op.first)
        if first is None:
            return {}
        if len(op.outputs) > 1 and len(op.outputs) == len(sources):
            pairs = zip(op.outputs, sources, strict=True)
            return {value: source for value, source in pairs if source is not None}
        joins = self._region(op.scope) in self._opened and len(set(sources) - {None}) > 1
        return {} if joins else dict.fromkeys(op.outputs, first)

    def _seen(self, op: Op) -> bool:
        """Whether a value is drawn: not integers, booleans or optional arguments."""
        values = [self.graph.values[name] for name in op.outputs]
        if op.kind == "argument":
            data = any(fact.argument == op.name for fact in self.graph.sources())
            return data or not all(value.optional for value in values)
        return any(value.dtype == "float" for value in values)

    def _key(self, op: Op) -> str:
        """A key that differs from all modules."""
        parts = [op.scope, op.name] if op.name else [op.scope, op.kind]
        if op.kind == "argument":
            parts = ["argument", op.name]
        path = ".".join(filter(None, parts))
        self._counts[path] += 1
        count = self._counts[path]
        return path if op.name and count == 1 else f"{path}.{count}"

    def _connect(self, op: Op) -> None:
        target = self._of_value.get(op.outputs[0]) if op.outputs else None
        if target is None or look_of(op).form == "entry":
            return
        part = self.by_key[target]
        if op not in part.ops:
            return
        self._feed(part, op)
        module = self.by_key.get(part.region)
        if module is not None and part.region in self._opened:
            self._feed(module, op)

    def _feed(self, part: Part, op: Op) -> None:
        """Connect the inputs of an op to its part."""
        if op.kind in (
            "learned_tokens",
            "zero_tokens",
        ):  # of another stack, only the number of sequences
            return
        for value in op.inputs:
            source = self.source(value, part.region) if value else None
            if source is None or source == part.key:
                continue
            entry = self._entries.get(self.graph.scopes[op.scope].stack, {}).get(value)
            if entry is not None:
                entry.outside = [source]
                source = entry.key
            if op.kind == "place_rows" and value == op.arg("ids"):  # the part names the id
                continue
            own = self.by_key[source].region == part.region
            own = own and (entry is not None or not self._of_other_stack(op, value))
            known = part.inputs if own else part.outside
            if source not in known:
                known.append(source)

    def _entries_of(self, stack: str) -> dict[str, Part]:
        """The texts at the bottom of a stack whose sequence is the output of others, by value."""
        facts = [part.input for part in self.graph.parts.get(stack, ())]
        others = dict.fromkeys(fact.stack for fact in facts or [self.graph.inputs[stack]])
        path = self.graph.stacks()[stack].path
        found = {}
        for other in filter(None, others):
            key = f"{path}.input" + (f".{other}" if facts else "")
            part = Part(key, "text", "text", ROOT, path, f"{words(other)} states")
            part.place = ("stacks", stack, "input")
            found[self.graph.hidden[other]] = self._add(part)
        return found

    def _of_other_stack(self, op: Op, value: str) -> bool:
        """Whether an op of a stack reads the output of another stack."""
        stack = self.graph.scopes[op.scope].stack
        read = [other for other, hidden in self.graph.hidden.items() if hidden == value]
        return bool(stack and read) and stack not in read

    def _finish(self) -> None:
        for scope in self.graph.scopes.values():
            if scope.role == "block" and scope.carry is not None:
                last = scope.carries[-1][1]
                self.regions[scope.path].result = self.source(last, scope.path) or ""
                self.regions[scope.path].streams = self._streams(scope)
        for path in self._opened:
            ends = [
                self._of_value[v]
                for op in self.by_key[path].ops
                for v in op.outputs
                if v in self._of_value
            ]
            self.regions[path].result = ends[-1]
        stacks = self._stack_outputs()
        for part in self.by_key.values():
            scope_of = self.graph.scopes.get(part.key)
            if scope_of is not None and scope_of.role == "module":
                crossed = any(source in stacks for source in part.outside)
                inner = part.region in self._opened
                described = say(self.graph, scope_of, part.ops, crossed=crossed, inner=inner)
                part.look, part.title, part.lines = described.look, described.title, described.lines
                self._compare(part, stacks)
                part.ports = self._ports(part)
            elif scope_of is not None and scope_of.role == "layers":
                self._whole(part, scope_of)
        if not self.every:
            joined = join_sums(self.graph, self.regions, self.by_key)
            for value, key in self._of_value.items():
                self._of_value[value] = joined.get(key, key)
            for region in self.regions.values():
                region.streams = [[joined.get(k, k) for k in one] for one in region.streams]

    def _streams(self, block: Scope) -> list[list[str]]:
        """The parts with the hidden states of each stream of a block."""
        found = []
        for (enter, _), updates in zip(block.carries, block.updates, strict=False):
            sources = [self.source(value, block.path) for value in (enter, *updates)]
            found.append([source for source in sources if source])
        return found

    def _compare(self, part: Part, stacks: set[str]) -> None:
        """A head of several stacks is drawn above the last one and reads the others."""
        read = [source for source in part.inputs if source in stacks]
        if part.region == ROOT and len(read) > 1:
            part.inputs = read[-1:]
            part.outside += read[:-1]

    def _whole(self, part: Part, layers: Scope) -> None:
        """Text and inputs of a stack that is drawn as one box."""
        source = self.source(layers.source, part.region)
        for value, entry in self._entries.get(layers.stack, {}).items():
            if source and source == self.source(value, part.region):
                entry.outside, source = [source], entry.key  # nothing drawn is between them
        part.inputs = [source] if source else []
        sources = [self.source(value, part.region) for value in layers.sources]
        if self.options.depth == "stack":
            self._together([self.by_key[source] for source in sources if source])
        part.title = words(layers.stack)
        depth = len(layers.order)
        part.lines = (f"{plain(depth)} {'layer' if depth == 1 else 'layers'}",)
        inside = [
            each for block in self.blocks(layers.path) for each in self.regions[block.path].parts
        ]
        part.outside = list(dict.fromkeys(source for each in inside for source in each.outside))

    def _together(self, entries: list[Part]) -> None:
        """One text for the arguments of several streams, which enter the layers together."""
        if len(entries) < 2 or any(part.form != "text" for part in entries):
            return
        first, *others = entries
        first.lines = tuple(f"{part.title} {line}" for part in entries for line in part.lines)
        first.title = ", ".join(part.title for part in entries)
        for part in others:
            self.regions[part.region].parts.remove(part)

    def _stack_outputs(self) -> set[str]:
        found = (self.source(value, ROOT) for value in self.graph.hidden.values())
        return {key for key in found if key is not None}

    def _ports(self, part: Part) -> dict[str, str]:
        """The sources of queries, keys and values of an attention box, if they are unique."""
        attends = [op for op in part.ops if op.kind in ATTENDS]
        if len(attends) != 1:
            return {}
        found = {}
        for port in PORTS:
            sources = self._sources(part, attends[0].arg(port.lower()))
            if len(sources) == 1:
                found[port] = sources.pop()
        return found if len(found) == len(PORTS) else {}

    def _sources(self, part: Part, value: str) -> set[str]:
        """The parts outside of this box from which a value is computed, except tables."""
        op = self.graph.producer(value)
        if op is None or op not in part.ops:
            source = self.source(value, part.region)
            if source is None or self.by_key[source].look == "position":
                return set()
            return {source}
        return {s for name in op.inputs if name for s in self._sources(part, name)}
