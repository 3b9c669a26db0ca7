"""Why a model type of the library is not imported, where there is more to say than its name."""

from __future__ import annotations

_SSM = "it has state-space layers, which the language cannot say"
_RECURRENT = "it has recurrent layers, which the language cannot say"
_HYBRID = "some of its layers are no attention (state-space or linear recurrences)"

CLASS_REASONS: dict[str, str] = {
    "SiglipModel": "its image tower is pooled by a learned query that attends to all patches",
    "BigBirdForQuestionAnswering": "a whole feed-forward layer stands before its scores",
    **dict.fromkeys(
        [
            "LongformerForSequenceClassification",
            "LongformerForMultipleChoice",
            "LongformerForQuestionAnswering",
        ],
        "the library makes its first token or its question global",
    ),
    **dict.fromkeys(
        ["UniSpeechForPreTraining", "UniSpeechSatForPreTraining"],
        "its codebooks are used in training alone",
    ),
    **dict.fromkeys(
        ["Wav2Vec2ForXVector", "UniSpeechSatForXVector"],
        "convolutions over time stand before its classes",
    ),
    "EuroBertForSequenceClassification": "its scores are averaged over all tokens of a text",
    **dict.fromkeys(
        ["BeitBackbone", "Dinov2Backbone", "Dinov2WithRegistersBackbone", "DINOv3ViTBackbone"],
        "it gives the features of several layers, which a detector reads",
    ),
    **dict.fromkeys(
        ["BeitForSemanticSegmentation", "Data2VecVisionForSemanticSegmentation"],
        "convolutions over the features of several layers make its map of pixels",
    ),
    **dict.fromkeys(
        ["DeiTForMaskedImageModeling", "ViTForMaskedImageModeling"],
        "it reads images with hidden patches and writes pixels",
    ),
    **dict.fromkeys(
        ["Llama4VisionModel", "MllamaVisionModel"], "of models that read images, the text is read"
    ),
    **dict.fromkeys(
        ["Llama4TextModel", "Llama4ForCausalLM"],
        "the config.json of the text alone has the model_type `llama4_text`",
    ),
    **dict.fromkeys(
        ["MllamaTextModel", "MllamaForCausalLM"],
        "the config.json of the text alone has the model_type `mllama_text_model`",
    ),
    **dict.fromkeys(
        [
            "T5GemmaEncoderModel",
            "T5GemmaForSequenceClassification",
            "T5GemmaForTokenClassification",
            "WhisperForAudioClassification",
        ],
        "its encoder alone is not read",
    ),
    "CohereCompassTextForSequenceClassification": "its pooling is in another part of the config",
    "JevForDecision": "it scores marked places of a prompt",
    "RoFormerForMultipleChoice": "it reads the last place of a row, padding or not",
}
"""Why a class of a type that is imported is not, where there is more to say than its name."""

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
    "cpmant": "learned prompts stand before each text, and scores are biased by segments",
    "gemma3n_text": "layers predict and correct several streams, and later ones share their keys",
    **dict.fromkeys(
        ["gemma4", "gemma4_text", "gemma4_unified", "gemma4_unified_text"],
        "each layer adds embeddings of its own, and later ones share their keys",
    ),
    "layoutlm": "tokens have boxes, whose edges are looked up in tables that they share",
    "mobilebert": "its layers narrow the stream, and have several feed-forwards each",
    **dict.fromkeys(
        ["musicgen", "musicgen_melody"], "it reads and writes several codebooks at once"
    ),
    "neomme": "values get embeddings of their own, and the first stream is mixed in again",
    "pegasus_x": "its encoder has global tokens of its own beside blocks that are shifted",
    "roc_bert": "shapes and sounds of characters are joined to its tokens",
    **dict.fromkeys(
        ["seamless_m4t", "seamless_m4t_v2"],
        "several models of texts and sounds in one, with convolutions among their layers",
    ),
    "squeezebert": "its projections are convolutions in groups",
    "t5gemma2": "its decoder attends to itself and to the encoder at once",
    "tapas": "tokens have seven kinds at once, and positions begin anew in each cell of a table",
    "voxtral_realtime": "its norms depend on a delay, which is given beside the text",
    "xmod": "each language has an adapter in each layer",
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
