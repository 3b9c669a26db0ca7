"""Random valid specs: whole models, every value small, written in one of the ways it may be.

`random_spec(seed)` and the strategy `specs()` give the same kind of document. A few are refused by
a law that nothing here foresees; those are located errors and count as refused.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import Any

import yaml
from hypothesis import strategies as st

from modelwright.spec.head import Tower
from modelwright.spec.masks import parse_mask
from modelwright.spec.model import Block, ModelSpec, SpecialTokens
from modelwright.spec.part import COMPONENTS
from modelwright.spec.signatures import shapes
from modelwright.spec.simpler_masks import simplest

from .dice import Dice, drawn, seeded
from .joined import with_images
from .parts import MEETS, Data, Parts, Place, buildable
from .pruned import pruned
from .queries_and_keys import move_positions
from .rare import OFTEN, rare
from .values import LENGTH, VOCABULARY, WIDTHS
from .videos import make_video

BLOCK_NAMES = ("a", "b", "global")
STACK_NAMES = ("text", "question", "notes")
HEAD_NAMES = ("words", "kind", "vector")
ORDINARY = ("attention", "cross_attention", "feed_forward")
OWN_OPTIONS: dict[str, Any] = {"stream": None, "axis": None, "residual": None}
SAFE = ("mask", "norm", "dropout", "activation", "bias", "share")
"""Keys of a block that no law ties to another key."""


@dataclass(frozen=True)
class Document:
    """A spec as it is written: the data of the main file, and of files that it extends."""

    data: Data
    files: dict[str, Data] = field(default_factory=dict)
    style: bool | None = False

    @property
    def text(self) -> str:
        return written(self.data, self.style)

    def with_data(self, data: Data) -> Document:
        return Document(data, self.files, self.style)


def before_it(places: dict[str, Place], place: Place) -> list[str]:
    """The stacks before this one."""
    return [name for name in places if name != place.name]


def reads_stack(stack: Data, name: str) -> bool:
    """Does a stack attend to another one, or pool it?"""
    text = repr(stack)
    return f"'memory': '{name}'" in text or f"'stack': '{name}'" in text


class _Plain(yaml.SafeDumper):
    """A YAML dumper without aliases."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def written(data: Data, style: bool | None = False) -> str:
    """Data as YAML: in block style, in flow style, or inner collections in flow style (None)."""
    return yaml.dump(
        data, Dumper=_Plain, default_flow_style=style, sort_keys=False, allow_unicode=True, width=90
    )


KERNELS = {
    "mha": "Mha",
    "mla": "Mla",
    "differential": "Differential",
    "collaborative": "Collaborative",
}
HEADED = ("differential", "collaborative")
"""Types of attention with options of `mha`."""
BIASED = ("alibi", "relative_bias", "relative_table", *MEETS)
OF_DISTANCE = ("alibi", "relative_bias")
"""Biases that tiles can have: one of them, without another bias, and not a table per layer."""


def _tiled(block: Data) -> bool:
    """Can the mask of a block be computed in tiles?"""
    mask = block.get("mask")
    if not isinstance(mask, str) or str(simplest(parse_mask(mask))) in ("full", "causal"):
        return False
    positions = repr(block.get("positions"))
    found = [kind for kind in BIASED for _ in range(positions.count(f"'{kind}'"))]
    of_distance = len(found) < 2 and set(found) <= set(OF_DISTANCE)
    part = block["attention"]
    free = "'share': 'layer'" not in positions and not part.get("score_bias")
    return of_distance and free and part.get("talking_heads", "none") == "none"


def without(value: Any, keys: tuple[str, ...]) -> Any:
    """The value without these keys, at any depth."""
    if isinstance(value, list):
        return [without(one, keys) for one in value]
    if not isinstance(value, dict):
        return value
    return {key: without(one, keys) for key, one in value.items() if key not in keys}


class Specs(Parts):
    """Draws whole specs. `read` are the stacks that another one reads."""

    def __init__(self, dice: Dice, rate: float = 0.3) -> None:
        super().__init__(dice, rate)
        self.read: set[str] = set()

    def spec(self) -> Document:
        plain = self.model()
        if "'share': True" in repr(plain):
            plain = without(plain, ("balance_loss", "z_loss"))  # a router keeps the loss of a layer
        document = Document(plain, {}, self.dice.one((False, None, True)))
        return self.extended(document) if self.dice.often(0.15) else document

    # -- the model

    def model(self) -> Data:
        if self.dice.often(0.04):
            return self.recurrent() if self.dice.often(0.6) else self.of_streams()
        kind = self.dice.one(("decoder-only", "encoder-only", "encoder-decoder", ""))
        model = self.part(
            ModelSpec, Place("", 8, causal=True), dict.fromkeys(shapes(ModelSpec)), rate=0
        )
        model["name"] = self.dice.one(values("ModelSpec", "name"))
        self.said.add(("ModelSpec", "name", model["name"]))
        tokens = self.part(SpecialTokens, Place("", 8, causal=True), {}, rate=0.4)
        if tokens:
            model["tokens"] = tokens
            self.said.add(("ModelSpec", "tokens", "{}"))
        places: dict[str, Place] = {}
        if kind:
            model["family"] = kind
            self.said.add(("ModelSpec", "family", kind))
            names = {"decoder-only": ["decoder"], "encoder-only": ["encoder"]}.get(
                kind, ["encoder", "decoder"]
            )
        else:
            names = list(STACK_NAMES[: self.dice.one((1, 2, 3))])
            self.said.add(("ModelSpec", "stacks", "{}"))
        stacks: dict[str, Data] = {}
        for name in names:
            places[name] = self.place(name, kind, tokens, places)
            stacks[name] = self.stack(places[name], kind, places, stacks)
            if make_video(stacks[name], places[name].turned, self.said):
                places[name].sizes["whole_image"] = False
        if not kind:
            model["stacks"] = stacks
        move_positions(stacks, self.said)
        self.heads(model, places)
        self.rest(model)
        return self.lifted(model, stacks, kind)

    def of_streams(self) -> Data:
        """One stack of two streams, as in the Evoformer, with sublayers in any order."""
        dice = self.dice
        streams: Data = {"rows": {"d_model": 8, "axes": ["row", "place"]}}
        streams["pairs"] = {"d_model": 6, "axes": ["place", "place"]}
        for name, stream in streams.items():
            stream["input"] = {"type": "features", "argument": f"{name}_in"}
            stream["input"] |= {"size": 5} if dice.often(0.4) else {}
        parts = [
            part | {"residual": dice.one(("sequential", {"from": "block"}))}
            if i and dice.often(0.2)
            else part
            for i, part in enumerate(self._of_streams())
        ]
        for part in parts:
            cls = COMPONENTS["sublayers"].classes[part["type"]].__name__
            self.said |= {(cls, key, repr(value)) for key, value in part.items()}
            self.said.add(("sublayers", "type", part["type"]))
        self.said |= {("Stream", key, repr(value)) for key, value in streams["rows"].items()}
        self.said |= {("Stack", "streams", "{}"), ("score_bias", "type", "linear")}
        self.said |= {("StreamBias", key, "") for key in ("stream", "norm", "transpose")}
        stack = {"streams": streams, "sublayers": parts}
        return {"name": "streams", "layers": dice.one((1, 2)), "stacks": {"only": stack}}

    def _of_streams(self) -> list[Data]:
        """Sublayers of all kinds that a stream has."""
        dice = self.dice
        first = {"type": "linear", "stream": "pairs"} | dice.one(({}, {"norm": "rmsnorm"}))
        second = {"type": "linear", "stream": "pairs"} | dice.one(({}, {"transpose": True}))
        gate = dice.one(({}, {"output_gate": "elementwise"}, {"output_gate": "headwise"}))
        row = {"type": "mha", "stream": "rows", "heads": 2, **gate}
        parts: list[Data] = [
            {**row, "axis": 1, "head_dim": 3, "bias": ["output"], "score_bias": [first]},
            {**row, "axis": 0, "bias": True},
            {"type": dice.one(("mlp", "glu")), "stream": "rows", "d_ff": 7},
            {"type": "outer_product_mean", "stream": "pairs", "source": "rows", "hidden": 3},
            *(
                {"type": "triangle_multiplication", "stream": "pairs", "hidden": 4}
                | {"direction": direction, "bias": dice.often(0.5)}
                for direction in ("outgoing", "incoming")
            ),
            {"type": "mha", "stream": "pairs", "heads": 3, "axis": dice.one((0, 1))}
            | {"score_bias": [second]},
        ]
        parts[3] |= {"bias": False} if dice.often(0.5) else {}
        shift = dice.one(range(len(parts)))
        return parts[shift:] + parts[:shift]

    def recurrent(self) -> Data:
        """Two stacks of recurrences whose results do not have d_model numbers, as in RNNsearch."""
        dice = self.dice
        both = dice.often(0.7)
        cell = dice.one(("gru", "lstm"))
        source = {"type": cell, "hidden": dice.one((5, 7)), "output": "none"}
        source |= {"bidirectional": True} if both else {}
        direction = dice.one(("backward", "forward")) if both else "forward"
        target: Data = {"type": cell, "hidden": dice.one((6, 3)), "output": "none"}
        target["initial"] = {"memory": "source", "direction": direction}
        target["attention"] = self._of_a_state("source")
        target["result"] = dice.one((["previous_state", "input", "context"], ["state"]))
        stacks = {
            name: {"input": {"argument": f"{name}_ids"}, "sublayers": [part]}
            for name, part in (("source", source), ("target", target))
        }
        transform = {"type": "maxout", "hidden": 4, "bias": dice.often(0.5)}
        head = {"type": "language_model", "stack": "target"}
        head |= {"transform": transform} if dice.often(0.7) else {}
        self.said |= {("Maxout", key, repr(transform[key])) for key in ("hidden", "bias")}
        self.said |= {("InitialState", k, repr(v)) for k, v in target["initial"].items()}
        self.said |= {("CrossMha", k, repr(v)) for k, v in target["attention"].items()}
        for part in (source, target):
            self.said |= {(cell.capitalize(), key, repr(value)) for key, value in part.items()}
        self.said |= {("transform", "type", "maxout"), ("sublayers", "type", cell)}
        layer = {"layers": 1, "norm": "none", "residual": "none"}
        return {
            "name": "recurrent",
            "vocab_size": 24,
            "d_model": 8,
            **layer,
            "stacks": stacks,
            "head": head,
        }

    def rest(self, model: Data) -> None:
        place = Place("", 8, causal=True)
        for key in ("description", "init", "modelwright"):
            if self.dice.often(0.25):
                shape = shapes(ModelSpec)[key]
                model[key] = self.value(ModelSpec, key, shape, place)
                self.said.add(("ModelSpec", key, repr(model[key])))

    def place(self, name: str, kind: str, tokens: Data, before: dict[str, Place]) -> Place:
        """What is known of a stack before anything in it is drawn."""
        dice = self.dice
        causal = name == "decoder" or (kind == "" and dice.often(0.4))
        image = name != "decoder" and dice.often(0.15)
        width = next(iter(before.values())).d_model if before and dice.often(0.7) else None
        place = Place(name, width or dice.one(WIDTHS), causal and not image, image=image)
        place.earlier = tuple(before)
        place.heads = dice.one((2, 1, 4, 3))
        implied = place.d_model // place.heads if place.d_model % place.heads == 0 else 0
        place.turned = implied if implied and implied % 2 == 0 and dice.often(0.7) else 4
        place.latent = dice.often(0.12)
        pooled = not place.causal and not place.d_model % place.heads
        if not place.latent and dice.often(0.16):
            place.summed = dice.one(("linear", "fastformer") if pooled else ("linear",))
        place.signal = image and dice.often(0.4)
        place.stem = place.signal and dice.often(0.6)
        place.registers = image and not place.signal and dice.often(0.3)
        place.queries = not kind and bool(before) and dice.often(0.15)
        if place.queries:
            place.causal, place.image, place.signal, place.stem = False, True, True, False
            place.registers = False
        place.sizes.update(tokens)
        if not kind:
            what = "frames" if place.signal else "pixels" if image else "ids"
            place.sizes["argument"] = f"{name}_{what}"
        words = [n for n, other in before.items() if not other.image]
        same = [n for n in words if before[n].d_model == place.d_model]
        same = [n for n in same if "width" not in before[n].sizes]
        if same and not image and dice.often(0.4):
            place.sizes["tied"] = same[-1]
        return place

    # -- a stack

    def stack(
        self, place: Place, kind: str, places: dict[str, Place], stacks: dict[str, Data]
    ) -> Data:
        dice = self.dice
        found: Data = {"d_model": place.d_model}
        found["layers"] = dice.one((2, 1, 3, 5)) if dice.often(0.95) or place.queries else 0
        if dice.often(0.8) or place.image:
            found["max_positions"] = dice.one((LENGTH, 64))
            place.sizes["max_positions"] = found["max_positions"]
        self._positions(place, found)
        self._input(place, found, places)
        if dice.often(0.2):
            found["final_norm"] = dice.one((True, False))
        if dice.often(0.1):
            found["output_width"] = dice.one((6, 8))
            place.sizes["output_width"] = found["output_width"]
        for key in ("layers", "d_model", "max_positions", "final_norm", "output_width"):
            if key in found:
                self.said.add(("Stack", key, repr(found[key])))
        memory, before = self._memory(place, kind), set(self.read)
        if dice.often(0.2):
            found["condition"] = self.component("condition", place)
            self.said |= {("Stack", "condition", "{}"), ("Block", "condition", "{}")}
            if found["condition"] != "none":
                self.read |= set(place.sizes.get("pooled", ()))
        blocks = [self.block(place, found, memory)]
        if found["layers"] and dice.often(0.4):
            self._several(place, found, memory, blocks)
        else:
            found |= blocks[0]
            self._overrides(place, found, [])
        self._kernel(found)
        if not found["layers"]:
            self.read = before  # a stack without layers reads no memory
        if place.queries and found["layers"]:
            self._continued(place, found)
        if not kind and not place.image and "width" not in place.sizes:
            self._vectors(place, found, places)
        return found

    def _continued(self, place: Place, found: Data) -> None:
        """In place of learned vectors: the output of an earlier stack."""
        before, others = self.dice, [n for n in place.earlier if not reads_stack(found, n)]
        self.dice = seeded(len(repr(found)) + 2)  # of its own, as below
        if others and self.dice.often(0.5):
            kind = self.dice.one(("linear", "mlp", "glu"))
            fixed = {} if kind == "linear" else {"inner_norm": None}
            source: Data = {"type": "stack", "stack": self.dice.one(others)}
            source["projector"] = self.of_type("projector", kind, place, **fixed)
            found["input"] = source
            found["max_positions"] = 64
            self.read.add(source["stack"])
            self.said |= {("StackInput", key, repr(value)) for key, value in source.items()}
        self.dice = before

    def _vectors(self, place: Place, found: Data, places: dict[str, Place]) -> None:
        """Vectors of an earlier stack in the place of a token."""
        others = [name for name in before_it(places, place) if not reads_stack(found, name)]
        others = [name for name in others if "joined" not in {*places[name].sizes, *place.sizes}]
        before = self.dice
        self.dice = seeded(len(repr(found)) + 1)  # of its own: the other draws stay as they were
        if others and self.dice.often(0.5):
            other = places[self.dice.one(others)]
            width = other.sizes.get("output_width", other.d_model)
            kinds = ["linear", "mlp", "glu"] + ["none"] * (2 * (width == place.d_model))
            kind = self.dice.one(kinds)
            fixed = {} if kind in ("none", "linear") else {"inner_norm": None}
            source: Data = {"type": "stack", "stack": other.name, "replace": 4}
            source |= {"skip": 1} if self.dice.often(0.3) else {}
            source["projector"] = self.of_type("projector", kind, place, **fixed)
            main = found.get("input", "tokens")
            found["input"] = [*(main if isinstance(main, list) else [main]), source]
            found["max_positions"] = 64
            place.sizes["max_positions"] = 64
            self.read.add(other.name)
            self.said |= {("StackInput", key, repr(value)) for key, value in source.items()}
            self.said.add(("input", "type", "stack"))
        self.dice = before

    def _kernel(self, stack: Data) -> None:
        """The same kernel for all layers; tiles where the mask of the only kind allows them."""
        blocks = [stack, *stack.get("blocks", {}).values()]
        parts = [b["attention"] for b in blocks if isinstance(b.get("attention"), dict)]
        parts = [part for part in parts if part.get("type", "mha") in KERNELS]
        if not parts or len(parts) < len([b for b in blocks if "attention" in b]):
            return
        words: list[str] = ["auto", "dense"]
        if len(blocks) == 1 and stack["layers"] and "overrides" not in stack and _tiled(stack):
            words = ["tiles"]
        dice = seeded(len(repr(stack)))  # of its own: the other draws stay as they were
        if dice.often(0.4):
            word = dice.one(words)
            for part in parts:
                part["kernel"] = word
                self.said.add((KERNELS[part.get("type", "mha")], "kernel", repr(word)))

    def _positions(self, place: Place, found: Data) -> None:
        positions = self.positions_of(place, inside=False)
        if any(one["type"] == "learned" for one in positions) and not place.image:
            found.setdefault("max_positions", LENGTH)
            place.sizes.setdefault("max_positions", LENGTH)
        place.sizes["positions"] = positions
        place.given = tuple(positions)
        if positions or self.dice.often(0.2):
            found["positions"] = listed(positions, self.dice)
            self.said.add(("Stack", "positions", "{}"))

    def _input(self, place: Place, found: Data, places: dict[str, Place]) -> None:
        if place.image:
            kind = "conv" if place.stem else "features" if place.signal else "patches"
            kind = "learned" if place.queries else kind
            source = self.of_type("input", kind, place)
            said = source if isinstance(source, dict) else {}
            place.sizes["learned"] = said.get("prefix_tokens", 0)
            if kind == "patches":
                place.sizes["in_front"] = said.get("registers", 0) + place.sizes["learned"]
            size, patch = said.get("image_size"), said.get("patch_size", 1)
            whole = kind == "patches" and isinstance(size, int) and size % patch == 0
            plain = "stride" not in said and said.get("layout") != "spectrogram"
            place.sizes["whole_image"] = whole and plain
        else:
            tied = place.sizes.get("tied")
            vocabulary = places[tied].sizes["vocab_size"] if tied else self.dice.one(VOCABULARY)
            if not tied and self.dice.often(0.2):
                place.sizes["unsaid"] = place.sizes["own_vocabulary"] = vocabulary
            elif not tied or self.dice.often(0.5):
                found["vocab_size"] = vocabulary
                self.said.add(("Stack", "vocab_size", repr(vocabulary)))
            else:
                place.sizes["unsaid"] = vocabulary
            place.sizes["vocab_size"] = vocabulary
            source = self.of_type("input", "tokens", place)
            said = source if isinstance(source, dict) else {}
            place.sizes["learned"] = said.get("prefix_tokens", 0)
            if "width" in said:
                place.sizes["width"] = place.sizes["table_width"] = said["width"]
            if tied:
                place.sizes["table_width"] = place.d_model
        if source != "tokens":
            alone = place.name != "decoder"  # a list would drop what the family says of it
            found["input"] = [source] if alone and self.dice.often(0.1) else source
            self.said.add(("Stack", "input", "{}"))
        dice = seeded(len(repr(found)))  # of its own: the other draws stay as they were
        if not place.image and place.name != "decoder" and dice.often(0.15):
            inputs = with_images(place, found, dice, self.said)
            if inputs is not None:
                found["input"], found["max_positions"] = inputs, 64
                place.sizes["joined"] = True
                place.sizes["max_positions"] = 64

    def _memory(self, place: Place, kind: str) -> str:
        if kind == "encoder-decoder":
            return "encoder" if place.name == "decoder" else ""
        others = list(place.earlier)
        reads = place.queries or self.dice.often(0.7)
        return self.dice.one(others) if others and reads else ""

    def _several(self, place: Place, found: Data, memory: str, blocks: list[Data]) -> None:
        """Named blocks, and a pattern of them; what all say alike stands in the stack."""
        names = BLOCK_NAMES[: self.dice.one((2, 3))]
        while len(blocks) < len(names):
            blocks.append(self.variation(place, found, memory, blocks[0]))
        named = dict(zip(names, blocks, strict=True))
        for key in list(blocks[0]):
            alike = all(key in block and block[key] == blocks[0][key] for block in blocks)
            if alike and self.dice.often(0.85):
                found[key] = blocks[0][key]
                for block in blocks:
                    del block[key]
        found["blocks"] = named
        entries = [
            f"{name} * {self.dice.one((2, 1, 3))}" if self.dice.often(0.3) else name
            for name in names
        ]
        found["pattern"] = entries if self.dice.often(0.7) else entries[:1]
        self.said |= {("Stack", "blocks", "{}"), ("Stack", "pattern", "[]")}
        self._overrides(place, found, list(names))

    def _overrides(self, place: Place, found: Data, names: list[str]) -> None:
        if not found["layers"] or not self.dice.often(0.2):
            return
        last = found["layers"] - 1
        keys = self.dice.some((0, -1, f"0..{last}", "-2..-1"), 0.4) or [0]
        said = ("feed_forward" in found and found["feed_forward"]) or "none"
        small: list[Any] = [{"mask": self.mask(place)}, {"norm": self.component("norm", place)}]
        small += [{"dropout": 0.5}, {"share": True}, {"feed_forward": said}, {}]
        if (
            place.summed
            or self._separate(found)
            or any(self._separate(b) for b in found.get("blocks", {}).values())
        ):
            small = small[1:]
        found["overrides"] = {key: self.dice.one([*names, *small]) for key in keys}
        self.said.add(("Stack", "overrides", "{}"))

    @staticmethod
    def _separate(block: Data) -> bool:
        parts = [block.get("attention"), *block.get("sublayers", [])]
        return any(isinstance(part, dict) and part.get("separate_global") is True for part in parts)

    # -- a block

    def block(self, place: Place, stack: Data, memory: str) -> Data:
        """Every key of a block that is said."""
        dice, found = self.dice, {}
        place.given = tuple(place.sizes["positions"])
        found["attention"] = self.attention_of(place)
        if dice.often(0.06):
            found["attention"] = "none"
            self.said.add(("attention", "type", "none"))
        self._biased(place, found["attention"])
        found |= self._mask_of(place, found["attention"])
        if memory:
            found["cross_attention"] = self._cross(place, found["attention"], memory)
        if dice.often(0.85):
            found["feed_forward"] = self.component("feed_forward", place)
        for key in ("norm", "activation", "bias", "dropout", "share", "norm_placement"):
            if dice.often(0.25):
                found[key] = self.value(Block, key, shapes(Block)[key], place)
                self.said.add(("Block", key, repr(found[key])))
        if dice.often(0.3):
            place.sizes["placements"] = placements(found)
            place.sizes["own_norms"] = own_norms(found)
            found["residual"] = self.component("residual", place)
            nothing = found["residual"] in ("none", {"type": "none"})
            if nothing and "moe" in str(found.get("feed_forward")):
                del found["residual"]  # rows that see nothing are zeros: all experts would be alike
        if dice.often(0.2):
            found = self.as_sublayers(place, found)
        self.said |= {("Block", key, "{}") for key in found}
        return found

    def as_sublayers(self, place: Place, block: Data) -> Data:
        """The same branches in another order, some with their own options, and more of them."""
        parts = self._branches(block)
        memory = next((part["memory"] for part in parts if "memory" in part), "")
        parts += [self._more(place, memory) for _ in range(self.dice.one((0, 1, 2)))]
        if not parts:
            return block
        shift = self.dice.one(range(len(parts)))
        parts = parts[shift:] + parts[:shift]
        for i, part in enumerate(parts):
            self._own(place, block, part, first=i == 0)
            cls = COMPONENTS["sublayers"].classes[part["type"]].__name__
            self.said |= {(cls, key, repr(value)) for key, value in part.items()}
            self.said.add(("sublayers", "type", part["type"]))
        rest = {k: v for k, v in block.items() if k not in ORDINARY and k != "residual"}
        return {"sublayers": parts, **rest}

    def _branches(self, block: Data) -> list[Data]:
        """Attention, cross-attention and feed-forward as sublayers."""
        parts: list[Data] = []
        for key in ORDINARY:
            kind = "mlp" if key == "feed_forward" else "mha"
            part = block.get(key, "none" if key != "feed_forward" else kind)
            part = {"type": part} if isinstance(part, str) else {"type": kind, **part}
            if part["type"] == "none":
                continue
            if key == "cross_attention" and "heads" not in part:
                own = block["attention"]
                if not isinstance(own, dict) or own.get("type", "mha") != part["type"]:
                    continue
                part = {**own, **part}
            parts.append(part)
        return parts

    def _more(self, place: Place, memory: str) -> Data:
        """A convolution or a recurrence."""
        kind = self.dice.one(("conv", "gru", "lstm"))
        cls = COMPONENTS["sublayers"].classes[kind]
        if kind == "conv":
            found = self.part(cls, place, {**OWN_OPTIONS, "causal": place.causal}, 0.3)
            return {"type": kind, **found}
        said: Data = {**OWN_OPTIONS, "initial": None, "attention": None, "output": None}
        both = not place.causal and self.dice.often(0.5)
        results: list[Any] = [None, ["state", "input"], ["previous_state"]]
        if memory and not both and self.dice.often(0.6):
            said["attention"] = self._of_a_state(memory)
            results.append(["context", "state"])
        said |= {"bidirectional": both or None, "result": None if both else self.dice.one(results)}
        return {"type": kind, **self.part(cls, place, said, 0.3)}

    def _of_a_state(self, memory: str) -> Data:
        found = {"memory": memory, "heads": 1, "value": "none", "output": "none"}
        found["score"] = self.dice.one(("dot", "additive"))
        options: Data = {"head_dim": (5,), "scale": (0.4, "none"), "bias": (False, ["key"])}
        return found | {key: self.dice.one(options[key]) for key in self.dice.some(options, 0.3)}

    def _own(self, place: Place, block: Data, part: Data, *, first: bool) -> None:
        """A residual, a mask or positions of its own."""
        dice = self.dice
        if dice.often(0.25):
            choices = ["none", {"scale": 0.5}, {"from": "block"}]
            part["residual"] = dice.one(choices[: 2 if first else 3])
            self.said.add(("Sequential", "from", repr("block")))
        if part["type"] not in ("mha", "mla", *HEADED, "linear", "fastformer") or "memory" in part:
            return
        if dice.often(0.2):
            part["mask"] = block.get("mask", "causal" if place.causal else "full")
        if place.given and dice.often(0.2) and "positions" not in block:
            part["positions"] = [dict(one) for one in place.given]

    def attention_of(self, place: Place) -> Any:
        meets = place.has(*MEETS)
        if place.latent and not meets:
            return self.of_type("attention", "mla", place)
        if place.summed:
            return self.of_type("attention", place.summed, place)
        dice = seeded(len(self.said))  # of its own: the other draws stay as they were
        headed = HEADED[:1] if place.has("rotary") else HEADED
        kind = dice.one(headed) if not meets and dice.often(0.15) else "mha"
        part = self.of_type("attention", kind, place)
        return part if isinstance(part, dict) else {"type": part}

    def _mask_of(self, place: Place, attention: Any) -> Data:
        """A mask, or one for each run of heads; rows of their own where it has global ones."""
        dice = self.dice
        if place.summed:
            return {"mask": "causal" if place.causal else "full"}
        multi = isinstance(attention, dict) and attention.get("type", "mha") == "mha"
        if not dice.often(0.6):
            return {} if place.name == "decoder" or not place.causal else {"mask": "causal"}
        keys = (attention.get("kv_heads") or attention.get("heads", 1)) if multi else 1
        if keys % 2 == 0 and dice.often(0.15):
            return {"mask": [self.mask(place) for _ in range(2)]}
        mask = self.mask(place)
        plain = multi and not attention.get("talking_heads")
        plain = plain and attention.get("score", "dot") == "dot"
        meets = place.has(*MEETS)
        if "global" in str(simplest(parse_mask(mask))) and plain and not meets and dice.often(0.5):
            attention["separate_global"] = True
            self.said.add(("Mha", "separate_global", "True"))
        return {"mask": mask}

    def _biased(self, place: Place, attention: Any) -> None:
        """Some attentions have biases of the scores from data of all pairs."""
        multi = isinstance(attention, dict) and attention.get("type", "mha") == "mha"
        dice = seeded(len(repr(attention)) * place.d_model)  # other draws stay as they were
        if not multi or place.queries or not dice.often(0.08):
            return
        of = f"{place.name}_{attention['heads']}"
        table = {"type": "table", "argument": f"{of}_pairs", "entries": 5}
        path = {"type": "path", "argument": f"{of}_paths", "entries": 4, "max_distance": 3}
        if dice.often(0.5):
            path |= {"width": 5, "share": "layer"}
        if dice.often(0.3):
            table["share"] = "layer"
        attention["score_bias"] = dice.some((table, path), 0.6) or [table]
        self.said.add(("Mha", "score_bias", repr(attention["score_bias"])))
        for bias in attention["score_bias"]:
            self.said.add(("score_bias", "type", bias["type"]))
            cls = COMPONENTS["score_bias"].classes[bias["type"]].__name__
            self.said |= {(cls, key, repr(value)) for key, value in bias.items()}

    def _cross(self, place: Place, attention: Any, memory: str) -> Any:
        """Options of its own kind, or a few beside those of the attention."""
        dice = self.dice
        kind = attention.get("type", "mha") if isinstance(attention, dict) else attention
        free = copy.copy(place)
        free.given, free.turned, free.latent, free.summed = (), 0, False, ""
        if dice.often(0.05):
            self.said.add(("cross_attention", "type", "none"))
            return "none"
        if kind == place.summed and dice.often(0.6):
            self.read.add(memory)
            decays = "decay" in attention
            return {"memory": memory, **({"decay": "none"} if decays else {})}
        if kind in ("none", "mla", *HEADED, place.summed) or dice.often(0.15):
            other = "mha" if kind != "mha" else dice.one(self._others())
            self.read.add(memory)
            part = self.of_type("cross_attention", other, free, memory=memory)
            return {"type": other, **part} if isinstance(part, dict) else other
        self.read.add(memory)
        found: Data = {"memory": memory}
        if attention.get("separate_global"):
            found["separate_global"] = False
        if attention.get("score_bias"):
            found["score_bias"] = []
        if getattr(attention.get("qk_norm"), "get", {}.get)("after_positions"):
            found["qk_norm"] = dice.one(("none", "head"))
        options: Data = {"scale": (0.4,), "bias": (True, False, ["query"]), "dropout": (0.1,)}
        options |= {"output_gate": ("headwise", "none"), "value_dim": (6, 3)}
        if attention.get("gate") is not None:
            del options["output_gate"]
        for key in dice.some(tuple(options), 0.2):
            found[key] = dice.one(options[key])
        return found

    @staticmethod
    def _others() -> list[str]:
        """Types of cross-attention beside a self-attention of type `mha`."""
        kinds = buildable(COMPONENTS["cross_attention"])
        return [kind for kind in kinds if kind not in ("none", "mha", "fastformer")]

    def variation(self, place: Place, stack: Data, memory: str, first: Data) -> Data:
        """Another block of the same stack."""
        dice = self.dice
        place.given = tuple(place.sizes["positions"])
        if dice.often(0.35):
            other = self.block(place, stack, memory)
            return other
        other = copy.deepcopy(first)
        keys = [k for k in SAFE if k != "mask" or not (place.summed or self._separate(first))]
        if isinstance(first.get("mask"), list):
            keys.remove("mask")
        for key in dice.some(keys, 0.4):
            if key == "mask":
                other[key] = self.mask(place)
            else:
                other[key] = self.value(Block, key, shapes(Block)[key], place)
        inside = {"alibi", "relative_bias", "rotary", "relative_table", "temperature"}
        after = "after_positions" in str([other.get("attention"), other.get("sublayers")])
        if all(one["type"] in inside for one in place.given) and not after and dice.often(0.3):
            other["positions"] = "none"
            self.said |= {("Block", "positions", "{}"), ("positions", "type", "none")}
        return other

    # -- heads

    def heads(self, model: Data, places: dict[str, Place]) -> None:
        *first, last = places
        unread = [name for name in first if name not in self.read]
        count = self.dice.one((1, 0, 2, 3)) if self.dice.often(0.4) else 1
        if not count and not unread:
            return
        stacks = [last, *unread][: len(HEAD_NAMES)]
        count = max(count, len(stacks))
        stacks += [self.dice.one(list(places)) for _ in range(count - len(stacks))]
        matched = len(places) > 1 and self.dice.often(0.25)
        if matched and self.dice.often(0.6):
            stacks = [name for name in stacks if name not in list(places)[-2:]]
        found: dict[str, Any] = {}
        done: list[str] = []
        for name, stack in zip(HEAD_NAMES, stacks, strict=False):
            place = copy.copy(places[stack])
            place.sizes = {**place.sizes, "read": None}
            alone = len(places) == 1 or (not matched and count == 1 and stack == last)
            if not alone or self.dice.often(0.2):
                place.sizes["read"] = stack
            needed = len(stacks) > 1 and stack in (last, *unread) and stack not in done
            done.append(stack)
            if place.sizes.get("whole_image") and self.dice.often(0.5):
                found[name] = self.of_type("head", "patches", place)
                continue
            but = ["none"] * needed + ["patches"] * (not place.sizes.get("whole_image"))
            found[name] = self.component("head", place, "contrastive", *but)
        if matched:
            found["match"] = self.contrastive(places)
        self.said.add(("ModelSpec", "heads", "{}"))
        if len(found) == 1 and self.dice.often(0.8):
            model["head"] = next(iter(found.values()))
        else:
            model["heads"] = found

    def contrastive(self, places: dict[str, Place]) -> Data:
        """Two stacks, each pooled in its way."""
        towers = {}
        for name in list(places)[-3:] if self.dice.often(0.3) else list(places)[-2:]:
            place = places[name]
            kinds = ("none", "token") if place.image else ("none",)
            said: Data = {"pool": self.component("pool", place, *kinds), "project": True}
            towers[name] = self.part(Tower, place, said, 0)
        self.said.add(("Contrastive", "towers", "{}"))
        place = Place("", 8, causal=False)
        found = self.of_type("head", "contrastive", place, towers=towers)
        return {"type": "contrastive", **found}

    # -- the ways to write it

    def lifted(self, model: Data, stacks: dict[str, Data], kind: str) -> Data:
        """Keys that every stack says alike, moved to the model; a family's stacks in their keys."""
        first, *others = stacks.values()
        keys = [key for key in first if all(key in o and o[key] == first[key] for o in others)]
        lift = [key for key in keys if self.dice.often(0.75 if others else 0.85)]
        values = {key: first[key] for key in lift}
        left = {name: {k: v for k, v in s.items() if k not in lift} for name, s in stacks.items()}
        if kind:
            refined = {name: said for name, said in left.items() if said}
            return {**model, **values, **refined}
        if self.named_heads(model) and self.dice.often(0.3):  # a stack before what it reads
            left = dict(reversed(left.items()))
        return {**model, **values, "stacks": left}

    @staticmethod
    def named_heads(model: Data) -> bool:
        """Do all heads say which stack they read? Without a word it is the last one."""
        found = model.get("heads", {"head": model["head"]} if "head" in model else {})
        return bool(found) and all(
            isinstance(head, dict) and ("stack" in head or "towers" in head)
            for head in found.values()
        )

    def extended(self, document: Document) -> Document:
        """Some keys in another file, which the document extends."""
        data = dict(document.data)
        stacks = data.get("stacks")
        if stacks and self.dice.often(0.5):
            outer = {k for k in data if k not in OWN_KEYS}
            if not outer:
                name = self.dice.one(list(stacks))
                far = {"name": "far", "stacks": {name: stacks[name]}}
                data["stacks"] = {**stacks, name: {"extends": f"far.yaml#{name}"}}
                self.said.add(("Stack", "extends", "file"))
                return Document(data, {"far.yaml": far}, document.style)
        moved = self.dice.some([key for key in data if key != "name"], 0.5)
        base = {"name": "base", **{key: data.pop(key) for key in moved}}
        self.said.add(("ModelSpec", "extends", "file"))
        return Document({**data, "extends": "base.yaml"}, {"base.yaml": base}, document.style)


OWN_KEYS = {"name", "stacks", "head", "heads", "tokens", "init", "description", "modelwright"}
"""Keys of a model that are no default for its stacks."""


def values(cls: str, key: str) -> tuple[Any, ...]:
    from .values import VALUES

    return VALUES[cls, key]


def listed(parts: list[Data], dice: Dice) -> Any:
    """None as a word, one as a word or by itself, several as a list."""
    short: list[Any] = [part["type"] if set(part) == {"type"} else part for part in parts]
    if not short:
        return "none"
    return short[0] if len(short) == 1 and dice.often(0.8) else short


def placements(block: Data) -> set[str]:
    """Where norms stand in the branches that are there."""
    found = set()
    for key in ("attention", "cross_attention", "feed_forward"):
        part = block.get(key, {})
        if part not in ("none", {"type": "none"}):
            own = part.get("norm_placement") if isinstance(part, dict) else None
            found.add(own or block.get("norm_placement", "pre"))
    return found


def own_norms(block: Data) -> bool:
    parts = [block.get(key) for key in ("attention", "cross_attention", "feed_forward")]
    return any("norm" in part for part in parts if isinstance(part, dict))


def random_spec(seed: int) -> Document:
    """The spec of a seed, without what has no effect."""
    own = seeded(seed + 2**31)  # the other seeds stay as they were
    if own.often(OFTEN):
        return Document(rare(own))
    return pruned(Specs(seeded(seed)).spec())


@st.composite
def specs(draw: Any) -> Document:
    """Any spec, for hypothesis."""
    return pruned(Specs(drawn(draw)).spec())


__all__ = ["COMPONENTS", "Document", "Specs", "random_spec", "specs", "written"]
