"""Why a model type of the library is not imported, where there is more to say than its name."""

from __future__ import annotations

_SSM = "it has state-space layers, which the language cannot say"
_RECURRENT = "it has recurrent layers, which the language cannot say"
_HYBRID = "some of its layers are no attention (state-space or linear recurrences)"

REASONS: dict[str, str] = {
    **dict.fromkeys(["mamba", "mamba2", "falcon_mamba"], _SSM),
    **dict.fromkeys(["rwkv", "xlstm"], _RECURRENT),
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
            "minimax",
        ],
        _HYBRID,
    ),
}
