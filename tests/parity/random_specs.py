"""Random meaningful specs: any supported option, combined with any other."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from fuzz.masks import is_legal
from odd_specs import DECODER, ENCODER, TRANSLATOR, changed

NORMS = (
    "layernorm",
    "rmsnorm",
    "none",
    "{type: layernorm, eps: 1e-3}",
    "{type: layernorm, bias: false}",
    "{type: layernorm, affine: false}",
    "{type: layernorm, weight_offset: 1}",
    "{type: rmsnorm, weight_offset: 0.5}",
    "{type: rmsnorm, affine: false}",
)
PLACEMENTS = ("pre", "post", "sandwich", "output", "none")
ACTIVATIONS = ("relu", "relu2", "silu", "gelu_tanh", "quick_gelu", "tanh", "sigmoid", "identity")
QK_NORMS = (
    "head",
    "projection",
    "per_head",
    "{type: head, after_positions: true}",
    "{type: head, norm: {type: rmsnorm, eps: 1e-2}}",
    "{type: per_head, norm: {type: layernorm, bias: false}}",
)
INPUT_POSITIONS = (
    "learned",
    "{type: learned, offset: 2, skip_padding: mask}",
    "sinusoidal",
    "{type: sinusoidal, layout: interleaved}",
    "{type: sinusoidal, denominator: half_minus_one, offset: 3}",
)
ROTARY = (
    "rotary",
    "{type: rotary, theta: 100}",
    "{type: rotary, fraction: 0.5}",
    "{type: rotary, layout: interleaved}",
    "{type: rotary, fraction: 0.5, layout: interleaved}",
    "{type: rotary, scaling: {type: linear, factor: 2}}",
    "{type: rotary, scaling: {type: llama3, factor: 8, original_max_positions: 16}}",
    "{type: rotary, scaling: {type: yarn, factor: 8, original_max_positions: 16, beta_fast: 2}}",
    "{type: rotary, scaling: {type: dynamic, factor: 3, original_max_positions: 5}}",
)
DISTANCES = (
    "alibi",
    "{type: alibi, slopes: ceil}",
    "{type: alibi, before_scale: true}",
    "{type: relative_bias, buckets: 8, max_distance: 20}",
    "{type: relative_bias, buckets: 8, max_distance: 20, bidirectional: false, share: layer}",
)
ATOMS = (
    "window(3)",
    "window(6)",
    "strided(2)",
    "blocks(4)",
    "blocks(3, 1)",
    "fixed(4, 1)",
    "band(2)",
    "band(3, 1)",
    "keys(0:2)",
    "global(0:1)",
    "queries(2:5)",
)
POOLS = ("first", "last", "mean", "max", "attention", "{type: token, id: 5}", "none")


class Dice:
    """Draws parts of specs from one seed."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def one(self, *choices: str) -> str:
        return self.random.choice(choices)

    def often(self, chance: float) -> bool:
        return self.random.random() < chance

    def part(self, first: Sequence[str], **options: Sequence[str]) -> str:
        """A mapping of some of these options, each with one of its values."""
        chosen = [*first]
        chosen += [
            f"{key}: {self.one(*values)}" for key, values in options.items() if self.often(0.25)
        ]
        return "{" + ", ".join(chosen) + "}"

    # -- parts

    def attention(self) -> str:
        heads = self.random.choice([1, 2, 4, 6])
        first = [f"heads: {heads}"]
        if heads == 6 or self.often(0.3):
            first.append(f"head_dim: {self.one('8', '12')}")
        fits = [str(n) for n in (1, 2, 3, heads) if heads % n == 0]
        return self.part(
            first,
            kv_heads=fits,
            value_dim=("4", "6", "12"),
            bias=("true", "false", "[query, output]", "[value, key]"),
            scale=("none", "0.3"),
            softcap=("3",),
            clip_qkv=("0.7",),
            qk_norm=[norm for norm in QK_NORMS if "after" not in norm],
            output_norm=("true",),
            sinks=("true",),
            output_gate=("elementwise", "headwise"),
            dropout=("0.3",),
            norm_placement=PLACEMENTS,
        )

    def feed_forward(self) -> str:
        if self.often(0.07):
            return "none"
        first = [f"d_ff: {self.one('48', '2 * d_model', '3/2 * d_model')}"]
        if self.often(0.4):
            first.append("type: glu")
        return self.part(
            first,
            activation=(*ACTIVATIONS, "{type: swish, beta: 1.3}"),
            bias=("true", "false"),
            inner_norm=("true",),
            hidden_dropout=("0.2",),
        )

    def positions(self) -> str:
        kinds = [self.one(*INPUT_POSITIONS), self.one(*ROTARY), self.one(*DISTANCES)]
        chosen = [kind for kind in kinds if self.often(0.4)]
        return f"[{', '.join(chosen)}]" if chosen else "none"

    def mask(self, *, causal: bool) -> str:
        while not is_legal(found := self.formula(causal=causal)):
            pass
        return found

    def formula(self, *, causal: bool) -> str:
        formula = self.one(*ATOMS)
        if self.often(0.5):
            formula = f"({formula} {self.one('&', '|')} {self.one(*ATOMS)})"
        if self.often(0.15):
            formula = f"~{formula}"
        if causal:
            return f"causal & {formula}"
        return self.one(formula, f"{formula} | random(4, 1)", f"{formula} | keys(-2:)")

    def residual(self) -> str:
        first = [f"type: {self.one('sequential', 'sequential', 'parallel')}"]
        return self.part(
            first,
            scale=("0.5",),
            stream_scale=("1.4",),
            layer_scale=("0.2",),
            drop_path=("0.1",),
        )

    def reading(self) -> str:
        return self.part(
            [],
            normalize=("true", "before_positions"),
            scale=("sqrt_d_model", "0.5"),
            dropout=("0.2",),
            add=("{kind_ids: 3}", "{token_type_ids: 2, row_ids: 5}"),
            width=("24",),
        )

    def language_model(self) -> str:
        first = ["type: language_model", f"tied: {self.one('true', 'false')}"]
        return self.part(
            first,
            bias=("true",),
            transform=("dense",),
            softcap=("2",),
            scale=("0.5",),
            input_scale=("0.3",),
        )

    def head(self) -> str:
        pool = f"pool: {self.one(*POOLS)}"
        return self.one(
            self.language_model(),
            "none",
            self.part(["type: classifier", "classes: 3", pool], hidden=("16",)),
            self.part(
                ["type: projection", "size: 8", pool],
                normalize=("true",),
                activation=("tanh",),
                bias=("false",),
            ),
        )

    def block(self, *, causal: bool) -> str:
        return self.part(
            [],
            mask=[f"'{self.mask(causal=causal)}'"],
            attention=("{heads: 2}", "{heads: 4}"),
            feed_forward=("none", self.feed_forward()),
            residual=("{scale: 0.7}",),
            norm=("rmsnorm",),
            share=("true",),
        )

    # -- whole specs

    def common(self) -> list[str]:
        lines = [f"attention: {self.attention()}", f"feed_forward: {self.feed_forward()}"]
        maybe: dict[str, Callable[[], str]] = {
            "norm": lambda: self.one(*NORMS),
            "norm_placement": lambda: self.one(*PLACEMENTS),
            "residual": self.residual,
            "bias": lambda: "false",
            "dropout": lambda: "0.1",
            "share": lambda: "true",
            "activation": lambda: self.one(*ACTIVATIONS),
            "final_norm": lambda: self.one("true", "false"),
        }
        lines += [f"{key}: {draw()}" for key, draw in maybe.items() if self.often(0.3)]
        return lines

    def one_stack(self, *, causal: bool) -> str:
        lines = [*self.common(), f"positions: {self.positions()}", f"input: {self.reading()}"]
        lines.append(f"head: {self.language_model() if causal else self.head()}")
        if self.often(0.5):
            lines.append(f"mask: {self.mask(causal=causal)}")
        if self.often(0.4):
            blocks = [f"{name}: {self.block(causal=causal)}" for name in "ab"]
            lines.append(f"blocks: {{{', '.join(blocks)}}}")
            lines += [f"pattern: [{self.one('a', 'a * 2')}, b]", f"layers: {self.one('3', '5')}"]
            if self.often(0.3):
                lines.append(f"overrides: {{{self.one('0: b', '-1: {feed_forward: none}')}}}")
        return changed(DECODER if causal else ENCODER, *lines, "tokens: {pad: 0}")

    def two_stacks(self) -> str:
        decoder = self.part(
            [f"positions: {self.positions()}"],
            cross_attention=[self.attention()],
            input=("{tied: encoder}",),
            layers=("2",),
            mask=[f"'{self.mask(causal=True)}'"],
        )
        encoder = f"{{positions: {self.positions()}}}"
        lines = [*self.common(), f"encoder: {encoder}", f"decoder: {decoder}"]
        lines += [f"head: {self.language_model()}", "positions: none"]
        return changed(TRANSLATOR, *lines)


def random_spec(seed: int) -> str:
    """The spec of a seed, as text. A law of the language may refuse it."""
    dice = Dice(seed)
    kind = dice.one("decoder", "encoder", "both")
    return dice.two_stacks() if kind == "both" else dice.one_stack(causal=kind == "decoder")
