"""Links between the panes: which parts match, in every example."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from explore_partners import PANES, partners, related
from explore_server import EXAMPLES, NAMES, SMALL, asked

from modelwright.explorer import answer
from modelwright.explorer.request import LONGEST_TEXT

NO_CODE = ("tokens", "max_positions", "final_norm: false")
"""Keys that code need not read: rotary and relative positions have no longest sequence."""
NO_PART = (*NO_CODE, "name", "description", "init")
"""Keys that no part of a figure shows."""
NO_LAYERS = {
    "blip2_qformer": ("layers: 0", "attention: {heads: 1}"),
    "decision_transformer": ("layers: 0",),
}
"""Lines about the layers of a stack that has none."""
EVERY = pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[] if index % 8 == 0 else pytest.mark.slow)
        for index, name in enumerate(NAMES)
    ],
)


def both(name: str, depth: str = "block") -> Any:
    """The code of an example, and the links to it."""
    return {**asked(name, "code", depth), **asked(name, "links", depth)}


def links_of(name: str, depth: str = "block") -> Any:
    return asked(name, "links", depth)["links"]


def lonely(links: Any, pane: str, *others: str) -> Iterator[tuple[str, str]]:
    """The items of a pane that have neither a partner nor a relative in another one."""
    for key in links[pane]:
        for other in others:
            if not partners(links, pane, key, other) and not related(links, pane, key, other):
                yield key, other


@EVERY
def test_boxes_and_weights_have_partners_in_every_pane(name: str) -> None:
    links = links_of(name)
    assert list(lonely(links, "weights", "yaml", "figure", "code", "resolved")) == []
    assert list(lonely(links, "figure", "yaml", "code", "resolved")) == []


@EVERY
def test_lines_of_code_have_partners(name: str) -> None:
    links = links_of(name)
    assert list(lonely(links, "code", "yaml", "resolved")) == []


@EVERY
def test_lines_of_yaml_have_partners(name: str) -> None:
    """In the code always; in the figure unless the key is about no part of it."""
    links, text = links_of(name), (EXAMPLES / f"{name}.yaml").read_text(encoding="utf-8")
    lines = text.splitlines()
    for pane, without in (("code", NO_CODE), ("figure", NO_PART)):
        alone = [lines[int(key) - 1].strip() for key, _ in lonely(links, "yaml", pane)]
        known = (*without, *NO_LAYERS.get(name, ()))
        assert [line for line in alone if not line.startswith(known)] == []


@pytest.mark.parametrize("depth", ["stack", "module", "ops"])
@pytest.mark.parametrize("name", ["gpt2", "t5_small", "deepseek_v3"])
def test_other_depths(name: str, depth: str) -> None:
    links = links_of(name, depth)
    assert list(lonely(links, "figure", "yaml", "code")) == []
    assert list(lonely(links, "weights", "figure")) == []


def test_ids_are_those_of_the_figure() -> None:
    for name in ("gpt2", "t5_small", "clip_vit_b32"):
        svg = asked(name, "figure")["svg"]
        for key in links_of(name)["figure"]:
            assert f'id="{key}"' in svg


def test_the_partners_of_one_box() -> None:
    answered = both("gpt2")
    links, lines = answered["links"], answered["code"].splitlines()
    box = "n-layers-block-attention"
    code = {lines[int(key) - 1].strip() for key in partners(links, "figure", box, "code")}
    assert "class Attention(nn.Module):" in code
    assert "self.query = nn.Linear(config.d_model, config.d_model)" in code
    assert not any("self.up" in line for line in code)
    rows = answered["costs"]["weights"]["rows"]
    weights = {rows[int(key)]["name"] for key in partners(links, "figure", box, "weights")}
    assert weights == {
        f"layers.{{layer}}.attention.{name}.{kind}"
        for name in ("query", "key", "value", "output")
        for kind in ("weight", "bias")
    }
    text = (EXAMPLES / "gpt2.yaml").read_text(encoding="utf-8").splitlines()
    said = {text[int(key) - 1] for key in partners(links, "figure", box, "yaml")}
    assert said == {"dropout: 0.1", "attention: {heads: 12}", "family: decoder-only"}  # causal
    read = {text[int(key) - 1] for key in related(links, "figure", box, "yaml")}
    assert "d_model: 768" in read


def test_boxes_of_opened_modules_have_lines_of_their_own() -> None:
    answered = both("gpt2", "module")
    lines = answered["code"].splitlines()
    found = partners(answered["links"], "figure", "n-layers-block-attention-query", "code")
    code = {lines[int(key) - 1].strip() for key in found}
    assert "self.query = nn.Linear(config.d_model, config.d_model)" in code
    assert not any(line.startswith("self.key =") for line in code)


def test_a_line_of_a_block_selects_everything_below_it() -> None:
    text = """\
name: nested
family: decoder-only
vocab_size: 32
max_positions: 16
d_model: 16
layers: 2
positions: learned
attention:
  heads: 2
  norm:
    type: rmsnorm
head: language_model
"""
    links = answer({"ask": "links", "text": text, "depth": "module"})["links"]
    norm = "n-layers-block-attention_norm"
    assert norm in partners(links, "yaml", "8", "figure")
    assert norm in partners(links, "yaml", "10", "figure")
    assert norm not in partners(links, "yaml", "9", "figure")
    assert "n-layers-block-attention-query" in partners(links, "yaml", "8", "figure")
    assert "10" in partners(links, "figure", norm, "yaml")
    assert "8" not in partners(links, "figure", norm, "yaml")


def test_what_a_base_says_leads_to_extends() -> None:
    text = "name: mine\nextends: gpt2.yaml\nlayers: 6\n"
    links = answer({"ask": "links", "text": text}, EXAMPLES)["links"]
    assert partners(links, "figure", "n-layers-block-feed_forward", "yaml") == {"2"}
    assert partners(links, "figure", "n-layers-block-frame", "yaml") >= {"3"}


def test_encoder_and_decoder_are_distinguished() -> None:
    answered = both("t5_small")
    rows = answered["costs"]["weights"]["rows"]
    for stack in ("encoder", "decoder"):
        box = f"n-{stack}-layers-block-feed_forward"
        found = partners(answered["links"], "figure", box, "weights")
        assert {rows[int(key)]["name"].split(".")[0] for key in found} == {stack}


def test_partners_are_mutual() -> None:
    """But for a line of YAML, which also stands for the lines of its block."""
    links = links_of("t5_small")
    for pane in PANES[1:]:
        for key in list(links[pane])[::7]:
            for other in PANES[1:]:
                if other == pane or "resolved" in (pane, other):
                    continue
                for each in partners(links, pane, key, other):
                    assert key in partners(links, other, each, pane)


def test_resolved_lines_lead_to_the_yaml_that_says_them() -> None:
    answered = both("gpt2")
    resolved = answered["resolved"].splitlines()
    for key in answered["links"]["resolved"]:
        lines = partners(answered["links"], "resolved", key, "yaml")
        for line in lines:
            assert resolved[int(key) - 1].endswith((f"gpt2.yaml:{line}", ":"))


def test_the_key_that_asks_for_a_final_norm_is_a_partner_of_the_norm() -> None:
    text = """\
name: post
family: encoder-only
vocab_size: 32
max_positions: 16
d_model: 16
layers: 2
positions: learned
attention: {heads: 2}
norm_placement: post
final_norm: true
"""
    asked = {"text": text, "name": "post.yaml"}
    code = answer({"ask": "code", **asked})["code"].splitlines()
    links = answer({"ask": "links", **asked})["links"]
    found = {code[int(key) - 1].strip() for key in partners(links, "yaml", "10", "code")}
    assert found == {"self.norm = nn.LayerNorm(config.d_model, config.eps)", "return self.norm(x)"}
    assert partners(links, "yaml", "10", "figure") == {"n-norm"}


def test_a_long_resolved_spec_is_linked() -> None:
    """Thirty kinds of blocks in a short text: the resolved spec is longer than a spec may be."""
    kinds = [f"b{number}" for number in range(30)]
    blocks = ", ".join(
        f"{kind}: {{mask: causal & window({n + 2})}}" for n, kind in enumerate(kinds)
    )
    text = SMALL.replace(
        "layers: 2", f"layers: 30\nblocks: {{{blocks}}}\npattern: [{', '.join(kinds)}]"
    )
    found = answer({"ask": "links", "text": text, "name": "spec.yaml"}, EXAMPLES)
    assert len(found["resolved"]) > LONGEST_TEXT
    assert found["links"]["resolved"]
    line = next(key for key, item in found["links"]["yaml"].items() if int(key) == 1)
    assert partners(found["links"], "yaml", line, "resolved")
