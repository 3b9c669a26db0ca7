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


HEAD = "head: language_model\n"

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


@pytest.mark.sampled(3)
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


@pytest.mark.sampled(3)
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


@pytest.mark.sampled(3)
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
    # what is kept in float32 or as whole numbers stays as it is
    assert half.activation_bytes < single.activation_bytes < 2 * half.activation_bytes


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


def test_flops_of_an_encoder_decoder_distinguish_its_lengths():
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


def test_activations_that_training_saves_by_hand():
    """What the norms, the linear layers, GELU and the fused kernel of the CPU need again."""
    B, T, D, F, H, L = 2, 5, 8, 20, 4, 3
    stream, statistics = B * T * D, 2 * B * T
    keys = B * T * 4  # 2 heads of 2
    attention = stream + 2 * keys + stream + B * H * T  # q, k and v, the result, a sum for each row
    feed_forward = 2 * B * T * F  # before and after GELU
    layer = 2 * (stream + statistics + stream) + attention + feed_forward  # norms: in and out
    behind = stream + statistics  # the final norm
    numbers = L * layer + behind
    assert (
        report_of(SMALL, batch=B, sequence=T).activation_bytes == 4 * numbers + 8 * T
    )  # positions


def test_scores_are_kept_only_where_they_are_written_out():
    B, H, T, L = 2, 4, 5, 3
    plain = report_of(SMALL, batch=B, sequence=T)
    text = SMALL.replace("kv_heads: 2", "kv_heads: 2, softcap: 30.0")
    capped = report_of(text, batch=B, sequence=T)
    assert {a.kernel for a in capped.attends} == {"explicit"}
    scores = B * H * T * T
    more = 3 * scores  # the tanh, the softmax, and that without what sees nothing
    more -= B * H * T  # no sums of rows
    booleans = scores + T * T  # what sees nothing, and the mask
    assert capped.activation_bytes - plain.activation_bytes == L * (4 * more + booleans)


def test_dropout_keeps_its_choice():
    """As numbers, on the CPU; and attention with dropout keeps its scores there."""
    T, D, H, L = 4, 8, 4, 3
    plain, dropped = report_of(SMALL, sequence=T), report_of(SMALL + "dropout: 0.1", sequence=T)
    choices = (2 * L + 1) * T * D  # of the embedding and of two branches of each layer
    scores = 3 * H * T * T  # the softmax, the choice, what it leaves
    keys = 2 * T * 4 - H * T  # for each head; no sums of rows
    more = choices + L * (scores + keys)
    assert dropped.activation_bytes - plain.activation_bytes == 4 * more
    # with fused kernels a boolean for each number, and no scores
    assert dropped.activations.gpu - plain.activations.gpu == choices


def test_checkpointing_keeps_the_stream():
    """What enters the three layers and the final norm; of a layer, the rest is made again."""
    T, D, L = 5, 8, 3
    kept = report_of(SMALL, sequence=T).activations
    assert kept.checkpointed == 4 * ((L + 1) * T * D + 2 * T) + 8 * T
    assert kept.checkpointed + L * kept.recomputed == kept.cpu


def test_one_loss_keeps_its_probabilities():
    """Next tokens: of all tokens but the last, their logarithms, labels and number."""
    B, T, V = 2, 5, 50
    head, none = (report_of(text, batch=B, sequence=T) for text in (SMALL + HEAD, SMALL))
    more = B * (T - 1) * V + B * T * 8  # and the input of the head
    assert head.activation_bytes - none.activation_bytes == 4 * (more + 1) + 8 * B * (T - 1)


# -- one step of decoding


def test_a_step_by_hand():
    B, S, D, F, V, E = 2, 10, 8, 20, 50, 2
    r = report_of(SMALL + HEAD, batch=B, sequence=S)
    step = r.decoding
    projections = 2 * B * D * (D + 2 * 4 + D)
    layer = projections + 4 * B * 4 * S * E + 2 * 2 * B * D * F
    assert step.flops == 3 * layer + 2 * B * D * V
    read = r.weights_total - r.weights["embedding"] - r.weights["positions"]
    assert step.weight_bytes == 4 * (read + B * 2 * D)  # a row of each table for each sequence
    assert (step.cache_length, step.cache_bytes, step.exact) == (S, r.cache_bytes, True)


def test_a_tied_table_is_read_in_full_once():
    head = "head: {type: language_model, tied: true}\n"
    tied, apart = (report_of(SMALL + text).decoding for text in (head, HEAD))
    assert tied.weight_bytes == apart.weight_bytes


def test_experts_that_a_step_reads():
    """Of one token those that serve it; of many, as many as are expected to be chosen."""
    one = mw.report(example("mixtral_8x7b"), batch=1)
    rows = 4096
    assert one.decoding.weight_bytes == 4 * (one.weights_active - 32000 * 4096 + rows)
    assert one.decoding.exact
    two = mw.report(example("mixtral_8x7b"), batch=2)
    expert = 3 * 4096 * 14336
    more = two.decoding.weight_bytes - one.decoding.weight_bytes
    assert more == 4 * (32 * (3.5 - 2) * expert + rows)  # 8 * (1 - (3/4)^2) of 8
    assert not two.decoding.exact


def test_an_encoder_has_no_step():
    assert report_of(SMALL.replace("decoder-only", "encoder-only")).decoding is None


def test_sums_of_linear_attention_stay_in_float32():
    text = SMALL.replace("kv_heads: 2", "type: linear")
    single, half = (report_of(text, dtype=dtype) for dtype in ("float32", "bfloat16"))
    assert single.cache_bytes == half.cache_bytes == 4 * 3 * 4 * 2 * (2 + 1)


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
        (
            {"dtype": "int8"},
            "unknown dtype 'int8'; expected one of: float64, float32, bfloat16, float16",
        ),
    ],
)
def test_options_that_make_no_sense(options, message):
    with pytest.raises(ValueError, match=message):
        report_of(SMALL, **options)


# -- text

TEXT = """\
small
  decoder: 3 layers, d_model 8

parameters      2,732          10.7 KiB in float32
  embedding       400  14.6 %
  positions       128   4.7 %
  attention       648  23.7 %  35.9 % of the layers
  feed-forward  1,044  38.2 %  57.9 % of the layers
  norm            112   4.1 %  6.2 % of the layers
  head            400  14.6 %

FLOPs for batch 1, sequence 8
  forward                  33.5 kFLOPs
    attention              11.7 kFLOPs  35.0 %
    feed-forward           15.4 kFLOPs  45.9 %
    head                    6.4 kFLOPs  19.1 %
  training (3 x forward)  100.4 kFLOPs
  per token                 4.2 kFLOPs
  with every score: 96 B S T + 3,872 B T

memory for batch 1, sequence 8 in float32
  activations saved for training  12.6 KiB  on the CPU, loss included
    with fused GPU kernels        12.6 KiB  an estimate
    with gradient checkpointing    2.9 KiB  plus 3.2 KiB for the layer that is recomputed
  cache                              384 B

one decoding step for batch 1, 8 tokens cached, in float32
  FLOPs, over all cached keys  4.3 kFLOPs
  weights read                    8.7 KiB
  cache read                        384 B

attention
  FLOPs of all scores and weighted sums: 96 B S T
  query-key pairs that the masks allow
    causal & window(4)  40.62 %  in 3 layers

B batch  T new tokens  S tokens seen so far

Counted from the spec; nothing was run. FLOPs are those of matrix products. Activations on
the CPU are within 2 % of the tensors that autograd saves (PyTorch 2.13, no padding).
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
    lines, others = (part.splitlines() for part in report_of(text).kernels().split("\n\n"))
    assert [line.split("  ")[-1].strip() for line in others] == [
        "because",
        "sequences have at most 16 tokens",
        "FlexAttention needs CUDA (`build --kernel flex`)",
        "half of all scores or more are needed",
        "FlexAttention needs CUDA (`build --kernel flex`)",
    ]
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


def test_each_group_of_heads_has_a_kernel():
    text = SMALL.replace(": 16", ": 4096").replace("kv_heads: 2", "kv_heads: 4")
    by_head = text + "mask: [causal & window(64), causal, causal & strided(200), causal]\n"
    found = report_of(by_head, sequence=2048)
    lines, others = (part.splitlines()[1:] for part in found.kernels().split("\n\n"))
    assert [line.split("  ")[0] for line in lines] == [
        f"layers.block.attention, head {i}" for i in range(4)
    ]
    assert [line.split("tiles")[0].split()[-1] for line in lines] == ["sdpa,"] * 4
    assert [line.rpartition("  ")[2].strip() for line in others[:4:2]] == [
        "it computes every score, also those that the mask excludes",
        "other layers of the stack use tiles; SDPA masks here",
    ]
    (kernel,) = found.to_json()["attention"]["kernels"]
    shares = [group["scores"] for group in kernel["heads"]]
    assert shares[0] < 0.1
    assert shares[1] == shares[3] == 2049 / 4096
    assert shares[2] < 0.01
    dense = report_of(by_head.replace("learned", "alibi"), sequence=2048).kernels()
    assert "one dense mask" not in dense
    assert "its heads have different masks, which are added to a bias" in dense


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


# -- the table of layers

LAYERS = """\
module               class        result           parameters                FLOPs
token_embedding      Embedding    1 x 8 x 8               400  14.6 %
position_embedding   Embedding    1 x 8 x 8               128   4.7 %
layers.0-2           Block        1 x 8 x 8   x 3         596  65.4 %   9.0 kFLOPs  80.9 %
  attention_norm     LayerNorm    1 x 8 x 8   x 3          16   1.8 %
  attention          Attention    1 x 8 x 8   x 3         216  23.7 %   3.9 kFLOPs  35.0 %
  feed_forward_norm  LayerNorm    1 x 8 x 8   x 3          16   1.8 %
  feed_forward       FeedForward  1 x 8 x 8   x 3         348  38.2 %   5.1 kFLOPs  45.9 %
norm                 LayerNorm    1 x 8 x 8                16   0.6 %
head                 Linear       1 x 8 x 50              400  14.6 %   6.4 kFLOPs  19.1 %
all                                                     2,732          33.5 kFLOPs
Parameters and FLOPs are those of one layer; shares are those of all that are named.
"""


def test_the_table_of_layers():
    r = report_of(SMALL + "mask: causal & window(4)\nhead: language_model", sequence=8)
    assert r.layer_table() + "\n" == LAYERS


@pytest.mark.sampled(3)
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_the_layers_are_the_whole(path: Path) -> None:
    """Rows without those above them add up, and hold the parts of what is above them."""
    r = mw.report(path, batch=2)
    tops = [row for row in r.layer_rows if row.depth == 0]
    assert sum(row.weights * row.stored for row in tops) == r.weights_total
    assert sum(row.flops * row.times for row in tops) == pytest.approx(r.forward, rel=1e-9)
    for place, row in enumerate(r.layer_rows):
        inner = []
        for other in r.layer_rows[place + 1 :]:
            if other.depth <= row.depth:
                break
            if other.depth == row.depth + 1:
                inner.append(other)
        if row.kind.endswith("Block"):
            assert sum(each.weights for each in inner) == row.weights
            assert sum(each.flops for each in inner) == pytest.approx(row.flops)


def test_a_third_and_two_thirds():
    """Of the layers of a Transformer, as lectures say it: 4 D^2 of 12 D^2 are attention."""
    lines = mw.report(example("gpt3_175b")).render().splitlines()
    shares = {line.split()[0]: line for line in lines if "of the layers" in line}
    assert "33.3 % of the layers" in shares["attention"]
    assert "66.7 % of the layers" in shares["feed-forward"]


# -- published numbers


def test_training_gpt3_costs_what_was_published():
    """3.14e23 FLOPs for 300e9 tokens of 2,048 (Brown et al. 2020, arXiv:2005.14165, table D.1)."""
    r = mw.report(example("gpt3_175b"), sequence=2048)
    per_token = r.to_json()["flops"]["training"] / 2048
    assert per_token * 300e9 == pytest.approx(3.14e23, rel=0.03)


@pytest.mark.parametrize(
    ("name", "sequence", "flops"),
    [
        # Sun et al. 2020, arXiv:2004.02984, table 1: 22.5 B for 128 tokens
        ("bert_base", 128, 22.5e9),
        # torchvision's table of models: 17.56 G multiply-adds, counted by fvcore
        ("vit_b16", None, 2 * 17.56e9),
    ],
)
def test_forwards_cost_what_was_published(name, sequence, flops):
    assert mw.report(example(name), sequence=sequence).flops_dense == pytest.approx(flops, rel=0.01)


@pytest.mark.parametrize(
    ("name", "billions", "active"),
    [
        ("gpt3_175b", 174.6, 174.6),  # table D.1 of the same paper: 174,600 M
        ("gpt_neox_20b", 20.55, 20.55),  # Black et al. 2022, arXiv:2204.06745
        ("llama3_8b", 8.03, 8.03),  # the model card: 8.03 B
        ("mixtral_8x7b", 46.7, 12.9),  # Mistral AI 2023: 46.7 B, 12.9 B for each token
        ("deepseek_v3", 671, 37),  # DeepSeek-AI 2024, arXiv:2412.19437
        ("bert_base", 0.110, 0.110),  # Devlin et al. 2018, arXiv:1810.04805
        ("bert_large", 0.340, 0.340),
        ("t5_base", 0.220, 0.220),  # Raffel et al. 2019, arXiv:1910.10683
    ],
)
def test_sizes_are_those_that_were_published(name, billions, active):
    """To the digits of the papers; 1.5 % for those that round to two."""
    report = mw.report(example(name))
    assert report.weights_total / 1e9 == pytest.approx(billions, rel=0.015)
    assert report.weights_active / 1e9 == pytest.approx(active, rel=0.02)


def test_the_latent_cache_is_as_small_as_was_published():
    """70.272 KB for each token in bfloat16 (Zhao et al. 2025, arXiv:2505.09343, table 1)."""
    report = mw.report(example("deepseek_v3"), sequence=1, dtype="bfloat16")
    assert report.cache_bytes == 70_272
