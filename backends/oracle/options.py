"""The parts, options and words that the oracle supports; all others are errors."""

from functools import cache
from typing import Any

from ...spec.model import ModelSpec
from ...spec.part import Part
from .weights import unknown

NO_EFFECT = """
type name description family modelwright init bos eos decoder_start dropout hidden_dropout drop_path
float32 temperature zero_init gate_bias
"""
"""Options that do not affect outputs: names, initialisation, training and generation."""

KNOWN = """
ModelSpec: stacks heads tokens; SpecialTokens: pad; Nothing:
Stack: layers d_model vocab_size max_positions input streams positions norm condition activation
Stack: bias join final_norm output_width blocks order
Block: attention cross_attention feed_forward sublayers mask positions norm norm_placement
Block: residual condition activation bias share; *Memory: memory
*Own: stream axis residual; *OwnAttention: memory mask positions
*Branch Block: norm norm_placement=pre|post|sandwich|output|none
*Source: prefix_tokens normalize=True|False|before_positions norm optional argument
Tokens: vocab_size width project=after_positions|before_positions scale add tied
Patches: layout=image|spectrogram|video image_size patch_size stride channels bias registers
ConvStem: layout=channels|frames|waveform channels axes=1|2 layers padded activation bias
ConvStem: image_size project=True|False|normalized scale
ConvLayer: channels kernel stride dilation separable normalize=False|channels|frames gated
Features: size project bias add; LearnedInput: tokens; Patches: frames tubelet_size
StackInput: stack projector skip replace; LinearProjector: bias
LayerNorm RmsNorm: eps affine weight_offset; LayerNorm: bias
Gelu GeluTanh QuickGelu Relu Relu2 Silu Tanh Sigmoid Softplus Identity Xielu:; Swish: beta
Learned Sinusoidal: add_to=input|queries_and_keys offset skip_padding=False|mask|tokens
Sinusoidal: axes=1|2|3 order widths layout=concat|interleaved denominator=half|half_minus_one
Sinusoidal: coordinates=index|turn; Rotary: scaling
Convolution: kernel groups activation; TransformerXl:; Temperature: length slope offset
Rotary: theta fraction layout=half|interleaved axes=1|2|3 widths coordinates=index|centred
Alibi: slopes=floor|ceil before_scale; RelativeBias RelativeTable: share=layer|stack
RelativeBias: buckets max_distance bidirectional; RelativeTable: axes=1|2|3
Coordinate: layout=concat|interleaved denominator=half|half_minus_one
Shaw: max_distance values; Disentangled: terms buckets max_distance share_projections normalize
LinearScaling DynamicScaling Llama3 Yarn: factor
DynamicScaling Llama3 Yarn LongRope: original_max_positions
Yarn: beta_fast beta_slow mscale mscale_all_dims truncate; Llama3: low_freq_factor high_freq_factor
LongRope: short_factor long_factor short_mscale long_mscale
Mha: heads kv_heads head_dim value_dim bias scale score=dot|cosine|distance|additive qk_norm softcap
Mha: value=linear|none output=linear|none sinks=True|False|zero clip_qkv output_norm score_bias
Mha: separate_global talking_heads=none|scores|weights|both
Mha LinearAttention: output_gate=none|elementwise|headwise; Mha: gate=sigmoid|softplus
Stream: d_model axes input; StreamBias: stream norm transpose; OuterProductMean: source hidden bias
TriangleMultiplication: hidden direction=outgoing|incoming bias
TableBias PathBias: argument entries share=stack|layer; PathBias: max_distance width
Mha Mla Differential Collaborative: kernel=auto|dense|tiles
Differential: heads kv_heads head_dim bias scale head_norm
Collaborative: heads key_dim value_dim bias scale
HeadQkNorm PerHeadQkNorm ProjectionQkNorm: norm before_clip
Mla: heads query_rank kv_rank nope_dim rope_dim value_dim latent_eps bias scale
LinearAttention: heads head_dim feature_map=elu|relu|silu|identity|softmax map_values normalize
LinearAttention: decay=none|lightning output_norm bias; HeadQkNorm PerHeadQkNorm: after_positions
Conv: kernel dilation separable causal activation activation_first bias
Recurrence: hidden bidirectional bias initial attention output=linear|none
Recurrence: result; InitialState: memory direction=forward|backward; Gru: reset=before|after
Fastformer: heads bias; Mlp Glu: d_ff activation bias inner_norm; Glu: clamp linear_offset
Moe: experts top_k expert shared_expert weigh=output|input shared_gate router capacity
Moe: capacity_factor balance_loss z_loss; Groups: count top_k score=max|top2_sum
Router: score=softmax|sigmoid|sparsemixer normalize bias selection_bias choose_by=scores|logits
Router: groups scale jitter
Sequential Parallel: gate=none|rezero|tanh|output|highway|gru activation
Sequential Parallel: scale stream_scale layer_scale from_=input|normed|block; Parallel: shared_norm
*Adaptive: embed activation; AdaLn AdaLnZero:; Timestep: argument width hidden activation
Timestep: layout=cos_sin|sin_cos denominator=half|half_minus_one; Label: argument classes
Vector: argument size bias; Pooled: stack pool bias
*HeadPart: stack; PatchesHead: channels bias
LanguageModel: vocab_size tied bias transform input_scale scale softcap
Maxout: hidden bias; DenseTransform: width inner activation norm bias; TokenPool: id
Classifier: classes pool pooled_norm norm hidden activation hidden_bias hidden_norm bias
ProjectionHead: size places_of pool hidden hidden_activation activation bias normalize
Contrastive: size towers bias loss=softmax|sigmoid; Tower: pool project
FirstPool: tokens joined; LastPool MaxPool AttentionPool:; MeanPool FirstAndMeanPool: skip
"""
"""Classes, their options, and the allowed words of an option. Subclasses inherit options; a star
marks base classes.
"""


@cache
def known_options(cls: type[Part]) -> dict[str, str]:
    """The supported options of a class, and their words; "" means any value."""
    found = dict.fromkeys(NO_EFFECT.split(), "")
    names, known = {base.__name__ for base in cls.__mro__}, False
    for row in KNOWN.replace(";", "\n").splitlines():
        classes, _, options = row.partition(":")
        known |= bool(names & set(classes.split()))
        if names & set(classes.replace("*", "").split()):
            found |= {name: words for name, _, words in (o.partition("=") for o in options.split())}
    if not known:
        raise unknown(f"a part of the kind {cls.__name__}")
    return found


def check_options(value: Any) -> None:
    """Raise OracleError for an unsupported part, option or word.

    `init` is ignored.
    """
    if isinstance(value, Part):
        known, cls = known_options(type(value)), type(value).__name__
        for name in type(value).model_fields:
            inner, words = getattr(value, name), known.get(name, "")
            if name not in known:
                raise unknown(f"the option `{name.rstrip('_')}` of {cls}")
            if words and str(inner) not in words.split("|"):
                raise unknown(f"`{name}: {inner}` of {cls}")
            if not (isinstance(value, ModelSpec) and name == "init"):
                check_options(inner)
    elif isinstance(value, (dict, tuple)):
        for inner in value.values() if isinstance(value, dict) else value:
            check_options(inner)
