"""Every option that the oracle knows: a new one is an error until it is computed here."""

from typing import Any

from ...spec.model import ModelSpec
from ...spec.part import Part
from .weights import unknown

NO_EFFECT = """
type name description family modelwright init bos eos decoder_start dropout hidden_dropout drop_path
float32 temperature
"""
"""Options of names, of fresh weights, of training and of generation: they change no output."""

KNOWN = """
ModelSpec: stacks heads tokens; SpecialTokens: pad
Stack: layers d_model vocab_size max_positions input streams positions norm activation bias
Stack: final_norm output_width blocks order
Block: attention cross_attention feed_forward sublayers mask positions norm norm_placement residual
Block: condition activation bias share; Branch: norm norm_placement; Memory: memory
Source: prefix_tokens normalize norm optional argument
Tokens: vocab_size width project scale add tied
Patches: layout image_size patch_size stride channels bias registers
ConvStem: layout channels axes layers padded activation bias project scale
ConvLayer: channels kernel stride dilation separable normalize gated; Features: size bias
LayerNorm RmsNorm: eps affine weight_offset; LayerNorm: bias; Swish: beta
Learned: offset skip_padding
Sinusoidal: axes layout denominator offset skip_padding; Convolution: kernel groups activation
Rotary: theta fraction layout axes coordinates scaling; Temperature: length slope offset
Alibi: slopes before_scale
RelativeBias: buckets max_distance bidirectional share; RelativeTable: axes share
Disentangled: terms buckets max_distance share_projections normalize
LinearScaling DynamicScaling Llama3 Yarn: factor
DynamicScaling Llama3 Yarn LongRope: original_max_positions
Llama3: low_freq_factor high_freq_factor
Yarn: beta_fast beta_slow mscale mscale_all_dims truncate
LongRope: short_factor long_factor short_mscale long_mscale
Mha: heads kv_heads head_dim value_dim bias scale score qk_norm softcap sinks clip_qkv output_gate
Mha: gate output_norm score_bias separate_global; QkNorm: norm before_clip
HeadQkNorm PerHeadQkNorm: after_positions
Mla: heads query_rank kv_rank nope_dim rope_dim value_dim latent_eps bias scale
LinearAttention: heads head_dim feature_map map_values normalize decay output_norm output_gate bias
Fastformer: heads bias; Hidden: d_ff activation bias inner_norm; Glu: clamp linear_offset
Moe: experts top_k expert shared_expert weigh shared_gate router capacity capacity_factor
Router: score normalize bias selection_bias choose_by groups scale jitter
Groups: count top_k score; Joining: scale stream_scale layer_scale from_; Parallel: shared_norm
HeadPart: stack
LanguageModel: vocab_size tied bias transform input_scale scale softcap
DenseTransform: width inner activation norm bias
Classifier: classes pool pooled_norm norm hidden activation hidden_bias hidden_norm bias
ProjectionHead: size pool activation bias normalize; Contrastive: size towers loss; Tower: pool
FirstPool: tokens joined; MeanPool FirstAndMeanPool: skip; TokenPool: id
"""
"""Classes, and the options that they bring; classes that come from them have them too."""


def known_options(cls: type[Part]) -> set[str]:
    """The options of a class that are computed here."""
    found = set(NO_EFFECT.split())
    names = {base.__name__ for base in cls.__mro__}
    for row in KNOWN.replace(";", "\n").splitlines():
        classes, _, options = row.partition(":")
        found |= set(options.split()) if names & set(classes.split()) else set()
    return found


def check_options(value: Any) -> None:
    """Raise OracleError for an option of any part of a spec that is in neither table.

    How fresh weights are drawn (`init`) is not looked at.
    """
    if isinstance(value, Part):
        known = known_options(type(value))
        for option in type(value).model_fields:
            if option not in known:
                raise unknown(f"the option `{option.rstrip('_')}` of {type(value).__name__}")
            if not (isinstance(value, ModelSpec) and option == "init"):
                check_options(getattr(value, option))
    elif isinstance(value, (dict, tuple)):
        for inner in value.values() if isinstance(value, dict) else value:
            check_options(inner)
