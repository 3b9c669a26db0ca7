"""Each law with a fault that only it should find: of lowering, of a rule, of a build option."""

from __future__ import annotations

import dataclasses
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from faults import SMALL

from modelwright.backends.pytorch import BuildOptions, emit
from modelwright.backends.pytorch.runtime import joined
from modelwright.backends.verify import LAWS, read_document, verify
from modelwright.backends.verify.compared import disagreements
from modelwright.backends.verify.formulas import as_tuples, read_formula
from modelwright.backends.verify.laws import fresh, sampling
from modelwright.backends.verify.levels import Document
from modelwright.compiler import graph as graphs
from modelwright.compiler.ops import OPS
from modelwright.spec import load, loads
from modelwright.spec.masks import parse_mask

STACK = "{vocab_size: 20, d_model: 8, layers: 2, attention: {heads: 2}, mask: causal}"
DECODER = SMALL.format(family="decoder-only") + "positions: rotary\nhead: language_model\n"


def failing(text: str, *laws: str, **options: Any) -> list[str]:
    report = verify(loads(text), laws=laws, **options)
    return [finding.law for finding in report.failures]


def test_a_residual_projection_that_is_not_scaled_down(monkeypatch: pytest.MonkeyPatch) -> None:
    text = DECODER + "init: {depth_scaled: true}\n"
    assert failing(text, "init", "oracle") == []
    row = OPS["linear"]

    def wide(attrs: Any) -> tuple[graphs.Weight, ...]:
        return row.weights({**attrs, "residual": False})

    monkeypatch.setitem(OPS, "linear", replace(row, weights=wide))
    assert failing(text, "init", "oracle") == ["init"]


def test_a_shared_expert_does_not_count_as_a_branch() -> None:
    """Depth scaling counts branches: two for each layer, whatever a mixture holds."""
    experts = "{type: moe, experts: 4, top_k: 2, expert: {type: glu}, shared_expert: {type: glu}}"
    text = DECODER.replace("{d_ff: 40}", experts) + "init: {depth_scaled: true}\n"
    assert failing(text, "init") == []


@pytest.mark.parametrize("init", ["truncated_normal", "xavier", "orthogonal", "{std: 0.1}"])
def test_every_rule_of_fresh_weights(init: str) -> None:
    assert failing(DECODER + f"init: {init}\n", "init") == []


def test_dropout_that_lowering_puts_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    from modelwright.compiler.lower import block

    text = DECODER + "dropout: 0.2\nnorm_placement: sandwich\n"
    assert failing(text, "dropout") == []
    monkeypatch.setattr(block, "_dropped", lambda b, block, y: y)
    assert failing(text, "dropout", "oracle", "reference") == ["dropout"]


@pytest.mark.parametrize("rate", ["drop_path: 0.3", "drop_path: 0.9"])
def test_whole_branches_are_dropped_by_the_sequence(rate: str) -> None:
    assert failing(DECODER + f"residual: {{{rate}}}\n", "dropout") == []


def test_joined_weights_in_another_order(monkeypatch: pytest.MonkeyPatch) -> None:
    def planted(graph: Any, options: Any) -> Any:
        made = before(graph, options)
        text = made.text.replace("for name in names])", "for name in names[::-1]])")
        return replace(made, text=text)

    from modelwright.backends.verify.laws import building

    before = building.emit_file
    assert "for name in names])" in open(joined.__file__, encoding="utf-8").read()  # noqa: SIM115
    assert failing(DECODER, "options", "reference") == []
    monkeypatch.setattr(building, "emit_file", planted)
    assert failing(DECODER, "options", "reference") == ["options"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("more", "before", "after"),
    [
        ("dropout: 0.2", "nn.Dropout(config.dropout)", "nn.Dropout(0.2)"),
        ("init: {std: 0.1}", "std=self.config.init_std", "std=0.1"),
        ("init: {depth_scaled: true}", "2 * self.config.layers", "4"),
        ("positions: learned", "length > self.config.max_positions", "length > 48"),
        ("dropout: 0.2", "0 <= self.dropout < 1", "True"),
    ],
)
def test_a_number_that_does_not_follow_its_field(more: str, before: str, after: str) -> None:
    def planted(graph: Any) -> str:
        text = emit(graph)
        assert before in text
        return text.replace(before, after)

    text = SMALL.format(family="encoder-only") + f"head: language_model\n{more}\n"
    assert failing(text, "config") == []
    assert failing(text, "config", emit=planted) == ["config"]


def test_options_in_every_combination() -> None:
    report = verify(loads(DECODER), laws=["options"], thorough=True)
    assert report.holds
    flags = [f for f in dataclasses.fields(BuildOptions) if f.default is False]
    flags = [f for f in flags if f.name != "beam_search"]  # adds a method and changes no other
    assert f"{2 ** len(flags) - 1} combinations" in report.finding("options").note


def test_a_value_of_the_document_that_is_lost() -> None:
    document = {
        "name": "small",
        "family": "decoder-only",
        "vocab_size": 61,
        "max_positions": 48,
        "d_model": 32,
        "layers": 2,
        "attention": {"heads": 4},
        "feed_forward": {"d_ff": 40},
        "positions": "rotary",
        "head": "language_model",
    }
    assert failing(DECODER, "levels", document=Document(document)) == []
    for key, value in (
        ("norm", {"eps": 1e-3}),
        ("feed_forward", {"d_ff": 40, "activation": "silu"}),
        ("attention", {"heads": 2}),
        ("positions", "alibi"),
        ("mask", "causal & window(4)"),
        ("layers", 3),
        ("overrides", {"-1": {"mask": "full"}}),
    ):
        other = Document({**document, key: value})
        assert failing(DECODER, "levels", document=other) == ["levels"], key


def test_expected_probabilities_and_scripts_of_sampling() -> None:
    scores = sampling._scores(6, 0)
    assert (sampling.probabilities(scores, top_k=2) > 0).sum() == 2
    assert (sampling.probabilities(scores, top_p=0.0) > 0).sum() == 1
    assert sampling.scripted((3, 4), 2).tolist() == [[6, 3, 5, 5], [6, 6, 6, 4]]
    assert sampling.scripted(None, 3).shape == (3, 6)


def test_a_cut_distribution_is_narrower() -> None:
    assert fresh.deviation(2.0) == pytest.approx(0.8796, abs=1e-4)


def test_every_law_says_why_it_does_not_apply() -> None:
    laws = [law.name for law in LAWS if law.name not in ("compile", "export")]
    report = verify(loads(SMALL.format(family="encoder-only")), laws=laws)
    assert report.holds, report.render()
    assert all(finding.note for finding in report.findings if not finding.applies)
    assert "not applicable" in report.render()


@pytest.mark.parametrize(
    ("written", "wrong"),
    [
        (
            "positions: {type: rotary, theta: 500000}",
            "decoder.positions.0.theta: 500000, not 10000",
        ),
        ("norm: {eps: 1e-6}", "decoder.norm.eps: 1e-06, not 1e-5"),
        ("init: {std: 0.01}", "init.std: 0.01, not 0.02"),
    ],
)
def test_a_default_that_is_another(written: str, wrong: str) -> None:
    """What a reader with another default makes of a document is not what the document says."""
    plain = SMALL.format(family="decoder-only") + "positions: rotary\n"
    document = Document(yaml.safe_load(plain))
    assert disagreements(loads(plain), document) == []
    other = SMALL.format(family="decoder-only")
    other += written if "positions" in written else f"positions: rotary\n{written}"
    assert wrong in disagreements(loads(other), document)


def test_a_stack_of_another_file(tmp_path: Path) -> None:
    far = {"name": "far", "norm": "rmsnorm", "stacks": {"text": yaml.safe_load(STACK)}}
    near = {"name": "near", "stacks": {"text": {"extends": "far.yaml#text", "layers": 1}}}
    for name, data in (("far", far), ("near", near)):
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(data), encoding="utf-8")
    path = tmp_path / "near.yaml"
    assert verify(path, laws=["levels"]).holds
    changed = load(path, sets=["stacks.text.layers=2"])
    assert disagreements(changed, read_document(path)) == ["text: 2 layers, not 1"]


@pytest.mark.parametrize(
    "text",
    [
        "causal & window(8) | prefix",
        "~(causal | global(2)) & band(1, 2)",
        "global(given) | keys(-3:) & queries(:4)",
        "random(4, 1) & (causal & (fixed(4, 1) & full))",
    ],
)
def test_a_formula_is_read_twice(text: str) -> None:
    assert read_formula(text) == as_tuples(parse_mask(text))


def test_what_a_formula_means() -> None:
    both = ("&", ("causal",), ("window", 8))
    assert read_formula("prefix | causal & window(8)") == ("|", ("prefix",), both)
    assert read_formula("~ global(3)") == ("~", ("global", (0, 3)))


def test_tiles_of_global_tokens_that_do_not_attend_to_all() -> None:
    text = DECODER.replace("heads: 4", "heads: 4, separate_global: true")
    text += "mask: causal & (window(3) | global(given))\n"
    assert failing(text, "tiles", "oracle") == []


JOINED = """name: joined
d_model: 8
vocab_size: 9
attention: {heads: 2}
stacks:
  sound: {layers: 1, input: {type: features, argument: frames}}
  seen: {layers: 1, input: {type: patches, image_size: 4, patch_size: 2, prefix_tokens: 1}}
  text:
    layers: 2
    mask: causal
    input: [{type: stack, stack: sound}, {type: stack, stack: seen}, tokens]
head: language_model
"""


TOWERS = """name: towers
d_model: 8
layers: 1
attention: {heads: 2}
stacks:
  text: {vocab_size: 9, input: {argument: text_ids}}
  image: {input: {type: patches, image_size: 4, patch_size: 2}}
  sound: {input: {type: features, argument: frames}}
heads:
  all:
    type: contrastive
    size: 6
    towers: {text: {pool: first}, image: {pool: mean}, sound: {pool: max}}
"""


SIGNS = TOWERS.replace("    size: 6", "    size: 6\n    loss: sigmoid")


@pytest.mark.parametrize("text", [JOINED, TOWERS, SIGNS], ids=["joined", "towers", "signs"])
def test_costs_of_several_stacks(text: str) -> None:
    """A joined stack is as long as its share; each loss of three towers copies the labels, and the
    signs of a sigmoid loss are those of one pair.
    """
    report = verify(loads(text), laws=["costs"])
    assert report.holds, report.render()


@pytest.mark.slow
def test_compiled_steps_of_experts_with_a_capacity() -> None:
    """A step fills the experts with its own tokens only, so steps differ from one pass."""
    experts = "{type: moe, experts: 4, top_k: 2, capacity_factor: 1.3}"
    assert failing(DECODER.replace("{d_ff: 40}", experts), "compile") == []


def test_scales_of_single_sublayers_are_those_of_the_spec() -> None:
    text = """name: scaled
family: encoder-only
d_model: 8
layers: 1
vocab_size: 9
sublayers: [{type: mha, heads: 2}, {type: mlp, residual: {layer_scale: 0.1}}]
"""
    report = verify(loads(text), laws=["init"])
    assert report.holds, report.render()
