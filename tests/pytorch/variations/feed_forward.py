"""Feed-forward branches, including experts."""

from __future__ import annotations

from .base import Variation, both, decoder, encoder

ACTIVATIONS = (
    "gelu",
    "gelu_tanh",
    "quick_gelu",
    "relu",
    "relu2",
    "silu",
    "tanh",
    "sigmoid",
    "softplus",
    "identity",
    "{type: swish, beta: 1.7}",
)

FEED_FORWARDS = {
    "d_ff": "{d_ff: 24, bias: false}",
    "hidden_multiple": "{d_ff: 3/2 * d_model}",
    "inner_norm": "{inner_norm: true, hidden_dropout: 0.1}",
    "own_norm": "{norm: rmsnorm, norm_placement: output}",
    "glu": "{type: glu, d_ff: 24, activation: silu}",
    "glu_clamped": "{type: glu, d_ff: 24, activation: {type: swish, beta: 1.7}, clamp: 0.5, "
    "linear_offset: 1}",
    "glu_inner_norm": "{type: glu, inner_norm: true, bias: false, hidden_dropout: 0.2}",
    "bias_of_one": "{bias: [down]}",
    "glu_bias_of_two": "{type: glu, d_ff: 24, bias: [gate, down]}",
    "glu_own_norm": "{type: glu, norm: rmsnorm}",
    "none": "none",
}

EXPERTS = {
    "plain": "expert: mlp",
    "weights_of_all": "router: {normalize: false, scale: 2.5, bias: true}",
    "sigmoid": "router: {score: sigmoid, scale: 0.5}",
    "sigmoid_of_all": "router: {score: sigmoid, normalize: false}",
    "selection_bias": "router: {selection_bias: true}",
    "sigmoid_in_groups": "router: {score: sigmoid, selection_bias: true, "
    "groups: {count: 4, top_k: 2, score: top2_sum}}",
    "groups": "router: {normalize: false, groups: {count: 4, top_k: 3}}",
    "groups_by_two": "router: {groups: {count: 2, top_k: 1, score: top2_sum}}",
    "selection_by_logits": "router: {score: sigmoid, selection_bias: true, choose_by: logits}",
    "weighed_input": "weigh: input, router: {score: sigmoid, normalize: false}, "
    "shared_expert: {d_ff: 12}",
    "sparsemixer": "router: {score: sparsemixer, jitter: 0.4}",
    "glu": "expert: {type: glu, d_ff: 12, activation: silu, hidden_dropout: 0.1}",
    "glu_clamped": "router: {bias: true}, expert: {type: glu, d_ff: 12, clamp: 0.5, "
    "linear_offset: 1, activation: {type: swish, beta: 1.7}, bias: true}",
    "unbiased": "expert: {bias: false, d_ff: 2 * d_model, hidden_dropout: 0.1}",
    "bias_of_one": "expert: {type: glu, d_ff: 12, bias: [down]}, shared_expert: {bias: [up]}",
    "shared": "shared_expert: {type: glu, d_ff: 12, hidden_dropout: 0.2}",
    "shared_gated": "shared_expert: {d_ff: 24}, shared_gate: true, norm: rmsnorm",
    "inner_norm": "expert: {inner_norm: true, hidden_dropout: 0.1}, "
    "shared_expert: {type: glu, d_ff: 12, inner_norm: true}",
    "inner_norm_offset": "expert: {type: glu, d_ff: 12, inner_norm: true}, norm: {type: rmsnorm, "
    "weight_offset: 1, eps: 0.01}",
    "inner_norm_without_weights": "expert: {inner_norm: true, d_ff: 9}, norm: {affine: false}",
}

ROWS: dict[str, Variation] = {
    **{f"feed_forward_{k}": decoder(f"feed_forward={v}") for k, v in FEED_FORWARDS.items()},
    **{
        f"experts_{k}": decoder(f"feed_forward={{type: moe, experts: 8, top_k: 3, {v}}}")
        for k, v in EXPERTS.items()
    },
    **{
        f"experts_{k}": encoder(f"feed_forward={{type: moe, experts: 4, top_k: {v}}}")
        for k, v in {
            "capacity": "2, capacity: 3",
            "capacity_of_the_switch": "1, capacity: 2, router: {normalize: false}",
            "losses": "2, capacity: 3, balance_loss: 0.3, z_loss: 0.2, router: {score: sigmoid}",
            "capacity_factor": "2, capacity_factor: 0.5, expert: {bias: false}",
        }.items()
    },
    "experts_both": both("feed_forward={type: moe, experts: 4, top_k: 2}", "init=xavier"),
    "experts_after_dense_layers": decoder(
        "layers=3",
        "feed_forward={type: moe, experts: 4, top_k: 1, expert: {type: glu, d_ff: 8}, "
        "router: {normalize: false}, "
        "shared_expert: {d_ff: 12}}",
        "overrides={0: {feed_forward: {type: glu, d_ff: 24}}}",
        "init={type: normal, depth_scaled: true}",
    ),
    **{f"activation {a}": decoder(f"activation={a}") for a in ACTIVATIONS},
    "activation xielu": decoder("feed_forward={activation: xielu}"),
    "activation xielu, gated": encoder("feed_forward={type: glu, d_ff: 24, activation: xielu}"),
}
