"""Norms, residual branches, biases, and initialisation."""

from __future__ import annotations

from .base import Variation, both, decoder

NORMS = {
    "rmsnorm": "norm={type: rmsnorm, eps: 1e-3}",
    "no_norm": "norm=none",
    "layernorm_without_bias": "norm={bias: false, eps: 1e-3}",
    "layernorm_plain": "norm={affine: false}",
    "layernorm_offset": "norm={weight_offset: 1}",
    "layernorm_offset_without_bias": "norm={weight_offset: 1, bias: false}",
    "rmsnorm_offset": "norm={type: rmsnorm, weight_offset: 1}",
    "rmsnorm_plain": "norm={type: rmsnorm, affine: false}",
    "post": "norm_placement=post",
    "sandwich": "norm_placement=sandwich",
    "output": "norm_placement=output",
    "unplaced": "norm_placement=none",
    "no_final_norm": "final_norm=false",
    "own_norm": "attention.norm=rmsnorm",
}

RESIDUALS = {
    "parallel": "residual=parallel",
    "parallel_shared_norm": "residual={type: parallel, shared_norm: true}",
    "scaled": "residual={scale: 0.5, stream_scale: 2}",
    "layer_scale": "residual={layer_scale: 0.1}",
    "parallel_scaled": "residual={type: parallel, layer_scale: 0.1, scale: 0.3, "
    "stream_scale: 1.5, drop_path: 0.1}",
    "rezero": "residual={gate: rezero, scale: 0.5}",
    "parallel_rezero": "residual={type: parallel, gate: rezero}",
    "tanh_gate": "residual={gate: tanh, scale: 0.5}",
    "parallel_tanh_gate": "residual={type: parallel, gate: tanh}",
    "gate": "residual={gate: output, stream_scale: 1.5, drop_path: 0.1}",
    "parallel_gate": "residual={type: parallel, gate: output, layer_scale: 0.1}",
    "highway": "residual={gate: highway, gate_bias: 1, layer_scale: 0.1}",
    "gru": "residual={gate: gru, gate_bias: 2, activation: relu, layer_scale: 0.1}",
    "drop_path": "residual={drop_path: 0.2}",
    "from_normed": "residual={from: normed}",
    "parallel_from_normed": "residual={type: parallel, shared_norm: true, from: normed}",
    "no_residual": "residual=none",
}

INITIALS = (
    "{type: normal, std: 0.1}",
    "{type: normal, depth_scaled: true}",
    "{type: truncated_normal, std: 0.1}",
    "xavier",
    "orthogonal",
)

ROWS: dict[str, Variation] = {
    **{f"norm_{k}": decoder(v, "dropout=0.1") for k, v in NORMS.items()},
    **{f"residual_{k}": decoder(v, "dropout=0.1") for k, v in RESIDUALS.items()},
    "residual_parallel_sandwich": decoder("residual=parallel", "norm_placement=sandwich"),
    "residual_parallel_both": both("residual=parallel"),
    **{
        f"residual_{gate}_{placement}": decoder(
            f"residual.gate={gate}", f"norm_placement={placement}"
        )
        for gate in ("output", "highway", "gru")
        for placement in ("post", "none")
    },
    "no_bias": decoder("bias=false"),
    **{f"init {init}": decoder(f"init={init}", "residual.layer_scale=0.1") for init in INITIALS},
}
