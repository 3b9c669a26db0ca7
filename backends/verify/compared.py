"""Compare a spec with a fully written-out document and the defaults of the language."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

from ...spec.masks import Mask
from ...spec.model import ModelSpec
from ...spec.part import COMPONENTS, Part
from .formulas import as_tuples, read_formula
from .levels import Data, Document, spelled, whole

DEFAULTS = """
Source: prefix_tokens=0 normalize=false
Tokens: argument=input_ids project=after_positions scale=1 tied=none
Patches: argument=pixel_values layout=image channels=3 registers=0
ConvStem: argument=input_features layout=channels axes=1 padded=true project=false scale=1
ConvLayer: stride=1 dilation=1 separable=false normalize=false gated=false
Features: argument=inputs_embeds
Learned: add_to=input offset=0 skip_padding=false
Coordinate: layout=concat denominator=half
Sinusoidal: add_to=input axes=1 layout=concat denominator=half coordinates=index offset=0
Sinusoidal: skip_padding=false
Convolution: kernel=128 groups=16 activation=gelu
Rotary: theta=10000 fraction=1 layout=half axes=1 coordinates=index scaling=none
Temperature: slope=0.1 offset=0
Alibi: slopes=floor before_scale=false
RelativeBias: buckets=32 max_distance=128 bidirectional=true share=stack
RelativeTable: axes=2 share=layer
Shaw: max_distance=16 values=true
Disentangled: buckets=256 max_distance=512 share_projections=false normalize=false
Llama3: low_freq_factor=1 high_freq_factor=4
Yarn: beta_fast=32 beta_slow=1 mscale=1 mscale_all_dims=0 truncate=true
LayerNorm RmsNorm: eps=1e-5 affine=true weight_offset=0
LayerNorm: bias=true
Mha: score=dot qk_norm=none softcap=none sinks=false clip_qkv=none output_gate=none gate=sigmoid
Mha: output_norm=false separate_global=false talking_heads=none
QkNorm: before_clip=false after_positions=false
Mla: latent_eps=1e-6 query_rank=none
Differential: head_norm=rmsnorm
LinearAttention: feature_map=elu map_values=false normalize=true decay=none output_norm=none
LinearAttention: output_gate=none
Hidden: d_ff=4*d_model hidden_dropout=0 inner_norm=false
Glu: clamp=none linear_offset=0
Moe: expert=mlp shared_expert=none weigh=output shared_gate=false capacity=none
Moe: capacity_factor=none balance_loss=0 z_loss=0
Router: score=softmax normalize=true bias=false selection_bias=false choose_by=scores scale=1
Router: jitter=0.01 groups=none
Groups: score=max
Swish: beta=1
Joining: gate=none gate_bias=0 scale=1 stream_scale=1 layer_scale=none drop_path=0 from=input
Joining: activation=identity float32=false
Parallel: shared_norm=false
Block: cross_attention=none feed_forward=mlp mask=full residual=sequential share=false
Block: norm=layernorm norm_placement=pre activation=gelu bias=true dropout=0
LanguageModel: tied=false bias=false transform=none input_scale=1 scale=1 softcap=none
DenseTransform: bias=true
Classifier: pool=none pooled_norm=false hidden=none hidden_bias=true hidden_norm=false bias=true
ProjectionHead: pool=none hidden_activation=relu activation=identity bias=true normalize=false
Contrastive: bias=false loss=softmax temperature=0.07
PatchesHead: bias=true zero_init=false
Adaptive: activation=silu
Timestep: argument=timesteps width=256 layout=cos_sin denominator=half hidden=none activation=silu
Label: argument=labels dropout=0
Vector Pooled: bias=true
Tower: pool=none project=true
FirstPool: tokens=1 joined=false
MeanPool FirstAndMeanPool: skip=0
Normal TruncatedNormal: std=0.02
Normal: depth_scaled=false
SpecialTokens: pad=none bos=none eos=none decoder_start=none
ModelSpec: init=normal modelwright=1
"""
"""The defaults of `docs/language.md` by class; subclasses have them too."""


@cache
def defaults_of(cls: type[Part]) -> dict[str, str]:
    """Option -> default, for options that are not inherited from outer levels."""
    found: dict[str, str] = {}
    names = {base.__name__ for base in cls.__mro__}
    for row in DEFAULTS.splitlines():
        classes, _, options = row.partition(": ")
        if names & set(classes.split()):
            found |= {name: value for name, _, value in (o.partition("=") for o in options.split())}
    return found


def disagreements(spec: ModelSpec, document: Document) -> list[str]:
    """Differences, such as `decoder.layers.0.attention.heads: 4, not 8`.

    Compares every written value, at each place where the rules of the language put it, and the
    default of every other option.
    """
    expected = spelled(document.data, document.files)
    found: list[str] = []
    if list(expected["stacks"]) != list(spec.stacks):
        return [f"stacks {', '.join(spec.stacks)}, not {', '.join(expected['stacks'])}"]
    for name, stack in expected.pop("stacks").items():
        found += _of_stack(name, stack, spec.stacks[name])
    heads = {name: whole("head", one) for name, one in expected.pop("heads", {}).items()}
    heads = {name: one for name, one in heads.items() if one.get("type", "none") != "none"}
    if set(heads) != set(spec.heads):
        return [*found, f"heads {', '.join(spec.heads)}, not {', '.join(heads)}"]
    for name, head in heads.items():
        found += compared("head", head, spec.heads[name], f"heads.{name}")
    for key in ("init", "tokens"):
        found += compared(key, expected.get(key, {}), getattr(spec, key), key)
    return found


def _of_stack(name: str, expected: Data, stack: Any) -> Iterator[str]:
    blocks, order = expected.pop("blocks", {}), expected.pop("pattern", [])
    if len(order) != len(stack.order):
        yield f"{name}: {len(stack.order)} layers, not {len(order)}"
        return
    own_keys = {key: value for key, value in expected.items() if key in type(stack).model_fields}
    yield from compared("stack", own_keys, stack, name)
    met_before = set()
    for number, pair in enumerate(zip(order, stack.order, strict=True)):
        if pair not in met_before:
            met_before.add(pair)
            own, found = blocks[pair[0]], stack.blocks[pair[1]]
            yield from compared("block", own, found, f"{name}.layers.{number}")
    last = blocks[order[-1]] if order else expected
    unnormed = (
        whole("norm", expected.get("norm", {})).get("type") == "none"
        or last.get("norm_placement", "pre") == "post"
    )
    placed = expected.get("final_norm", not unnormed)
    if stack.final_norm != placed:
        yield f"{name}.final_norm: {stack.final_norm}, not {placed}"


def compared(key: str, expected: Any, found: Any, where: str) -> Iterator[str]:
    """Values that differ in the spec. key: the key of `expected`."""
    if isinstance(found, Part):
        yield from _of_part(key, expected, found, where)
    elif isinstance(found, Mask):
        if read_formula(str(expected)) != as_tuples(found):
            yield f"{where}: {found}, not {expected}"
    elif isinstance(found, tuple):
        yield from _of_list(key, expected, found, where)
    elif isinstance(found, dict):
        if set(expected) != set(found):
            yield f"{where}: {', '.join(found)}, not {', '.join(expected)}"
            return
        for name, value in expected.items():
            yield from compared("", value, found[name], f"{where}.{name}")
    elif plain(expected) != plain(found):
        yield f"{where}: {found}, not {expected}"


def _of_list(key: str, expected: Any, found: tuple[Any, ...], where: str) -> Iterator[str]:
    several = list(expected) if isinstance(expected, (list, tuple)) else [expected]
    several = [one for one in several if one not in ("none", {"type": "none"})]
    if key == "bias":  # layers given as a set
        several, found = sorted(several), tuple(sorted(found))
    if len(several) != len(found):
        yield f"{where}: {len(found)} values, not {len(several)}"
        return
    for number, (one, other) in enumerate(zip(several, found, strict=True)):
        yield from compared(key, one, other, f"{where}.{number}")


def _of_part(key: str, expected: Any, found: Part, where: str) -> Iterator[str]:
    own: Data = {"type": expected} if isinstance(expected, str) else dict(expected or {})
    kind = getattr(found, "type", None)
    wanted = own.pop("type", COMPONENTS[key].default if key in COMPONENTS else kind)
    if kind != wanted:
        yield f"{where}: {kind}, not {wanted}"
        return
    known = defaults_of(type(found))
    for name in type(found).model_fields:
        option = {"from_": "from"}.get(name, name)
        value = own.pop(option, known.get(option))
        if name == "skip_padding" and value is True:
            value = "mask"  # the default of the option
        if value is not None:
            yield from compared(option, value, getattr(found, name), f"{where}.{option}")
    yield from (f"{where} has no `{option}`" for option in own)


def plain(value: Any) -> Any:
    """A normalised value: `1e-6` is a number, and spaces in a size are ignored."""
    if value is None or value in ("true", "false"):
        return "none" if value is None else value == "true"
    if isinstance(value, bool):
        return value
    try:
        return float(value)
    except (TypeError, ValueError):
        text = str(value).replace(" ", "")
        return "1*d_model" if text == "d_model" else text
