"""A fault of lowering, which the reference repeats, is found by the oracle alone."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from faults import SMALL

from modelwright.backends.verify import LAWS, Report, verify
from modelwright.compiler import ModuleGraph, lower
from modelwright.spec import ModelSpec, load, loads

verifying = sys.modules["modelwright.backends.verify.verify"]
QUICK = [law.name for law in LAWS if law.name not in ("compile", "export")]
TEXT = SMALL.format(family="decoder-only") + "head: language_model\n"
BY_ORACLE = {"oracle", "lengths", "dropout", "config"}
"""The laws that compare with the oracle."""
DROPPED = {
    "the softcap": ("attention", {"softcap": 2.0}, {"softcap": "none"}),
    "the scale": ("attention", {"scale": 0.3}, {"scale": None}),
    "a limit": ("attention", {"clip_qkv": 0.5}, {"clip_qkv": "none"}),
    "the norm behind the branch": (
        "feed_forward",
        {"norm_placement": "pre"},
        {"norm_placement": "post"},
    ),
}
"""What lowering drops: a branch, what its spec says, and what is lowered in its place."""


def changed(spec: ModelSpec, branch: str, options: dict[str, Any]) -> ModelSpec:
    stack = spec.stacks["decoder"]
    blocks = {
        name: block.model_copy(update={branch: getattr(block, branch).model_copy(update=options)})
        for name, block in stack.blocks.items()
    }
    return spec.model_copy(
        update={"stacks": {"decoder": stack.model_copy(update={"blocks": blocks})}}
    )


@pytest.mark.sampled(2)
@pytest.mark.parametrize("what", DROPPED)
def test_options_that_lowering_drops_are_detected_by_the_oracle_alone(
    what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    branch, said, lowered = DROPPED[what]

    def mistaken(spec: ModelSpec) -> ModuleGraph:
        return lower(changed(spec, branch, lowered))

    monkeypatch.setattr(verifying, "lower", mistaken)
    report = verify(changed(loads(TEXT), branch, said), full_size=True, laws=QUICK)
    failing = {finding.law for finding in report.failures}
    assert "oracle" in failing <= BY_ORACLE, report.render()
    assert report.failures[0].error is not None, "it raised: nothing was compared"


def test_an_option_unknown_to_the_oracle_is_not_a_failure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from modelwright.backends.oracle import options

    known = options.KNOWN.replace("softcap", "")
    monkeypatch.setattr(options, "KNOWN", known)
    monkeypatch.setattr(options, "known_options", options.known_options.__wrapped__)
    report: Report = verify(loads(TEXT), laws=["oracle", "reference"])
    assert report.holds
    assert "does not know the option `softcap`" in report.finding("oracle").note


def test_random_blocks_are_given_to_the_oracle(examples: Any) -> None:
    report = verify(load(examples / "bigbird_base.yaml"), laws=["oracle"])
    assert report.holds
    assert report.finding("oracle").applies
