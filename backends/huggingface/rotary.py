"""Rotary positions as config.json says them: in `rope_parameters`, or in the keys before it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .values import RefusedError, Values

ROTARY_KEYS = frozenset(["rope_parameters", "rope_scaling", "rope_theta", "partial_rotary_factor"])
"""Known of every family that has a default of `rope_theta`."""

_PARTIAL = "partial_rotary_factor"
_LATER = {"su": "longrope", "mrope": "default", "ntk": "dynamic"}

# our option of a scaling -> the library's; those with None are left to our default
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


@dataclass(frozen=True)
class Rotary:
    """The `positions` that the config asks for.

    layer_type: which of several `rope_parameters`, where they are said for each kind of layer
    interleaved: whether pairs of columns are neighbours
    fraction: of the head that is rotated where the config does not say
    partial: whether the library reads the fraction in the config; it does where `fraction` is not 1
    scores: whether the library multiplies the scores too, by YaRN's `mscale_all_dim` (DeepSeek)
    theta: another key that may say theta, as older configs do
    """

    layer_type: str = ""
    interleaved: bool = False
    fraction: float = 1.0
    partial: bool = False
    scores: bool = False
    theta: str = "rope_theta"

    def __call__(self, values: Values) -> dict[str, Any]:
        said = self.parameters(values)
        kind = said.get("rope_type", said.get("type", "default"))
        kind = _LATER.get(kind, kind)
        spec: dict[str, Any] = {
            "type": "rotary",
            "theta": said.get("rope_theta", values.get(self.theta)),
            "fraction": self._fraction(said, values),
            "layout": "interleaved" if self.interleaved else "half",
        }
        if kind != "default":
            spec["scaling"] = _scaling(kind, said, values, self.scores)
        return {key: value for key, value in spec.items() if value is not None}

    def parameters(self, values: Values) -> Mapping[str, Any]:
        """The library's parameters for this kind of layer."""
        said = values.get("rope_parameters") or values.get("rope_scaling") or {}
        if not isinstance(said, Mapping):
            raise RefusedError(f"`rope_parameters` must be a mapping, not {said!r}")
        if said and all(isinstance(each, Mapping) for each in said.values()):
            if self.layer_type not in said:
                raise RefusedError(f"`rope_parameters` says nothing of `{self.layer_type}`")
            inner: Mapping[str, Any] = said[self.layer_type]
            return inner
        return said

    def _fraction(self, said: Mapping[str, Any], values: Values) -> float:
        fraction: float | None = said.get(_PARTIAL, values.get(_PARTIAL))
        if fraction is None or fraction == self.fraction:
            return self.fraction
        if not self.partial and self.fraction == 1:
            raise RefusedError(
                f"`{_PARTIAL}: {fraction}` is not supported yet: the library does not read it here"
            )
        return fraction


def _scaling(kind: str, said: Mapping[str, Any], values: Values, scores: bool) -> dict[str, Any]:
    if kind not in SCALINGS:
        raise RefusedError(f"rotary scaling `{kind}` is not supported yet")
    scaling: dict[str, Any] = {"type": kind}
    for ours, theirs in SCALINGS[kind].items():
        if said.get(theirs) is not None:
            scaling[ours] = said[theirs]
    if kind == "llama3" and scaling.get("high_freq_factor") == scaling.get("low_freq_factor"):
        scaling["high_freq_factor"] *= 1.000001  # a cut: nothing lies between (Llama 4)
    longest = values.get("max_position_embeddings")
    if "original_max_positions" in SCALINGS[kind] and "original_max_positions" not in scaling:
        scaling["original_max_positions"] = (
            values.get("original_max_position_embeddings") or longest
        )
    if kind == "yarn" and "factor" not in scaling:
        scaling["factor"] = values["max_position_embeddings"] / scaling["original_max_positions"]
    return _multiplied(scaling, scores)


def _multiplied(scaling: dict[str, Any], scores: bool) -> dict[str, Any]:
    """The scaling with what the library multiplies by, as our multipliers."""
    if scaling["type"] == "yarn":
        return _yarn(scaling, scores)
    factor = scaling.pop("attention_factor", None)
    if factor is None:
        return scaling
    return {**scaling, "short_mscale": factor, "long_mscale": factor}


def _yarn(scaling: dict[str, Any], scores: bool) -> dict[str, Any]:
    """The library reads `mscale` only beside `mscale_all_dim`, and this for scores only in MLA."""
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
