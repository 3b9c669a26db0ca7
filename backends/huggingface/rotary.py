"""Rotary positions in config.json: `rope_parameters`, or the older keys."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from .values import RefusedError, Values

ROTARY_KEYS = frozenset(
    [
        "original_max_position_embeddings",
        "partial_rotary_factor",
        "rope_parameters",
        "rope_scaling",
        "rope_theta",
    ]
)
"""Keys of every family that has a default of `rope_theta`."""

_PARTIAL = "partial_rotary_factor"
_ORIGINAL = "original_max_position_embeddings"
# our option of a scaling -> the library's; None: keep our default
SCALINGS: dict[str, dict[str, str]] = {
    "linear": {"factor": "factor"},
    "dynamic": {"factor": "factor", "original_max_positions": ""},  # max_position_embeddings
    "llama3": {
        "factor": "factor",
        "low_freq_factor": "low_freq_factor",
        "high_freq_factor": "high_freq_factor",
        "original_max_positions": "original_max_position_embeddings",
    },
    "yarn": {
        "factor": "factor",
        "original_max_positions": "original_max_position_embeddings",
        "beta_fast": "beta_fast",
        "beta_slow": "beta_slow",
        "mscale": "mscale",
        "mscale_all_dims": "mscale_all_dim",
        "attention_factor": "attention_factor",
        "truncate": "truncate",
    },
    "longrope": {
        "short_factor": "short_factor",
        "long_factor": "long_factor",
        "original_max_positions": "original_max_position_embeddings",
        "attention_factor": "attention_factor",
    },
}


_NEEDED: dict[str, tuple[str, ...]] = {
    "linear": ("factor",),
    "dynamic": ("factor",),
    "llama3": ("factor", "low_freq_factor", "high_freq_factor"),
    "yarn": (),
    "longrope": ("short_factor", "long_factor"),
}
"""Required keys of each scaling, by the library's names."""


def stated(values: Values) -> Mapping[str, Any]:
    """The rotary parameters of the config; empty if there are none.

    As in the library, `rope_scaling` replaces `rope_parameters` where a file has both.
    """
    for key in ("rope_scaling", "rope_parameters"):
        if values.get(key):
            if not isinstance(values[key], Mapping):
                raise RefusedError(f"`{key}` must be a mapping, not {values[key]!r}")
            return values[key]  # type: ignore[no-any-return]
    return {}


def with_parameters(values: Values, parameters: Mapping[str, Any] | None, **more: Any) -> Values:
    """The values with these rotary parameters, and with `more`."""
    return {**values, "rope_scaling": None, "rope_parameters": parameters, **more}


def by_layer_type(values: Values, layer_types: Collection[str]) -> Values:
    """Merge `rope_scaling` into the parameters of these layer types (Gemma 3)."""
    scaling, parameters = values.get("rope_scaling"), values.get("rope_parameters")
    if not scaling:
        return values
    if not isinstance(scaling, Mapping) or not isinstance(parameters or {}, Mapping):
        raise RefusedError("`rope_scaling` and `rope_parameters` must be mappings")
    if "type" in scaling and "rope_type" not in scaling:
        raise RefusedError("`rope_scaling` must have `rope_type`; the library ignores `type` here")
    merged: dict[str, Any] = dict(parameters or {})
    for layer_type in layer_types:
        if parameters and not isinstance(parameters.get(layer_type), Mapping):
            raise RefusedError(
                "if `rope_scaling` is set, `rope_parameters` must be a mapping by layer type"
            )
        merged[layer_type] = {**merged.get(layer_type, {}), **scaling}
    return with_parameters(values, merged)


def of_layer_type(values: Values, layer_type: str) -> dict[str, Any]:
    """Rotary positions of a layer type; without parameters of its own, those of the model."""
    parameters = stated(values)
    if not parameters or (parameters.get(layer_type) is None and _is_by_layer_type(parameters)):
        return Rotary()(with_parameters(values, None))
    return Rotary(layer_type=layer_type, by_layer_type=True)(values)


def _is_by_layer_type(parameters: Mapping[str, Any]) -> bool:
    return any(isinstance(each, Mapping) for each in parameters.values())


@dataclass(frozen=True)
class Rotary:
    """The `positions` of the config.

    layer_type: the entry of `rope_parameters`, if they are given by layer type
    interleaved: whether a pair consists of neighbouring features
    fraction: rotated fraction of the head, if the config does not set it
    partial: whether the library reads the fraction in the config; always if `fraction` is not 1
    scores: whether the scores are multiplied too, by YaRN's `mscale_all_dim` (DeepSeek)
    theta: another key of theta, in older configs
    by_layer_type: whether parameters must be given by layer type; the library ignores others
    """

    layer_type: str = ""
    interleaved: bool = False
    fraction: float = 1.0
    partial: bool = False
    scores: bool = False
    theta: str = "rope_theta"
    by_layer_type: bool = False

    def __call__(self, values: Values) -> dict[str, Any]:
        parameters = self.parameters(values)
        kind = parameters.get("rope_type", parameters.get("type", "default"))
        if not isinstance(kind, str):
            raise RefusedError(f"`rope_type` must be a string, not {kind!r}")
        spec: dict[str, Any] = {
            "type": "rotary",
            "theta": _number("rope_theta", parameters.get("rope_theta", values.get(self.theta))),
            "fraction": self._fraction(parameters, values),
            "layout": "interleaved" if self.interleaved else "half",
        }
        if kind != "default":
            spec["scaling"] = _scaling(kind, parameters, values, self.scores)
        return {key: value for key, value in spec.items() if value is not None}

    def parameters(self, values: Values) -> Mapping[str, Any]:
        """The library's parameters of this layer type."""
        parameters = stated(values)
        if not parameters or not (self.by_layer_type or _is_by_layer_type(parameters)):
            original = values.get(_ORIGINAL)  # overrides the parameters
            return parameters if original is None else {**parameters, _ORIGINAL: original}
        inner = parameters.get(self.layer_type)
        if not isinstance(inner, Mapping):
            what = f"`{self.layer_type}`" if self.layer_type else "the whole model"
            raise RefusedError(f"`rope_parameters` has no entry for {what}")
        # the library looks for `truncate` at the wrong level, so it has no effect here
        return {key: value for key, value in inner.items() if key != "truncate"}

    def _fraction(self, parameters: Mapping[str, Any], values: Values) -> float:
        fraction = parameters.get(_PARTIAL, values.get(_PARTIAL))
        if fraction is None or fraction == self.fraction:
            return self.fraction
        if not self.partial and self.fraction == 1:
            raise RefusedError(
                f"`{_PARTIAL}: {fraction}` is not supported; the library ignores it here"
            )
        return _number(_PARTIAL, fraction)


def _number(key: str, value: Any) -> float:
    """The value. Raises RefusedError unless it is a positive number."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not value > 0:
        raise RefusedError(f"`{key}` must be a positive number, not {value!r}")
    return value


def _option(key: str, value: Any) -> Any:
    """One option of a scaling: a number, a list of numbers, or a boolean."""
    if key == "truncate" and isinstance(value, bool):
        return value
    if key in ("mscale", "mscale_all_dim") and value == 0:
        return value
    if key in ("short_factor", "long_factor"):
        if not isinstance(value, list):
            raise RefusedError(f"`{key}` must be a list of numbers, not {value!r}")
        return [_number(key, each) for each in value]
    return _number(key, value)


def _scaling(
    kind: str, parameters: Mapping[str, Any], values: Values, scores: bool
) -> dict[str, Any]:
    if kind not in SCALINGS:
        raise RefusedError(f"rotary scaling `{kind}` is not supported yet")
    missing = [f"`{key}`" for key in _NEEDED[kind] if parameters.get(key) is None]
    if kind == "yarn" and "factor" not in parameters:  # null is a ratio of lengths in the library
        missing = ["`factor`"]
    if missing:
        raise RefusedError(f"rotary scaling `{kind}` needs {' and '.join(missing)}")
    scaling: dict[str, Any] = {"type": kind}
    for ours, theirs in SCALINGS[kind].items():
        if parameters.get(theirs) is not None:
            scaling[ours] = _option(theirs, parameters[theirs])
    if kind == "llama3" and scaling["high_freq_factor"] == scaling["low_freq_factor"]:
        scaling["high_freq_factor"] *= 1.000001  # Llama 4: a step, without interpolation
    longest = values.get("max_position_embeddings")
    if "original_max_positions" in SCALINGS[kind]:
        scaling.setdefault("original_max_positions", longest)
    if kind == "yarn" and "factor" not in scaling:
        scaling["factor"] = values["max_position_embeddings"] / scaling["original_max_positions"]
    if kind == "longrope" and parameters.get("factor") is not None:
        _longrope_factor(scaling, _number("factor", parameters["factor"]), longest)
    return _multiplied(scaling, scores)


def _longrope_factor(scaling: dict[str, Any], factor: float, longest: int | None) -> None:
    """Set the attention factor sqrt(1 + ln(factor) / ln(original)), unless it is our default."""
    original = scaling["original_max_positions"]
    if "attention_factor" not in scaling and (not longest or factor * original != longest):
        grown = math.sqrt(1 + math.log(factor) / math.log(original)) if factor > 1 else 1.0
        scaling["attention_factor"] = grown


def _multiplied(scaling: dict[str, Any], scores: bool) -> dict[str, Any]:
    """The scaling with the library's attention factor as `mscale` options."""
    if scaling["type"] == "yarn":
        return _yarn(scaling, scores)
    factor = scaling.pop("attention_factor", None)
    if factor is None:
        return scaling
    return {**scaling, "short_mscale": factor, "long_mscale": factor}


def _yarn(scaling: dict[str, Any], scores: bool) -> dict[str, Any]:
    """YaRN's `mscale` options such that vectors get the library's attention factor.

    The library uses `mscale` only together with `mscale_all_dim`. Only MLA (`scores`) applies the
    latter to scores.
    """
    factor, mscale, whole = (
        scaling.pop(key, None) for key in ("attention_factor", "mscale", "mscale_all_dims")
    )
    step = 0.1 * math.log(max(scaling["factor"], 1))
    if factor is None:
        both = mscale and whole
        factor = (1 + step * mscale) / (1 + step * whole) if both else 1 + step
    kept = whole if scores and whole else 0
    if step:
        multiplier = round((factor * (1 + step * kept) - 1) / step, 12)
        scaling["mscale"] = mscale if mscale == multiplier else multiplier
    return {**scaling, "mscale_all_dims": kept} if kept else scaling
