"""Why a model type of the library is not imported, where there is more to say than its name."""

from __future__ import annotations

_SSM = "it has state-space layers, which the language cannot say"
_RECURRENT = "it has recurrent layers, which the language cannot say"
_HYBRID = "some of its layers are no attention (state-space or linear recurrences)"

REASONS: dict[str, str] = {
    **dict.fromkeys(["mamba", "mamba2", "falcon_mamba"], _SSM),
    **dict.fromkeys(["rwkv", "xlstm"], _RECURRENT),
    **dict.fromkeys(
        ["siglip2", "siglip2_vision_model"],
        "its positions are stretched to the shape of each image",
    ),
    "vit_mae": "it hides patches at random each time that it is asked",
    **dict.fromkeys(
        ["swin", "swinv2", "donut-swin", "hiera"],
        "its patches are merged stage by stage, which the language cannot say",
    ),
    "wavlm": "its relative positions are gated by what is asked, which the language cannot say",
    "data2vec-audio": "its positions are several convolutions one upon the other",
    **dict.fromkeys(
        ["wav2vec2-conformer", "wav2vec2-bert"],
        "its layers have convolutions inside, which the language cannot say",
    ),
    **dict.fromkeys(
        ["sew", "sew-d"], "its frames are joined before the layers and told apart after them"
    ),
    "apertus": "the activation of its feed-forwards has weights of its own (xIELU)",
    "diffllama": "its attention is the difference of two, which the language cannot say",
    "doge": "its masks are made from the values of the tokens, which the language cannot say",
    "hrm_text": "its layers run again and again over two states, which the language cannot say",
    "reformer": "it attends by hashes, in reversible layers, which the language cannot say",
    "nllb-moe": "the library sends its tokens to two of all its experts, as no checkpoint means it",
    "beam": "branches are weighed by depth and queries by position, which the language cannot say",
    "jetmoe": "its attention is a mixture of experts too, which the language cannot say",
    "longcat_flash": "a layer has two attentions, and experts that do nothing",
    "zaya": "its attention has convolutions inside, which the language cannot say",
    "fnet": "it mixes tokens by a Fourier transform, which the language cannot say",
    **dict.fromkeys(
        [
            "bamba",
            "falcon_h1",
            "granitemoehybrid",
            "jamba",
            "nemotron_h",
            "zamba",
            "zamba2",
            "recurrent_gemma",
            "qwen3_next",
            "olmo_hybrid",
            "kimi_linear",
        ],
        _HYBRID,
    ),
}
