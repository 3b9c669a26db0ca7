"""Write out a document so that nothing is inherited.

This is a second, independent implementation of the rules of `docs/language.md` (types as words,
inheritance, merging, `extends`, families, patterns and overrides) on plain mappings. It tests
`spec/levels.py`, `spec/merge.py`, `spec/layers.py` and `spec/surface.py` and shares no code with
them: both must give the same spec, layer by layer.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from ...spec.model import BLOCK_KEYS, ONLY_MODEL, ModelSpec
from ...spec.part import COMPONENTS

Data = dict[str, Any]
Files = dict[str, Data]


@dataclass(frozen=True)
class Document:
    """A spec as parsed from YAML. files: the documents that it extends, by the names it uses."""

    data: Data
    files: Files = field(default_factory=dict)


def read_document(path: Path, sets: Sequence[str] = ()) -> Document:
    """Read a file, the files that it extends (by full path), and `--set` values."""
    files: Files = {}
    data = _read(path.resolve(), files)
    for text in sets:
        key, _, value = text.partition("=")
        change: Any = yaml.safe_load(value)
        for part in reversed(key.split(".")):
            change = {part: change}
        data = met("", data, change)
    return Document(data, files)


def _read(path: Path, files: Files) -> Data:
    data: Data = yaml.safe_load(path.read_text(encoding="utf-8"))
    for level in (data, *(data.get("stacks") or {}).values()):
        if isinstance(level, dict) and "extends" in level:
            file, mark, stack = str(level["extends"]).partition("#")
            target = str((path.parent / file).resolve())
            level["extends"] = f"{target}{mark}{stack}"
            if target not in files:
                files[target] = {}
                files[target] = _read(Path(target), files)
    return data


FAMILIES: dict[str, Data] = {
    "decoder-only": {"decoder": {"mask": "causal"}},
    "encoder-only": {"encoder": {"mask": "full"}},
    "encoder-decoder": {
        "encoder": {"mask": "full"},
        "decoder": {
            "mask": "causal",
            "cross_attention": {"memory": "encoder"},
            "input": {"argument": "decoder_input_ids"},
        },
    },
}
ELEMENTS = {"stacks": "stack", "heads": "head", "blocks": "block", "overrides": "block"}
ELEMENTS |= {"add": "", "towers": ""}
"""Maps of named parts; `none` removes a name."""
USUAL: Data = {"norm": "layernorm", "norm_placement": "pre", "activation": "gelu"}
USUAL |= {"bias": True, "dropout": 0}
OUTER = ("norm", "activation", "dropout", "vocab_size")
"""Keys that heads inherit from the model."""


def whole(key: str, value: Any) -> Any:
    """Rule 1."""
    return {"type": value} if key in COMPONENTS and isinstance(value, str) else value


def met(key: str, outer: Any, inner: Any) -> Any:
    """Rule 3: merge an inner and an outer value of `key`."""
    outer, inner = whole(key, outer), whole(key, inner)
    if not (isinstance(outer, dict) and isinstance(inner, dict)):
        return inner
    afresh = key in COMPONENTS and "type" in inner
    if afresh and inner["type"] != outer.get("type", COMPONENTS[key].default):
        return inner
    found = dict(outer)
    for name, value in inner.items():
        if key in ELEMENTS and value == "none":
            found.pop(name, None)
        else:
            inside = str(ELEMENTS.get(key, name))
            found[name] = met(inside, found[name], value) if name in found else whole(inside, value)
    return found


def extended(data: Data, files: Files) -> Data:
    """The document merged into the one that it extends, without that one's name."""
    if "extends" not in data:
        return data
    base = extended(files[data["extends"]], files)
    own = {key: value for key, value in data.items() if key != "extends"}
    found: Data = met("", {key: value for key, value in base.items() if key != "name"}, own)
    return found


def stacks_of(data: Data, files: Files) -> dict[str, Data]:
    """Every stack with its outer levels merged: family, model, stack."""
    family = FAMILIES.get(data.get("family", ""), {})
    if family:
        written = {name: data.get(name, {}) for name in family}
    else:
        written = {name: stack for name, stack in data["stacks"].items() if stack != "none"}
    outer = {key: value for key, value in data.items() if key not in ONLY_MODEL}
    for key in ("extends", "encoder", "decoder"):
        outer.pop(key, None)
    found = {}
    for name, stack in written.items():
        if "extends" in stack:
            file, _, other = stack["extends"].partition("#")
            base = stacks_of(extended(files[file], files), files)[other]
            found[name] = met("stack", base, {k: v for k, v in stack.items() if k != "extends"})
            continue
        levels = met("stack", family.get(name, {}), outer)
        found[name] = met("stack", levels, stack)
    return found


def layers_of(stack: Data) -> list[Data]:
    """The block of each layer."""
    count, named = stack.get("layers", 0), stack.get("blocks", {})
    base = {key: value for key, value in stack.items() if key in BLOCK_KEYS}
    blocks = {name: met("block", base, block) for name, block in named.items() if block != "none"}
    cycle: list[Data] = []
    for entry in stack.get("pattern", ()):
        name, _, times = re.sub(r"\s", "", entry).partition("*")
        cycle += [blocks[name]] * int(times or 1)
    cycle = cycle or [blocks.get("block", base)]
    found = [cycle[i % len(cycle)] for i in range(count)]
    for key, change in stack.get("overrides", {}).items():
        first, _, last = str(key).partition("..")
        ends = [int(end) % count if int(end) < 0 else int(end) for end in (first, last or first)]
        for i in range(ends[0], min(ends[1] + 1, count)) if change != "none" else ():
            found[i] = blocks[change] if isinstance(change, str) else met("block", found[i], change)
    return found


def inward(key: str, value: Any, words: Data) -> Any:
    """Rule 2 inside a block: a component with inherited options filled in.

    words: values of the outer levels. An option without a default inherits them, merged by rule 3
    """
    value = whole(key, value)
    if isinstance(value, list):
        return [inward(key, one, words) for one in value]
    if key not in COMPONENTS or not isinstance(value, dict):
        return value
    cls = COMPONENTS[key].classes.get(str(value.get("type", COMPONENTS[key].default)))
    if cls is None:
        return value
    found = dict(value)
    for name, option in cls.model_fields.items():
        usual = getattr(option.default, "type", "none")
        if name in COMPONENTS and usual not in ("none", "") and usual == COMPONENTS[name].default:
            found.setdefault(name, {})
        if name in words and option.default is None and not option.is_required():
            found[name] = met(name, words[name], found[name]) if name in found else words[name]
    inner = {**words, **{word: found[word] for word in words if word in found}}
    return {
        name: inward(name, one, inner) if name in cls.model_fields else one
        for name, one in found.items()
    }


REPLACED = ("attention", "cross_attention", "feed_forward")
"""The branches of a block, or `sublayers` in their place."""


def branches(block: Data) -> Data:
    """A block with inherited options filled in to its branches."""
    words = {word: whole(word, block[word]) for word in USUAL}
    found = dict(block)
    if found.get("sublayers"):  # they replace the three branches
        places = {"mask": "full", "positions": "none", "residual": "sequential"}
        more = {key: whole(key, block.get(key, usual)) for key, usual in places.items()}
        found["sublayers"] = [inward("sublayers", one, words | more) for one in block["sublayers"]]
        return {**found, **dict.fromkeys(REPLACED, "none")}
    cross = whole("cross_attention", found.get("cross_attention", "none"))
    attention = whole("attention", found.get("attention", {}))
    if cross.get("type") != "none" and attention.get("type") != "none":
        found["cross_attention"] = met("attention", attention, cross)
    for key in REPLACED:
        if key in found:
            found[key] = inward(key, found[key], words)
    return found


def settled(found: Data) -> None:
    """Inputs and heads with options filled in from their stacks and tied embeddings."""
    stacks = found["stacks"]
    for stack in stacks.values():
        words = {word: stack[word] for word in (*OUTER, "bias") if word in stack}
        inputs = stack.get("input", {})
        if streams := stack.get("streams", {}):
            for stream in streams.values():
                stream["input"] = inward("input", stream["input"], words)
            stack["input"] = [stream["input"] for stream in streams.values()]
            stack.setdefault("d_model", next(iter(streams.values()))["d_model"])
            stack.setdefault("final_norm", False)
            continue
        several = inputs if isinstance(inputs, list) else [inputs]
        stack["input"] = [inward("input", one, words) for one in several]
    for stack in stacks.values():
        for source in stack["input"]:
            other = stacks.get(source.get("tied"), {"input": []})
            for tied in other["input"]:
                sizes = {key: tied[key] for key in ("vocab_size", "width") if key in tied}
                source.update({key: sizes[key] for key in sizes if key not in source})
    outer = {word: found.get(word, USUAL.get(word)) for word in OUTER}
    heads = found.get("heads", {"head": found["head"]} if "head" in found else {})
    for name, head in heads.items():
        head = whole("head", head)
        alone = min(len(stacks), len(heads)) == 1
        stack = stacks.get(head.get("stack", list(stacks)[-1] if alone else ""), {})
        words = {**outer, "vocab_size": stack.get("vocab_size", outer["vocab_size"])}
        words = {word: value for word, value in words.items() if value is not None}
        heads = {**heads, name: inward("head", head, words)}
    if heads:
        found.pop("head", None)
        found["heads"] = heads


def named(layers: list[Data]) -> tuple[dict[str, Data], list[str]]:
    """Distinct blocks by name, and the name of each layer's block."""
    blocks: dict[str, Data] = {}
    order = []
    for number, layer in enumerate(layers):
        name = next((one for one, block in blocks.items() if block == layer), f"layer{number}")
        blocks[name] = layer
        order.append(name)
    return blocks, order


def spelled(data: Data, files: Files) -> Data:
    """The whole document with each key at its own level."""
    data = extended(data, files)
    found = {key: value for key, value in data.items() if key in ("name", *OUTER)}
    for key in ("init", "tokens", "description", "modelwright", "head", "heads"):
        if key in data:
            found[key] = data[key]
    found["stacks"] = {}
    for name, stack in stacks_of(data, files).items():
        merged = met("stack", USUAL, stack)
        layers = layers_of(merged)
        own = {
            key: value
            for key, value in merged.items()
            if key not in ("blocks", "pattern", "overrides") and (not layers or key not in INSIDE)
        }
        if layers:
            own["blocks"], own["pattern"] = named([branches(block) for block in layers])
        found["stacks"][name] = own
    settled(found)
    return found


INSIDE = BLOCK_KEYS - {*USUAL, "positions", "condition"} | {"norm_placement"}
"""Keys that only apply in blocks; others also affect the stack's input or final norm."""


# PyYAML may be built without libyaml.
FAST_DUMPER: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


class _Plain(FAST_DUMPER):  # type: ignore[misc]
    """A YAML dumper without aliases."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def text_of(data: Data) -> str:
    """The document as YAML."""
    return yaml.dump(data, Dumper=_Plain, sort_keys=False, allow_unicode=True)


def meaning(spec: ModelSpec) -> Any:
    """A spec as data, with the block of each layer and without names and descriptions."""
    found = spec.model_dump(mode="json", by_alias=True)
    found.pop("family", None)
    for stack in found["stacks"].values():
        blocks, order = stack.pop("blocks"), stack.pop("order")
        stack["each"] = [blocks[name] for name in order]
        for key in ("pattern", "overrides"):
            stack.pop(key, None)
    return found
