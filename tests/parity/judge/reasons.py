"""Types of the library that are not transformers, or not only: known from their code."""

from __future__ import annotations

from collections.abc import Mapping


def _all(words: str, reason: str) -> dict[str, str]:
    return dict.fromkeys(words.split(), reason)


NO_TRANSFORMERS: Mapping[str, str] = {
    **_all("mamba mamba2 falcon_mamba", "state-space layers only"),
    **_all("rwkv", "a linear recurrence"),
    **_all("xlstm", "LSTM layers with matrix memories"),
    **_all("fnet", "Fourier transforms mix the tokens"),
    **_all("bit convnext convnextv2 efficientnet hgnet_v2 mobilenet_v1", "convolutions only"),
    **_all("mobilenet_v2 pp_lcnet regnet resnet textnet", "convolutions only"),
    **_all("focalnet", "focal modulation, no attention"),
    **_all("poolformer", "pooling mixes the patches"),
    **_all("timm_wrapper", "a wrapper of another library's models"),
}

PARTLY: Mapping[str, str] = {
    **_all("bamba falcon_h1 granitemoehybrid jamba nemotron_h", "hybrid with Mamba layers"),
    **_all("nemo_speechlm zamba zamba2", "hybrid with Mamba layers"),
    **_all("qwen3_next qwen3_5 qwen3_5_text qwen3_5_moe", "hybrid with gated delta rule layers"),
    **_all("qwen3_5_moe_text qwen4_exp qwen4_exp_text", "hybrid with gated delta rule layers"),
    **_all(
        "olmo_hybrid kimi_linear bailing_hybrid lara_mini", "hybrid with gated delta rule layers"
    ),
    **_all("recurrent_gemma", "hybrid with gated linear recurrences"),
    **_all("minimax", "hybrid with lightning attention"),
    **_all("lfm2 lfm2_moe lfm3", "hybrid with short convolutions"),
    **_all("inkling_text inkling2_text zaya", "hybrid with short convolutions inside attention"),
    **_all("convbert", "hybrid with span-based convolutions"),
    **_all("reformer", "attention by hashing"),
    **_all("mra", "multi-resolution approximation of attention"),
    **_all("yoso", "attention by sampled hashing"),
    **_all("nystromformer", "Nyström approximation of attention"),
    **_all("perceiver", "latent queries that read the input"),
    **_all("funnel", "queries pooled between blocks"),
    **_all("deepseek_v4 hy_v4 axk2", "keys chosen by a learned index"),
    **_all("dots3_note dots3_note_text minimax_m3_vl_text", "keys chosen by a learned index"),
    **_all("cvt levit mobilevit mobilevitv2", "hybrid with convolutions"),
    **_all("pvt pvt_v2 segformer swiftformer", "hybrid with convolutions"),
    **_all("donut-swin swin swinv2", "shifted windows of patches that are merged stage by stage"),
    **_all("dinat hiera", "windows of patches that are merged stage by stage"),
    **_all("siglip2", "positions stretched to the shape of each image"),
    **_all("encoder-decoder", "a wrapper of two models of other types"),
    **_all("blt", "bytes grouped into patches by another model"),
    **_all("prophetnet", "several predicting streams"),
}
"""Reasons that are better than that the importer does not know the type."""
