"""The cost report: FLOPs counted by running, memory counted by hand."""

from __future__ import annotations

import pytest
from reports import HEAD, ROOT, SMALL, example, report_of

import modelwright as mw

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


def test_interleaved_inputs_have_as_many_tokens_as_whole_steps() -> None:
    """`max_positions` counts steps of three tokens; a stack that continues them has no memory."""
    assert mw.report(example("decision_transformer")).sequence == 1023  # at most 1024
    path = ROOT / "examples" / "decision_transformer.yaml"
    costs = mw.report(mw.load(path, sets=["stacks.steps.max_positions=20"]))
    assert costs.sequence == 60
    assert "M" not in costs.flops_formula
    with pytest.raises(ValueError, match="is 10, but 3 interleaved inputs have a multiple of 3"):
        mw.report(path, sequence=10)


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
