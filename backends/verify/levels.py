"""What a document says of each layer, read a second time from the five rules of the language.

The two judges of numbers start from the resolved spec. This one starts from the document as YAML
gives it, merges its levels by rules 1 to 3 of `docs/language.md`, and compares each value that
somebody wrote, and the defaults of the language, with what the spec has at that place. It shares
no code with `spec/levels.py`, `spec/merge.py`, `spec/layers.py` and `spec/surface.py`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

from ...spec.masks import Mask, parse_mask
from ...spec.model import ModelSpec, Stack
from ...spec.part import Part

Data = dict[str, Any]

FAMILIES: dict[str, dict[str, Data]] = {
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
DEFAULT_TYPES = {
    "attention": "mha",
    "cross_attention": "none",
    "feed_forward": "mlp",
    "expert": "mlp",
    "shared_expert": "mlp",
    "norm": "layernorm",
    "activation": "gelu",
    "residual": "sequential",
    "positions": "none",
    "scaling": "none",
    "qk_norm": "none",
    "input": "tokens",
    "head": "none",
    "init": "normal",
    "transform": "none",
    "pool": "none",
    "output_norm": "none",
}
"""Key -> the type that is printed bold in the language."""

NAMED = {"blocks": "block", "stacks": "stack", "heads": "head", "overrides": "block"}
WORDS = ("norm", "norm_placement", "activation", "bias", "dropout")
"""What components take from the level around them, where they have such an option."""

DEFAULTS: Data = {
    "norm": {"eps": 1e-5, "weight_offset": 0, "affine": True},
    "norm_placement": "pre",
    "bias": True,
    "dropout": 0,
    "share": False,
    "residual": {"scale": 1, "stream_scale": 1, "layer_scale": "none", "drop_path": 0},
}
COMPONENT_DEFAULTS: dict[str, Data] = {
    "mha": {"softcap": "none", "sinks": False, "clip_qkv": "none", "score": "dot"},
    "mlp": {"hidden_dropout": 0, "inner_norm": False},
    "glu": {"hidden_dropout": 0, "inner_norm": False, "clamp": "none", "linear_offset": 0},
    "moe": {"weigh": "output", "shared_gate": False},
    "rotary": {"theta": 10000, "fraction": 1, "layout": "half", "axes": 1},
    "alibi": {"slopes": "floor", "before_scale": False},
    "relative_bias": {"buckets": 32, "max_distance": 128, "bidirectional": True},
    "learned": {"offset": 0, "skip_padding": False},
    "sinusoidal": {"layout": "concat", "denominator": "half", "offset": 0},
    "language_model": {"tied": False, "input_scale": 1, "scale": 1, "softcap": "none"},
    "rmsnorm": {"eps": 1e-5, "weight_offset": 0, "affine": True},
    "layernorm": {"eps": 1e-5, "weight_offset": 0, "affine": True, "bias": True},
}
"""Type -> options of which the language prints a default; few, and those that models differ in."""

BRANCHES = ("attention", "cross_attention", "feed_forward")
BLOCK_KEYS = (*BRANCHES, "mask", "positions", "residual", *WORDS, "share")
LEVEL_ONLY = ("blocks", "pattern", "overrides", "layers", "d_model", "max_positions", "input")
MODEL_ONLY = ("name", "description", "family", "stacks", "heads", "head", "init", "tokens")


class UnreadError(Exception):
    """A document that this reader does not resolve, and why."""


def read_document(path: Path, sets: Sequence[str] = ()) -> Data:
    """The document with the file that it extends, and with values that replace its own."""
    data: Data = yaml.safe_load(path.read_text(encoding="utf-8"))
    if "extends" in data:
        base = read_document(path.parent / data.pop("extends"))
        data = merged("model", base, data)
    for text in sets:
        key, _, value = text.partition("=")
        change: Any = yaml.safe_load(value)
        for part in reversed(key.split(".")):
            change = {part: change}
        data = merged("model", data, change)
    return data


# -- rules 1 and 3


def spelled(key: str, value: Any) -> Any:
    """Rule 1: where a component stands, a word is its type."""
    return {"type": value} if key in DEFAULT_TYPES and isinstance(value, str) else value


def merged(key: str, outer: Any, inner: Any) -> Any:
    """Rule 3: key by key; anything else replaces; a new type starts afresh."""
    outer, inner = spelled(key, outer), spelled(key, inner)
    if not (isinstance(outer, dict) and isinstance(inner, dict)):
        return inner
    usual = outer.get("type", DEFAULT_TYPES.get(key))
    if key in DEFAULT_TYPES and inner.get("type", usual) != usual:
        return inner
    found = dict(outer)
    for name, value in inner.items():
        below = NAMED.get(key, str(name))
        if key in NAMED and value == "none":
            found.pop(name, None)
        else:
            found[name] = merged(below, found[name], value) if name in found else value
    return found


# -- rule 2


def stacks_of(document: Data) -> dict[str, Data]:
    """Each stack with the levels around it merged in."""
    wide = {key: value for key, value in document.items() if key not in MODEL_ONLY}
    inner: Data = {key: wide.pop(key) for key in ("encoder", "decoder") if key in wide}
    if "stacks" in document:
        named: dict[str, tuple[Data, Data]] = {
            name: ({}, own or {}) for name, own in document["stacks"].items()
        }
    else:
        family: Data = FAMILIES[document["family"]]
        named = {name: (family[name], inner.get(name) or {}) for name in family}
    found = {}
    for name, (usual, own) in named.items():
        if "extends" in own:
            raise UnreadError("a stack extends a file")
        found[name] = merged("stack", merged("stack", usual, wide), own)
    return found


def layers_of(stack: Data) -> list[Data]:
    """What each layer of a stack says, its levels merged."""
    plain = {key: value for key, value in stack.items() if key in BLOCK_KEYS}
    named = {
        name: merged("block", plain, own or {}) for name, own in (stack.get("blocks") or {}).items()
    }
    cycle: list[str] = []
    for entry in stack.get("pattern") or []:
        name, _, times = (part.strip() for part in str(entry).partition("*"))
        cycle += [name] * int(times or 1)
    count = int(stack["layers"])
    only = named.get("block", plain)
    layers = [named[cycle[i % len(cycle)]] if cycle else only for i in range(count)]
    for key, said in (stack.get("overrides") or {}).items():
        first, _, last = str(key).partition("..")
        start = int(first) + (count if int(first) < 0 else 0)
        stop = int(last or first) + (count if int(last or first) < 0 else 0)
        for layer in range(max(start, 0), min(stop + 1, count)):
            layers[layer] = (
                named[said] if isinstance(said, str) else merged("block", layers[layer], said)
            )
    return layers


def filled(key: str, said: Any, outer: Data) -> Any:
    """A component with what it takes from outside: words that it does not say itself."""
    said = spelled(key, said)
    if not isinstance(said, dict):
        return said
    taken = {word: value for word, value in outer.items() if word not in said}
    refined = {w: merged(w, value, said[w]) for w, value in outer.items() if w in said}
    return {**taken, **said, **refined}


# -- comparing


def disagreements(spec: ModelSpec, document: Data) -> list[str]:
    """Where the spec is not what the document says: `decoder.layers.0.attention.heads: 4, not 8`.

    Raises UnreadError for a document that is not resolved here.
    """
    found: list[str] = []
    wanted = stacks_of(document)
    if list(wanted) != list(spec.stacks):
        return [f"stacks {', '.join(spec.stacks)}, not {', '.join(wanted)}"]
    for name, said in wanted.items():
        found += _of_stack(name, said, spec.stacks[name])
    found += _of_heads(spec, document, wanted)
    for key in ("init", "tokens"):
        if key in document:
            found += compared(spelled(key, document[key]), getattr(spec, key), key)
    return found


def _of_stack(name: str, said: Data, stack: Stack) -> Iterator[str]:
    layers = layers_of(said)
    if len(layers) != len(stack.order):
        yield f"{name}: {len(stack.order)} layers, not {len(layers)}"
        return
    words = {key: said[key] for key in WORDS if key in said}
    for key in ("d_model", "max_positions"):
        if key in said:
            yield from compared(said[key], getattr(stack, key), f"{name}.{key}")
    source = said.get("input", {})
    if not isinstance(source, list):
        usual = {"type": "tokens"} if "vocab_size" in said else {}
        inner = {w: v for w, v in words.items() if w in ("norm", "bias", "dropout")}
        own = {**usual, **filled("input", source, inner)}
        if own.get("type", "tokens") == "tokens" and "tied" not in own and "vocab_size" in said:
            own.setdefault("vocab_size", said["vocab_size"])
        yield from compared(own, stack.input[0], f"{name}.input", lenient=True)
    seen = set()
    for number, (layer, kind) in enumerate(zip(layers, stack.order, strict=True)):
        if (repr(layer), kind) not in seen:
            seen.add((repr(layer), kind))
            yield from _of_layer(layer, stack.blocks[kind], f"{name}.layers.{number}")
    last = (layers[-1] if layers else said).get("norm_placement", "pre")
    yield from compared(said.get("final_norm", last != "post"), stack.final_norm,
                        f"{name}.final_norm")  # fmt: skip


def _of_layer(layer: Data, block: Any, where: str) -> Iterator[str]:
    """A block, and its three branches with what they take from it."""
    layer = merged("block", DEFAULTS, layer)
    for key in ("mask", "residual", "share", "dropout", "norm_placement"):
        if key in layer:
            yield from compared(spelled(key, layer[key]), getattr(block, key), f"{where}.{key}")
    if "positions" in layer:
        yield from _of_positions(layer["positions"], block.positions, f"{where}.positions")
    said = {key: layer.get(key, {}) for key in BRANCHES}
    if "cross_attention" not in layer or spelled("cross_attention", said["cross_attention"]) == {
        "type": "none"
    }:
        said["cross_attention"] = {"type": "none"}
    elif spelled("attention", said["attention"]).get("type") != "none":
        usual = {"type": "mha", **spelled("attention", said["attention"])}
        said["cross_attention"] = merged("attention", usual, said["cross_attention"])
    words = {word: layer[word] for word in WORDS if word in layer}
    for key, own in said.items():
        found = getattr(block, key)
        if isinstance(own, dict) and own.get("type") == "none":
            if getattr(found, "type", "") != "none":
                yield f"{where}.{key}: {found.type}, not none"
            continue
        filled_in = filled(key, own, words)
        for inner in ("expert", "shared_expert", "qk_norm"):
            if isinstance(filled_in.get(inner), (str, dict)):
                below = {w: v for w, v in filled_in.items() if w in ("activation", "bias", "norm")}
                filled_in[inner] = filled(inner, filled_in[inner], below)
        yield from compared(filled_in, found, f"{where}.{key}", lenient=True)


def _of_positions(said: Any, found: Any, where: str) -> Iterator[str]:
    wanted = [spelled("positions", one) for one in (said if isinstance(said, list) else [said])]
    wanted = [one for one in wanted if one != {"type": "none"}]
    if len(wanted) != len(found):
        yield f"{where}: {len(found)}, not {len(wanted)}"
        return
    for one, other in zip(wanted, found, strict=True):
        yield from compared(one, other, where)


def _of_heads(spec: ModelSpec, document: Data, stacks: dict[str, Data]) -> Iterator[str]:
    heads = document.get("heads") or ({"head": document["head"]} if "head" in document else {})
    for name, own in heads.items():
        said = spelled("head", own)
        if said.get("type", "none") == "none":
            continue
        if name not in spec.heads:
            yield f"heads.{name} is missing"
            continue
        found: Any = spec.heads[name]
        if hasattr(found, "stack") and len(heads) == 1:
            said = {"stack": list(stacks)[-1], **said}
        stack = stacks.get(said.get("stack", ""), {})
        if found.type == "language_model" and "vocab_size" in stack:
            said = {"vocab_size": stack["vocab_size"], **said}
        outer = {w: document[w] for w in ("norm", "activation", "dropout") if w in document}
        said = {**said, **{w: merged(w, v, said[w]) for w, v in outer.items() if w in said}}
        yield from compared(said, found, f"heads.{name}")


def compared(said: Any, found: Any, where: str, *, lenient: bool = False) -> Iterator[str]:
    """Each written value that is another one in the spec. lenient: words that a part lacks pass."""
    if isinstance(found, Part):
        yield from _of_part(said, found, where, lenient=lenient)
    elif isinstance(found, Mask) or (isinstance(found, tuple) and _masks(found)):
        wanted = [parse_mask(str(one)) for one in (said if isinstance(said, list) else [said])]
        have = list(found) if isinstance(found, tuple) else [found]
        if wanted != have:
            yield f"{where}: {', '.join(map(str, have))}, not {said}"
    elif isinstance(found, tuple):
        several = list(said) if isinstance(said, (list, tuple)) else [said]
        if where.endswith(".bias"):  # a set of layers
            several, found = sorted(several), tuple(sorted(found))
        if len(several) != len(found):
            yield f"{where}: {len(found)} values, not {len(several)}"
        else:
            for i, (one, other) in enumerate(zip(several, found, strict=True)):
                yield from compared(one, other, f"{where}.{i}")
    elif isinstance(found, dict):
        for key, value in (said or {}).items():
            if key in found:
                yield from compared(value, found[key], f"{where}.{key}")
    elif plain(said) != plain(found):
        yield f"{where}: {found}, not {said}"


def _masks(values: tuple[Any, ...]) -> bool:
    return bool(values) and all(isinstance(value, Mask) for value in values)


def _of_part(said: Any, found: Part, where: str, *, lenient: bool) -> Iterator[str]:
    key = re.sub(r"\.\d+$", "", where).rpartition(".")[2]
    own = {"type": said} if isinstance(said, str) else said
    if not isinstance(own, dict):
        yield f"{where}: {found}, not {said}"
        return
    kind = getattr(found, "type", None)
    wanted = own.get("type", DEFAULT_TYPES.get(key))
    if wanted is not None and kind is not None and wanted != kind:
        yield f"{where}: {kind}, not {wanted}"
        return
    for name, value in {**COMPONENT_DEFAULTS.get(str(kind), {}), **own}.items():
        attribute = {"from": "from_"}.get(name, name)
        if name == "type":
            continue
        if attribute not in type(found).model_fields:
            if not lenient and name not in WORDS:
                yield f"{where} has no `{name}`"
            continue
        if name == "skip_padding" and value is True:
            value = "mask"  # the rule that there was first
        yield from compared(value, getattr(found, attribute), f"{where}.{name}")


def plain(value: Any) -> Any:
    """A value as it is compared: `1e-6` is a number, and spaces in a size mean nothing."""
    if isinstance(value, bool) or value is None:
        return "none" if value is None else value
    try:
        return float(value)
    except (TypeError, ValueError):
        text = str(value).replace(" ", "")
        return "1*d_model" if text == "d_model" else text
