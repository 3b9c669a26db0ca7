"""Components of a random spec, drawn along the schema; a law between keys is a construction here.

`Parts.part` walks the options of any class of the language as `spec/signatures.py` lists them, so a
new option, or a new type, is drawn as soon as it is built. Those whose options depend on another
key have a function of their own, which only says what the others then must be.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from modelwright.spec import attention as attentions
from modelwright.spec import condition, embedding, feed_forward, head, pool, positions, residual
from modelwright.spec import norm as norms
from modelwright.spec.model import ModelSpec
from modelwright.spec.part import COMPONENTS, Part, Tagged
from modelwright.spec.signatures import Shape, shapes
from modelwright.spec.support import LATER_OPTIONS, LATER_TYPES

from .dice import Dice, seeded
from .masks import random_mask
from .values import LENGTH, WIDTHS, literal_words, values_of

Data = dict[str, Any]
MEETING = (positions.Disentangled, positions.TransformerXl, positions.Shaw)
MEETS = ("disentangled", "transformer_xl", "shaw")
"""Their types."""


@dataclass
class Place:
    """What the parts of a stack must fit.

    turned: width of a head, which rotary positions must be able to turn; 0 where it is free
    image: it reads no token ids, but an image, or, with `signal`, a signal, or, with `queries`,
        learned vectors
    latent: is its attention of type `mla`?
    summed: the type of its attention, if that keeps sums over keys and has no scores
    sizes: what else is known by now: `pad`, the name of an argument, the width of the table …
    given: the positions of the block that is drawn, as written
    """

    name: str
    d_model: int
    causal: bool
    sizes: Data = field(default_factory=dict)
    image: bool = False
    signal: bool = False
    registers: bool = False
    stem: bool = False
    queries: bool = False
    earlier: tuple[str, ...] = ()
    heads: int = 2
    turned: int = 0
    latent: bool = False
    summed: str = ""
    given: tuple[Data, ...] = ()
    longest: int = LENGTH

    def has(self, *kinds: str) -> bool:
        return any(one["type"] in kinds for one in self.given)


def required(cls: type[Part], key: str) -> bool:
    return any(f.is_required() for n, f in cls.model_fields.items() if key in (n, f.alias))


def refused(cls: type[Part]) -> bool:
    """Is the whole type still to be built?"""
    return any(issubclass(cls, later) for later in LATER_TYPES)


def allowed(cls: type[Part], key: str) -> tuple[Any, ...] | None:
    """The only values of an option that can be built so far; None where all can."""
    for later, options in LATER_OPTIONS.items():
        if issubclass(cls, later) and key in options:
            return options[key][0]
    return None


ALONE: Data = {"optional": None}
"""What the only input of a stack cannot be; see `joined.py` for those beside others."""


class Parts:
    """Draws parts. `said` collects what was drawn: (class, option, value) and (place, type)."""

    def __init__(self, dice: Dice, rate: float = 0.3) -> None:
        self.dice, self.rate = dice, rate
        self.said: set[tuple[str, str, str]] = set()

    # -- along the schema

    def part(self, cls: type[Part], place: Place, fixed: Mapping[str, Any], rate: float) -> Data:
        """A mapping of options of a class; `fixed` ones are as given, None leaves one out."""
        found: Data = {}
        for key, shape in shapes(cls).items():
            if key in fixed:
                value = fixed[key]
            elif allowed(cls, key) is not None:
                continue
            elif required(cls, key) or self.dice.often(rate):
                value = self.value(cls, key, shape, place)
            else:
                continue
            if value is not None:
                found[key] = value
                if not isinstance(value, dict):
                    self.said.add((cls.__name__, key, repr(value)))
                else:
                    self.said.add((cls.__name__, key, "{}"))
        return found

    def value(self, cls: type[Part], key: str, shape: Shape, place: Place) -> Any:
        if shape.kind == "component" and shape.tagged is not None:
            learned = key == "activation" and not issubclass(cls, feed_forward.Hidden)
            return self.component(shape.tagged, place, *("xielu",) * learned)
        if shape.kind == "part" and shape.cls is not None:
            return self.part(shape.cls, place, {}, self.rate)
        if shape.kind == "list" and shape.inner is not None and literal_words(shape.inner.leaf):
            words = literal_words(shape.inner.leaf)
            return self.dice.some(words, 0.7) or [words[0]]
        return self.dice.one(values_of(cls, key, shape))

    def component(self, tagged: Tagged | str, place: Place, *but: str) -> Any:
        """A word, or a mapping with a `type`, that may stand under a key."""
        tagged = COMPONENTS[tagged] if isinstance(tagged, str) else tagged
        names = [name for name in buildable(tagged) if name not in but]
        default = tagged.default if tagged.default in names else names[0]
        names.sort(key=lambda name: name != default)
        return self.of_type(tagged, self.dice.one(names), place)

    def of_type(self, tagged: Tagged | str, name: str, place: Place, **fixed: Any) -> Any:
        tagged = COMPONENTS[tagged] if isinstance(tagged, str) else tagged
        cls = tagged.classes[name]
        self.said.add((tagged.key, "type", name))
        special = next((CONSTRUCTED[base] for base in cls.__mro__ if base in CONSTRUCTED), None)
        said = (special(self, place) if special else {}) | fixed
        options = self.part(cls, place, said, self.rate)
        if not options and self.dice.often(0.8):
            return name
        if name == tagged.default and tagged.key != "norm" and self.dice.often(0.5):
            return options  # a norm without a type would be of the type of the outer level's
        return {"type": name, **options}

    # -- positions

    def positions_of(self, place: Place, *, inside: bool) -> list[Data]:
        """Those of a stack or a block. `inside`: none that acts on the stack's input."""
        found: list[Any] = []
        kinds = [("learned", 0.35), ("sinusoidal", 0.2)] if not inside else []
        if place.stem and not inside:
            kinds.append(("convolution", 0.4))
        if place.registers:
            kinds = kinds[:1]
        found += [kind for kind, chance in kinds if self.dice.often(chance)]
        if not place.registers and not place.summed:
            scores = ["alibi", "relative_bias", "disentangled", "transformer_xl"]
            scores += ["relative_table"] * (2 * (place.image and not place.signal))
            rest = ["rotary", "temperature", *scores]
            rest += ["rotary"] * (3 * (place.image and not place.signal))
            first = [self.dice.one(rest)] if self.dice.often(0.55) else []
            found += first
            if first and first[0] not in MEETS:
                more = [n for n in rest if n not in (*MEETS, *first)]
                found += [self.dice.one(more)] if self.dice.often(0.25) else []
        found = [self._of_a_sequence(place, kind) for kind in found]
        return [self._with_type(self.of_type("positions", kind, place), kind) for kind in found]

    @staticmethod
    def _of_a_sequence(place: Place, kind: str) -> str:
        """A table of all distances in place of some of the tables of buckets, and relative keys in
        place of some disentangled positions.
        """
        dice = seeded(place.d_model + place.heads)  # of its own: the other draws stay as they were
        fits = kind == "relative_bias" and "max_positions" in place.sizes and not place.queries
        image = place.image and not place.signal
        if kind == "disentangled" and dice.often(0.4):
            return "shaw"
        if kind == "sinusoidal" and not (place.image or place.queries) and dice.often(0.3):
            return "coordinate"
        return "relative_table" if fits and not image and dice.often(0.4) else kind

    @staticmethod
    def _with_type(part: Any, name: str) -> Data:
        return {"type": name, **part} if isinstance(part, dict) else {"type": name}

    def learned(self, place: Place) -> Data:
        if place.image:
            return {"add_to": None, "offset": None, "skip_padding": None}
        skip = self.dice.one((None, "mask", "tokens")) if self.dice.often(0.4) else None
        skip = "mask" if skip == "tokens" and (place.causal or "pad" not in place.sizes) else skip
        offset = {"offset": self.dice.one((1, 2))} if skip else {}
        return {"add_to": None, "skip_padding": skip, **offset}

    def sinusoidal(self, place: Place) -> Data:
        if place.image:
            said: Data = dict.fromkeys(
                ("add_to", "offset", "skip_padding", "order", "coordinates", "axes", "widths"), None
            )
            if not place.signal and (place.registers or self.dice.often(0.6)):
                said |= {"axes": 2, "order": self.dice.one((["row", "column"], ["column", "row"]))}
                self.said |= {("Sinusoidal", "axes", "2"), ("Sinusoidal", "order", "[]")}
            return said
        known = "pad" in place.sizes and not place.causal
        words = (False, "mask", "tokens") if known else (False, "mask")
        settled = dict.fromkeys(("add_to", "order", "coordinates", "axes", "widths"), None)
        return {"skip_padding": self.dice.one(words), **settled}

    def relative_bias(self, place: Place) -> Data:
        both = self.dice.one((None, True, False))
        buckets = self.dice.one((8, 12, 4) if both is not False else (8, 6, 2))
        exact = buckets // (2 if both is False else 4)
        far = [n for n in (20, 9, 4, 128) if n > exact]
        return {"bidirectional": both, "buckets": buckets, "max_distance": self.dice.one(far)}

    def relative_table(self, place: Place) -> Data:
        said: Data = {"share": "stack" if self.dice.often(0.5) else None, "axes": None}
        if not place.image or place.signal:
            said["axes"] = 1
            self.said.add(("RelativeTable", "axes", "1"))
        return said

    def disentangled(self, place: Place) -> Data:
        buckets = self.dice.one((8, 4, "none"))
        far = [n for n in (20, 9, 4) if buckets == "none" or n > buckets // 2 + 1]
        return {"buckets": buckets, "max_distance": self.dice.one(far)}

    def rotary(self, place: Place) -> Data:
        """Whole pairs; the yarn of a theta above 1; a divisor for each pair of a longrope."""
        fractions = [f for f in (1, 0.5, 0.25) if not place.turned * f % 2 and place.turned * f > 1]
        fractions = [1] if place.latent else fractions or [1]
        fraction = self.dice.one(fractions) if self.dice.often(0.4) else 1
        scaling = None
        if self.dice.often(0.5):
            place.sizes["pairs"] = int(place.turned * fraction) // 2
            scaling = self.component("scaling", place)
        said: Data = {"fraction": fraction if fraction != 1 else None, "scaling": scaling}
        said |= {"axes": None, "widths": None}
        patches = place.image and not place.signal and not place.latent
        if patches and not place.turned * fraction % 4 and self.dice.often(0.8):
            said |= {"axes": 2, "scaling": None}
            return {**said, "coordinates": self.dice.one((None, "centred"))}
        return {**said, "coordinates": None}

    def longrope(self, place: Place) -> Data:
        pairs = max(1, place.sizes.get("pairs", 1))
        own = self.dice.often(0.4) or "max_positions" not in place.sizes
        return {
            "short_factor": [1 + i / 10 for i in range(pairs)],
            "long_factor": [1 + i for i in range(pairs)],
            "short_mscale": 1.1 if own else None,
            "long_mscale": 1.3 if own else None,
        }

    # -- attention

    def mha(self, place: Place) -> Data:
        heads, width = place.heads, place.turned
        said: Data = {"heads": heads, "head_dim": None, "kernel": None, "score_bias": None}
        implied = place.d_model // heads if place.d_model % heads == 0 else 0
        if width and width != implied:
            said["head_dim"] = width
        elif not width and (not implied or self.dice.often(0.2)):
            said["head_dim"] = self.dice.one((4, 5, 6))
        meets = place.has(*MEETS)
        fits = [n for n in (heads, 1, 2, 3) if heads % n == 0]
        if meets or not self.dice.often(0.35):
            said["kv_heads"] = None
        else:
            said["kv_heads"] = self.dice.one(fits)
        said |= self._scores(place, meets=meets)
        clipped = said["clip_qkv"] not in (None, "none")
        if self.dice.often(0.3):
            said["qk_norm"] = self._qk_norm(place, clipped=clipped, score=said["score"])
        else:
            off = self.dice.often(0.05)
            said["qk_norm"] = self.of_type("qk_norm", "none", place) if off else None
        said["separate_global"] = None
        said |= {"value": None, "output": None}
        if heads == 1 and said["kv_heads"] is None and said["clip_qkv"] is None:
            said["value"] = "none" if self.dice.often(0.3) else None
            said |= {"value_dim": None} if said["value"] else {}
        plain = said["head_dim"] is None and said["value"] is None and place.turned in (0, implied)
        if plain and implied and self.dice.often(0.1):
            said |= {"output": "none", "value_dim": None}
        gated = self.dice.often(0.2)
        said["output_gate"] = self.dice.one(("elementwise", "headwise")) if gated else None
        said["gate"] = "softplus" if gated and self.dice.often(0.4) else None
        return said

    def _scores(self, place: Place, *, meets: bool) -> Data:
        """The score, and what goes with it."""
        kinds = literal_words(shapes(attentions.Mha)["score"].leaf)
        score = self.dice.one(kinds) if self.dice.often(0.2) and not meets else None
        scales: list[Any] = [None, 0.3, "none"]
        before = any(one.get("before_scale") for one in place.given)
        if not meets and not before and score not in ("additive", "distance"):
            scales.append("by_layer")
        said: Data = {"score": score, "scale": self.dice.one(scales)}
        if score == "cosine" and said["scale"] is None:
            said["scale"] = 8
        said["talking_heads"] = None
        if score not in ("additive", "distance") and self.dice.often(0.1):
            kinds = literal_words(shapes(attentions.Mha)["talking_heads"].leaf)
            said["talking_heads"] = self.dice.one(kinds)
        if score in ("additive", "distance") or said["talking_heads"] not in (None, "none"):
            said |= {"softcap": None, "sinks": None}
        if place.has("shaw"):
            said |= {"softcap": None, "sinks": None, "talking_heads": None}
        if score in ("additive", "distance"):
            self.said.add(("Mha", "score", score))
        said["clip_qkv"] = self.dice.one((0.7, "none")) if self.dice.often(0.15) else None
        return said

    def _qk_norm(self, place: Place, *, clipped: bool, score: str | None) -> Any:
        name = self.dice.one([n for n in COMPONENTS["qk_norm"].classes if n != "none"])
        after = place.has("rotary") and name != "projection" and score != "cosine"
        after = after and self.dice.often(0.3)
        before = clipped and not after and self.dice.often(0.5)
        said: Data = {"before_clip": True if before else None}
        if self.dice.often(0.5):
            said["norm"] = self.component("norm", place)
        if name != "projection":
            said["after_positions"] = True if after else None
        return self.of_type("qk_norm", name, place, **said)

    def shifted(self, place: Place) -> Data:
        """A norm: an offset goes with each of the other options."""
        return {"weight_offset": self.dice.one((1, 0.5, 0)) if self.dice.often(0.35) else None}

    def linear(self, place: Place) -> Data:
        said: Data = {"heads": place.heads, "head_dim": None}
        if place.d_model % place.heads or self.dice.often(0.3):
            said["head_dim"] = self.dice.one((4, 5))
        ordered = place.causal and place.summed == "linear"
        said["decay"] = "lightning" if ordered and self.dice.often(0.5) else None
        return said

    def fastformer(self, place: Place) -> Data:
        fits = [n for n in (place.heads, 1, 2, 4) if not place.d_model % n]
        return {"heads": fits[0]}

    def differential(self, place: Place) -> Data:
        """Two queries per head, which rotary positions can turn."""
        heads, width = place.heads, place.turned
        said: Data = {"heads": heads, "head_dim": None, "kernel": None}
        implied = place.d_model // (2 * heads) if place.d_model % (2 * heads) == 0 else 0
        if width and width != implied:
            said["head_dim"] = width
        elif not width and (not implied or self.dice.often(0.2)):
            said["head_dim"] = self.dice.one((4, 5, 6))
        fits = [n for n in (heads, 1, 2, 3) if heads % n == 0]
        said["kv_heads"] = self.dice.one(fits) if self.dice.often(0.35) else None
        return said

    def collaborative(self, place: Place) -> Data:
        heads = place.heads
        said: Data = {"heads": heads, "key_dim": None, "value_dim": None, "kernel": None}
        uneven = place.d_model % heads != 0
        if uneven or self.dice.often(0.4):
            said["key_dim"] = heads * self.dice.one((2, 5))
        if uneven or self.dice.often(0.3):
            said["value_dim"] = self.dice.one((4, 5))
        return said

    def mla(self, place: Place) -> Data:
        turned = {"rope_dim": place.turned} if place.latent and place.turned else {}
        return {"kernel": None, **turned}

    # -- feed-forwards

    def hidden(self, place: Place) -> Data:
        sizes = [10, "2 * d_model", "d_model", "4 * d_model"]
        sizes += ["3/2 * d_model"] if place.d_model % 2 == 0 else []
        return {"d_ff": self.dice.one(sizes)}

    def moe(self, place: Place) -> Data:
        experts = self.dice.one((4, 2, 6, 1))
        top = self.dice.one([k for k in (2, 1, 3) if k <= experts])
        said: Data = {"experts": experts, "top_k": top}
        for key in ("expert", "shared_expert"):
            if self.dice.often(0.5):
                but = () if key == "shared_expert" else ("none",)
                said[key] = self.component(key, place, *but)
            else:
                said[key] = None
        shared = said["shared_expert"] not in (None, "none", {"type": "none"})
        said["shared_gate"] = True if shared and self.dice.often(0.5) else None
        key = self.dice.one(("capacity", "capacity_factor"))
        said |= {"capacity": None, "capacity_factor": None}
        if self.dice.often(0.15):
            shape = shapes(feed_forward.Moe)[key]
            said[key] = self.dice.one(values_of(feed_forward.Moe, key, shape))
        limited = said["capacity"] is not None or said["capacity_factor"] is not None
        said["weigh"] = None if limited else self.dice.one(("output", "input"))
        said["router"] = self._router(place, experts, top) if self.dice.often(0.7) else None
        return said

    def _router(self, place: Place, experts: int, top: int) -> Data:
        scores = literal_words(shapes(feed_forward.Router)["score"].leaf)
        score = self.dice.one(scores)
        said: Data = {"score": score, "jitter": None, "groups": None, "choose_by": None}
        if score == "sparsemixer":
            said |= {"selection_bias": None, "jitter": self.dice.one((None, 0.01, 0.2))}
        elif self.dice.often(0.3):
            counts = [n for n in (2, 1, 3) if experts % n == 0]
            count = self.dice.one(counts or [1])
            members = experts // count
            kept = [k for k in (1, 2, 3) if k <= count and k * members >= top]
            groups: Data = {"count": count, "top_k": self.dice.one(kept)}
            groups["score"] = self.dice.one(("max", "top2_sum") if members > 1 else ("max",))
            said["groups"] = self.part(feed_forward.moe.Groups, place, groups, 0)
        made = self.part(feed_forward.Router, place, said, self.rate)
        alone = isinstance(made, dict) and made.get("selection_bias") and not said["groups"]
        if not alone or not self.dice.often(0.4):
            return made
        self.said.add(("Router", "choose_by", repr("logits")))
        return {**made, "choose_by": "logits"}

    # -- what is read and what is made of it

    def tokens(self, place: Place) -> Data:
        said: Data = {"argument": place.sizes.get("argument"), "tied": place.sizes.get("tied")}
        said["vocab_size"] = place.sizes.get("own_vocabulary")
        # an odd width cannot be one of sinusoids that stand before the projection
        width = self.dice.one([w for w in (6, 10) if w != place.d_model])
        said["width"] = width if self.dice.often(0.2) and not said["tied"] else None
        said["project"] = "before_positions" if said["width"] and self.dice.often(0.4) else None
        names = self.dice.some((f"{place.name}_kind_ids", f"{place.name}_row_ids"), 0.15)
        said["add"] = {name: self.dice.one((3, 2)) for name in names} or None
        return {**said, **ALONE, "prefix_tokens": self.learned_tokens(said, 0.1)}

    def learned_tokens(self, said: Data, rate: float) -> int | None:
        dice = seeded(len(repr(said)))  # of its own: the other draws stay as they were
        return dice.one((1, 3, 2)) if dice.often(rate) else None

    def patches(self, place: Place) -> Data:
        size = self.dice.one((8, 7, 12))
        said: Data = {"argument": place.sizes.get("argument"), "image_size": size}
        said |= {"frames": None, "tubelet_size": None}
        said |= {"patch_size": self.dice.one((4, 3)), "registers": 2 if place.registers else None}
        if self.dice.often(0.2):
            said |= {"layout": "spectrogram", "channels": 1}
        said["prefix_tokens"] = self.dice.one((1, 3, 2)) if self.dice.often(0.4) else None
        if said.get("layout") is None:
            said["layout"] = None
        if place.registers and self.dice.often(0.3):  # and so no table of offsets on a square
            said["image_size"] = [size, size + 3]
        return {**said, **ALONE}

    def conv(self, place: Place) -> Data:
        """A stem, whose last convolution gives vectors of the width of the stack."""
        channels = [*self.dice.some((3, 4), 0.4), place.d_model]
        layers = [
            self.part(embedding.ConvLayer, place, {"channels": out}, self.rate) for out in channels
        ]
        self.said.add(("ConvStem", "layers", "[]"))
        said: Data = {"argument": place.sizes.get("argument"), "layers": layers}
        if self.dice.often(0.25):
            said |= {"layout": "waveform", "channels": 1}
        elif self.dice.often(0.5):
            said["layout"] = self.dice.one(("channels", "frames"))
        said |= {"axes": None, "image_size": None}
        dice = seeded(len(repr(layers)))  # of its own: the other draws stay as they were
        if not place.has("convolution") and dice.often(0.4):
            said |= {"axes": 2, "image_size": dice.one((14, [12, 17])), "layout": None}
        return {**said, **ALONE, "prefix_tokens": self.learned_tokens(said, 0.2)}

    def features(self, place: Place) -> Data:
        said = {"argument": place.sizes.get("argument"), "size": self.dice.one((None, 5, 9))}
        dice = seeded(len(repr(said)) + place.d_model)  # of its own: the others stay as they were
        more: Data = {"project": True if dice.often(0.3) else None, "add": None}
        if place.sizes.get("argument") and dice.often(0.3):
            more["add"] = {f"{place.name}_row_ids": 4, f"{place.name}_column_ids": 7}
        self.said |= {("Features", key, repr(value)) for key, value in more.items() if value}
        return {**said, **more, **ALONE, "prefix_tokens": self.learned_tokens(said, 0.5)}

    def learned_vectors(self, place: Place) -> Data:
        return {"prefix_tokens": None, **ALONE}

    def first(self, place: Place) -> Data:
        learned = place.sizes.get("learned", 0)
        tokens = self.dice.one(range(1, learned + 1)) if learned else None
        joined = True if tokens and tokens > 1 and self.dice.often(0.5) else None
        return {"tokens": tokens, "joined": joined}

    def pooled(self, place: Place) -> Data:
        skips = place.sizes.get("in_front", 0)
        return {"skip": self.dice.one(range(skips + 1)) if skips else None}

    def language_model(self, place: Place) -> Data:
        said: Data = {"stack": place.sizes.get("read"), "vocab_size": None}
        wide = place.sizes.get("table_width", place.d_model)
        tied = not place.image and self.dice.often(0.5)
        out = place.sizes.get("output_width", place.d_model)
        if tied and (wide != out or self.dice.often(0.3)):
            transform: Any = self.of_type("transform", "dense", place, width=None)
        else:
            transform = self.component("transform", place) if self.dice.often(0.3) else None
            if tied and isinstance(transform, dict):
                transform.pop("width", None)
        if place.image or "unsaid" in place.sizes:
            said["vocab_size"] = place.sizes.get("unsaid") or self.dice.one((9, 24))
        return {**said, "tied": tied or None, "transform": transform}

    def classifier(self, place: Place) -> Data:
        said = self.pooling(place)
        off = said["pool"] in (None, "none", {"type": "none"})
        said["pooled_norm"] = True if not off and self.dice.often(0.3) else None
        hidden = self.dice.often(0.5)
        said["hidden"] = 5 if hidden else None
        said["hidden_bias"] = False if hidden and self.dice.often(0.3) else None
        said["hidden_norm"] = True if hidden and self.dice.often(0.3) else None
        return said

    def image_head(self, place: Place) -> Data:
        return {"stack": place.sizes.get("read")}

    def pooling(self, place: Place) -> Data:
        but = ("token",) if place.image else ()
        pooled = self.component("pool", place, *but) if self.dice.often(0.8) else None
        if place.sizes.get("in_front") and self.dice.often(0.7):
            kind = "first" if place.sizes.get("learned") and self.dice.often(0.5) else "mean"
            pooled = self.of_type("pool", kind, place)
        return {"stack": place.sizes.get("read"), "pool": pooled}

    def projection(self, place: Place) -> Data:
        said = self.pooling(place)
        dice = seeded(len(repr(said)) + place.d_model)  # of its own: the others stay as they were
        options: Data = {"hidden": None, "hidden_activation": None, "places_of": None}
        if dice.often(0.4):
            options |= {"hidden": dice.one(([5], [7, 6])), "hidden_activation": "tanh"}
            self.said |= {
                ("ProjectionHead", key, repr(value)) for key, value in options.items() if value
            }
        return {**said, **options}

    # -- conditions

    def adaptive(self, place: Place) -> Data:
        """Vectors with arguments of this stack; a pooled stack is one that comes before it."""
        kinds = ["timestep", "label", "vector", *(["pooled"] if place.earlier else [])]
        chosen = self.dice.some(kinds, 0.4) or [kinds[0]]
        self.said.add(("Adaptive", "embed", "[]"))
        return {"embed": [self.of_type("embed", kind, place) for kind in chosen]}

    def timestep(self, place: Place) -> Data:
        return {"argument": f"{place.name}_times"}

    def label(self, place: Place) -> Data:
        return {"argument": f"{place.name}_kinds"}

    def vector(self, place: Place) -> Data:
        return {"argument": f"{place.name}_styles"}

    def pooled_stack(self, place: Place) -> Data:
        """Any pool that needs neither token ids nor prefix tokens."""
        other = self.dice.one(list(place.earlier))
        pools = ("mean", "first", "last", "max", "attention", "first_and_mean")
        self.said |= {("pool", "type", "mean"), ("Pooled", "stack", other)}
        place.sizes.setdefault("pooled", []).append(other)
        return {"stack": other, "pool": self.dice.one(pools)}

    # -- how branches join

    def joining(self, place: Place) -> Data:
        normed = place.sizes.get("placements", set()) <= {"pre", "sandwich"}
        said: Data = {"from": "normed" if normed and self.dice.often(0.1) else None}
        dice = seeded(len(self.said))  # of its own: the other draws stay as they were
        gate = dice.one(("rezero", "tanh", "output", "highway", "gru")) if dice.often(0.2) else None
        said["gate"] = gate
        if gate:
            self.said.add(("Sequential", "gate", repr(gate)))
        replaced = dict.fromkeys(("highway", "gru"), "stream_scale")
        replaced |= dict.fromkeys(("rezero", "tanh"), "layer_scale")
        if gate not in ("output", "highway", "gru"):
            said["gate_bias"] = None
        return {**said, **({replaced[gate]: None} if gate in replaced else {})}

    def parallel(self, place: Place) -> Data:
        alike = place.sizes.get("placements") == {"pre"} and not place.sizes.get("own_norms")
        shared = True if alike and self.dice.often(0.4) else None
        said = self.joining(place)
        if said["gate"] in ("highway", "gru"):
            said["gate"] = "output"
        return {**said, "shared_norm": shared}

    def mask(self, place: Place) -> str:
        return random_mask(self.dice, causal=place.causal)


CONSTRUCTED: dict[type[Part], Callable[[Parts, Place], Data]] = {
    norms.LayerNorm: Parts.shifted,
    norms.RmsNorm: Parts.shifted,
    positions.Learned: Parts.learned,
    positions.Sinusoidal: Parts.sinusoidal,
    positions.RelativeBias: Parts.relative_bias,
    positions.RelativeTable: Parts.relative_table,
    positions.Disentangled: Parts.disentangled,
    positions.Rotary: Parts.rotary,
    positions.LongRope: Parts.longrope,
    attentions.Mha: Parts.mha,
    attentions.Mla: Parts.mla,
    attentions.LinearAttention: Parts.linear,
    attentions.Fastformer: Parts.fastformer,
    attentions.Differential: Parts.differential,
    attentions.Collaborative: Parts.collaborative,
    feed_forward.Hidden: Parts.hidden,
    feed_forward.Moe: Parts.moe,
    embedding.Tokens: Parts.tokens,
    embedding.Patches: Parts.patches,
    embedding.ConvStem: Parts.conv,
    embedding.Features: Parts.features,
    embedding.LearnedInput: Parts.learned_vectors,
    pool.FirstPool: Parts.first,
    pool.MeanPool: Parts.pooled,
    pool.FirstAndMeanPool: Parts.pooled,
    head.LanguageModel: Parts.language_model,
    head.Classifier: Parts.classifier,
    head.ProjectionHead: Parts.projection,
    condition.Adaptive: Parts.adaptive,
    condition.Timestep: Parts.timestep,
    condition.Label: Parts.label,
    condition.Vector: Parts.vector,
    condition.Pooled: Parts.pooled_stack,
    head.PatchesHead: Parts.image_head,
    residual.Parallel: Parts.parallel,
    residual.Joining: Parts.joining,
}
"""Class -> what its options must be beside the rest of the stack."""


def reachable() -> tuple[set[type[Part]], set[str]]:
    """Every class that can be built, and every component that may stand in such a class."""
    found: set[type[Part]] = set()
    keys: set[str] = set()
    todo: list[type[Part]] = [ModelSpec]
    while todo:
        cls = todo.pop()
        if cls in found or refused(cls):
            continue
        found.add(cls)
        for key, shape in shapes(cls).items():
            if allowed(cls, key) is not None:
                continue
            while shape.inner is not None:
                shape = shape.inner
            if shape.cls is not None:
                todo.append(shape.cls)
            if shape.tagged is not None and buildable(shape.tagged) != ["none"]:
                keys.add(shape.tagged.key)
                todo += shape.tagged.classes.values()
    return found, keys


def buildable(tagged: Tagged) -> list[str]:
    """The types of a component that can be built."""
    return [name for name, cls in tagged.classes.items() if not refused(cls)]


__all__ = ["WIDTHS", "Data", "Parts", "Place", "buildable", "reachable"]
