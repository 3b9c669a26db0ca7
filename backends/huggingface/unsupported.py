"""Reasons why model types and classes of the library cannot be imported."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_SSM = "it has state-space layers"
_RECURRENT = "it has recurrent layers"
_HYBRID = "some layers are state-space or linear recurrences instead of attention"

CLASS_REASONS: dict[str, str] = {
    "BigBirdForQuestionAnswering": "it has a feed-forward layer before the logits",
    **dict.fromkeys(
        [
            "LongformerForSequenceClassification",
            "LongformerForMultipleChoice",
            "LongformerForQuestionAnswering",
        ],
        "the library sets global attention on the first token or the question",
    ),
    **dict.fromkeys(
        ["UniSpeechForPreTraining", "UniSpeechSatForPreTraining"],
        "its codebooks are used only in training",
    ),
    **dict.fromkeys(
        ["Wav2Vec2ForXVector", "UniSpeechSatForXVector"],
        "it has convolutions over time before the classifier",
    ),
    "EuroBertForSequenceClassification": "logits are averaged over all tokens",
    **dict.fromkeys(
        ["GPT2DoubleHeadsModel", "OpenAIGPTDoubleHeadsModel"],
        "its second head reads the hidden state of a token that each call names",
    ),
    **dict.fromkeys(
        ["FlaubertForQuestionAnswering", "XLMForQuestionAnswering", "XLNetForQuestionAnswering"],
        "it searches for the end of an answer from each of its best starts",
    ),
    **dict.fromkeys(
        [
            "LukeForEntityClassification",
            "LukeForEntityPairClassification",
            "LukeForEntitySpanClassification",
        ],
        "it reads entities beside the tokens",
    ),
    "MoshiForConditionalGeneration": "it reads and predicts several codebooks at once",
    **dict.fromkeys(
        ["BeitBackbone", "Dinov2Backbone", "Dinov2WithRegistersBackbone", "DINOv3ViTBackbone"],
        "it returns the features of several layers, for a detector",
    ),
    **dict.fromkeys(
        ["BeitForSemanticSegmentation", "Data2VecVisionForSemanticSegmentation"],
        "its segmentation head has convolutions over the features of several layers",
    ),
    **dict.fromkeys(
        ["DeiTForMaskedImageModeling", "ViTForMaskedImageModeling"],
        "it reads masked patches and predicts pixels",
    ),
    "BeitForMaskedImageModeling": "it reads masked patches and predicts the ids of image tokens",
    **dict.fromkeys(
        ["Llama4VisionModel", "MllamaVisionModel"],
        "only the text part of models that read images is supported",
    ),
    **dict.fromkeys(
        ["Llama4TextModel", "Llama4ForCausalLM"],
        "the config.json of the text model alone has the model_type `llama4_text`",
    ),
    **dict.fromkeys(
        ["MllamaTextModel", "MllamaForCausalLM"],
        "the config.json of the text model alone has the model_type `mllama_text_model`",
    ),
    **dict.fromkeys(
        [
            "T5GemmaEncoderModel",
            "T5GemmaForSequenceClassification",
            "T5GemmaForTokenClassification",
            "WhisperForAudioClassification",
        ],
        "the encoder without its decoder is not supported",
    ),
    "CohereCompassTextForSequenceClassification": "its pooling is in another part of the config",
    "JevForDecision": "it computes logits at marked positions of a prompt",
    "RoFormerForMultipleChoice": "it pools the last index of a row, even if it is padding",
}
"""Class name -> why it is not supported although its model type is."""

REASONS: dict[str, str] = {
    **dict.fromkeys(["mamba", "mamba2", "falcon_mamba"], _SSM),
    **dict.fromkeys(["rwkv", "xlstm"], _RECURRENT),
    **dict.fromkeys(
        ["RefinedWeb", "RefinedWebModel"],
        "this is the type of Falcon's first files; `falcon` is that of today's, with other keys",
    ),
    "baichuan": (
        "its code is not in transformers, and its config does not say which one it is: queries, "
        "keys and values are packed (7B), scores have ALiBi (13B), the output table is normalised "
        "(Baichuan 2)"
    ),
    "chatglm": "its code is not in transformers; `glm` and `glm4` are the types that are",
    "deepseek": "its code is not in transformers; unlike `deepseek_v2`, it has no latent attention",
    "internlm": "its code is not in transformers; `internlm3` is the type that is",
    "internlm2": (
        "its code is not in transformers; it is Llama with packed queries, keys and values, so "
        "that a checkpoint with unpacked ones can be imported as `llama`"
    ),
    "minicpm": (
        "its code is not in transformers; it is Llama with scaled embeddings, branches and logits, "
        "such as `granite`"
    ),
    "phi3small": (
        "its code is not in transformers; some layers have block-sparse masks that differ by head"
    ),
    "qwen": "its code is not in transformers; `qwen2` is the type that is",
    "xverse": "its code is not in transformers; it is Llama under another name: use `llama`",
    **dict.fromkeys(
        ["siglip2", "siglip2_vision_model"],
        "its position embeddings are interpolated to the shape of each image",
    ),
    "vit_mae": "it masks random patches in every call",
    **dict.fromkeys(
        ["swin", "swinv2", "donut-swin", "hiera"],
        "it merges patches between stages",
    ),
    "wavlm": "its position biases are gated by the query",
    "data2vec-audio": "its positional embedding is a stack of convolutions",
    **dict.fromkeys(
        ["wav2vec2-conformer", "wav2vec2-bert"],
        "its layers contain convolutions",
    ),
    **dict.fromkeys(
        ["sew", "sew-d"], "frames are pooled before the layers and upsampled after them"
    ),
    "doge": "its masks depend on the values",
    **dict.fromkeys(
        ["inkling2_loop", "inkling2_loop_text"],
        "its middle layers are applied repeatedly, with messages from one pass to the next",
    ),
    "dory": "its middle layers are applied repeatedly, and branches are mixed in by learned rates",
    **dict.fromkeys(
        ["omniasr", "omniasr_ctc"],
        "its speech encoder is that of `wav2vec2` without weight normalisation",
    ),
    "hrm_text": "its layers are applied repeatedly to two states",
    "cpmant": "it prepends learned prompts and adds segment biases to the scores",
    "gemma3n_text": "layers predict and correct several streams; later ones share keys and values",
    **dict.fromkeys(
        ["gemma4", "gemma4_text", "gemma4_unified", "gemma4_unified_text"],
        "it has embeddings for each layer; later layers share keys and values",
    ),
    "layoutlm": "it embeds the bounding boxes of tokens, with tables shared between coordinates",
    "mobilebert": "its layers have bottlenecks and several feed-forwards each",
    **dict.fromkeys(
        ["musicgen", "musicgen_melody"], "it reads and predicts several codebooks at once"
    ),
    "neomme": "it adds embeddings to the values, and mixes in the first hidden states again",
    "pegasus_x": "its encoder has learned global tokens and shifted blocks",
    "roc_bert": "it adds embeddings of the shape and pronunciation of characters",
    **dict.fromkeys(
        ["seamless_m4t", "seamless_m4t_v2"],
        "it combines text and speech models whose layers contain convolutions",
    ),
    "squeezebert": "its projections are grouped convolutions",
    "t5gemma2": "its decoder merges self-attention and cross-attention",
    "tapas": "it has seven token type ids, and positions restart in each table cell",
    "voxtral_realtime": "its norms depend on a delay, which is an argument",
    "xmod": "each layer has an adapter per language",
    "reformer": "it has LSH attention and reversible layers",
    "nllb-moe": "the library routes tokens in another way than its checkpoints expect",
    "beam": "branches are scaled by depth, queries by position",
    "jetmoe": "its attention is a mixture of experts",
    "longcat_flash": "each layer has two attentions, and some experts are the identity",
    "zaya": "its attention contains convolutions",
    "fnet": "it mixes tokens by a Fourier transform",
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
            "bailing_hybrid",
            "qwen3_5_text",
            "qwen3_5_moe_text",
            "lara_mini",
        ],
        _HYBRID,
    ),
    **dict.fromkeys(["lfm2", "lfm2_moe", "lfm3"], "some layers are gated convolutions"),
    "convbert": "part of its attention is replaced by convolutions that depend on the tokens",
    "funnel": "it pools tokens between blocks of layers",
    "nystromformer": "it approximates the scores by those of a few landmarks",
    **dict.fromkeys(["yoso", "mra"], "it samples or approximates the scores"),
    "prophetnet": "its decoder predicts several tokens at once, each by a stream of its own",
    "canine": "it embeds characters by several hashes, and pools them by a convolution",
    "perceiver": "it attends from learned vectors to the inputs, and back",
    "blt": "it joins bytes to patches, whose lengths another model chooses",
    "splinter": "its head compares each token with the question's tokens",
    **dict.fromkeys(
        ["layoutlmv2", "layoutlmv3", "layoutxlm", "lilt", "bros", "markuplm", "udop"],
        "it reads the places of words on a page",
    ),
    **dict.fromkeys(
        ["lxmert", "visual_bert", "vilt"], "it reads text and the features of an image together"
    ),
    **dict.fromkeys(
        ["autoformer", "informer", "time_series_transformer", "patchtst", "patchtsmixer"],
        "it reads time series, which it scales by their own mean and deviation",
    ),
    **dict.fromkeys(["timesfm", "timesfm2_5"], "it reads and predicts patches of time series"),
    **dict.fromkeys(
        ["encoder-decoder", "vision-encoder-decoder", "speech-encoder-decoder", "rag"],
        "it combines models of other types",
    ),
    **dict.fromkeys(
        ["speecht5", "vits", "fastspeech2_conformer", "univnet", "dac", "encodec", "mimi"],
        "its outputs are sounds",
    ),
}
"""Model type -> why it is not supported."""

VALUE_REASONS: dict[str, str] = {
    "conv_kernel_size": "a convolution beside the first layer is not supported",
    "encoder_attention_type": "`transient-global` adds a token for each block of the text",
    "pre_norm": "the library's own code for it fails",
    "quantization": "weights are quantized, as by MLX; convert them to floats first",
    "quantization_config": "weights are read as floating-point numbers; convert them first",
    "is_causal": "equal results of this type without a causal mask are not tested",
    "token_classification_bias": "classifiers of tokens have a bias here",
    "use_bidirectional_attention": "its effect in the library depends on padding and the kernel",
}
"""Key of config.json -> why it is supported at one value only."""

_OWN_CODE = "its code is in the checkpoint (`auto_map`), not in transformers"
_USUAL_LAYERS = frozenset(["full_attention", "sliding_attention", "chunked_attention"])


def why_not(kind: str, config: Mapping[str, Any]) -> str:
    """Why a model type without rows is not supported, as far as its config.json tells."""
    if kind in REASONS:
        return REASONS[kind]
    if config.get("auto_map"):
        return _OWN_CODE
    parts = [f"`{k}`" for k, v in config.items() if k.endswith("_config") and _is_model(v)]
    if parts:
        return f"it combines models: {', '.join(parts)}"
    types = config.get("layer_types")
    if isinstance(types, list) and (unusual := {str(name) for name in types} - _USUAL_LAYERS):
        return f"it has layers of unknown types: {', '.join(sorted(unusual))}"
    if "depths" in config or "hidden_sizes" in config:
        return "its layers form stages of different resolution"
    return "there are no rules that convert its config.json and weights to a spec"


def why_not_class(name: str, config: Mapping[str, Any]) -> str:
    """Why a class of a supported model type is not supported."""
    if name not in CLASS_REASONS and config.get("auto_map"):
        return _OWN_CODE
    return CLASS_REASONS.get(name, "there are no rules for this class of the model")


def _is_model(value: object) -> bool:
    """Whether this value of a config.json is the config of a model."""
    return isinstance(value, Mapping) and ("model_type" in value or "hidden_size" in value)
