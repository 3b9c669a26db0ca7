"""The cost report: known sizes, FLOPs counted by running, memory counted by hand."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import modelwright as mw
from modelwright.compiler.report_text import in_bytes, in_flops

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = sorted((ROOT / "examples").glob("*.yaml"))

SMALL = """
name: small
family: decoder-only
vocab_size: 50
max_positions: 16
d_model: 8
layers: 3
attention: {heads: 4, kv_heads: 2}
feed_forward: {d_ff: 20}
positions: learned
"""


def report_of(text: str, sets: tuple[str, ...] = (), **options: object):
    return mw.report(mw.lower(mw.loads(text, sets=sets)), **options)


def example(name: str):
    return mw.lower(mw.load(ROOT / "examples" / f"{name}.yaml"))


# -- weights


@pytest.mark.parametrize(
    ("name", "total"),
    [
        ("gpt2", 124_439_808),
        ("gpt2_medium", 354_823_168),
        ("gpt2_large", 774_030_080),
        ("gpt2_xl", 1_557_611_200),
        ("bert_base", 109_482_240),
        ("t5_small", 60_506_624),
        ("llama3_8b", 8_030_261_248),
        ("gpt3_175b", 174_604_259_328),
    ],
)
def test_published_sizes(name, total):
    assert mw.report(example(name)).to_json()["weights"]["total"] == total


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_rows_are_all_the_weights(path: Path) -> None:
    """Each stored weight once; what they hold adds up, part by part."""
    graph = mw.lower(mw.load(path))
    report = mw.report(graph)
    rows = report.weight_rows
    expanded = [
        (row.name.replace("{layer}", str(layer)), row.shape)
        for row in rows
        if not row.tied
        for layer in row.layers or ("",)
    ]
    assert len(dict(expanded)) == len(expanded)
    assert dict(expanded) == {weight.name: weight.shape for weight in graph.weights()}
    assert sum(row.total for row in rows) == report.weights_total
    for part, count in report.weights.items():
        assert sum(row.total for row in rows if row.part == part) == count
    names = {row.name for row in rows}
    assert {row.tied for row in rows if row.tied} <= names
    assert all(row.copies == 0 for row in rows if row.tied)
    assert all(graph.op(row.op).scope == row.scope for row in rows)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_expressions_give_the_shapes(path: Path) -> None:
    """In the numbers of the emitted `Config`, evaluated here."""
    graph = mw.lower(mw.load(path))
    fields = {field.name: field.value for field in graph.fields}
    for row in mw.report(graph).weight_rows:
        assert eval(f"({row.expression},)", {}, fields) == row.shape, row.name


def test_a_row_says_where_it_comes_from() -> None:
    rows = {row.name: row for row in mw.report(example("llama3_8b")).weight_rows}
    row = rows["layers.{layer}.attention.key.weight"]
    assert row.shape == (1024, 4096)
    assert row.expression == "kv_heads * (d_model // heads), d_model"
    assert (row.count, row.copies, row.part) == (1024 * 4096, 32, "attention")
    assert row.layers == tuple(range(32))
    assert row.trained
    assert row.tied == ""
    assert row.spec.startswith("stacks.decoder.blocks.block.attention")
    tied = {row.name: row.tied for row in mw.report(example("t5_small")).weight_rows if row.tied}
    assert tied == {"head.weight": "token_embedding.weight"}


def test_shared_layers_store_one_copy() -> None:
    rows = {row.name: row for row in mw.report(example("albert_base")).weight_rows}
    assert rows["layers.{layer}.attention.query.weight"].copies == 1


def test_rows_of_the_json_are_plain_data() -> None:
    report = mw.report(example("deepseek_v3"))
    rows = json.loads(json.dumps(report.to_json()))["weights"]["rows"]
    assert rows == [row.to_json() for row in report.weight_rows]
    untrained = [row["name"] for row in rows if not row["trained"]]
    assert untrained == ["layers.{layer}.feed_forward.selection_bias"]


def test_weights_that_serve_a_token():
    """All but the experts that it did not choose; without experts, all."""
    report = mw.report(example("mixtral_8x7b"))
    one = 3 * 4096 * 14336
    assert report.weights_total - report.weights_active == 32 * (8 - 2) * one
    assert report.to_json()["weights"]["active"] == 12_879_925_248
    assert "active per token  12,879,925,248  27.6 %" in report.render()
    plain = mw.report(example("gpt2"))
    assert plain.weights_active == plain.weights_total
    assert "active" not in plain.render()


def test_experts_cost_what_the_chosen_ones_do():
    """Two of eight experts and the router, for each token of every layer."""
    flops = mw.report(example("mixtral_8x7b"), batch=2, sequence=10).flops["feed_forward"]
    assert flops == 2 * 20 * 32 * (4096 * 8 + 2 * 3 * 4096 * 14336)


def test_experts_of_a_memory_are_counted_by_its_length():
    sizes = ("feed_forward={type: moe, experts: 4, top_k: 2}", "family=encoder-decoder")
    formula = report_of(SMALL, sizes).flops_formula
    assert "B*M" in formula
    assert set(formula) & set("ABCDEFGHIJKLMNOPQRSUVWXYZ") == {"B", "S", "M"}


def test_gpt2_by_part():
    d, layers = 768, 12
    parts = mw.report(example("gpt2")).weights
    assert parts == {
        "embedding": 50257 * d,
        "positions": 1024 * d,
        "attention": layers * 4 * (d * d + d),
        "feed_forward": layers * (8 * d * d + 5 * d),
        "norm": (2 * layers + 1) * 2 * d,
        "head": 0,
        "other": 0,
    }


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_every_weight_is_in_one_part(path):
    try:
        graph = mw.lower(mw.load(path))
    except mw.SpecErrors as refused:
        if "not yet" not in str(refused):
            raise
        pytest.skip("it asks for what cannot be built yet")
    counted = mw.report(graph).weights_total
    assert counted == sum(weight.weight.count for weight in graph.weights())


def test_a_branch_keeps_its_norms_and_a_head_all_that_is_in_it():
    text = SMALL.replace("kv_heads: 2", "kv_heads: 2, qk_norm: head")
    head = "head: {type: language_model, tied: true, bias: true, transform: dense}\n"
    parts = report_of(text + head).weights
    plain = report_of(SMALL).weights
    assert parts["attention"] - plain["attention"] == 3 * 2 * 2 * 2  # layers, q and k, E, w and b
    assert parts["head"] == (8 * 8 + 8) + 2 * 8 + 50
    assert parts["norm"] == plain["norm"]


def test_tables_of_several_blocks_are_all_positions():
    kinds = "{a: {positions: disentangled}, b: {positions: {type: disentangled, buckets: 8}}}"
    text = SMALL.replace("positions: learned", "").replace(", kv_heads: 2", "")
    text = f"{text}blocks: {kinds}\npattern: [a, b, a]\n"
    rows = mw.report(mw.loads(text)).weight_rows
    assert {row.part for row in rows if "relative_embedding" in row.name} == {"positions"}
    assert {row.name for row in rows if "relative_embedding" in row.name} == {
        "relative_embedding.weight",
        "b_relative_embedding.weight",
    }


def test_shared_layers_store_once_and_compute_every_time():
    shared, apart = report_of(SMALL + "share: true"), report_of(SMALL)
    assert shared.weights["attention"] * 3 == apart.weights["attention"]
    assert shared.weights["feed_forward"] * 3 == apart.weights["feed_forward"]
    assert shared.forward == apart.forward
    assert shared.activation_bytes == apart.activation_bytes


def test_bytes_follow_the_dtype():
    single, half = (report_of(SMALL, dtype=dtype) for dtype in ("float32", "bfloat16"))
    assert single.weights_bytes == 4 * single.weights_total == 2 * half.weights_bytes
    assert single.cache_bytes == 2 * half.cache_bytes
    assert single.activation_bytes == 2 * half.activation_bytes


# -- FLOPs


def test_flops_of_a_decoder_by_hand():
    B, T, D, F, V, H, K, E = 3, 7, 8, 20, 50, 4, 2, 2
    r = report_of(SMALL + "head: language_model", batch=B, sequence=T)
    projections = 2 * B * T * D * (H * E + 2 * K * E + H * E)
    pairs = B * H * T * (T + 1) // 2
    assert r.flops["attention"] == 3 * (projections + 4 * pairs * E)
    assert r.flops["feed_forward"] == 3 * 2 * 2 * B * T * D * F
    assert r.flops["head"] == 2 * B * T * D * V
    assert r.attention_flops == 3 * 4 * pairs * E
    assert r.attention_formula == f"{3 * 4 * H * E}*B*S*T"
    data = r.to_json()["flops"]
    assert data["training"] == 3 * data["forward"]
    assert data["per_token"] == round(data["forward"] / (B * T))
    assert data["forward_dense"] - data["forward"] == 3 * 4 * (B * H * T * T - pairs) * E


def test_flops_of_an_encoder_decoder_tell_its_lengths_apart():
    text = SMALL.replace("decoder-only", "encoder-decoder").replace(", kv_heads: 2", "")
    r = report_of(text, sequence=5)
    assert r.attention_formula == "96*B*M^2 + 96*B*M*T + 96*B*S*T"  # 3 layers * 4 * D
    # keys and values of the memory: 2 * 2 * M * D * D for each layer of the decoder
    encoder = 3 * (4 * 2 * 8 * 8 + 2 * 2 * 8 * 20)
    memory = 3 * 2 * 2 * 8 * 8
    assert f"{encoder + memory}*B*M" in r.flops_formula.split(" + ")


def _counted(module, *inputs) -> int:
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        module(*inputs)
    return counter.get_total_flops()


def _layer(torch, d_model, heads, hidden, causal):
    nn = torch.nn

    class Layer(nn.Module):
        def __init__(self):
            super().__init__()
            self.qkv, self.out = nn.Linear(d_model, 3 * d_model), nn.Linear(d_model, d_model)
            self.up, self.down = nn.Linear(d_model, hidden), nn.Linear(hidden, d_model)

        def forward(self, x):
            B, T, D = x.shape
            q, k, v = self.qkv(x).view(B, T, 3, heads, D // heads).permute(2, 0, 3, 1, 4)
            scores = q @ k.transpose(-2, -1)
            if causal:
                hidden = torch.ones(T, T, dtype=torch.bool).triu(1)
                scores = scores.masked_fill(hidden, -torch.inf)
            y = scores.softmax(-1) @ v
            x = x + self.out(y.transpose(1, 2).reshape(B, T, D))
            return x + self.down(self.up(x).relu())

    return Layer()


@pytest.mark.parametrize("family", ["encoder-only", "decoder-only"])
def test_flops_are_those_that_torch_counts(family):
    torch = pytest.importorskip("torch")
    B, T, D, H, F, V = 2, 12, 16, 4, 40, 30
    causal = family == "decoder-only"
    layers = [_layer(torch, D, H, F, causal) for _ in range(3)]
    model = torch.nn.Sequential(torch.nn.Embedding(V, D), *layers, torch.nn.Linear(D, V))
    counted = _counted(model, torch.zeros(B, T, dtype=torch.long))
    text = f"""
name: same
family: {family}
vocab_size: {V}
d_model: {D}
layers: 3
attention: {{heads: {H}}}
feed_forward: {{d_ff: {F}}}
head: language_model
"""
    r = report_of(text, batch=B, sequence=T)
    assert r.flops_dense == counted
    masked = 3 * 4 * B * T * T * D * (1 - (T + 1) / (2 * T)) if causal else 0
    assert r.forward == pytest.approx(counted - masked, rel=1e-12)


# -- memory


def test_the_cache_holds_keys_and_values_of_every_layer():
    B, S, K, E, layers = 2, 10, 2, 2, 3
    assert report_of(SMALL, batch=B, sequence=S).cache_bytes == 4 * 2 * layers * B * K * S * E


def test_values_may_be_wider_than_keys():
    text = SMALL.replace("kv_heads: 2", "kv_heads: 2, head_dim: 6, value_dim: 4")
    assert report_of(text, sequence=10).cache_bytes == 4 * 3 * 2 * 10 * (6 + 4)


def test_the_cache_holds_memories_too():
    text = SMALL.replace("decoder-only", "encoder-decoder")
    # of the decoder: three layers, each with its own and the memory's keys and values
    assert report_of(text, sequence=10).cache_bytes == 4 * 3 * 2 * (2 * 2 * 10 * 2)


def test_an_encoder_has_no_cache():
    assert report_of(SMALL.replace("decoder-only", "encoder-only")).cache_bytes == 0


def test_what_training_keeps_by_hand():
    B, T, D, F, L = 2, 5, 8, 20, 3
    stream = B * T * D
    outside = 3 * stream + stream  # tokens, positions, their sum; the final norm
    keys = B * T * 4  # 2 heads of 2
    attention = stream + stream + 2 * keys + stream + stream + stream  # norm q k v y merge output
    feed_forward = stream + 2 * B * T * F + stream  # norm, up and its activation, down
    layer = attention + stream + feed_forward + stream  # with the two sums
    assert report_of(SMALL, batch=B, sequence=T).activation_bytes == 4 * (outside + L * layer)


def test_scores_are_kept_only_where_they_are_written_out():
    B, H, T, L = 2, 4, 5, 3
    plain = report_of(SMALL, batch=B, sequence=T)
    text = SMALL.replace("kv_heads: 2", "kv_heads: 2, softcap: 30.0")
    capped = report_of(text, batch=B, sequence=T)
    assert {a.kernel for a in capped.attends} == {"explicit"}
    scores = 4 * 2 * L * B * H * T * T
    mask = B * T * T  # one boolean for each pair
    assert capped.activation_bytes - plain.activation_bytes == scores + mask


def test_dropout_keeps_its_choice():
    plain, dropped = report_of(SMALL, sequence=4), report_of(SMALL + "dropout: 0.1", sequence=4)
    # of the embedding and of two branches in each of three layers: a number and a boolean
    assert dropped.activation_bytes - plain.activation_bytes == 7 * 4 * 8 * (4 + 1)


# -- options


def test_the_sequence_is_what_the_model_can_read_up_to_1024():
    assert report_of(SMALL).sequence == 16
    assert mw.report(example("llama3_8b")).sequence == 1024
    assert mw.report(example("t5_small")).sequence == 1024
    assert report_of(SMALL, sequence=5).sequence == 5


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch": 0}, "batch is 0; it must be at least 1"),
        ({"sequence": -3}, "sequence is -3; it must be at least 1"),
        ({"dtype": "int8"}, "dtype 'int8' is none of float64, float32, bfloat16, float16"),
    ],
)
def test_options_that_make_no_sense(options, message):
    with pytest.raises(ValueError, match=message):
        report_of(SMALL, **options)


# -- text

TEXT = """\
small
  decoder: 3 layers, d_model 8

weights         2,732          10.7 KiB in float32
  embedding       400  14.6 %
  positions       128   4.7 %
  attention       648  23.7 %
  feed-forward  1,044  38.2 %
  norm            112   4.1 %
  head            400  14.6 %

FLOPs for batch 1, sequence 8
  forward                  33.5 kFLOPs
    attention              11.7 kFLOPs  35.0 %
    feed-forward           15.4 kFLOPs  45.9 %
    head                    6.4 kFLOPs  19.1 %
  training (3 x forward)  100.4 kFLOPs
  per token                 4.2 kFLOPs
  over all pairs: 96 B S T + 3,872 B T

memory for batch 1, sequence 8 in float32
  activations kept for training  13.9 KiB
  key/value cache                   768 B

attention
  FLOPs over all pairs: 96 B S T
  pairs admitted
    causal & window(4)  40.62 %  in 3 layers

B batch  T new tokens  S tokens seen so far
"""


def test_the_text_of_a_report():
    r = report_of(SMALL + "mask: causal & window(4)\nhead: language_model", sequence=8)
    assert r.render() + "\n" == TEXT


def test_the_text_names_kinds_of_layers_and_shared_ones():
    kinds = "blocks: {near: {share: true}, far: {}}\npattern: [near, far]\n"
    line = report_of(SMALL + kinds).render().splitlines()[1]
    assert line == "  decoder: 3 layers (2 near, 1 far, weights of 2), d_model 8"


@pytest.mark.parametrize(
    ("count", "flops", "size"),
    [
        (0, "0 FLOPs", "0 B"),
        (999, "999 FLOPs", "999 B"),
        (1000, "1.0 kFLOPs", "1000 B"),
        (1024, "1.0 kFLOPs", "1.0 KiB"),
        (999_960, "1.0 MFLOPs", "976.5 KiB"),
        (2.5e13, "25.0 TFLOPs", "22.7 TiB"),
    ],
)
def test_units(count, flops, size):
    assert in_flops(count) == flops
    assert in_bytes(count) == size


def test_the_text_of_the_kernels():
    text = SMALL.replace("layers: 3", "layers: 7") + (
        "blocks: {near: {mask: causal & window(4)}, far: {mask: causal, positions: alibi}}\n"
        "pattern: [near * 2, far]\n"
    )
    lines = report_of(text).kernels().splitlines()
    assert [line.split("  ")[0] for line in lines] == [
        "scope",
        "layers.near.attention",
        "layers.far.attention",
    ]
    assert "0-1, 3-4, 6" in lines[1]
    assert "sdpa " in lines[1]
    assert "2, 5 " in lines[2]
    assert "sdpa+bias" in lines[2]
    column = lines[0].index("kernel")
    assert lines[1][column:].startswith("sdpa ")
    assert lines[2][column:].startswith("sdpa+bias ")


def test_the_data_of_a_report_is_plain():
    import json

    data = report_of(SMALL + "mask: causal & window(4)", sequence=8).to_json()
    assert json.loads(json.dumps(data)) == data
    assert data["attention"]["density"] == {"causal & window(4)": 26 / 64}
    assert data["attention"]["kernels"][0]["layers"] == [0, 1, 2]


def test_a_report_imports_neither_torch_nor_numpy():
    code = (
        "import sys, modelwright as mw\n"
        f"graph = mw.lower(mw.load({str(ROOT / 'examples' / 'gpt3_175b.yaml')!r}))\n"
        "report = mw.report(graph); report.render(), report.kernels(), report.to_json()\n"
        "print(sorted({'torch', 'numpy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
