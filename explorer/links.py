"""Links between the panes of the explorer: YAML lines, parts of the figure, code lines, weights.

Each item of a pane lists its ops, modules and spec paths. Two items of different panes are
*partners* if they are the same op or module, or if one comes from the other's line of YAML. They
are *related* if one only uses a value that the other one sets, such as `d_model: 768` and each
weight of that size. The page computes all links from these lists.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ..backends.diagram.drawing import Box, Drawing, Frame
from ..backends.diagram.masks import masks_of
from ..backends.diagram.parts import Parts
from ..backends.diagram.svg import identity
from ..backends.pytorch import Emitted
from ..backends.pytorch.source_map import Sources
from ..compiler.graph import ModuleGraph, Op
from ..compiler.passes.keep_weights import attentions
from ..compiler.weight_rows import WeightRow
from ..spec import ModelSpec
from ..spec.display import Line
from .paths import Path, Written, steps

PANES = ("yaml", "figure", "code", "weights", "resolved", "masks", "maps")
OF_LAYERS = ("layers", "pattern", "overrides", "order")
"""Keys of a stack that its frame of layers shows."""
WHETHER = {"final_norm": "norm"}
"""Key of a stack that says whether it has a part -> the key that says what this part is."""
OF_MODEL = ("name", "family", "description", "modelwright")
"""Keys of the model that its own class shows."""


@dataclass
class Item:
    """A part of a pane, and what it stands for.

    own       its ops ("op", number) and modules ("scope", path)
    asked     paths of the spec that asked for it
    values    paths of the spec whose value it shows
    reads     paths of the spec whose value it depends on
    yaml      lines of the YAML text that say something about it
    resolved  lines of the resolved spec that do
    until     of a line of YAML: the last line of its value
    """

    own: Set[tuple[str, int | str]] = frozenset()
    asked: Set[Path] = frozenset()
    values: Set[Path] = frozenset()
    reads: Set[Path] = frozenset()
    yaml: Set[int] = frozenset()
    resolved: Set[int] = frozenset()
    until: int = 0


class Links:
    """The items of every pane, by the key that the page has for them.

    Keys are line numbers, the ids of the figure's SVG, the numbers of weight rows and masks from 0,
    and the numbers of the ops whose attention maps are shown.
    """

    def __init__(
        self,
        spec: ModelSpec,
        graph: ModuleGraph,
        drawn: tuple[Drawing, Parts],
        emitted: Emitted,
        rows: Iterable[WeightRow],
        texts: tuple[str, Iterable[Line]],
    ) -> None:
        """drawn: the figure and its parts; texts: the YAML of the spec and the resolved one."""
        self.graph = graph
        self._found: dict[Path, Path] = {}
        self.written = Written(spec, *texts)
        self.figure = dict(self._figure(*drawn))
        self.code = self._code(emitted.sources)
        self.weights = dict(enumerate(map(self._weight, rows)))
        masks = masks_of(graph)
        self.masks = {index: self._attention(*seen.ops) for index, seen in enumerate(masks)}
        self.maps = {op.number: self._attention(op) for op in attentions(graph)}
        self._ask_yaml()
        for seen, item in zip(masks, self.masks.values(), strict=True):
            item.yaml |= self.written.home(tuple(seen.origin))
            item.resolved |= {self.written.resolved.get(tuple(seen.origin), 0)} - {0}
        self.yaml = dict(self._yaml())
        self.resolved = dict(self._resolved())

    def to_json(self) -> dict[str, Any]:
        """All items as lists of numbers; equal ops, modules and paths have equal numbers."""
        numbers: dict[Any, int] = {}
        ordered: dict[Set[int], list[int]] = {}

        def coded(things: Iterable[Any]) -> list[int]:
            return sorted([numbers.setdefault(thing, len(numbers)) for thing in things])

        def item(one: Item) -> dict[str, Any]:
            found: dict[str, Any] = {}
            if one.own:
                found["own"] = coded(one.own)
                modules = [thing for thing in one.own if thing[0] == "scope"]
                found |= {"modules": coded(modules)} if modules else {}
            for key in ("values", "reads"):
                if things := getattr(one, key):
                    found[key] = coded(things)
            for key in ("yaml", "resolved"):
                if lines := frozenset(getattr(one, key)):
                    if lines not in ordered:
                        ordered[lines] = sorted(lines)
                    found[key] = ordered[lines]
            return found | ({"until": one.until} if one.until else {})

        panes: dict[str, dict[Any, Item]] = {pane: getattr(self, pane) for pane in PANES}
        each = {id(one): one for items in panes.values() for one in items.values()}
        made = {key: item(one) for key, one in each.items()}
        return {
            pane: {str(key): made[id(one)] for key, one in items.items()}
            for pane, items in panes.items()
        }

    # -- the items of each pane

    def _figure(self, drawing: Drawing, parts: Parts) -> Iterator[tuple[str, Item]]:
        by_path = {part.path: key for key, part in parts.by_key.items()}
        keys: dict[str, str] = {}  # of the figure's parts, by their ids
        for part in drawing.parts():
            keys[part.id] = part.id if part.id in parts.by_key else by_path.get(part.path, "")
        shown = self._shown(parts, set(keys.values()))
        for part in drawing.parts():
            ops = shown.get(keys[part.id], [])
            result = self.graph.outputs.get(part.path) if not part.spec else None
            if result is not None:  # the words above a head: what its last op gives
                ops = [self.graph.op(self.graph.producers[result])]
            yield identity(part.id), self._part(part, ops)

    def _shown(self, parts: Parts, drawn: set[str]) -> dict[str, list[Op]]:
        """The ops of each part that is drawn; those of no part are assigned to the nearest one."""
        shown: dict[str, list[Op]] = {}
        placed: set[int] = set()
        for key, part in parts.by_key.items():
            for around in dict.fromkeys((key, self._drawn(key, parts, drawn))):
                shown.setdefault(around, []).extend(part.ops)
            placed |= {op.number for op in part.ops}
        for op in self.graph.ops():
            if op.number not in placed:
                key = self._drawn(parts.shows(op), parts, drawn)
                shown.setdefault(key, []).append(op)
        return shown

    def _drawn(self, key: str, parts: Parts, drawn: set[str]) -> str:
        """The part itself, or the one that is drawn for all that is inside it."""
        while key not in drawn and key in parts.by_key and parts.by_key[key].region:
            region = parts.by_key[key].region
            key = region if region in parts.by_key else self.graph.scopes[region].parent or ""
        return key

    def _part(self, part: Box | Frame, ops: list[Op]) -> Item:
        inside = {tuple(op.origin) for op in ops}
        # What holds of a stack or a kind of layer as a whole is not repeated for each part of it.
        asked = {path for path in inside if len(path) > 4 or path[:1] != ("stacks",)}
        item = Item({("op", op.number) for op in ops}, {steps(part.spec)} if part.spec else asked)
        item.asked |= asked
        for op in ops:
            for weight in op.weights:
                item.reads |= places_of(weight.shape)
        scope = self.graph.scopes.get(part.path)
        if scope is not None and part.path:
            around = [scope.parent or ""] if scope.role == "block" else []
            item.own |= {("scope", path) for path in (scope.path, *around)}
        return item

    def _code(self, lines: Mapping[int, Sources]) -> dict[int, Item]:
        """The item of each line; lines with the same sources share it."""
        made: dict[int, Item] = {}
        for sources in lines.values():
            if id(sources) not in made:
                made[id(sources)] = self._line(sources)
        return {number: made[id(sources)] for number, sources in lines.items()}

    def _line(self, sources: Sources) -> Item:
        scopes = [self.graph.scopes[path] for path in sources.scopes]
        asked = {tuple(op.origin) for op in sources.ops}
        asked |= {tuple(scope.origin) for scope in scopes}
        values = set(sources.asked) - asked
        if values and not sources.ops and sources.scopes in ((), ("",)):  # a field of `Config`
            return Item(asked=set(values), values=values)
        item = Item({("op", op.number) for op in sources.ops}, asked, reads=values)
        if not sources.ops:
            item.own |= {("scope", scope.path) for scope in scopes}
        return item

    def _weight(self, row: WeightRow) -> Item:
        op = self.graph.op(row.op)
        item = Item({("op", op.number)}, {steps(row.spec)})
        for weight in op.weights:
            if self.graph.weight_name(op, weight) == row.name:
                item.reads |= places_of(weight.shape)
        return item

    def _attention(self, *ops: Op) -> Item:
        """What is inside the modules of some attentions."""
        own: set[tuple[str, int | str]] = set()
        for op in ops:
            own |= {("op", each.number) for each in self.graph.subtree(op.scope)}
            own.add(("scope", op.scope))
        return Item(own, {tuple(op.origin) for op in ops})

    def _yaml(self) -> Iterator[tuple[int, Item]]:
        for line, paths in self.written.lines.items():
            yield line, Item(values=set(paths), until=self.written.until[line])

    def _resolved(self) -> Iterator[tuple[int, Item]]:
        for path, line in self.written.resolved.items():
            yield line, Item(values={path}, yaml=self.written.lines_of(path))

    # -- what asked for them

    def _ask_yaml(self) -> None:
        """Give each item the lines of YAML that it comes from."""
        items = list(self._items())
        asked = {path for item in items for path in item.asked}
        lines = {path: self.written.home(path) for path in asked}
        for line, paths in self.written.lines.items():
            for path in paths:
                for owner in {path, self._owner(path)} & lines.keys():
                    lines[owner].add(line)
        resolved: dict[Path, set[int]] = {}
        for path, number in self.written.resolved.items():
            for owner in {path, self._owner(path)} - {()}:
                resolved.setdefault(owner, set()).add(number)
        owned: dict[Path, set[Path]] = {}  # values that fields of `Config` show, by their part
        for value in {value for item in self.code.values() for value in item.values}:
            owned.setdefault(self._owner(value), set()).add(value)
        for item in self.figure.values():
            for owner in owned.keys() & item.asked:
                item.reads |= owned[owner]
        of_layers = {stack: self._lines_of(stack, OF_LAYERS) for stack in self.graph.stacks()}
        of_model = self.written.top(OF_MODEL)
        shared: dict[Set[Path], tuple[Set[int], Set[int]]] = {}
        for item in items:
            asked_for = frozenset(item.asked)
            if asked_for not in shared:
                rows = [resolved.get(self._shown_at(path), ()) for path in asked_for]
                shared[asked_for] = (
                    frozenset().union(*[lines[path] for path in asked_for]),
                    frozenset().union(*rows),
                )
            item.yaml, item.resolved = shared[asked_for]
            for kind, place in item.own:
                if kind == "scope" and place == "":
                    item.yaml |= of_model
                    item.resolved |= {
                        self.written.resolved[key,] for key in ("name", "description")
                    }
                elif kind == "scope" and self.graph.scopes[str(place)].role == "layers":
                    item.yaml |= of_layers[self.graph.scopes[str(place)].stack]

    def _shown_at(self, path: Path) -> Path:
        """The path of the line of the resolved spec that shows a value, such as one of a list."""
        while path and path not in self.written.resolved and type(path[-1]) is int:
            path = path[:-1]
        return path

    def _items(self) -> Iterable[Item]:
        """The items that stand for ops, each once."""
        panes = self.figure, self.code, self.weights, self.masks, self.maps
        return {id(item): item for pane in panes for item in pane.values()}.values()

    @cached_property
    def _parts(self) -> set[Path]:
        """The paths that an op or a module comes from."""
        return {path for item in self._items() if item.own for path in item.asked}

    def _owner(self, path: Path) -> Path:
        """The innermost part around a value of the spec; () for a whole stack or model."""
        if len(path) == 3 and path[2] in WHETHER:
            path = (*path[:2], WHETHER[path[2]])
        owner = self._around(path)
        return () if len(owner) == 2 and owner[0] == "stacks" else owner

    def _around(self, path: Path) -> Path:
        """The innermost part around a value, or the value itself if it is one."""
        if path not in self._found:
            inner = not path or path in self._parts
            self._found[path] = path if inner else self._around(path[:-1])
        return self._found[path]

    def _lines_of(self, stack: str, keys: tuple[str, ...]) -> set[int]:
        paths = [("stacks", stack, key) for key in keys]
        return {line for line, written in self.written.lines.items() if written.intersection(paths)}


def places_of(shape: Iterable[Any]) -> set[Path]:
    """The paths of the spec values that the sizes of a weight are computed from."""
    fields = (field for size in shape for field in getattr(size, "fields", list)())
    return {tuple(place) for field in fields for place in (*field.places, field.origin) if place}
