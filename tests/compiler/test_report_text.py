"""The cost report as text and tables, and numbers that were published."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from fuzz.work import within
from reports import EXAMPLES, ROOT, SMALL, example, report_of

import modelwright as mw
from modelwright.compiler.report_text import in_bytes, in_flops

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
  activations saved for training  12.5 KiB  on the CPU, loss included
    with fused GPU kernels        12.5 KiB  an estimate
    with gradient checkpointing    2.8 KiB  plus 3.2 KiB for the layer that is recomputed
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
the CPU are within 2 % of the tensors that autograd saves (PyTorch 2.13, no padding); within
6 % for a single sequence, and within 20 % for attention with one head or in a recurrence.
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


def test_the_costs_of_very_many_layers_are_counted_by_kind():
    graph = mw.lower(mw.loads(SMALL.replace("layers: 3", "layers: 100000")))
    kept = within(400, lambda: mw.report(graph)).activations
    few = report_of(SMALL.replace("layers: 3", "layers: 4")).activations
    more = report_of(SMALL.replace("layers: 3", "layers: 5")).activations
    assert kept.cpu == few.cpu + (100_000 - 4) * (more.cpu - few.cpu)
