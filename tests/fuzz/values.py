"""Small values for every option: what cannot be read from its type is in one of these tables.

A number of the language has no size that is right by itself, so each one stands here; words and
truths are read from the schema. A test asks for each option of the language whether it is drawn.
"""

from __future__ import annotations

from typing import Any, get_args, get_origin

from modelwright.spec import scalars
from modelwright.spec.part import Part
from modelwright.spec.signatures import Shape

WIDTHS = (8, 12, 16)
VOCABULARY = (24, 31)
LENGTH = 40
"""The longest sequence that a table of positions must hold: data of the tests are shorter."""

TEXTS = (
    "A small model.",
    'Says "it\'s" 100 % of C:\\models, café: {0} %s #!',
    '"""\n__import__("os")\n"""',
    "</svg><script>x</script> & <b> --> ]]>",
    "one line\nand another\n\n  and a third" * 3,
    "漢字 and κόσμος",
    "",
)
"""Descriptions, which are the only free text of a spec."""

VALUES: dict[tuple[str, str], tuple[Any, ...]] = {
    ("ModelSpec", "name"): ("small", "tiny-model_2.5", "A", "gpt", "Config2", "x" * 30),
    ("ModelSpec", "description"): TEXTS,
    ("SpecialTokens", "pad"): (0, 3),
    ("SpecialTokens", "bos"): (1,),
    ("SpecialTokens", "eos"): (2, 0, [2, 3]),
    ("SpecialTokens", "decoder_start"): (1, 0),
    ("Stack", "layers"): (2, 1, 3, 4, 0),
    ("Stack", "d_model"): WIDTHS,
    ("Stack", "vocab_size"): VOCABULARY,
    ("Stack", "max_positions"): (LENGTH, 64),
    ("Stack", "output_width"): (6, 8),
    ("Tokens", "width"): (6, 10),
    ("Tokens", "vocab_size"): VOCABULARY,
    ("Tokens", "scale"): ("sqrt_d_model", 0.5, 3, 1),
    ("Patches", "image_size"): (8, 7, 12),
    ("Patches", "stride"): (3, 2),
    ("Patches", "patch_size"): (4, 3),
    ("Patches", "channels"): (3, 1),
    ("Patches", "frames"): (3, 5),
    ("Patches", "tubelet_size"): (2, 1),
    ("Patches", "registers"): (0, 2),
    ("Patches", "prefix_tokens"): (0, 1, 3),
    ("Tokens", "prefix_tokens"): (0, 1, 3),
    ("Features", "prefix_tokens"): (0, 2),
    ("ConvStem", "prefix_tokens"): (0, 1, 2),
    ("ConvStem", "channels"): (2, 1),
    ("ConvStem", "scale"): ("sqrt_d_model", 3),
    ("ConvLayer", "kernel"): (3, 1),
    ("ConvLayer", "stride"): (1, 2),
    ("ConvLayer", "dilation"): (1, 2),
    ("Learned", "offset"): (0, 2, 1),
    ("Sinusoidal", "offset"): (0, 2),
    ("Sinusoidal", "widths"): ([4, 2, 2],),
    ("Timestep", "width"): (4, 6),
    ("Timestep", "hidden"): (5, "none"),
    ("Label", "classes"): (3, 2),
    ("LearnedInput", "tokens"): (3, 5),
    ("Vector", "size"): (5, 3),
    ("PatchesHead", "channels"): (2, 1),
    ("Convolution", "kernel"): (3, 4),
    ("Convolution", "groups"): (2, 1, 4),
    ("Rotary", "theta"): (10000, 100, 1e6),
    ("Mlp", "bias"): (True, False, ["down"], []),
    ("Glu", "bias"): (True, False, ["gate", "down"], ["up"]),
    ("Temperature", "length"): (2, 5, 8192),
    ("Temperature", "slope"): (0.1, 0.5),
    ("Temperature", "offset"): (0, 1),
    ("Rotary", "fraction"): (1, 0.5),
    ("Rotary", "widths"): ([4, 2, 2],),
    ("RelativeBias", "buckets"): (8, 12, 4),
    ("RelativeBias", "max_distance"): (20, 9, 128),
    ("RelativeTable", "axes"): (2,),
    ("Shaw", "max_distance"): (3, 1, 40),
    ("Disentangled", "buckets"): (8, 4, "none"),
    ("Disentangled", "max_distance"): (20, 9, 64),
    ("LinearScaling", "factor"): (2, 1.5),
    ("DynamicScaling", "factor"): (2, 3),
    ("DynamicScaling", "original_max_positions"): (64, 8, 5),
    ("Llama3", "factor"): (8, 2),
    ("Llama3", "low_freq_factor"): (1, 0.5),
    ("Llama3", "high_freq_factor"): (4, 2),
    ("Llama3", "original_max_positions"): (16, 64),
    ("Yarn", "factor"): (4, 1.5),
    ("Yarn", "original_max_positions"): (16, 64),
    ("Yarn", "beta_fast"): (32, 4),
    ("Yarn", "beta_slow"): (1, 0.5),
    ("Yarn", "mscale"): (1, 0.7),
    ("Yarn", "mscale_all_dims"): (0, 0.7),
    ("LongRope", "original_max_positions"): (16, 8),
    ("LayerNorm", "weight_offset"): (0, 1, 0.5),
    ("RmsNorm", "weight_offset"): (0, 1, 0.5),
    ("Mha", "value_dim"): (5, 6, 3),
    ("Mha", "scale"): (0.3, "none", "by_layer"),
    ("Mha", "softcap"): (3, "none"),
    ("Mha", "clip_qkv"): (0.7, "none"),
    ("Differential", "scale"): (0.3, "none"),
    ("Collaborative", "scale"): (0.3, "none"),
    ("Mla", "heads"): (2, 1, 3),
    ("Mla", "query_rank"): (6, "none"),
    ("Mla", "kv_rank"): (5, 8),
    ("Mla", "nope_dim"): (6, 3),
    ("Mla", "rope_dim"): (4, 2),
    ("Mla", "value_dim"): (5, 3),
    ("Mla", "scale"): (0.3, "none"),
    ("Conv", "kernel"): (3, 1, 4),
    ("Conv", "dilation"): (1, 2),
    ("Recurrence", "hidden"): (5, 8),
    ("Maxout", "hidden"): (4, 6),
    ("Hidden", "d_ff"): (10, "2 * d_model", "3/2 * d_model", "d_model"),
    ("Glu", "clamp"): (0.6, "none"),
    ("Glu", "linear_offset"): (0, 1, -0.5),
    ("Moe", "capacity"): (4, 2),
    ("Moe", "capacity_factor"): (1.25, 0.5),
    ("Moe", "balance_loss"): (0.01, 0, 2),
    ("Moe", "z_loss"): (0, 0.001, 1),
    ("Router", "scale"): (1, 2.5),
    ("Router", "jitter"): (0.01, 0.2),
    ("Swish", "beta"): (1.7, 1),
    ("Joining", "scale"): (1, 0.5, -1),
    ("Joining", "stream_scale"): (1, 1.4),
    ("Joining", "layer_scale"): (0.2, "none"),
    ("Joining", "gate_bias"): (1, -0.5),
    ("LanguageModel", "vocab_size"): VOCABULARY,
    ("LanguageModel", "input_scale"): (1, 0.3, "1/sqrt_d_model"),
    ("LanguageModel", "scale"): (1, 0.25),
    ("LanguageModel", "softcap"): (2, "none"),
    ("Classifier", "classes"): (3, 1),
    ("Classifier", "hidden"): (5, "none"),
    ("ProjectionHead", "size"): (4, 2),
    ("Contrastive", "size"): (4, 3),
    ("Contrastive", "temperature"): (0.07, 1),
    ("DenseTransform", "width"): (7,),
    ("DenseTransform", "inner"): (5, "none"),
    ("MeanPool", "skip"): (0, 1),
    ("TokenPool", "id"): (5,),
    ("Normal", "std"): (0.02, 0.3),
    ("TruncatedNormal", "std"): (0.02,),
}
"""Class (or one that it comes from) and option -> values, the simplest first."""

KINDS: dict[int, tuple[Any, ...]] = {
    id(kind): values
    for kind, values in (
        (scalars.Flag.__metadata__[0], (False, True)),
        (scalars.Rate.__metadata__[0], (0, 0.1, 0.5)),
        (scalars.Epsilon.__metadata__[0], (1e-5, 1e-3)),
        (scalars.Padding.__metadata__[0], (False, "mask", "tokens")),
        (
            scalars.Bias.__metadata__[0],
            (True, False, ["query", "output"], ["value", "key"], [], ["query"]),
        ),
    )
}
"""Kind of value -> values, where any will do."""


class UnknownOptionError(LookupError):
    """An option for which nothing here has a value: add one to VALUES."""


def values_of(cls: type[Part], key: str, shape: Shape) -> tuple[Any, ...]:
    """The values that an option may be given. Raises UnknownOptionError for a new one."""
    for base in cls.__mro__:
        if (base.__name__, key) in VALUES:
            return VALUES[base.__name__, key]
    if id(shape.leaf) in KINDS:
        return KINDS[id(shape.leaf)]
    literal = literal_words(shape.leaf)
    if literal:
        return literal
    raise UnknownOptionError(f"{cls.__name__}.{key}: tests/fuzz/values.py has no value for it")


def literal_words(leaf: Any) -> tuple[Any, ...]:
    """The words of a Literal; none for anything else."""
    return get_args(leaf) if str(get_origin(leaf)) == "typing.Literal" else ()
