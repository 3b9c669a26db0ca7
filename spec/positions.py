"""Positions: how a model knows the order of its input. The type decides where it acts."""

from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator

from .activation import Activation, Gelu
from .part import BROKEN, NOTHING, Many, Nothing, OneOf, Part, Tagged, declare
from .scalars import (
    Count,
    Flag,
    Fractional,
    MaybeCount,
    Number,
    Padding,
    Positive,
    Whole,
)

Place = Literal["input", "queries and keys", "scores"]


class LinearScaling(Part):
    """Positions divided by a factor (Chen et al., 2023, arXiv:2306.15595).

    factor: ratio of the new to the original context length
    """

    type: Literal["linear"] = "linear"
    factor: Positive


class DynamicScaling(Part):
    """Theta grows with the sequence beyond the first length ("dynamic NTK"; bloc97 and emozilla,
    2023). The length of the sequence is the largest position of the batch, and one. Keys that a
    cache holds keep the angles of their own step.

    factor: how fast theta grows with the length with the length
    original_max_positions: context length before extension
    """

    type: Literal["dynamic"] = "dynamic"
    factor: Positive
    original_max_positions: Count


class Llama3(Part):
    """Low frequencies are divided, high ones kept, those between are blended (Llama 3.1).

    factor: divides the low frequencies
    low_freq_factor: wavelengths above original_max_positions / this are low
    high_freq_factor: wavelengths below original_max_positions / this are high
    original_max_positions: context length before extension
    """

    type: Literal["llama3"] = "llama3"
    factor: Positive
    low_freq_factor: Positive = 1
    high_freq_factor: Positive = 4
    original_max_positions: Count


class Yarn(Part):
    """YaRN: low frequencies are divided, high ones kept, those between are blended, and the turned
    vectors grow by m(mscale) / m(mscale_all_dims), m(s) = 0.1 · s · ln(factor) + 1, or 1 for a
    factor of at most 1 (Peng et al., 2023, arXiv:2309.00071).

    factor: ratio of the new to the original context length
    original_max_positions: context length before extension
    beta_fast: rotations over the original length above which a frequency is kept
    beta_slow: rotations over the original length below which a frequency is divided
    mscale: exponent of the scale of rotated vectors
    mscale_all_dims: multiplies the scores by m(mscale_all_dims)², of what is not turned too
        (DeepSeek-V3)
    truncate: round the bounds of the blend to whole pairs
    """

    type: Literal["yarn"] = "yarn"
    factor: Positive
    original_max_positions: Count
    beta_fast: Positive = 32
    beta_slow: Positive = 1
    mscale: Number = 1
    mscale_all_dims: Number = 0
    truncate: Flag = True


class LongRope(Part):
    """A divisor for each frequency, one of two: does the sequence fit the first length? (Ding et
    al., 2024, arXiv:2402.13753). The length of the sequence is the largest position of the batch,
    and one. Keys that a cache holds keep the angles of their own step.

    short_factor: divisors while the sequence fits the first length
    long_factor: divisors beyond it
    original_max_positions: context length before extension
    short_mscale: multiplies the turned vectors while the sequence fits;
        √(1 + ln(max_positions / original) / ln(original)) when left out, at least 1
    long_mscale: the same beyond the first length (PhiMoE)
    """

    type: Literal["longrope"] = "longrope"
    short_factor: Many[Positive]
    long_factor: Many[Positive]
    original_max_positions: Count
    short_mscale: Positive | None = None
    long_mscale: Positive | None = None


Scaling = Annotated[
    Nothing | LinearScaling | DynamicScaling | Llama3 | Yarn | LongRope,
    Tagged("scaling", "none"),
]
declare(Scaling)


class Learned(Part):
    """A learned vector for each position, added to the input. Positions are counted from 0, or
    those of `position_ids`.

    offset: added to each position before the lookup, to those of `position_ids` too (OPT, BART: 2)
    skip_padding: which tokens take a position: `false` all, padding too; `mask` those that
        attention_mask admits (OPT); `tokens` those that are not the `pad` id (RoBERTa). Padding
        has the position before the first. `position_ids` that are given are taken as they are
    """

    acts_on: ClassVar[Place] = "input"
    type: Literal["learned"] = "learned"
    offset: Whole = 0
    skip_padding: Padding = False


class Sinusoidal(Part):
    """Sines and cosines of each position, added to the input (Vaswani et al., 2017,
    arXiv:1706.03762).

    axes: number of position axes; 2 for images
    layout: all sines then all cosines, or alternating
    denominator: of the exponent: half the width, or half the width less one
    offset: added to each position
    skip_padding: as for `learned`
    """

    acts_on: ClassVar[Place] = "input"
    type: Literal["sinusoidal"] = "sinusoidal"
    axes: OneOf[Literal[1, 2, 3]] = 1
    layout: OneOf[Literal["concat", "interleaved"]] = "concat"
    denominator: OneOf[Literal["half", "half_minus_one"]] = "half"
    offset: Whole = 0
    skip_padding: Padding = False


class Convolution(Part):
    """A convolution over the frames of a signal, activated and added to them: each learns where it
    stands from those around it (wav2vec 2.0; Baevski et al., 2020, arXiv:2006.11477).

    kernel: kernel size in frames
    groups: number of channel groups
    activation: activation after the convolution
    """

    acts_on: ClassVar[Place] = "input"
    type: Literal["convolution"] = "convolution"
    kernel: Count = 128
    groups: Count = 16
    activation: Activation = Gelu.model_construct()


class Rotary(Part):
    """Pairs of each query and key are rotated by an angle that grows with the position (Su et al.,
    2021, arXiv:2104.09864).

    theta: base of the frequencies
    fraction: fraction of the head width that is rotated, from the start
    layout: pairs are (i, i + half) or (2i, 2i + 1)
    axes: of the positions; 2 for the patches of an image: half of the pairs turn by the row, half
        by the column, each half with the wavelengths of a head half as wide; tokens in front
        are not turned
    coordinates: of a patch on two axes: the `index` of its row and column, or where its centre is,
        `centred`: from -1 to 1 in full turns (DINOv3; Siméoni et al., 2025, arXiv:2508.10104)
    scaling: context extension for sequences longer than in training
    """

    acts_on: ClassVar[Place] = "queries and keys"
    type: Literal["rotary"] = "rotary"
    theta: Positive = 10000
    fraction: Fractional = 1
    layout: OneOf[Literal["half", "interleaved"]] = "half"
    axes: OneOf[Literal[1, 2, 3]] = 1
    coordinates: OneOf[Literal["index", "centred"]] = "index"
    scaling: Scaling = NOTHING


class Temperature(Part):
    """Queries grow by 1 + slope · ln(1 + ⌊(position + offset) / length⌋), so that attention stays
    sharp over long texts (Nakanishi, 2025, arXiv:2501.19399; so grow those of Llama 4). This comes
    last: after norms and rotation, and after the unit length of `score: cosine`.

    length: number of positions per step
    slope: how much the scale of queries grows
    offset: added to each position
    """

    acts_on: ClassVar[Place] = "queries and keys"
    type: Literal["temperature"] = "temperature"
    length: Count
    slope: Positive = 0.1
    offset: Whole = 0


class Alibi(Part):
    """Scores fall with the distance |q - k|, at a slope for each head (Press et al., 2021,
    arXiv:2108.12409).

    slopes: for a number of heads that is not a power of two, start from the power below or above
    before_scale: added to the scores before they are scaled (Falcon)
    """

    acts_on: ClassVar[Place] = "scores"
    type: Literal["alibi"] = "alibi"
    slopes: OneOf[Literal["floor", "ceil"]] = "floor"
    before_scale: Flag = False


class RelativeBias(Part):
    """A learned number for each head and bucket of distances (T5; Raffel et al., 2019,
    arXiv:1910.10683).

    buckets: number of buckets
    max_distance: larger distances share the last bucket
    bidirectional: use half of the buckets for keys after the query
    share: whether all layers share one table. Blocks whose heads or options differ
        have different tables
    """

    acts_on: ClassVar[Place] = "scores"
    type: Literal["relative_bias"] = "relative_bias"
    buckets: Count = 32
    max_distance: Count = 128
    bidirectional: Flag = True
    share: OneOf[Literal["stack", "layer"]] = "stack"


class RelativeTable(Part):
    """A learned number for each head and each offset on a grid, and three more where tokens stand
    in front: from such a token, to one, and between two (BEiT, Swin).

    axes: number of axes of the grid
    share: as for `relative_bias`
    """

    acts_on: ClassVar[Place] = "scores"
    type: Literal["relative_table"] = "relative_table"
    axes: OneOf[Literal[1, 2, 3]] = 2
    share: OneOf[Literal["stack", "layer"]] = "layer"


Term = OneOf[Literal["content_to_position", "position_to_content"]]


class Disentangled(Part):
    """DeBERTa: scores between contents and relative positions (He et al., 2020, arXiv:2006.03654;
    buckets, shared projections and the norm: He et al., 2021, arXiv:2111.09543). Where attention
    says no scale, it becomes 1/√((1 + terms) · head_dim). The stack has one table for each set of
    options; both terms look up q - k, as in the authors' code.

    terms: which are added to the scores of the contents
    buckets: of distances to each side: half of them hold one distance each, the others grow with
        the logarithm; `none` gives every distance its own (the first DeBERTa)
    max_distance: distances from here on share the last place of their side
    share_projections: positions go through the key and query projections of the contents; else
        through their own, which have a bias where those of the contents have one
    normalize: normalise the table: the `norm` of the first block that has these positions
    """

    acts_on: ClassVar[Place] = "scores"
    type: Literal["disentangled"] = "disentangled"
    terms: Many[Term] = ("content_to_position", "position_to_content")
    buckets: MaybeCount = 256
    max_distance: Count = 512
    share_projections: Flag = False
    normalize: Flag = False


class TransformerXl(Part):
    """Scores between contents and relative positions, which are sinusoids with a projection of
    their own; contents and positions are asked with a learned bias each (Dai et al., 2019,
    arXiv:1901.02860). Memories of earlier segments are not carried.
    """

    acts_on: ClassVar[Place] = "scores"
    type: Literal["transformer_xl"] = "transformer_xl"


Position = Annotated[
    Nothing
    | Learned
    | Sinusoidal
    | Convolution
    | Rotary
    | Temperature
    | Alibi
    | RelativeBias
    | RelativeTable
    | Disentangled
    | TransformerXl,
    Tagged("positions", "none"),
]
declare(Position)


def _without_nothing(positions: tuple[Position, ...]) -> tuple[Position, ...]:
    there = () if positions is BROKEN else positions
    return tuple(p for p in there if not isinstance(p, Nothing))


Positions = Annotated[Many[Position], AfterValidator(_without_nothing)]
"""Every position type that acts; `none` is the empty tuple."""


def acts_on(position: Part) -> Place | None:
    """Where a position type acts; None for `none`."""
    place: Place | None = getattr(position, "acts_on", None)
    return place
