"""Small specs of which other values were once compiled than `docs/language.md` says.

What was found stands before its neighbours: other branches, stacks, options and orders.
"""

from __future__ import annotations

SMALL = """
name: small
family: decoder-only
vocab_size: 20
d_model: 8
layers: 2
attention: {heads: 2}
"""
ENCODER = SMALL.replace("decoder-only", "encoder-only")
BOTH = """
name: small
family: encoder-decoder
vocab_size: 20
d_model: 8
layers: 1
attention: {heads: 2}
"""
STEM = """
name: small
family: encoder-only
d_model: 8
layers: 1
attention: {heads: 2}
"""


def without_branches(text: str) -> str:
    return text.replace("{heads: 2}", "none") + "feed_forward: none\n"


def attention(options: str, text: str = SMALL) -> str:
    return text.replace("heads: 2", f"heads: 2, {options}")


def lightning(heads: int) -> str:
    options = f"type: linear, heads: {heads}, head_dim: 4, decay: lightning"
    return SMALL.replace("heads: 2", options)


YARN = (
    "positions: {type: rotary, scaling: {type: yarn, factor: 4, original_max_positions: 16, "
    "mscale_all_dims: 0.7}}\n"
)
PARALLEL = "residual: parallel\n"
NORMED = "residual: {type: parallel, from: normed}\n"
LAYERS = "layers: [{channels: 8, kernel: 3, normalize: channels}]"

SCALES = {
    "sqrt_d_model of a narrow table": SMALL + "input: {width: 6, scale: sqrt_d_model}\n",
    "sqrt_d_model of a wide table": SMALL + "input: {width: 12, scale: sqrt_d_model}\n",
    "sqrt_d_model, projected before positions": SMALL + "positions: sinusoidal\n"
    "input: {width: 6, scale: sqrt_d_model, project: before_positions, add: {kind_ids: 3}}\n",
    "1/sqrt_d_model of an output of another width": SMALL + "output_width: 6\n"
    "head: {type: language_model, input_scale: 1/sqrt_d_model}\n",
    "sqrt_d_model of two stacks": BOTH + "input: {width: 6, scale: sqrt_d_model}\n",
    "lightning of three heads": lightning(3),
    "lightning of six heads in one layer": lightning(6).replace("layers: 2", "layers: 1"),
    "yarn and additive scores": attention("score: additive") + YARN,
    "yarn and additive scores with a scale": attention("score: additive, scale: 0.5") + YARN,
    "yarn and additive scores without a scale": attention("score: additive, scale: none") + YARN,
    "yarn and distances": attention("score: distance") + YARN,
    "yarn and additive scores of two stacks": attention("score: additive", BOTH) + YARN,
    "alibi before the scale of additive scores": attention("score: additive")
    + "positions: {type: alibi, before_scale: true}\n",
    "alibi before a scale of 1": attention("scale: none")
    + "positions: {type: alibi, before_scale: true}\n",
    "alibi before the scale of distances": attention("score: distance")
    + "positions: {type: alibi, before_scale: true}\n",
    "alibi before a given scale of additive scores": attention("score: additive, scale: 3")
    + "positions: {type: alibi, before_scale: true}\n",
    "alibi and yarn before the scale of additive scores": attention("score: additive")
    + YARN.replace("{type: rotary", "[{type: alibi, before_scale: true}, {type: rotary").replace(
        "}}", "}}]"
    ),
}
SUMS = {
    "post of one branch": attention("norm_placement: post") + "feed_forward: none\n" + PARALLEL,
    "post of the block, in its branch": attention("norm: rmsnorm")
    + "feed_forward: none\nnorm_placement: post\n"
    + PARALLEL,
    "post of a feed-forward alone": SMALL.replace("{heads: 2}", "none")
    + "feed_forward: {norm_placement: post, norm: rmsnorm}\n"
    + PARALLEL,
    "post of all branches, each by itself": attention("norm_placement: post, norm: rmsnorm")
    + "feed_forward: {norm_placement: post, norm: rmsnorm}\n"
    + PARALLEL,
    "post of three branches": attention("norm_placement: post", BOTH)
    + "feed_forward: {norm_placement: post}\ndecoder: {cross_attention: "
    "{norm_placement: post}}\n" + PARALLEL,
    "post of the block, but of no branch": attention("norm_placement: pre")
    + "feed_forward: {norm_placement: output}\nnorm_placement: post\n"
    + PARALLEL,
    "post of all layers but one": SMALL
    + "norm_placement: post\n"
    + PARALLEL
    + "overrides: {1: {norm_placement: pre}}\n",
    "post of three branches with a norm of their own": attention("norm: rmsnorm", BOTH)
    + "feed_forward: {norm: rmsnorm}\ndecoder: {cross_attention: {norm: rmsnorm}}\n"
    "norm_placement: post\n" + PARALLEL,
    "post without branches": without_branches(SMALL) + "norm_placement: post\n" + PARALLEL,
    "post, scaled": SMALL + "norm_placement: post\n"
    "residual: {type: parallel, stream_scale: 2, scale: 0.5, layer_scale: 0.1}\n",
    "added to a normed input": SMALL + "feed_forward: none\n" + NORMED,
    "added to the normed input of a sandwich": attention("norm_placement: sandwich")
    + "feed_forward: none\n"
    + NORMED,
    "added to the normed input of a feed-forward": SMALL.replace("{heads: 2}", "none") + NORMED,
    "added to an input whose norm is none": SMALL + "feed_forward: none\nnorm: none\n" + NORMED,
    "added to a normed input, scaled": SMALL + "feed_forward: none\n"
    "residual: {type: parallel, from: normed, stream_scale: 2, scale: 0.5}\n",
    "added to a shared normed input": SMALL
    + "residual: {type: parallel, from: normed, shared_norm: true}\n",
    "a shared norm of no branch": without_branches(SMALL)
    + "residual: {type: parallel, shared_norm: true}\n",
    "a shared norm that the branches say": attention("norm: rmsnorm")
    + "feed_forward: {norm: rmsnorm}\nresidual: {type: parallel, shared_norm: true}\n",
    "a shared norm of three branches": BOTH + "residual: {type: parallel, shared_norm: true}\n",
}
STEMS = {
    "an rms norm in a stem": STEM
    + f"input: {{type: conv, channels: 2, norm: rmsnorm, {LAYERS}}}\n",
    "the stem of an encoder, read by a decoder": BOTH
    + "encoder: {bias: false, input: {type: conv, "
    "argument: sound, channels: 2, norm: rmsnorm, project: normalized, "
    "layers: [{channels: 4, kernel: 3, normalize: channels}]}}\n",
    "the eps of a stem": STEM
    + f"input: {{type: conv, channels: 2, norm: {{eps: 0.01}}, {LAYERS}}}\n",
    "the norm of the stack in a stem": STEM
    + f"norm: rmsnorm\ninput: {{type: conv, channels: 2, {LAYERS}}}\n",
    "a norm without weights in a stem": STEM
    + f"norm: {{affine: false}}\ninput: {{type: conv, channels: 2, {LAYERS}}}\n",
    "no norm in a stem": STEM + f"input: {{type: conv, channels: 2, norm: none, {LAYERS}}}\n",
    "the eps of frames in a stem": STEM + "input: {type: conv, channels: 2, norm: {eps: 0.01}, "
    "layers: [{channels: 8, kernel: 3, normalize: frames}]}\n",
    "no norm over frames in a stem": STEM + "norm: none\ninput: {type: conv, channels: 2, "
    "layers: [{channels: 8, kernel: 3, normalize: frames}]}\n",
    "the projection of a stem": STEM + "bias: false\n"
    "input: {type: conv, channels: 2, layers: [{channels: 4, kernel: 3}], project: true}\n",
    "the projection of a stem, normed": STEM + "bias: false\ninput: {type: conv, channels: 2, "
    "bias: true, layers: [{channels: 4, kernel: 3}], project: normalized}\n",
    "the projection beside convolutions without bias": STEM + "input: {type: conv, channels: 2, "
    "bias: false, layers: [{channels: 4, kernel: 3}], project: true}\n",
}
DEPTHS = {
    "nothing to scale by depth": without_branches(SMALL)
    + "init: {type: normal, depth_scaled: true}\n",
    "nothing to scale in one kind of block": SMALL + "init: {type: normal, depth_scaled: true}\n"
    "blocks: {a: {attention: none, feed_forward: none}, b: {}}\npattern: [a, b]\n",
    "nothing to scale in one stack": BOTH + "init: {type: normal, depth_scaled: true}\n"
    "encoder: {attention: none, feed_forward: none}\n",
}


def blocks(first: str, second: str, text: str = SMALL) -> str:
    return (
        f"{text}blocks: {{a: {{positions: {first}}}, b: {{positions: {second}}}}}\n"
        "pattern: [a, b]\n"
    )


IMAGE = STEM + "input: {type: patches, image_size: 8, patch_size: 4}\n"
NORMED_TABLE = "{type: disentangled, buckets: 4, max_distance: 9, normalize: true}"
POSITIONS = {
    "two kinds that meet contents": blocks("transformer_xl", "disentangled"),
    "two kinds that meet contents, the other way": blocks("disentangled", "transformer_xl"),
    "two normed tables": blocks("{type: disentangled, normalize: true}", NORMED_TABLE),
    "a plain and a normed table": blocks("disentangled", NORMED_TABLE),
    "a normed table and sinusoids": blocks(NORMED_TABLE, "transformer_xl", ENCODER),
    "three kinds that meet contents": SMALL.replace("layers: 2", "layers: 4")
    + "blocks: {a: {positions: transformer_xl}, b: {positions: disentangled}, "
    f"c: {{positions: {NORMED_TABLE}}}, d: {{positions: transformer_xl}}}}\n"
    "pattern: [a, b, c, d]\n",
    "sinusoids of the input and of the scores": SMALL + "positions: [sinusoidal, transformer_xl]\n",
    "an eps of a normed table and one of a branch": attention("norm: {eps: 0.001}")
    + "positions: [{type: disentangled, normalize: true}, relative_bias]\nnorm: {eps: 0.01}\n",
    "kinds that meet contents, in two stacks": BOTH
    + "encoder: {positions: disentangled}\ndecoder: {positions: transformer_xl}\n",
    "two kinds of distances": SMALL + "positions: [disentangled, relative_bias]\n",
    "two kinds of distances, the other way": SMALL + "positions: [relative_bias, disentangled]\n",
    "two kinds of distances in two blocks": blocks(
        "[disentangled, {type: relative_bias, buckets: 8, max_distance: 16}]",
        f"[relative_bias, {NORMED_TABLE}]",
    ),
    "two kinds of distances in a decoder": BOTH
    + "decoder: {positions: [disentangled, {type: relative_bias, share: layer}]}\n",
    "two tables of a layer": IMAGE
    + "positions: [relative_table, {type: relative_bias, share: layer}]\n",
    "two tables of a layer, the other way": IMAGE
    + "positions: [{type: relative_bias, share: layer}, relative_table]\n",
    "two tables of a stack": IMAGE
    + "positions: [{type: relative_table, share: stack}, relative_bias]\n",
    "two tables of a stack in a second block": blocks(
        "relative_bias",
        "[{type: relative_table, share: stack}, {type: relative_bias, buckets: 8}]",
        IMAGE.replace("layers: 1", "layers: 2"),
    ),
    "a table of a stack, then beside another": blocks(
        "{type: relative_table, share: stack}",
        "[{type: relative_table, share: stack}, relative_bias]",
        IMAGE.replace("layers: 1", "layers: 2"),
    ),
    "two tables of a stack in a first block": blocks(
        "[relative_bias, {type: relative_table, share: stack}]",
        "[{type: relative_table, share: stack}, {type: relative_bias, buckets: 8}]",
        IMAGE.replace("layers: 1", "layers: 2"),
    ),
    "a table of a layer and one of its stack": IMAGE
    + "positions: [{type: relative_table, share: layer}, relative_bias]\n",
}


def stacks(**options: str) -> str:
    """Four stacks in a row, each reading the one before; the last two are tied."""
    memory, rows = "", ""
    for name, option in options.items():
        cross = f", cross_attention: {{memory: {memory}}}" if memory else ""
        rows += f"  {name}: {{input: {{argument: {name}_ids{option}}}{cross}}}\n"
        memory = name
    return (
        "name: small\nd_model: 8\nvocab_size: 20\nlayers: 1\nattention: {heads: 2}\nstacks:\n"
        + rows
    )


TIES = {
    "two pairs of tied stacks": stacks(a="", b=", tied: a", c="", d=", tied: c"),
    "two pairs of tied stacks of different widths": stacks(
        a=", width: 6", b=", width: 6, tied: a", c=", width: 4", d=", width: 4, tied: c"
    ),
    "two pairs of tied stacks, crossed": stacks(a="", b="", c=", tied: a", d=", tied: b"),
    "pairs tied before their owner is read": stacks(a=", tied: b", b="", c=", tied: d", d=""),
    "a chain of ties and a pair": stacks(a="", b=", tied: a", c=", tied: b", d="", e=", tied: d"),
    "a chain of ties alone": stacks(a="", b=", tied: a", c=", tied: b"),
    "a pair and a stack alone": stacks(a="", b=", tied: a", c=""),
    "tied heads of two pairs": stacks(a="", b=", tied: a", c="", d=", tied: c")
    + "heads: {one: {type: language_model, stack: b, tied: true}, "
    "two: {type: language_model, stack: d, tied: true}}\n",
    "vocabularies of two pairs": stacks(
        a="", b=", tied: a", c=", vocab_size: 11", d=", vocab_size: 11, tied: c"
    ),
}
GATES = {
    f"{gate} gate of values {words}": SMALL.replace(
        "heads: 2", f"heads: {heads}, {options}, output_gate: {gate}"
    )
    for gate in ("elementwise", "headwise")
    for words, heads, options in (
        ("that are not projected", 1, "head_dim: 4, value: none"),
        ("of another width", 2, "value_dim: 3"),
    )
}
PICTURE = """
name: small
family: encoder-decoder
vocab_size: 20
d_model: 8
layers: 1
attention: {heads: 2}
encoder:
  input:
  - {type: patches, image_size: 4, patch_size: 2, argument: picture}
  - {optional: true}
decoder: {max_positions: 40}
head: language_model
"""
FILES = {
    "tiles with a bias of queries that are scaled later": attention(
        "scale: by_layer",
        SMALL + "mask: causal & window(3)\n"
        "positions: {type: relative_bias, buckets: 8, share: layer}\n",
    ),
    "an optional input beside an image": PICTURE,
    "vectors that replace tokens where there is no cache": """
name: small
d_model: 8
stacks:
  picture: {input: {type: tokens, argument: picture_ids, vocab_size: 9}, layers: 0}
  text:
    input:
    - {type: tokens, argument: text_ids, vocab_size: 20}
    - {type: stack, stack: picture, replace: 4}
    layers: 1
    attention: {heads: 2}
    mask: full
head: {type: language_model, stack: text, vocab_size: 20}
""",
    "the same, whose embedding the decoder has too": PICTURE.replace(
        "max_positions: 40", "max_positions: 40, input: {tied: encoder}"
    ),
}
SINKS = {
    f"{sinks} sinks of all tokens and of global ones, with {positions}": attention(
        f"sinks: {sinks}, separate_global: true",
        ENCODER + f"mask: full & global(0:1)\npositions: {positions}\n",
    )
    for sinks in ("zero", "true")
    for positions in ("none", "alibi")
}
GROUPS = (SCALES, SUMS, STEMS, DEPTHS, POSITIONS, TIES, GATES, FILES, SINKS)
