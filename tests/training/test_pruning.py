"""Pruning: the smaller model equals the masked one, and the least important parts are removed."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from click.testing import CliRunner, Result

import modelwright as mw
from modelwright.cli import cli
from modelwright.training import pruning
from modelwright.training.errors import TrainingError
from modelwright.training.prunable import prunable
from modelwright.training.pruning import Amount, prune
from modelwright.training.sampling import loss_of, samples_of
from modelwright.training.smaller import smaller_spec
from modelwright.training.tasks import task_of

SPEC = """name: small
family: decoder-only
vocab_size: 256
max_positions: 32
d_model: 32
layers: 3
positions: rotary
attention: {heads: 4}
head: language_model
init: {std: 0.2}
"""


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    path = tmp_path / "large.yaml"
    path.write_text(SPEC, encoding="utf-8")
    return path


@pytest.fixture
def weights(spec: Path, tmp_path: Path) -> Path:
    mw.save_weights(mw.compile(spec, seed=1), tmp_path / "large.safetensors")
    return tmp_path / "large.safetensors"


def type_in(*words: str | Path) -> Result:
    result = CliRunner().invoke(cli, [str(word) for word in words])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


SAME = {
    "plain": ([], 3),
    "groups": (["attention.kv_heads=2"], 2),
    "gated": (["feed_forward.type=glu"], 3),
    "options": (["attention.sinks=true", "attention.output_gate=elementwise"], 3),
    "norms": (["attention.qk_norm=head", "norm=rmsnorm", "bias=true"], 3),
}


@pytest.mark.parametrize("case", SAME)
def test_the_smaller_model_has_weights_of_the_larger_one(
    case: str, spec: Path, tokens: Path, tmp_path: Path
) -> None:
    """`prune` itself compares their logits."""
    changes, removed = SAME[case]
    large = mw.load(spec, sets=changes)
    model = mw.compile(large, seed=1)
    mw.save_weights(model, tmp_path / "w")
    made = prune(large, tmp_path / "w", tokens, heads="34%", d_ff="25%", layers=1, samples=8)
    assert len(made.layers) == 2
    assert made.removed == {"heads": removed, "d_ff": 2 * 32}
    for new, old in enumerate(made.layers):
        theirs = model.state_dict()[f"layers.{old}.attention.query.weight"]
        ours = made.weights[f"layers.{new}.attention.query.weight"]
        rows = {tuple(row.tolist()) for row in theirs}
        assert all(tuple(row.tolist()) in rows for row in ours)


def test_what_has_no_effect_is_removed_first(spec: Path, tokens: Path, tmp_path: Path) -> None:
    """A head and hidden units that are never read."""
    model = mw.compile(spec, seed=1)
    with torch.no_grad():
        model.layers[2].attention.output.weight[:, 8:16] = 0
        for layer in model.layers:
            layer.feed_forward.down.weight[:, :32] = 0
    mw.save_weights(model, tmp_path / "w")
    made = prune(mw.load(spec), tmp_path / "w", tokens, heads="1", d_ff="32", samples=8)
    assert made.after == pytest.approx(made.before, abs=1e-6)
    theirs, rows = model.state_dict(), [*range(8), *range(16, 32)]
    for name, kept in {"attention.query": rows, "feed_forward.up": range(32, 128)}.items():
        expected = theirs[f"layers.2.{name}.weight"][list(kept)]
        assert torch.equal(made.weights[f"layers.2.{name}.weight"], expected)


def test_the_layer_is_removed_without_which_the_loss_is_lowest(
    spec: Path, weights: Path, tokens: Path
) -> None:
    made = prune(mw.load(spec), weights, tokens, layers=1, samples=8)
    task = task_of(mw.lower(spec), mw.compile(spec))
    batch = samples_of(task, tokens, "train", 32).batch(0, 8)
    losses = []
    for removed in range(3):
        model = mw.compile(spec)
        mw.load_weights(model, weights)
        model.layers = torch.nn.ModuleList(x for n, x in enumerate(model.layers) if n != removed)
        losses.append(loss_of(model, *batch).item())
    assert made.layers == tuple(n for n in range(3) if losses[n] != min(losses))
    assert made.after == pytest.approx(min(losses), abs=1e-5)


def test_importance_is_the_derivative_of_a_gate(spec: Path) -> None:
    """Of each sample, by finite differences; the loss is float32, so the steps are long."""
    step = 2e-2
    model = mw.compile(spec, seed=1).double().eval()
    ids = torch.randint(0, 256, (2, 9), generator=torch.Generator().manual_seed(0))
    batch = ({"input_ids": ids[:, :-1]}, ids[:, 1:])
    part = prunable(mw.lower(spec))[1][0]
    assert part.name == "layers.1.attention.output"
    found = pruning.importance(model, [batch], [part])[part]
    for head in range(part.units):
        expected = 0.0
        for n in range(2):
            losses = []
            for sign in (1, -1):
                gate = torch.ones(2, 32, dtype=torch.float64)
                gate[n, 8 * head : 8 * head + 8] += sign * step

                def multiply(_module: object, inputs: tuple[torch.Tensor], gate=gate):  # type: ignore[no-untyped-def]
                    return (inputs[0] * gate[:, None],)

                hook = model.get_submodule(part.name).register_forward_pre_hook(multiply)
                losses.append(pruning.loss_of(model, *batch).item())
                hook.remove()
            expected += abs(losses[0] - losses[1]) / (2 * step)
        assert float(found[head]) == pytest.approx(expected, rel=1e-2)


def test_the_command_writes_a_spec_and_weights(
    spec: Path, weights: Path, tokens: Path, tmp_path: Path
) -> None:
    output = tmp_path / "small.yaml"
    words = ("--data", tokens, "--samples", "8", "-o", output)
    result = type_in("prune", spec, "--weights", weights, "--heads", "4", "--layers", "1", *words)
    assert result.exit_code == 0, result.stderr
    assert "removed 4 heads, 0 hidden units" in result.stderr
    model = mw.compile(output)
    mw.load_weights(model, tmp_path / "small.safetensors")
    assert sum(layer.attention.output.in_features for layer in model.layers) == (8 - 4) * 8
    output.write_text("name: mine", encoding="utf-8")
    result = type_in("prune", spec, "--weights", weights, "--layers", "1", *words)
    assert result.exit_code == 2
    assert "was modified" in result.stderr


REFUSED = {
    "nothing": ([], [], "choose what to remove"),
    "word": (["--heads", "some"], [], "`some` is neither a percentage, such as 25%, nor a number"),
    "all": (["--heads", "12"], [], "cannot remove 12 of 12 heads; 3 must remain"),
    "layers": (["--layers", "3"], [], "cannot remove 3 of 3 layers; 1 must remain"),
    "slopes": (["--heads", "3"], ["positions=alibi"], "the smaller model differs from the masked"),
    "experts": (["--d-ff", "3"],
                [f"feed_forward.{option}" for option in ("type=moe", "experts=2", "top_k=1")],
                "no feed-forward whose hidden units can be removed; those of experts cannot"),
    "shared": (["--layers", "1"], ["share=true"], "pruning needs layers that do not share"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_parts_that_cannot_be_removed_are_refused(
    case: str, spec: Path, tokens: Path, tmp_path: Path
) -> None:
    options, changes, message = REFUSED[case]
    mw.save_weights(mw.compile(mw.load(spec, sets=changes)), tmp_path / "w")
    sets = [word for change in changes for word in ("--set", change)]
    words = ("--data", tokens, "--samples", "8", "-o", tmp_path / "small.yaml", *options, *sets)
    result = type_in("prune", spec, "--weights", tmp_path / "w", *words)
    assert result.exit_code == 2
    assert message in result.stderr
    assert not (tmp_path / "small.yaml").exists()


def test_from_python(spec: Path, weights: Path, tokens: Path, tmp_path: Path) -> None:
    made = mw.prune(spec, weights, tokens, tmp_path / "small.yaml", layers=2, samples=8)
    assert mw.load(tmp_path / "small.yaml").stacks["decoder"].order == ("block",)
    assert made.removed == {"heads": 0, "d_ff": 0}


def test_amounts() -> None:
    assert Amount.of("25%").from_total(16, 1, "heads") == 4
    assert Amount.of("3").from_total(16, 1, "heads") == 3
    with pytest.raises(TrainingError, match="neither a percentage"):
        Amount.of("2.5")


def test_equal_layers_share_a_block(spec: Path) -> None:
    """A spec of equal layers keeps one block."""
    large = mw.load(spec)
    parts = prunable(mw.lower(large))
    few = [{parts[n][1]: tuple(range(64))} for n in (0, 2)]
    small = smaller_spec(large, (0, 2), few)
    assert small.stacks["decoder"].order == ("block", "block")
    few[1] = {parts[2][1]: tuple(range(32))}
    assert len(set(smaller_spec(large, (0, 2), few).stacks["decoder"].order)) == 2
