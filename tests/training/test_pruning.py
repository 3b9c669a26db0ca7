"""Pruning: the smaller model equals the masked one, and the least important parts are removed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner, Result
from conftest import full_disk

import modelwright as mw
from modelwright.cli import cli
from modelwright.outputs import OutputError
from modelwright.training import pruning
from modelwright.training.encoding import read_tokenizer
from modelwright.training.errors import TrainingError
from modelwright.training.prunable import prunable
from modelwright.training.pruning import Amount, prune
from modelwright.training.sampling import loss_of, samples_of
from modelwright.training.smaller import smaller_spec, smaller_weights
from modelwright.training.tasks import task_of
from modelwright.training.token_files import Request, write_data

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


T5 = """name: small-t5
family: encoder-decoder
vocab_size: 257
d_model: 32
layers: 2
positions: {type: relative_bias, buckets: 8, max_distance: 32}
attention: {heads: 4}
decoder:
  positions: {bidirectional: false}
head: language_model
init: {std: 0.2}
tokens: {pad: 0, eos: 1, decoder_start: 0}
"""
MLA = ("type: mla", "query_rank: 16", "kv_rank: 16", "nope_dim: 8", "rope_dim: 4", "value_dim: 8")

SAME = {
    "plain": ([], 3),
    "groups": (["attention.kv_heads=2"], 2),
    "gated": (["feed_forward.type=glu"], 3),
    "options": (["attention.sinks=true", "attention.output_gate=elementwise"], 3),
    "norms": (["attention.qk_norm=head", "norm=rmsnorm", "bias=true"], 3),
    "overrides": (["overrides={0: {attention: {heads: 2}}}"], 2),
    "ranges": (["overrides={0..1: {attention: {heads: 4, head_dim: 8}, bias: false}}"], 3),
    "sublayers": (["attention=none", "sublayers=[{type: mha, heads: 4}, mlp]"], 3),
    "tied": (["head.tied=true"], 3),
    "tables": (
        [
            "attention=none",
            "sublayers=[{type: mha, heads: 4}, mlp]",
            "positions={type: relative_bias, bidirectional: false}",
        ],
        3,
    ),
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
    (left,) = made.layers.values()
    assert len(left) == 2
    assert made.removed == {"heads": removed, "d_ff": 2 * 32}
    for new, old in enumerate(left):
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
    assert made.layers["decoder"] == tuple(n for n in range(3) if losses[n] != min(losses))
    assert made.after == pytest.approx(min(losses), abs=1e-5)


def test_importance_is_the_derivative_of_a_gate(spec: Path) -> None:
    """Of each sample, by finite differences; the loss is float32, so the steps are long."""
    step = 2e-2
    model = mw.compile(spec, seed=1).double().eval()
    ids = torch.randint(0, 256, (2, 9), generator=torch.Generator().manual_seed(0))
    batch = ({"input_ids": ids[:, :-1]}, ids[:, 1:])
    part = prunable(mw.lower(spec))["decoder", 1][0]
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


@pytest.mark.parametrize("bytes_", [100, 8192])
def test_a_full_disk_leaves_nothing(
    bytes_: int, spec: Path, weights: Path, tokens: Path, tmp_path: Path
) -> None:
    """Neither a spec without its weights nor weights without their spec."""
    made = prune(mw.load(spec), weights, tokens, layers=1, samples=8)
    before = sorted(tmp_path.iterdir())
    said = r"cannot be written: .*File too large"
    with full_disk(bytes_), pytest.raises(OutputError, match=said):
        pruning.write_pruned(made, tmp_path / "small.yaml")
    assert sorted(tmp_path.iterdir()) == before


REFUSED = {
    "nothing": ([], [], "choose what to remove"),
    "word": (["--heads", "some"], [], "`some` is neither a percentage, such as 25%, nor a number"),
    "all": (["--heads", "12"], [], "cannot remove 12 of 12 heads; 3 must remain: one key-value"),
    "layers": (["--layers", "3"], [], "cannot remove 3 of 3 layers; 1 must remain"),
    "slopes": (["--heads", "3"], ["positions=alibi"], "the smaller model differs from the masked"),
    "experts": (["--d-ff", "3"],
                [f"feed_forward.{option}" for option in ("type=moe", "experts=2", "top_k=1")],
                "no feed-forward whose hidden units can be removed; those of experts cannot"),
    "talking": (["--heads", "3"], ["attention.talking_heads=both"], "talking heads"),
    "lambda": (["--layers", "1"], ["attention={type: differential, heads: 4}"],
               "the number of its layer"),
    "masks": (["--heads", "1"], ["mask=[causal, causal, causal, causal & window(4)]"],
              "the number of masks (4) must divide the number of key-value heads (3)\n"),
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


def test_weights_that_a_layer_cannot_have_for_itself_are_refused(spec: Path) -> None:
    large = mw.load(spec, sets=["positions={type: relative_bias, bidirectional: false}"])
    graph, model = mw.lower(large), mw.compile(large, device="meta")
    parts = prunable(graph)
    few = {parts["decoder", 0][0]: (0, 1, 3)}
    small, stored = mw.lower(smaller_spec(large, list(parts), few)), model.state_dict()
    made = smaller_weights(small, graph, stored, list(parts), few)
    assert made["layers.0.attention.relative_bias.weight"].shape == (32, 3)
    assert made["relative_bias.weight"].shape == (32, 4)
    stored["relative_bias.weight"] = torch.empty(32, 2)
    with pytest.raises(TrainingError, match="removed from attention with `relative_bias`, whose"):
        smaller_weights(small, graph, stored, list(parts), few)


def test_from_python(spec: Path, weights: Path, tokens: Path, tmp_path: Path) -> None:
    made = mw.prune(spec, weights, tokens, tmp_path / "small.yaml", layers=2, samples=8)
    assert mw.load(tmp_path / "small.yaml").stacks["decoder"].order == ("block",)
    assert made.removed == {"heads": 0, "d_ff": 0}


@pytest.mark.parametrize("kind", ["differential", "mla"])
def test_widths_of_heads_do_not_follow_from_their_number(
    kind: str, spec: Path, tokens: Path, tmp_path: Path
) -> None:
    attention = (
        f"{{heads: 4, {', '.join(MLA)}}}" if kind == "mla" else "{type: differential, heads: 4}"
    )
    large = mw.load(spec, sets=[f"attention={attention}"])
    mw.save_weights(mw.compile(large, seed=1), tmp_path / "w")
    made = prune(large, tmp_path / "w", tokens, heads=3, samples=8)
    assert made.removed == {"heads": 3, "d_ff": 0}


def test_stacks_are_pruned_together(tmp_path: Path) -> None:
    """An encoder-decoder: layers of both, heads of self- and cross-attention. All layers of a stack
    read one table of position biases; those that lose heads get a part of it.
    """
    (tmp_path / "t5.yaml").write_text(T5, encoding="utf-8")
    line = json.dumps({"source": "a house and a tree", "target": "two things"})
    (tmp_path / "pairs.jsonl").write_text(f"{line}\n" * 30, encoding="utf-8")
    request = Request([tmp_path / "pairs.jsonl"], "pairs", read_tokenizer("bytes"), None, 0.1)
    write_data(request, tmp_path / "pairs")
    large = mw.load(tmp_path / "t5.yaml")
    mw.save_weights(mw.compile(large, seed=1), tmp_path / "w")
    made = prune(large, tmp_path / "w", tmp_path / "pairs", d_ff=64, layers=2, samples=8)
    assert {name: len(left) for name, left in made.layers.items()} == {"encoder": 1, "decoder": 1}
    assert made.removed == {"heads": 0, "d_ff": 2 * 64}
    assert made.weights["encoder.relative_bias.weight"].shape == (8, 4)
    made = prune(large, tmp_path / "w", tmp_path / "pairs", heads="50%", samples=8)
    assert made.removed == {"heads": 12, "d_ff": 0}
    wide = {
        name.rsplit(".", 2)[0]: made.weights[name].size(0) // 8
        for name in made.weights
        if name.endswith("query.weight")
    }
    assert sum(wide.values()) == 12
    assert any(n < 4 for name, n in wide.items() if name.endswith("cross_attention"))
    for name, heads in wide.items():
        if not name.endswith("cross_attention"):  # layers with all heads read the table of before
            own = f"{name}.relative_bias.weight"
            assert (own in made.weights) == (heads < 4)
            assert heads == 4 or made.weights[own].shape == (8, heads)


def test_a_pruned_spec_is_short(spec: Path, weights: Path, tokens: Path, tmp_path: Path) -> None:
    small = tmp_path / "small.yaml"
    made = mw.prune(spec, weights, tokens, small, heads="3", d_ff="25%", samples=8)
    text = small.read_text(encoding="utf-8")
    assert len(text.splitlines()) < 20
    assert text.startswith(
        "# small: pruned by `modelwright prune`, which removed 3 heads, 96 hidden"
    )
    assert mw.load(small).sha == made.spec.sha


def test_amounts() -> None:
    assert Amount.of("25%").from_total(16, 1, "heads") == 4
    assert Amount.of("3").from_total(16, 1, "heads") == 3
    assert Amount.of(3) == Amount.of("3")
    for wrong in ("2.5", 0.25, -1):
        with pytest.raises(TrainingError, match="neither a percentage"):
            Amount.of(wrong)
    with pytest.raises(TrainingError, match="samples must be at least 1, not 0"):
        prune(mw.loads(SPEC), Path("w"), Path("data"), heads=1, samples=0)


def test_equal_layers_share_a_block(spec: Path) -> None:
    """A spec of equal layers keeps one block."""
    large = mw.load(spec)
    parts = prunable(mw.lower(large))
    kept = [("decoder", n) for n in (0, 2)]
    few = {parts[at][1]: tuple(range(64)) for at in kept}
    small = smaller_spec(large, kept, few)
    assert small.stacks["decoder"].order == ("block", "block")
    few[parts[kept[1]][1]] = tuple(range(32))
    assert len(set(smaller_spec(large, kept, few).stacks["decoder"].order)) == 2
