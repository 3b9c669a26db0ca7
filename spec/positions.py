"""Position encodings."""

from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator

from .activation import Activation, Gelu
from .part import BROKEN, NOTHING, Many, Nothing, OneOf, Part, Tagged, declare
from .scalars import (
    AboveOne,
    Count,
    Flag,
    Fractional,
    MaybeCount,
    Number,
    Padding,
    Positive,
    Whole,
    Widths,
)

Place = Literal["input", "layer", "queries and keys", "scores"]
Target = OneOf[Literal["input", "queries_and_keys"]]


class LinearScaling(Part):
    """Divide positions by a factor (position interpolation; Chen et al., 2023, arXiv:2306.15595).

    factor: new context length / original one
    """

    type: Literal["linear"] = "linear"
    factor: Positive


class DynamicScaling(Part):
    """Dynamic NTK scaling: theta grows with the sequence length once it exceeds the original one
    (bloc97 and emozilla, 2023). The sequence length is the largest position in the batch plus 1.
    Cached keys keep the angles with which they were computed.

    factor: how fast theta grows with the length
    original_max_positions: context length before extension
    """

    type: Literal["dynamic"] = "dynamic"
    factor: Positive
    original_max_positions: Count


class Llama3(Part):
    """Llama 3.1: divide low frequencies by a factor, keep high ones, and interpolate between.

    factor: divisor of the low frequencies
    low_freq_factor: wavelengths above original_max_positions / low_freq_factor are divided
    high_freq_factor: wavelengths below original_max_positions / high_freq_factor are kept
    original_max_positions: context length before extension
    """

    type: Literal["llama3"] = "llama3"
    factor: Positive
    low_freq_factor: Positive = 1
    high_freq_factor: Positive = 4
    original_max_positions: Count


class Yarn(Part):
    """YaRN (Peng et al., 2023, arXiv:2309.00071): divide low frequencies by a factor, keep high
    ones, and interpolate between. Rotated vectors are multiplied by the attention factor m(mscale)
    / m(mscale_all_dims), where m(s) = 0.1 · s · ln(factor) + 1, or 1 if factor ≤ 1.

    factor: new context length / original one
    original_max_positions: context length before extension
    beta_fast: frequencies with more rotations than this over the original length are kept
    beta_slow: frequencies with fewer rotations than this over the original length are divided
    mscale: s in the numerator of the attention factor
    mscale_all_dims: s in the denominator; the scores, including those of features that are not
        rotated, are multiplied by m(mscale_all_dims)² (DeepSeek-V3)
    truncate: round the bounds of the interpolated range to whole pairs
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
    """LongRoPE: a divisor for each frequency; one list is used while the sequence fits the original
    length, the other beyond it (Ding et al., 2024, arXiv:2402.13753). The sequence length is the
    largest position in the batch plus 1. Cached keys keep the angles with which they were computed.

    short_factor: divisors while the sequence fits the original length
    long_factor: divisors for longer sequences
    original_max_positions: context length before extension
    short_mscale: multiplies rotated vectors while the sequence fits the original length; default:
        √(1 + ln(max_positions / original_max_positions) / ln(original_max_positions)), at least 1
    long_mscale: the same for longer sequences (PhiMoE)
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
    """A learned vector per position, added to the input. Positions count from 0 or are given as
    `position_ids`.

    add_to: what the vectors are added to: the `input` of the stack, or, in each attention, the
        vectors from which queries and keys are projected, but not those of the values
        (`queries_and_keys`; DETR; Carion et al., 2020, arXiv:2005.12872). In cross-attention, only
        queries have them: keys have the positions of their own stack, if it adds sinusoids of an
        image to queries and keys
    offset: added to each position before the lookup, including `position_ids` (OPT, BART: 2)
    skip_padding: which tokens get consecutive positions: all, including padding (`false`); those
        with 1 in `attention_mask` (`mask`; OPT); or those that are not the `pad` id (`tokens`;
        RoBERTa). Padding then has position -1, before `offset` is added. `position_ids` are used as
        given
    """

    acts_on: ClassVar[Place] = "input"
    type: Literal["learned"] = "learned"
    add_to: Target = "input"
    offset: Whole = 0
    skip_padding: Padding = False


GridOrder = Many[OneOf[Literal["row", "column"]]]


class Sinusoidal(Part):
    """Sines and cosines of the position, added to the input (Vaswani et al., 2017,
    arXiv:1706.03762).

    add_to: as for `learned`
    axes: number of position axes. With 2, for the patches of an image, half of the features are
        the sinusoids of the row and half those of the column; those of prefix tokens are 0. With 3,
        for the patches of a video, those of the frame come first
    order: with `axes: 2`, which half comes first: `[column, row]`, as in MAE (He et al., 2021,
        arXiv:2111.06377) and DiT, or `[row, column]`; with `axes: 3`, the order after the frame
    widths: with `axes: 3`, the numbers of features of frame, row and column; default: a quarter,
        three eighths and three eighths of d_model (CogVideoX; Yang et al., 2024, arXiv:2408.06072)
    layout: `concat`: all sines, then all cosines; or `interleaved`; with several axes, those of
        each axis
    denominator: denominator of the exponent: width / 2 (`half`) or width / 2 - 1
        (`half_minus_one`), where `width` is the number of features of one axis
    coordinates: position of a patch with `axes: 2`: the `index` of its row and column, or `turn`:
        2π (i + 1) / (n + 1e-6) for row or column i of n (DETR)
    offset: added to each position
    skip_padding: as for `learned`
    """

    acts_on: ClassVar[Place] = "input"
    type: Literal["sinusoidal"] = "sinusoidal"
    add_to: Target = "input"
    axes: OneOf[Literal[1, 2, 3]] = 1
    order: GridOrder = ("column", "row")
    widths: Widths | None = None
    layout: OneOf[Literal["concat", "interleaved"]] = "concat"
    denominator: OneOf[Literal["half", "half_minus_one"]] = "half"
    coordinates: OneOf[Literal["index", "turn"]] = "index"
    offset: Whole = 0
    skip_padding: Padding = False


class Coordinate(Part):
    """Sinusoids of the position plus sinusoids of the step t = 1, 2, … (the number of the layer),
    added to the input of each layer (Universal Transformer; Dehghani et al., 2018,
    arXiv:1807.03819, eq. 6 and 7). With `share: true`, all steps have the same weights. Adaptive
    halting is not supported: the number of steps would depend on the data.

    layout: `concat`: all sines, then all cosines; or `interleaved`
    denominator: as for `sinusoidal`
    """

    acts_on: ClassVar[Place] = "layer"
    type: Literal["coordinate"] = "coordinate"
    layout: OneOf[Literal["concat", "interleaved"]] = "concat"
    denominator: OneOf[Literal["half", "half_minus_one"]] = "half"


class Convolution(Part):
    """Convolutional positions: a grouped convolution over the frames of a signal, followed by an
    activation; the result is added to the frames (wav2vec 2.0; Baevski et al., 2020,
    arXiv:2006.11477).

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
    """Rotary position embedding (RoPE): pairs of features of queries and keys are rotated by angles
    proportional to the position (Su et al., 2021, arXiv:2104.09864).

    theta: base of the wavelengths
    fraction: fraction of the features of a head that are rotated, the first ones
    layout: which features form a pair: (i, i + half) or (2i, 2i + 1)
    axes: number of position axes. With 2, for the patches of an image, half of the pairs rotate
        with the row and half with the column, each with the frequencies of a head half as wide;
        prefix tokens are not rotated. With 3, for the patches of a video, the first pairs rotate
        with the frame, the next with the row and the last with the column, each with the
        frequencies of a head as wide as its `widths`
    widths: with `axes: 3`, the numbers of rotated features of frame, row and column; default: a
        quarter, three eighths and three eighths (CogVideoX; Yang et al., 2024, arXiv:2408.06072)
    coordinates: position of a patch with `axes: 2`: the `index` of its row and column, or its
        `centred` coordinates from -1 to 1, in full turns (DINOv3; Siméoni et al., 2025,
        arXiv:2508.10104)
    scaling: context extension, for sequences longer than in training
    """

    acts_on: ClassVar[Place] = "queries and keys"
    type: Literal["rotary"] = "rotary"
    theta: AboveOne = 10000
    fraction: Fractional = 1
    layout: OneOf[Literal["half", "interleaved"]] = "half"
    axes: OneOf[Literal[1, 2, 3]] = 1
    widths: Widths | None = None
    coordinates: OneOf[Literal["index", "centred"]] = "index"
    scaling: Scaling = NOTHING


class Temperature(Part):
    """Multiply queries by 1 + slope · ln(1 + ⌊(position + offset) / length⌋), so that attention
    stays sharp in long sequences (Nakanishi, 2025, arXiv:2501.19399; Llama 4). This is applied
    last: after norms and rotation, and after the normalisation of `score: cosine`.

    length: number of positions per step
    slope: growth rate of the factor
    offset: added to each position
    """

    acts_on: ClassVar[Place] = "queries and keys"
    type: Literal["temperature"] = "temperature"
    length: Count
    slope: Positive = 0.1
    offset: Whole = 0


class Alibi(Part):
    """ALiBi: subtract slope · |q - k| from the scores, with a fixed slope per head (Press et al.,
    2021, arXiv:2108.12409).

    slopes: for a number of heads that is not a power of two, start from the power of two below
        (`floor`) or above (`ceil`)
    before_scale: add to the scores before they are multiplied by `scale` (Falcon)
    """

    acts_on: ClassVar[Place] = "scores"
    type: Literal["alibi"] = "alibi"
    slopes: OneOf[Literal["floor", "ceil"]] = "floor"
    before_scale: Flag = False


class RelativeBias(Part):
    """A learned bias per head and bucket of distances, added to the scores (T5; Raffel et al.,
    2019, arXiv:1910.10683).

    buckets: number of buckets
    max_distance: larger distances share the last bucket
    bidirectional: use half of the buckets for keys after the query
    share: one table for the whole `stack`, or one per `layer`. Blocks that differ in heads or in
        these options have separate tables
    """

    acts_on: ClassVar[Place] = "scores"
    type: Literal["relative_bias"] = "relative_bias"
    buckets: Count = 32
    max_distance: Count = 128
    bidirectional: Flag = True
    share: OneOf[Literal["stack", "layer"]] = "stack"


class RelativeTable(Part):
    """A learned bias per head and relative offset of two patches, added to the scores (BEiT, Swin).
    With prefix tokens, there are three more biases: from a prefix token to a patch, from a patch to
    a prefix token, and between prefix tokens. With `axes: 1`, a learned bias per head and distance
    of two tokens: row query - key + max_positions - 1 of the table. Sequences are then limited to
    `max_positions`. With `axes: 3`, a learned bias per head and offset in frames, rows and columns
    (Video Swin; Liu et al., 2021, arXiv:2106.13230).

    axes: number of axes: 3 for a video, 2 for an image, 1 for a sequence
    share: as for `relative_bias`
    """

    acts_on: ClassVar[Place] = "scores"
    type: Literal["relative_table"] = "relative_table"
    axes: OneOf[Literal[1, 2, 3]] = 2
    share: OneOf[Literal["stack", "layer"]] = "layer"


Term = OneOf[Literal["content_to_position", "position_to_content"]]


class Disentangled(Part):
    """DeBERTa's disentangled attention: scores between content and relative positions (He et al.,
    2020, arXiv:2006.03654; buckets, shared projections and the norm: He et al., 2021,
    arXiv:2111.09543). The default `scale` of the attention becomes 1/√((1 + number of terms) ·
    head_dim). The stack has one table per set of options; both terms use the distance q - k, as the
    authors' code does.

    terms: terms added to the content-to-content scores
    buckets: number of distance buckets in each direction: half of them hold a single distance, the
        others grow logarithmically; `none`: one bucket per distance (the first DeBERTa)
    max_distance: larger distances share the last bucket
    share_projections: project positions with the key and query projections of the content;
        otherwise with separate ones, which have a bias if those of the content have one
    normalize: normalise the position table with the `norm` of the block that has these positions
        (the first one, if several)
    """

    acts_on: ClassVar[Place] = "scores"
    type: Literal["disentangled"] = "disentangled"
    terms: Many[Term] = ("content_to_position", "position_to_content")
    buckets: MaybeCount = 256
    max_distance: Count = 512
    share_projections: Flag = False
    normalize: Flag = False


class TransformerXl(Part):
    """Transformer-XL: scores between content and relative positions. Positions are projected
    sinusoids; queries have one learned bias for content and one for positions (Dai et al., 2019,
    arXiv:1901.02860). Segment-level recurrence is not supported.
    """

    acts_on: ClassVar[Place] = "scores"
    type: Literal["transformer_xl"] = "transformer_xl"


class Shaw(Part):
    """Relative keys and values: learned vectors for the distance of query i and key j are added to
    keys and values, k_j + a_{j - i} and v_j + b_{j - i} (Shaw et al., 2018, arXiv:1803.02155, eq. 3
    and 4). Each layer has its own vectors, the same for all heads, in rows from the furthest
    earlier key to the furthest later key.

    max_distance: larger distances share the vector of this distance, so there are 2 · max_distance
        + 1 vectors
    values: whether vectors are added to the values too
    """

    acts_on: ClassVar[Place] = "scores"
    type: Literal["shaw"] = "shaw"
    max_distance: Count = 16
    values: Flag = True


Position = Annotated[
    Nothing
    | Learned
    | Sinusoidal
    | Coordinate
    | Convolution
    | Rotary
    | Temperature
    | Alibi
    | RelativeBias
    | RelativeTable
    | Disentangled
    | TransformerXl
    | Shaw,
    Tagged("positions", "none"),
]
declare(Position)


def _without_nothing(positions: tuple[Position, ...]) -> tuple[Position, ...]:
    there = () if positions is BROKEN else positions
    return tuple(p for p in there if not isinstance(p, Nothing))


Positions = Annotated[Many[Position], AfterValidator(_without_nothing)]
"""All position types except `none`, which is the empty tuple."""


def in_attention(position: Part) -> bool:
    """Whether a position is added to queries and keys, not to the input of the stack."""
    return getattr(position, "add_to", "input") == "queries_and_keys"


def acts_on(position: Part) -> Place | None:
    """What a position type acts on; None for `none`."""
    place: Place | None = getattr(position, "acts_on", None)
    return place
